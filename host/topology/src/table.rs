//! Things by number and by code, in pages that clones share: a clone costs a few pointers, and a change behind it copies one page of pointers and
//! the one thing that it changes.

use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxHasher;

/// Things of one page.
const PAGE: usize = 256;
/// Parts of an index by code; one is copied where a clone shares it.
const SHARDS: usize = 256;

/// What is in a table.
pub(crate) trait Named: Clone {
    /// Its code; none where it has no name of its own.
    fn name(&self) -> Option<&str>;
}

/// Numbers by code.
#[derive(Clone, Debug)]
pub(crate) struct Codes(Arc<Vec<Arc<HashTable<u32>>>>);

impl Default for Codes {
    fn default() -> Self {
        Self(Arc::new(vec![Arc::default(); SHARDS]))
    }
}

fn hash(code: &str) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(code)
}

/// The part of the index for a hash: bits that the table within does not choose by.
fn shard(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

impl Codes {
    pub(crate) fn find<'a>(&self, code: &str, name: impl Fn(u32) -> Option<&'a str>) -> Option<u32> {
        let hash = hash(code);
        self.0[shard(hash)].find(hash, |n| name(*n) == Some(code)).copied()
    }

    /// `name` is of those that are in it already.
    pub(crate) fn insert<'a>(&mut self, code: &str, number: u32, name: impl Fn(u32) -> Option<&'a str>) {
        let key = hash(code);
        let its = Arc::make_mut(&mut Arc::make_mut(&mut self.0)[shard(key)]);
        its.insert_unique(key, number, |n| name(*n).map_or(0, hash));
    }

    pub(crate) fn remove(&mut self, code: &str, number: u32) {
        let key = hash(code);
        let its = Arc::make_mut(&mut Arc::make_mut(&mut self.0)[shard(key)]);
        if let Ok(entry) = its.find_entry(key, |n| *n == number) {
            entry.remove();
        }
    }
}

type Page<T> = Vec<Option<Arc<T>>>;

/// Things of one kind.
#[derive(Clone, Debug)]
pub(crate) struct Table<T> {
    pages: Arc<Vec<Arc<Page<T>>>>,
    /// Numbers given so far, those of removed things included.
    len: u32,
    live: u32,
    codes: Codes,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { pages: Arc::default(), len: 0, live: 0, codes: Codes::default() }
    }
}

fn at<T>(pages: &[Arc<Page<T>>], number: u32) -> Option<&T> {
    pages.get(number as usize / PAGE)?.get(number as usize % PAGE)?.as_deref()
}

impl<T: Named> Table<T> {
    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        at(&self.pages, number)
    }

    pub(crate) fn find(&self, code: &str) -> Option<u32> {
        self.codes.find(code, |n| self.get(n)?.name())
    }

    /// How many there are.
    pub(crate) fn live(&self) -> u32 {
        self.live
    }

    /// The number that the next one gets.
    pub(crate) fn next(&self) -> u32 {
        self.len
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Arc<T>)> {
        let all = self.pages.iter().flat_map(|p| p.iter());
        (0u32..).zip(all).filter_map(|(n, thing)| Some((n, thing.as_ref()?)))
    }

    /// Adds `thing` under a number that nothing ever had.
    pub(crate) fn push(&mut self, thing: T) -> u32 {
        let number = self.len;
        self.put(number, Arc::new(thing));
        number
    }

    /// Puts `thing` where nothing is, at its own number.
    pub(crate) fn put(&mut self, number: u32, thing: Arc<T>) {
        self.reserve(number + 1);
        if let Some(code) = thing.name() {
            let pages = &self.pages;
            self.codes.insert(code, number, |n| at(pages, n)?.name());
        }
        let pages = Arc::make_mut(&mut self.pages);
        Arc::make_mut(&mut pages[number as usize / PAGE])[number as usize % PAGE] = Some(thing);
        self.live += 1;
    }

    /// Numbers below `len` are given already.
    pub(crate) fn reserve(&mut self, len: u32) {
        if len <= self.len {
            return;
        }
        let pages = Arc::make_mut(&mut self.pages);
        for number in self.len..len {
            if (number as usize).is_multiple_of(PAGE) {
                pages.push(Arc::new(Vec::with_capacity(PAGE)));
            }
            if let Some(last) = pages.last_mut() {
                Arc::make_mut(last).push(None);
            }
        }
        self.len = len;
    }

    /// The thing for writing; its code is changed by [`Table::rename`] alone.
    pub(crate) fn edit(&mut self, number: u32) -> Option<&mut T> {
        let page = Arc::make_mut(&mut self.pages).get_mut(number as usize / PAGE)?;
        Some(Arc::make_mut(Arc::make_mut(page).get_mut(number as usize % PAGE)?.as_mut()?))
    }

    /// Changes what something is called.
    pub(crate) fn rename(&mut self, number: u32, change: impl FnOnce(&mut T)) {
        if let Some(old) = self.get(number).and_then(|t| t.name().map(str::to_owned)) {
            self.codes.remove(&old, number);
        }
        let Some(thing) = self.edit(number) else { return };
        change(thing);
        if let Some(new) = self.get(number).and_then(|t| t.name().map(str::to_owned)) {
            let pages = &self.pages;
            self.codes.insert(&new, number, |n| at(pages, n)?.name());
        }
    }

    pub(crate) fn remove(&mut self, number: u32) {
        let Some(code) = self.get(number).map(|t| t.name().map(str::to_owned)) else { return };
        if let Some(code) = code {
            self.codes.remove(&code, number);
        }
        let pages = Arc::make_mut(&mut self.pages);
        Arc::make_mut(&mut pages[number as usize / PAGE])[number as usize % PAGE] = None;
        self.live -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Thing(String);

    impl Named for Thing {
        fn name(&self) -> Option<&str> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_clone_stays_as_it_was_and_shares_what_did_not_change() {
        let mut table = Table::default();
        for n in 0..100_000u32 {
            assert_eq!(table.push(Thing(format!("T{n:06}"))), n);
        }
        let before = table.clone();
        table.rename(70_000, |t| t.0 = "X".to_owned());
        table.remove(5);
        assert_eq!((table.find("X"), table.find("T070000"), table.find("T000005")), (Some(70_000), None, None));
        assert_eq!((before.find("X"), before.find("T070000"), before.find("T000005")), (None, Some(70_000), Some(5)));
        assert_eq!((table.live(), before.live(), table.next()), (99_999, 100_000, 100_000));
        let shared = table.iter().filter(|(n, t)| Arc::strong_count(t) > 1 && before.get(*n).is_some()).count();
        let own = table.pages.iter().zip(before.pages.iter()).filter(|(a, b)| !Arc::ptr_eq(a, b)).count();
        assert!(own == 2 && shared >= 2 * PAGE - 3, "{own} pages of {}, {shared}", table.pages.len());
        assert_eq!(table.push(Thing("T000005".to_owned())), 100_000, "a number is never given again");
        assert_eq!((table.find("T000005"), before.get(100_000)), (Some(100_000), None));
    }
}
