//! Writing the history: what a checkpoint is about to drop goes into files first. On the checkpoint's own thread; commits go through its slices, so
//! that single changes overtake.

use std::fs;
use std::ops::ControlFlow;

use gridbell_model::Moment;
use gridbell_store::KeyRange;

use super::file::{FileWriter, read};
use super::{
    BASE_DAYS, FileRef, History, HistoryHead, Kind, LEAST_BASE_BYTES, MAX_HISTORY_BYTES, MAX_KEPT_JOURNAL_BYTES,
};
use crate::checkpoint::Slice;
use crate::error::StateError;
use crate::ops::{Group, Op};
use crate::shared::Shared;
use crate::{keys, load, records};

/// Is handed each group of the journal with its sequence, in order; an error ends the reading.
type TakeGroup<'a> = dyn FnMut(u64, &[u8]) -> Result<(), StateError> + 'a;

/// Tables that a base has: customers, what lies beside them, the units that they index, parts without pages, and the marker.
const BASE_TABLES: [u8; 5] = [keys::PAGE, keys::EXTRA, keys::UNITS, keys::CHECKPOINT, keys::MARKER];

impl History {
    /// Brings the history up to `seq`, at which a checkpoint has just become whole; until where the journal may be dropped.
    pub(crate) fn keep(&self, shared: &Shared, seq: u64, slice: &mut Slice<'_>) -> Result<u64, StateError> {
        if self.days() == 0 {
            self.let_go(shared, slice)?;
            *self.failure.lock() = None;
            return Ok(seq);
        }
        let began = self.head.lock().clone();
        let mut head = began.clone();
        let written = self.append(shared, seq, &mut head);
        if let Err(e) = &written {
            tracing::error!(error = %e, "state.history_failed: the journal stays in the store and the next checkpoint tries again");
            *self.failure.lock() = Some(e.to_string());
            if journal_bytes(shared, seq)? <= MAX_KEPT_JOURNAL_BYTES {
                return Ok(began.last());
            }
            tracing::error!(
                "state.history_gap: more journal waits than the store keeps; it is dropped without being in the history"
            );
            return Ok(seq);
        }
        let leaving = retire(&mut head, shared.clock.now(), self.days());
        if head != began {
            let key = vec![keys::HISTORY];
            slice.put(key.clone(), records::write(&shared.sealer, &key, &head)?)?;
            slice.send()?;
            *self.head.lock() = head;
        }
        // What the head does not name counts no more: it may go.
        leaving.iter().for_each(|file| self.remove(file));
        *self.failure.lock() = None;
        Ok(seq)
    }

    /// Writes what is not in a file yet, and a base where one is due.
    fn append(&self, shared: &Shared, seq: u64, head: &mut HistoryHead) -> Result<(), StateError> {
        let before = head.last();
        if let Some(file) = self.write_journal(shared, before + 1, seq)? {
            head.journals.push(file);
        }
        if base_is_due(head, shared.clock.now()) {
            head.bases.push(self.write_base(shared, seq)?);
        }
        Ok(())
    }

    /// The groups of the store from `from` to `to`, in one file; none when there is none.
    fn write_journal(&self, shared: &Shared, from: u64, to: u64) -> Result<Option<FileRef>, StateError> {
        let mut first = None;
        shared.store.scan(&journal_range(from, to), &mut |key, _| {
            first = keys::long_of(key);
            Ok(ControlFlow::Break(()))
        })?;
        let Some(first) = first else { return Ok(None) };
        let sealer = &shared.sealer;
        let mut out = FileWriter::create(&self.directory, sealer, Kind::Journal, (first, to), shared.clock.now())?;
        groups(shared, from, to, &mut |seq, group| out.push(&seq.to_be_bytes(), &without_names(group)?))?;
        let file = out.finish()?;
        tracing::info!(first, last = to, bytes = file.bytes, "state.history_written");
        Ok(Some(file))
    }

    /// The pages as this checkpoint left them. Nothing else writes these tables, so that what is read is one instant.
    fn write_base(&self, shared: &Shared, seq: u64) -> Result<FileRef, StateError> {
        let sealer = &shared.sealer;
        let mut out = FileWriter::create(&self.directory, sealer, Kind::Base, (seq, seq), shared.clock.now())?;
        for table in BASE_TABLES {
            load::collect(shared, &KeyRange::prefix(&[table]), |key, value| {
                out.push(key, &records::open(sealer, key, value)?)
            })?;
        }
        let file = out.finish()?;
        tracing::info!(seq, bytes = file.bytes, "state.history_base_written");
        Ok(file)
    }

    /// Lets go of everything.
    fn let_go(&self, shared: &Shared, slice: &mut Slice<'_>) -> Result<(), StateError> {
        let head = self.head.lock().clone();
        if head == HistoryHead::default() {
            return Ok(());
        }
        slice.delete(vec![keys::HISTORY]);
        slice.send()?;
        *self.head.lock() = HistoryHead::default();
        head.journals.iter().chain(&head.bases).for_each(|file| self.remove(file));
        tracing::info!(store = %shared.store.size_on_disk().unwrap_or(0), "state.history_let_go");
        Ok(())
    }

