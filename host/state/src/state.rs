//! The handle on a province's state: what everybody else calls. Cheap to clone.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gridbell_clock::Clock;
use gridbell_model::{
    AccountNumber, CarrierKey, CustomerView, Date, MessageId, OrgTree, Phone, PrefectureCode, RunId, Topic, Traits,
};
use gridbell_store::{BackupError, BackupSummary, Batch, Sealer, Store};
use tokio::sync::{mpsc, oneshot, watch};

use crate::checkpoint::read_names;
use crate::columns::PAGE_ROWS;
use crate::docs::Doc;
use crate::error::StateError;
use crate::facts::{CustomerChange, CustomerFact};
use crate::load::{self, LoadReport};
use crate::ops::{Applied, AuditNote, DocChange, Facts, MAX_FACTS_PER_OP, Op};
use crate::outbox::MessageEvent;
use crate::replies::InboundMessage;
use crate::run_writer::RunWriter;
use crate::runs::{Outcome, RunStatus};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::writer::{BULK_QUEUE, Change, Command, SINGLE_QUEUE, Writer};
use crate::{keys, records};

/// Message events in one op at most.
pub const MAX_EVENTS_PER_OP: usize = 4_096;

/// A change that is in its lane.
#[derive(Debug)]
#[must_use = "whether it was taken in is known only when it is durable"]
pub struct Handed(oneshot::Receiver<Result<Applied, StateError>>);

impl Handed {
    /// Waits until the change is durable and visible.
    ///
    /// # Errors
    /// When the store refuses; then nothing is changed.
    pub async fn durable(self) -> Result<Applied, StateError> {
        self.0.await.map_err(|_| StateError::Closed)?
    }
}

/// A province's state.
#[derive(Clone)]
pub struct State {
    shared: Arc<Shared>,
    single: mpsc::Sender<Command>,
    bulk: mpsc::Sender<Command>,
}

impl State {
    /// Opens the state in `store`: reads the checkpoint, replays the journal, puts cut-off submits back, marked.
    ///
    /// # Errors
    /// When the store cannot be read, or its content is of a later version or damaged.
    pub fn open(store: Arc<dyn Store>, sealer: Arc<Sealer>, clock: Clock) -> Result<(Self, LoadReport), StateError> {
        Self::open_with_history(store, sealer, clock, None)
    }

