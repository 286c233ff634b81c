//! Why a customer was told something, was not, or will be: the plugin's reason, every guardrail's verdict, the message's life.
//!
//! What was decided is told as it was recorded, from the store or from the archives; only for who got no decision, and for the present, is the
//! plugin asked. Writes nothing.

mod archived;
mod facts;
mod life;
mod present;
mod recorded;

use std::borrow::Cow;
use std::sync::Arc;

use gridbell_model::{AccountNumber, CivilMinute, CustomerView, Moment, OrgCode, PrefectureCode, Topic};
use gridbell_planner::{ANSWERS, GuardVerdict, Policy, RecordKind};
use gridbell_state::{MessageDetail, Outcome, RunRecord, RunStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use archived::FromArchives;
pub use facts::FactShown;
pub use life::{MessageLife, TogetherLife};
pub use present::{FORESEEN_DAYS, Forecast, Present};
pub(crate) use present::{prepare_recorded, run_of};
pub(crate) use recorded::titles;

use crate::answers::is_answers;
use crate::archive::blocking;
use crate::error::HostError;
use crate::host::Host;

/// Samples about one customer that are told of at most.
const MAX_SAMPLES_SHOWN: usize = 20;

/// What is asked.
#[derive(Clone, Debug)]
pub struct ExplainRequest {
    /// Whose story.
    pub account: AccountNumber,
    /// As of the end of this civil minute; none for now.
    pub at: Option<CivilMinute>,
    /// About which policy; none for every policy of the customer's prefecture.
    pub policy: Option<String>,
    /// Ask also about the state as it was then, rebuilt from the history: it may take seconds to minutes.
    pub rebuild: bool,
}

/// The answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Explanation {
    /// 户号
    pub account: AccountNumber,
    /// Where the customer is.
    pub prefecture: PrefectureCode,
    /// The station.
    pub station: OrgCode,
    /// The number as it is now, masked; empty for none.
    pub phone: String,
    /// As of when it was asked, civil time.
    pub at: CivilMinute,
    /// One for each policy asked about, in the policy file's order; policies that are no more there after them.
    pub policies: Vec<PolicyStory>,
}

/// What one policy had to say to the customer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PolicyStory {
    /// Its name.
    pub policy: String,
    /// What an office reads; its name where it is no more there.
    pub title: String,
    /// What it is about.
    pub topic: Topic,
    /// In a sentence for an office.
    pub summary: String,
    /// Its latest run at that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunBrief>,
    /// What that run decided about the customer; several only for several payments.
    pub decisions: Vec<DecisionStory>,
    /// Why that run decided nothing about the customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence: Option<NoDecision>,
    /// What is not kept any more of it, and by which rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<NotKept>,
    /// Samples that a pilot of it sent to the office's test numbers with this customer's text: the customer was told nothing by them. Newest first;
    /// those in the archives only where the run above is there too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<MessageLife>,
    /// What the policy would do now; only when asked about now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub present: Option<Present>,
}

/// Something that is not kept any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotKept {
    /// What, for an office.
    pub what: Cow<'static, str>,
    /// The rule of the province's by which it went.
    pub rule: String,
}

/// A run, as far as it explains.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunBrief {
    /// `store`, or the archive's file.
    pub source: String,
    /// Its name.
    pub id: String,
    /// When it began.
    pub started: String,
    /// The time that the plugin was told.
    pub now: CivilMinute,
    /// published, waiting, failed, refused.
    pub status: Cow<'static, str>,
    /// Why it waits or failed; empty otherwise.
    pub why: String,
    /// The plugin and its version.
    pub plugin: String,
    /// SHA-256 of the plugin.
    pub digest: String,
    /// The parameters that the plugin got.
    pub parameters: Value,
    /// The sequence of the state that it read.
    pub snapshot: u64,
    /// Whom it could reach, in words; empty for all.
    pub scope: String,
}

/// A decision that was recorded.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DecisionStory {
    /// `store`, or the archive's file.
    pub source: String,
    /// The notice, as an office reads it.
    pub notice: String,
    /// Step of the escalation.
    pub step: u8,
    /// The plugin's reason, as an office reads it.
    pub reason: String,
    /// What the plugin saw of the customer then; empty where an earlier program did not keep it.
    pub facts: Vec<FactShown>,
    /// Every check's verdict.
    pub checks: Vec<GuardVerdict>,
    /// The message and its life; none when a check held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageLife>,
    /// Why a check held it, for an office; empty when none did.
    pub held: String,
    /// What followed the message by further hops of its route, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<HopStory>,
    /// What was told to put the message right, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<CorrectionStory>,
}

