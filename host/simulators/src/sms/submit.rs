//! What a connection does with a submit: judges it, numbers it, logs it, and sends its reports on their way with the faults asked for.

use std::time::Duration;

use gridbell_clock::Seed;
use gridbell_sgip::{Number, text};

use super::account::{AccountShared, State, Waiting};
use super::config::Faults;
use super::connection::{Connection, Flow, Now};
use super::log::LogEntry;
use super::protocol::{Fate, Offer, Outgoing, Protocol, ReportWish};
use crate::cmpp::fate;

/// Sequences remembered to find repeated ones.
const RECENT_SEQUENCES: usize = 256;
const ACCEPTED: u32 = 0;

impl<P: Protocol> Connection<P> {
    pub(super) fn submit(
        &mut self,
        account: &AccountShared<P>,
        sequence: P::Sequence,
        offer: &Offer,
        now: &Now,
    ) -> Flow {
        let faults = self.shared.faults();
        let mut state = account.state.lock();
        let parts = offer.destinations.len() as u64;
        state.stats.submits += 1;
        state.stats.parts_offered += parts;
        state.offered.push(now.monotonic, parts);
        self.unanswered += 1;
        let (id, code) = match self.judge(account, &mut state, &faults, sequence, offer, now.monotonic) {
            Err(code) => (None, code),
            Ok(()) => (Some(self.accept(account, &mut state, &faults, sequence, offer, now)), ACCEPTED),
        };
        if id.is_some() && state.dice.chance(faults.drop_connection) {
            state.stats.connections_dropped += 1;
            return Flow::Abort;
        }
        if id.is_some() && state.dice.chance(faults.lose_response) {
            state.stats.responses_lost += 1;
            *state.stats.results.entry(code).or_default() += 1;
            return Flow::Continue;
        }
        let delay = state.dice.between(faults.response_delay_ms);
        drop(state);
        match delay {
            0 => self.answer(account, sequence, id, code),
            delay => self.hold(now.monotonic + Duration::from_millis(delay), sequence, id, code),
        }
        Flow::Continue
    }

    /// Whether the submit is accepted; the error is the result that refuses it.
    fn judge(
        &mut self,
        account: &AccountShared<P>,
        state: &mut State<P>,
        faults: &Faults,
        sequence: P::Sequence,
        offer: &Offer,
        now: Duration,
    ) -> Result<(), u32> {
        if self.unanswered > account.config.window {
            state.stats.window_violations += 1;
            return Err(P::CODES.busy);
        }
        if self.is_repeated(sequence) {
            return Err(P::CODES.repeated);
        }
        if let Some(code) = offer.refusal {
            return Err(code);
        }
        if !offer.src.as_bytes().starts_with(account.config.src_prefix.as_bytes()) {
            return Err(P::CODES.source);
        }
        let parts = offer.destinations.len() as u64;
        let rate = u64::from(account.config.rate);
        if rate > 0 && state.accepted.count(now) + parts > rate {
            state.stats.rate_violations += 1;
            return Err(P::CODES.busy);
        }
        if state.dice.chance(faults.throttle) {
            return Err(P::CODES.busy);
        }
        if let Some(fault) = faults.results.iter().find(|fault| state.dice.chance(fault.probability)) {
            return Err(fault.result.into());
        }
        let seed = Seed(self.shared.config.seed);
        if let Some(code) = offer.destinations.iter().find_map(|number| faults.not_theirs.refusal(seed, number)) {
            return Err(code);
        }
        if offer.destinations.iter().any(|number| fate::lies_below(seed, b"bad", number, faults.bad_number)) {
            return Err(P::CODES.bad_number);
        }
        state.accepted.push(now, parts);
        Ok(())
    }

