//! One message on its way: the call, once more with newer credentials, repetitions and questions after an answer that did not come.

use std::sync::Arc;
use std::time::Duration;

use gridbell_model::{MessageId, Moment};
use gridbell_platform::{CallError, Code, Exchange};
use tokio::sync::watch;

use super::config::HttpTerms;
use super::provider::{Found, Meaning, Prepared, Provider, Repeat, Verdict};
use crate::pacer::Ticket;
use crate::parts::PartSet;
use crate::port::{Action, Outcome, Outgoing};
use crate::shared::Shared;
use crate::status::Anomaly;

/// How long a message waits for newer credentials before it goes back: a fetch and one forced refresh.
const CREDENTIALS_WAIT: Duration = Duration::from_secs(45);

/// What the tasks of a link share.
pub(super) struct Common<O, P, E> {
    pub(super) shared: Arc<Shared<HttpTerms>>,
    pub(super) provider: Arc<P>,
    pub(super) outbox: Arc<O>,
    pub(super) exchange: Arc<E>,
    /// Raised after each chore.
    pub(super) chores: watch::Sender<u64>,
}

/// A message that is on its way no longer.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) end: End,
    pub(super) health: Health,
    pub(super) note: Note,
}

/// What the outbox is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Answered(Outcome),
    /// The platform cannot have it.
    Unsent,
}

/// What it says of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Good,
    Bad,
    Unknown,
}

/// What it says of the account.
#[derive(Debug)]
pub(super) enum Note {
    Nothing,
    SlowDown(Option<Moment>),
    QuotaOver(Moment),
    Stop(Code),
    OurBug(Code),
}

impl Done {
    fn new(end: End, health: Health) -> Self {
        Self { end, health, note: Note::Nothing }
    }
}

/// A message while it is on its way.
pub(super) struct Delivery<O, P, E> {
    pub(super) common: Arc<Common<O, P, E>>,
    pub(super) message: Outgoing,
    /// Permission for the first call.
    pub(super) ticket: Option<Ticket>,
}

/// What outlives one message's task: what to say of it should the task end without a word.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) message: MessageId,
    pub(super) open: PartSet,
    pub(super) attempt: u8,
}

impl<O, P: Provider, E: Exchange> Delivery<O, P, E> {
    fn terms(&self) -> &HttpTerms {
        &self.common.shared.config
    }

    /// To its end.
    pub(super) async fn run(mut self) -> Done {
        let common = Arc::clone(&self.common);
        let clock = &common.shared.clock;
        let began = clock.now();
        // Whether an earlier call may have brought it there already.
        let (mut doubt, mut refreshed, mut repeats) = (false, false, 0);
        loop {
            let mut chores = common.chores.subscribe();
            let (request, token) = match self.prepared().await {
                Prepared::Go { request, token } => (request, token),
                Prepared::Never { reason } => {
                    return Done::new(End::Answered(Outcome::Unsendable { reason }), Health::Unknown);
                }
                Prepared::NotYet if self.credentials(&mut chores).await => continue,
                Prepared::NotYet => return Done::new(self.gone(doubt), Health::Unknown),
            };
            let ticket = self.paced().await;
            common.shared.sent(1, clock.monotonic());
            let result = common.exchange.call(&request).await;
            common.shared.paced_answer(ticket, clock.monotonic());
            let verdict = match result {
                Ok(answer) => common.provider.read(&self.message, token, &answer, clock.now()),
                Err(CallError::Unsent { why }) => {
                    common.shared.failed(why);
                    return Done::new(self.gone(doubt), Health::Bad);
                }
                Err(CallError::Uncertain { why }) => Verdict::Uncertain { why },
            };
            match verdict {
                Verdict::Accepted { key } => return Done::new(End::Answered(Outcome::Accepted { key }), Health::Good),
                Verdict::Declined { code, means } => return self.declined(code, means, doubt),
                Verdict::Refresh { .. } if !refreshed => refreshed = true,
                Verdict::Refresh { code } => return self.declined(code, Meaning::Configuration, doubt),
                Verdict::Uncertain { why } => {
                    common.shared.anomaly(Anomaly::NoAnswer, &why);
                    doubt = true;
                    match common.provider.repeat(&self.message) {
                        Repeat::Same if repeats < self.terms().timers.repeats => {
                            clock.sleep(self.pause(repeats)).await;
                            repeats += 1;
                        }
                        Repeat::Ask => return self.ask(began).await,
                        Repeat::Same | Repeat::Marked => return Done::new(self.gone(true), Health::Bad),
                    }
                }
            }
        }
    }