/// A correction of a message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CorrectionStory {
    /// `store`, or the archive's file.
    pub source: String,
    /// Its name: C12.
    pub correction: String,
    /// The run that published it.
    pub run: String,
    /// When.
    pub at: String,
    /// The message that was wrong.
    pub corrects: String,
    /// The message that puts it right and its life; none when it is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageLife>,
    /// Why it is held, for an office; empty when it is not.
    pub held: String,
}

/// A further hop of a message's route.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HopStory {
    /// `store`, or the archive's file.
    pub source: String,
    /// The run that published it.
    pub run: String,
    /// When.
    pub at: String,
    /// The message and its life; none when a check held it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageLife>,
    /// Why a check held it, for an office; empty when none did.
    pub held: String,
}

/// Why nothing was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NoDecision {
    /// Which state was asked: `then`, `now`, or `none` when nobody could be asked.
    pub asked: Cow<'static, str>,
    /// The plugin's reason, or the host's, for an office.
    pub reason: String,
    /// What the plugin sees of the customer in that state.
    pub facts: Vec<FactShown>,
}

/// The status of a run in a word.
pub(crate) fn status_word(status: &RunStatus) -> (&'static str, String) {
    match status {
        RunStatus::Published => ("published", String::new()),
        RunStatus::Waiting { why } => ("waiting", why.clone()),
        RunStatus::Failed { error } => ("failed", error.clone()),
        RunStatus::Refused { by } => ("refused", format!("由 {by} 拒绝")),
    }
}

impl RunBrief {
    fn of(run: &RunRecord) -> Self {
        let (status, why) = status_word(&run.status);
        Self {
            source: "store".to_owned(),
            id: run.id.to_string(),
            started: run.started.to_string(),
            now: run.now,
            status: status.into(),
            why,
            plugin: format!("{} {}", run.plugin, run.plugin_version),
            digest: run.digest.clone(),
            parameters: serde_json::from_str(&run.params).unwrap_or(Value::Null),
            snapshot: run.snapshot,
            scope: run.scope.clone(),
        }
    }

    /// From an archive's entry.
    fn of_archived(file: u64, body: &Value) -> Self {
        let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let status = serde_json::from_value::<RunStatus>(body["status"].clone());
        let (status, why) = status.map_or(("unknown", String::new()), |s| status_word(&s));
        Self {
            source: format!("archive {file}"),
            id: text("id"),
            started: text("started"),
            now: serde_json::from_value(body["now"].clone()).unwrap_or(CivilMinute::NONE),
            status: status.into(),
            why,
            plugin: format!("{} {}", text("plugin"), text("plugin_version")),
            digest: text("digest"),
            parameters: body["params"].clone(),
            snapshot: body["snapshot"].as_u64().unwrap_or(0),
            scope: text("scope"),
        }
    }
}

/// Whom is asked about, looked up once.
pub(crate) struct Subject {
    pub(crate) account: AccountNumber,
    pub(crate) prefecture: PrefectureCode,
    pub(crate) view: CustomerView,
    pub(crate) at: Moment,
    pub(crate) is_now: bool,
    pub(crate) rebuild: bool,
}

impl Host {
    /// Why a customer was told something, was not, or will be.
    ///
    /// # Errors
    /// When there is no such account or policy, or something that was recorded cannot be read.
    pub async fn explain(&self, request: ExplainRequest) -> Result<Explanation, HostError> {
        let host = self.clone();
        let subject = blocking(self.clock(), move || host.subject(&request).map(|s| (s, request))).await?;
        let (subject, request) = (Arc::new(subject.0), subject.1);
        let names = self.policies_asked(&subject, &request)?;
        let mut policies = Vec::with_capacity(names.len());
        for name in names {
            policies.push(self.story(&subject, &name).await?);
        }
        Ok(Explanation {
            account: subject.account,
            prefecture: subject.prefecture,
            station: subject.view.station,
            phone: if subject.view.phone.number() == 0 { String::new() } else { subject.view.phone.to_string() },
            at: subject.at.civil_minute(),
            policies,
        })
    }

