//! Start-up: the marked checkpoint's pages and parts, then the journal behind it. Prefectures are read side by side.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use gridbell_model::{CarrierKey, OrgCode, PrefectureCode, RunId};
use gridbell_store::{Batch, Durability, KeyRange};
use gridbell_topology::Restored;
use rayon::prelude::*;
use std::sync::Arc;

use crate::audit::AuditEntry;
use crate::beside::PageBeside;
use crate::checkpoint::{DATA_FORMAT, Marker, Part};
use crate::contacts::PageContacts;
use crate::core_state::{Context, PageSeqs};
use crate::docs::Doc;
use crate::error::StateError;
use crate::kept::Counts;
use crate::ops::{Group, Op};
use crate::prefecture::Prefecture;
use crate::runs::RunRecord;
use crate::shared::Shared;
use crate::{keys, records};

/// What start-up found.
pub(crate) struct Loaded {
    pub(crate) seq: u64,
    pub(crate) audit_head: Option<AuditEntry>,
    pub(crate) kept: Counts,
    pub(crate) report: LoadReport,
}

/// What start-up did, for the log and the bench.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Customers in memory.
    pub customers: u64,
    /// Journal groups replayed.
    pub replayed: u64,
    /// Runs that were begun and never published: their decisions were dropped.
    pub runs_dropped: u64,
    /// Messages whose submit was cut off; they go again, marked.
    pub cut_off: u64,
}

pub(crate) fn load(shared: &Shared) -> Result<Loaded, StateError> {
    let (checkpoint, pages) = load_checkpoint(shared)?;
    load_runs(shared)?;
    load_docs(shared)?;
    let audit_head = match shared.store.last(&[keys::AUDIT])? {
        Some((key, value)) => Some(records::read::<AuditEntry>(&shared.sealer, &key, &value)?),
        None => None,
    };
    if let Some(value) = shared.store.get(&[keys::ARCHIVED])? {
        *shared.archived.write() = records::read(&shared.sealer, &[keys::ARCHIVED], &value)?;
    }
    // The newest entry, the newest reply and the newest runs never leave, so that their numbers go on from what is here.
    let inbound = shared.store.last(&[keys::INBOUND])?.and_then(|(k, _)| keys::long_of(&k)).unwrap_or(0);
    shared.next_inbound.store(inbound + 1, Ordering::Release);
    shared.shown_inbound.store(inbound + 1, Ordering::Release);
    if let Some(history) = &shared.history {
        history.load(shared)?;
    }
    let (seq, replayed) = replay(shared, checkpoint, &pages)?;
    shared.visible.store(seq, Ordering::Release);
    let runs_dropped = drop_begun(shared)?;
    let report = LoadReport { customers: shared.core.rows(), replayed, runs_dropped, cut_off: 0 };
    Ok(Loaded { seq, audit_head, kept: Counts::load(shared)?, report })
}

/// Reads what the checkpoint has of customers and messages: its sequence, and what its pages know already.
pub(crate) fn load_checkpoint(shared: &Shared) -> Result<(u64, PageSeqs), StateError> {
    let marker = read_marker(shared)?;
    let mut pages = PageSeqs::default();
    let mut waiting = Vec::new();
    if let Some(marker) = marker {
        shared.generation.store(marker.generation, Ordering::Release);
        waiting = load_parts(shared, marker.generation)?;
    }
    load_units(shared)?;
    load_pages(shared, &mut pages)?;
    let seq = marker.map_or(0, |m| m.seq);
    take_waiting(shared, waiting, seq, &pages);
    Ok((seq, pages))
}

fn read_marker(shared: &Shared) -> Result<Option<Marker>, StateError> {
    let key = vec![keys::MARKER];
    let Some(value) = shared.store.get(&key)? else { return Ok(None) };
    let marker: Marker = records::read(&shared.sealer, &key, &value)?;
    if marker.format > DATA_FORMAT {
        return Err(StateError::Format { found: marker.format, known: DATA_FORMAT });
    }
    Ok(Some(marker))
}

