//! The link itself: claims, intents, permits, and what the outbox is told. One task rules it; each message on its way is a task of its own.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_model::Moment;
use gridbell_platform::{Answer, CallError, Exchange};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};

use super::breaker::{Breaker, Permit};
use super::config::HttpTerms;
use super::deliver::{Common, Delivery, Done, End, Flight, Health, Note};
use super::fetch::{Taken, take, unsent};
use super::provider::{Chore, Provider};
use super::quota::Quota;
use crate::config::Terms;
use crate::driver::Timer;
use crate::error::ChannelError;
use crate::fetching::{Errand, Fetching, errand};
use crate::intake::insist;
use crate::link::LinkHandle;
use crate::pacer::Ticket;
use crate::parts::PartSet;
use crate::port::{self, Action, Outbox, Outcome, Outgoing, Unsent, Which};
use crate::shared::Shared;
use crate::status::{AlarmKind, Anomaly, Counters};

/// Rules a link to a platform.
pub type HttpHandle = LinkHandle<HttpTerms>;

/// An intent older than this is given back, and its facts are looked at again.
const INTENT_LIMIT: Duration = Duration::from_secs(5);
/// What a message is answered that finds the day's quota used.
const QUOTA_USED: &str = "day-quota";
/// Refusals for our own faults in a row before the link stops: the next would be no better.
const MAX_FAULTS: u32 = 16;
/// The longest sleep: everything that matters wakes the link.
const LONG: Duration = Duration::from_secs(60);

type ChoreDone = (u64, Result<Answer, CallError>);

/// Starts a link on the current runtime. It runs until it is drained; one that is not `enabled` starts held.
///
/// # Errors
/// Where its terms cannot be.
///
/// # Panics
/// Outside a tokio runtime.
pub fn start_http<O: Outbox, P: Provider, E: Exchange>(
    terms: HttpTerms,
    provider: Arc<P>,
    outbox: Arc<O>,
    exchange: Arc<E>,
    clock: Clock,
) -> Result<HttpHandle, ChannelError> {
    terms.check()?;
    let held = !terms.enabled;
    let shared = Arc::new(Shared::new(terms, clock));
    if held {
        shared.want(|wish| wish.held = true);
    }
    let handle = LinkHandle::of(&shared);
    let chores = watch::Sender::new(0);
    tokio::spawn(Link::new(Arc::new(Common { shared, provider, outbox, exchange, chores })).run());
    Ok(handle)
}

/// What the outbox is to be told.
#[derive(Default)]
struct Ledger {
    answers: Vec<port::Answer>,
    unsent: Vec<Unsent>,
}

struct Link<O, P, E> {
    common: Arc<Common<O, P, E>>,
    shared: Arc<Shared<HttpTerms>>,
    /// Intended, with the time since which; urgent before bulk.
    urgent: VecDeque<(Duration, Outgoing)>,
    bulk: VecDeque<(Duration, Outgoing)>,
    flights: JoinSet<Done>,
    known: HashMap<Id, Flight>,
    ledger: Ledger,
    /// Answers in the errand under way: not durable yet.
    settling: usize,
    breaker: Breaker,
    quota: Quota,
    /// Whether the operator was told that the day's quota is used.
    quota_told: bool,
    faults: u32,
    throttled_until: Duration,
    throttle: Duration,
    /// When the pacer lets the next go.
    paced: Option<Duration>,
    given_back: u64,
    asked_after: u64,
    stopped: bool,
    draining_since: Option<Duration>,
}

impl<O: Outbox, P: Provider, E: Exchange> Link<O, P, E> {
    fn new(common: Arc<Common<O, P, E>>) -> Self {
        let shared = Arc::clone(&common.shared);
        let timers = &shared.config.timers;
        let (min, max) = (Duration::from_millis(timers.breaker_min_ms), Duration::from_secs(timers.breaker_max_s));
        Self {
            breaker: Breaker::new(timers.breaker_after, min, max),
            quota: Quota::new(shared.config.day_quota),
            throttle: Duration::from_millis(timers.throttle_min_ms),
            common,
            shared,
            urgent: VecDeque::new(),
            bulk: VecDeque::new(),
            flights: JoinSet::new(),
            known: HashMap::new(),
            ledger: Ledger::default(),
            settling: 0,
            quota_told: false,
            faults: 0,
            throttled_until: Duration::ZERO,
            paced: None,
            given_back: 0,
            asked_after: 0,
            stopped: false,
            draining_since: None,
        }
    }

