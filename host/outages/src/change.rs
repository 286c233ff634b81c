//! The steps of an outage's life: each makes of what the book holds, and of what somebody wants, the outage as it is to be.

use std::collections::BTreeSet;

use gridbell_model::{Moment, PrefectureCode};

use crate::book::Book;
use crate::error::Error;
use crate::lead::LeadRules;
use crate::outage::{
    Approval, Content, CrewEvent, Head, MAX_EVENTS, MAX_REVISIONS, Outage, OutageId, Revision, ShortNotice, Shortfall,
};
use crate::scope::{MAX_SCOPE, Scope};
use crate::text::{self, MAX_WHY};
use crate::word::{Change, Crew, Kind, Phase, Step};

/// How long before its time an outage may begin, in milliseconds: five minutes, as crews' watches and ours differ.
const EARLY_MS: i64 = 300_000;
/// The most people who write one draft.
const MAX_AUTHORS: usize = 16;

/// An outage to enter.
#[derive(Clone, Debug)]
pub struct DraftOrder {
    /// Whose.
    pub prefecture: PrefectureCode,
    /// What kind.
    pub kind: Kind,
    /// What it is.
    pub content: Content,
    /// Who says so; `system` for what the host proposes.
    pub by: String,
    /// Why; may be empty.
    pub why: String,
}

/// A step of an outage: which, as it was when it was read, who and why.
#[derive(Clone, Debug)]
pub struct StepOrder {
    /// Which outage.
    pub id: OutageId,
    /// The edition that whoever takes the step has read; none for any.
    pub expected: Option<u32>,
    /// Who.
    pub by: String,
    /// Why; must be said for changes, cancellations and edits of a published outage.
    pub why: String,
}

impl Book {
    /// The draft that `order` makes. It counts when it is [put in](Book::put).
    ///
    /// # Errors
    /// Where a rule is broken or there are too many.
    pub fn draft(&self, order: DraftOrder, now: Moment) -> Result<Outage, Error> {
        order.content.check(order.kind, now)?;
        text::name("by", &order.by)?;
        if !order.why.is_empty() {
            text::plain("why", &order.why, MAX_WHY)?;
        }
        self.check_room()?;
        let DraftOrder { prefecture, kind, content, by, why } = order;
        let head =
            Head { id: self.next_outage(), prefecture, kind, edition: 1, published: None, told: 0, events: Vec::new() };
        Outage::new(
            head,
            vec![Revision {
                number: 1,
                changes: BTreeSet::new(),
                phase: Phase::Draft,
                content,
                back: Vec::new(),
                restored: None,
                authors: BTreeSet::from([by.clone()]),
                by,
                at: now,
                why,
                approved: None,
                short: None,
            }],
        )
    }

    /// The draft written anew; an approval of the old one is gone.
    ///
    /// # Errors
    /// Where it is no draft, at another edition, or a rule is broken.
    pub fn edit(&self, order: StepOrder, content: Content, now: Moment) -> Result<Outage, Error> {
        let mut outage = self.ready(&order, Step::Edit)?;
        content.check(outage.head.kind, now)?;
        let draft = last(&mut outage)?;
        draft.authors.insert(order.by.clone());
        if draft.authors.len() > MAX_AUTHORS {
            return Err(Error::Full(format!(
                "more than {MAX_AUTHORS} people wrote this draft; cancel it and enter it anew"
            )));
        }
        (draft.content, draft.by, draft.why, draft.at) = (content, order.by, order.why, now);
        (draft.phase, draft.approved) = (Phase::Draft, None);
        Ok(outage)
    }

    /// The draft approved by another person than wrote it; with `short_notice` also for a notice shorter than the rule asks for, with that reason.
    ///
    /// # Errors
    /// Where it is no draft, at another edition, or who approves wrote it.
    pub fn approve(&self, order: StepOrder, short_notice: Option<String>, now: Moment) -> Result<Outage, Error> {
        let mut outage = self.ready(&order, Step::Approve)?;
        if let Some(why) = &short_notice {
            text::plain("short_notice", why, MAX_WHY)?;
        }
        let id = outage.id();
        let draft = last(&mut outage)?;
        if draft.authors.contains(&order.by) {
            return Err(Error::OwnWork { id, by: order.by });
        }
        draft.approved = Some(Approval { by: order.by, at: now, short_notice });
        draft.phase = Phase::Approved;
        Ok(outage)
    }

