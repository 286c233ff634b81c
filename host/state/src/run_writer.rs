//! Publishing a run: segments first, then one commit record that makes them count. Killed in between, nothing is left behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_model::{HoldReason, MessageId, PrefectureCode, RunId, Sharing};
use gridbell_store::{Batch, Record};
use rayon::prelude::*;

use crate::error::StateError;
use crate::hops::Hopped;
use crate::kept::{Keep, MAX_RUN_DOCUMENTS, SeenFacts, content_hash};
use crate::keys;
use crate::ops::{Applied, AuditNote, DocChange, Op};
use crate::records;
use crate::runs::{
    DecisionRecord, Outcome, Publication, RunRecord, RunStatus, SEGMENT_DECISIONS, SegmentInfo, TRIGGER_ANSWERS,
    TRIGGER_HOPS, TRIGGER_SAMPLES,
};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::writer::Change;

/// Bytes of segments that go to the writer in one piece.
const SLICE_BYTES: usize = 4 << 20;
/// Segments sealed side by side before they go to the writer.
const SEGMENTS_AT_ONCE: usize = 64;

/// A run between its begin and its publication. One for each prefecture at a time. Dropped unpublished, it leaves nothing.
pub struct RunWriter {
    state: State,
    id: RunId,
    snapshot: Snapshot,
    next_message: u32,
    pending: Vec<DecisionRecord>,
    /// What the plugin saw of those; of other length when nobody said.
    seen: SeenFacts,
    keep: Option<Keep>,
    segments: Vec<SegmentInfo>,
    /// Number of the first message after the last segment written.
    segment_end: u32,
    publications: Vec<Publication>,
    held: BTreeMap<HoldReason, u64>,
    decided: u64,
    parts: u64,
    cost_milli_fen: u64,
    published: bool,
    kind: RunKind,
    /// Minutes that each hop of each route waits for a report; the last hop of a route has none.
    waits: Vec<Vec<u32>>,
    /// Messages whose route goes on, with the minutes.
    awaiting: Vec<(u32, u32)>,
    hopped: Vec<Hopped>,
    /// Messages that may leave together with others.
    sharing: Vec<(u32, Sharing)>,
}

/// What a run publishes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunKind {
    /// Messages to customers.
    Policy,
    /// A pilot's samples.
    Samples,
    /// The next hops of messages.
    Hops,
    /// Answers to what customers wrote.
    Answers,
}

/// A decision about the next hop of a message.
#[derive(Clone, PartialEq, Debug)]
pub struct HopDecision {
    /// The message before it.
    pub from: MessageId,
    /// What became of it.
    pub record: DecisionRecord,
    /// Whether caps count it: on another day than the one before it.
    pub counted: bool,
    /// Whether the one before it may have come, where its end is on disk already.
    pub unsure: bool,
}

impl RunWriter {
    pub(crate) async fn begin(
        state: &State,
        prefecture: PrefectureCode,
        on: Option<Snapshot>,
    ) -> Result<Self, StateError> {
        let shared = state.shared();
        if !shared.publishing.lock().insert(prefecture) {
            return Err(StateError::RunInProgress(prefecture));
        }
        let release = || shared.publishing.lock().remove(&prefecture);
        let Some(snapshot) = on.or_else(|| state.snapshot(prefecture)) else {
            release();
            return Err(StateError::NoPrefecture(prefecture));
        };
        let id = RunId(shared.next_run.fetch_add(1, std::sync::atomic::Ordering::AcqRel));
        let mut change = Change::new(Vec::new());
        change.puts.put(keys::run(keys::RUN_BEGUN, id), Vec::new());
        if let Err(e) = state.submit(change).await {
            release();
            return Err(e);
        }
        Ok(Self {
            state: state.clone(),
            id,
            next_message: snapshot.next_message,
            snapshot,
            pending: Vec::new(),
            seen: SeenFacts::default(),
            keep: None,
            segments: Vec::new(),
            segment_end: 0,
            publications: Vec::new(),
            held: BTreeMap::new(),
            decided: 0,
            parts: 0,
            cost_milli_fen: 0,
            published: false,
            kind: RunKind::Policy,
            waits: Vec::new(),
            awaiting: Vec::new(),
            hopped: Vec::new(),
            sharing: Vec::new(),
        })
    }

