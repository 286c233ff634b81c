//! Folding: what is dirty goes into pages, what has no pages into parts of a new generation, and a marker makes them count. The writer takes a
//! plan (an instant of the state, by sharing chunks); a thread of its own writes it through the bulk lane, so that single changes overtake.
//!
//! A crash in the middle leaves pages that are newer than the marker. Each page carries the sequence of its plan, so that replay leaves alone
//! what the page knows already; parts of the new generation are not looked at before the marker names them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gridbell_model::{CHUNK_ROWS, CarrierKey, Date, MessageId, Moment, OrgCode, OrgTree, PrefectureCode, Sharing};
use gridbell_store::{Batch, KeyRange};
use gridbell_topology::{Grid, GridRecord};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use crate::beside::PageBeside;
use crate::columns::{Chunk, PAGE_ROWS};
use crate::contacts::{self, Changes};
use crate::core_state::Told;
use crate::error::StateError;
use crate::hops::{Awaiting, Member};
use crate::link_days::LinkCounts;
use crate::lives::Lives;
use crate::outbox::{Live, MessageStatus};
use crate::ported::Ported;
use crate::rerouted::Rerouted;
use crate::runs::{StatCounts, StatKey};
use crate::shared::Shared;
use crate::supply::ChunkSupply;
use crate::together::{Bears, ToldTogether};
use crate::writer::{Change, Command};
use crate::{keys, records};

/// Bytes of pages that go to the writer in one piece: small enough that a single change waits a few milliseconds for it.
const SLICE_BYTES: usize = 2 << 20;
/// Journal records dropped in one batch.
const DROP_AT_ONCE: usize = 10_000;
/// Entries of one part of a generation.
const PART_ENTRIES: usize = 4_096;
/// Entries of one part that are a few bytes each: a value of the store is bounded, and a province's day is not.
const SMALL_PART_ENTRIES: usize = 65_536;

/// What the marker says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// Version of the whole layout; a data directory of a later one is refused.
    pub(crate) format: u32,
    pub(crate) generation: u64,
    pub(crate) seq: u64,
}

/// Version of the layout that this program writes; it reads earlier ones. What a later program writes before its first checkpoint has written the
/// number stops an earlier one all the same: an op in the journal that it does not know.
///
/// - 2 added more beside the columns, and the term of the latest bill.
/// - 3 added addresses at platforms: two bits above the preferences, a record beside each page, ops of their own; a pilot's samples
///   (`Part::Samples`, `PublishSamples`, and records with [`crate::TRIGGER_SAMPLES`], which an earlier program would take for runs whose messages
///   customers got); carriers' numbers that are none of 64 bits (`Part::ParkedAs`, `ReportsAs`).
/// - 4 added what follows a message whose route goes on: ops of their own, `Part::Awaiting` and `Part::Chains`, and records with
///   [`crate::TRIGGER_HOPS`]; what each link did on each day (`Part::LinkDays`).
/// - 5 added records with [`crate::TRIGGER_CORRECTION`], which an earlier program would take for a policy's own, and the reason of what a correction
///   need not correct; the topic and class of answers to what customers write, records with [`crate::TRIGGER_ANSWERS`], a reply's number at its carrier and
///   whether it is answered, and where each preference came from (`CustomerChange::Asked`, a part of the record beside each page); whose ported numbers
///   are (`Op::Ported`, `Part::Ported`), and messages that a carrier refused as not its own (`Part::Rerouted`); messages that leave as one (`Share`,
///   `Tell`, `Part::Sharing`, `Part::Together`, and a table of those at their end).
/// - 6 added the grid (`Op::Grid`, `Part::Grid`) and which transformers customers hang on (`Op::Supply`, a part of the record beside each page).
pub const DATA_FORMAT: u32 = 6;