    /// The outage published: from now on it counts. A fault's power is off already.
    ///
    /// # Errors
    /// Where it needs an approval, is at another edition, has begun although it is no fault, or is announced later than `rules` ask for without an
    /// approval that says why.
    pub fn publish(&self, order: StepOrder, rules: &LeadRules, now: Moment) -> Result<Outage, Error> {
        let mut outage = self.ready(&order, Step::Publish)?;
        self.check_open()?;
        let kind = outage.head.kind;
        let draft = last(&mut outage)?;
        if kind.needs_approval() && draft.content.from <= now {
            return Err(Error::field("from", "is over: choose a later time, or enter a fault"));
        }
        let approval = draft.approved.as_ref();
        let short =
            approval.and_then(|a| Some(ShortNotice { approved_by: a.by.clone(), why: a.short_notice.clone()? }));
        draft.short = shortfall(rules, kind, draft.content.from, now, short)?;
        let begun = !kind.needs_approval() && draft.content.from <= now;
        draft.phase = if begun { Phase::InProgress } else { Phase::Published };
        (draft.changes, draft.at) = (BTreeSet::from([Change::Published]), now);
        outage.head.published = Some(now);
        Ok(outage)
    }

    /// A fault entered and published in one step, as faults are.
    ///
    /// # Errors
    /// As [`Book::draft`] and [`Book::publish`].
    pub fn declare(&self, order: DraftOrder, rules: &LeadRules, now: Moment) -> Result<Outage, Error> {
        let by = order.by.clone();
        let mut with_draft = Self::default();
        let draft = self.draft(order, now)?;
        self.check_open()?;
        let step = StepOrder { id: draft.id(), expected: None, by, why: String::new() };
        let edition = draft.head.edition;
        with_draft.put(draft);
        let mut outage = with_draft.publish(step, rules, now)?;
        outage.head.edition = edition;
        Ok(outage)
    }

    /// The outage changed; none where it is so already. Whoever is new in its scope, or loses power earlier than announced, has the lead time of
    /// `rules` too: `short` answers for less.
    ///
    /// # Errors
    /// Where it is not published, is over or at another edition, or a rule is broken.
    pub fn change(
        &self,
        order: StepOrder,
        content: Content,
        short: Option<ShortNotice>,
        rules: &LeadRules,
        now: Moment,
    ) -> Result<Option<Outage>, Error> {
        let outage = self.ready(&order, Step::Change)?;
        let (before, kind) = (outage.latest(), outage.head.kind);
        let changes = content.changes(&before.content);
        if changes.is_empty() {
            return Ok(None);
        }
        content.check(kind, now)?;
        if changes.contains(&Change::Rescheduled) && before.phase.is_running() {
            return Err(Error::field("from", "cannot change: the power is off already"));
        }
        if changes.contains(&Change::Rescheduled) && content.from <= now {
            return Err(Error::field("from", "is over: choose a later time"));
        }
        if content.until.is_some_and(|until| until <= now) {
            return Err(Error::field("until", "is over: choose a later time, or restore the outage"));
        }
        let sooner = changes.contains(&Change::Widened) || content.from < before.content.from;
        let short = if sooner && !before.phase.is_running() {
            if short.as_ref().is_some_and(|s| s.approved_by == order.by) {
                return Err(Error::OwnWork { id: order.id, by: order.by });
            }
            shortfall(rules, kind, content.from, now, short)?
        } else {
            None
        };
        let next = |r: Revision| Revision { content, changes, short, ..r };
        revised(outage, order, now, next).map(Some)
    }

    /// The power went off, at most five minutes before it was announced: customers who are cut off sooner must be told by a change.
    ///
    /// # Errors
    /// Where that cannot follow, is too early, or the outage is at another edition.
    pub fn begin(&self, order: StepOrder, now: Moment) -> Result<Outage, Error> {
        let outage = self.ready(&order, Step::Begin)?;
        if outage.latest().content.from > now.plus_ms(EARLY_MS) {
            return Err(Error::field(
                "from",
                "is ahead: change it first, so that customers are told (请先变更停电时间)",
            ));
        }
        let changes = BTreeSet::from([Change::Begun]);
        revised(outage, order, now, |r| Revision { phase: Phase::InProgress, changes, ..r })
    }

    /// The power is back for `part`.
    ///
    /// # Errors
    /// Where that cannot follow, the outage is at another edition, or the part is no scope.
    pub fn restore_part(&self, order: StepOrder, part: Scope, now: Moment) -> Result<Outage, Error> {
        let outage = self.ready(&order, Step::RestorePart)?;
        part.check()?;
        let known: usize = outage.latest().back.iter().map(Scope::members).sum();
        if known + part.members() > MAX_SCOPE {
            return Err(Error::Full(format!(
                "the restored parts have more than {MAX_SCOPE} members; narrow the outage"
            )));
        }
        let changes = BTreeSet::from([Change::PartRestored]);
        revised(outage, order, now, |mut r| {
            r.back.push(part);
            Revision { phase: Phase::PartlyRestored, changes, ..r }
        })
    }