/// In data of format 1: payments that no run has seen, by prefecture, row and sequence.
type Events = Vec<(PrefectureCode, u32, u64)>;

/// Reads what has no pages.
fn load_parts(shared: &Shared, generation: u64) -> Result<Events, StateError> {
    let core = &shared.core;
    let (mut waiting, mut grid) = (Events::new(), Restored::default());
    let mut parts = Vec::new();
    let range = KeyRange::prefix(&keys::long(keys::CHECKPOINT, generation));
    collect(shared, &range, |key, value| {
        parts.push(records::read::<Part>(&shared.sealer, key, value)?);
        Ok(())
    })?;
    for part in parts {
        match part {
            Part::Org(tree) => *core.org.write() = Arc::new(tree),
            Part::Prefecture { code, stations, sections, payment_events, next_message } => {
                let p = core.prefecture_or_new(code);
                let mut p = p.write();
                p.set_units(stations, sections);
                p.next_message = next_message;
                waiting.extend(payment_events.into_iter().map(|(row, seq)| (code, row, seq)));
            }
            Part::Live(live) => {
                let mut outbox = core.outbox.write();
                live.into_iter().for_each(|(id, l)| outbox.restore(id, l));
            }
            Part::Samples(ids) => {
                let mut outbox = core.outbox.write();
                ids.into_iter().for_each(|id| outbox.set_sample(id));
            }
            Part::Awaiting(some) => {
                let mut outbox = core.outbox.write();
                some.into_iter().for_each(|(id, awaiting)| outbox.hops.await_hop(id, awaiting));
            }
            Part::LinkDays(days) => {
                let mut outbox = core.outbox.write();
                days.into_iter().for_each(|(day, link, counts)| outbox.link_days.restore(day, link, counts));
            }
            Part::Sharing(some) => {
                let mut outbox = core.outbox.write();
                some.into_iter().for_each(|(id, sharing)| outbox.together.allow(id, sharing));
            }
            Part::Together(some) => {
                let mut outbox = core.outbox.write();
                some.into_iter().for_each(|(bearer, bears)| outbox.together.restore(bearer, bears));
            }
            Part::Chains(chains) => {
                let mut outbox = core.outbox.write();
                chains.into_iter().for_each(|chain| outbox.hops.restore(chain));
            }
            Part::Ported(record) => core.ported.write().restore(&record),
            Part::Grid(record) => grid.take(record),
            Part::Rerouted(some) => {
                let mut outbox = core.outbox.write();
                some.into_iter().for_each(|(id, rerouted)| outbox.rerouted.restore(id, rerouted));
            }
            Part::Parked(parked) => {
                let mut outbox = core.outbox.write();
                parked.into_iter().for_each(|(link, id, stat, at)| outbox.park((link, id.into()), stat, at));
            }
            Part::ParkedAs(parked) => {
                let mut outbox = core.outbox.write();
                let key = |text: String| CarrierKey::text(&text);
                parked.into_iter().for_each(|(link, text, stat, at)| outbox.park((link, key(text)), stat, at));
            }
            Part::Stats(stats) => core.stats.write().extend(stats),
            Part::Told(some) => {
                let mut told = core.told.write();
                for (day, counts) in some.by_phone {
                    told.by_phone.entry(day).or_default().extend(counts);
                }
                for (day, counts) in some.by_row {
                    told.by_row.entry(day).or_default().extend(counts);
                }
            }
            Part::Payments { code, events } => {
                waiting.extend(events.into_iter().map(|(row, seq)| (code, row, seq)));
            }
        }
    }
    let damaged = |e: gridbell_topology::Refusal| StateError::Record { table: 'K', why: e.to_string() };
    *core.grid.write() = grid.finish().map_err(damaged)?;
    Ok(waiting)
}

