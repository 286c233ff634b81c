//! Customers' addresses at platforms (WeChat, Alipay): on disk one sealed record for each page that has any, as names are; in memory two bits of
//! a column for each customer, what no checkpoint has folded yet, and an index from an id's fingerprint to rows. Decides nothing.

use std::collections::BTreeMap;
use std::ops::Range;

use gridbell_model::{
    AccountNumber, BindingSource, Channel, CivilMinute, CustomerView, Moment, PlatformId, PrefectureCode,
};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::columns::PAGE_ROWS;
use crate::error::StateError;
use crate::shared::Shared;
use crate::state::State;
use crate::{keys, records};

/// An address of a customer at a platform.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Contact {
    /// At which platform.
    pub channel: Channel,
    /// The province's account there to which the id belongs: WeChat's app id, Alipay's. Empty where there is but one.
    pub app: String,
    /// The customer's id there; personal.
    pub id: PlatformId,
    /// Where the binding came from.
    pub source: BindingSource,
    /// When the customer was bound, as the source says.
    pub bound: CivilMinute,
    /// Since when this is the address here: what was decided before was meant for another.
    pub since: Moment,
}

/// A binding or its end, as a file, a person or a platform says it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContactFact {
    /// 户号
    pub account: AccountNumber,
    /// At which platform: one of [`Channel::PLATFORMS`].
    pub channel: Channel,
    /// The address; none ends the binding.
    pub address: Option<Address>,
}

/// What is bound.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Address {
    /// As [`Contact::app`].
    pub app: String,
    /// As [`Contact::id`].
    pub id: PlatformId,
    /// As [`Contact::source`].
    pub source: BindingSource,
    /// As [`Contact::bound`].
    pub bound: CivilMinute,
}

/// What a change does to the address of one customer at one platform, before it is folded into the customer's page.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Pending {
    /// There is none any more.
    Ended,
    /// This one. `anew` where the address was another in between, so that the page's time of the same address says nothing.
    Bound { contact: Contact, anew: bool },
}

/// Changes of one customer, by channel.
pub(crate) type Changes = BTreeMap<u8, Pending>;

/// What a change after another comes to.
pub(crate) fn after(before: Option<Pending>, change: Pending) -> Pending {
    match (before, change) {
        (None, change) | (_, change @ Pending::Ended) => change,
        (Some(Pending::Bound { contact: old, anew }), Pending::Bound { contact, .. }) if old.is_same(&contact) => {
            Pending::Bound { contact: Contact { since: old.since, ..contact }, anew }
        }
        (Some(_), Pending::Bound { contact, .. }) => Pending::Bound { contact, anew: true },
    }
}

/// The contacts of one page's rows, by place in the page and channel: the record on disk.
#[derive(Clone, Default, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct PageContacts(pub(crate) BTreeMap<(u16, u8), Contact>);

impl PageContacts {
    /// Folds `change` in. Folding the same again changes nothing.
    pub(crate) fn fold(&mut self, at: u16, channel: u8, change: &Pending) {
        match change {
            Pending::Ended => drop(self.0.remove(&(at, channel))),
            Pending::Bound { contact, anew } => {
                let known = self.0.get(&(at, channel)).filter(|old| !anew && old.is_same(contact)).map(|old| old.since);
                let since = known.unwrap_or(contact.since);
                self.0.insert((at, channel), Contact { since, ..contact.clone() });
            }
        }
    }

    /// Folds in what `changes` says of the rows of page `page`.
    pub(crate) fn fold_all(&mut self, page: u32, changes: &BTreeMap<u32, Changes>) {
        for (row, changes) in changes.range(rows_of(page)) {
            changes.iter().for_each(|(channel, change)| self.fold(place(*row), *channel, change));
        }
    }
}

impl Contact {
    fn is_same(&self, other: &Self) -> bool {
        (self.channel, &self.app, &self.id) == (other.channel, &other.app, &other.id)
    }
}