    /// The request, made beside the runtime where that takes long.
    async fn prepared(&self) -> Prepared {
        let (provider, clock) = (Arc::clone(&self.common.provider), &self.common.shared.clock);
        let now = clock.now();
        if !provider.is_costly() {
            return provider.prepare(&self.message, now);
        }
        let message = self.message.clone();
        let made = clock.offload(move || provider.prepare(&message, now)).await;
        // Only where the process ends: then it goes back as what was never sent.
        made.unwrap_or(Prepared::NotYet)
    }

    /// Asks the platform what became of a message.
    async fn ask(&self, began: Moment) -> Done {
        let common = &self.common;
        let clock = &common.shared.clock;
        for repeat in 0..self.terms().timers.repeats {
            clock.sleep(self.pause(repeat)).await;
            let Some(request) = common.provider.inquire(&self.message, began, clock.now()) else { break };
            if let Ok(answer) = common.exchange.call(&request).await
                && let Found::Has(key) = common.provider.found(&self.message, &answer)
            {
                return Done::new(End::Answered(Outcome::Accepted { key }), Health::Good);
            }
        }
        Done::new(self.gone(true), Health::Bad)
    }

    fn declined(&self, code: Code, means: Meaning, doubt: bool) -> Done {
        let attempt = self.message.attempt;
        let last = attempt.saturating_add(1) >= self.terms().attempts;
        // What is too fast or stops is no fault of the message: while it is valid it is not given up for it.
        let patient = self.message.valid_until.is_some();
        let retry = |patient: bool| {
            if last && !patient {
                Action::NextChannel
            } else {
                Action::Retry { after: self.terms().retry_after(attempt) }
            }
        };
        let (action, health, note) = match means {
            Meaning::Retry => (retry(false), Health::Bad, Note::Nothing),
            Meaning::SlowDown { until } => (retry(patient), Health::Good, Note::SlowDown(until)),
            Meaning::NextChannel => (Action::NextChannel, Health::Good, Note::Nothing),
            Meaning::NextChannelUntil { until } => {
                (Action::NextChannelUntil { until }, Health::Good, Note::QuotaOver(until))
            }
            Meaning::BadAddress => (Action::BadNumber, Health::Good, Note::Nothing),
            Meaning::Configuration => (Action::Requeue, Health::Unknown, Note::Stop(code.clone())),
            Meaning::OurBug => (Action::GiveUp, Health::Good, Note::OurBug(code.clone())),
            Meaning::GiveUp => (Action::GiveUp, Health::Good, Note::Nothing),
        };
        // A refusal of the repetition says nothing of the first, unless it is about whom it was for.
        let settled = !doubt || matches!(means, Meaning::NextChannel | Meaning::BadAddress);
        let end = if settled {
            End::Answered(Outcome::Declined { code: code.as_str().into(), action })
        } else {
            self.gone(true)
        };
        Done { end, health, note }
    }

    /// What to say of a message that is not answered.
    fn gone(&self, doubt: bool) -> End {
        let again = self.message.attempt.saturating_add(1) < self.terms().attempts;
        if doubt { End::Answered(Outcome::Unanswered { again }) } else { End::Unsent }
    }

    fn pause(&self, repeat: u32) -> Duration {
        let least = Duration::from_millis(self.terms().timers.repeat_min_ms);
        least.saturating_mul(1 << repeat.min(10)).min(self.terms().throttle_max())
    }

    /// Permission for this call.
    async fn paced(&mut self) -> Option<Ticket> {
        if let Some(ticket) = self.ticket.take() {
            return Some(ticket);
        }
        let shared = &self.common.shared;
        loop {
            let now = shared.clock.monotonic();
            match shared.pace(now) {
                Ok(ticket) => return ticket,
                Err(when) => shared.clock.sleep(when.saturating_sub(now)).await,
            }
        }
    }

    /// Whether a chore went by within the time that a message waits for one.
    async fn credentials(&self, chores: &mut watch::Receiver<u64>) -> bool {
        tokio::select! {
            biased;
            // The sender lives in `common`.
            changed = chores.changed() => changed.is_ok(),
            () = self.common.shared.clock.sleep(CREDENTIALS_WAIT) => false,
        }
    }
}
