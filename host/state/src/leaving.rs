//! Records that leave for the archives: which ones may, and the one commit that drops them once their file is durable.
//!
//! What must outlive them stays, each in its own place:
//!
//! - **what was said** (steps, business keys, the last payment's key) is in the customers' columns; daily counts for caps are kept for days;
//! - **statistics** by day are a table of their own and never leave;
//! - **the history of like runs** (blast radius, "the run before"): a run's decisions leave before its record, and the newest records of each
//!   policy, schedule and selection never do;
//! - **numbers** of messages are in the checkpoint; those of runs, replies and audit entries go on from the newest, which never leaves;
//! - **the audit chain**: number and hash of the last entry that left are in [`ArchiveHead`].
//!
//! Payments and imports have no record of their own that could leave: a payment is in the columns, what an import did is an audit entry.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use gridbell_model::{Date, Moment, Phone, PrefectureCode, RunId};
use gridbell_store::KeyRange;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::audit::{AuditEntry, AuditMark};
use crate::checkpoint::read_statuses;
use crate::error::StateError;
use crate::ops::{Applied, AuditNote, Op};
use crate::outbox::MessageStatus;
use crate::replies::InboundMessage;
use crate::runs::{DecisionRecord, Outcome, RunRecord, RunStatus};
use crate::state::State;
use crate::writer::Change;
use crate::{keys, records};

/// As how many records a run counts beside its decisions: its own record is written again when they leave, and a commit is bounded.
const RUN_WEIGHT: u64 = 16;

/// What has left, and the end of the chain of archives: as durable as the commit that dropped the records.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ArchiveHead {
    /// The number of the last file; 0 for none.
    pub file: u64,
    /// The head of its chain.
    pub hash: [u8; 32],
    /// When it was taken in.
    pub at: Moment,
    /// Records that ever left: decisions with their messages, runs, replies, audit entries.
    pub decisions: u64,
    /// See [`ArchiveHead::decisions`].
    pub runs: u64,
    /// See [`ArchiveHead::decisions`].
    pub replies: u64,
    /// See [`ArchiveHead::decisions`].
    pub audit_entries: u64,
    /// By prefecture the first message number that is online.
    pub messages: BTreeMap<PrefectureCode, u32>,
    /// The number of the last reply that left; 0 for none.
    pub inbound: u64,
    /// The last audit entry that left.
    pub audit: Option<AuditMark>,
}

/// Records that ended before these civil days may leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cutoffs {
    /// Decisions with their messages, by the end of their run.
    pub messages: Date,
    /// Run records, whose decisions have left.
    pub runs: Date,
    /// Replies.
    pub inbound: Date,
    /// Audit entries.
    pub audit: Date,
    /// Audit entries from this number on stay: those that a pass writes of itself must not keep it going.
    pub audit_end: u64,
    /// So many of the newest runs of each policy, schedule and selection stay whatever their age.
    pub like_runs: usize,
}

impl Cutoffs {
    /// Everything that ended before `day`.
    #[must_use]
    pub fn before(day: Date, like_runs: usize) -> Self {
        Self { messages: day, runs: day, inbound: day, audit: day, audit_end: u64::MAX, like_runs }
    }

    /// Cutoffs on `today`: of each kind so many days stay, today not counted.
    #[must_use]
    pub fn of_days(today: Date, messages: u32, runs: u32, inbound: u32, audit: u32, like_runs: usize) -> Self {
        let before = |days: u32| today.plus_days(-i32::try_from(days).unwrap_or(i32::MAX));
        Self {
            messages: before(messages),
            runs: before(runs.max(messages)),
            inbound: before(inbound),
            audit: before(audit),
            audit_end: u64::MAX,
            like_runs,
        }
    }
}

/// How sure it must be that a message has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// It has: what would leave after a checkpoint.
    Known,
    /// A checkpoint has written its end: it can leave now.
    OnDisk,
}

/// A run as an archive refers to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeavingRun {
    /// Its number.
    pub id: RunId,
    /// Where.
    pub prefecture: PrefectureCode,
    /// When it began: two histories that gave out the same number differ here.
    pub started: Moment,
    /// Its decisions.
    pub decided: u64,
    /// The first message number behind its messages; 0 when it queued none.
    pub messages_end: u32,
}

/// What leaves with one file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Leaving {
    /// Runs whose decisions and messages leave.
    pub decisions: Vec<LeavingRun>,
    /// Runs that leave as a whole, their decisions before or now.
    pub runs: Vec<LeavingRun>,
    /// Replies up to this number; 0 for none.
    pub inbound: u64,
    /// How many.
    pub replies: u64,
    /// Audit entries up to this one.
    pub audit: Option<AuditMark>,
    /// How many.
    pub audit_entries: u64,
}