    /// The power is back for all, since `at`.
    ///
    /// # Errors
    /// Where that cannot follow, the outage is at another edition, or `at` is ahead or before the outage began.
    pub fn restore(&self, order: StepOrder, at: Moment, now: Moment) -> Result<Outage, Error> {
        let outage = self.ready(&order, Step::Restore)?;
        if at > now || at < outage.latest().content.from.min(now) {
            return Err(Error::field("at", "is ahead, or before the outage began"));
        }
        let changes = BTreeSet::from([Change::Restored]);
        revised(outage, order, now, |r| Revision { phase: Phase::Restored, changes, restored: Some(at), ..r })
    }

    /// The outage called off: it does not take place, or never was one.
    ///
    /// # Errors
    /// Where it is over or at another edition, or no reason is given.
    pub fn cancel(&self, order: StepOrder, now: Moment) -> Result<Outage, Error> {
        let mut outage = self.ready(&order, Step::Cancel)?;
        if outage.head.published.is_none() {
            let draft = last(&mut outage)?;
            (draft.phase, draft.by, draft.why, draft.at) = (Phase::Cancelled, order.by, order.why, now);
            return Ok(outage);
        }
        let changes = BTreeSet::from([Change::Cancelled]);
        revised(outage, order, now, |r| Revision { phase: Phase::Cancelled, changes, ..r })
    }

    /// What the crew did, for those who reported the fault.
    ///
    /// # Errors
    /// Where the outage is over or not published, or has too many events.
    pub fn crew(&self, id: OutageId, what: Crew, by: &str, now: Moment) -> Result<Outage, Error> {
        let mut outage = self.outage(id).ok_or(Error::NoOutage(id))?.as_ref().clone();
        if !outage.is_open() {
            return Err(Error::Step { id, phase: outage.phase(), step: Step::Change, may: outage.may() });
        }
        text::name("by", by)?;
        if outage.head.events.len() >= MAX_EVENTS {
            return Err(Error::Full(format!("outage `{id}` has {MAX_EVENTS} events; restore it")));
        }
        outage.head.events.push(CrewEvent { what, by: by.to_owned(), at: now });
        outage.head.edition += 1;
        Ok(outage)
    }

    /// The outage, if the step may follow and its edition is the one that was read; its own edition is the next.
    fn ready(&self, order: &StepOrder, step: Step) -> Result<Outage, Error> {
        let outage = self.outage(order.id).ok_or(Error::NoOutage(order.id))?;
        let found = outage.head.edition;
        if let Some(expected) = order.expected.filter(|e| *e != found) {
            return Err(Error::Changed { id: order.id, expected, found });
        }
        outage.allow(step)?;
        text::name("by", &order.by)?;
        let must = matches!(step, Step::Change | Step::Cancel);
        if must || !order.why.is_empty() {
            text::plain("why", &order.why, MAX_WHY)?;
        }
        let ends = matches!(step, Step::Restore | Step::Cancel);
        if outage.revisions().len() >= MAX_REVISIONS && !ends {
            let text = format!("outage `{}` has {MAX_REVISIONS} revisions; end it and enter another", order.id);
            return Err(Error::Full(text));
        }
        let mut outage = outage.as_ref().clone();
        outage.head.edition += 1;
        Ok(outage)
    }
}

fn last(outage: &mut Outage) -> Result<&mut Revision, Error> {
    let id = outage.id();
    outage.revisions_mut().last_mut().ok_or(Error::NoOutage(id))
}

/// The outage with another revision, which `next` makes of the last.
fn revised(
    mut outage: Outage,
    order: StepOrder,
    now: Moment,
    next: impl FnOnce(Revision) -> Revision,
) -> Result<Outage, Error> {
    let before = outage.latest().clone();
    // What belongs to one revision alone does not pass to the next; a clock that was set back must not make it older.
    let plain = Revision {
        number: before.number + 1,
        by: order.by,
        why: order.why,
        at: now.max(before.at),
        authors: BTreeSet::new(),
        approved: None,
        short: None,
        ..before
    };
    outage.revisions_mut().push(next(plain));
    Ok(outage)
}

fn shortfall(
    rules: &LeadRules,
    kind: Kind,
    from: Moment,
    now: Moment,
    short: Option<ShortNotice>,
) -> Result<Option<Shortfall>, Error> {
    let Some((needed, had)) = rules.shortfall(kind, from, now) else { return Ok(None) };
    let approval = short.ok_or(Error::ShortNotice { needed, had })?;
    text::name("approved_by", &approval.approved_by)?;
    text::plain("why", &approval.why, MAX_WHY)?;
    Ok(Some(Shortfall { needed, had, approval }))
}