    /// The same for samples.
    pub(crate) async fn begin_samples(state: &State, prefecture: PrefectureCode) -> Result<Self, StateError> {
        let mut writer = Self::begin(state, prefecture, None).await?;
        writer.kind = RunKind::Samples;
        Ok(writer)
    }

    /// The same for the next hops of messages.
    pub(crate) async fn begin_hops(state: &State, prefecture: PrefectureCode) -> Result<Self, StateError> {
        let mut writer = Self::begin(state, prefecture, None).await?;
        writer.kind = RunKind::Hops;
        Ok(writer)
    }

    /// The same for answers to what customers wrote.
    pub(crate) async fn begin_answers(state: &State, prefecture: PrefectureCode) -> Result<Self, StateError> {
        let mut writer = Self::begin(state, prefecture, None).await?;
        writer.kind = RunKind::Answers;
        Ok(writer)
    }

    /// Says how long each hop of each route waits for a report before the next is due, in minutes, by the plugin's number of the route; the last hop of
    /// a route is not among them. Messages that are pushed from now on await their next hop.
    pub fn follow(&mut self, waits: Vec<Vec<u32>>) {
        self.waits = waits;
    }

    /// Takes the next hops of messages, in order of row.
    ///
    /// # Errors
    /// As [`RunWriter::push_seen`].
    pub async fn push_hops(&mut self, hops: Vec<HopDecision>) -> Result<(), StateError> {
        let mut next = self.next_message;
        let mut records = Vec::with_capacity(hops.len());
        for hop in hops {
            let queued = matches!(hop.record.outcome, Outcome::Queued(_));
            let to = queued.then_some(next);
            next += u32::from(queued);
            self.hopped.push(Hopped { from: hop.from, to, counted: hop.counted, unsure: hop.unsure });
            records.push(hop.record);
        }
        self.push(records).await
    }

    /// The run's number.
    #[must_use]
    pub fn id(&self) -> RunId {
        self.id
    }

    /// The columns that the run reads; what comes after this instant does not disturb it.
    #[must_use]
    pub fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Keeps with the run what it was made from, in the commit that publishes it: `basis` in the caller's words, and the documents that it names
    /// by [`crate::content_hash`]. Of several calls the last counts.
    ///
    /// # Errors
    /// With more than [`MAX_RUN_DOCUMENTS`] documents.
    pub fn keep(&mut self, basis: Vec<u8>, documents: Vec<Arc<[u8]>>) -> Result<(), StateError> {
        if documents.len() > MAX_RUN_DOCUMENTS {
            let what = "the documents of a run".to_owned();
            return Err(StateError::Bound { what, bound: MAX_RUN_DOCUMENTS, hint: "name fewer" });
        }
        let documents = documents.into_iter().map(|d| (content_hash(&d), d)).collect();
        self.keep = Some(Keep { run: self.id, basis, documents });
        Ok(())
    }

    /// As [`RunWriter::push_seen`], without what the plugin saw.
    ///
    /// # Errors
    /// As there.
    pub async fn push(&mut self, decisions: Vec<DecisionRecord>) -> Result<(), StateError> {
        self.push_seen(decisions, SeenFacts::default()).await
    }