/// Data of format 1 knew of each row only that a payment waits: it is the latest one. A page that is newer than the marker knows better.
fn take_waiting(shared: &Shared, events: Events, marker: u64, pages: &PageSeqs) {
    for (code, row, seq) in events {
        if !pages.covers(code, row, marker + 1)
            && let Some(p) = shared.core.prefecture(code)
        {
            p.write().latest_waits(row, seq);
        }
    }
}

/// Units that pages written after the marker index: more than the marker's parts know, in the same order.
fn load_units(shared: &Shared) -> Result<(), StateError> {
    collect(shared, &KeyRange::prefix(&[keys::UNITS]), |key, value| {
        let (stations, sections) = records::read::<(Vec<OrgCode>, Vec<u32>)>(&shared.sealer, key, value)?;
        let Some(code) = keys::prefix32_of(key) else { return Ok(()) };
        let p = shared.core.prefecture_or_new(PrefectureCode(code));
        let mut p = p.write();
        if stations.len() >= p.stations.len() && sections.len() >= p.sections.len() {
            p.set_units(stations, sections);
        }
        Ok(())
    })
}

/// Reads every prefecture's pages and extras, side by side.
fn load_pages(shared: &Shared, seqs: &mut PageSeqs) -> Result<(), StateError> {
    let mut codes = BTreeSet::new();
    // One look at the first key of each prefecture, not a scan over all pages.
    let mut from = vec![keys::PAGE];
    loop {
        let mut found = None;
        shared.store.scan(&KeyRange::prefix_from(&[keys::PAGE], &from), &mut |key, _| {
            found = keys::paged_of(key);
            Ok(ControlFlow::Break(()))
        })?;
        let Some((code, _)) = found else { break };
        codes.insert(code);
        from = keys::prefix32(keys::PAGE, code.0 + 1);
    }
    let loaded: Vec<(PrefectureCode, Vec<(u32, u64)>)> = codes
        .into_par_iter()
        .map(|code| Ok((code, load_prefecture(shared, code)?)))
        .collect::<Result<_, StateError>>()?;
    for (code, pages) in loaded {
        pages.into_iter().for_each(|(page, seq)| seqs.set(code, page, seq));
    }
    Ok(())
}

fn load_prefecture(shared: &Shared, code: PrefectureCode) -> Result<Vec<(u32, u64)>, StateError> {
    let p = shared.core.prefecture_or_new(code);
    let mut p = p.write();
    let mut seqs = Vec::new();
    collect(shared, &KeyRange::prefix(&keys::prefix32(keys::PAGE, code.0)), |key, value| {
        let bytes = records::open(&shared.sealer, key, value)?;
        let (seq, page) =
            bytes.split_first_chunk::<8>().ok_or(StateError::Page { why: "shorter than its sequence" })?;
        let number = keys::paged_of(key).map_or(0, |(_, page)| page);
        if number as usize != seqs.len() {
            return Err(StateError::Page { why: "missing: its followers are there" });
        }
        seqs.push((number, u64::from_le_bytes(*seq)));
        p.load_page(page)
    })?;
    let p: &mut Prefecture = &mut p;
    p.rebuild_index();
    collect(shared, &KeyRange::prefix(&keys::prefix32(keys::EXTRA, code.0)), |key, value| {
        let bytes = records::open(&shared.sealer, key, value)?;
        let bad = |e: postcard::Error| StateError::Record { table: 'X', why: e.to_string() };
        p.beside.extend(PageBeside::decode(&bytes).map_err(bad)?);
        Ok(())
    })?;
    collect(shared, &KeyRange::prefix(&keys::prefix32(keys::CONTACTS, code.0)), |key, value| {
        let page = keys::paged_of(key).map_or(0, |(_, page)| page);
        let contacts: PageContacts = records::read(&shared.sealer, key, value)?;
        p.index_contacts(page, &contacts);
        Ok(())
    })?;
    Ok(seqs)
}

