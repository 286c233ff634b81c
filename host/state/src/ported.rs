//! Numbers that are with another carrier than their segment says (携号转网): what the operator's files say, and what carriers' answers taught. Six
//! bytes a number in tables by the number's first four digits, which a snapshot shares and a change copies one by one. Knows neither segments nor
//! links: whoever says something has compared it with them.
//!
//! Numbers are personal: they are in the sealed journal and checkpoint, and nothing here shows one.

use std::fmt;
use std::sync::Arc;

use gridbell_model::{AccountNumber, Carrier, Date, MessageId};
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use crate::error::StateError;
use crate::facts::{FactOutcome, FactReject};
use crate::ops::{Applied, AuditNote, MAX_FACTS_PER_OP, Op};
use crate::outbox::MessageEvent;
use crate::prefecture;
use crate::state::State;
use crate::writer::Change;

/// Ported numbers that are kept at most; what comes beyond is refused.
pub const MAX_PORTED: usize = 4_000_000;
/// Numbers of one record of a checkpoint.
const RECORD_NUMBERS: usize = 65_536;
/// Days are counted from 2019-01-01, the year in which numbers began to be carried over; in days since 1970.
const FIRST_DAY: i32 = 17_897;
/// Numbers from 1000 0000000 on, by their first four digits.
const TABLES: usize = 1_000;
/// What follows the first four of eleven digits.
const REST: u64 = 10_000_000;

/// Some of the carriers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Hash, Serialize, Deserialize)]
pub struct Carriers(u8);

impl Carriers {
    /// These.
    #[must_use]
    pub fn of(carriers: impl IntoIterator<Item = Carrier>) -> Self {
        Self(carriers.into_iter().fold(0, |bits, c| bits | bit(c)))
    }

    /// Whether `carrier` is one of them.
    #[must_use]
    pub fn has(self, carrier: Carrier) -> bool {
        self.0 & bit(carrier) != 0
    }

    /// These and those.
    #[must_use]
    pub fn and(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

const fn bit(carrier: Carrier) -> u8 {
    1 << (carrier as u8 - 1)
}

/// Where it is known from whose a number is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortedSource {
    /// A file of the operator's.
    File,
    /// Carriers' answers.
    Learned,
}

impl PortedSource {
    /// Every source.
    pub const ALL: &'static [Self] = &[Self::File, Self::Learned];

    /// The word for it in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Learned => "learned",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::File => "携号转网名单",
            Self::Learned => "网关应答",
        }
    }
}

/// What is known of a number beside its segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortedNumber {
    /// Whose it is; none where it is only known whose it is not.
    pub carrier: Option<Carrier>,
    /// Carriers that said that it is not theirs.
    pub not: Carriers,
    /// From where that is known.
    pub source: PortedSource,
    /// Since when, as the file says, or the day on which it was learned.
    pub on: Option<Date>,
}

/// What is said about the carrier of one number.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortedFact {
    /// A mobile number of eleven digits. Personal.
    pub number: u64,
    /// What is said.
    pub said: PortedSaid,
}

impl fmt::Debug for PortedFact {
    /// Without the number, which is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortedFact").field("said", &self.said).finish_non_exhaustive()
    }
}

/// What can be said about the carrier of a number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum PortedSaid {
    /// A file: it is this carrier's since then. An older day never replaces a newer one.
    Listed(Carrier, Option<Date>),
    /// It is its segment's own again, as a file says with a day, or as somebody or something else says without: nothing is kept of it.
    Own(Option<Date>),
    /// A carrier took a message to it: it is this carrier's.
    Learned(Carrier, Date),
    /// These carriers refused a message to it: it is none of theirs, whatever was known.
    Not(Carriers, Date),
}

/// How many numbers are known to be with each carrier.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortedCount {
    /// With which; none where only refusals are known.
    pub carrier: Option<Carrier>,
    /// From where.
    pub source: PortedSource,
    /// How many.
    pub numbers: u64,
}

/// An entry: three bytes of digits, one of carrier, source and refusals, two of the day.
type Entry = [u8; 6];

const LEARNED: u8 = 8;

impl PortedNumber {
    fn pack(self, rest: u32) -> Entry {
        let [a, b, c, _] = rest.to_le_bytes();
        let source = if self.source == PortedSource::Learned { LEARNED } else { 0 };
        let info = self.carrier.map_or(0, |c| c as u8) | source | self.not.0 << 4;
        // Day 0 is none; what a file says of a day before the first one is none, too.
        let day = self.on.and_then(|d| u16::try_from(d.0 - FIRST_DAY + 1).ok()).unwrap_or(0);
        let [d, e] = day.to_le_bytes();
        [a, b, c, info, d, e]
    }