/// A part of a generation. Variants are appended, never reordered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Part {
    Org(OrgTree),
    Prefecture {
        code: PrefectureCode,
        stations: Vec<OrgCode>,
        sections: Vec<u32>,
        /// Always empty: see [`Part::Payments`].
        payment_events: Vec<(u32, u64)>,
        next_message: u32,
    },
    Live(Vec<(MessageId, Live)>),
    Parked(Vec<(String, u64, String, Moment)>),
    Stats(Vec<(StatKey, StatCounts)>),
    /// Some entries of some days; all parts together are the whole.
    Told(Told),
    /// In data of format 1, payments that no run has seen: row and sequence. Later ones keep them with the page of the customer.
    Payments {
        code: PrefectureCode,
        events: Vec<(u32, u64)>,
    },
    /// As [`Part::Parked`] where the carrier's numbers are none of 64 bits.
    ParkedAs(Vec<(String, String, String, Moment)>),
    /// Which of the messages in [`Part::Live`] are samples of a pilot; absent when none is.
    Samples(Vec<MessageId>),
    /// Messages whose route goes on; absent when none does.
    Awaiting(Vec<(MessageId, Awaiting)>),
    /// Messages that are one telling over several channels; absent when none is.
    Chains(Vec<Vec<Member>>),
    /// What each link did on each day; absent when none did anything.
    LinkDays(Vec<(Date, String, LinkCounts)>),
    /// Whose numbers are that are not their segment's, as [`Ported`] packs them; absent when none is known.
    Ported(Vec<(u16, Vec<u8>)>),
    /// Messages that carriers refused as not theirs; absent when none did.
    Rerouted(Vec<(MessageId, Rerouted)>),
    /// Which of the messages in [`Part::Live`] may leave together with others; before them, absent when none may.
    Sharing(Vec<(MessageId, Sharing)>),
    /// Which messages leave as one; before [`Part::Live`], absent when none do.
    Together(Vec<(MessageId, Bears)>),
    /// The grid, piece by piece; absent where nothing was ever entered.
    Grid(GridRecord),
}

struct PrefecturePlan {
    code: PrefectureCode,
    dirty: Vec<u32>,
    chunks: Vec<Arc<Chunk>>,
    beside: BTreeMap<u32, PageBeside>,
    names: Arc<BTreeMap<u32, String>>,
    contacts: Arc<BTreeMap<u32, Changes>>,
    /// Main transformers, by chunk.
    supply: Vec<Option<Arc<ChunkSupply>>>,
    stations: Arc<Vec<OrgCode>>,
    sections: Arc<Vec<u32>>,
}

/// An instant of the state, to be written.
pub(crate) struct Plan {
    seq: u64,
    generation: u64,
    prefectures: Vec<PrefecturePlan>,
    /// Parts that come before the messages.
    before: Vec<Part>,
    /// Shared with the outbox: cut into parts by the thread that writes them.
    live: Lives,
    /// Parts that come after them.
    parts: Vec<Part>,
    /// Cut into parts by the thread that writes them.
    told: Told,
    /// The same.
    ported: Ported,
    /// The same.
    grid: Grid,
    /// What changed since the last checkpoint.
    dirty: BTreeSet<MessageId>,
    /// With which others those of them left that did.
    together: BTreeMap<MessageId, ToldTogether>,
}

/// Parts of at most so many entries.
fn cut<T>(
    entries: impl IntoIterator<Item = T>,
    most: usize,
    part: impl Fn(Vec<T>) -> Part,
) -> impl Iterator<Item = Part> {
    let mut entries = entries.into_iter();
    let next = move || Some(entries.by_ref().take(most).collect::<Vec<_>>()).filter(|some| !some.is_empty());
    std::iter::from_fn(next).map(part)
}

/// How message `id` ended; none while it has not.
fn ended<'a>(live: &'a Lives, id: &MessageId) -> Option<&'a MessageStatus> {
    live.get(id).map(|l| &l.status).filter(|status| status.state.is_final())
}

/// What came of it.
pub(crate) struct Done {
    result: Result<(), StateError>,
    generation: u64,
    finals: Vec<MessageId>,
    failed_pages: Vec<(PrefectureCode, Vec<u32>)>,
    failed_statuses: Vec<MessageId>,
}

