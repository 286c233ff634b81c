//! Outages and fault reports: the book of `gridbell-outages`, kept durable. A step is drafted from the book, written down in one commit with its
//! audit note, and then counts; whom an outage concerns is asked of the grid as it is then.
//!
//! Whoever tells customers listens to [`Outages::changes`], asks the book what is [due](gridbell_outages::Book::due), and says with
//! [`Outages::told`] that everybody was told of a revision. This module must never let a step count that was not committed, and never tell anybody
//! anything itself.

mod reach;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_model::{Moment, PrefectureCode};
use gridbell_outages::{
    Affected, Book, Content, Crew, DraftOrder, Error, Kind, Outage, OutageId, Reach, Report, ReportOrder, SYSTEM,
    Scope, ShortNotice, StepOrder,
};
use gridbell_state::{AuditNote, DocChange, State};
use parking_lot::RwLock;
use tokio::sync::watch;

use crate::documents::note;
use crate::error::HostError;
use crate::person::person_of;
use reach::OfState;
pub use record::OutageRules;

/// What can be done with an outage, with what each step needs to be known.
#[derive(Clone, Debug)]
pub enum OutageStep {
    /// Write the draft anew.
    Edit(Content),
    /// Agree; with why a short notice is right.
    Approve(Option<String>),
    /// Make it count.
    Publish,
    /// Change what was published; with who answers for a short notice.
    Change(Content, Option<ShortNotice>),
    /// The power went off.
    Begin,
    /// It is back for a part.
    RestorePart(Scope),
    /// It is back for all, since then.
    Restore(Moment),
    /// It does not take place.
    Cancel,
}

impl OutageStep {
    fn action(&self) -> &'static str {
        match self {
            Self::Edit(_) => "outage.edit",
            Self::Approve(_) => "outage.approve",
            Self::Publish => "outage.publish",
            Self::Change(..) => "outage.change",
            Self::Begin => "outage.begin",
            Self::RestorePart(_) => "outage.restore-part",
            Self::Restore(_) => "outage.restore",
            Self::Cancel => "outage.cancel",
        }
    }
}

/// What a step came to, or would come to.
#[derive(Clone, Debug)]
pub struct OutageOutcome {
    /// The outage.
    pub outage: Arc<Outage>,
    /// Whom its last revision concerns; of a draft, whom it would.
    pub affected: Affected,
    /// Whether the step changed anything.
    pub changed: bool,
}

/// Outages and fault reports. Cheap to clone.
#[derive(Clone)]
pub struct Outages(Arc<Inner>);

struct Inner {
    state: State,
    clock: Clock,
    book: RwLock<Book>,
    rules: RwLock<BTreeMap<PrefectureCode, OutageRules>>,
    /// One change at a time: what is drafted from the book is true until it is written.
    changing: Arc<tokio::sync::Mutex<()>>,
    /// Counts changes of the book.
    changed: watch::Sender<u64>,
}

/// Whoever has it may change the book.
type Turn = tokio::sync::OwnedMutexGuard<()>;

/// What a change is in the book, once it is durable.
enum Entry {
    Outage(Box<Outage>, Affected, Vec<OutageId>),
    Reports(Vec<Report>, Vec<gridbell_outages::ReportId>),
    Rules(PrefectureCode, OutageRules),
}

impl Outages {
    /// Reads what the state has of them, and asks the grid whom those that count concern.
    ///
    /// # Errors
    /// When a document cannot be read.
    pub fn open(state: State, clock: Clock) -> Result<Self, HostError> {
        let (mut book, rules) = (record::book(&state)?, record::rules(&state)?);
        let (reach, now) = (OfState(&state), clock.now());
        let open: Vec<Arc<Outage>> = book.open().cloned().collect();
        for outage in &open {
            let prefecture = outage.head.prefecture;
            if let Some(told) = outage.told() {
                book.set_before(outage.id(), told.affected(prefecture, &reach, now));
            }
            book.set_affected(outage.id(), outage.latest().affected(prefecture, &reach, now));
        }
        for outage in open {
            // A kill between the outage and its reports parts them until here.
            book.attached_by(outage.id(), now).into_iter().for_each(|r| book.put_report(r));
        }
        let (changed, _) = watch::channel(0);
        let (book, rules) = (RwLock::new(book), RwLock::new(rules));
        Ok(Self(Arc::new(Inner { state, clock, book, rules, changing: Arc::default(), changed })))
    }

    /// Reads from the book. Nothing changes while `read` looks: it must be quick.
    pub fn book<T>(&self, read: impl FnOnce(&Book) -> T) -> T {
        read(&self.0.book.read())
    }

    /// Counts up whenever the book changes.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// What a prefecture asks of outages.
    #[must_use]
    pub fn rules(&self, prefecture: PrefectureCode) -> OutageRules {
        self.0.rules.read().get(&prefecture).cloned().unwrap_or_default()
    }