    fn subject(&self, request: &ExplainRequest) -> Result<Subject, HostError> {
        let account = request.account;
        let found = self.state().customer(account).ok_or(gridbell_state::StateError::NoAccount(account))?;
        let now = self.clock().now();
        if request.at.is_some_and(|at| at > now.civil_minute()) {
            let text = "`at` lies in the future: leave it out to be told what comes next (时间不能晚于现在)";
            return Err(HostError::Invalid(text.to_owned()));
        }
        let end_of = |at: CivilMinute| at.plus_minutes(1).moment().plus_ms(-1).min(now);
        let at = request.at.map_or(now, end_of);
        let (prefecture, view) = found;
        Ok(Subject { account, prefecture, view, at, is_now: request.at.is_none(), rebuild: request.rebuild })
    }

    fn policies_asked(&self, subject: &Subject, request: &ExplainRequest) -> Result<Vec<String>, HostError> {
        let of = |r: &RunRecord| r.prefecture == subject.prefecture;
        let mut there: Vec<String> = self
            .policies(subject.prefecture)
            .map(|(_, set)| set.policies.iter().map(|p| p.name.clone()).collect())
            .unwrap_or_default();
        // Of policies that are gone the runs are told of still.
        for run in self.state().runs(None, usize::MAX, of) {
            if !there.contains(&run.policy) && !run.is_answers() {
                there.push(run.policy.clone());
            }
        }
        if self.last_answers(subject.account, subject.at)?.is_some()
            || request.policy.as_deref().is_some_and(is_answers)
        {
            there.push(ANSWERS.to_owned());
        }
        match &request.policy {
            None => Ok(there),
            Some(name) if there.contains(name) => Ok(vec![name.clone()]),
            Some(name) => Err(HostError::NoPolicy {
                prefecture: subject.prefecture,
                policy: name.clone(),
                known: there.join(", "),
            }),
        }
    }

    async fn story(&self, subject: &Arc<Subject>, policy: &str) -> Result<PolicyStory, HostError> {
        let here: Option<Policy> = self.policy(subject.prefecture, policy).ok();
        let of = |r: &RunRecord| {
            r.prefecture == subject.prefecture && r.policy == policy && r.started <= subject.at && r.is_occurrence()
        };
        let run = if is_answers(policy) {
            self.last_answers(subject.account, subject.at)?
        } else {
            self.state().runs(None, 1, of).into_iter().next()
        };
        let (host, about, name, its) = (self.clone(), Arc::clone(subject), policy.to_owned(), run.clone());
        let FromArchives { decisions, run: archived, samples: older } = blocking(self.clock(), move || match &its {
            Some(run) if !run.segments.is_empty() => {
                Ok(FromArchives { decisions: host.recorded(run, &about)?, ..FromArchives::default() })
            }
            Some(run) if run.decided == 0 => Ok(FromArchives::default()),
            other => host.archived_decisions(&name, other.as_deref(), &about),
        })
        .await?;
        let silence = match &run {
            Some(run) if decisions.is_empty() => Some(self.silence(subject, run).await?),
            _ => None,
        };
        let present = match &here {
            Some(policy) if subject.is_now => Some(self.present(subject, policy, run.as_deref()).await?),
            _ => None,
        };
        let topic = here.as_ref().map(|p| p.topic).or_else(|| run.as_ref().map(|r| r.topic));
        let mut samples = self.samples_told(subject, policy).await?;
        samples.extend(older);
        samples.truncate(MAX_SAMPLES_SHOWN);
        let mut story = PolicyStory {
            policy: policy.to_owned(),
            title: here.map_or_else(|| title_of(policy), |p| p.title),
            topic: topic.unwrap_or(Topic::Staff),
            summary: String::new(),
            not_kept: self.not_kept(run.as_deref(), &decisions, silence.as_ref()),
            run: run.as_deref().map(RunBrief::of).or(archived),
            decisions,
            silence,
            samples,
            present,
        };
        story.summary = summary(&story);
        Ok(story)
    }
}