impl Plan {
    /// Takes the plan. Only the writer calls this, between two groups, so that it is one instant.
    pub(crate) fn take(shared: &Shared, seq: u64) -> Self {
        let core = &shared.core;
        let mut before = vec![Part::Org((**core.org.read()).clone())];
        let mut prefectures = Vec::new();
        for (code, p) in core.prefectures.read().iter() {
            let mut p = p.write();
            let mut dirty: Vec<u32> = std::mem::take(&mut p.dirty).into_iter().collect();
            let names = std::mem::take(&mut p.names);
            dirty.extend(names.keys().map(|row| row / PAGE_ROWS as u32));
            let contacts = std::mem::take(&mut p.contacts);
            dirty.extend(contacts.keys().map(|row| row / PAGE_ROWS as u32));
            // Ascending: a page never exists on disk before those below it, so that rows have no holes.
            dirty.sort_unstable();
            dirty.dedup();
            let rows = |page: &u32| page * PAGE_ROWS as u32..(page + 1) * PAGE_ROWS as u32;
            let beside = dirty.iter().map(|page| (*page, p.beside.of_page(rows(page)))).collect();
            before.push(Part::Prefecture {
                code: *code,
                stations: p.stations.to_vec(),
                sections: p.sections.to_vec(),
                payment_events: Vec::new(),
                next_message: p.next_message,
            });
            p.names_folding = Arc::new(names);
            let names = Arc::clone(&p.names_folding);
            p.contacts_folding = Arc::new(contacts);
            let contacts = Arc::clone(&p.contacts_folding);
            let (stations, sections) = (Arc::clone(&p.stations), Arc::clone(&p.sections));
            let (chunks, supply) = (p.chunks.clone(), p.beside.supply.chunks());
            prefectures.push(PrefecturePlan {
                code: *code,
                dirty,
                chunks,
                beside,
                names,
                contacts,
                supply,
                stations,
                sections,
            });
        }
        let mut outbox = core.outbox.write();
        outbox.forget_parked(shared.clock.now());
        let dirty = std::mem::take(&mut outbox.dirty);
        let live = outbox.live.clone();
        let together = outbox.all_told_together(|id| dirty.contains(id) && ended(&live, id).is_some());
        // Nobody changes anything meanwhile: messages are shared, and what few of them have is found where it is kept.
        let mut parts = Vec::new();
        let open = |id: &MessageId| live.get(id).is_some_and(|l| !l.status.state.is_final());
        let sharing = outbox.together.sharing_all().filter(|(id, _)| open(id));
        before.extend(cut(sharing, SMALL_PART_ENTRIES, Part::Sharing));
        let bears = outbox.together.all().filter(|(id, _)| open(id)).map(|(id, b)| (*id, b.clone()));
        before.extend(cut(bears, PART_ENTRIES, Part::Together));
        let (mut parked, mut parked_as) = (Vec::new(), Vec::new());
        for ((link, key), (stat, at)) in outbox.parked() {
            match key {
                CarrierKey::Number(number) => parked.push((link.clone(), *number, stat.clone(), *at)),
                CarrierKey::Text(text) => parked_as.push((link.clone(), text.to_string(), stat.clone(), *at)),
            }
        }
        parts.extend(cut(outbox.samples().filter(open), SMALL_PART_ENTRIES, Part::Samples));
        parts.extend(cut(outbox.hops.awaiting().map(|(id, a)| (*id, *a)), SMALL_PART_ENTRIES, Part::Awaiting));
        parts.extend(cut(outbox.hops.chains().cloned(), PART_ENTRIES, Part::Chains));
        let rerouted = outbox.rerouted.all().filter(|(id, _)| open(id));
        parts.extend(cut(rerouted, SMALL_PART_ENTRIES, Part::Rerouted));
        let link_days = outbox.link_days.all().map(|(day, link, c)| (day, link.to_owned(), c));
        parts.extend(cut(link_days, PART_ENTRIES, Part::LinkDays));
        parts.extend(cut(parked, PART_ENTRIES, Part::Parked));
        parts.extend(cut(parked_as, PART_ENTRIES, Part::ParkedAs));
        drop(outbox);
        parts.extend(cut(core.stats.read().iter().map(|(k, c)| (*k, *c)), PART_ENTRIES, Part::Stats));
        let told = core.told.read().clone();
        let (ported, grid) = (core.ported.read().clone(), core.grid.read().clone());
        let generation = shared.generation.load(Ordering::Acquire) + 1;
        Self { seq, generation, prefectures, before, live, parts, told, ported, grid, dirty, together }
    }

