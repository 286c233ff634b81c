//! What carriers' answers teach of whose a number is (携号转网): one that a gateway refuses as not its own goes on to another carrier's links, each asked at
//! most once, and who takes it is remembered, in the commit of the answer. It must never mark a number dead, and never change the number segments: what
//! they seem to have wrong is told to a person.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_channels::{Action, Answer, LinkName, Outcome, Report, ReportOutcome};
use gridbell_model::{Carrier, CarrierKey, MessageId, Segments, Served};
use gridbell_state::{Applied, Carriers, FactReject, MessageEvent, Ported, PortedFact, PortedSaid, PortedSource};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use crate::any_link::AnyLink;
use crate::dead::REJECTED;
use crate::host::Host;
use crate::ways;

/// So many numbers of a segment must have been learned to be one carrier's before it is doubted.
pub const SEGMENT_NUMBERS: usize = 20;
/// And more than so many of a hundred messages to the segment that carriers took since the start must have been taken by that one.
pub const SEGMENT_PERCENT: u64 = 90;
/// Digits of a segment, of eleven.
const SEGMENT: u64 = 10_000_000;

/// How many messages to each segment of four digits each carrier took, since the start; at most a thousand entries.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    by_segment: BTreeMap<u64, BTreeMap<Carrier, u64>>,
    /// Segments of which something was learned, or about which an alarm stands.
    doubted: BTreeSet<u64>,
    /// Whether those were looked at that were learned before the start.
    begun: bool,
    /// Whose turn it is of a link's answers and reports, see [`turn_of_answers`].
    turns: BTreeMap<LinkName, Arc<RwLock<()>>>,
    /// Whose turn it is to learn from a refusal, see [`Lessons::begin`].
    lesson: Arc<tokio::sync::Mutex<()>>,
}

fn turns(host: &Host, link: &LinkName) -> Arc<RwLock<()>> {
    Arc::clone(host.taken().lock().turns.entry(link.clone()).or_default())
}

/// Waits until no report of the link is taken in that says something of a number: whether such a report's part is known by its answer, or the report
/// waits for that, must not change between the look and the commit. Answers go side by side.
pub(crate) async fn turn_of_answers(host: &Host, link: &LinkName) -> OwnedRwLockReadGuard<()> {
    turns(host, link).read_owned().await
}

/// The same of `reports`; those that only say what became of a message wait for nothing.
pub(crate) async fn turn_of_reports(
    host: &Host,
    link: &LinkName,
    reports: &[Report],
) -> Option<OwnedRwLockWriteGuard<()>> {
    let of_numbers =
        |r: &Report| matches!(r.outcome, ReportOutcome::BadNumber | ReportOutcome::OtherCarrier) || r.stat == REJECTED;
    if reports.iter().any(of_numbers) { Some(turns(host, link).write_owned().await) } else { None }
}

/// No queue: every carrier with a link has refused it.
const NOBODY: u8 = 0;

/// Where a part goes on that a carrier refused as not its own.
pub(crate) struct SentOn {
    code: String,
    not: Carriers,
    next: u8,
}

impl SentOn {
    /// What became of part `part`, which was out.
    pub(crate) fn event(&self, part: u8) -> MessageEvent {
        MessageEvent::NotTheirs { part, code: self.code.clone(), not: self.not, next: self.next }
    }
}