    /// Takes decisions in order of row (of a run of payments, several of one row), numbers their messages, and writes full segments.
    /// `seen` is what the plugin saw of each, in the same order. Waits when the writer is behind.
    ///
    /// # Errors
    /// When the store refuses; the run is then to be dropped.
    pub async fn push_seen(&mut self, mut decisions: Vec<DecisionRecord>, seen: SeenFacts) -> Result<(), StateError> {
        for record in &mut decisions {
            self.decided += 1;
            let (row, step) = (record.row, record.step);
            match &mut record.outcome {
                Outcome::Held(why) => *self.held.entry(*why).or_default() += 1,
                Outcome::Queued(message) => {
                    message.number = self.next_message;
                    // Of two payments of a customer, the second message follows the first.
                    message.previous = match self.publications.last().filter(|p| p.row == row) {
                        // A sample is none of the customer's messages.
                        _ if self.kind == RunKind::Samples => 0,
                        Some(before) => before.number,
                        None => self.snapshot.view(row).map_or(0, |v| v.last_message),
                    };
                    self.next_message = self.next_message.saturating_add(1);
                    let route = self.waits.get(usize::from(record.route));
                    let wait = route.and_then(|waits| waits.get(usize::from(message.hop)));
                    self.awaiting.extend(wait.map(|minutes| (message.number, *minutes)));
                    if message.sharing != Sharing::Alone && self.kind != RunKind::Samples {
                        self.sharing.push((message.number, message.sharing));
                    }
                    self.parts += u64::from(message.parts);
                    self.cost_milli_fen += u64::from(message.cost_milli_fen);
                    self.publications.push(Publication {
                        number: message.number,
                        row,
                        phone: message.phone.packed(),
                        station: message.station.0,
                        step,
                        said_before: message.said_before,
                        key: message.key,
                        parts: message.parts,
                        cost_milli_fen: message.cost_milli_fen,
                        send_after: message.send_after.0,
                        expires: message.expires.0,
                        lane: message.lane,
                        queue: message.queue,
                        channel: message.channel,
                    });
                }
            }
        }
        // Rows of which nothing is said leave the rest of their segments without, rather than with another's.
        if self.seen.len() != self.pending.len() || seen.len() != decisions.len() || !self.seen.append(seen) {
            self.seen = SeenFacts::default();
        }
        self.pending.append(&mut decisions);
        while self.pending.len() >= SEGMENT_DECISIONS * SEGMENTS_AT_ONCE {
            let rest = self.pending.split_off(SEGMENT_DECISIONS * SEGMENTS_AT_ONCE);
            let full = std::mem::replace(&mut self.pending, rest);
            let later = self.seen.split_off(SEGMENT_DECISIONS * SEGMENTS_AT_ONCE);
            let seen = std::mem::replace(&mut self.seen, later);
            self.write(full, seen).await?;
        }
        Ok(())
    }

    async fn write(&mut self, decisions: Vec<DecisionRecord>, seen: SeenFacts) -> Result<(), StateError> {
        let first = self.segments.len();
        let mut number = self.segments.last().map_or(self.snapshot.next_message, |_| self.segment_end);
        for segment in decisions.chunks(SEGMENT_DECISIONS) {
            self.segments.push(SegmentInfo {
                first_row: segment[0].row,
                first_message: number,
                decisions: u32::try_from(segment.len()).unwrap_or(u32::MAX),
            });
            number +=
                u32::try_from(segment.iter().filter(|d| matches!(d.outcome, Outcome::Queued(_))).count()).unwrap_or(0);
        }
        self.segment_end = number;
        let (id, shared) = (self.id, Arc::clone(self.state.shared()));
        let clock = shared.clock.clone();
        let sealed: Vec<Record> = clock
            .offload(move || seal_segments(&shared, id, first, &decisions, &seen))
            .await
            .map_err(|e| StateError::Refused(e.to_string()))??;
        let mut change = Change::new(Vec::new());
        for (key, value) in sealed {
            change.puts.put(key, value);
            if change.puts.bytes() >= SLICE_BYTES {
                let full = std::mem::replace(&mut change, Change::new(Vec::new()));
                self.state.submit_bulk(full).await?;
            }
        }
        if change.puts.is_empty() { Ok(()) } else { self.state.submit_bulk(change).await.map(|_| ()) }
    }

