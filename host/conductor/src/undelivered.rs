//! Who subscribed to something, should have been told on a day, and was not, with the reason (N32): what a run decided and a guardrail held, what was
//! sent and did not come, and what no run has decided. Reads; changes nothing.
//!
//! It goes over the customers in windows of rows, in their order, so that neither a province's subscribers nor a day's runs are in memory at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_model::{
    AccountNumber, CustomerView, Date, HoldReason, MessageId, MessageState, PrefectureCode, RunId, Topic, TopicClass,
    Traits,
};
use gridbell_state::{Outcome, RunRecord, RunStatus, Snapshot, State};

use crate::error::HostError;
use crate::host::Host;

/// Rows that are looked at together: their decisions are in memory.
const WINDOW_ROWS: u32 = 32_768;
/// Runs of one day and prefecture that are looked at.
const MAX_RUNS: usize = 20_000;
/// The most entries of one answer.
pub const MAX_UNDELIVERED: usize = 10_000;

/// What is asked.
#[derive(Clone, Debug)]
pub struct UndeliveredQuery {
    /// Where.
    pub prefecture: PrefectureCode,
    /// The day on which it was due.
    pub day: Date,
    /// Only of this topic.
    pub topic: Option<Topic>,
    /// Behind this customer and topic, where an earlier answer ended.
    pub after: Option<(u32, Topic)>,
    /// Entries at most; [`MAX_UNDELIVERED`] at any rate.
    pub limit: usize,
}

/// Why a subscriber was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTold {
    /// A guardrail held it.
    Held(HoldReason),
    /// It was a message and ended otherwise than delivered, or is on its way still.
    Message {
        /// Where it stands.
        state: MessageState,
        /// Why it was cancelled.
        cancelled: Option<HoldReason>,
        /// The carrier's last code.
        code: String,
    },
    /// A bill was issued, or a balance fell below the customer's own threshold, and no run has said anything of it.
    NotDecided,
    /// The same, where no policy of the prefecture is there that would.
    NoPolicy,
}

/// A subscriber who was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Whose row.
    pub row: u32,
    /// 户号
    pub account: AccountNumber,
    /// The customer as it is now.
    pub view: CustomerView,
    /// What was due.
    pub topic: Topic,
    /// Why it did not come.
    pub why: NotTold,
    /// The run that decided, if one did.
    pub run: Option<RunId>,
    /// The message, if there was one.
    pub message: Option<MessageId>,
}

/// Where something due stands: the customer was told, or why not.
enum Standing {
    Told,
    Not(NotTold, RunId, Option<MessageId>),
}

/// What is read once for one question.
struct Question {
    query: UndeliveredQuery,
    snapshot: Snapshot,
    /// Runs of the day, the oldest first, each with its topic.
    runs: Vec<Arc<RunRecord>>,
    /// Topics that are asked about and that customers subscribe to.
    topics: Vec<Topic>,
    /// Those of them that some policy decides about.
    decided: Vec<Topic>,
}

impl Host {
    /// Subscribers of a prefecture who should have been told on a day and were not, in order of row, for whom `wanted` holds.
    ///
    /// # Errors
    /// Without customers there, or when the store cannot be read.
    pub async fn undelivered(
        &self,
        query: UndeliveredQuery,
        wanted: impl Fn(&CustomerView) -> bool + Send + Sync + 'static,
    ) -> Result<Vec<Undelivered>, HostError> {
        let host = self.clone();
        let work = move || {
            let question = host.question(query)?;
            question.answer(host.state(), &wanted)
        };
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn question(&self, query: UndeliveredQuery) -> Result<Question, HostError> {
        let rules = self.settings()?.rules;
        let snapshot = self.snapshot_of(query.prefecture)?;
        let is_subscribed = |t: &Topic| rules.topic(*t).class == TopicClass::Subscribed;
        let asked = |t: &Topic| query.topic.is_none_or(|only| only == *t);
        let topics: Vec<Topic> = Topic::ALL.iter().copied().filter(is_subscribed).filter(asked).collect();
        let of_day = |r: &RunRecord| r.prefecture == query.prefecture && topics.contains(&r.topic);
        let counts = |r: &RunRecord| !r.is_samples() && !matches!(r.status, RunStatus::Failed { .. });
        let first = |r: &RunRecord| of_day(r) && counts(r) && !r.is_hops() && r.now.date() == query.day;
        let firsts = self.state().runs(None, MAX_RUNS, first);
        let ids: Vec<RunId> = firsts.iter().map(|r| r.id).collect();
        // The next channels of their messages, whenever they followed.
        let follows = |r: &RunRecord| of_day(r) && counts(r) && r.hop_of().is_some_and(|first| ids.contains(&first));
        let mut runs = self.state().runs(None, MAX_RUNS, follows);
        runs.extend(firsts);
        runs.sort_by_key(|r| r.id);
        let policies = self.policies(query.prefecture).map(|(_, set)| set);
        let policies = policies.iter().flat_map(|set| &set.policies).filter(|p| p.enabled);
        let decided = policies.map(|p| p.topic).filter(|t| topics.contains(t)).collect();
        Ok(Question { query, snapshot, runs, topics, decided })
    }
}

impl Question {
    fn answer(&self, state: &State, wanted: &dyn Fn(&CustomerView) -> bool) -> Result<Vec<Undelivered>, HostError> {
        let limit = self.query.limit.min(MAX_UNDELIVERED);
        let mut out = Vec::new();
        let mut from = self.query.after.map_or(0, |(row, _)| row);
        while from < self.snapshot.rows() && out.len() < limit {
            let to = from.saturating_add(WINDOW_ROWS).min(self.snapshot.rows());
            let mut standing = self.standing(state, from, to)?;
            for row in from..to {
                let Some(view) = self.snapshot.view(row) else { continue };
                for topic in &self.topics {
                    if self.query.after.is_some_and(|after| (row, *topic) <= after) {
                        continue;
                    }
                    let found = match standing.remove(&(row, *topic)) {
                        Some(Standing::Told) => None,
                        Some(Standing::Not(why, run, message)) => Some((why, Some(run), message)),
                        None => self.unsaid(&view, *topic).map(|why| (why, None, None)),
                    };
                    let Some((why, run, message)) = found.filter(|_| wanted(&view)) else { continue };
                    out.push(Undelivered { row, account: view.account, view, topic: *topic, why, run, message });
                    if out.len() >= limit {
                        return Ok(out);
                    }
                }
            }
            from = to;
        }
        Ok(out)
    }

