//! One day on a fast clock: the clock jumps to whatever comes next (a schedule, a send window, payments) once the host is quiet, and runs at its
//! real pace in between, so that pacing is real and the day is short.

use std::collections::BTreeMap;

use gridbell_conductor::{GATHER_HOPS_MS, Host};
use gridbell_model::{CivilMinute, Date, Fen, MessageState, Moment, PrefectureCode};
use gridbell_simulators::province::Province;
use gridbell_state::{Facts, PaymentFact, payment_key};
use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use crate::error::CommandError;

/// Payments of so many minutes come in together.
const PAYMENT_STEP: i64 = 30;

/// When a payment made at `paid_at` comes in: in the last minute of its step. Schedules run and windows open on the minute after at the earliest,
/// so that whether a payment was known before a message went is the day's to say and never a race's.
pub(super) fn comes_in(paid_at: CivilMinute) -> CivilMinute {
    CivilMinute(paid_at.0.div_euclid(PAYMENT_STEP) * PAYMENT_STEP + PAYMENT_STEP - 1)
}

pub(super) struct Day<'a> {
    pub(super) host: &'a Host,
    pub(super) province: &'a Province,
    pub(super) say: &'a dyn Fn(String),
    /// Whether each step waits for the reports too: a route's next channel follows a report that is missing, and a clock that jumps half an hour
    /// would make each of them missing.
    pub(super) waits: bool,
}

/// The first whole minute at which `at` has come: the clock jumps by minutes, and one before would be no jump at all.
fn minute_from(at: Moment) -> CivilMinute {
    let minute = at.civil_minute();
    if minute.moment() < at { minute.plus_minutes(1) } else { minute }
}

impl Day<'_> {
    pub(super) async fn run(&self, today: Date) -> Result<(), CommandError> {
        let end = today.at(23, 59);
        let mut payments = self.payments();
        let stop = CancellationToken::new();
        let until = if self.waits { MessageState::Submitted } else { MessageState::Submitting };
        loop {
            self.host.serve_due(&stop).await;
            self.host.serve_hops().await;
            self.host.serve_corrections().await;
            self.host.serve_answers().await;
            self.quiet(until).await?;
            let Some(next) = self.next(&payments, end) else { break };
            self.host.clock().advance_to(next.moment());
            let due: Vec<CivilMinute> =
                payments.range(..=self.host.clock().civil_minute()).map(|(at, _)| *at).collect();
            for at in due {
                for some in payments.remove(&at).unwrap_or_default().chunks(gridbell_state::MAX_FACTS_PER_OP) {
                    self.host.state().facts(Facts::Payments(some.to_vec()), false, Vec::new()).await?;
                }
            }
            let depth = self.host.state().depth();
            let waiting: u64 = depth.waiting.values().map(|(u, b)| u + b).sum();
            (self.say)(format!("  {next}  {waiting} waiting"));
        }
        self.quiet(MessageState::Submitted).await?;
        self.send_the_rest().await
    }

    /// Sends what the day's guardrails moved to a later window; no schedule runs any more.
    async fn send_the_rest(&self) -> Result<(), CommandError> {
        while let Some(at) = self.next_message() {
            self.host.clock().advance_to(at);
            self.host.serve_hops().await;
            self.host.serve_corrections().await;
            self.host.serve_answers().await;
            (self.say)(format!("  {at}  the messages that waited for this window"));
            self.quiet(MessageState::Submitted).await?;
        }
        Ok(())
    }

    /// When a queued message may go next, or the next hop of one is due and gathered.
    fn next_message(&self) -> Option<Moment> {
        let state = self.host.state();
        let hop = state.next_hop_due().map(|at| at.plus_ms(GATHER_HOPS_MS));
        state.next_due_any().into_iter().chain(hop).min()
    }

    /// The day's payments, by the step in which they come in.
    fn payments(&self) -> BTreeMap<CivilMinute, Vec<PaymentFact>> {
        let mut steps: BTreeMap<CivilMinute, Vec<PaymentFact>> = BTreeMap::new();
        for (prefecture, _) in self.province.prefectures() {
            for p in self.province.day_payments(PrefectureCode(prefecture.code)) {
                let amount = if p.reversal { Fen::ZERO - p.amount } else { p.amount };
                let fact = PaymentFact {
                    account: p.account,
                    key: payment_key(&p.payment_id),
                    amount,
                    paid_on: p.paid_at.date(),
                };
                steps.entry(comes_in(p.paid_at)).or_default().push(fact);
            }
        }
        steps
    }

    /// What comes next before `end`: a schedule, a message whose window opens, payments.
    fn next(&self, payments: &BTreeMap<CivilMinute, Vec<PaymentFact>>, end: CivilMinute) -> Option<CivilMinute> {
        let now = self.host.clock().now();
        let message = self.next_message().filter(|at| *at > now && *at < Moment::from_unix_ms(i64::MAX));
        let candidates = [self.host.next_occurrence(), message.map(minute_from), payments.keys().next().copied()];
        candidates.into_iter().flatten().filter(|at| *at <= end).min()
    }

    /// Waits until nothing is due and nothing is in a state before `until`, its own included.
    async fn quiet(&self, until: MessageState) -> Result<(), CommandError> {
        let state = self.host.state();
        let mut changed = state.changed();
        let mut still_since = self.host.clock().monotonic();
        loop {
            changed.mark_unchanged();
            let now = self.host.clock().now();
            let due = state.next_due_any().is_some_and(|at| at <= now);
            let depth = state.depth();
            let under_way: u64 = depth
                .by_state
                .iter()
                .filter(|(s, _)| **s != MessageState::Queued && **s <= until)
                .map(|(_, n)| n)
                .sum();
            if !due && under_way == 0 {
                return Ok(());
            }
            let moved = tokio::select! {
                _ = changed.changed() => true,
                () = self.host.clock().sleep(std::time::Duration::from_millis(50)) => false,
            };
            let mono = self.host.clock().monotonic();
            if moved {
                still_since = mono;
            } else if mono - still_since > PATIENCE {
                let text =
                    format!("the links did nothing for {} s with {under_way} messages under way", PATIENCE.as_secs());
                return Err(CommandError::Failed(text));
            }
        }
    }
}
