//! What is owed to one customer when an outage has news.
//!
//! It is judged by what is true now against what he believes after all that he was told, and not by what a revision changed: so a revision may be
//! judged twice, several may be judged as one, and a message that failed is made good by the next. His power is a line of time with a [`Level`] at
//! each point. Outages on him are laid over each other to the truth, messages one after another to his belief; where the two differ, in the
//! stretches of time that the outage touches, he is told how it is. Overlapping outages are one cut of power to him.

use std::collections::BTreeSet;

use gridbell_model::{Channel, Moment};

use crate::facts::{Belief, Facts, OPEN_MS, Stretch, Told, counts, minute};
use crate::outage::{Content, OutageId};
use crate::scope::Concerned;
use crate::word::{Change, Level, Phase, Quiet, Receipt, Say};

/// How one outage hits a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which.
    pub outage: OutageId,
    /// Since when.
    pub from: Moment,
    /// Until when; none for nobody knows.
    pub until: Option<Moment>,
    /// Which of his sources are lost, a bit each.
    pub lost: u8,
    /// Which may be.
    pub maybe: u8,
    /// How many he has; 0 counts as one.
    pub sources: u8,
}

impl Hit {
    /// How an outage that is `content` hits `concerned`.
    #[must_use]
    pub fn new(outage: OutageId, content: &Content, concerned: Concerned) -> Self {
        let Concerned { lost, maybe, sources, .. } = concerned;
        Self { outage, from: content.from, until: content.until, lost, maybe, sources }
    }

    fn covers(&self, from: i64, horizon: i64) -> bool {
        self.from.unix_ms() <= from && from < self.end(horizon)
    }

    fn end(&self, horizon: i64) -> i64 {
        self.until.map_or(horizon, Moment::unix_ms)
    }
}

/// An outage with news: [`Book::trigger`](crate::Book::trigger).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// Which.
    pub outage: OutageId,
    /// Its last revision.
    pub revision: u32,
    /// How it stands.
    pub phase: Phase,
    /// Whether nobody was told of it yet.
    pub first: bool,
    /// What changed since everybody was told.
    pub changes: BTreeSet<Change>,
}

/// One customer, at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// Now.
    pub now: Moment,
    /// The outage with news.
    pub trigger: &'a Trigger,
    /// How the revision that was told last hit him; none if it did not.
    pub before: Option<Hit>,
    /// How all outages that count hit him now: [`Book::hits`](crate::Book::hits).
    pub hits: &'a [Hit],
    /// What he was told of outages that are not long over, the first one first.
    pub told: &'a [Told],
}

/// What is owed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owed {
    /// Nothing, and why.
    Nothing(Quiet),
    /// To be told.
    Tell(Telling),
}

/// What to tell a customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    /// What for.
    pub say: Say,
    /// Whether the host must; otherwise it is the city's choice.
    pub must: bool,
    /// The channel that must be used: the one that delivered the first he was told. None where any will do.
    pub by: Option<Channel>,
    /// What is true, to be kept with the message as [`Told::facts`].
    pub facts: Facts,
    /// What he believed: the whole time in which he expected to be without power. None where he expected nothing.
    pub believed: Option<Stretch>,
}

/// What is owed, and what has not left and is out of date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What is owed.
    pub owed: Owed,
    /// Whether messages to him that [wait](Receipt::Waiting) are to be taken back: those that [`Judge::recalls`] names. They are
    /// [recalled](Receipt::Recalled) then; where one left meanwhile it is [unknown](Receipt::Unknown), and the customer is judged again before he is told.
    pub recall: bool,
}

/// A time in which nothing changes.
#[derive(Clone, Copy)]
struct Piece {
    from: i64,
    until: i64,
    /// What he believes.
    believed: Level,
    /// What he will believe once what waits has reached him.
    coming: Level,
    /// What is so.
    truth: Level,
    /// How it is until further notice, how he believes that it is, and will.
    open: Level,
    believed_open: Level,
    coming_open: Level,
    /// Whether it is the last before the horizon.
    last: bool,
    /// Whether it is in question.
    inside: bool,
}

impl Piece {
    /// Until when he believes it; none for until further notice.
    fn believed_until(&self) -> Option<Moment> {
        (!self.last || self.believed_open == Level::On).then(|| Moment::from_unix_ms(self.until))
    }