fn load_runs(shared: &Shared) -> Result<(), StateError> {
    let mut runs = shared.core.runs.write();
    collect(shared, &KeyRange::prefix(&[keys::RUN]), |key, value| {
        runs.insert(records::read::<RunRecord>(&shared.sealer, key, value)?);
        Ok(())
    })?;
    let begun = shared.store.last(&[keys::RUN_BEGUN])?.and_then(|(k, _)| keys::long_of(&k)).unwrap_or(0);
    let last = runs.by_id.keys().next_back().map_or(0, |r| r.0).max(begun);
    shared.next_run.store(last + 1, Ordering::Release);
    Ok(())
}

fn load_docs(shared: &Shared) -> Result<(), StateError> {
    let mut docs = shared.docs.write();
    collect(shared, &KeyRange::prefix(&[keys::DOC]), |key, value| {
        let doc: Doc = records::read(&shared.sealer, key, value)?;
        let name = String::from_utf8_lossy(&key[1..]).into_owned();
        if let Some((kind, name)) = name.split_once('\0') {
            docs.set(kind, name, Some(doc));
        }
        Ok(())
    })
}

fn replay(shared: &Shared, after: u64, pages: &PageSeqs) -> Result<(u64, u64), StateError> {
    let (mut seq, mut replayed) = (after, 0);
    let mut pieces: Vec<u8> = Vec::new();
    collect(shared, &KeyRange::prefix_from(&[keys::JOURNAL], &keys::journal(after + 1)), |key, value| {
        let of = keys::long_of(key).unwrap_or(seq);
        if of != seq && !pieces.is_empty() {
            replay_group(shared, &std::mem::take(&mut pieces), seq, pages)?;
            replayed += 1;
        }
        seq = of;
        pieces.extend_from_slice(&records::open(&shared.sealer, key, value)?);
        Ok(())
    })?;
    if !pieces.is_empty() {
        replay_group(shared, &pieces, seq, pages)?;
        replayed += 1;
    }
    Ok((seq, replayed))
}

fn replay_group(shared: &Shared, bytes: &[u8], seq: u64, pages: &PageSeqs) -> Result<(), StateError> {
    let bad = |e: postcard::Error| StateError::Record { table: 'J', why: e.to_string() };
    let group: Group = postcard::from_bytes(bytes).map_err(bad)?;
    let ctx = Context { seq, at: group.at, replay: Some(pages) };
    for bytes in &group.ops {
        shared.core.apply(&Op::decode(bytes).map_err(bad)?, &ctx);
    }
    Ok(())
}

/// A run that was begun and never published leaves nothing behind.
fn drop_begun(shared: &Shared) -> Result<u64, StateError> {
    let mut begun = Vec::new();
    collect(shared, &KeyRange::prefix(&[keys::RUN_BEGUN]), |key, _| {
        begun.extend(keys::long_of(key).map(RunId));
        Ok(())
    })?;
    for run in &begun {
        let mut batch = Batch::new();
        for table in [keys::SEGMENT, keys::SEEN] {
            collect(shared, &KeyRange::prefix(&keys::run(table, *run)), |key, _| {
                batch.delete(key);
                Ok(())
            })?;
        }
        batch.delete(keys::run(keys::RUN_BEGUN, *run));
        shared.store.commit(batch, Durability::Durable)?;
    }
    Ok(begun.len() as u64)
}

/// Calls `take` with every record of `range`.
pub(crate) fn collect(
    shared: &Shared,
    range: &KeyRange,
    mut take: impl FnMut(&[u8], &[u8]) -> Result<(), StateError>,
) -> Result<(), StateError> {
    let mut failure = None;
    shared.store.scan(range, &mut |key, value| match take(key, value) {
        Ok(()) => Ok(ControlFlow::Continue(())),
        Err(e) => {
            failure = Some(e);
            Ok(ControlFlow::Break(()))
        }
    })?;
    failure.map_or(Ok(()), Err)
}
