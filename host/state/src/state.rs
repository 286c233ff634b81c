//! The handle on a province's state: what everybody else calls. Cheap to clone.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gridbell_clock::Clock;
use gridbell_model::{
    AccountNumber, CustomerView, Date, MessageId, MessageState, Moment, OrgTree, Phone, PrefectureCode, RunId, Topic,
};
use gridbell_store::{KeyRange, Sealer, Store};
use parking_lot::{Mutex, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

use crate::audit::{AuditBreak, AuditEntry};
use crate::checkpoint::{read_names, read_statuses};
use crate::columns::PAGE_ROWS;
use crate::core_state::Core;
use crate::docs::{Doc, Docs};
use crate::error::StateError;
use crate::facts::CustomerChange;
use crate::load::{self, LoadReport};
use crate::ops::{Applied, AuditNote, DocChange, Facts, MAX_FACTS_PER_OP, Op};
use crate::outbox::{MessageEvent, MessageStatus};
use crate::run_writer::RunWriter;
use crate::runs::{DecisionRecord, MessageDetail, Outcome, RunRecord, RunStatus, StatCounts, StatKey};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::writer::{BULK_QUEUE, Change, Command, SINGLE_QUEUE, Writer};
use crate::{keys, records};

/// Message events in one op at most.
pub const MAX_EVENTS_PER_OP: usize = 4_096;
/// Messages of one customer that a look-up follows at most.
pub const MAX_HISTORY: usize = 500;

/// A province's state.
#[derive(Clone)]
pub struct State {
    shared: Arc<Shared>,
    single: mpsc::Sender<Command>,
    bulk: mpsc::Sender<Command>,
}

/// An inbound message (上行短信) as it came. Number and text are personal.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
pub struct InboundMessage {
    /// From 1.
    pub number: u64,
    /// When it was received.
    pub at: Moment,
    /// The link it came by.
    pub link: String,
    /// Who sent it.
    pub from: Phone,
    /// The number it was sent to.
    pub to: String,
    /// What it says.
    pub text: String,
    /// What the host made of it: `opt-out`, `inbox`, …
    pub handled: String,
}

/// What a link needs to submit a message.
#[derive(Clone, PartialEq, Debug)]
pub struct OutgoingMessage {
    /// Its id.
    pub id: MessageId,
    /// What it is about.
    pub topic: Topic,
    /// What was decided, with text and number.
    pub decision: DecisionRecord,
    /// Not to be submitted after.
    pub expires: Moment,
    /// Whether an earlier submit of it may have reached the carrier.
    pub maybe_twice: bool,
    /// Attempts that counted before.
    pub attempts: u8,
    /// Parts that no carrier has accepted, from 1.
    pub open: Vec<u8>,
}

/// How messages stand that are not final.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct OutboxDepth {
    /// Waiting, by queue: urgent and bulk.
    pub waiting: BTreeMap<u8, (usize, usize)>,
    /// By state.
    pub by_state: BTreeMap<MessageState, u64>,
    /// Reports that wait for their answer.
    pub parked: usize,
    /// Reports dropped because too many waited.
    pub parked_dropped: u64,
}

impl State {
    /// Opens the state in `store`: reads the checkpoint, replays the journal, puts cut-off submits back, marked.
    ///
    /// # Errors
    /// When the store cannot be read, or its content is of a later version or damaged.
    pub fn open(store: Arc<dyn Store>, sealer: Arc<Sealer>, clock: Clock) -> Result<(Self, LoadReport), StateError> {
        let shared = Arc::new(Shared {
            core: Core::default(),
            docs: RwLock::new(Docs::default()),
            store,
            sealer,
            clock,
            visible: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            next_run: AtomicU64::new(1),
            next_inbound: AtomicU64::new(1),
            publishing: Mutex::default(),
            failed: RwLock::new(None),
            changed: watch::Sender::new(0),
        });
        let loaded = load::load(&shared)?;
        let (single, single_rx) = mpsc::channel(SINGLE_QUEUE);
        let (bulk, bulk_rx) = mpsc::channel(BULK_QUEUE);
        let writer = Writer::new(Arc::clone(&shared), loaded.seq, loaded.audit_head, &bulk);
        std::thread::Builder::new()
            .name("state-writer".into())
            .spawn(move || writer.run(single_rx, bulk_rx))
            .map_err(|e| StateError::Failed(e.to_string()))?;
        let state = Self { shared, single, bulk };
        let mut report = loaded.report;
        report.cut_off = state.requeue_cut_off()?;
        Ok((state, report))
    }