    fn unpack([_, _, _, info, d, e]: Entry) -> Self {
        let day = u16::from_le_bytes([d, e]);
        Self {
            carrier: Carrier::ALL.iter().copied().find(|c| *c as u8 == info & 7),
            not: Carriers(info >> 4),
            source: if info & LEARNED != 0 { PortedSource::Learned } else { PortedSource::File },
            on: (day > 0).then(|| Date(FIRST_DAY + i32::from(day) - 1)),
        }
    }

    fn place(self) -> (usize, usize) {
        (self.carrier.map_or(0, |c| c as usize), usize::from(self.source == PortedSource::Learned))
    }
}

fn rest_of(entry: &Entry) -> u32 {
    u32::from_le_bytes([entry[0], entry[1], entry[2], 0])
}

fn hash(rest: u32) -> u64 {
    u64::from(rest).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

type Table = HashTable<Entry>;

/// Whose numbers are that are not their segment's, at one instant. Cheap to clone: tables are shared until one changes.
#[derive(Clone)]
pub struct Ported(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    tables: Vec<Option<Arc<Table>>>,
    counts: [[u64; 2]; Carrier::ALL.len() + 1],
}

impl Default for Ported {
    fn default() -> Self {
        Self(Arc::new(Inner { tables: vec![None; TABLES], counts: Default::default() }))
    }
}

impl fmt::Debug for Ported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ported numbers", self.len())
    }
}

/// The table of `number` and what it is there; none for what is no mobile number.
fn place_of(number: u64) -> Option<(usize, u32)> {
    let table = usize::try_from(number / REST).ok()?.checked_sub(TABLES).filter(|t| *t < TABLES)?;
    Some((table, u32::try_from(number % REST).ok()?))
}