    fn is_busy(&self) -> bool {
        self.believed.max(self.coming).max(self.truth) != Level::On
    }

    fn is_known(&self) -> bool {
        self.believed == self.truth && (!self.last || self.believed_open == self.open)
    }

    fn is_coming(&self) -> bool {
        self.coming == self.truth && (!self.last || self.coming_open == self.open)
    }
}

/// Judges one customer after another, and keeps the room that it needs for that.
#[derive(Default)]
pub struct Judge {
    cuts: Vec<i64>,
    pieces: Vec<Piece>,
    horizon: i64,
    /// Whether what waits would leave him in a wrong belief.
    outdated: bool,
    /// The outage with news, where it hits him.
    has_him: Option<OutageId>,
}

impl Judge {
    /// What is owed to the customer of `case`.
    pub fn owed(&mut self, case: &Case<'_>) -> Verdict {
        self.has_him = case.hits.iter().map(|h| h.outage).find(|id| *id == case.trigger.outage);
        self.lay_out(case);
        self.mark(case);
        self.drop_settled();
        let inside = || self.pieces.iter().filter(|p| p.inside);
        let known = inside().all(|p| p.is_known());
        let coming = inside().all(|p| p.is_coming());
        let waits = case.told.iter().any(|t| t.receipt == Receipt::Waiting && self.is_in_question(t));
        self.outdated = waits && !coming;
        let owed = match (waits && coming, known) {
            (true, _) => Owed::Nothing(Quiet::OnItsWay),
            (false, true) => self.settled(case),
            (false, false) => Owed::Tell(self.telling(case)),
        };
        Verdict { owed, recall: case.told.iter().any(|t| self.recalls(t)) }
    }

    /// Whether `told` is to be taken back by the last verdict: it waits, and either says what is not so of the time in question, or that the power is
    /// off in a time that is over, or that it is back although it is not.
    #[must_use]
    pub fn recalls(&self, told: &Told) -> bool {
        if told.receipt != Receipt::Waiting {
            return false;
        }
        if told.facts.0.is_empty() {
            return self.has_him == Some(told.outage);
        }
        if self.is_in_question(told) {
            return self.outdated;
        }
        // One that would change nothing of what he believes from now on, and speaks of a cut.
        let idle = |p: &Piece| p.believed == p.coming && (!p.last || p.believed_open == p.coming_open);
        let now = self.pieces.first().map_or(i64::MIN, |p| p.from);
        let mut cuts = told.facts.cuts();
        self.pieces.iter().all(idle) && cuts.all(|s| self.end(told, s) <= now)
    }

    fn is_in_question(&self, told: &Told) -> bool {
        let says = |s: &Stretch, p: &Piece| p.inside && s.from.unix_ms() <= p.from && p.from < self.end(told, s);
        told.facts.0.iter().any(|s| self.pieces.iter().any(|p| says(s, p)))
    }

    fn end(&self, told: &Told, stretch: &Stretch) -> i64 {
        match (stretch.until, stretch.level) {
            (Some(until), _) => until.unix_ms(),
            (None, Level::On) => minute(told.at).saturating_add(OPEN_MS),
            (None, _) => self.horizon,
        }
    }

    /// Cuts the time from now on where anything begins or ends.
    fn lay_out(&mut self, case: &Case<'_>) {
        let start = minute(case.now);
        let horizon = start.saturating_add(OPEN_MS);
        self.horizon = horizon;
        self.cuts.clear();
        self.cuts.extend([start, horizon]);
        for hit in case.hits.iter().chain(&case.before) {
            self.cuts.extend([hit.from.unix_ms(), hit.end(horizon)]);
        }
        for told in case.told.iter().filter(|t| t.receipt != Receipt::Failed) {
            for stretch in &told.facts.0 {
                let end = stretch.until.map_or_else(|| minute(told.at).saturating_add(OPEN_MS), Moment::unix_ms);
                self.cuts.extend([stretch.from.unix_ms(), end]);
            }
        }
        self.cuts.retain(|at| *at >= start);
        self.cuts.sort_unstable();
        self.cuts.dedup();
        let (believed, coming) = (Belief::new(case.told, false), Belief::new(case.told, true));
        self.pieces.clear();
        for (from, until) in self.cuts.iter().zip(self.cuts.iter().skip(1)) {
            let (from, until) = (*from, *until);
            self.pieces.push(Piece {
                from,
                until,
                believed: believed.at(from, horizon),
                coming: coming.at(from, horizon),
                truth: truth(case.hits.iter(), from, horizon),
                open: truth(case.hits.iter().filter(|h| h.until.is_none()), from, horizon),
                believed_open: believed.open_at(from, horizon),
                coming_open: coming.open_at(from, horizon),
                last: until == horizon,
                inside: false,
            });
        }
    }