/// What is learned from one batch of a link's answers or reports.
pub(crate) struct Lessons<'a> {
    host: &'a Host,
    link: &'a LinkName,
    /// What the link is: none where it is a platform's or not started.
    its: Option<AnyLink>,
    /// The carriers that it serves.
    carriers: Carriers,
    /// The segments as they are; none before they were applied for the first time.
    segments: Option<Arc<Segments>>,
    ported: Ported,
    facts: Vec<PortedFact>,
    /// Held until what was learned is in its commit.
    _turn: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl<'a> Lessons<'a> {
    fn of(host: &'a Host, link: &'a LinkName) -> Self {
        let carriers =
            host.queues_of(link).into_iter().filter_map(Served::of_queue).filter_map(|served| match served {
                Served::Carrier(carrier) => Some(carrier),
                Served::Channel(_) => None,
            });
        Self {
            host,
            link,
            its: host.link_handles().iter().find(|l| l.name() == link).cloned(),
            carriers: Carriers::of(carriers),
            segments: host.settings().ok().map(|s| s.segments),
            ported: host.state().ported(),
            facts: Vec::new(),
            _turn: None,
        }
    }

    /// Those of `answers`.
    pub(crate) async fn of_answers(host: &'a Host, link: &'a LinkName, answers: &[Answer]) -> Self {
        let lessons = Self::of(host, link);
        let refuses = |answer: &Answer| match &answer.outcome {
            Outcome::Refused { action, .. } => *action == Action::OtherCarrier,
            Outcome::Accepted { key } => lessons.said_before(key).is_some(),
            _ => false,
        };
        let teaches = answers.iter().any(refuses);
        lessons.begin(teaches).await
    }

    /// Those of `reports`.
    pub(crate) async fn of_reports(host: &'a Host, link: &'a LinkName, reports: &[Report]) -> Self {
        let teaches = reports.iter().any(|report| report.outcome == ReportOutcome::OtherCarrier);
        Self::of(host, link).begin(teaches).await
    }

    /// Refusals are learned one batch after another, of whatever link: of two that one message met, the later must know what the earlier came to.
    async fn begin(mut self, teaches: bool) -> Self {
        if teaches {
            let lesson = Arc::clone(&self.host.taken().lock().lesson);
            self._turn = Some(lesson.lock_owned().await);
            self.ported = self.host.state().ported();
        }
        self
    }

    /// What a report said already of the part that the carrier took as `key`, where that is that the number is another's.
    fn said_before(&self, key: &CarrierKey) -> Option<String> {
        let link = self.its.as_ref().filter(|link| link.reads_report_codes())?;
        self.host.state().report_waiting(self.link.as_str(), key).filter(|stat| link.sends_on(stat))
    }

    /// What `answer` teaches; where its message goes on if the number is not the carrier's.
    pub(crate) fn of_answer(&mut self, answer: &Answer) -> Option<SentOn> {
        if self.carriers.is_empty() {
            return None;
        }
        match &answer.outcome {
            Outcome::Refused { code, action: Action::OtherCarrier } => {
                self.refused(answer.message, format!("result {code}"))
            }
            Outcome::Accepted { key } => {
                // A report that came before its answer may say already that the number is not the carrier's.
                match self.said_before(key) {
                    Some(stat) => self.refused(answer.message, stat),
                    None => {
                        self.accepted(answer);
                        None
                    }
                }
            }
            _ => None,
        }
    }

    /// The part that `report` is about with where it goes on; none where the report says nothing of the kind, or nobody is left.
    pub(crate) fn of_report(&mut self, report: &Report) -> Option<(MessageId, MessageEvent)> {
        if report.outcome != ReportOutcome::OtherCarrier {
            return None;
        }
        let (id, part) = self.host.state().part_known_as(self.link.as_str(), &report.key)?;
        let sent_on = self.refused(id, report.stat.clone())?;
        // Where nobody is left it is a report of a failure like others.
        let SentOn { code, not, next } = Some(sent_on).filter(|on| on.next != NOBODY)?;
        Some((id, MessageEvent::ReportedNotTheirs { part, link: self.link.to_string(), code, not, next }))
    }

    fn refused(&mut self, id: MessageId, code: String) -> Option<SentOn> {
        let routing = self.host.state().routing(id)?;
        let number = routing.phone.number();
        let (own, known) = (self.own(number), self.ported.get(number));
        let today = self.host.clock().today();
        let not = routing.not.and(self.carriers);
        let served = self.host.queues();
        let next = ways::next(own, known, not, |c| served.contains(&Served::Carrier(c).queue()));
        self.doubt(number);
        if next.is_some() {
            self.facts.push(PortedFact { number, said: PortedSaid::Not(self.carriers, today) });
        } else if known.is_some_and(|k| k.source == PortedSource::Learned) {
            // Everybody refused it: what was learned before is worth nothing.
            self.facts.push(PortedFact { number, said: PortedSaid::Own(None) });
        }
        let next = next.map_or(NOBODY, |carrier| Served::Carrier(carrier).queue());
        Some(SentOn { code, not: self.carriers, next })
    }

    fn accepted(&mut self, answer: &Answer) {
        let Some(routing) = self.host.state().routing(answer.message) else { return };
        let Some(Served::Carrier(carrier)) = Served::of_queue(routing.queue) else { return };
        let number = routing.phone.number();
        if answer.part == 1 {
            let mut taken = self.host.taken().lock();
            *taken.by_segment.entry(number / SEGMENT).or_default().entry(carrier).or_default() += 1;
        }
        let sent_on = !routing.not.is_empty();
        let known = self.ported.get(number);
        let same = known.is_some_and(|k| k.carrier == Some(carrier));
        // What a file says stands until its carrier, or its segment's, refuses.
        let newer = known.map_or(sent_on, |k| !same && (sent_on || k.source == PortedSource::Learned));
        let own = self.own(number) == Some(carrier);
        if newer || same && own {
            let learned = PortedSaid::Learned(carrier, self.host.clock().today());
            self.facts.push(PortedFact { number, said: if own { PortedSaid::Own(None) } else { learned } });
            self.doubt(number);
        }
    }

    fn own(&self, number: u64) -> Option<Carrier> {
        self.segments.as_ref()?.carrier_of(number)
    }

    fn doubt(&self, number: u64) {
        self.host.taken().lock().doubted.insert(number / SEGMENT);
    }

    /// What was learned, for the commit of what taught it.
    pub(crate) fn facts(&mut self) -> Vec<PortedFact> {
        std::mem::take(&mut self.facts)
    }
}