    /// Replaces [`Outages::rules`]. What was published keeps what was found then.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn set_rules(&self, prefecture: PrefectureCode, rules: OutageRules, who: &str) -> Result<(), HostError> {
        let held = self.turn().await;
        let audit = note(who, "outage.rules", &prefecture.to_string(), &rules);
        let docs = vec![record::put_rules(prefecture, &rules)?];
        self.write(held, docs, vec![audit], Entry::Rules(prefecture, rules)).await
    }

    async fn turn(&self) -> Turn {
        Arc::clone(&self.0.changing).lock_owned().await
    }

    fn now(&self) -> Moment {
        self.0.clock.now()
    }

    /// Whom `outage` concerns; of a draft, whom it would. That may be a whole city: not for the runtime's threads.
    async fn affected(&self, outage: &Arc<Outage>) -> Result<Affected, HostError> {
        let (outages, outage, now) = (self.clone(), Arc::clone(outage), self.now());
        let work = move || {
            let (reach, latest, prefecture) = (OfState(&outages.0.state), outage.latest(), outage.head.prefecture);
            match latest.phase.is_public() {
                true => latest.affected(prefecture, &reach, now),
                false => reach.affected(prefecture, &latest.content.scope, &[], now),
            }
        };
        self.0.clock.offload(work).await.map_err(|e| HostError::Task(e.to_string()))
    }

    /// Enters an outage: a draft, or with `publish` a fault that counts at once. With `dry_run` only says what it would be.
    ///
    /// # Errors
    /// Where it breaks a rule, names what is not there, or the store refuses.
    pub async fn enter(
        &self,
        order: DraftOrder,
        publish: bool,
        who: &str,
        dry_run: bool,
    ) -> Result<OutageOutcome, HostError> {
        OfState(&self.0.state).check(&order.content.scope)?;
        let held = self.turn().await;
        let rules = self.rules(order.prefecture).lead;
        let order = DraftOrder { by: person_of(who).to_owned(), ..order };
        let now = self.now();
        let (outage, action) = self.book(|book| match publish {
            true => book.declare(order, &rules, now).map(|o| (o, "outage.declare")),
            false => book.draft(order, now).map(|o| (o, "outage.draft")),
        })?;
        self.finish(held, outage, action, who, dry_run).await
    }

    /// Takes a step of an outage. With `dry_run` only says what it would come to.
    ///
    /// # Errors
    /// Where the step cannot follow, the outage is at another edition, a rule is broken, or the store refuses.
    pub async fn step(
        &self,
        order: StepOrder,
        step: OutageStep,
        who: &str,
        dry_run: bool,
    ) -> Result<OutageOutcome, HostError> {
        let held = self.turn().await;
        let (now, action, id) = (self.now(), step.action(), order.id);
        let before = self.book(|book| book.outage(id).cloned()).ok_or(Error::NoOutage(id))?;
        let (reach, known) = (OfState(&self.0.state), &before.latest().content.scope);
        match &step {
            // What was taken out of the grid since must not keep a delay from people.
            OutageStep::Edit(content) | OutageStep::Change(content, _) if content.scope != *known => {
                reach.check(&content.scope)?;
            }
            OutageStep::RestorePart(part) => reach.check(part)?,
            _ => {}
        }
        let rules = self.rules(before.head.prefecture).lead;
        let order = StepOrder { by: person_of(who).to_owned(), ..order };
        let made = self.book(|book| match step {
            OutageStep::Edit(content) => book.edit(order, content, now).map(Some),
            OutageStep::Approve(short_notice) => book.approve(order, short_notice, now).map(Some),
            OutageStep::Publish => book.publish(order, &rules, now).map(Some),
            OutageStep::Change(content, short) => book.change(order, content, short, &rules, now),
            OutageStep::Begin => book.begin(order, now).map(Some),
            OutageStep::RestorePart(part) => book.restore_part(order, part, now).map(Some),
            OutageStep::Restore(at) => book.restore(order, at, now).map(Some),
            OutageStep::Cancel => book.cancel(order, now).map(Some),
        })?;
        match made {
            Some(outage) => self.finish(held, outage, action, who, dry_run).await,
            None => Ok(OutageOutcome { affected: self.affected(&before).await?, outage: before, changed: false }),
        }
    }

    /// Keeps what the crew of a fault did.
    ///
    /// # Errors
    /// Where the outage does not count, or the store refuses.
    pub async fn crew(&self, id: OutageId, what: Crew, who: &str) -> Result<OutageOutcome, HostError> {
        let held = self.turn().await;
        let outage = self.book(|book| book.crew(id, what, person_of(who), self.now()))?;
        self.finish(held, outage, "outage.crew", who, false).await
    }

    /// Keeps that everybody was told of revision `number`.
    ///
    /// # Errors
    /// Where there is no such revision, or the store refuses.
    pub async fn told(&self, id: OutageId, number: u32) -> Result<(), HostError> {
        let held = self.turn().await;
        let outage = self.book(|book| book.told(id, number))?;
        let affected = self.book(|book| book.affected(id).cloned()).unwrap_or_default();
        let docs = record::put(&outage)?;
        self.write(held, docs, Vec::new(), Entry::Outage(Box::new(outage), affected, Vec::new())).await
    }

    async fn finish(
        &self,
        held: Turn,
        outage: Outage,
        action: &'static str,
        who: &str,
        dry_run: bool,
    ) -> Result<OutageOutcome, HostError> {
        let shown = Arc::new(outage.clone());
        let affected = self.affected(&shown).await?;
        let outcome = OutageOutcome { outage: shown, affected: affected.clone(), changed: true };
        if dry_run {
            return Ok(outcome);
        }
        let id = outage.id();
        let over = self.book(Book::over);
        let gone = self.book(|book| over.iter().filter_map(|o| book.outage(*o).cloned()).collect::<Vec<_>>());
        let mut docs = record::put(&outage)?;
        docs.extend(gone.iter().flat_map(|o| record::forget(o)));
        let audit = record::audit(who, action, &outage);
        self.write(held, docs, vec![audit], Entry::Outage(Box::new(outage), affected, over)).await?;
        self.attach(id).await?;
        Ok(outcome)
    }

    /// Attaches reports that a fault explains now.
    async fn attach(&self, id: OutageId) -> Result<(), HostError> {
        let held = self.turn().await;
        let reports = self.book(|book| book.attached_by(id, self.now()));
        if reports.is_empty() {
            return Ok(());
        }
        let docs = reports.iter().map(record::put_report).collect::<Result<_, _>>()?;
        self.write(held, docs, Vec::new(), Entry::Reports(reports, Vec::new())).await
    }

    /// Enters a fault report, attached to the fault that explains it. Enough of them at one transformer enter a draft of a fault, by the host: which
    /// is answered, too.
    ///
    /// # Errors
    /// Where it breaks a rule, or the store refuses.
    pub async fn report(&self, order: ReportOrder, who: &str) -> Result<(Report, Option<Arc<Outage>>), HostError> {
        let reach = OfState(&self.0.state);
        let fed = order.account.and_then(|account| reach.transformer_of(account));
        let prefecture = order.prefecture;
        let order = ReportOrder { transformer: order.transformer.or(fed), ..order };
        if let Some(code) = &order.transformer {
            reach.check(&Scope::transformer(code))?;
        }
        let held = self.turn().await;
        let report = self.book(|book| book.take_report(order, self.now()))?;
        let over = self.book(Book::old_reports);
        let mut docs = vec![record::put_report(&report)?];
        docs.extend(over.iter().map(|id| record::forget_report(*id)));
        let audit = record::audit_report(who, &report);
        self.write(held, docs, vec![audit], Entry::Reports(vec![report.clone()], over)).await?;
        Ok((report, self.propose(prefecture).await?))
    }

    /// Enters the first fault that reports speak for: with each report there is at most one more.
    async fn propose(&self, prefecture: PrefectureCode) -> Result<Option<Arc<Outage>>, HostError> {
        let (rule, now) = (self.rules(prefecture).proposal, self.now());
        let Some(order) = self.book(|book| book.proposals(prefecture, rule, now)).into_iter().next() else {
            return Ok(None);
        };
        debug_assert_eq!(order.kind, Kind::Fault);
        let entered = self.enter(order, false, SYSTEM, false).await?;
        Ok(Some(entered.outage))
    }

    /// Makes a change durable, then visible. In a task of its own: a caller who goes away must not part the two.
    async fn write(
        &self,
        held: Turn,
        docs: Vec<DocChange>,
        audit: Vec<AuditNote>,
        entry: Entry,
    ) -> Result<(), HostError> {
        let outages = self.clone();
        let work = async move {
            outages.0.state.put_docs(docs, audit).await?;
            let clock = outages.0.clock.clone();
            // Listing a city's customers takes a moment, too.
            let visible =
                clock.offload(move || outages.put_in(entry)).await.map_err(|e| HostError::Task(e.to_string()));
            drop(held);
            visible
        };
        tokio::spawn(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn put_in(&self, entry: Entry) {
        let mut book = self.0.book.write();
        match entry {
            Entry::Outage(outage, affected, over) => {
                over.into_iter().for_each(|id| book.remove(id));
                let id = outage.id();
                book.put(*outage);
                book.set_affected(id, affected);
            }
            Entry::Reports(reports, over) => {
                over.into_iter().for_each(|id| book.remove_report(id));
                reports.into_iter().for_each(|r| book.put_report(r));
            }
            Entry::Rules(prefecture, rules) => drop(self.0.rules.write().insert(prefecture, rules)),
        }
        drop(book);
        self.0.changed.send_modify(|n| *n += 1);
    }
}