    /// Marks what is in question: the times of the outage, as it is, as it was and as it was told, all without power that touches them, and all that
    /// messages say that are to be taken back for it.
    fn mark(&mut self, case: &Case<'_>) {
        let (horizon, id) = (self.horizon, case.trigger.outage);
        let (believed, coming) = (Belief::new(case.told, false), Belief::new(case.told, true));
        for piece in &mut self.pieces {
            let hit = |h: &Hit| h.covers(piece.from, horizon);
            piece.inside = case.before.iter().any(hit)
                || case.hits.iter().filter(|h| h.outage == id).any(hit)
                || believed.is_of(id, piece.from, horizon)
                || coming.is_of(id, piece.from, horizon);
        }
        self.spread();
        // What was taken back before for the sake of one time said something of others, too.
        for told in case.told.iter().filter(|t| matches!(t.receipt, Receipt::Waiting | Receipt::Recalled)) {
            if self.is_in_question(told) {
                for stretch in &told.facts.0 {
                    let (from, end) = (stretch.from.unix_ms(), self.end(told, stretch));
                    let said = self.pieces.iter_mut().filter(|p| from <= p.from && p.from < end);
                    said.for_each(|p| p.inside = true);
                }
                self.spread();
            }
        }
    }

    /// Leaves cuts of power alone of which he knows, or will, where there is news of another.
    fn drop_settled(&mut self) {
        let is_settled = |p: &Piece| p.is_known() && p.is_coming();
        if self.pieces.iter().filter(|p| p.inside).all(is_settled) {
            return;
        }
        let mut rest = self.pieces.as_mut_slice();
        while !rest.is_empty() {
            let busy = |p: &Piece| p.inside && p.is_busy();
            let run = rest.iter().take_while(|p| busy(p)).count().max(1);
            let (first, after) = rest.split_at_mut(run);
            if first.iter().all(is_settled) {
                first.iter_mut().for_each(|p| p.inside = false);
            }
            rest = after;
        }
    }

    /// Forth and back: what touches a marked piece is of the same cut of power.
    fn spread(&mut self) {
        let join = |touched: &mut bool, piece: &mut Piece| {
            piece.inside |= *touched && piece.is_busy();
            *touched = piece.inside && piece.is_busy();
        };
        let mut touched = false;
        self.pieces.iter_mut().for_each(|p| join(&mut touched, p));
        touched = false;
        self.pieces.iter_mut().rev().for_each(|p| join(&mut touched, p));
    }

    /// Nothing differs: he knows, or it does not concern him, or power that is back on time may be told.
    fn settled(&self, case: &Case<'_>) -> Owed {
        let holds = self.pieces.iter().any(|p| p.inside && p.truth != Level::On);
        let own = || case.told.iter().filter(|t| t.outage == case.trigger.outage);
        let last = own().rfind(|t| counts(t.receipt, !self.recalls(t)));
        let left = own().rfind(|t| counts(t.receipt, false));
        let waits = |told: Option<&Told>| told.is_some_and(|t| !is_end(t.say));
        let back = case.trigger.phase == Phase::Restored || self.is_back(case);
        if back && !holds && waits(left) && waits(last) {
            let (facts, by) = (Facts::default(), self.first_channel(case));
            return Owed::Tell(Telling { say: Say::Restored, must: false, by, facts, believed: None });
        }
        Owed::Nothing(match (holds, last.is_some()) {
            (true, false) => Quiet::Covered,
            (false, false) => Quiet::NotConcerned,
            (_, true) => Quiet::SameFacts,
        })
    }

