//! One logged-in connection as a machine without I/O: octets in, octets out, errands for the outbox. It is told the time and never
//! waits; [`crate::driver`] moves the octets and runs the errands.
//!
//! It keeps these bounds: unanswered parts ≤ window; intended parts without a durable answer ≤ window + its share of the commit group and a quarter
//! of that for urgent messages (beyond the last message's further parts); reports and inbound messages not yet durable ≤ [`MAX_UNSETTLED`].

mod gateway;
mod timing;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use gridbell_model::MessageId;
use rustc_hash::FxHashMap;

use crate::config::Terms;
use crate::dialect::Dialect;
use crate::inbound::Mailbox;
use crate::intake::{Batch, Taken};
use crate::login::Login;
use crate::pacer::Ticket;
use crate::port::{Answer, Outcome};
use crate::queue::{Queue, Ready};
use crate::shared::{Shared, Wish};
use crate::status::{Anomaly, Counters};

/// Reports and inbound messages of one connection that are not yet durable; beyond, the socket is not read.
const MAX_UNSETTLED: usize = 4096;
/// Octets waiting to be written beyond which no SUBMIT is added: what a hold cannot take back.
const MAX_SUBMIT_OUTPUT: usize = 64 * 1024;
/// Octets waiting to be written beyond which the socket is not read.
const MAX_OUTPUT: usize = 256 * 1024;
/// Parts told as unanswered whose late answers a connection still knows; a gateway that owes more has lost them.
const MAX_OVERDUE: usize = 1024;
/// How long an intended part may wait before its facts must be checked again.
const STALE: Duration = Duration::from_secs(5);

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As was wished.
    Drained,
    /// Nothing was to be said on it, and its protocol has it end then.
    Idle,
    /// Otherwise, in a sentence without anything personal.
    Lost(String),
}

/// A part that was put into the output.
#[derive(Debug)]
struct Flight {
    message: MessageId,
    part: u8,
    attempt: u8,
    expires: bool,
    ticket: Option<Ticket>,
    at: Duration,
    /// The output's offset behind it: below it in what was written, the gateway cannot have the part.
    end: u64,
}

/// How far the polite end has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// We said goodbye; until when the answer may come.
    Ending {
        until: Duration,
    },
    /// The gateway said it; until when our answer may take to be written.
    Ended {
        until: Duration,
    },
    /// Nothing is left to be said.
    Over,
}

/// A heartbeat under way.
#[derive(Clone, Copy, Debug)]
struct Probe {
    at: Duration,
    tries: u32,
}

pub(crate) struct Core<D: Dialect> {
    shared: Arc<Shared>,
    dialect: D,
    /// Octets read and not yet understood.
    pub(crate) input: BytesMut,
    /// Octets to write.
    pub(crate) output: BytesMut,
    /// Octets that were ever put into the output, and taken from it.
    encoded: u64,
    written: u64,
    queue: Queue,
    flight: FxHashMap<D::Seq, Flight>,
    /// Parts told as unanswered whose answers may come late: sequence, message, part.
    overdue: VecDeque<(D::Seq, MessageId, u8)>,
    batch: Batch<D::Ack>,
    /// Answers, and reports with inbound messages, in the errand under way.
    settling: (usize, usize),
    /// Parts asked for by the errand under way.
    asked: usize,
    mailbox: Mailbox<D::Ack>,
    phase: Phase,
    heard: Duration,
    spoke: Duration,
    probe: Option<Probe>,
    /// The goodbye is for having nothing to say.
    idle: bool,
    /// A submit went unanswered: nothing is sent until the gateway answers something.
    suspect: bool,
    answers_due: Option<Duration>,
    throttle: Duration,
    throttled_until: Duration,
    /// SUBMITs in a row with which the gateway found fault.
    faults: u32,
    malformed: u32,
    given_back: u64,
    /// The same when the errand under way began.
    asked_after: u64,
    /// When the pacer lets the next part go.
    paced: Option<Duration>,
    gauge: usize,
    /// The gateway opened it: nothing is submitted on it.
    receiving: bool,
}

impl<D: Dialect> Core<D> {
    pub(crate) fn new(shared: Arc<Shared>, login: Login<D>, now: Duration) -> Self {
        let config = &shared.config;
        let (throttle, given_back) = (config.timers.throttle_min(), shared.wish.borrow().give_back);
        Self {
            dialect: login.dialect,
            input: login.input,
            encoded: login.output.len() as u64,
            output: login.output,
            written: 0,
            queue: Queue::default(),
            flight: FxHashMap::default(),
            overdue: VecDeque::new(),
            batch: Batch::default(),
            settling: (0, 0),
            asked: 0,
            mailbox: Mailbox::default(),
            phase: Phase::Running,
            heard: now,
            spoke: now,
            probe: None,
            idle: false,
            suspect: false,
            answers_due: None,
            throttle,
            throttled_until: Duration::ZERO,
            faults: 0,
            malformed: 0,
            given_back,
            asked_after: given_back,
            paced: None,
            gauge: 0,
            receiving: false,
            shared,
        }
    }