    /// Messages whose submit was cut off go again, marked: the carrier may have them.
    fn requeue_cut_off(&self) -> Result<u64, StateError> {
        let cut_off = self.shared.core.outbox.read().cut_off();
        let not_before = self.shared.clock.now();
        for some in cut_off.chunks(MAX_EVENTS_PER_OP / 8) {
            let back = |part| MessageEvent::PartBack {
                part,
                not_before,
                code: String::new(),
                may_go_twice: true,
                counted: true,
            };
            let events = some.iter().flat_map(|(id, parts)| parts.iter().map(|p| (*id, back(*p)))).collect();
            let (reply, answer) = oneshot::channel();
            let mut change = Change::new(vec![Op::Messages(events)]);
            change.reply = Some(reply);
            // The queue is empty at start-up, so this never waits.
            self.single.try_send(Command::Change(Box::new(change))).map_err(|_| StateError::Closed)?;
            wait_outside_runtime(answer)?;
        }
        Ok(cut_off.len() as u64)
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    // ---- changes ----

    pub(crate) async fn submit(&self, change: Change) -> Result<Applied, StateError> {
        self.send(&self.single, change).await
    }

    pub(crate) async fn submit_bulk(&self, change: Change) -> Result<Applied, StateError> {
        self.send(&self.bulk, change).await
    }

    async fn send(&self, lane: &mpsc::Sender<Command>, mut change: Change) -> Result<Applied, StateError> {
        if let Some(why) = self.shared.failed.read().clone() {
            return Err(StateError::Failed(why));
        }
        let (reply, answer) = oneshot::channel();
        change.reply = Some(reply);
        lane.send(Command::Change(Box::new(change))).await.map_err(|_| StateError::Closed)?;
        answer.await.map_err(|_| StateError::Closed)?
    }

    /// Takes facts in, durable when this returns. `bulk` for imports: single changes overtake them.
    ///
    /// # Errors
    /// When there are too many rows for one op or the store refuses. Rows that are wrong are in the outcome.
    pub async fn facts(&self, facts: Facts, bulk: bool, audit: Vec<AuditNote>) -> Result<Applied, StateError> {
        if facts.len() > MAX_FACTS_PER_OP {
            let what = "a batch of facts".to_owned();
            return Err(StateError::Bound { what, bound: MAX_FACTS_PER_OP, hint: "send it in several" });
        }
        let mut change = Change::new(vec![facts.into_op()]);
        change.audit = audit;
        if bulk { self.submit_bulk(change).await } else { self.submit(change).await }
    }

    /// Replaces the org tree.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn set_org(&self, tree: OrgTree, audit: Vec<AuditNote>) -> Result<Applied, StateError> {
        let mut change = Change::new(vec![Op::Org(tree)]);
        change.audit = audit;
        self.submit(change).await
    }

    /// Changes one customer's contact, preferences or traits, with documents and audit notes in the same commit.
    ///
    /// # Errors
    /// When there is no such account or the store refuses.
    pub async fn change_customer(
        &self,
        account: AccountNumber,
        changes: Vec<CustomerChange>,
        docs: Vec<DocChange>,
        audit: Vec<AuditNote>,
    ) -> Result<Applied, StateError> {
        if self.find(account).is_none() {
            return Err(StateError::NoAccount(account));
        }
        let mut change = Change::new(changes.into_iter().map(|c| Op::Change(account, c)).collect());
        change.docs = docs;
        change.audit = audit;
        self.submit(change).await
    }

    /// Stores or deletes documents and writes audit notes, all in one commit.
    ///
    /// # Errors
    /// [`StateError::Conflict`] when a document is not at the version expected; then nothing is changed.
    pub async fn put_docs(&self, docs: Vec<DocChange>, audit: Vec<AuditNote>) -> Result<Applied, StateError> {
        let mut change = Change::new(Vec::new());
        change.docs = docs;
        change.audit = audit;
        self.submit(change).await
    }