    /// Whether the power came back for his part of an outage that goes on elsewhere.
    fn is_back(&self, case: &Case<'_>) -> bool {
        self.has_him.is_none()
            && case.trigger.phase == Phase::PartlyRestored
            && case.trigger.changes.contains(&Change::PartRestored)
    }

    fn telling(&self, case: &Case<'_>) -> Telling {
        let (say, believed) = (self.say(case), self.believed(case));
        let by = if say.is_change() || believed.is_some() { self.first_channel(case) } else { None };
        Telling { say, must: true, by, facts: self.facts(case), believed }
    }

    fn say(&self, case: &Case<'_>) -> Say {
        let inside = || self.pieces.iter().filter(|p| p.inside);
        let peak = |level: fn(&Piece) -> Level| inside().map(level).max().unwrap_or(Level::On);
        let (believed, truth) = (peak(|p| p.believed), peak(|p| p.truth));
        let news = match truth {
            Level::Part => Say::OneSourceLost,
            Level::Maybe => Say::MayBeAffected,
            Level::On | Level::Off if case.before.is_none() && !case.trigger.first => Say::Widened,
            Level::On | Level::Off => Say::Announce,
        };
        let hit = self.has_him.is_some();
        let back = case.trigger.phase == Phase::Restored || self.is_back(case);
        match (believed, truth) {
            // The end that he was told is past, or the day on which it did not happen.
            (Level::On, _) if hit && self.waits_for_more(case) => {
                if case.trigger.phase.is_running() {
                    Say::Delayed
                } else {
                    Say::Rescheduled
                }
            }
            (Level::On, _) => news,
            (_, Level::On) if case.trigger.phase == Phase::Cancelled => Say::Cancelled,
            (_, Level::On) if back => Say::EarlierRestored,
            (_, Level::On) => Say::Narrowed,
            _ if !hit => {
                let on_now = self.pieces.first().is_some_and(|p| p.truth == Level::On && p.believed != Level::On);
                if back && on_now { Say::EarlierRestored } else { Say::Still }
            }
            _ if believed != truth => news,
            _ => self.moved(case),
        }
    }

    /// Whether he was told of the outage and not that it is over.
    fn waits_for_more(&self, case: &Case<'_>) -> bool {
        let mut own = case.told.iter().filter(|t| t.outage == case.trigger.outage && counts(t.receipt, false));
        own.next_back().is_some_and(|t| !is_end(t.say))
    }

    /// How the time of a cut differs from what he believes.
    fn moved(&self, case: &Case<'_>) -> Say {
        let inside = || self.pieces.iter().filter(|p| p.inside);
        let own = case.told.iter().any(|t| t.outage == case.trigger.outage && counts(t.receipt, false));
        let more = inside().all(|p| p.believed == Level::On || p.believed == p.truth);
        if !own && more {
            return Say::Extended;
        }
        let begin = |level: fn(&Piece) -> Level| inside().find(|p| level(p) != Level::On).map(|p| p.from);
        if begin(|p| p.believed) != begin(|p| p.truth) {
            return Say::Rescheduled;
        }
        // Until further notice is later than any time.
        let end = |level: fn(&Piece) -> (Level, Level)| {
            let last = inside().rfind(|p| level(p).0 != Level::On);
            last.map(|p| if p.last && level(p).1 != Level::On { i64::MAX } else { p.until })
        };
        let (believed, truth) = (end(|p| (p.believed, p.believed_open)), end(|p| (p.truth, p.open)));
        match believed.cmp(&truth) {
            std::cmp::Ordering::Less => Say::Delayed,
            std::cmp::Ordering::Greater => Say::Estimated,
            std::cmp::Ordering::Equal => Say::Rescheduled,
        }
    }