    /// As [`State::open`], with the directory in which what the journal said is kept, so that the state of a run can be rebuilt.
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn open_with_history(
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        clock: Clock,
        history: Option<PathBuf>,
    ) -> Result<(Self, LoadReport), StateError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|e| StateError::Failed(e.to_string()))?;
        let (state, report, writer) = Self::prepare(store, sealer, clock, history)?;
        std::thread::Builder::new()
            .name("state-writer".into())
            .spawn(move || runtime.block_on(writer))
            .map_err(|e| StateError::Failed(e.to_string()))?;
        Ok((state, report))
    }

    /// As [`State::open`], with the writer as a task of the current runtime instead of a thread of its own. For simulations alone: on one
    /// thread the same things happen in the same order each time, and whoever drops the runtime has killed the process. Commits block it.
    ///
    /// # Errors
    /// As [`State::open`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open_on_runtime(
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        clock: Clock,
    ) -> Result<(Self, LoadReport), StateError> {
        let (state, report, writer) = Self::prepare(store, sealer, clock, None)?;
        tokio::spawn(writer);
        Ok((state, report))
    }

    fn prepare(
        store: Arc<dyn Store>,
        sealer: Arc<Sealer>,
        clock: Clock,
        history: Option<PathBuf>,
    ) -> Result<(Self, LoadReport, impl Future<Output = ()> + Send + 'static), StateError> {
        let shared = Arc::new(Shared::of(store, sealer, clock, history));
        let loaded = load::load(&shared)?;
        let (single, single_rx) = mpsc::channel(SINGLE_QUEUE);
        let (bulk, bulk_rx) = mpsc::channel(BULK_QUEUE);
        let mut writer = Writer::new(Arc::clone(&shared), loaded.seq, loaded.audit_head, loaded.kept, &bulk);
        let mut report = loaded.report;
        report.cut_off = requeue_cut_off(&shared, &mut writer)?;
        Ok((Self { shared, single, bulk }, report, writer.run(single_rx, bulk_rx)))
    }

    /// A state that is there to be read: it takes no changes.
    pub(crate) fn frozen(shared: Arc<Shared>) -> Self {
        let (single, bulk) = (mpsc::channel(1).0, mpsc::channel(1).0);
        Self { shared, single, bulk }
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

    async fn send(&self, lane: &mpsc::Sender<Command>, change: Change) -> Result<Applied, StateError> {
        self.hand(lane, change).await?.durable().await
    }

    /// Changes are made in the order in which they are handed over in a lane.
    async fn hand(&self, lane: &mpsc::Sender<Command>, mut change: Change) -> Result<Handed, StateError> {
        if let Some(why) = self.shared.failed.read().clone() {
            return Err(StateError::Failed(why));
        }
        let (reply, answer) = oneshot::channel();
        change.reply = Some(reply);
        lane.send(Command::Change(Box::new(change))).await.map_err(|_| StateError::Closed)?;
        Ok(Handed(answer))
    }

    /// Takes facts in, durable when this returns. `bulk` for imports: single changes overtake them.
    ///
    /// # Errors
    /// When there are too many rows for one op or the store refuses. Rows that are wrong are in the outcome.
    pub async fn facts(&self, facts: Facts, bulk: bool, audit: Vec<AuditNote>) -> Result<Applied, StateError> {
        self.hand_facts(facts, bulk, audit).await?.durable().await
    }

    /// The same in two steps, for several batches under way at once: they are taken in in the order in which these calls return, so that of two
    /// rows about one customer the later one of a file holds.
    ///
    /// # Errors
    /// When there are too many rows for one op; the rest comes with [`Handed::durable`].
    pub async fn hand_facts(&self, facts: Facts, bulk: bool, audit: Vec<AuditNote>) -> Result<Handed, StateError> {
        if facts.len() > MAX_FACTS_PER_OP {
            let what = "a batch of facts".to_owned();
            return Err(StateError::Bound { what, bound: MAX_FACTS_PER_OP, hint: "send it in several" });
        }
        let left = match &facts {
            Facts::Customers(rows) => self.leaving_holders(rows),
            _ => Vec::new(),
        };
        let mut ops = vec![facts.into_op()];
        ops.extend((!left.is_empty()).then_some(Op::Void(left)));
        let mut change = Change::new(ops);
        change.audit = audit;
        self.hand(if bulk { &self.bulk } else { &self.single }, change).await
    }

    /// Customers whom `rows` closes or hands over and who were not before.
    fn leaving_holders(&self, rows: &[CustomerFact]) -> Vec<AccountNumber> {
        let closed = |t: Traits, given: Traits| given.has(Traits::CLOSED) && t.has(Traits::CLOSED);
        let was_open = |a: AccountNumber| self.customer(a).is_some_and(|(_, v)| !v.traits.has(Traits::CLOSED));
        let leaving = rows.iter().filter(|r| closed(r.traits, r.traits_given)).map(|r| r.account);
        leaving.filter(|a| was_open(*a)).collect()
    }

    /// Replaces the org tree.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn set_org(&self, tree: OrgTree, audit: Vec<AuditNote>) -> Result<Applied, StateError> {
        self.set_org_with(tree, Vec::new(), audit).await
    }

    /// Replaces the org tree, with documents in the same commit.
    ///
    /// # Errors
    /// [`StateError::Conflict`] when a document is not at the version expected; then nothing is changed.
    pub async fn set_org_with(
        &self,
        tree: OrgTree,
        docs: Vec<DocChange>,
        audit: Vec<AuditNote>,
    ) -> Result<Applied, StateError> {
        let mut change = Change::new(vec![Op::Org(tree)]);
        change.docs = docs;
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
        let erases = changes.iter().any(|c| matches!(c, CustomerChange::Erase));
        // Erased, closed or handed over (过户): what was the holder's own goes in the same commit.
        let leaves = |c: &CustomerChange| match c {
            CustomerChange::Erase => true,
            CustomerChange::Traits { bits, on } => *on && bits.has(Traits::CLOSED),
            _ => false,
        };
        let void = self.void_ops(account, changes.iter().any(leaves), erases);
        let mut change = Change::new(changes.into_iter().map(|c| Op::Change(account, c)).chain(void).collect());
        change.docs = docs;
        change.audit = audit;
        if erases {
            let state = self.clone();
            let work = move || state.without_samples(account);
            change.puts = self.shared.clock.offload(work).await.map_err(|e| StateError::Refused(e.to_string()))??;
        }
        self.submit(change).await
    }

    /// The segments of samples without the texts about `account`: they were never said to the customer, so nothing has to explain them.
    fn without_samples(&self, account: AccountNumber) -> Result<Batch, StateError> {
        let mut puts = Batch::new();
        let Some((prefecture, _)) = self.customer(account) else { return Ok(puts) };
        for run in self.runs(None, usize::MAX, |r| r.is_samples() && r.prefecture == prefecture) {
            for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
                let mut decisions = self.decisions(run.id, segment)?;
                let mut changed = false;
                for decision in decisions.iter_mut().filter(|d| d.account == account) {
                    let Outcome::Queued(message) = &mut decision.outcome else { continue };
                    changed |= !message.text.is_empty();
                    message.text.clear();
                }
                if changed {
                    let key = keys::segment(run.id, segment);
                    let value = records::write(&self.shared.sealer, &key, &decisions)?;
                    puts.put(key, value);
                }
            }
        }
        Ok(puts)
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
    pub async fn reports(&self, link: &str, reports: Vec<(CarrierKey, String)>) -> Result<Applied, StateError> {
        self.submit(Change::new(Op::reports(link, reports))).await
    }

    /// Stores an inbound message together with what it changes for the accounts of its sender. Returns its number.
    ///
    /// # Errors
    /// When the store refuses: do not acknowledge it to the carrier then.
    pub async fn inbound(
        &self,
        message: InboundMessage,
        changes: Vec<(AccountNumber, CustomerChange)>,
        audit: Vec<AuditNote>,
    ) -> Result<u64, StateError> {
        self.inbound_with(message, changes, |_| Ok(Vec::new()), audit).await
    }

    /// As [`State::inbound`], with documents that name its number.
    ///
    /// # Errors
    /// As there, and where `docs` fails.
    pub async fn inbound_with(
        &self,
        mut message: InboundMessage,
        changes: Vec<(AccountNumber, CustomerChange)>,
        docs: impl FnOnce(u64) -> Result<Vec<DocChange>, StateError>,
        audit: Vec<AuditNote>,
    ) -> Result<u64, StateError> {
        message.number = self.shared.next_inbound.fetch_add(1, Ordering::AcqRel);
        let key = keys::long(keys::INBOUND, message.number);
        let mut change = Change::new(changes.into_iter().map(|(a, c)| Op::Change(a, c)).collect());
        change.docs = docs(message.number)?;
        change.puts.put(key.clone(), records::write(&self.shared.sealer, &key, &message)?);
        change.audit = audit;
        self.submit(change).await?;
        self.shared.shown_inbound.fetch_max(message.number + 1, Ordering::AcqRel);
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
        RunWriter::begin(self, prefecture, None).await
    }

    /// Begins the publication of a pilot's samples: messages to test numbers, each with the row and the facts of the customer that it is about, who is
    /// told nothing by it. They are kept, queued, reported, recalled and archived as a run's; [`crate::RunRecord::is_samples`] tells them apart.
    ///
    /// # Errors
    /// As [`State::begin_run`].
    pub async fn begin_samples(&self, prefecture: PrefectureCode) -> Result<RunWriter, StateError> {
        RunWriter::begin_samples(self, prefecture).await
    }

    /// Begins the publication of answers to what customers wrote: messages as a run's, which no policy decided;
    /// [`crate::RunRecord::is_answers`] tells them apart.
    ///
    /// # Errors
    /// As [`State::begin_run`].
    pub async fn begin_answers(&self, prefecture: PrefectureCode) -> Result<RunWriter, StateError> {
        RunWriter::begin_answers(self, prefecture).await
    }

    /// Begins a run that reads `snapshot`, taken earlier: one that publishes no message, since their numbers go on from the newest.
    ///
    /// # Errors
    /// As [`State::begin_run`].
    pub async fn begin_run_on(&self, snapshot: Snapshot) -> Result<RunWriter, StateError> {
        RunWriter::begin(self, snapshot.prefecture(), Some(snapshot)).await
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

    /// Resolves with the first group of changes that becomes visible after this call; those who wait go on in the order in which they asked.
    pub fn next_change(&self) -> impl Future<Output = ()> + Send + '_ {
        self.shared.next_change.notified()
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

    /// Writes a backup of this instant to `out`, beside whatever is committed meanwhile. Blocks; the caller makes the file durable.
    ///
    /// # Errors
    /// When `out` or the store fails, or another backup runs.
    pub fn back_up(&self, out: &mut dyn std::io::Write) -> Result<BackupSummary, BackupError> {
        gridbell_store::backup(&*self.shared.store, self.shared.clock.now(), out, &mut |_| {})
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
        // Between two groups: what a group changes becomes visible all at once, so that its sequence says exactly what is in it.
        let _whole_groups = self.shared.applying.read();
        let p = p.read();
        let seq = self.seq();
        Some(Snapshot {
            prefecture,
            seq,
            chunks: p.chunks.clone(),
            stations: Arc::clone(&p.stations),
            sections: Arc::clone(&p.sections),
            waiting: Arc::new(p.waiting_payments(seq)),
            next_message: p.next_message,
            ported: self.ported(),
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

    /// Customers who had `number` before the one that they have now, and were told something then, up to `limit`.
    #[must_use]
    pub fn formerly_by_phone(&self, number: u64, limit: usize) -> Vec<(PrefectureCode, CustomerView)> {
        let mut found = Vec::new();
        for (code, p) in self.shared.core.prefectures.read().iter() {
            let p = p.read();
            let had = p.beside.former_numbers.iter().filter(|(_, numbers)| numbers.contains(&number));
            let views = had.filter_map(|(row, _)| p.view(*row)).filter(|view| view.phone.number() != number);
            found.extend(views.take(limit - found.len()).map(|view| (*code, view)));
        }
        found
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

    /// How many messages about any of `topics` the customer at `row` and the phone `number` have on `day`.
    #[must_use]
    pub fn told(&self, prefecture: PrefectureCode, row: u32, number: u64, day: Date, topics: &[Topic]) -> (u8, u8) {
        let told = self.shared.core.told.read();
        let (rows, phones) = (told.by_row.get(&day.0), told.by_phone.get(&day.0));
        topics.iter().fold((0, 0), |(by_row, by_phone): (u8, u8), topic| {
            let row = rows.and_then(|m| m.get(&(prefecture.0, row, *topic))).copied().unwrap_or(0);
            let phone = phones.and_then(|m| m.get(&(number, *topic))).copied().unwrap_or(0);
            (by_row.saturating_add(row), by_phone.saturating_add(phone))
        })
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

    /// How many documents of a kind there are.
    #[must_use]
    pub fn count_docs(&self, kind: &str) -> usize {
        self.shared.docs.read().count(kind)
    }
}

/// Messages whose submit was cut off go again, marked: the carrier may have them.
fn requeue_cut_off(shared: &Shared, writer: &mut Writer) -> Result<u64, StateError> {
    let cut_off = shared.core.outbox.read().cut_off();
    let not_before = shared.clock.now();
    for some in cut_off.chunks(MAX_EVENTS_PER_OP / 8) {
        let back =
            |part| MessageEvent::PartBack { part, not_before, code: String::new(), may_go_twice: true, counted: true };
        let events = some.iter().flat_map(|(id, parts)| parts.iter().map(|p| (*id, back(*p)))).collect();
        writer.commit_first(Change::new(vec![Op::Messages(events)]))?;
    }
    Ok(cut_off.len() as u64)
}