    async fn run(mut self) {
        let clock = self.shared.clock.clone();
        let mut wish = self.shared.wish.subscribe();
        let mut timer = Timer::new(clock.clone());
        let (mut fetching, mut settling, mut chore) = (Fetching::Idle, None::<Errand<()>>, None::<Errand<ChoreDone>>);
        let mut hurry = false;
        self.shared.up(super::VERSION);
        loop {
            let now = clock.monotonic();
            self.obey(now);
            self.launch(now);
            if settling.is_none() {
                settling = self.settle();
            }
            if self.is_over() && settling.is_none() && !matches!(fetching, Fetching::Taking(_)) {
                break;
            }
            let chore_due = if chore.is_none() { self.chores(&mut chore) } else { None };
            fetching = self.fetch(fetching, hurry, now);
            hurry = false;
            timer.set(self.next_turn(chore_due, now), now);
            // Should everything always be at hand, other tasks have their turn all the same.
            tokio::task::consume_budget().await;
            tokio::select! {
                biased;
                Some(done) = self.flights.join_next_with_id() => self.landed(done, &clock),
                () = errand(&mut settling) => (settling, self.settling) = (None, 0),
                taken = fetching.ended() => {
                    hurry = matches!(fetching, Fetching::Watching(_));
                    let nothing = taken.as_ref().is_some_and(|taken| taken.nothing);
                    let (outbox, link) = (&self.common.outbox, &self.shared.config.name);
                    fetching = if nothing { Fetching::wait(outbox, link) } else { Fetching::Idle };
                    self.took(taken.unwrap_or_default(), clock.monotonic());
                }
                (ticket, result) = errand(&mut chore) => {
                    chore = None;
                    if let Err(error) = &result {
                        self.shared.failed(error.to_string());
                    }
                    self.heard_of_account(self.common.provider.did(ticket, &result, clock.now()));
                    self.common.chores.send_modify(|version| *version += 1);
                }
                () = timer.due() => {}
                () = changed(&mut wish) => {}
            }
        }
        self.shared.down();
        self.shared.close();
    }

    /// Does what people and the platform's refusals want.
    fn obey(&mut self, now: Duration) {
        let wish = *self.shared.wish.borrow();
        if wish.give_back != self.given_back || !self.shared.may_submit() {
            self.given_back = wish.give_back;
            self.release_queue();
        }
        if self.stopped && !wish.submits_stopped {
            // A person says that it is right again.
            self.quota.forget();
            self.recovered();
            self.faults = 0;
        }
        self.stopped = wish.submits_stopped;
        if self.quota_told && self.quota.over_until(self.shared.clock.now()).is_none() {
            self.quota_told = false;
            self.shared.calm(|kind| kind == AlarmKind::QuotaUsed);
        }
        if wish.draining {
            let since = *self.draining_since.get_or_insert(now);
            if now.saturating_sub(since) >= self.shared.config.drain() && !self.flights.is_empty() {
                self.shared.failed("the drain took too long: what is unanswered is told as such".to_owned());
                self.flights.abort_all();
            }
        }
        let stale = |queue: &mut VecDeque<(Duration, Outgoing)>| {
            let fresh = queue.iter().position(|(since, _)| now.saturating_sub(*since) < INTENT_LIMIT);
            queue.drain(..fresh.unwrap_or(queue.len())).collect::<Vec<_>>()
        };
        let old = [stale(&mut self.urgent), stale(&mut self.bulk)].concat();
        self.ledger.unsent.extend(old.iter().map(|(_, message)| unsent(message)));
    }

    /// Once for each time that it is used up; taken back when there is room again.
    fn tell_quota(&mut self) {
        if !self.quota_told {
            self.quota_told = true;
            self.shared.alarm(AlarmKind::QuotaUsed);
        }
    }

    fn release_queue(&mut self) {
        let all = self.urgent.drain(..).chain(self.bulk.drain(..));
        self.ledger.unsent.extend(all.map(|(_, message)| unsent(&message)));
    }

    fn waiting(&self) -> usize {
        self.urgent.len() + self.bulk.len()
    }