impl Leaving {
    /// Whether nothing leaves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.decisions.is_empty() && self.runs.is_empty() && self.replies == 0 && self.audit_entries == 0
    }

    /// Records that leave.
    #[must_use]
    pub fn records(&self) -> u64 {
        let decisions: u64 = self.decisions.iter().map(|r| r.decided).sum();
        decisions + self.runs.len() as u64 + self.replies + self.audit_entries
    }
}

/// Runs that are compared with each other.
type Likeness = (PrefectureCode, String, String, u16, String);

impl State {
    /// What has left for the archives.
    #[must_use]
    pub fn archive_head(&self) -> ArchiveHead {
        self.shared().archived.read().clone()
    }

    /// What may leave by `cutoffs`, about `limit` records and at least one run: only what has ended. A run whose messages are not all at their end
    /// stays, with every later run of its prefecture that queued any, so that a customer's messages are cut at one place.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn leaving(&self, cutoffs: &Cutoffs, limit: u64, ended: Ended) -> Result<Leaving, StateError> {
        let mut leaving = Leaving::default();
        let mut left = limit;
        self.leaving_runs(cutoffs, ended, &mut leaving, &mut left);
        let head = self.archive_head();
        let from = keys::long(keys::INBOUND, head.inbound + 1);
        self.older(&from, left, cutoffs.inbound, |reply: InboundMessage| {
            (leaving.inbound, leaving.replies) = (reply.number, leaving.replies + 1);
        })?;
        left = left.saturating_sub(leaving.replies);
        let from = keys::long(keys::AUDIT, head.audit.map_or(1, |m| m.number + 1));
        self.older(&from, left, cutoffs.audit, |entry: AuditEntry| {
            if entry.number < cutoffs.audit_end {
                (leaving.audit, leaving.audit_entries) = (Some(entry.mark()), leaving.audit_entries + 1);
            }
        })?;
        Ok(leaving)
    }

    fn leaving_runs(&self, cutoffs: &Cutoffs, ended: Ended, leaving: &mut Leaving, left: &mut u64) {
        let runs = self.shared().core.runs.read();
        let unfinished: FxHashSet<RunId> = {
            let outbox = self.shared().core.outbox.read();
            let open = outbox.live.values().filter(|l| ended == Ended::OnDisk || !l.status.state.is_final());
            let awaiting = outbox.hops.awaiting().map(|(_, a)| a.run);
            open.map(|l| l.run).chain(awaiting).collect()
        };
        let mut stays = FxHashSet::default();
        let mut emptied = FxHashSet::default();
        for run in runs.by_id.values() {
            if *left == 0 {
                break;
            }
            if run.segments.is_empty() {
                continue;
            }
            let over = !matches!(run.status, RunStatus::Waiting { .. }) && !unfinished.contains(&run.id);
            let may = over && run.ended.date() < cutoffs.messages;
            if !may || run.queued > 0 && stays.contains(&run.prefecture) {
                if run.queued > 0 {
                    stays.insert(run.prefecture);
                }
                continue;
            }
            leaving.decisions.push(leaving_run(run));
            emptied.insert(run.id);
            *left = left.saturating_sub(run.decided + RUN_WEIGHT);
        }
        let mut alike: FxHashMap<Likeness, usize> = FxHashMap::default();
        let mut newest: FxHashSet<(PrefectureCode, String, u16)> = FxHashSet::default();
        let mut old = Vec::new();
        for run in runs.by_id.values().rev() {
            // The newest of any outcome stays: whether payments are due is asked of it.
            let first = newest.insert((run.prefecture, run.policy.clone(), run.trigger));
            let likeness = (run.prefecture, run.policy.clone(), run.schedule.clone(), run.trigger, run.scope.clone());
            let published = run.status == RunStatus::Published;
            let nth = alike.entry(likeness).or_default();
            *nth += usize::from(published);
            let kept = first
                || published && (run.is_occurrence() || run.is_samples()) && *nth <= cutoffs.like_runs
                || matches!(run.status, RunStatus::Waiting { .. });
            let empty = run.segments.is_empty() || emptied.contains(&run.id);
            if !kept && empty && !unfinished.contains(&run.id) && run.ended.date() < cutoffs.runs {
                old.push(leaving_run(run));
            }
        }
        // The oldest first, as many as still fit.
        let fit = usize::try_from(*left / RUN_WEIGHT).unwrap_or(usize::MAX);
        leaving.runs.extend(old.into_iter().rev().take(fit));
        *left = left.saturating_sub(RUN_WEIGHT * leaving.runs.len() as u64);
    }

    /// Replies from number `from` on, in order, up to `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn replies(&self, from: u64, limit: u64) -> Result<Vec<InboundMessage>, StateError> {
        let mut out = Vec::new();
        self.older(&keys::long(keys::INBOUND, from), limit, Date(i32::MAX), |reply| out.push(reply))?;
        Ok(out)
    }

    /// Calls `take` with the records of a table from key `from` on, in order, up to `limit` and as long as they are from before `day`; never with
    /// the newest of the table, from which its numbers go on.
    fn older<T: Dated>(&self, from: &[u8], limit: u64, day: Date, mut take: impl FnMut(T)) -> Result<(), StateError> {
        let shared = self.shared();
        let table = &from[..1];
        let Some((newest, _)) = shared.store.last(table)? else { return Ok(()) };
        let (mut taken, mut failure) = (0, None);
        shared.store.scan(&KeyRange::prefix_from(table, from), &mut |key, value| {
            if taken >= limit || key >= newest.as_slice() {
                return Ok(ControlFlow::Break(()));
            }
            match records::read_with(&shared.sealer, key, value, T::decode) {
                Ok(record) if record.at().date() < day => take(record),
                Ok(_) => return Ok(ControlFlow::Break(())),
                Err(e) => {
                    failure = Some(e);
                    return Ok(ControlFlow::Break(()));
                }
            }
            taken += 1;
            Ok(ControlFlow::Continue(()))
        })?;
        failure.map_or(Ok(()), Err)
    }

    /// Which of `numbers` are some customer's: one look over the columns, about a millisecond for each million.
    #[must_use]
    pub fn known_numbers(&self, numbers: &BTreeSet<u64>) -> BTreeSet<u64> {
        let mut known = BTreeSet::new();
        if numbers.is_empty() {
            return known;
        }
        for code in self.prefectures().into_keys() {
            let Some(snapshot) = self.snapshot(code) else { continue };
            for packed in snapshot.chunks.iter().flat_map(|c| c.phone.iter()) {
                let number = Phone::from_packed(*packed).number();
                if numbers.contains(&number) {
                    known.insert(number);
                }
            }
        }
        known
    }

    /// The decisions of a segment with where their messages stand, in order of row.
    ///
    /// # Errors
    /// When there is no such segment, or a message's end is not on disk.
    pub fn decisions_and_ends(
        &self,
        run: &RunRecord,
        segment: u32,
    ) -> Result<Vec<(DecisionRecord, Option<MessageStatus>)>, StateError> {
        let decisions = self.decisions(run.id, segment)?;
        let mut blocks: BTreeMap<u32, BTreeMap<u32, MessageStatus>> = BTreeMap::new();
        let mut out = Vec::with_capacity(decisions.len());
        for decision in decisions {
            let status = match &decision.outcome {
                Outcome::Held(_) => None,
                Outcome::Queued(message) => {
                    let block = message.number / keys::STATUS_BLOCK;
                    if let std::collections::btree_map::Entry::Vacant(e) = blocks.entry(block) {
                        e.insert(read_statuses(self.shared(), run.prefecture, block)?);
                    }
                    let id = gridbell_model::MessageId::new(run.prefecture, message.number);
                    let found = blocks.get_mut(&block).and_then(|b| b.remove(&(message.number % keys::STATUS_BLOCK)));
                    Some(found.ok_or(StateError::NoMessage(id))?)
                }
            };
            out.push((decision, status));
        }
        Ok(out)
    }

    /// Drops what is in the durable file `file`, whose head is `hash`, in one commit of the bulk lane, with the new [`ArchiveHead`] and the audit
    /// notes in it. What is gone already is left alone, so that a pass that was killed can be completed.
    ///
    /// # Errors
    /// [`StateError::OtherHistory`] when the file tells of records that are others here; or when the store refuses: then nothing has left.
    pub async fn leave(
        &self,
        leaving: &Leaving,
        file: u64,
        hash: [u8; 32],
        audit: Vec<AuditNote>,
    ) -> Result<Applied, StateError> {
        self.check_history(leaving)?;
        let mut head = self.archive_head();
        let decisions = leaving.decisions.iter().map(|r| r.id).collect();
        let runs: Vec<RunId> = leaving.runs.iter().map(|r| r.id).collect();
        let gone: BTreeSet<RunId> = runs.iter().copied().collect();
        let mut change = Change::new(vec![Op::Archived { decisions, runs }]);
        for run in &leaving.decisions {
            self.drop_decisions(run, gone.contains(&run.id), &mut head, &mut change)?;
        }
        for run in &gone {
            change.puts.delete(keys::run(keys::RUN, *run));
            if let Some(kept) = self.kept_run(*run)? {
                change.puts.delete(keys::run(keys::KEPT_RUN, *run));
                change.release.extend(kept.documents);
            }
        }
        for number in head.inbound + 1..=leaving.inbound {
            change.puts.delete(keys::long(keys::INBOUND, number));
        }
        let first = head.audit.map_or(1, |m| m.number + 1);
        for number in first..=leaving.audit.map_or(0, |m| m.number) {
            change.puts.delete(keys::long(keys::AUDIT, number));
        }
        (head.file, head.hash, head.at) = (file, hash, self.shared().clock.now());
        head.inbound = head.inbound.max(leaving.inbound);
        head.audit = leaving.audit.or(head.audit);
        head.decisions += leaving.decisions.iter().map(|r| r.decided).sum::<u64>();
        head.runs += leaving.runs.len() as u64;
        head.replies += leaving.replies;
        head.audit_entries += leaving.audit_entries;
        let key = vec![keys::ARCHIVED];
        change.puts.put(key.clone(), records::write(&self.shared().sealer, &key, &head)?);
        change.audit = audit;
        let applied = self.submit_bulk(change).await?;
        *self.shared().archived.write() = head;
        Ok(applied)
    }

    /// The deletes of one run's segments and of the blocks of states that hold no message of a run that stays.
    fn drop_decisions(
        &self,
        run: &LeavingRun,
        gone: bool,
        head: &mut ArchiveHead,
        change: &mut Change,
    ) -> Result<(), StateError> {
        let Some(record) = self.run(run.id) else { return Ok(()) };
        for segment in 0..u32::try_from(record.segments.len()).unwrap_or(u32::MAX) {
            change.puts.delete(keys::segment(run.id, segment));
            change.puts.delete(keys::numbered(keys::SEEN, run.id, segment));
        }
        if !gone {
            let mut thinned = (*record).clone();
            thinned.segments.clear();
            let key = keys::run(keys::RUN, run.id);
            change.puts.put(key.clone(), records::write(&self.shared().sealer, &key, &thinned)?);
        }
        if run.messages_end > 0 {
            self.drop_together(run.prefecture, record.first_message, run.messages_end, change)?;
            let online = head.messages.entry(run.prefecture).or_insert(1);
            // Whole blocks below the end only: a checkpoint may be writing the block in which later messages end.
            for block in *online / keys::STATUS_BLOCK..run.messages_end / keys::STATUS_BLOCK {
                change.puts.delete(keys::paged(keys::STATUS, run.prefecture, block));
            }
            *online = run.messages_end.max(*online);
        }
        Ok(())
    }

    /// Refuses a file whose records are others here: one of a data directory that went on after this one was restored from a backup.
    fn check_history(&self, leaving: &Leaving) -> Result<(), StateError> {
        for run in leaving.decisions.iter().chain(&leaving.runs) {
            if self.run(run.id).is_some_and(|r| r.started != run.started || r.prefecture != run.prefecture) {
                return Err(StateError::OtherHistory { what: format!("run {}", run.id) });
            }
        }
        if let Some(mark) = leaving.audit {
            let here = self.audit(mark.number, 1)?.first().map(AuditEntry::mark);
            if here.is_none_or(|m| m != mark) {
                return Err(StateError::OtherHistory { what: format!("audit entry {}", mark.number) });
            }
        }
        Ok(())
    }
}

/// A record that knows its time.
trait Dated: Sized {
    fn at(&self) -> Moment;
    fn decode(bytes: &[u8]) -> Result<Self, postcard::Error>;
}

impl Dated for InboundMessage {
    fn at(&self) -> Moment {
        self.at
    }

    fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        Self::decode(bytes)
    }
}

impl Dated for AuditEntry {
    fn at(&self) -> Moment {
        self.at
    }

    fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes)
    }
}

fn leaving_run(run: &RunRecord) -> LeavingRun {
    let end = u64::from(run.first_message) + run.queued;
    LeavingRun {
        id: run.id,
        prefecture: run.prefecture,
        started: run.started,
        decided: run.decided,
        messages_end: if run.queued > 0 { u32::try_from(end).unwrap_or(u32::MAX) } else { 0 },
    }
}