    /// A connection that the gateway opened: it brings reports and inbound messages, and nothing is submitted on it.
    pub(crate) fn receiving(shared: Arc<Shared>, login: Login<D>, now: Duration) -> Self {
        Self { receiving: true, ..Self::new(shared, login, now) }
    }

    /// One turn: understand what came, obey, keep the timers, write what may be written.
    pub(crate) fn turn(&mut self, now: Duration) -> Result<(), End> {
        self.understand(now)?;
        let wish = *self.shared.wish.borrow();
        self.obey(wish, now);
        self.keep_time(now)?;
        self.fill(now);
        self.show_window();
        self.end(now)
    }

    fn next_seq(&mut self) -> D::Seq {
        self.dialect.seq(&self.shared.ground())
    }

    /// Puts a PDU into the output.
    fn say(&mut self, write: impl FnOnce(&D, &mut BytesMut)) {
        let before = self.output.len();
        write(&self.dialect, &mut self.output);
        self.encoded += (self.output.len() - before) as u64;
    }

    /// Says goodbye, once everything else is said.
    fn say_bye(&mut self, now: Duration) {
        let seq = self.next_seq();
        self.say(|dialect, out| dialect.bye(seq, out));
        self.phase = Phase::Ending { until: now + timing::LAST_WORDS };
    }

    /// Whether nothing is in its hands.
    fn is_idle(&self) -> bool {
        self.flight.is_empty()
            && self.queue.parts() == 0
            && self.asked == 0
            && self.batch.is_empty()
            && self.settling == (0, 0)
    }

    fn obey(&mut self, wish: Wish, now: Duration) {
        let give_back = wish.give_back != self.given_back;
        self.given_back = wish.give_back;
        if (give_back || !self.shared.may_submit()) && self.queue.parts() > 0 {
            self.batch.unsent.extend(self.queue.take_all());
        }
        if wish.draining && self.phase == Phase::Running && self.is_idle() {
            self.say_bye(now);
        }
    }

    /// Writes SUBMITs into the output as far as wish, window, gateway and pacer allow.
    fn fill(&mut self, now: Duration) {
        self.paced = None;
        let civil = self.shared.clock.now();
        let mut sent = 0;
        while self.may_submit(now) {
            let Some(front) = self.queue.front() else {
                break;
            };
            if front.valid_until.is_some_and(|until| until <= civil) {
                self.batch.unsent.extend(self.queue.drop_front());
                continue;
            }
            match self.shared.pace(now) {
                Ok(ticket) => sent += usize::from(self.submit_part(ticket, now)),
                Err(when) => {
                    self.paced = Some(when);
                    break;
                }
            }
        }
        if sent > 0 {
            self.spoke = now;
            self.shared.sent(sent, now);
        }
    }

    fn may_submit(&self, now: Duration) -> bool {
        self.flight.len() < self.shared.config.window()
            && self.output.len() < MAX_SUBMIT_OUTPUT
            && self.phase == Phase::Running
            && !self.suspect
            && self.throttled_until <= now
            && self.shared.may_submit()
    }

    /// Puts the next part into the output and into the window; false where it cannot be written.
    fn submit_part(&mut self, ticket: Option<Ticket>, now: Duration) -> bool {
        let seq = self.next_seq();
        let Some(front) = self.queue.front() else {
            return false;
        };
        let (message, attempt, expires) = (front.id, front.attempt, front.valid_until.is_some());
        let head = front.head;
        let Some(part) = self.queue.pop_part() else {
            return false;
        };
        let (number, before) = (part.number, self.output.len());
        if self.dialect.submit(seq, &head, part, &mut self.output).is_err() {
            let outcome = Outcome::Unsendable { reason: "短信无法编码" };
            self.batch.answers.push(Answer { message, part: number, outcome });
            self.batch.unsent.extend(self.queue.drop_begun(message));
            self.shared.paced_answer(ticket, now);
            return false;
        }
        self.encoded += (self.output.len() - before) as u64;
        let end = self.encoded;
        self.flight.insert(seq, Flight { message, part: number, attempt, expires, ticket, at: now, end });
        self.answers_due.get_or_insert(now + self.shared.config.answer());
        true
    }

    /// `octets` of the output were taken by the socket.
    pub(crate) fn wrote(&mut self, octets: usize, now: Duration) {
        self.written += octets as u64;
        self.spoke = now;
    }

    /// Whether the socket may be read.
    pub(crate) fn can_read(&self) -> bool {
        self.unsettled() < MAX_UNSETTLED && self.output.len() < MAX_OUTPUT
    }

    fn unsettled(&self) -> usize {
        self.batch.reports.len() + self.batch.inbound.len() + self.settling.1
    }

    fn may_fetch(&self, now: Duration) -> bool {
        let blocked = self.suspect || self.throttled_until > now || self.phase != Phase::Running;
        !blocked && !self.receiving && self.shared.may_submit()
    }