pub(crate) fn rows_of(page: u32) -> Range<u32> {
    page * PAGE_ROWS as u32..(page + 1) * PAGE_ROWS as u32
}

fn place(row: u32) -> u16 {
    // A page has 512 rows.
    (row % PAGE_ROWS as u32) as u16
}

/// From an address to the rows that have it, or had it since the start: whoever finds one looks at its contact. Nine bytes an entry, since a
/// fingerprint of 32 bits finds a wrong row once in a thousand questions of a province, and the look settles it.
#[derive(Debug, Default)]
pub(crate) struct ContactIndex(HashTable<(u32, u32)>);

impl ContactIndex {
    pub(crate) fn insert(&mut self, print: u32, row: u32) {
        let hash = |p: u32| u64::from(p).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if self.0.find(hash(print), |e| *e == (print, row)).is_none() {
            self.0.insert_unique(hash(print), (print, row), |e| hash(e.0));
        }
    }

    fn rows(&self, print: u32) -> Vec<u32> {
        let hash = u64::from(print).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut rows: Vec<u32> = self.0.iter_hash(hash).filter(|e| e.0 == print).map(|e| e.1).collect();
        rows.sort_unstable();
        rows
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> u64 {
        (self.0.capacity() * 8 / 7 * (size_of::<(u32, u32)>() + 1)) as u64
    }
}

/// The fingerprint under which an address is found; stable within a process.
pub(crate) fn print(channel: Channel, app: &str, id: &PlatformId) -> u32 {
    use std::hash::{Hash, Hasher};
    let mut hasher = rustc_hash::FxHasher::default();
    (channel as u8, app, id.expose()).hash(&mut hasher);
    let hash = hasher.finish();
    (hash ^ (hash >> 32)) as u32
}

/// Contacts of a page as they are on disk.
pub(crate) fn read_page(shared: &Shared, prefecture: PrefectureCode, page: u32) -> Result<PageContacts, StateError> {
    let key = keys::paged(keys::CONTACTS, prefecture, page);
    match shared.store.get(&key)? {
        Some(value) => records::read(&shared.sealer, &key, &value),
        None => Ok(PageContacts::default()),
    }
}

impl State {
    /// Contacts of `rows` of `prefecture` for `channel`, in the order asked; each page is read once.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn contacts_at(
        &self,
        prefecture: PrefectureCode,
        rows: &[u32],
        channel: Channel,
    ) -> Result<Vec<Option<Contact>>, StateError> {
        let mut pages: BTreeMap<u32, PageContacts> = BTreeMap::new();
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            // The bit spares the page's read.
            if !self.has_contact(prefecture, *row, channel) {
                out.push(None);
                continue;
            }
            let page = row / PAGE_ROWS as u32;
            let contacts = match pages.entry(page) {
                std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
                std::collections::btree_map::Entry::Vacant(e) => e.insert(self.page_contacts(prefecture, page)?),
            };
            out.push(contacts.0.get(&(place(*row), channel as u8)).cloned());
        }
        Ok(out)
    }

    /// The page's contacts as they are now. What is not folded is taken before the page is read: folding it twice changes nothing, missing it
    /// would.
    fn page_contacts(&self, prefecture: PrefectureCode, page: u32) -> Result<PageContacts, StateError> {
        let (folding, changes) = match self.shared().core.prefecture(prefecture) {
            Some(p) => {
                let p = p.read();
                let some = |all: &BTreeMap<u32, Changes>| -> BTreeMap<u32, Changes> {
                    all.range(rows_of(page)).map(|(row, c)| (*row, c.clone())).collect()
                };
                (some(&p.contacts_folding), some(&p.contacts))
            }
            None => Default::default(),
        };
        let mut contacts = read_page(self.shared(), prefecture, page)?;
        contacts.fold_all(page, &folding);
        contacts.fold_all(page, &changes);
        Ok(contacts)
    }

    /// Whether the customer at `row` has an address for `channel`; a look at a column.
    #[must_use]
    pub fn has_contact(&self, prefecture: PrefectureCode, row: u32, channel: Channel) -> bool {
        let Some(p) = self.shared().core.prefecture(prefecture) else { return false };
        let p = p.read();
        row < p.rows() && {
            let (chunk, at) = p.chunk(row);
            chunk.has_contact(at, channel)
        }
    }

    /// The customer's addresses at platforms.
    ///
    /// # Errors
    /// When there is no such account or the store cannot be read.
    pub fn contacts(&self, account: AccountNumber) -> Result<Vec<Contact>, StateError> {
        let (code, row) = self.find(account).ok_or(StateError::NoAccount(account))?;
        let mut found = Vec::new();
        for channel in Channel::PLATFORMS {
            found.extend(self.contacts_at(code, &[row], channel)?.into_iter().flatten());
        }
        Ok(found)
    }

    /// Customers whose address for `channel` is `id` of `app` (of any where empty), up to `limit`: one id may serve several accounts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn by_contact(
        &self,
        channel: Channel,
        app: &str,
        id: &PlatformId,
        limit: usize,
    ) -> Result<Vec<(PrefectureCode, CustomerView)>, StateError> {
        let mut found = Vec::new();
        let print = print(channel, app, id);
        for code in self.prefectures().into_keys() {
            let Some(p) = self.shared().core.prefecture(code) else { continue };
            let rows = p.read().contact_index.rows(print);
            for (row, contact) in rows.iter().zip(self.contacts_at(code, &rows, channel)?) {
                let hit = contact.is_some_and(|c| c.id == *id && c.app == app);
                if hit && found.len() < limit {
                    found.extend(self.customer_at(code, *row).map(|view| (code, view)));
                }
            }
        }
        Ok(found)
    }

    /// Bytes that addresses take in memory: the index, and what no checkpoint has folded by its count.
    #[must_use]
    pub fn contact_index_bytes(&self) -> u64 {
        self.shared().core.prefectures.read().values().map(|p| p.read().contact_index.bytes()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bound(id: u8, at: i64) -> Pending {
        let contact = Contact {
            channel: Channel::Wechat,
            app: "wx1".into(),
            id: format!("o{id}").parse().unwrap(),
            source: BindingSource::Counter,
            bound: CivilMinute(at),
            since: Moment::from_unix_ms(at),
        };
        Pending::Bound { contact, anew: false }
    }

    proptest! {
        /// However changes fall between what a page has, what a checkpoint folds and what comes after it, and folded however often, the address
        /// is the last one, since when it is that without a break.
        #[test]
        fn folding_in_any_pieces_comes_to_the_same(
            ids in proptest::collection::vec(proptest::option::of(0u8..3), 1..12),
            cuts in proptest::collection::vec(any::<bool>(), 12),
        ) {
            let mut expected: Option<(u8, i64)> = None;
            let mut page = PageContacts::default();
            let mut waiting: Option<Pending> = None;
            for (n, id) in (1i64..).zip(&ids) {
                expected = match (expected, id) {
                    (_, None) => None,
                    (Some((old, since)), Some(id)) if old == *id => Some((old, since)),
                    (_, Some(id)) => Some((*id, n)),
                };
                waiting = Some(after(waiting.take(), id.map_or(Pending::Ended, |id| bound(id, n))));
                if cuts[n as usize % cuts.len()] && let Some(change) = waiting.take() {
                    page.fold(7, 1, &change);
                    page.fold(7, 1, &change);
                }
            }
            if let Some(change) = &waiting {
                page.fold(7, 1, change);
            }
            let found = page.0.get(&(7, 1)).map(|c| (c.id.expose()[1..].parse::<u8>().unwrap(), c.since.unix_ms()));
            prop_assert_eq!(found, expected);
        }
    }
}