impl Host {
    /// Says where there was no more room for what was learned.
    pub(crate) fn told_of_lessons(&self, applied: &Applied) {
        if applied.facts.rejected.iter().any(|(_, why)| *why == FactReject::TooManyPorted) {
            let text = FactReject::TooManyPorted.reason().to_owned();
            self.raise("ported.full", "ported", text);
        }
    }

    /// Looks whether a segment of which something was learned seems to belong to another carrier than the table says, and says so.
    pub fn doubt_segments(&self) {
        let ported = self.state().ported();
        let doubted = {
            let mut taken = self.taken().lock();
            if !std::mem::replace(&mut taken.begun, true) {
                let many = |s: &u64| ported.learned_in(*s).iter().any(|(_, n)| *n >= SEGMENT_NUMBERS);
                taken.doubted.extend((1_000..2_000).filter(many));
            }
            std::mem::take(&mut taken.doubted)
        };
        let Ok(settings) = self.settings() else { return };
        for segment in doubted {
            let own = settings.segments.carrier_of(segment * SEGMENT);
            match self.seems_to_be(segment, own, &ported) {
                Some((carrier, numbers)) => {
                    let said = own.map_or("nobody's", Carrier::word);
                    let text = format!(
                        "segment {segment} seems to belong to {carrier} ({}): {numbers} of its numbers were learned to be its, and more than {SEGMENT_PERCENT} % of what was taken; segments.toml has it as {said}: correct it",
                        carrier.chinese()
                    );
                    self.raise("segments.mistaken", &segment.to_string(), text);
                    // Looked at again until it is so no more.
                    self.taken().lock().doubted.insert(segment);
                }
                None => {
                    self.clear_alarm("segments.mistaken", &segment.to_string());
                    let mut taken = self.taken().lock();
                    if !taken.by_segment.contains_key(&segment) {
                        // Nobody took anything since the start: it says neither.
                        taken.doubted.insert(segment);
                    }
                }
            }
        }
    }

    /// The carrier whose the segment seems to be, and how many numbers say so.
    fn seems_to_be(&self, segment: u64, own: Option<Carrier>, ported: &Ported) -> Option<(Carrier, usize)> {
        let learned = ported.learned_in(segment).into_iter().filter(|(c, _)| Some(*c) != own);
        let (carrier, numbers) = learned.max_by_key(|(_, numbers)| *numbers).filter(|(_, n)| *n >= SEGMENT_NUMBERS)?;
        let taken = self.taken().lock();
        let taken = taken.by_segment.get(&segment)?;
        let (its, all) = (taken.get(&carrier).copied().unwrap_or(0), taken.values().sum::<u64>());
        (its * 100 > all * SEGMENT_PERCENT).then_some((carrier, numbers))
    }
}
