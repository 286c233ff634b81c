//! What the gateway says, understood. Nothing it says may do more than end its own connection.

use std::time::Duration;

use gridbell_model::CarrierKey;

use super::{Core, End, MAX_OUTPUT, MAX_UNSETTLED, Phase, timing};
use crate::dialect::{Broken, Dialect, Event};
use crate::dispose::{Consequence, refusal};
use crate::port::{Action, Answer, Outcome, ReportOutcome};
use crate::status::{AlarmKind, Anomaly, Counters};

/// Malformed PDUs that one connection survives.
const MAX_MALFORMED: u32 = 100;
/// SUBMITs in a row that the gateway calls malformed before the link stops: the next would be no better.
const MAX_FAULTS: u32 = 16;

impl<D: Dialect> Core<D> {
    /// Takes whole PDUs off the input.
    pub(super) fn understand(&mut self, now: Duration) -> Result<(), End> {
        while self.unsettled() < MAX_UNSETTLED && self.output.len() < MAX_OUTPUT {
            match self.dialect.decode(&mut self.input) {
                Ok(None) => break,
                Ok(Some(event)) => {
                    self.heard = now;
                    self.hear(event, now);
                }
                Err(Broken::Malformed { what, refusal }) => {
                    self.heard = now;
                    self.malformed(&what, refusal)?;
                }
                Err(Broken::OutOfStep(why)) => {
                    self.noted(Anomaly::OutOfStep, &why);
                    return Err(End::Lost(why));
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, event: Event<D>, now: Duration) {
        match event {
            Event::Answer { seq, result } => self.hear_answer(seq, result, now),
            Event::Report { ack, mut report } => {
                let failed = !matches!(report.outcome, ReportOutcome::Delivered | ReportOutcome::Pending);
                if failed && self.shared.config.sends_on(&report.stat) {
                    report.outcome = ReportOutcome::OtherCarrier;
                }
                self.batch.reports.push(report);
                self.batch.acks.push(ack);
            }
            Event::BadReport { ack, why } => {
                self.noted(Anomaly::BadReport, &why);
                self.say(|dialect, out| dialect.answer(&ack, out));
            }
            Event::Inbound { ack, key, piece } => {
                if let Err(ack) = self.mailbox.take(ack, key, piece, now, &mut self.batch) {
                    self.noted(Anomaly::TooManyLong, &"too many long inbound messages are under way");
                    let later = D::later(ack);
                    self.say(|dialect, out| dialect.answer(&later, out));
                }
            }
            Event::Probe(seq) => self.say(|dialect, out| dialect.answer_probe(seq, out)),
            Event::ProbeAnswer => self.is_alive(),
            Event::Bye(seq) => {
                self.say(|dialect, out| dialect.answer_bye(seq, out));
                self.phase = Phase::Ended { until: now + timing::LAST_WORDS };
            }
            Event::ByeAnswer if matches!(self.phase, Phase::Ending { .. }) => self.phase = Phase::Over,
            Event::ByeAnswer => self.noted(Anomaly::Unexpected, &"an answer to no goodbye"),
            Event::Unexpected(what) => self.noted(Anomaly::Unexpected, &what),
        }
    }

    fn is_alive(&mut self) {
        self.probe = None;
        self.suspect = false;
    }

    fn hear_answer(&mut self, seq: D::Seq, result: Result<CarrierKey, u32>, now: Duration) {
        self.is_alive();
        let Some(flight) = self.flight.remove(&seq) else {
            return self.hear_late(seq, result.ok());
        };
        self.shared.paced_answer(flight.ticket, now);
        let (message, part) = (flight.message, flight.part);
        let code = match result {
            Ok(key) => {
                Counters::add(&self.shared.counters.accepted, 1);
                if D::CALLS {
                    self.shared.owes_a_call(now);
                }
                self.faults = 0;
                if self.throttled_until <= now {
                    self.throttle = self.shared.config.timers.throttle_min();
                }
                self.batch.answers.push(Answer { message, part, outcome: Outcome::Accepted { key } });
                return;
            }
            Err(code) => code,
        };
        Counters::add(&self.shared.counters.refused, 1);
        let (mut action, consequence) = refusal(&self.shared.config, code, D::verdict, flight.attempt, flight.expires);
        match consequence {
            Consequence::None => {}
            Consequence::SlowDown => self.slow_down(now),
            Consequence::Stop => self.stop(code),
            Consequence::OurBug => {
                self.faults += 1;
                self.shared.alarm(AlarmKind::OurFault { code });
                if self.faults >= MAX_FAULTS {
                    action = Action::Requeue;
                    self.stop(code);
                }
            }
        }
        if matches!(action, Action::GiveUp | Action::BadNumber | Action::OtherCarrier) {
            self.batch.unsent.extend(self.queue.drop_begun(message));
        }
        self.batch.answers.push(Answer { message, part, outcome: Outcome::Refused { code, action } });
    }

    /// An answer to a part that was told as unanswered: a late yes tells the number that its report will name; a late no says what is held
    /// true already, that the part must go again.
    fn hear_late(&mut self, seq: D::Seq, accepted: Option<CarrierKey>) {
        let Some(at) = self.overdue.iter().position(|(of, ..)| *of == seq) else {
            self.noted(Anomaly::UnknownAnswer, &"an answer to no unanswered SUBMIT");
            return;
        };
        if let (Some((_, message, part)), Some(key)) = (self.overdue.remove(at), accepted) {
            Counters::add(&self.shared.counters.accepted, 1);
            self.batch.answers.push(Answer { message, part, outcome: Outcome::Late { key } });
        }
    }

    /// One wait for all refusals that come while it lasts; longer where they go on.
    fn slow_down(&mut self, now: Duration) {
        self.noted(Anomaly::FlowControl, &"it refuses for flow control");
        if self.throttled_until <= now {
            self.throttled_until = now + self.throttle;
            self.throttle = self.throttle.saturating_mul(2).min(self.shared.config.timers.throttle_max());
        }
    }

    fn stop(&mut self, code: u32) {
        self.shared.alarm(AlarmKind::SubmitsRefused { code });
        self.shared.want(|wish| wish.submits_stopped = true);
    }

    fn malformed(&mut self, what: &str, refusal: Option<D::Ack>) -> Result<(), End> {
        self.noted(Anomaly::Malformed, &what);
        self.malformed += 1;
        if self.malformed > MAX_MALFORMED {
            return Err(End::Lost(format!("more than {MAX_MALFORMED} malformed PDUs")));
        }
        if let Some(refusal) = refusal {
            self.say(|dialect, out| dialect.answer(&refusal, out));
        }
        Ok(())
    }
}