    /// Sends what may go.
    fn launch(&mut self, now: Duration) {
        self.paced = None;
        while self.waiting() > 0 && self.shared.may_submit() {
            let civil = self.shared.clock.now();
            if let Some(until) = self.quota.over_until(civil) {
                self.pass_on(until);
                continue;
            }
            if !self.may_launch(now, civil) {
                break;
            }
            let expired = |message: &Outgoing| message.valid_until.is_some_and(|until| until <= civil);
            if self.front().is_some_and(expired) {
                if let Some(message) = self.pop() {
                    self.ledger.unsent.push(unsent(&message));
                }
                continue;
            }
            match self.shared.pace(now) {
                Ok(ticket) => self.start(ticket),
                Err(when) => {
                    self.paced = Some(when);
                    break;
                }
            }
        }
        self.shared.window_used.store(self.flights.len(), std::sync::atomic::Ordering::Relaxed);
    }

    fn may_launch(&mut self, now: Duration, civil: Moment) -> bool {
        let most = match self.breaker.permit(now) {
            Permit::All => self.shared.config.window,
            Permit::Probe => 1,
            Permit::Not(_) => 0,
        };
        self.flights.len() < most
            && self.throttled_until <= now
            && self.common.provider.is_ready(civil)
            && self.quota.has_room(self.flights.len(), civil)
    }

    fn start(&mut self, ticket: Option<Ticket>) {
        let Some(message) = self.pop() else { return };
        let flight = Flight { message: message.id, open: message.open, attempt: message.attempt };
        let delivery = Delivery { common: Arc::clone(&self.common), message, ticket };
        let task = self.flights.spawn(delivery.run());
        self.known.insert(task.id(), flight);
    }

    fn front(&self) -> Option<&Outgoing> {
        self.urgent.front().or_else(|| self.bulk.front()).map(|(_, message)| message)
    }

    fn pop(&mut self) -> Option<Outgoing> {
        self.urgent.pop_front().or_else(|| self.bulk.pop_front()).map(|(_, message)| message)
    }

    /// The day's quota is used: all that is here goes on to its next channel.
    fn pass_on(&mut self, until: Moment) {
        self.tell_quota();
        while let Some(message) = self.pop() {
            let action = Action::NextChannelUntil { until };
            self.answer(message.open, message.id, &Outcome::Declined { code: QUOTA_USED.into(), action });
        }
    }

    fn answer(&mut self, open: PartSet, message: gridbell_model::MessageId, outcome: &Outcome) {
        if let Outcome::Unsendable { .. } = outcome {
            return self.ledger.answers.push(port::Answer { message, part: 0, outcome: outcome.clone() });
        }
        let answers = open.iter().map(|part| port::Answer { message, part, outcome: outcome.clone() });
        self.ledger.answers.extend(answers);
    }

    /// A message came to its end.
    fn landed(&mut self, done: Result<(Id, Done), JoinError>, clock: &Clock) {
        let (id, done) = match done {
            Ok((id, done)) => (id, Some(done)),
            Err(error) => {
                if !error.is_cancelled() {
                    self.shared.failed(format!("a message's task died: {error}"));
                    self.shared.alarm(AlarmKind::Defect);
                }
                (error.id(), None)
            }
        };
        let Some(flight) = self.known.remove(&id) else { return };
        let again = flight.attempt.saturating_add(1) < self.shared.config.attempts;
        // A task that ended without a word may have sent it.
        let lost =
            || Done { end: End::Answered(Outcome::Unanswered { again }), health: Health::Unknown, note: Note::Nothing };
        let Done { end, health, note } = done.unwrap_or_else(lost);
        self.heard(health, clock.monotonic());
        self.noted(note, clock.monotonic());
        match end {
            End::Unsent => self.ledger.unsent.push(Unsent { message: flight.message, parts: flight.open }),
            End::Answered(outcome) => {
                self.counted(&outcome, clock.now());
                self.answer(flight.open, flight.message, &outcome);
            }
        }
    }

    fn counted(&mut self, outcome: &Outcome, now: Moment) {
        let counters = &self.shared.counters;
        match outcome {
            Outcome::Accepted { .. } => {
                Counters::add(&counters.accepted, 1);
                self.quota.used(now);
                self.faults = 0;
                self.throttle = Duration::from_millis(self.shared.config.timers.throttle_min_ms);
            }
            Outcome::Unanswered { .. } => {
                Counters::add(&counters.unanswered, 1);
                self.quota.used(now);
            }
            _ => Counters::add(&counters.refused, 1),
        }
    }