    /// What the runs of the day came to for the rows from `from` to `to`. Of several about one customer and topic, one that came counts, or else the
    /// last.
    fn standing(&self, state: &State, from: u32, to: u32) -> Result<BTreeMap<(u32, Topic), Standing>, HostError> {
        let mut standing = BTreeMap::new();
        for run in &self.runs {
            let first = run.segments.partition_point(|s| s.first_row < from).saturating_sub(1);
            let end = run.segments.partition_point(|s| s.first_row < to);
            for segment in first..end {
                let decisions = state.decisions_with_status(run, u32::try_from(segment).unwrap_or(u32::MAX))?;
                for (decision, status) in decisions.into_iter().filter(|(d, _)| (from..to).contains(&d.row)) {
                    let key = (decision.row, run.topic);
                    let now = match (&decision.outcome, status) {
                        // Whoever did not subscribe, or ended it, was owed nothing.
                        (Outcome::Held(HoldReason::NoConsent | HoldReason::OptedOut), _) => continue,
                        (Outcome::Held(why), _) => Standing::Not(NotTold::Held(*why), run.id, None),
                        (Outcome::Queued(_), Some(s)) if s.state == MessageState::Delivered => Standing::Told,
                        (Outcome::Queued(message), status) => {
                            let id = MessageId::new(run.prefecture, message.number);
                            let (state, cancelled, code) = status
                                .map_or((MessageState::Queued, None, String::new()), |s| (s.state, s.reason, s.code));
                            if matches!(cancelled, Some(HoldReason::NoConsent | HoldReason::OptedOut)) {
                                continue;
                            }
                            Standing::Not(NotTold::Message { state, cancelled, code }, run.id, Some(id))
                        }
                    };
                    if !matches!(standing.get(&key), Some(Standing::Told)) {
                        standing.insert(key, now);
                    }
                }
            }
        }
        Ok(standing)
    }

    /// Whether something of `topic` was due to `view` on the day, of which nothing was said to this day.
    fn unsaid(&self, view: &CustomerView, topic: Topic) -> Option<NotTold> {
        if view.traits.has(Traits::CLOSED) {
            return None;
        }
        let due = match topic {
            Topic::BillNotice => {
                view.traits.has(Traits::SUBSCRIBES_BILL) && view.bill_issued == self.query.day && view.bill_said == 0
            }
            // Of a threshold of his own the customer knows; what a policy thinks low is the policy's to say.
            Topic::BalanceWarning => {
                let low = view.threshold != u32::MAX && view.balance.0 < i64::from(view.threshold);
                let subscribed = view.traits.has(Traits::SUBSCRIBES_BALANCE | Traits::PREPAID);
                subscribed && low && view.balance_as_of == self.query.day && view.balance_said == 0
            }
            _ => false,
        };
        due.then(|| if self.decided.contains(&topic) { NotTold::NotDecided } else { NotTold::NoPolicy })
    }
}

impl NotTold {
    /// Its stable word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Held(_) => "held",
            Self::Message { state, .. } => state.word(),
            Self::NotDecided => "not-decided",
            Self::NoPolicy => "no-policy",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(&self) -> String {
        match self {
            Self::Held(why) => format!("未发送：{}", why.chinese()),
            Self::Message { state, cancelled: Some(why), .. } => format!("{}：{}", state.chinese(), why.chinese()),
            Self::Message { state, code, .. } if !code.is_empty() => format!("{}（{code}）", state.chinese()),
            Self::Message { state, .. } => state.chinese().to_owned(),
            Self::NotDecided => "尚无执行作出决定".to_owned(),
            Self::NoPolicy => "本地市没有启用的策略".to_owned(),
        }
    }
}