    /// Applies message events, durable when this returns. Events that do not fit their message's state change nothing and are counted.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn message_events(&self, events: Vec<(MessageId, MessageEvent)>) -> Result<Applied, StateError> {
        self.submit(Change::new(vec![Op::Messages(events)])).await
    }

    /// Takes the carrier's reports on messages that went by `link`; reports that came before their answer are parked.
    ///
    /// # Errors
    /// When the store refuses: do not acknowledge them to the carrier then.
    pub async fn reports(&self, link: &str, reports: Vec<(u64, String)>) -> Result<Applied, StateError> {
        self.submit(Change::new(vec![Op::Reports(link.to_owned(), reports)])).await
    }

    /// Stores an inbound message together with what it changes for the accounts of its sender. Returns its number.
    ///
    /// # Errors
    /// When the store refuses: do not acknowledge it to the carrier then.
    pub async fn inbound(
        &self,
        mut message: InboundMessage,
        changes: Vec<(AccountNumber, CustomerChange)>,
        audit: Vec<AuditNote>,
    ) -> Result<u64, StateError> {
        message.number = self.shared.next_inbound.fetch_add(1, Ordering::AcqRel);
        let key = keys::long(keys::INBOUND, message.number);
        let mut change = Change::new(changes.into_iter().map(|(a, c)| Op::Change(a, c)).collect());
        change.puts.put(key.clone(), records::write(&self.shared.sealer, &key, &message)?);
        change.audit = audit;
        self.submit(change).await?;
        Ok(message.number)
    }

    /// Sets the status of a run: released, refused.
    ///
    /// # Errors
    /// When there is no such run or the store refuses.
    pub async fn set_run_status(
        &self,
        id: RunId,
        status: RunStatus,
        audit: Vec<AuditNote>,
    ) -> Result<Applied, StateError> {
        let mut record = (*self.run(id).ok_or(StateError::NoRun(id))?).clone();
        record.status = status.clone();
        let key = keys::run(keys::RUN, id);
        let mut change = Change::new(vec![Op::RunStatus(id, status)]);
        change.puts.put(key.clone(), records::write(&self.shared.sealer, &key, &record)?);
        change.audit = audit;
        self.submit(change).await
    }

    /// Begins a run over `prefecture`; one at a time for each.
    ///
    /// # Errors
    /// [`StateError::RunInProgress`] while another is not published, [`StateError::NoPrefecture`] without customers.
    pub async fn begin_run(&self, prefecture: PrefectureCode) -> Result<RunWriter, StateError> {
        RunWriter::begin(self, prefecture).await
    }

    /// Writes a checkpoint and waits for it.
    ///
    /// # Errors
    /// When the store refuses; the journal is kept then.
    pub async fn checkpoint(&self) -> Result<(), StateError> {
        let (reply, answer) = oneshot::channel();
        self.single.send(Command::Checkpoint(reply)).await.map_err(|_| StateError::Closed)?;
        answer.await.map_err(|_| StateError::Closed)?
    }

    /// Takes no more changes; returns when those taken are durable.
    pub async fn close(&self) {
        let (reply, answer) = oneshot::channel();
        if self.single.send(Command::Close(reply)).await.is_ok() {
            let _ = answer.await;
        }
    }

    // ---- what is true ----

    /// Told of every visible group of changes.
    #[must_use]
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changed.subscribe()
    }

    /// Why the state takes no more changes, once its store failed.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.shared.failed.read().clone()
    }

    /// The sequence of the last visible change.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.shared.visible.load(Ordering::Acquire)
    }

    /// The store, for backups.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// The org tree.
    #[must_use]
    pub fn org(&self) -> Arc<OrgTree> {
        Arc::clone(&self.shared.core.org.read())
    }

    /// Prefectures with customers, and how many.
    #[must_use]
    pub fn prefectures(&self) -> BTreeMap<PrefectureCode, u32> {
        self.shared.core.prefectures.read().iter().map(|(code, p)| (*code, p.read().rows())).collect()
    }

    /// Bytes that the customers' columns take in memory, by allocation.
    #[must_use]
    pub fn column_bytes(&self) -> u64 {
        self.shared.core.column_bytes()
    }

    /// The prefecture's columns as they are now.
    #[must_use]
    pub fn snapshot(&self, prefecture: PrefectureCode) -> Option<Snapshot> {
        let p = self.shared.core.prefecture(prefecture)?;
        let p = p.read();
        let seq = self.seq();
        Some(Snapshot {
            prefecture,
            seq,
            chunks: p.chunks.clone(),
            stations: Arc::clone(&p.stations),
            sections: Arc::clone(&p.sections),
            paid_rows: Arc::new(p.pending_payments(seq)),
            last_payment: p.payment_events.values().copied().max().unwrap_or(0),
            next_message: p.next_message,
        })
    }

    /// Where `account` is.
    #[must_use]
    pub fn find(&self, account: AccountNumber) -> Option<(PrefectureCode, u32)> {
        self.shared.core.find(account, None)
    }

    /// The customer `account` as it is now.
    #[must_use]
    pub fn customer(&self, account: AccountNumber) -> Option<(PrefectureCode, CustomerView)> {
        let (code, row) = self.find(account)?;
        Some((code, self.customer_at(code, row)?))
    }

    /// The customer at `row` of `prefecture` as it is now.
    #[must_use]
    pub fn customer_at(&self, prefecture: PrefectureCode, row: u32) -> Option<CustomerView> {
        self.shared.core.prefecture(prefecture)?.read().view(row)
    }

    /// The customer's name; personal. Empty when there is none or it was erased.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn name(&self, account: AccountNumber) -> Result<String, StateError> {
        let (code, row) = self.find(account).ok_or(StateError::NoAccount(account))?;
        if let Some(p) = self.shared.core.prefecture(code) {
            let p = p.read();
            if let Some(name) = p.names.get(&row).or_else(|| p.names_folding.get(&row)) {
                return Ok(name.clone());
            }
        }
        let names = read_names(&self.shared, code, row / PAGE_ROWS as u32)?;
        Ok(names.get(row as usize % PAGE_ROWS).cloned().unwrap_or_default())
    }

    /// Customers whose phone has `number`, up to `limit`: one look over the columns, about a millisecond for each million.
    #[must_use]
    pub fn by_phone(&self, number: u64, limit: usize) -> Vec<(PrefectureCode, CustomerView)> {
        let mut found = Vec::new();
        if number == 0 {
            return found;
        }
        for code in self.prefectures().into_keys() {
            let Some(snapshot) = self.snapshot(code) else { continue };
            for (c, chunk) in snapshot.chunks.iter().enumerate() {
                for (at, packed) in chunk.phone.iter().enumerate() {
                    if Phone::from_packed(*packed).number() == number {
                        let row = u32::try_from(c * gridbell_model::CHUNK_ROWS + at).unwrap_or(u32::MAX);
                        found.extend(snapshot.view(row).map(|v| (code, v)));
                        if found.len() >= limit {
                            return found;
                        }
                    }
                }
            }
        }
        found
    }

    /// How many messages the customer at `row` and the phone `number` have on `day`.
    #[must_use]
    pub fn told(&self, prefecture: PrefectureCode, row: u32, number: u64, day: Date) -> (u8, u8) {
        let told = self.shared.core.told.read();
        let by_row = told.by_row.get(&day.0).and_then(|m| m.get(&(prefecture.0, row))).copied().unwrap_or(0);
        let by_phone = told.by_phone.get(&day.0).and_then(|m| m.get(&number)).copied().unwrap_or(0);
        (by_row, by_phone)
    }

    /// A document.
    #[must_use]
    pub fn doc(&self, kind: &str, key: &str) -> Option<Doc> {
        self.shared.docs.read().get(kind, key)
    }

    /// All documents of a kind, by key.
    #[must_use]
    pub fn docs(&self, kind: &str) -> Vec<(String, Doc)> {
        self.shared.docs.read().list(kind)
    }

    // ---- runs and messages ----

    /// A run.
    #[must_use]
    pub fn run(&self, id: RunId) -> Option<Arc<RunRecord>> {
        self.shared.core.runs.read().by_id.get(&id).cloned()
    }

    /// Runs before `before` (all when none), newest first, that `wanted` takes, up to `limit`.
    #[must_use]
    pub fn runs(
        &self,
        before: Option<RunId>,
        limit: usize,
        wanted: impl Fn(&RunRecord) -> bool,
    ) -> Vec<Arc<RunRecord>> {
        let runs = self.shared.core.runs.read();
        let end = before.unwrap_or(RunId(u64::MAX));
        runs.by_id.range(..end).rev().map(|(_, r)| r).filter(|r| wanted(r)).take(limit).cloned().collect()
    }

    /// The decisions of a segment of a run, in order of row.
    ///
    /// # Errors
    /// When there is no such segment or it cannot be read.
    pub fn decisions(&self, run: RunId, segment: u32) -> Result<Vec<DecisionRecord>, StateError> {
        let key = keys::segment(run, segment);
        let value = self.shared.store.get(&key)?.ok_or(StateError::NoRun(run))?;
        records::read(&self.shared.sealer, &key, &value)
    }

    /// The run, the segment and the decision of message `id`.
    fn locate(&self, id: MessageId) -> Result<(Arc<RunRecord>, u32), StateError> {
        let run = self.shared.core.runs.read().of_message(id).cloned().ok_or(StateError::NoMessage(id))?;
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

    /// The run that queued message `id`.
    #[must_use]
    pub fn run_of(&self, id: MessageId) -> Option<Arc<RunRecord>> {
        self.shared.core.runs.read().of_message(id).cloned()
    }

    /// Whether parts of message `id` are in a link's hands.
    #[must_use]
    pub fn is_submitting(&self, id: MessageId) -> bool {
        let outbox = self.shared.core.outbox.read();
        outbox.live.get(&id).is_some_and(|l| l.status.state == MessageState::Submitting)
    }

    /// Where message `id` stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn message_status(&self, id: MessageId) -> Result<Option<MessageStatus>, StateError> {
        if let Some(live) = self.shared.core.outbox.read().live.get(&id) {
            return Ok(Some(live.status.clone()));
        }
        let block = read_statuses(&self.shared, id.prefecture(), id.number() / keys::STATUS_BLOCK)?;
        Ok(block.get(&(id.number() % keys::STATUS_BLOCK)).cloned())
    }

    /// The customer's messages, newest first, up to `limit` and [`MAX_HISTORY`].
    ///
    /// # Errors
    /// When there is no such account or the store cannot be read.
    pub fn messages_of(&self, account: AccountNumber, limit: usize) -> Result<Vec<MessageDetail>, StateError> {
        let (code, view) = self.customer(account).ok_or(StateError::NoAccount(account))?;
        let mut out = Vec::new();
        let mut number = view.last_message;
        while number != 0 && out.len() < limit.min(MAX_HISTORY) {
            let detail = self.message(MessageId::new(code, number))?;
            let Outcome::Queued(message) = &detail.decision.outcome else { break };
            number = message.previous;
            out.push(detail);
        }
        Ok(out)
    }

    /// Messages of `queue` that may go now, urgent first, as many as fit `parts`; `skip` leaves out those claimed or held.
    #[must_use]
    pub fn ready(&self, queue: u8, parts: usize, skip: impl Fn(MessageId, Topic) -> bool) -> Vec<MessageId> {
        self.shared.core.outbox.read().ready(queue, self.shared.clock.now(), parts, skip)
    }

    /// When the next message of `queue` may go; none when nothing waits.
    #[must_use]
    pub fn next_due(&self, queue: u8) -> Option<Moment> {
        self.shared.core.outbox.read().next_due(queue)
    }

    /// When the next queued message of any queue may go; none when nothing waits.
    #[must_use]
    pub fn next_due_any(&self) -> Option<Moment> {
        self.shared.core.outbox.read().next_due_any()
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
            let Some((topic, expires, maybe_twice, attempts, open)) = self.live_facts(*id) else { continue };
            let (run, segment) = self.locate(*id)?;
            let by_number = match segments.entry((run.id, segment)) {
                std::collections::btree_map::Entry::Occupied(e) => e.into_mut(),
                std::collections::btree_map::Entry::Vacant(e) => e.insert(numbered(self.decisions(run.id, segment)?)),
            };
            let decision = by_number.remove(&id.number()).ok_or(StateError::NoMessage(*id))?;
            out.push(OutgoingMessage { id: *id, topic, decision, expires, maybe_twice, attempts, open });
        }
        Ok(out)
    }

    fn live_facts(&self, id: MessageId) -> Option<(Topic, Moment, bool, u8, Vec<u8>)> {
        let outbox = self.shared.core.outbox.read();
        let live = outbox.live.get(&id).filter(|l| !l.status.state.is_final())?;
        Some((live.topic, live.expires, live.status.maybe_twice, live.status.attempts, live.open()))
    }

    /// Messages that are not final and that `wanted` takes (id, run, topic, queue, state, submitted, expires), up to `limit`, in order of id.
    #[must_use]
    pub fn live(&self, limit: usize, wanted: impl Fn(&LiveMessage) -> bool) -> Vec<LiveMessage> {
        let outbox = self.shared.core.outbox.read();
        let all = outbox.live.iter().filter(|(_, l)| !l.status.state.is_final()).map(|(id, l)| LiveMessage {
            id: *id,
            run: l.run,
            topic: l.topic,
            queue: l.data.queue,
            state: l.status.state,
            submitted_at: l.status.submitted_at,
            expires: l.expires,
            channel: l.channel(),
        });
        let mut found: Vec<LiveMessage> = all.filter(|l| wanted(l)).collect();
        found.sort_unstable_by_key(|l| l.id);
        found.truncate(limit);
        found
    }

    /// How the outbox stands.
    #[must_use]
    pub fn depth(&self) -> OutboxDepth {
        let outbox = self.shared.core.outbox.read();
        let mut by_state: BTreeMap<MessageState, u64> = BTreeMap::new();
        for live in outbox.live.values() {
            *by_state.entry(live.status.state).or_default() += 1;
        }
        OutboxDepth {
            waiting: outbox.depths(),
            by_state,
            parked: outbox.parked().count(),
            parked_dropped: outbox.parked_dropped,
        }
    }

    /// Statistics of the days from `from` to `to`, both included.
    #[must_use]
    pub fn stats(&self, from: Date, to: Date) -> Vec<(StatKey, StatCounts)> {
        self.shared
            .core
            .stats
            .read()
            .iter()
            .filter(|(k, _)| from <= k.day && k.day <= to)
            .map(|(k, c)| (*k, *c))
            .collect()
    }

    /// Inbound messages, newest first, before `before`, up to `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn inbound_messages(&self, before: Option<u64>, limit: usize) -> Result<Vec<InboundMessage>, StateError> {
        let mut number = before.unwrap_or_else(|| self.shared.next_inbound.load(Ordering::Acquire));
        let mut out = Vec::new();
        while number > 1 && out.len() < limit {
            number -= 1;
            let key = keys::long(keys::INBOUND, number);
            if let Some(value) = self.shared.store.get(&key)? {
                out.push(records::read(&self.shared.sealer, &key, &value)?);
            }
        }
        Ok(out)
    }

    // ---- audit ----

    /// Audit entries from number `from` on, up to `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn audit(&self, from: u64, limit: usize) -> Result<Vec<AuditEntry>, StateError> {
        let mut out = Vec::new();
        let mut failure = None;
        let range = KeyRange::prefix_from(&[keys::AUDIT], &keys::long(keys::AUDIT, from));
        self.shared.store.scan(&range, &mut |key, value| {
            match records::read(&self.shared.sealer, key, value) {
                Ok(entry) => out.push(entry),
                Err(e) => failure = Some(e),
            }
            Ok(if failure.is_some() || out.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        failure.map_or(Ok(out), Err)
    }

    /// Verifies the whole audit log; how many entries it has, or where it breaks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify_audit(&self) -> Result<Result<u64, AuditBreak>, StateError> {
        const AT_ONCE: usize = 1_000;
        let mut last: Option<AuditEntry> = None;
        loop {
            let entries = self.audit(last.as_ref().map_or(1, |l| l.number + 1), AT_ONCE)?;
            if entries.is_empty() {
                return Ok(Ok(last.map_or(0, |l| l.number)));
            }
            for entry in entries {
                if let Err(broken) = entry.verify(last.as_ref()) {
                    return Ok(Err(broken));
                }
                last = Some(entry);
            }
        }
    }
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
    /// Not to be submitted after.
    pub expires: Moment,
    /// Where it goes.
    pub channel: gridbell_model::Channel,
}

fn numbered(decisions: Vec<DecisionRecord>) -> BTreeMap<u32, DecisionRecord> {
    let number = |d: &DecisionRecord| match &d.outcome {
        Outcome::Queued(m) => Some(m.number),
        Outcome::Held(_) => None,
    };
    decisions.into_iter().filter_map(|d| Some((number(&d)?, d))).collect()
}

/// Waits for an answer whether or not the caller is inside a runtime: [`State::open`] may be called from both.
fn wait_outside_runtime(answer: oneshot::Receiver<Result<Applied, StateError>>) -> Result<Applied, StateError> {
    std::thread::scope(|scope| scope.spawn(|| answer.blocking_recv()).join())
        .map_err(|_| StateError::Closed)?
        .map_err(|_| StateError::Closed)?
}
