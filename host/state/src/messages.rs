//! Looking at runs and messages: what was decided, where each message stands, what may go now. Changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gridbell_model::{
    AccountNumber, CarrierKey, Date, Lane, MessageId, MessageState, Moment, PrefectureCode, RunId, Topic,
};

use crate::checkpoint::read_statuses;
use crate::error::StateError;
use crate::link_days::LinkCounts;
use crate::outbox::{MessageStatus, Outbox};
use crate::replies::InboundMessage;
use crate::runs::{DecisionRecord, MessageDetail, Outcome, QueuedMessage, RunRecord, StatCounts, StatKey};
use crate::state::State;
use crate::waiting::{QueueBacklog, Room, Shares};
use crate::{keys, records};

/// Messages of one customer that a look-up follows at most.
pub const MAX_HISTORY: usize = 500;

/// Records of samples that a look-up goes through at most: each costs a read.
pub const MAX_SAMPLES_LOOKED: usize = 4_096;

/// What a link needs to submit a message.
#[derive(Clone, PartialEq, Debug)]
pub struct OutgoingMessage {
    /// Its id.
    pub id: MessageId,
    /// What it is about.
    pub topic: Topic,
    /// What was decided, with text and number.
    pub decision: DecisionRecord,
    /// When it was queued.
    pub queued_at: Moment,
    /// When its validity ends: it is submitted before it, never at it or after.
    pub expires: Moment,
    /// Whether an earlier submit of it may have reached the carrier.
    pub maybe_twice: bool,
    /// Attempts that counted before.
    pub attempts: u8,
    /// Parts that no carrier has accepted, from 1.
    pub open: Vec<u8>,
    /// All its parts: of one that others leave with, those of their common text.
    pub parts: u8,
    /// The text with which it goes on for several accounts; none where it goes by itself.
    pub told: Option<String>,
}

/// What a recall of a run's messages came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecallStates {
    /// Taken back: nobody gets them.
    pub recalled: u64,
    /// With a carrier, or in a link's hands: somebody got them or may get them.
    pub left: u64,
}

impl RecallStates {
    fn count(&mut self, status: Option<&MessageStatus>, since: Moment) {
        let Some(status) = status else { return };
        if status.state == MessageState::Submitting || !status.accepted.is_empty() || status.maybe_twice {
            self.left += 1;
        } else if status.reason == Some(gridbell_model::HoldReason::Recalled)
            && status.final_at.is_some_and(|at| at >= since)
        {
            self.recalled += 1;
        }
    }
}

/// How messages stand that are not final.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct OutboxDepth {
    /// Waiting, by queue: urgent and bulk.
    pub waiting: BTreeMap<u8, (u64, u64)>,
    /// By state.
    pub by_state: BTreeMap<MessageState, u64>,
    /// Reports that wait for their answer.
    pub parked: usize,
    /// Reports dropped because too many waited.
    pub parked_dropped: u64,
}

/// A message that is not final.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct LiveMessage {
    /// Its id.
    pub id: MessageId,
    /// The run that queued it.
    pub run: RunId,
    /// What it is about.
    pub topic: Topic,
    /// The queue it waits in.
    pub queue: u8,
    /// Where it stands.
    pub state: MessageState,
    /// When every part was accepted.
    pub submitted_at: Option<Moment>,
    /// When its validity ends: it is submitted before it, never at it or after.
    pub expires: Moment,
    /// Where it goes.
    pub channel: gridbell_model::Channel,
    /// Whether a carrier has a part of it: what is half sent is not taken back.
    pub begun: bool,
    /// Whether another message leaves for it: its end is that one's.
    pub carried: bool,
}