    /// This connection's share of the parts that may be intended ahead of the windows.
    fn ahead(&self) -> usize {
        let config = &self.shared.config;
        (config.ahead() / config.connections).max(1)
    }

    /// How many parts of urgent messages to fetch now, whatever else is intended: they overtake it.
    pub(crate) fn wants_urgent(&self, now: Duration) -> Option<usize> {
        let room = (self.ahead() / 4).max(1).saturating_sub(self.queue.urgent_parts());
        (room > 0 && self.may_fetch(now)).then_some(room)
    }

    /// How many parts to fetch now; none while that is not worth an errand.
    pub(crate) fn wants(&self, now: Duration) -> Option<usize> {
        if !self.may_fetch(now) {
            return None;
        }
        let (config, ahead) = (&self.shared.config, self.ahead());
        let settling = self.batch.answers.len() + self.settling.0;
        let waiting = self.queue.parts() + self.asked;
        let exposed = waiting + self.flight.len() + settling;
        let room = (config.window() + ahead).saturating_sub(exposed).min(ahead.saturating_sub(waiting));
        (room > 0 && room >= ahead / 4).then_some(room)
    }

    /// An errand for `parts` parts begins.
    pub(crate) fn asking(&mut self, parts: usize) {
        self.asked = parts;
        self.asked_after = self.given_back;
    }

    /// It ended.
    pub(crate) fn took(&mut self, taken: Taken) {
        self.asked = 0;
        if self.asked_after == self.shared.wish.borrow().give_back {
            taken.ready.into_iter().for_each(|ready| self.queue.push(ready));
        } else {
            // Perhaps claimed before what is to be held was.
            self.batch.unsent.extend(taken.ready.iter().map(Ready::unsent));
        }
        self.batch.answers.extend(taken.answers);
        self.batch.unsent.extend(taken.unsent);
    }

    /// What the outbox must be told, if anything; the errand begins.
    pub(crate) fn take_batch(&mut self) -> Option<Batch<D::Ack>> {
        if self.batch.is_empty() {
            return None;
        }
        let batch = std::mem::take(&mut self.batch);
        self.settling = (batch.answers.len(), batch.reports.len() + batch.inbound.len());
        Some(batch)
    }

    /// The outbox has it: what the gateway waits for may be acknowledged.
    pub(crate) fn settled(&mut self, batch: Batch<D::Ack>) {
        self.settling = (0, 0);
        Counters::add(&self.shared.counters.reports, batch.reports.len());
        Counters::add(&self.shared.counters.inbound, batch.inbound.len());
        for ack in batch.acks {
            self.say(|dialect, out| dialect.answer(&ack, out));
        }
    }

    /// How the connection ended, now that the socket failed.
    pub(crate) fn lost(&self, why: String) -> End {
        if matches!(self.phase, Phase::Ending { .. }) { self.ended() } else { self.gone(why) }
    }

    /// How it ended after our goodbye.
    const fn ended(&self) -> End {
        if self.idle { End::Idle } else { End::Drained }
    }

    /// How it ended without one.
    fn gone(&self, why: String) -> End {
        if !D::HEARTBEAT && self.is_idle() { End::Idle } else { End::Lost(why) }
    }

    /// The connection is gone: nothing stays in its hands.
    pub(crate) fn abandon(&mut self, now: Duration) {
        let mut flights: Vec<(D::Seq, Flight)> = self.flight.drain().collect();
        flights.sort_by_key(|(_, flight)| flight.end);
        for (_, flight) in flights {
            self.shared.paced_answer(flight.ticket, now);
            if flight.end <= self.written {
                self.unanswered(&flight);
            } else {
                self.batch.unsent(flight.message, flight.part);
            }
        }
        self.batch.unsent.extend(self.queue.take_all());
        self.show_window();
    }

    fn unanswered(&mut self, flight: &Flight) {
        Counters::add(&self.shared.counters.unanswered, 1);
        let again = flight.attempt.saturating_add(1) < self.shared.config.attempts;
        let outcome = Outcome::Unanswered { again };
        self.batch.answers.push(Answer { message: flight.message, part: flight.part, outcome });
    }

    fn show_window(&mut self) {
        let used = &self.shared.window_used;
        match self.flight.len() {
            more if more > self.gauge => used.fetch_add(more - self.gauge, Ordering::Relaxed),
            fewer => used.fetch_sub(self.gauge - fewer, Ordering::Relaxed),
        };
        self.gauge = self.flight.len();
    }

    fn end(&self, now: Duration) -> Result<(), End> {
        match self.phase {
            Phase::Over => Err(self.ended()),
            Phase::Ending { until } if until <= now => Err(self.ended()),
            Phase::Ended { until } if until <= now || self.output.is_empty() => {
                Err(self.gone("the gateway ended the connection".to_owned()))
            }
            Phase::Running | Phase::Ending { .. } | Phase::Ended { .. } => Ok(()),
        }
    }

    fn noted(&self, kind: Anomaly, detail: &dyn std::fmt::Display) {
        self.shared.anomaly(kind, detail);
    }
}