    fn is_repeated(&mut self, sequence: P::Sequence) -> bool {
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

    /// Numbers the message, logs it and makes its reports; the number is that of the first terminal.
    fn accept(
        &self,
        account: &AccountShared<P>,
        state: &mut State<P>,
        faults: &Faults,
        sequence: P::Sequence,
        offer: &Offer,
        now: &Now,
    ) -> P::Id {
        let mint = || P::id(self.shared.config.gateway_id, self.shared.next_message(), sequence, &now.civil);
        let first = mint();
        let seed = Seed(self.shared.config.seed);
        for (index, destination) in offer.destinations.iter().enumerate() {
            let id = if index == 0 { first } else { mint() };
            let fate = fate_of(seed, faults, destination);
            let entry = self.entry(account, sequence, offer, id, destination, fate, now);
            self.shared.log.lock().push(entry);
            state.stats.parts_accepted += 1;
            let reported = match offer.report {
                ReportWish::Always => true,
                ReportWish::OnFailure => matches!(fate, Fate::Failed(_)),
                ReportWish::Never => false,
            };
            if reported {
                report(state, faults, offer, (id, *destination, fate), now);
            }
        }
        account.wake.notify_one();
        first
    }

    #[expect(clippy::too_many_arguments, reason = "an entry says all of these")]
    fn entry(
        &self,
        account: &AccountShared<P>,
        sequence: P::Sequence,
        offer: &Offer,
        id: P::Id,
        destination: &Number,
        fate: Fate,
        now: &Now,
    ) -> LogEntry {
        let (concatenation, octets) =
            if offer.udhi { text::split_header(&offer.content) } else { (None, &offer.content[..]) };
        LogEntry {
            at_us: u64::try_from(now.monotonic.saturating_sub(self.shared.started).as_micros()).unwrap_or(u64::MAX),
            account: account.config.id.clone(),
            connection: self.number,
            msg_id: id.to_string(),
            destination: destination.expose_text().into_owned(),
            src_id: offer.src.text().into_owned(),
            service: offer.service.text().into_owned(),
            part: concatenation.map(|part| (part.total, part.number)),
            reference: concatenation.map(|part| part.reference),
            text: text::decode(offer.format, octets).text,
            sequence: sequence.to_string(),
            fate: fate.to_string(),
        }
    }
}

/// What a message to `number` comes to.
fn fate_of(seed: Seed, faults: &Faults, number: &Number) -> Fate {
    if let Some(code) = faults.not_theirs.reported(seed, number).and_then(|code| code.parse().ok()) {
        return Fate::Failed(code);
    }
    if !fate::lies_below(seed, b"fails", number, faults.failure_share) {
        return Fate::Delivered;
    }
    let total: u64 = faults.failure_codes.iter().map(|code| u64::from(code.weight)).sum();
    let mut left = fate::hash(seed, b"word", number) % total.max(1);
    for code in &faults.failure_codes {
        match left.checked_sub(u64::from(code.weight)) {
            Some(rest) => left = rest,
            None => return Fate::Failed(code.code),
        }
    }
    Fate::Delivered
}

/// Sends a report on its way, with whatever goes wrong on it.
fn report<P: Protocol>(
    state: &mut State<P>,
    faults: &Faults,
    offer: &Offer,
    (id, destination, fate): (P::Id, Number, Fate),
    now: &Now,
) {
    *state.stats.reports.entry(fate.to_string()).or_default() += 1;
    if state.dice.chance(faults.report_lose) {
        state.stats.reports_lost += 1;
        return;
    }
    let mut delay = state.dice.between(faults.report_delay_ms);
    if state.dice.chance(faults.report_reorder) {
        delay += state.dice.between((1, faults.report_reorder_ms));
    }
    let mut fates = Vec::with_capacity(1);
    if state.dice.chance(faults.report_pending) {
        fates.push(Fate::Pending);
    }
    if state.dice.chance(faults.report_repeat) {
        state.stats.reports_repeated += 1;
        fates.push(fate);
    }
    fates.push(fate);
    for fate in fates {
        if faults.report_spellings {
            state.spelling = state.spelling.wrapping_add(1);
        }
        let spelling = if faults.report_spellings { state.spelling } else { 0 };
        let outgoing = Outgoing::Report { id, destination, src: offer.src, fate, submitted: now.moment, spelling };
        let waiting = Waiting { outgoing, tries: 0, refusals: 0 };
        if !state.queue.push(waiting, now.monotonic + Duration::from_millis(delay)) {
            state.stats.delivers_overflowed += 1;
        }
    }
}