    /// Publishes the run: counts, segments and status of `record` are filled in from what was pushed; documents and audit notes go into the
    /// same commit. Returns the record as it is kept.
    ///
    /// # Errors
    /// When the store refuses: then nothing was published.
    pub async fn publish(
        mut self,
        mut record: RunRecord,
        docs: Vec<DocChange>,
        audit: Vec<AuditNote>,
    ) -> Result<(RunRecord, Applied), StateError> {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            let seen = std::mem::take(&mut self.seen);
            self.write(rest, seen).await?;
        }
        record.id = self.id;
        record.prefecture = self.snapshot.prefecture();
        record.snapshot = self.snapshot.seq();
        record.customers = u64::from(self.snapshot.rows());
        record.decided = self.decided;
        record.queued = self.publications.len() as u64;
        record.held = std::mem::take(&mut self.held);
        record.parts = self.parts;
        record.cost_milli_fen = self.cost_milli_fen;
        record.first_message = self.snapshot.next_message;
        record.segments = std::mem::take(&mut self.segments);
        record.ended = self.state.shared().clock.now();
        debug_assert!(
            record.status == RunStatus::Published || self.publications.is_empty(),
            "only a published run queues"
        );
        match self.kind {
            RunKind::Policy => {}
            RunKind::Samples => record.trigger = TRIGGER_SAMPLES,
            RunKind::Hops => record.trigger = TRIGGER_HOPS,
            RunKind::Answers => record.trigger = TRIGGER_ANSWERS,
        }
        let publications = std::mem::take(&mut self.publications);
        let key = keys::run(keys::RUN, self.id);
        let value = records::write(&self.state.shared().sealer, &key, &record)?;
        let its = Box::new(record.clone());
        let mut ops = Vec::new();
        let sharing = std::mem::take(&mut self.sharing);
        if !sharing.is_empty() {
            // Before the messages: the number of one that rides is not counted.
            ops.push(Op::Share(record.prefecture, sharing));
        }
        ops.push(match self.kind {
            RunKind::Policy | RunKind::Answers => Op::Publish(its, publications),
            RunKind::Samples => Op::PublishSamples(its, publications),
            RunKind::Hops => Op::PublishHops(its, publications, std::mem::take(&mut self.hopped)),
        });
        let awaiting = std::mem::take(&mut self.awaiting);
        if !awaiting.is_empty() {
            ops.push(Op::Await(self.id, record.prefecture, awaiting));
        }
        let mut change = Change::new(ops);
        change.docs = docs;
        change.audit = audit;
        let mut puts = Batch::new();
        puts.put(key, value);
        puts.delete(keys::run(keys::RUN_BEGUN, self.id));
        change.puts = puts;
        change.keep = self.keep.take();
        let applied = self.state.submit(change).await?;
        self.published = true;
        Ok((record, applied))
    }
}

fn seal_segments(
    shared: &Shared,
    id: RunId,
    first: usize,
    decisions: &[DecisionRecord],
    seen: &SeenFacts,
) -> Result<Vec<Record>, StateError> {
    decisions
        .par_chunks(SEGMENT_DECISIONS)
        .enumerate()
        .map(|(i, segment)| {
            let number = u32::try_from(first + i).unwrap_or(u32::MAX);
            let key = keys::segment(id, number);
            let value = records::write(&shared.sealer, &key, &segment)?;
            let mut records = vec![(key, value)];
            if seen.len() == decisions.len() && !seen.columns().is_empty() {
                let from = i * SEGMENT_DECISIONS;
                let key = keys::numbered(keys::SEEN, id, number);
                let value = records::seal(&shared.sealer, &key, &seen.encode(from, from + segment.len()))?;
                records.push((key, value));
            }
            Ok(records)
        })
        .collect::<Result<Vec<_>, StateError>>()
        .map(|all| all.into_iter().flatten().collect())
}

impl Drop for RunWriter {
    fn drop(&mut self) {
        self.state.shared().publishing.lock().remove(&self.snapshot.prefecture());
        if !self.published {
            // The segments have no run record and so do not count; the next start drops them by the marker of the begun run.
            tracing::warn!(run = %self.id, "state.run_dropped: a run ended without publication; it left nothing behind");
        }
    }
}
