//! What a session does with a SUBMIT: judges it, numbers it, logs it, and sends its reports on their way with the faults asked for.

use std::cmp::Reverse;
use std::time::Duration;

use gridbell_clock::Seed;
use gridbell_cmpp::{MsgId, Outcome, Report, Stat, Submit};

use super::super::account::{AccountShared, State};
use super::super::check::{self, result};
use super::super::config::Faults;
use super::super::fate;
use super::super::log::{Arrival, Stored};
use super::super::outgoing::{From, Kind, Outgoing};
use super::{Flow, Now, Session};

/// Sequence numbers remembered to find repeated ones.
const RECENT_SEQUENCES: usize = 256;

impl Session {
    pub(super) fn submit(
        &mut self,
        account: &AccountShared,
        faults: &Faults,
        sequence: u32,
        submit: &Submit,
        now: Now,
    ) -> Flow {
        let mut state = account.state.lock();
        let parts = submit.destinations.len() as u64;
        state.stats.submits += 1;
        state.stats.parts_offered += parts;
        state.offered.push(now.monotonic, parts);
        self.unanswered += 1;
        let verdict = self.judge(account, &mut state, faults, sequence, submit, now.monotonic);
        let (msg_id, result) = match verdict {
            Err(result) => (MsgId(0), result),
            Ok(()) => (self.accept(account, &mut state, faults, sequence, submit, now), result::ACCEPTED),
        };
        if result == result::ACCEPTED && state.dice.chance(faults.drop_connection) {
            state.stats.connections_dropped += 1;
            return Flow::Abort;
        }
        if result == result::ACCEPTED && state.dice.chance(faults.lose_response) {
            state.stats.responses_lost += 1;
            *state.stats.results.entry(result).or_default() += 1;
            return Flow::Continue;
        }
        match state.dice.between(faults.response_delay_ms) {
            0 => self.answer(&mut state, sequence, msg_id, result),
            delay => {
                self.held_order += 1;
                let due = now.monotonic + Duration::from_millis(delay);
                self.held.push(Reverse((due, self.held_order, sequence, msg_id, result)));
            }
        }
        Flow::Continue
    }

    /// Whether the submit is accepted; the error is the result that refuses it.
    fn judge(
        &mut self,
        account: &AccountShared,
        state: &mut State,
        faults: &Faults,
        sequence: u32,
        submit: &Submit,
        now: Duration,
    ) -> Result<(), u32> {
        if self.unanswered > account.config.window {
            state.stats.window_violations += 1;
            return Err(result::FLOW_CONTROL);
        }
        if self.is_repeated(sequence) {
            return Err(result::REPEATED_SEQUENCE);
        }
        check::submit(submit, &account.config)?;
        let parts = submit.destinations.len() as u64;
        let rate = u64::from(account.config.rate);
        if rate > 0 && state.accepted.count(now) + parts > rate {
            state.stats.rate_violations += 1;
            return Err(result::FLOW_CONTROL);
        }
        if state.dice.chance(faults.throttle) {
            return Err(result::FLOW_CONTROL);
        }
        if let Some(fault) = faults.results.iter().find(|fault| state.dice.chance(fault.probability)) {
            return Err(fault.result);
        }
        let seed = Seed(self.shared.config.seed);
        if let Some(result) = submit.destinations.iter().find_map(|number| faults.not_theirs.refusal(seed, number)) {
            return Err(result);
        }
        if submit.destinations.iter().any(|number| fate::is_bad(seed, faults, number)) {
            return Err(result::DESTINATION);
        }
        state.accepted.push(now, parts);
        Ok(())
    }

    fn is_repeated(&mut self, sequence: u32) -> bool {
        if !self.recent_set.insert(sequence) {
            return true;
        }
        self.recent.push_back(sequence);
        if self.recent.len() > RECENT_SEQUENCES
            && let Some(oldest) = self.recent.pop_front()
        {
            self.recent_set.remove(&oldest);
        }
        false
    }

    /// Numbers the message, logs it and makes its reports.
    fn accept(
        &mut self,
        account: &AccountShared,
        state: &mut State,
        faults: &Faults,
        sequence: u32,
        submit: &Submit,
        now: Now,
    ) -> MsgId {
        // At most 99 terminals.
        let count = submit.destinations.len() as u32;
        let first = self.shared.submit_ids.lock().mint(now.civil, count);
        let (_, day) = self.calendar.write(now.civil);
        let row = state.day(day, submit.service_id);
        row.mt_messages += 1;
        row.mt_users += count;
        let seed = Seed(self.shared.config.seed);
        let at = now.monotonic.saturating_sub(self.shared.started);
        let arrival = Arrival { at, connection: self.connection, sequence, sp_id: account.sp_id };
        for (index, destination) in (0..).zip(&submit.destinations) {
            let msg_id = first.nth(index);
            let stat = fate::final_stat(seed, faults, destination);
            self.accepted.push(Stored::new(arrival, submit, msg_id, *destination, stat));
            let row = state.day(day, submit.service_id);
            match stat.outcome() {
                Outcome::Delivered => row.mt_succeeded += 1,
                _ => row.mt_failed += 1,
            }
            if submit.registered_delivery == 1 {
                let report = Report { msg_id, stat, destination: *destination, ..Report::default() };
                self.report(state, faults, submit, report, now);
            }
        }
        first
    }

    /// Sends a report on its way, with whatever goes wrong on it.
    fn report(&mut self, state: &mut State, faults: &Faults, submit: &Submit, mut report: Report, now: Now) {
        *state.stats.reports.entry(report.stat.text().into_owned()).or_default() += 1;
        if state.dice.chance(faults.report_lose) {
            state.stats.reports_lost += 1;
            return;
        }
        let comes_first = state.dice.chance(faults.report_first);
        let mut delay = if comes_first { 0 } else { state.dice.between(faults.report_delay_ms) };
        if !comes_first && state.dice.chance(faults.report_reorder) {
            delay += state.dice.between((1, faults.report_reorder_ms));
        }
        report.smsc_sequence = report.msg_id.0 as u32;
        report.submit_time = self.calendar.write(now.civil).0;
        let done = now.civil.plus_ms(i64::try_from(delay).unwrap_or(i64::MAX / 2));
        report.done_time = self.calendar.write(done).0;
        let from = From { src_id: submit.src_id, service_id: submit.service_id, link_id: submit.link_id };
        let mut copies = Vec::with_capacity(1);
        if state.dice.chance(faults.report_accepted) {
            copies.push(Report { stat: Stat::new("ACCEPTD").unwrap_or_default(), ..report.clone() });
        }
        if state.dice.chance(faults.report_repeat) {
            state.stats.reports_repeated += 1;
            copies.push(report.clone());
        }
        copies.push(report);
        let due = now.monotonic + Duration::from_millis(delay);
        for report in copies {
            let outgoing = Outgoing::new(Kind::Report { report, from: from.clone() });
            if comes_first {
                self.deliver(state, faults, outgoing, now);
            } else if !state.queue.push(outgoing, now.monotonic, due) {
                state.stats.delivers_overflowed += 1;
            }
        }
    }
}