impl State {
    /// A run.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<Arc<RunRecord>> {
        self.shared().core.runs.read().by_id.get(&id).cloned()
    }

    /// Runs before `before` (all when none), newest first, that `wanted` takes, up to `limit`.
    #[must_use]
    pub fn runs(
        &self,
        before: Option<RunId>,
        limit: usize,
        wanted: impl Fn(&RunRecord) -> bool,
    ) -> Vec<Arc<RunRecord>> {
        let runs = self.shared().core.runs.read();
        let end = before.unwrap_or(RunId(u64::MAX));
        runs.by_id.range(..end).rev().map(|(_, r)| r).filter(|r| wanted(r)).take(limit).cloned().collect()
    }

    /// Runs from `first` on that are `wanted`, oldest first.
    #[must_use]
    pub fn runs_from(&self, first: RunId, wanted: impl Fn(&RunRecord) -> bool) -> Vec<Arc<RunRecord>> {
        self.shared().core.runs.read().by_id.range(first..).map(|(_, r)| r).filter(|r| wanted(r)).cloned().collect()
    }

    /// The decisions of a segment of a run, in order of row.
    ///
    /// # Errors
    /// When there is no such segment or it cannot be read.
    pub fn decisions(&self, run: RunId, segment: u32) -> Result<Vec<DecisionRecord>, StateError> {
        let key = keys::segment(run, segment);
        let value = self.shared().store.get(&key)?.ok_or(StateError::NoRun(run))?;
        records::read(&self.shared().sealer, &key, &value)
    }

    /// The run, the segment and the decision of message `id`.
    fn locate(&self, id: MessageId) -> Result<(Arc<RunRecord>, u32), StateError> {
        let run = self.shared().core.runs.read().of_message(id).cloned().ok_or(StateError::NoMessage(id))?;
        let after = run.segments.partition_point(|s| s.first_message <= id.number());
        let segment = after.checked_sub(1).ok_or(StateError::NoMessage(id))?;
        Ok((run, u32::try_from(segment).unwrap_or(u32::MAX)))
    }

    /// A message with everything known of it.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn message(&self, id: MessageId) -> Result<MessageDetail, StateError> {
        let (run, segment) = self.locate(id)?;
        let decision = self
            .decisions(run.id, segment)?
            .into_iter()
            .find(|d| matches!(&d.outcome, Outcome::Queued(m) if m.number == id.number()))
            .ok_or(StateError::NoMessage(id))?;
        let status = self.message_status(id)?.ok_or(StateError::NoMessage(id))?;
        Ok(MessageDetail { id, run: run.id, decision, status })
    }

    /// These messages with everything known of them, in order of id; those that left for the archives are left out. Segments are read once each.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn messages_at(&self, ids: &[MessageId]) -> Result<Vec<MessageDetail>, StateError> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let mut read: Option<((RunId, u32), BTreeMap<u32, DecisionRecord>)> = None;
        let mut out = Vec::with_capacity(ids.len());
        for id in ids {
            let Ok((run, segment)) = self.locate(id) else { continue };
            if read.as_ref().is_none_or(|(at, _)| *at != (run.id, segment)) {
                read = Some(((run.id, segment), numbered(self.decisions(run.id, segment)?)));
            }
            let decision = read.as_mut().and_then(|(_, decisions)| decisions.remove(&id.number()));
            let decision = decision.ok_or(StateError::NoMessage(id))?;
            let status = self.message_status(id)?.ok_or(StateError::NoMessage(id))?;
            out.push(MessageDetail { id, run: run.id, decision, status });
        }
        Ok(out)
    }

    /// The decisions of a segment with where their messages stand, in order of row, whether those came to their end or not.
    ///
    /// # Errors
    /// When there is no such segment or the store cannot be read.
    pub fn decisions_with_status(
        &self,
        run: &RunRecord,
        segment: u32,
    ) -> Result<Vec<(DecisionRecord, Option<MessageStatus>)>, StateError> {
        let decisions = self.decisions(run.id, segment)?;
        let mut block: Option<(u32, BTreeMap<u32, MessageStatus>)> = None;
        let mut out = Vec::with_capacity(decisions.len());
        for decision in decisions {
            let Outcome::Queued(message) = &decision.outcome else {
                out.push((decision, None));
                continue;
            };
            let id = MessageId::new(run.prefecture, message.number);
            let live = self.shared().core.outbox.read().live.get(&id).map(|l| l.status.clone());
            let at = message.number / keys::STATUS_BLOCK;
            // Of what is on its way nothing is read; of the rest a block at a time, since their numbers follow each other.
            if live.is_none() && block.as_ref().is_none_or(|(known, _)| *known != at) {
                block = Some((at, read_statuses(self.shared(), run.prefecture, at)?));
            }
            let ended = || block.as_ref()?.1.get(&(message.number % keys::STATUS_BLOCK)).cloned();
            let status = live.or_else(ended);
            out.push((decision, status));
        }
        Ok(out)
    }

    /// The run that queued message `id`.
    #[must_use]
    pub fn run_of(&self, id: MessageId) -> Option<Arc<RunRecord>> {
        self.shared().core.runs.read().of_message(id).cloned()
    }

    /// Parts of message `id` that no carrier has accepted, from 1; none of one that came to its end.
    #[must_use]
    pub fn open_parts(&self, id: MessageId) -> Vec<u8> {
        self.shared().core.outbox.read().live.get(&id).map(crate::outbox::Live::open).unwrap_or_default()
    }

    /// Whether parts of message `id` are in a link's hands.
    #[must_use]
    pub fn is_submitting(&self, id: MessageId) -> bool {
        let outbox = self.shared().core.outbox.read();
        outbox.live.get(&id).is_some_and(|l| l.status.state == MessageState::Submitting)
    }

    /// Where message `id` stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn message_status(&self, id: MessageId) -> Result<Option<MessageStatus>, StateError> {
        if let Some(live) = self.shared().core.outbox.read().live.get(&id) {
            return Ok(Some(live.status.clone()));
        }
        let block = read_statuses(self.shared(), id.prefecture(), id.number() / keys::STATUS_BLOCK)?;
        Ok(block.get(&(id.number() % keys::STATUS_BLOCK)).cloned())
    }

    /// How the messages of a run stand that tell what a recall came to: taken back, and those that a carrier or a link's hands had. None of a run
    /// that left for the archives.
    ///
    /// # Errors
    /// When there is no such run or the store cannot be read.
    pub fn recall_states(&self, run: RunId) -> Result<RecallStates, StateError> {
        self.recall_states_since(run, Moment::from_unix_ms(i64::MIN))
    }

    /// The same, with those only as taken back that were at `since` or after.
    ///
    /// # Errors
    /// As [`State::recall_states`].
    pub fn recall_states_since(&self, run: RunId, since: Moment) -> Result<RecallStates, StateError> {
        let record = self.run(run).ok_or(StateError::NoRun(run))?;
        let mut states = RecallStates::default();
        let end = record.first_message + u32::try_from(record.queued).unwrap_or(u32::MAX);
        let mut number = record.first_message;
        while number < end {
            let block = number / keys::STATUS_BLOCK;
            let next = end.min((block + 1) * keys::STATUS_BLOCK);
            let ended = read_statuses(self.shared(), record.prefecture, block)?;
            let outbox = self.shared().core.outbox.read();
            for n in number..next {
                let live = outbox.live.get(&MessageId::new(record.prefecture, n)).map(|l| &l.status);
                states.count(live.or_else(|| ended.get(&(n % keys::STATUS_BLOCK))), since);
            }
            number = next;
        }
        Ok(states)
    }

    /// The decisions of a segment with where their messages stand now, in order of row; no state of one that left for the archives.
    ///
    /// # Errors
    /// When there is no such segment or it cannot be read.
    pub fn decisions_and_states(
        &self,
        run: &RunRecord,
        segment: u32,
    ) -> Result<Vec<(DecisionRecord, Option<MessageStatus>)>, StateError> {
        let decisions = self.decisions(run.id, segment)?;
        let mut blocks: BTreeMap<u32, BTreeMap<u32, MessageStatus>> = BTreeMap::new();
        for decision in &decisions {
            let Outcome::Queued(message) = &decision.outcome else { continue };
            let block = message.number / keys::STATUS_BLOCK;
            if let std::collections::btree_map::Entry::Vacant(e) = blocks.entry(block) {
                e.insert(read_statuses(self.shared(), run.prefecture, block)?);
            }
        }
        let outbox = self.shared().core.outbox.read();
        let mut status = |decision: &DecisionRecord| {
            let Outcome::Queued(message) = &decision.outcome else { return None };
            let live = outbox.live.get(&MessageId::new(run.prefecture, message.number)).map(|l| l.status.clone());
            let block = blocks.get_mut(&(message.number / keys::STATUS_BLOCK));
            live.or_else(|| block?.remove(&(message.number % keys::STATUS_BLOCK)))
        };
        Ok(decisions.into_iter().map(|d| (status(&d), d)).map(|(s, d)| (d, s)).collect())
    }

    /// Whether message `id` was there and has left for the archives.
    #[must_use]
    pub fn is_archived(&self, id: MessageId) -> bool {
        self.shared().archived.read().messages.get(&id.prefecture()).is_some_and(|end| id.number() < *end)
    }

    /// The customer's messages that are online, newest first, up to `limit` and [`MAX_HISTORY`].
    ///
    /// # Errors
    /// When there is no such account or the store cannot be read.
    pub fn messages_of(&self, account: AccountNumber, limit: usize) -> Result<Vec<MessageDetail>, StateError> {
        let (code, view) = self.customer(account).ok_or(StateError::NoAccount(account))?;
        let mut out = Vec::new();
        let mut number = view.last_message;
        while number != 0 && out.len() < limit.min(MAX_HISTORY) {
            let id = MessageId::new(code, number);
            // Messages leave for the archives in order of their numbers: what is before one that left has left too.
            if self.is_archived(id) {
                break;
            }
            let detail = self.message(id)?;
            let Outcome::Queued(message) = &detail.decision.outcome else { break };
            number = message.previous;
            out.push(detail);
        }
        Ok(out)
    }

    /// Samples that are online, newest first, up to `limit`: of the records of samples that `of` takes, looking at [`MAX_SAMPLES_LOOKED`] of them at
    /// most, those that `wanted` takes. None of them is a message of the customer's that it is about.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn samples(
        &self,
        limit: usize,
        of: impl Fn(&RunRecord) -> bool,
        wanted: impl Fn(&DecisionRecord, &QueuedMessage) -> bool,
    ) -> Result<Vec<MessageDetail>, StateError> {
        let mut out = Vec::new();
        for run in self.runs(None, MAX_SAMPLES_LOOKED, |r| r.is_samples() && of(r)) {
            for decision in self.sampled(&run)? {
                let Outcome::Queued(message) = &decision.outcome else { continue };
                if !wanted(&decision, message) {
                    continue;
                }
                let id = MessageId::new(run.prefecture, message.number);
                let status = self.message_status(id)?.ok_or(StateError::NoMessage(id))?;
                out.push(MessageDetail { id, run: run.id, decision, status });
            }
            if out.len() >= limit {
                break;
            }
        }
        out.truncate(limit);
        Ok(out)
    }

    /// The decisions of a record of samples.
    pub(crate) fn sampled(&self, run: &RunRecord) -> Result<Vec<DecisionRecord>, StateError> {
        let mut all = Vec::new();
        for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
            all.extend(self.decisions(run.id, segment)?);
        }
        Ok(all)
    }

    /// Messages of `queue` that may go now, urgent first, as many as fit `parts`; `skip` leaves out those claimed or held.
    #[must_use]
    pub fn ready(&self, queue: u8, parts: usize, skip: impl Fn(MessageId, Topic) -> bool) -> Vec<MessageId> {
        let room = Room { queues: &[queue], lanes: &[Lane::Urgent, Lane::Bulk], parts };
        self.ready_of(room, &mut Shares::default(), |_, _| (1, 1), skip)
    }

    /// The same of several queues, which share the room: those of the first lane first, each prefecture and topic by its `weights` as long as it has a
    /// backlog, then in order of when they may go. `shares` remembers who had how much.
    #[must_use]
    pub fn ready_of(
        &self,
        room: Room<'_>,
        shares: &mut Shares,
        weights: impl Fn(PrefectureCode, Topic) -> (u16, u16),
        skip: impl Fn(MessageId, Topic) -> bool,
    ) -> Vec<MessageId> {
        self.shared().core.outbox.read().ready(room, self.shared().clock.now(), shares, weights, skip)
    }

    /// What waits in each queue in which something does, whether its time has come or not.
    #[must_use]
    pub fn backlogs(&self) -> BTreeMap<u8, QueueBacklog> {
        self.shared().core.outbox.read().backlogs()
    }

    /// When the next message of `queue` may go; none when nothing waits.
    #[must_use]
    pub fn next_due(&self, queue: u8) -> Option<Moment> {
        self.shared().core.outbox.read().next_due(queue)
    }

    /// When the next queued message of any queue may go; none when nothing waits.
    #[must_use]
    pub fn next_due_any(&self) -> Option<Moment> {
        self.shared().core.outbox.read().next_due_any()
    }

    /// What submitting needs of messages that are not final, in the order asked; those that are final meanwhile are left out. Segments are read
    /// once each.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn outgoing(&self, ids: &[MessageId]) -> Result<Vec<OutgoingMessage>, StateError> {
        let mut segments: BTreeMap<(RunId, u32), BTreeMap<u32, DecisionRecord>> = BTreeMap::new();
        let mut out = Vec::with_capacity(ids.len());
        for id in ids {
            let Some(live) = self.live_facts(*id) else { continue };
            let (run, segment) = self.locate(*id)?;
            let by_number = match segments.entry((run.id, segment)) {
                std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
                std::collections::btree_map::Entry::Vacant(e) => e.insert(numbered(self.decisions(run.id, segment)?)),
            };
            let decision = by_number.remove(&id.number()).ok_or(StateError::NoMessage(*id))?;
            out.push(live(decision));
        }
        Ok(out)
    }

    /// The message of which `link`'s carrier knows a part as `key`; none where its end is on disk already.
    #[must_use]
    pub fn message_known_as(&self, link: &str, key: &CarrierKey) -> Option<MessageId> {
        self.shared().core.outbox.read().known_as(link, key)
    }

    /// The carrier's word in a report on what `link`'s carrier knows as `key`, where that came before the answer that says whose it is.
    #[must_use]
    pub fn report_waiting(&self, link: &str, key: &CarrierKey) -> Option<String> {
        self.shared().core.outbox.read().parked_as(link, key).map(str::to_owned)
    }

    /// What the outbox knows of message `id`, to which its decision is added.
    fn live_facts(&self, id: MessageId) -> Option<impl FnOnce(DecisionRecord) -> OutgoingMessage> {
        let outbox = self.shared().core.outbox.read();
        let live = outbox.live.get(&id).filter(|l| !l.status.state.is_final())?;
        let (topic, expires, open, parts) = (live.topic, live.expires, live.open(), live.data.parts);
        let (queued_at, maybe_twice, attempts) = (live.status.queued_at, live.status.maybe_twice, live.status.attempts);
        let told = outbox.text_of(id).map(str::to_owned);
        Some(move |decision| OutgoingMessage {
            id,
            topic,
            decision,
            queued_at,
            expires,
            maybe_twice,
            attempts,
            open,
            parts,
            told,
        })
    }

    /// Messages that are not final and that `wanted` takes (id, run, topic, queue, state, submitted, expires), up to `limit`, in order of id.
    #[must_use]
    pub fn live(&self, limit: usize, wanted: impl Fn(&LiveMessage) -> bool) -> Vec<LiveMessage> {
        let outbox = self.shared().core.outbox.read();
        let mut found: Vec<LiveMessage> = outbox.unsettled().filter(|l| wanted(l)).collect();
        found.sort_unstable_by_key(|l| l.id);
        found.truncate(limit);
        found
    }

    /// How many messages are not final that `wanted` takes.
    #[must_use]
    pub fn count_live(&self, wanted: impl Fn(&LiveMessage) -> bool) -> u64 {
        self.shared().core.outbox.read().unsettled().filter(|l| wanted(l)).count() as u64
    }

    /// Parts that wait in the outbox, of all prefectures: by queue, lane, the moment from which they may go, and the one from which they are worthless.
    #[must_use]
    pub fn waiting_parts(&self) -> BTreeMap<(u8, Lane, Moment, Moment), u64> {
        let outbox = self.shared().core.outbox.read();
        let mut waiting = BTreeMap::new();
        for live in outbox.live.values().filter(|l| l.status.state == MessageState::Queued) {
            let key = (live.data.queue, live.data.lane, live.send_after, live.expires);
            let open = if !live.status.is_begun() { usize::from(live.data.parts) } else { live.open().len() };
            *waiting.entry(key).or_default() += open as u64;
        }
        waiting
    }

    /// How the outbox stands.
    #[must_use]
    pub fn depth(&self) -> OutboxDepth {
        let outbox = self.shared().core.outbox.read();
        let mut by_state: BTreeMap<MessageState, u64> = BTreeMap::new();
        for live in outbox.live.values() {
            *by_state.entry(live.status.state).or_default() += 1;
        }
        OutboxDepth {
            waiting: outbox.backlogs().into_iter().map(|(queue, b)| (queue, (b.urgent, b.bulk))).collect(),
            by_state,
            parked: outbox.parked().count(),
            parked_dropped: outbox.parked_dropped,
        }
    }

    /// Statistics of the days from `from` to `to`, both included.
    #[must_use]
    pub fn stats(&self, from: Date, to: Date) -> Vec<(StatKey, StatCounts)> {
        self.shared()
            .core
            .stats
            .read()
            .iter()
            .filter(|(k, _)| from <= k.day && k.day <= to)
            .map(|(k, c)| (*k, *c))
            .collect()
    }

    /// What each link did on the days from `from` to `to`, both included, in order of day and name.
    #[must_use]
    pub fn link_days(&self, from: Date, to: Date) -> Vec<(Date, String, LinkCounts)> {
        let outbox = self.shared().core.outbox.read();
        outbox.link_days.range(from, to).map(|(day, link, counts)| (day, link.to_owned(), counts)).collect()
    }

    /// Inbound messages, newest first, before `before`, up to `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn inbound_messages(&self, before: Option<u64>, limit: usize) -> Result<Vec<InboundMessage>, StateError> {
        let mut number = before.unwrap_or_else(|| self.shared().shown_inbound.load(Ordering::Acquire));
        let archived = self.archive_head().inbound;
        let mut out = Vec::new();
        while number > archived + 1 && out.len() < limit {
            number -= 1;
            let key = keys::long(keys::INBOUND, number);
            if let Some(value) = self.shared().store.get(&key)? {
                out.push(records::read_with(&self.shared().sealer, &key, &value, InboundMessage::decode)?);
            }
        }
        Ok(out)
    }
}

impl Outbox {
    fn unsettled(&self) -> impl Iterator<Item = LiveMessage> {
        self.live.iter().filter(|(_, l)| !l.status.state.is_final()).map(|(id, l)| LiveMessage {
            id,
            run: l.run,
            topic: l.topic,
            queue: l.data.queue,
            state: l.status.state,
            submitted_at: l.status.submitted_at,
            expires: l.expires,
            channel: l.channel(),
            begun: l.status.is_begun(),
            carried: self.together.is_borne(id),
        })
    }
}

fn numbered(decisions: Vec<DecisionRecord>) -> BTreeMap<u32, DecisionRecord> {
    let number = |d: &DecisionRecord| match &d.outcome {
        Outcome::Queued(m) => Some(m.number),
        Outcome::Held(_) => None,
    };
    decisions.into_iter().filter_map(|d| Some((number(&d)?, d))).collect()
}