    /// Whether the platform takes the account's credentials.
    fn heard_of_account(&self, taken: Result<(), gridbell_platform::Code>) {
        match taken {
            Ok(()) if self.common.provider.is_ready(self.shared.clock.now()) => {
                self.shared.calm(|kind| matches!(kind, AlarmKind::LoginRefused { .. }));
            }
            Ok(()) => {}
            Err(code) => {
                self.shared.failed(format!("the platform refuses the account: it answers `{code}`"));
                self.shared.alarm(AlarmKind::LoginRefused { status: number(code.as_str()) });
            }
        }
    }

    fn heard(&mut self, health: Health, now: Duration) {
        match health {
            Health::Good => self.recovered(),
            Health::Bad => {
                if self.breaker.bad(now) {
                    self.shared.down();
                    self.shared.alarm(AlarmKind::Unreachable);
                }
                if self.breaker.is_open() {
                    // Another link may have them.
                    self.release_queue();
                }
            }
            Health::Unknown => {}
        }
    }

    fn recovered(&mut self) {
        if self.breaker.good() {
            self.shared.up(super::VERSION);
        }
    }

    fn noted(&mut self, note: Note, now: Duration) {
        match note {
            Note::Nothing => {}
            Note::SlowDown(until) => {
                self.shared.anomaly(Anomaly::FlowControl, &"it refuses for going too fast");
                if self.throttled_until <= now {
                    let told =
                        until.map(|until| (until.unix_ms() - self.shared.clock.now().unix_ms()).max(0).unsigned_abs());
                    let wait = told.map_or(self.throttle, Duration::from_millis).max(self.throttle);
                    let most = self.shared.config.throttle_max();
                    self.throttled_until = now + wait.min(most);
                    self.throttle = self.throttle.saturating_mul(2).min(most);
                }
            }
            Note::QuotaOver(until) => {
                self.quota.told(until);
                self.tell_quota();
            }
            Note::Stop(code) => self.stop(&code),
            Note::OurBug(code) => {
                self.faults += 1;
                self.shared.failed(format!("the platform cannot read what we wrote: it answers `{code}`"));
                self.shared.alarm(AlarmKind::OurFault { code: number(code.as_str()) });
                if self.faults >= MAX_FAULTS {
                    self.stop(&code);
                }
            }
        }
    }

    fn stop(&self, code: &gridbell_platform::Code) {
        self.shared.failed(format!("the platform refuses the account's configuration: it answers `{code}`"));
        self.shared.alarm(AlarmKind::SubmitsRefused { code: number(code.as_str()) });
        self.shared.want(|wish| wish.submits_stopped = true);
    }

    /// The errand for new messages, once there is room for them, and in a hurry for urgent ones alone, which overtake the others.
    fn fetch(&mut self, fetching: Fetching<Taken>, hurry: bool, now: Duration) -> Fetching<Taken> {
        if !fetching.is_free() {
            return fetching;
        }
        let urgent = self.wants_urgent(now);
        let any = self.wants(now).map(|most| (most, Which::Any));
        let Some((most, which)) = any.or_else(|| Some((urgent.filter(|_| hurry)?, Which::Urgent))) else {
            let watches = matches!(fetching, Fetching::Watching(_)) || urgent.is_none();
            return if watches { fetching } else { Fetching::watch(&self.common.outbox, &self.shared.config.name) };
        };
        self.asked_after = self.given_back;
        Fetching::Taking(Box::pin(take(Arc::clone(&self.common), most, which)))
    }

    /// How many urgent messages to claim now, whatever else is intended: they overtake it.
    fn wants_urgent(&mut self, now: Duration) -> Option<usize> {
        let civil = self.shared.clock.now();
        let sends = self.shared.may_submit() && self.throttled_until <= now && self.common.provider.is_ready(civil);
        let room = (self.shared.config.ahead() / 4).max(1).saturating_sub(self.urgent.len());
        (room > 0 && sends && matches!(self.breaker.permit(now), Permit::All)).then_some(room)
    }