    /// Writes the plan through the bulk lane and waits for the marker to be durable.
    pub(crate) fn write(self, shared: &Shared, bulk: &mpsc::Sender<Command>) -> Done {
        let result = self.write_all(shared, bulk);
        let failed = result.is_err();
        Done {
            result,
            generation: self.generation,
            finals: self.dirty.iter().filter(|id| ended(&self.live, id).is_some()).copied().collect(),
            failed_pages: if failed {
                self.prefectures.iter().map(|p| (p.code, p.dirty.clone())).collect()
            } else {
                Vec::new()
            },
            failed_statuses: if failed { self.dirty.into_iter().collect() } else { Vec::new() },
        }
    }

    fn write_all(&self, shared: &Shared, bulk: &mpsc::Sender<Command>) -> Result<(), StateError> {
        let mut slice = Slice { batch: Batch::new(), bulk };
        self.drop_leftovers(shared, &mut slice)?;
        for p in &self.prefectures {
            // Before the pages that index them: units are only ever added, so that more of them than the marker knows do no harm.
            let key = keys::prefix32(keys::UNITS, p.code.0);
            slice.put(key.clone(), records::write(&shared.sealer, &key, &(&*p.stations, &*p.sections))?)?;
            for page in &p.dirty {
                self.write_page(shared, p, *page, &mut slice)?;
            }
        }
        self.write_statuses(shared, &mut slice)?;
        let mut number = 0u32;
        let mut write = |part: &Part| {
            let key = keys::checkpoint(self.generation, number);
            number += 1;
            let value = records::write(&shared.sealer, &key, part)?;
            slice.put(key, value)
        };
        self.before.iter().try_for_each(&mut write)?;
        let open = self.live.iter().filter(|(_, l)| !l.status.state.is_final());
        cut(open.map(|(id, l)| (id, l.clone())), PART_ENTRIES, Part::Live).try_for_each(|part| write(&part))?;
        self.parts.iter().try_for_each(&mut write)?;
        for (day, counts) in &self.told.by_phone {
            each_part(counts, |some| write(&Part::Told(Told { by_phone: [(*day, some)].into(), ..Told::default() })))?;
        }
        for (day, counts) in &self.told.by_row {
            each_part(counts, |some| write(&Part::Told(Told { by_row: [(*day, some)].into(), ..Told::default() })))?;
        }
        self.ported.records().try_for_each(|record| write(&Part::Ported(record)))?;
        self.grid.records().try_for_each(|record| write(&Part::Grid(record)))?;
        slice.send()?;
        let marker = Marker { format: DATA_FORMAT, generation: self.generation, seq: self.seq };
        let key = vec![keys::MARKER];
        slice.put(key.clone(), records::write(&shared.sealer, &key, &marker)?)?;
        slice.send()?;
        let dropped = match &shared.history {
            Some(history) => history.keep(shared, self.seq, &mut slice)?,
            None => self.seq,
        };
        self.drop_old(shared, &mut slice, dropped)
    }

