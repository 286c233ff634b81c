//! What the gateway says, understood. Nothing it says may do more than end its own connection.

use std::time::Duration;

use gridbell_cmpp::{self as cmpp, Command, Deliver, DeliverResp, Fault, Frame, Header, Pdu, SubmitResp};

use super::{Core, End, MAX_OUTPUT, MAX_UNSETTLED, Phase, timing};
use crate::dispose::{Consequence, refusal};
use crate::inbound;
use crate::intake::Ack;
use crate::port::{Action, Answer, Outcome};
use crate::status::{AlarmKind, Anomaly, Counters};

/// Malformed PDUs that one connection survives.
const MAX_MALFORMED: u32 = 100;
/// SUBMITs in a row that the gateway calls malformed before the link stops: the next would be no better.
const MAX_FAULTS: u32 = 16;
/// `Result` of a DELIVER_RESP: structure.
const BAD_STRUCTURE: u32 = 1;

impl Core {
    /// Takes whole PDUs off the input.
    pub(super) fn understand(&mut self, now: Duration) -> Result<(), End> {
        while self.unsettled() < MAX_UNSETTLED && self.output.len() < MAX_OUTPUT {
            match self.decoder.decode(&mut self.input) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    self.heard = now;
                    self.hear(frame, now);
                }
                Err(cmpp::Error::Malformed { header, fault }) => {
                    self.heard = now;
                    self.malformed(header, fault)?;
                }
                Err(error) => {
                    self.noted(Anomaly::NotCmpp, &error);
                    return Err(End::Lost(error.to_string()));
                }
            }
        }
        Ok(())
    }

    fn hear(&mut self, frame: Frame, now: Duration) {
        match frame.pdu {
            Pdu::SubmitResp(resp) => self.hear_answer(frame.sequence, resp, now),
            Pdu::Deliver(deliver) => self.hear_deliver(frame.sequence, &deliver, now),
            Pdu::ActiveTest => self.say(frame.sequence, &Pdu::ActiveTestResp { reserved: 0 }),
            Pdu::ActiveTestResp { .. } => self.is_alive(),
            Pdu::Terminate => {
                self.say(frame.sequence, &Pdu::TerminateResp);
                self.phase = Phase::Ended { until: now + timing::LAST_WORDS };
            }
            Pdu::TerminateResp if matches!(self.phase, Phase::Ending { .. }) => self.phase = Phase::Over,
            other => self.noted(Anomaly::Unexpected, &other.command().name()),
        }
    }

    fn is_alive(&mut self) {
        self.probe = None;
        self.suspect = false;
    }

    fn hear_answer(&mut self, sequence: u32, resp: SubmitResp, now: Duration) {
        self.is_alive();
        let Some(flight) = self.flight.remove(&sequence) else {
            return self.hear_late(sequence, resp);
        };
        self.shared.paced_answer(flight.ticket, now);
        let (message, part) = (flight.message, flight.part);
        if resp.result == 0 {
            Counters::add(&self.shared.counters.accepted, 1);
            self.faults = 0;
            if self.throttled_until <= now {
                self.throttle = self.shared.config.timers.throttle_min();
            }
            let outcome = Outcome::Accepted { key: resp.msg_id.0.into() };
            self.batch.answers.push(Answer { message, part, outcome });
            return;
        }
        Counters::add(&self.shared.counters.refused, 1);
        let code = resp.result;
        let (mut action, consequence) = refusal(&self.shared.config, code, flight.attempt, flight.expires);
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
        if matches!(action, Action::GiveUp | Action::BadNumber) {
            self.batch.unsent.extend(self.queue.drop_begun(message));
        }
        self.batch.answers.push(Answer { message, part, outcome: Outcome::Refused { code, action } });
    }

    /// An answer to a part that was told as unanswered: a late yes tells the number that its report will name; a late no says what is held
    /// true already, that the part must go again.
    fn hear_late(&mut self, sequence: u32, resp: SubmitResp) {
        let Some(at) = self.overdue.iter().position(|(of, ..)| *of == sequence) else {
            self.noted(Anomaly::UnknownAnswer, &"an answer to no unanswered SUBMIT");
            return;
        };
        if let Some((_, message, part)) = self.overdue.remove(at)
            && resp.result == 0
        {
            Counters::add(&self.shared.counters.accepted, 1);
            let outcome = Outcome::Late { key: resp.msg_id.0.into() };
            self.batch.answers.push(Answer { message, part, outcome });
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

    fn hear_deliver(&mut self, sequence: u32, deliver: &Deliver, now: Duration) {
        let ack = Ack { sequence, resp: DeliverResp { msg_id: deliver.msg_id, result: 0 } };
        match deliver.report() {
            Some(Ok(report)) => {
                self.batch.reports.push(inbound::report(&report));
                self.batch.acks.push(ack);
            }
            Some(Err(fault)) => {
                self.noted(Anomaly::BadReport, &format_args!("a report is malformed: {fault}"));
                let resp = DeliverResp { result: BAD_STRUCTURE, ..ack.resp };
                self.say(sequence, &Pdu::DeliverResp(resp));
            }
            None => {
                if let Err(later) = self.mailbox.take(sequence, deliver, now, &mut self.batch) {
                    self.noted(Anomaly::TooManyLong, &"too many long inbound messages are under way");
                    self.say(sequence, &Pdu::DeliverResp(later));
                }
            }
        }
    }

    fn malformed(&mut self, header: Header, fault: Fault) -> Result<(), End> {
        self.noted(Anomaly::Malformed, &format_args!("{header} is malformed: {fault}"));
        self.malformed += 1;
        if self.malformed > MAX_MALFORMED {
            return Err(End::Lost(format!("more than {MAX_MALFORMED} malformed PDUs")));
        }
        if header.command == Command::Deliver.word() {
            let resp = DeliverResp { result: cmpp::fault_result(fault), ..DeliverResp::default() };
            self.say(header.sequence, &Pdu::DeliverResp(resp));
        }
        Ok(())
    }
}