impl Host {
    /// Samples about the customer up to the moment asked about, as the store has them.
    async fn samples_told(&self, subject: &Arc<Subject>, policy: &str) -> Result<Vec<MessageLife>, HostError> {
        let (host, about, policy) = (self.clone(), Arc::clone(subject), policy.to_owned());
        blocking(self.clock(), move || {
            let of = |r: &RunRecord| r.prefecture == about.prefecture && r.policy == policy && r.started <= about.at;
            let found = host.state().samples(MAX_SAMPLES_SHOWN, of, |d, _| d.row == about.view.row)?;
            let life = |m: MessageDetail| match &m.decision.outcome {
                Outcome::Queued(message) => Some(MessageLife::of(m.id, message, Some(&m.status))),
                Outcome::Held(_) => None,
            };
            Ok(found.into_iter().filter_map(life).collect())
        })
        .await
    }

    /// What would belong to a story and has left for good: archives keep whom a run decided about, never whom it left out.
    fn not_kept(
        &self,
        run: Option<&RunRecord>,
        decisions: &[DecisionStory],
        silence: Option<&NoDecision>,
    ) -> Vec<NotKept> {
        let days = |kind: RecordKind| self.settings().map_or_else(|_| kind.default_days(), |s| s.rules.retention(kind));
        let rule = |kind: RecordKind| format!("[retention_days] {} = {}", kind.word(), days(kind));
        let by_run = || format!("{}；或由人工提前归档 archive run --before", rule(RecordKind::Run));
        let mut list = Vec::new();
        match run {
            None if !decisions.is_empty() => list.push(NotKept {
                what: "这次执行没有选中的户：归档只记录被选中的户，未选中的原因不能再问".into(),
                rule: by_run(),
            }),
            None if self.state().archive_head().file > 0 => list.push(NotKept {
                what: "更早的执行：已移出在线库，归档里没有关于该户的决定（归档不记录未选中的户）".into(),
                rule: by_run(),
            }),
            _ => {}
        }
        let oldest = self.clock().today().plus_days(-i32::try_from(days(RecordKind::History)).unwrap_or(i32::MAX));
        if let (Some(run), Some(silence)) = (run, silence)
            && silence.asked != "then"
            && run.ended.date() < oldest
        {
            list.push(NotKept {
                what: "执行当时的全省数据：不能再重建，只能按现在的数据询问插件".into(),
                rule: rule(RecordKind::History),
            });
        }
        list
    }
}

impl HopStory {
    fn sentence(&self) -> String {
        match &self.message {
            Some(message) => format!("；改由{}：{}", message.channel_title, message.sentence()),
            None => format!("；下一渠道未发送（{}）", self.held),
        }
    }
}

impl CorrectionStory {
    fn sentence(&self) -> String {
        match &self.message {
            Some(message) => {
                format!("；已按更正 {} 发{}更正：{}", self.correction, message.channel_title, message.sentence())
            }
            None => format!("；更正 {} 未发送（{}）", self.correction, self.held),
        }
    }
}

impl DecisionStory {
    /// Whether `message` is what it came to, or what followed that by another channel.
    fn has_message(&self, message: &str) -> bool {
        let hops = self.hops.iter().filter_map(|hop| hop.message.as_ref());
        self.message.iter().chain(hops).any(|life| life.id == message)
    }
}

/// What an office reads of a policy that is not there: the host's own answers, or its name.
fn title_of(policy: &str) -> String {
    if is_answers(policy) { Topic::Answer.chinese().to_owned() } else { policy.to_owned() }
}

/// The story in a sentence, for an office.
fn summary(story: &PolicyStory) -> String {
    let then = match (&story.run, story.decisions.as_slice(), &story.silence) {
        (None, [], _) if !story.not_kept.is_empty() => "在线库和归档里都没有关于该户的决定".to_owned(),
        (None, [], _) => "此前没有执行过".to_owned(),
        (_, [.., last], _) => match &last.message {
            Some(message) => {
                let hops: Vec<String> = last.hops.iter().map(HopStory::sentence).collect();
                let put_right: Vec<String> = last.corrections.iter().map(CorrectionStory::sentence).collect();
                let then = [hops.concat(), put_right.concat()].concat();
                format!("{}：{}，{}{then}", last.reason, last.notice, message.sentence())
            }
            None => format!("{}：{}，未发送（{}）", last.reason, last.notice, last.held),
        },
        (Some(run), [], Some(silence)) => format!("{} 的执行未选中该户（{}）", run.now, silence.reason),
        (Some(run), [], None) => format!("{} 的执行未选中该户", run.now),
    };
    match &story.present {
        None => then,
        Some(present) => format!("{then}；{}", present.sentence()),
    }
}