    fn remove(&self, file: &FileRef) {
        let path = self.directory.join(file.kind.file_name(file.first, file.last));
        if let Err(e) = fs::remove_file(&path) {
            tracing::warn!(error = %e, file = %path.display(), "state.history_not_removed: it counts no more and takes room");
        }
    }

    /// Calls `take` with the records of `file`.
    pub(crate) fn read(
        &self,
        shared: &Shared,
        file: &FileRef,
        take: &mut super::file::TakeRecord<'_>,
    ) -> Result<(), StateError> {
        read(&self.directory, &shared.sealer, file, take)
    }
}

/// Whether a rebuild would have to read too much, or nothing at all, without a base here.
fn base_is_due(head: &HistoryHead, now: Moment) -> bool {
    let Some(base) = head.bases.last() else {
        // From the first group on the empty state is the base.
        let from_the_first = head.journals.first().is_some_and(|f| f.first == 1) && whole(&head.journals);
        let bytes: u64 = head.journals.iter().map(|f| f.bytes).sum();
        return !from_the_first || bytes > LEAST_BASE_BYTES;
    };
    let behind: Vec<&FileRef> = head.journals.iter().filter(|f| f.last > base.last).collect();
    if behind.is_empty() {
        return false;
    }
    let bytes: u64 = behind.iter().map(|f| f.bytes).sum();
    let old = now.date().0 - base.made.date().0 >= BASE_DAYS;
    let gap = behind.first().is_some_and(|f| f.first > base.last + 1)
        || !whole(&head.journals[head.journals.len() - behind.len()..]);
    old || gap || bytes > base.bytes.max(LEAST_BASE_BYTES)
}

/// Whether each file begins behind the one before.
fn whole(journals: &[FileRef]) -> bool {
    journals.windows(2).all(|pair| pair[1].first <= pair[0].last + 1)
}

/// Takes out of `head` what nobody needs who looks back `days` days, and the oldest of what is too much.
fn retire(head: &mut HistoryHead, now: Moment, days: u32) -> Vec<FileRef> {
    let oldest = now.date().plus_days(-i32::try_from(days).unwrap_or(i32::MAX));
    let mut leaving = Vec::new();
    // The newest base that is old enough reaches back to every later day.
    let enough = head.bases.iter().rposition(|b| b.made.date() < oldest).unwrap_or(0);
    leaving.extend(head.bases.drain(..enough));
    while head.bytes() > MAX_HISTORY_BYTES && head.bases.len() > 1 {
        leaving.push(head.bases.remove(0));
    }
    if let Some(first) = head.bases.first().map(|b| b.last)
        && (!leaving.is_empty() || head.bases[0].made.date() < oldest)
    {
        let needed = head.journals.partition_point(|f| f.last <= first);
        leaving.extend(head.journals.drain(..needed));
    }
    leaving
}

fn journal_range(from: u64, to: u64) -> KeyRange {
    KeyRange::between(&keys::journal(from), &keys::journal(to + 1))
}

fn journal_bytes(shared: &Shared, to: u64) -> Result<u64, StateError> {
    let mut bytes = 0;
    shared.store.scan(&journal_range(0, to), &mut |_, value| {
        bytes += value.len() as u64;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(bytes)
}

/// Calls `take` with every group of the store's journal from `from` to `to`: its sequence and its bytes, whole.
pub(crate) fn groups(shared: &Shared, from: u64, to: u64, take: &mut TakeGroup<'_>) -> Result<(), StateError> {
    let (mut seq, mut pieces) = (0, Vec::new());
    load::collect(shared, &journal_range(from, to), |key, value| {
        let of = keys::long_of(key).unwrap_or(seq);
        if of != seq && !pieces.is_empty() {
            take(seq, &std::mem::take(&mut pieces))?;
        }
        seq = of;
        pieces.extend_from_slice(&records::open(&shared.sealer, key, value)?);
        Ok(())
    })?;
    if pieces.is_empty() { Ok(()) } else { take(seq, &pieces) }
}

/// The group without the names of customers: nothing is decided from them, and what is erased must not live on here.
fn without_names(group: &[u8]) -> Result<Vec<u8>, StateError> {
    let bad = |e: postcard::Error| StateError::Record { table: 'J', why: e.to_string() };
    let mut group: Group = postcard::from_bytes(group).map_err(bad)?;
    for bytes in &mut group.ops {
        // The first byte is the variant; decoding the others would be for nothing.
        if bytes.first() != Some(&Op::CUSTOMERS) {
            continue;
        }
        if let Op::Customers(mut rows) = Op::decode(bytes).map_err(bad)? {
            rows.iter_mut().for_each(|row| row.name = None);
            *bytes = Op::Customers(rows).encode();
        }
    }
    postcard::to_stdvec(&group).map_err(bad)
}