    fn write_page(
        &self,
        shared: &Shared,
        p: &PrefecturePlan,
        page: u32,
        slice: &mut Slice<'_>,
    ) -> Result<(), StateError> {
        let first = page as usize * PAGE_ROWS;
        let Some(chunk) = p.chunks.get(first / CHUNK_ROWS) else { return Ok(()) };
        let from = first % CHUNK_ROWS;
        let to = (from + PAGE_ROWS).min(chunk.len());
        let key = keys::paged(keys::PAGE, p.code, page);
        let mut bytes = self.seq.to_le_bytes().to_vec();
        bytes.extend_from_slice(&chunk.encode(from, to));
        // What belongs to a page is in one batch with it: replay leaves alone what the page knows.
        slice.batch.put(key.clone(), records::seal(&shared.sealer, &key, &bytes)?);

        let mut beside = p.beside.get(&page).cloned().unwrap_or_default();
        if let Some(supply) = p.supply.get(first / CHUNK_ROWS).and_then(Option::as_ref) {
            beside.set_mains(supply.runs(page * PAGE_ROWS as u32, from..to));
        }
        let key = keys::paged(keys::EXTRA, p.code, page);
        if beside.is_empty() {
            slice.batch.delete(key);
        } else {
            let bytes = beside.encode().map_err(|e| StateError::Record { table: 'X', why: e.to_string() })?;
            slice.batch.put(key.clone(), records::seal(&shared.sealer, &key, &bytes)?);
        }
        let range = page * PAGE_ROWS as u32..(page + 1) * PAGE_ROWS as u32;
        if p.names.range(range.clone()).next().is_some() {
            let key = keys::paged(keys::NAMES, p.code, page);
            let mut names = read_names(shared, p.code, page)?;
            for (row, name) in p.names.range(range.clone()) {
                let at = *row as usize % PAGE_ROWS;
                if names.len() <= at {
                    names.resize(at + 1, String::new());
                }
                names[at].clone_from(name);
            }
            slice.batch.put(key.clone(), records::write(&shared.sealer, &key, &names)?);
        }
        if p.contacts.range(range).next().is_some() {
            let key = keys::paged(keys::CONTACTS, p.code, page);
            let mut contacts = contacts::read_page(shared, p.code, page)?;
            contacts.fold_all(page, &p.contacts);
            if contacts.0.is_empty() {
                slice.batch.delete(key);
            } else {
                slice.batch.put(key.clone(), records::write(&shared.sealer, &key, &contacts)?);
            }
        }
        slice.send_if_full()
    }

    /// States of messages, in blocks by number; a block is read, changed and written whole.
    fn write_statuses(&self, shared: &Shared, slice: &mut Slice<'_>) -> Result<(), StateError> {
        let mut blocks: BTreeMap<(PrefectureCode, u32), Vec<(u32, &MessageStatus)>> = BTreeMap::new();
        for (id, status) in self.dirty.iter().filter_map(|id| Some((id, ended(&self.live, id)?))) {
            let block = id.number() / keys::STATUS_BLOCK;
            blocks.entry((id.prefecture(), block)).or_default().push((id.number() % keys::STATUS_BLOCK, status));
        }
        for ((prefecture, block), changes) in blocks {
            let key = keys::paged(keys::STATUS, prefecture, block);
            let mut all = read_statuses(shared, prefecture, block)?;
            for (at, status) in changes {
                all.insert(at, status.clone());
            }
            slice.put(key.clone(), records::write(&shared.sealer, &key, &all)?)?;
        }
        for (id, together) in &self.together {
            let key = keys::paged(keys::TOGETHER, id.prefecture(), id.number());
            slice.put(key.clone(), records::write(&shared.sealer, &key, together)?)?;
        }
        Ok(())
    }

    /// Drops parts that an attempt at this generation left which came to no marker: those that are not written over would count with it.
    fn drop_leftovers(&self, shared: &Shared, slice: &mut Slice<'_>) -> Result<(), StateError> {
        let range = KeyRange::prefix_from(&[keys::CHECKPOINT], &keys::checkpoint(self.generation, 0));
        shared.store.scan(&range, &mut |key, _| {
            slice.batch.delete(key.to_vec());
            Ok(std::ops::ControlFlow::Continue(()))
        })?;
        slice.send()
    }

    /// Drops what the marker made superfluous: older generations and the journal up to `journal`, which the history has.
    fn drop_old(&self, shared: &Shared, slice: &mut Slice<'_>, journal: u64) -> Result<(), StateError> {
        let ranges = [
            KeyRange::between(&[keys::CHECKPOINT], &keys::checkpoint(self.generation, 0)),
            KeyRange::between(&[keys::JOURNAL], &keys::journal(journal + 1)),
        ];
        for range in ranges {
            let mut old = Vec::new();
            shared.store.scan(&range, &mut |key, _| {
                old.push(key.to_vec());
                Ok(std::ops::ControlFlow::Continue(()))
            })?;
            for some in old.chunks(DROP_AT_ONCE) {
                for key in some {
                    slice.batch.delete(key.clone());
                }
                slice.send()?;
            }
        }
        Ok(())
    }
}

