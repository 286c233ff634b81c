//! All outages and fault reports, and whom the open ones concern.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use gridbell_model::{AccountNumber, Moment, PrefectureCode};

use crate::answer::Answer;
use crate::error::Error;
use crate::facts::Told;
use crate::outage::{Outage, OutageId};
use crate::owed::{Hit, Trigger};
use crate::report::{Report, ReportId};
use crate::scope::{Affected, Concerned};

/// The most outages that are drafts or open: a storm is some hundreds.
pub const MAX_OPEN: usize = 5_000;
/// The most outages that are kept; of those that are over the oldest go first, and the audit log has them.
pub const MAX_KEPT: usize = 10_000;
/// Revisions that follow each other more quickly than this, in milliseconds, are told as one.
pub const FOLD_MS: i64 = 200;
/// The longest that a revision waits for another, in milliseconds: somebody who changes it without end must not keep it from people.
pub const MAX_FOLD_MS: i64 = 1_000;

/// The book. It knows what it was told; whoever tells it has made it durable before.
#[derive(Clone, Debug, Default)]
pub struct Book {
    outages: BTreeMap<OutageId, Held>,
    /// Those that are drafts or count: what most questions are about.
    open: BTreeSet<OutageId>,
    /// Those with revisions of which customers were not told.
    untold: BTreeSet<OutageId>,
    /// By account, the outages that count and concern it.
    by_account: HashMap<AccountNumber, Few>,
    reports: BTreeMap<ReportId, Arc<Report>>,
    /// The highest numbers ever given: what was removed is not given again while the book lives.
    last: (u64, u64),
}

#[derive(Clone, Debug)]
struct Held {
    outage: Arc<Outage>,
    /// Whom the revision that was told concerns.
    before: Affected,
    /// Whom the last revision concerns.
    now: Affected,
}

/// Nearly always one.
#[derive(Clone, Debug)]
enum Few {
    One(OutageId),
    More(Vec<OutageId>),
}

impl Few {
    fn all(&self) -> &[OutageId] {
        match self {
            Self::One(id) => std::slice::from_ref(id),
            Self::More(ids) => ids,
        }
    }
}

/// A customer of whom the last revision of an outage may have news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Who.
    pub account: AccountNumber,
    /// How the revision that was told last concerned him.
    pub before: Option<Concerned>,
    /// How the last one does.
    pub now: Option<Concerned>,
}

impl Book {
    /// An outage.
    #[must_use]
    pub fn outage(&self, id: OutageId) -> Option<&Arc<Outage>> {
        self.outages.get(&id).map(|h| &h.outage)
    }

    /// All outages that are kept, the first entered first.
    pub fn outages(&self) -> impl DoubleEndedIterator<Item = &Arc<Outage>> {
        self.outages.values().map(|h| &h.outage)
    }

    /// Outages that count, the first entered first.
    pub fn open(&self) -> impl Iterator<Item = &Arc<Outage>> {
        self.open.iter().filter_map(|id| self.outage(*id)).filter(|o| o.is_open())
    }

    /// Outages whose time includes `at`: where the power is off by all that is known.
    pub fn open_at(&self, at: Moment) -> impl Iterator<Item = &Arc<Outage>> {
        self.open().filter(move |o| o.covers(at))
    }

    /// Outages that go on beyond their expected end: somebody must say that they are delayed, or restored.
    pub fn overdue(&self, now: Moment) -> impl Iterator<Item = &Arc<Outage>> {
        self.open().filter(move |o| o.phase().is_running() && o.latest().content.until.is_some_and(|u| u <= now))
    }

    /// Outages that count and keep a transformer without power, now or later.
    pub fn on_transformer(&self, prefecture: PrefectureCode, code: &str) -> impl Iterator<Item = &Arc<Outage>> {
        let held = self.open.iter().filter_map(|id| self.outages.get(id));
        let on = held.filter(move |h| h.outage.head.prefecture == prefecture && h.now.has_transformer(code));
        on.map(|h| &h.outage).filter(|o| o.is_open())
    }

    /// Outages that count and concern a customer, now or later.
    pub fn on_customer(&self, account: AccountNumber) -> impl Iterator<Item = &Arc<Outage>> {
        self.numbers_on(account).iter().filter_map(|id| self.outage(*id))
    }

