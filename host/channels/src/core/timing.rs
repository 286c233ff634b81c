//! The specification's timers: heartbeat after C of silence, answers within T, N tries; and when the driver must look again.

use std::time::Duration;

use super::{Core, End, MAX_OVERDUE, Phase, Probe, STALE};
use crate::dialect::Dialect;
use crate::status::Anomaly;

/// How long a goodbye and its answer may take.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often a connection that is to end when it is idle looks whether it is.
const AGAIN: Duration = Duration::from_secs(1);

impl<D: Dialect> Core<D> {
    /// Does what the clock asks for.
    pub(super) fn keep_time(&mut self, now: Duration) -> Result<(), End> {
        if self.answers_due.is_some_and(|due| due <= now) {
            self.expire_answers(now);
        }
        self.keep_alive(now)?;
        if self.queue.oldest().is_some_and(|since| since + STALE <= now) {
            // Their facts must be checked again before they are sent.
            self.batch.unsent.extend(self.queue.take_waiting());
        }
        self.mailbox.expire(now, &mut self.batch);
        Ok(())
    }

    /// Parts whose answers are overdue leave the window. A gateway that owes an answer gets nothing more until it answers something.
    fn expire_answers(&mut self, now: Duration) {
        let limit = self.shared.config.answer();
        let mut overdue: Vec<D::Seq> =
            self.flight.iter().filter(|(_, flight)| flight.at + limit <= now).map(|(seq, _)| *seq).collect();
        overdue.sort_unstable();
        for seq in overdue {
            if let Some(flight) = self.flight.remove(&seq) {
                self.shared.paced_answer(flight.ticket, now);
                self.suspect = true;
                self.noted(Anomaly::NoAnswer, &"a SUBMIT was not answered in time");
                if flight.end <= self.written {
                    self.unanswered(&flight);
                    if self.overdue.len() == MAX_OVERDUE {
                        self.overdue.pop_front();
                    }
                    self.overdue.push_back((seq, flight.message, flight.part));
                } else {
                    self.batch.unsent(flight.message, flight.part);
                }
            }
        }
        self.answers_due = self.flight.values().map(|flight| flight.at + limit).min();
    }

    fn keep_alive(&mut self, now: Duration) -> Result<(), End> {
        if !D::HEARTBEAT {
            return self.close_if_idle(now);
        }
        let timers = &self.shared.config.timers;
        let (answer, most) = (self.shared.config.answer(), timers.heartbeat_tries);
        let tries = match self.probe {
            None if self.suspect || self.quiet_at() <= now => 1,
            Some(probe) if probe.at + answer <= now && probe.tries >= most => {
                return Err(End::Lost(format!("the gateway answered none of {most} heartbeats")));
            }
            Some(probe) if probe.at + answer <= now => probe.tries + 1,
            _ => return Ok(()),
        };
        self.probe = Some(Probe { at: now, tries });
        let seq = self.next_seq();
        self.say(|dialect, out| dialect.probe(seq, out));
        Ok(())
    }

    /// Where there is no heartbeat, silence with nothing to say ends a connection politely, and silence where an answer is owed ends it.
    fn close_if_idle(&mut self, now: Duration) -> Result<(), End> {
        if D::CALLS {
            self.shared.miss_calls(now);
        }
        if self.suspect {
            return Err(End::Lost("the gateway did not answer a SUBMIT in time".to_owned()));
        }
        if self.phase == Phase::Running && self.is_idle() && self.quiet_at() <= now {
            self.idle = true;
            self.say_bye(now);
        }
        Ok(())
    }

    /// When the heartbeat or the polite end is due.
    fn quiet_at(&self) -> Duration {
        let timers = &self.shared.config.timers;
        self.silent_since() + if D::HEARTBEAT { timers.heartbeat() } else { timers.idle() }
    }

    fn silent_since(&self) -> Duration {
        self.heard.max(self.spoke)
    }

    /// When the next turn is due, whatever happens on the socket.
    pub(crate) fn next_turn(&self, now: Duration) -> Duration {
        let keep_alive = match self.probe {
            Some(probe) => probe.at + self.shared.config.answer(),
            None if D::HEARTBEAT => self.quiet_at(),
            // Where something is still under way: look again soon.
            None => self.quiet_at().max(now + AGAIN),
        };
        let last_words = match self.phase {
            Phase::Ending { until } | Phase::Ended { until } => Some(until),
            Phase::Running | Phase::Over => None,
        };
        let throttled = (self.throttled_until > now).then_some(self.throttled_until);
        let stale = self.queue.oldest().map(|since| since + STALE);
        [self.answers_due, self.paced, last_words, throttled, stale, self.mailbox.next_expiry()]
            .into_iter()
            .flatten()
            .fold(keep_alive, Duration::min)
    }
}