    /// How many to claim now; none while that is not worth an errand.
    fn wants(&mut self, now: Duration) -> Option<usize> {
        let terms = &self.shared.config;
        let civil = self.shared.clock.now();
        if !self.shared.may_submit() {
            return None;
        }
        if self.quota.over_until(civil).is_some() {
            // They need no call, only their next channel.
            let room = terms.commit_group.saturating_sub(self.ledger.answers.len() + self.settling);
            return (room > 0).then_some(room);
        }
        if self.throttled_until > now || !self.common.provider.is_ready(civil) {
            return None;
        }
        let ahead = terms.ahead();
        let room = match self.breaker.permit(now) {
            Permit::All => {
                // What a crash exposes: also what was answered, until that is durable.
                let exposed = self.waiting() + self.flights.len() + self.ledger.answers.len() + self.settling;
                (terms.window + ahead).saturating_sub(exposed).min(ahead.saturating_sub(self.waiting()))
            }
            Permit::Probe => usize::from(self.waiting() + self.flights.len() == 0),
            Permit::Not(_) => 0,
        };
        (room > 0 && (room >= ahead / 4 || self.waiting() == 0)).then_some(room)
    }

    fn took(&mut self, taken: Taken, now: Duration) {
        self.ledger.unsent.extend(taken.unsent);
        let back = self.asked_after != self.shared.wish.borrow().give_back;
        for message in taken.messages {
            if back {
                // Perhaps claimed before what is to be held was.
                self.ledger.unsent.push(unsent(&message));
            } else if message.urgent {
                self.urgent.push_back((now, message));
            } else {
                self.bulk.push_back((now, message));
            }
        }
    }

    /// Begins a chore that is due, or says when one will be.
    fn chores(&self, chore: &mut Option<Errand<ChoreDone>>) -> Option<Duration> {
        let clock = &self.shared.clock;
        if self.draining_since.is_some() && self.flights.is_empty() {
            return None;
        }
        match self.common.provider.chore(clock.now()) {
            Chore::Call { ticket, request } => {
                let common = Arc::clone(&self.common);
                *chore = Some(Box::pin(async move { (ticket, common.exchange.call(&request).await) }));
                None
            }
            Chore::At(when) => {
                let wait = (when.unix_ms() - clock.now().unix_ms()).max(1).unsigned_abs();
                Some(clock.monotonic() + Duration::from_millis(wait))
            }
            Chore::Nothing => None,
        }
    }

    fn settle(&mut self) -> Option<Errand<()>> {
        if self.ledger.answers.is_empty() && self.ledger.unsent.is_empty() {
            return None;
        }
        let (ledger, common) = (std::mem::take(&mut self.ledger), Arc::clone(&self.common));
        self.settling = ledger.answers.len();
        Some(Box::pin(async move {
            let (shared, outbox, name) = (&common.shared, &common.outbox, &common.shared.config.name);
            tokio::join!(
                insist(shared, ledger.answers.is_empty(), || outbox.answered(name, &ledger.answers)),
                insist(shared, ledger.unsent.is_empty(), || outbox.release(name, &ledger.unsent)),
            );
        }))
    }

    fn is_over(&self) -> bool {
        let told = self.ledger.answers.is_empty() && self.ledger.unsent.is_empty();
        self.draining_since.is_some() && self.flights.is_empty() && self.waiting() == 0 && told
    }

    /// When to look again, whatever happens.
    fn next_turn(&self, chore_due: Option<Duration>, now: Duration) -> Duration {
        let permit = match self.breaker.permit(now) {
            Permit::Not(until) => Some(until),
            Permit::All | Permit::Probe => None,
        };
        let throttled = (self.throttled_until > now).then_some(self.throttled_until);
        let oldest = [self.urgent.front(), self.bulk.front()].into_iter().flatten();
        let stale = oldest.map(|(since, _)| *since + INTENT_LIMIT).min();
        let drained =
            self.draining_since.filter(|_| !self.flights.is_empty()).map(|since| since + self.shared.config.drain());
        let due = [self.paced, permit, throttled, stale, drained, chore_due];
        due.into_iter().flatten().min().unwrap_or(now + LONG).min(now + LONG).max(now)
    }
}

/// A code for an alarm: its number, where it is one; the link's last error has it whole.
fn number(code: &str) -> u32 {
    code.parse::<i64>().ok().and_then(|code| u32::try_from(code.unsigned_abs()).ok()).unwrap_or(0)
}

/// Also resolves when the sender is gone, which outlives the link.
async fn changed(wish: &mut watch::Receiver<crate::shared::Wish>) {
    let _ = wish.changed().await;
}