impl Ported {
    /// What is known of `number` beside its segment.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<PortedNumber> {
        let (table, rest) = place_of(number)?;
        let table = self.0.tables.get(table)?.as_ref()?;
        table.find(hash(rest), |e| rest_of(e) == rest).map(|e| PortedNumber::unpack(*e))
    }

    /// How many numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::try_from(self.0.counts.iter().flatten().sum::<u64>()).unwrap_or(usize::MAX)
    }

    /// Whether none is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many of each carrier from each source, those of which only refusals are known first.
    #[must_use]
    pub fn counts(&self) -> Vec<PortedCount> {
        let carriers = std::iter::once(None).chain(Carrier::ALL.iter().copied().map(Some));
        let count = |carrier: Option<Carrier>, source: PortedSource| {
            let (c, s) = PortedNumber { carrier, not: Carriers::default(), source, on: None }.place();
            PortedCount { carrier, source, numbers: self.0.counts[c][s] }
        };
        let all = carriers.flat_map(|c| PortedSource::ALL.iter().map(move |s| count(c, *s)));
        all.filter(|c| c.carrier.is_some() || c.source == PortedSource::Learned).collect()
    }

    /// How many numbers that begin with the four digits `segment` were learned to be with each carrier, in the order of [`Carrier::ALL`].
    #[must_use]
    pub fn learned_in(&self, segment: u64) -> Vec<(Carrier, usize)> {
        let table = place_of(segment.saturating_mul(REST)).and_then(|(t, _)| self.0.tables.get(t)?.as_ref());
        let all = table.into_iter().flat_map(|t| t.iter()).map(|e| PortedNumber::unpack(*e));
        let learned: Vec<Carrier> =
            all.filter(|n| n.source == PortedSource::Learned).filter_map(|n| n.carrier).collect();
        Carrier::ALL.iter().map(|c| (*c, learned.iter().filter(|l| *l == c).count())).collect()
    }

    /// Bytes that they take in memory, by allocation.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let tables = self.0.tables.iter().flatten();
        let used: usize = tables.map(|t| t.allocation_size() + size_of::<Table>()).sum();
        (used + TABLES * size_of::<Option<Arc<Table>>>()) as u64
    }

    /// Applies what is said of one number.
    pub(crate) fn apply(&mut self, fact: &PortedFact) -> Result<prefecture::Applied, FactReject> {
        let (_, rest) = place_of(fact.number).ok_or(FactReject::NoMobile)?;
        let known = self.get(fact.number);
        let next = after(known, fact.said)?;
        if next == known {
            return Ok(prefecture::Applied::Unchanged);
        }
        if known.is_none() && self.len() >= MAX_PORTED {
            return Err(FactReject::TooManyPorted);
        }
        self.put(fact.number, next.map(|n| n.pack(rest)));
        Ok(if known.is_none() { prefecture::Applied::Created } else { prefecture::Applied::Changed })
    }

    /// Puts an entry in the place of the one that there is for its number; none takes that away.
    fn put(&mut self, number: u64, entry: Option<Entry>) {
        let Some((table, rest)) = place_of(number) else { return };
        let inner = Arc::make_mut(&mut self.0);
        let Some(table) = inner.tables.get_mut(table) else { return };
        let its = Arc::make_mut(table.get_or_insert_default());
        let same = |e: &Entry| rest_of(e) == rest;
        if let Ok(old) = its.find_entry(hash(rest), same) {
            let (old, _) = old.remove();
            let (c, s) = PortedNumber::unpack(old).place();
            inner.counts[c][s] -= 1;
        }
        if let Some(entry) = entry {
            its.insert_unique(hash(rest), entry, |e| hash(rest_of(e)));
            let (c, s) = PortedNumber::unpack(entry).place();
            inner.counts[c][s] += 1;
        } else if its.is_empty() {
            *table = None;
        }
    }

    /// Everything as records of a checkpoint: by the first four digits, entries one behind another.
    pub(crate) fn records(&self) -> impl Iterator<Item = Vec<(u16, Vec<u8>)>> {
        let mut pieces = Vec::new();
        let (mut record, mut room) = (Vec::new(), RECORD_NUMBERS);
        for (at, table) in (0u16..).zip(&self.0.tables) {
            let mut entries: Vec<Entry> = table.iter().flat_map(|t| t.iter().copied()).collect();
            // The same bytes for the same numbers, whatever the order in which they came.
            entries.sort_unstable();
            let mut left = entries.as_slice();
            while !left.is_empty() {
                let (some, rest) = left.split_at(left.len().min(room));
                record.push((at, some.concat()));
                (left, room) = (rest, room - some.len());
                if room == 0 {
                    pieces.push(std::mem::take(&mut record));
                    room = RECORD_NUMBERS;
                }
            }
        }
        pieces.extend((!record.is_empty()).then_some(record));
        pieces.into_iter()
    }

    /// Puts a record back.
    pub(crate) fn restore(&mut self, record: &[(u16, Vec<u8>)]) {
        for (table, entries) in record {
            for entry in entries.as_chunks::<6>().0 {
                let number = (TABLES as u64 + u64::from(*table)) * REST + u64::from(rest_of(entry));
                self.put(number, Some(*entry));
            }
        }
    }
}

/// What is known after `said`; none for nothing beside the segment.
fn after(known: Option<PortedNumber>, said: PortedSaid) -> Result<Option<PortedNumber>, FactReject> {
    let none = Carriers::default();
    let older = |on: Option<Date>| {
        let listed = known.filter(|k| k.source == PortedSource::File).and_then(|k| k.on);
        on.zip(listed).is_some_and(|(on, listed)| on < listed)
    };
    Ok(match said {
        PortedSaid::Listed(_, on) | PortedSaid::Own(on) if older(on) => return Err(FactReject::Outdated),
        PortedSaid::Listed(carrier, on) => {
            Some(PortedNumber { carrier: Some(carrier), not: none, source: PortedSource::File, on })
        }
        PortedSaid::Own(_) => None,
        PortedSaid::Learned(carrier, on) => match known {
            // The day on which it was learned first.
            Some(k) if k.carrier == Some(carrier) => known,
            _ => Some(PortedNumber { carrier: Some(carrier), not: none, source: PortedSource::Learned, on: Some(on) }),
        },
        PortedSaid::Not(carriers, on) => match known {
            Some(k) if k.carrier.is_some_and(|c| !carriers.has(c)) => known,
            Some(k) if k.carrier.is_none() && k.not.and(carriers) == k.not => known,
            _ => {
                let not = known.map_or(none, |k| k.not).and(carriers);
                Some(PortedNumber { carrier: None, not, source: PortedSource::Learned, on: Some(on) })
            }
        },
    })
}

