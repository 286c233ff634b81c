//! Which phone numbers serve more accounts than a household's: landlords, children who pay for their parents, numbers typed in to fill a field. A
//! warning and nothing more: caps for each number hold anyway.
//!
//! No memory is spent for each customer. The numbers are counted in one pass over the columns when somebody asks and too much has changed since the
//! last pass; the few that changed since then are counted one by one. So the answer is right whatever the order of changes.

use std::collections::VecDeque;

use gridbell_model::{Phone, PrefectureCode};
use parking_lot::Mutex;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::state::State;

/// Changed numbers of a prefecture that are remembered: those of more changes are counted in a new pass.
const REMEMBERED: usize = 256;
/// Changed numbers that an answer looks for one by one, each in one look over the columns; for more a pass is quicker.
const LOOKS: usize = 8;
/// Rows whose numbers are sorted at once: bounds the memory of a pass to 8 MB for each thread.
const ROWS_AT_ONCE: usize = 1 << 20;

/// The numbers of a prefecture that changed last.
#[derive(Debug, Default)]
pub(crate) struct PhoneChanges {
    /// How many there ever were.
    count: u64,
    last: VecDeque<u64>,
}

impl PhoneChanges {
    /// Notes that a customer's number was `old` and is `new`.
    pub(crate) fn note(&mut self, old: Phone, new: Phone) {
        let (old, new) = (old.number(), new.number());
        if old == new {
            return;
        }
        for number in [old, new].into_iter().filter(|n| *n != 0) {
            if self.last.len() == REMEMBERED {
                self.last.pop_front();
            }
            self.last.push_back(number);
            self.count += 1;
        }
    }

    /// Those since there were `count`; none where they are not remembered any more.
    fn since(&self, count: u64) -> Option<impl Iterator<Item = u64> + '_> {
        let new = usize::try_from(self.count.checked_sub(count)?).ok()?;
        Some(self.last.range(self.last.len().checked_sub(new)?..).copied())
    }
}

/// What the last pass found.
#[derive(Debug, Default)]
pub(crate) struct SharedPhones(Mutex<Option<Pass>>);

#[derive(Debug)]
struct Pass {
    more_than: u16,
    /// Changes that each prefecture had had.
    at: FxHashMap<PrefectureCode, u64>,
    /// Numbers of more than so many accounts, with how many.
    shared: FxHashMap<u64, u32>,
}

/// How many numbers are shared, and by how many accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SharedCount {
    /// Numbers.
    pub numbers: u64,
    /// Accounts with one of them.
    pub accounts: u64,
}

impl State {
    /// Those of `numbers` that serve more than `more_than` accounts of the province now. Takes a few milliseconds, after an import about a tenth
    /// of a second for each million customers: not for the async runtime's threads.
    #[must_use]
    pub fn shared_phones(&self, more_than: u16, numbers: &[u64]) -> FxHashSet<u64> {
        let mut known = self.shared().shared_phones.0.lock();
        let (pass, changed) = self.fresh(&mut known, more_than, numbers);
        let most = usize::from(more_than);
        let is_shared = |number: &u64| match changed.contains(number) {
            true => self.by_phone(*number, most + 1).len() > most,
            false => pass.shared.contains_key(number),
        };
        numbers.iter().copied().filter(is_shared).collect()
    }

    /// How many numbers serve more than `more_than` accounts. As costly as [`State::shared_phones`].
    #[must_use]
    pub fn count_shared_phones(&self, more_than: u16) -> SharedCount {
        let mut known = self.shared().shared_phones.0.lock();
        *known = None;
        let (pass, _) = self.fresh(&mut known, more_than, &[]);
        let accounts = pass.shared.values().map(|n| u64::from(*n)).sum();
        SharedCount { numbers: pass.shared.len() as u64, accounts }
    }

    /// The last pass, or a new one, and the numbers that changed after it.
    fn fresh<'a>(&self, known: &'a mut Option<Pass>, more_than: u16, asked: &[u64]) -> (&'a Pass, FxHashSet<u64>) {
        let kept = known.take().filter(|pass| pass.more_than == more_than);
        let kept = kept.and_then(|pass| {
            let changed = self.changed_since(&pass)?;
            let looks = asked.iter().filter(|n| changed.contains(n)).count();
            (looks <= LOOKS).then_some((pass, changed))
        });
        let (pass, changed) = kept.unwrap_or_else(|| (self.pass(more_than), FxHashSet::default()));
        (known.insert(pass), changed)
    }

    fn changed_since(&self, pass: &Pass) -> Option<FxHashSet<u64>> {
        let mut changed = FxHashSet::default();
        for (code, p) in self.shared().core.prefectures.read().iter() {
            let before = pass.at.get(code).copied().unwrap_or(0);
            changed.extend(p.read().phone_changes.since(before)?);
        }
        Some(changed)
    }

    fn pass(&self, more_than: u16) -> Pass {
        let mut at = FxHashMap::default();
        let mut chunks = Vec::new();
        for (code, p) in self.shared().core.prefectures.read().iter() {
            let p = p.read();
            at.insert(*code, p.phone_changes.count);
            chunks.extend(p.chunks.iter().cloned());
        }
        let rows: usize = chunks.iter().map(|c| c.len()).sum();
        // The same number falls into the same class, whatever prefecture it is in.
        let classes = (rows / ROWS_AT_ONCE + 1) as u64;
        let shared = (0..classes).into_par_iter().flat_map_iter(|class| {
            let phones = chunks.iter().flat_map(|chunk| &chunk.phone);
            let numbers = phones.map(|packed| Phone::from_packed(*packed).number());
            let mut numbers: Vec<u64> = numbers.filter(|n| *n != 0 && class_of(*n, classes) == class).collect();
            numbers.sort_unstable();
            let many = numbers.chunk_by(|a, b| a == b).filter(|same| same.len() > usize::from(more_than));
            many.map(|same| (same[0], u32::try_from(same.len()).unwrap_or(u32::MAX))).collect::<Vec<_>>()
        });
        Pass { more_than, at, shared: shared.collect::<Vec<_>>().into_iter().collect() }
    }
}

fn class_of(number: u64, classes: u64) -> u64 {
    // Numbers of one segment follow each other: the multiplication spreads them.
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_remembered_as_far_back_as_there_is_room() {
        let phone = |n: u64| Phone::from_text(&format!("138{n:08}"));
        let mut changes = PhoneChanges::default();
        changes.note(Phone::NONE, phone(1));
        changes.note(phone(1), phone(1).with_suspended(true));
        changes.note(phone(1), phone(2));
        let since = |c: &PhoneChanges, n| c.since(n).map(Iterator::collect::<Vec<_>>);
        assert_eq!(since(&changes, 1), Some(vec![phone(1).number(), phone(2).number()]));
        for n in 0..REMEMBERED as u64 {
            changes.note(Phone::NONE, phone(n));
        }
        assert_eq!(since(&changes, 3).map(|c| c.len()), Some(REMEMBERED));
        assert_eq!(since(&changes, 2), None);
        assert_eq!(since(&changes, u64::MAX), None, "a state that was opened anew begins to count again");
    }
}