    /// What a customer who asks is answered by the outages that count on him; `told` is all that he was told, `at` the time that is asked for.
    #[must_use]
    pub fn answer(&self, account: AccountNumber, told: &[Told], at: Moment) -> Answer {
        let held = self.numbers_on(account).iter().filter_map(|id| self.outages.get(id));
        Answer::of(held.filter_map(|h| Some((h.outage.as_ref(), h.now.of(account)?))), told, at)
    }

    fn numbers_on(&self, account: AccountNumber) -> &[OutageId] {
        self.by_account.get(&account).map_or(&[], Few::all)
    }

    /// Whom the last revision of an outage concerns, as it was [set](Book::set_affected).
    #[must_use]
    pub fn affected(&self, id: OutageId) -> Option<&Affected> {
        self.outages.get(&id).map(|h| &h.now)
    }

    /// How the outages that count hit a customer, in place of what `hits` holds. No room is taken where `hits` has it.
    pub fn hits(&self, account: AccountNumber, hits: &mut Vec<Hit>) {
        hits.clear();
        for id in self.numbers_on(account) {
            let Some(held) = self.outages.get(id) else { continue };
            if let Some(concerned) = held.now.of(account) {
                let content = &held.outage.latest().content;
                hits.push(Hit::new(*id, content, concerned));
            }
        }
    }

    /// What the last revision of an outage is to those whom it may concern.
    #[must_use]
    pub fn trigger(&self, id: OutageId) -> Option<Trigger> {
        let outage = self.outage(id)?;
        let changes = outage.untold_changes();
        Some(Trigger {
            outage: id,
            revision: outage.latest().number,
            phase: outage.phase(),
            first: outage.head.told == 0,
            changes,
        })
    }

    /// Everybody whom the last revision of an outage concerns or the one told before it did, by account. Whoever keeps what customers were told
    /// adds those who were told of it and are in neither.
    pub fn listeners(&self, id: OutageId) -> impl Iterator<Item = Listener> {
        let held = self.outages.get(&id);
        let side = |affected: Option<&Affected>| affected.cloned().unwrap_or_default();
        merged(side(held.map(|h| &h.before)), side(held.map(|h| &h.now)))
    }

    /// Outages with revisions of which customers were not told, once no other follows within [`FOLD_MS`]: the last one of each is told, for all since
    /// the one told before.
    #[must_use]
    pub fn due(&self, now: Moment) -> Vec<OutageId> {
        let due = |id: &&OutageId| self.due_at(**id).is_some_and(|at| at <= now);
        self.untold.iter().filter(due).copied().collect()
    }

    /// When the next outage is due; none where customers know all.
    #[must_use]
    pub fn next_due(&self) -> Option<Moment> {
        self.untold.iter().filter_map(|id| self.due_at(*id)).min()
    }

    fn due_at(&self, id: OutageId) -> Option<Moment> {
        let outage = self.outage(id)?;
        let first = outage.revisions().get(usize::try_from(outage.head.told).ok()?)?;
        Some(outage.latest().at.plus_ms(FOLD_MS).min(first.at.plus_ms(MAX_FOLD_MS)))
    }

    /// The outage of whose revision `number` everybody was told. It counts when it is [put in](Book::put).
    ///
    /// # Errors
    /// Where there is no such outage or revision.
    pub fn told(&self, id: OutageId, number: u32) -> Result<Outage, Error> {
        let mut outage = self.outage(id).ok_or(Error::NoOutage(id))?.as_ref().clone();
        if number > outage.latest().number {
            return Err(Error::field("revision", format!("{number} is none of outage `{id}`")));
        }
        outage.head.told = outage.head.told.max(number);
        Ok(outage)
    }

    /// Puts an outage in, or in the place of the one with its number. Whom it concerned it concerns until it is [set](Book::set_affected) anew; one
    /// that is over concerns nobody.
    pub fn put(&mut self, outage: Outage) {
        let (id, phase) = (outage.id(), outage.phase());
        self.last.0 = self.last.0.max(id.0);
        if phase.is_over() {
            self.open.remove(&id)
        } else {
            self.open.insert(id)
        };
        if outage.is_untold() {
            self.untold.insert(id)
        } else {
            self.untold.remove(&id)
        };
        let told = outage.head.told == outage.latest().number;
        let is_open = outage.is_open();
        let known = self.outages.remove(&id);
        let (mut before, now) = known.map_or_else(Default::default, |h| (h.before, h.now));
        if told {
            before = if is_open { now.clone() } else { Affected::default() };
        }
        self.outages.insert(id, Held { outage: Arc::new(outage), before, now });
        if !is_open {
            self.set_affected(id, Affected::default());
        }
    }