impl crate::core_state::Core {
    pub(crate) fn apply_ported(&self, facts: &[PortedFact]) -> FactOutcome {
        let mut outcome = FactOutcome::default();
        let mut ported = self.ported.write();
        for (row, fact) in (0u32..).zip(facts) {
            crate::core_state::tally(&mut outcome, row, ported.apply(fact));
        }
        outcome
    }
}

impl State {
    /// Whose numbers are that are not their segment's, as it is now.
    #[must_use]
    pub fn ported(&self) -> Ported {
        self.shared().core.ported.read().clone()
    }

    /// Takes in what is said of the carriers of numbers, with audit notes in the same commit.
    ///
    /// # Errors
    /// When there are too many for one op or the store refuses. What was not taken is in the outcome.
    pub async fn say_carriers(&self, facts: Vec<PortedFact>, audit: Vec<AuditNote>) -> Result<Applied, StateError> {
        if facts.len() > MAX_FACTS_PER_OP {
            let what = "what is said of numbers".to_owned();
            return Err(StateError::Bound { what, bound: MAX_FACTS_PER_OP, hint: "send it in several" });
        }
        let mut change = Change::new(vec![Op::Ported(facts)]);
        change.audit = audit;
        self.submit(change).await
    }

    /// What goes with a holder who leaves; of one who is erased also what was learned of the number. What a list says of it is the operator's.
    pub(crate) fn void_ops(&self, account: AccountNumber, leaves: bool, erased: bool) -> Vec<Op> {
        let number = self.customer(account).filter(|_| erased).map(|(_, view)| view.phone.number());
        let learned = number.filter(|n| self.ported().get(*n).is_some_and(|p| p.source == PortedSource::Learned));
        let forgotten = learned.map(|number| Op::Ported(vec![PortedFact { number, said: PortedSaid::Own(None) }]));
        leaves.then(|| Op::Void(vec![account])).into_iter().chain(forgotten).collect()
    }