/// Calls `write` with the counts, so many at a time as fit a part.
fn each_part<K: Copy + Eq + Hash>(
    counts: &FxHashMap<K, u8>,
    mut write: impl FnMut(FxHashMap<K, u8>) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut some = FxHashMap::default();
    for (key, count) in counts {
        some.insert(*key, *count);
        if some.len() >= SMALL_PART_ENTRIES {
            write(std::mem::take(&mut some))?;
        }
    }
    if some.is_empty() { Ok(()) } else { write(some) }
}

impl Done {
    pub(crate) fn failed(why: String) -> Self {
        Self {
            result: Err(StateError::Refused(why)),
            generation: 0,
            finals: Vec::new(),
            failed_pages: Vec::new(),
            failed_statuses: Vec::new(),
        }
    }

    /// Makes memory fit the checkpoint: final messages that are on disk are forgotten; after a failure what was not written is dirty again.
    pub(crate) fn settle(self, shared: &Shared) -> Result<(), StateError> {
        let core = &shared.core;
        match self.result {
            Ok(()) => {
                shared.generation.store(self.generation, Ordering::Release);
                core.outbox.write().forget(&self.finals);
                for p in core.prefectures.read().values() {
                    let mut p = p.write();
                    p.names_folding = Arc::default();
                    p.contacts_folding = Arc::default();
                }
                Ok(())
            }
            Err(e) => {
                for (code, pages) in self.failed_pages {
                    if let Some(p) = core.prefecture(code) {
                        let mut p = p.write();
                        p.dirty.extend(pages);
                        let names = std::mem::take(&mut p.names_folding);
                        for (row, name) in names.iter() {
                            p.names.entry(*row).or_insert_with(|| name.clone());
                        }
                        p.unfold_contacts();
                    }
                }
                core.outbox.write().dirty.extend(self.failed_statuses);
                Err(e)
            }
        }
    }
}

/// Names of a page as they are on disk.
pub(crate) fn read_names(shared: &Shared, prefecture: PrefectureCode, page: u32) -> Result<Vec<String>, StateError> {
    let key = keys::paged(keys::NAMES, prefecture, page);
    match shared.store.get(&key)? {
        Some(value) => records::read(&shared.sealer, &key, &value),
        None => Ok(Vec::new()),
    }
}

/// Final states of a block of messages as they are on disk.
pub(crate) fn read_statuses(
    shared: &Shared,
    prefecture: PrefectureCode,
    block: u32,
) -> Result<BTreeMap<u32, MessageStatus>, StateError> {
    let key = keys::paged(keys::STATUS, prefecture, block);
    match shared.store.get(&key)? {
        Some(value) => records::read(&shared.sealer, &key, &value),
        None => Ok(BTreeMap::new()),
    }
}

/// Collects records and sends them to the writer in slices, waiting for each: back-pressure.
pub(crate) struct Slice<'a> {
    batch: Batch,
    bulk: &'a mpsc::Sender<Command>,
}

impl Slice<'_> {
    pub(crate) fn delete(&mut self, key: Vec<u8>) {
        self.batch.delete(key);
    }

    pub(crate) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StateError> {
        self.batch.put(key, value);
        self.send_if_full()
    }

    fn send_if_full(&mut self) -> Result<(), StateError> {
        if self.batch.bytes() >= SLICE_BYTES { self.send() } else { Ok(()) }
    }

    pub(crate) fn send(&mut self) -> Result<(), StateError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let (reply, answer) = oneshot::channel();
        let mut change = Change::new(Vec::new());
        change.puts = std::mem::take(&mut self.batch);
        change.reply = Some(reply);
        self.bulk.blocking_send(Command::Change(Box::new(change))).map_err(|_| StateError::Closed)?;
        answer.blocking_recv().map_err(|_| StateError::Closed)?.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_large_count_fit_a_record_and_are_together_the_whole() {
        let counts: FxHashMap<u64, u8> = (0..3 * SMALL_PART_ENTRIES as u64 + 1).map(|n| (n, 1)).collect();
        let (mut parts, mut together) = (0, FxHashMap::default());
        each_part(&counts, |some| {
            parts += 1;
            assert!(some.len() <= SMALL_PART_ENTRIES);
            together.extend(some);
            Ok(())
        })
        .unwrap();
        assert_eq!((parts, together), (4, counts));
    }
}