    /// Says whom the last revision of an outage concerns. One that does not count concerns nobody.
    pub fn set_affected(&mut self, id: OutageId, affected: Affected) {
        let Some(held) = self.outages.get_mut(&id) else { return };
        let affected = if held.outage.is_open() { affected } else { Affected::default() };
        let was = std::mem::replace(&mut held.now, affected.clone());
        if held.outage.is_open() && held.outage.head.told == held.outage.latest().number {
            held.before = affected.clone();
        }
        for gone in was.customers().iter().filter(|c| affected.of(c.account).is_none()) {
            self.unlist(gone.account, id);
        }
        for new in affected.customers().iter().filter(|c| was.of(c.account).is_none()) {
            self.list(new.account, id);
        }
    }

    /// Says whom the revision told last concerned: after a start, when the book is read anew.
    pub fn set_before(&mut self, id: OutageId, affected: Affected) {
        if let Some(held) = self.outages.get_mut(&id) {
            held.before = affected;
        }
    }

    fn list(&mut self, account: AccountNumber, id: OutageId) {
        let few = self.by_account.entry(account).or_insert(Few::One(id));
        if !few.all().contains(&id) {
            let mut ids = few.all().to_vec();
            ids.push(id);
            *few = Few::More(ids);
        }
    }

    fn unlist(&mut self, account: AccountNumber, id: OutageId) {
        let Some(few) = self.by_account.get_mut(&account) else { return };
        let left: Vec<OutageId> = few.all().iter().filter(|i| **i != id).copied().collect();
        match left.as_slice() {
            [] => drop(self.by_account.remove(&account)),
            [one] => *few = Few::One(*one),
            _ => *few = Few::More(left),
        }
    }

    /// Forgets an outage.
    pub fn remove(&mut self, id: OutageId) {
        self.set_affected(id, Affected::default());
        self.outages.remove(&id);
        self.open.remove(&id);
        self.untold.remove(&id);
    }

    /// The outages to forget before another is kept: those that are over beyond what is kept, the first that ended first. Never one that customers
    /// are still to be told of.
    #[must_use]
    pub fn over(&self) -> Vec<OutageId> {
        let over = (self.outages.len() + 1).saturating_sub(MAX_KEPT);
        let mut ended: Vec<&Arc<Outage>> = self.outages().filter(|o| o.phase().is_over() && !o.is_untold()).collect();
        ended.sort_by_key(|o| (o.latest().at, o.id()));
        ended.into_iter().take(over).map(|o| o.id()).collect()
    }

    pub(crate) fn next_outage(&self) -> OutageId {
        OutageId(self.last.0 + 1)
    }

    pub(crate) fn check_room(&self) -> Result<(), Error> {
        if self.open.len() >= MAX_OPEN {
            return Err(Error::Full(format!(
                "{MAX_OPEN} outages are drafts or open; end or cancel some of them first"
            )));
        }
        Ok(())
    }

    // A draft has its room already.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.open.len() > MAX_OPEN {
            return Err(Error::Full(format!("{MAX_OPEN} outages are open; end or cancel some of them first")));
        }
        Ok(())
    }

    pub(crate) fn reports_by_number(&self) -> &BTreeMap<ReportId, Arc<Report>> {
        &self.reports
    }

    pub(crate) fn next_report(&self) -> ReportId {
        ReportId(self.last.1 + 1)
    }

    /// Puts a fault report in, or in the place of the one with its number.
    pub fn put_report(&mut self, report: Report) {
        self.last.1 = self.last.1.max(report.id.0);
        self.reports.insert(report.id, Arc::new(report));
    }

    /// Forgets a fault report.
    pub fn remove_report(&mut self, id: ReportId) {
        self.reports.remove(&id);
    }
}

/// Both sides by account, each customer once.
fn merged(before: Affected, now: Affected) -> impl Iterator<Item = Listener> {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let (old, new) = (before.customers().get(i).copied(), now.customers().get(j).copied());
        let account = match (old, new) {
            (None, None) => return None,
            (Some(o), None) => o.account,
            (None, Some(n)) => n.account,
            (Some(o), Some(n)) => o.account.min(n.account),
        };
        let old = old.filter(|o| o.account == account);
        let new = new.filter(|n| n.account == account);
        (i, j) = (i + usize::from(old.is_some()), j + usize::from(new.is_some()));
        Some(Listener { account, before: old, now: new })
    })
}