    /// Applies message events with what they taught of the carriers of numbers, all in one commit.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn message_events_with(
        &self,
        events: Vec<(MessageId, MessageEvent)>,
        learned: Vec<PortedFact>,
    ) -> Result<Applied, StateError> {
        let mut ops = vec![Op::Messages(events)];
        ops.extend((!learned.is_empty()).then_some(Op::Ported(learned)));
        self.submit(Change::new(ops)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const NUMBER: u64 = 13_812_345_678;

    fn day(n: i32) -> Date {
        Date(20_700 + n)
    }

    fn said(ported: &mut Ported, said: PortedSaid) -> Option<PortedNumber> {
        ported.apply(&PortedFact { number: NUMBER, said }).unwrap();
        ported.get(NUMBER)
    }

    #[test]
    fn a_file_outweighs_what_was_learned_and_a_refusal_outweighs_a_file() {
        use Carrier::{Mobile, Telecom, Unicom};
        let mut ported = Ported::default();
        let not_mobile = PortedSaid::Not(Carriers::of([Mobile]), day(1));
        let known = said(&mut ported, not_mobile).unwrap();
        assert_eq!((known.carrier, known.not.has(Mobile), known.not.has(Unicom)), (None, true, false));
        let known = said(&mut ported, PortedSaid::Learned(Unicom, day(1))).unwrap();
        assert_eq!((known.carrier, known.source, known.on), (Some(Unicom), PortedSource::Learned, Some(day(1))));
        assert_eq!(said(&mut ported, PortedSaid::Learned(Unicom, day(9))).unwrap().on, Some(day(1)));
        assert_eq!(said(&mut ported, not_mobile), Some(known), "one more refusal by another says nothing new");
        let listed = PortedSaid::Listed(Telecom, Some(day(-300)));
        let known = said(&mut ported, listed).unwrap();
        assert_eq!((known.carrier, known.source, known.on), (Some(Telecom), PortedSource::File, Some(day(-300))));
        // Two files, the older one later.
        let older = PortedFact { number: NUMBER, said: PortedSaid::Own(Some(day(-301))) };
        assert_eq!(ported.apply(&older), Err(FactReject::Outdated));
        let known = said(&mut ported, PortedSaid::Not(Carriers::of([Telecom]), day(2))).unwrap();
        assert_eq!((known.carrier, known.source, known.not.has(Telecom)), (None, PortedSource::Learned, true));
        assert_eq!(said(&mut ported, PortedSaid::Own(None)), None);
        assert!(ported.is_empty() && ported.counts().iter().all(|c| c.numbers == 0));
        for number in [0, 9_999_999_999, 20_000_000_000, u64::MAX] {
            let fact = PortedFact { number, said: listed };
            assert_eq!((ported.apply(&fact), ported.get(number)), (Err(FactReject::NoMobile), None));
        }
    }

    #[test]
    fn a_clone_stays_as_it_was() {
        let mut ported = Ported::default();
        said(&mut ported, PortedSaid::Listed(Carrier::Unicom, None));
        let before = ported.clone();
        said(&mut ported, PortedSaid::Listed(Carrier::Telecom, None));
        assert_eq!(before.get(NUMBER).unwrap().carrier, Some(Carrier::Unicom));
        assert_eq!(ported.get(NUMBER).unwrap().carrier, Some(Carrier::Telecom));
    }

    /// Prints what a number takes.
    #[test]
    fn a_ported_number_takes_few_bytes_of_memory() {
        for numbers in [600_000_u64, MAX_PORTED as u64] {
            let mut ported = Ported::default();
            let fact = |n: u64| {
                // As a province's are: over all segments.
                let number = 13_000_000_000 + n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 7_000_000_000;
                let said = PortedSaid::Listed(Carrier::ALL[n as usize % 4], Some(day(n as i32 % 400)));
                PortedFact { number, said }
            };
            let mut n = 0;
            while (ported.len() as u64) < numbers {
                ported.apply(&fact(n)).unwrap();
                n += 1;
            }
            let mib = ported.bytes() as f64 / 1_048_576.0;
            let each = ported.bytes() as f64 / ported.len() as f64;
            println!("{} ported numbers in {mib:.1} MiB: {each:.1} bytes each", ported.len());
            assert!(each < 20.0, "{each}");
            if ported.len() == MAX_PORTED {
                let new = (n..).map(fact).find(|f| ported.get(f.number).is_none()).unwrap();
                assert_eq!(ported.apply(&new), Err(FactReject::TooManyPorted));
                ported.apply(&PortedFact { said: PortedSaid::Own(None), ..fact(0) }).unwrap();
                assert_eq!(ported.apply(&new), Ok(prefecture::Applied::Created));
            }
            let (mut records, mut back) = (0, Ported::default());
            for record in ported.records() {
                records += 1;
                assert!(record.iter().map(|(_, e)| e.len() / 6).sum::<usize>() <= RECORD_NUMBERS);
                back.restore(&record);
            }
            assert!(records > 9);
            assert_eq!((back.len(), back.counts()), (ported.len(), ported.counts()));
        }
    }

    fn any_said() -> impl Strategy<Value = PortedSaid> {
        let carrier = || prop::sample::select(Carrier::ALL);
        let on = || proptest::option::of((-3i32..3).prop_map(day));
        prop_oneof![
            (carrier(), on()).prop_map(|(c, on)| PortedSaid::Listed(c, on)),
            on().prop_map(PortedSaid::Own),
            (carrier(), 0i32..3).prop_map(|(c, d)| PortedSaid::Learned(c, day(d))),
            (prop::collection::vec(carrier(), 1..3), 0i32..3)
                .prop_map(|(c, d)| PortedSaid::Not(Carriers::of(c), day(d))),
        ]
    }

    proptest! {
        /// Packed into tables it is what a plain map of the same rules holds, its counts are those of the entries, and records bring it all back.
        #[test]
        fn it_is_what_a_plain_map_would_be(facts in prop::collection::vec((0u64..12, any_said()), 0..60)) {
            let mut plain: BTreeMap<u64, PortedNumber> = BTreeMap::new();
            let mut ported = Ported::default();
            for (n, said) in facts {
                let number = if n < 6 { NUMBER + n } else { 17_090_000_000 + n };
                let applied = ported.apply(&PortedFact { number, said });
                match after(plain.get(&number).copied(), said) {
                    Err(why) => prop_assert_eq!(applied, Err(why)),
                    Ok(None) => drop(plain.remove(&number)),
                    Ok(Some(next)) => drop(plain.insert(number, next)),
                }
            }
            let mut back = Ported::default();
            ported.records().for_each(|record| back.restore(&record));
            for table in [&ported, &back] {
                prop_assert_eq!(table.len(), plain.len());
                for (number, known) in &plain {
                    prop_assert_eq!(table.get(*number), Some(*known));
                }
                for count in table.counts() {
                    let its = plain.values().filter(|k| (k.carrier, k.source) == (count.carrier, count.source));
                    prop_assert_eq!(count.numbers, its.count() as u64);
                }
            }
        }
    }
}
