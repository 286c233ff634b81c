//! Answers to what customers wrote. That somebody is to be answered is made durable with the message that asked, in one commit; the answer itself is
//! published as a run's messages are, in one commit with the end of what was due: a kill between the two leaves either the question or the answer,
//! never both and never neither.
//!
//! It must never say an account's data to a number that nobody verified, and never more often than the rules allow.

mod choose;
mod limits;
mod make;

use std::collections::BTreeMap;

use gridbell_model::{AccountNumber, Channel, CustomerView, Moment, Phone, PrefectureCode, Traits};
use gridbell_planner::ANSWERS;
use gridbell_state::{DocChange, RunRecord, RunStatus, StateError};
use serde::{Deserialize, Serialize};

use crate::documents::{self, ANSWER_DUE, note};
use crate::error::HostError;
use crate::host::Host;

pub(crate) use choose::{Outage, outage, own_outage};
pub(crate) use limits::{Begin, DUE, Inbox, Wrote};

/// Answers that are due at most; what asks beyond is kept unanswered.
pub const MAX_DUE_ANSWERS: usize = 10_000;
/// For how long answers of one prefecture are gathered after the last, so that a flood of questions is not a run for each. The first goes at once.
pub const GATHER_ANSWERS_MS: i64 = 5_000;
/// As many are gathered no longer, and as many are published at once.
const GATHERED: usize = 512;
/// Accounts of one number that are answered one by one; of more, only that there are too many.
pub const MAX_ACCOUNTS_ANSWERED: usize = 3;

/// What an answer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Asked {
    Help,
    Balance,
    /// The same for a number of many accounts.
    TooMany,
    Outage,
    OptOut,
    /// An opt-out that was written on a platform: it is about that channel.
    OptOutChannel,
    SubscribedBill,
    SubscribedBalance,
    SubscribedOutage,
    WrongNumber,
}

impl Asked {
    /// Why there is an answer: the name of a reason of the manifest.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Help => "help",
            Self::Balance | Self::TooMany => "balance",
            Self::Outage => "outage",
            Self::OptOut | Self::OptOutChannel => "opt-out",
            Self::SubscribedBill | Self::SubscribedBalance | Self::SubscribedOutage => "subscribe",
            Self::WrongNumber => "wrong-number",
        }
    }
}

/// An answer that is due. Sealed with everything else in the store; the number is personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Due {
    pub(crate) asked: Asked,
    pub(crate) prefecture: PrefectureCode,
    pub(crate) account: AccountNumber,
    /// The number that asked, or that the account has where a platform's follower did.
    phone: u64,
    /// On what it was asked.
    pub(crate) channel: Channel,
    pub(crate) at: Moment,
}

impl Due {
    pub(crate) fn new(asked: Asked, of: &(PrefectureCode, CustomerView), channel: Channel, at: Moment) -> Self {
        let (prefecture, view) = of;
        let phone = view.phone.number();
        Self { asked, prefecture: *prefecture, account: view.account, phone, channel, at }
    }

    /// Whether `phone` is the number that it was asked for.
    pub(crate) fn is_for(&self, phone: Phone) -> bool {
        phone.number() == self.phone
    }

    /// As the document that the message with this number brings; `nth` of several.
    pub(crate) fn doc(&self, inbound: u64, nth: usize) -> Result<DocChange, StateError> {
        let doc = documents::put(ANSWER_DUE, &format!("{inbound:012}-{nth:02}"), self, None);
        doc.map_err(|e| StateError::Refused(e.to_string()))
    }
}

/// Whether the number of `view` may be told its account's data by SMS: somebody verified it, nobody said that it is another's, and the account is open.
pub(crate) fn is_verified(view: &CustomerView) -> bool {
    let phone = view.phone;
    let by_people = phone.source() != gridbell_model::ContactSource::Carrier && phone.verified_on().some().is_some();
    by_people && phone.is_sendable() && !view.traits.has(Traits::CLOSED)
}

impl Host {
    /// Publishes the answers that are due. Returns how many questions ended.
    pub async fn serve_answers(&self) -> usize {
        let mut by_prefecture: BTreeMap<PrefectureCode, Vec<(String, Due)>> = BTreeMap::new();
        for (key, doc) in self.state().docs(ANSWER_DUE) {
            match documents::parse::<Due>(ANSWER_DUE, &key, &doc.value) {
                Ok(due) => by_prefecture.entry(due.prefecture).or_default().push((key, due)),
                Err(e) => self.raise("answers.not-done", &key, e.to_string()),
            }
        }
        let (now, mut ended) = (self.clock().now(), 0);
        for (prefecture, mut due) in by_prefecture {
            let gathering = self.inbox().lock().turn(prefecture, now);
            if gathering && due.len() < GATHERED {
                continue;
            }
            due.truncate(GATHERED);
            match self.answer(prefecture, due).await {
                Ok(count) => {
                    ended += count;
                    self.clear_alarm("answers.not-done", &prefecture.to_string());
                }
                Err(e) => self.raise("answers.not-done", &prefecture.to_string(), e.to_string()),
            }
        }
        ended
    }

    async fn answer(&self, prefecture: PrefectureCode, due: Vec<(String, Due)>) -> Result<usize, HostError> {
        let lock = self.run_lock(prefecture);
        let _one_at_a_time = lock.lock().await;
        let mut writer = self.state().begin_answers(prefecture).await?;
        let started = self.clock().now();
        let (host, snapshot, id) = (self.clone(), writer.snapshot().clone(), writer.id());
        let keys: Vec<String> = due.iter().map(|(key, _)| key.clone()).collect();
        let work = move || host.make_answers(&snapshot, id, due.into_iter().map(|(_, due)| due).collect());
        let made = self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??;
        let ends: Vec<DocChange> = keys.iter().map(|key| documents::delete(ANSWER_DUE, key)).collect();
        if made.records.is_empty() {
            // Whoever asked is no customer any more.
            drop(writer);
            self.state().put_docs(ends, Vec::new()).await?;
            return Ok(keys.len());
        }
        writer.keep(made.written.basis, made.written.documents)?;
        writer.push(made.records).await?;
        let audit = vec![note("system", "answer.publish", &id.to_string(), serde_json::json!({ "asked": keys.len() }))];
        let (record, _) = writer.publish(made.record.started(started), ends, audit).await?;
        tracing::info!(run = %record.id, %prefecture, decided = record.decided, queued = record.queued, "answers.published");
        Ok(keys.len())
    }

    /// The newest published answers to the customer of `account` up to `at`, as their run.
    pub(crate) fn last_answers(
        &self,
        account: AccountNumber,
        at: Moment,
    ) -> Result<Option<std::sync::Arc<RunRecord>>, HostError> {
        /// Messages that are looked through.
        const MAX_LOOKED: usize = 50;
        let messages = self.state().messages_of(account, MAX_LOOKED)?;
        let runs = messages.into_iter().filter_map(|m| self.state().run(m.run));
        Ok(runs.filter(|r| r.is_answers() && r.started <= at && r.status == RunStatus::Published).max_by_key(|r| r.id))
    }
}

/// Whether a policy's name is that of answers.
pub(crate) fn is_answers(policy: &str) -> bool {
    policy == ANSWERS
}