    /// The truth of what is in question, as stretches: what holds until further notice, then the times that differ from it, and those taken back.
    fn facts(&self, case: &Case<'_>) -> Facts {
        let mut stretches: Vec<Stretch> = Vec::new();
        let open = self.open(case);
        stretches.extend(open.map(|(stretch, _)| stretch));
        let (open_from, open_level) = open.map_or((self.horizon, Level::On), |(s, from)| (from, s.level));
        let mut ended = None;
        // What only waits to be said is taken back and need not be denied.
        for piece in self.pieces.iter().filter(|p| p.inside && p.truth.max(p.believed) != Level::On) {
            let within = open_from <= piece.from && piece.from < self.horizon;
            if within && piece.truth == open_level {
                continue;
            }
            let until = Some(Moment::from_unix_ms(piece.until));
            match stretches.last_mut() {
                Some(s) if ended == Some(piece.from) && s.level == piece.truth => s.until = until,
                _ => stretches.push(Stretch { from: since(case, piece), until, level: piece.truth }),
            }
            ended = Some(piece.until);
        }
        // What was until further notice and is not any more must not come back when the horizon moves on.
        let was_open = |p: &Piece| p.inside && p.last && p.believed_open != Level::On;
        if open.is_none() && self.pieces.iter().any(was_open) {
            stretches.push(Stretch { from: Moment::from_unix_ms(self.horizon), until: None, level: Level::On });
        }
        Facts(stretches)
    }

    /// What holds until further notice, and from where on in what is judged.
    fn open(&self, case: &Case<'_>) -> Option<(Stretch, i64)> {
        let upto = self.pieces.iter().rposition(|p| p.last && p.inside && p.open != Level::On)?;
        let level = self.pieces.get(upto)?.open;
        let alike = self.pieces.iter().take(upto + 1).rev().take_while(|p| p.inside && p.open == level);
        let first = alike.last()?;
        Some((Stretch { from: since(case, first), until: None, level }, first.from))
    }

    /// The whole time in which he believed to be without power.
    fn believed(&self, case: &Case<'_>) -> Option<Stretch> {
        let mut all = self.pieces.iter().filter(|p| p.inside && p.believed != Level::On);
        let first = all.next()?;
        let last = all.next_back().unwrap_or(first);
        let from = Belief::new(case.told, false).since(first.from).unwrap_or(Moment::from_unix_ms(first.from));
        Some(Stretch { from, until: last.believed_until(), level: first.believed.max(last.believed) })
    }

    /// The channel that delivered the first that he was told of this, or, where none is known to have, the first on which he may have been told.
    fn first_channel(&self, case: &Case<'_>) -> Option<Channel> {
        let of_this = |t: &&Told| t.outage == case.trigger.outage || self.is_in_question(t);
        let on = |receipt| case.told.iter().filter(of_this).find(|t| t.receipt == receipt).map(|t| t.channel);
        on(Receipt::Delivered).or_else(|| on(Receipt::Unknown))
    }
}

/// Whether it says that an outage is over for him.
fn is_end(say: Say) -> bool {
    matches!(say, Say::Restored | Say::EarlierRestored | Say::Narrowed | Say::Cancelled | Say::Still)
}

/// Since when a piece is as it is: of one that goes on, its real beginning.
fn since(case: &Case<'_>, piece: &Piece) -> Moment {
    let from = Moment::from_unix_ms(piece.from);
    if piece.truth == Level::On || piece.from > minute(case.now) {
        return from;
    }
    let covering = case.hits.iter().filter(|h| h.from <= from && h.until.is_none_or(|u| from < u));
    covering.map(|h| h.from).min().unwrap_or(from)
}

/// How the power is from `from`: outages laid over each other. A customer is without it only where all of his sources are lost.
fn truth<'a>(hits: impl Iterator<Item = &'a Hit>, from: i64, horizon: i64) -> Level {
    let (mut lost, mut maybe, mut sources) = (0, 0, 1);
    for hit in hits.filter(|h| h.covers(from, horizon)) {
        (lost, maybe, sources) = (lost | hit.lost, maybe | hit.maybe, sources.max(hit.sources));
    }
    level(lost, maybe, sources)
}

/// How the power of a customer with `sources` is where those of `lost` are lost for certain, and those of `maybe` perhaps.
pub(crate) fn level(lost: u8, maybe: u8, sources: u8) -> Level {
    let every = u8::MAX >> (8 - sources.clamp(1, 8));
    match (lost & every, (lost | maybe) & every) {
        (_, 0) => Level::On,
        (lost, _) if lost == every => Level::Off,
        (0, _) => Level::Maybe,
        (_, all) if all == every => Level::Maybe,
        _ => Level::Part,
    }
}
