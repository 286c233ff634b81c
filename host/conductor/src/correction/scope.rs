//! Which messages were wrong: a run's, those of a text, or those of a policy within some days. Reads words and runs; decides about nobody.

use std::fmt;
use std::str::FromStr;

use gridbell_contract::Manifest;
use gridbell_model::{Channel, Date, PrefectureCode, RunId, Topic};
use gridbell_state::{RunRecord, RunStatus};
use serde::{Deserialize, Serialize};

use super::record::Words;
use crate::error::HostError;
use crate::host::Host;

/// Runs whose messages one correction looks at at most.
pub const MAX_CORRECTED_RUNS: usize = 4_096;

/// What was wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Wrong {
    /// A run, with the next channels of its messages.
    Run(RunId),
    /// A text.
    Template {
        /// What it is about.
        topic: Topic,
        /// The notice that it words.
        notice: String,
        /// For which channel.
        channel: Channel,
        /// Which version; none for all.
        version: Option<u32>,
    },
    /// What a policy sent.
    Campaign(String),
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(run) => write!(f, "run:{run}"),
            Self::Template { topic, notice, channel, version } => {
                write!(f, "template:{topic}/{notice}/{channel}")?;
                version.map_or(Ok(()), |v| write!(f, "@{v}"))
            }
            Self::Campaign(policy) => write!(f, "campaign:{policy}"),
        }
    }
}

impl From<Wrong> for String {
    fn from(wrong: Wrong) -> Self {
        wrong.to_string()
    }
}

impl TryFrom<String> for Wrong {
    type Error = HostError;
    fn try_from(text: String) -> Result<Self, HostError> {
        text.parse()
    }
}

impl FromStr for Wrong {
    type Err = HostError;

    /// `run:R9`, `template:arrears-reminder/reminder/sms@3`, `campaign:tariff-news`.
    fn from_str(s: &str) -> Result<Self, HostError> {
        let bad = || {
            HostError::Invalid(format!(
                "`{s}` is nothing to correct: use run:R9, template:TOPIC/NOTICE/CHANNEL[@VERSION] or campaign:POLICY"
            ))
        };
        match s.split_once(':').ok_or_else(bad)? {
            ("run", run) => run.parse().map(Self::Run).map_err(|_| bad()),
            ("campaign", policy) if !policy.is_empty() => Ok(Self::Campaign(policy.to_owned())),
            ("template", name) => {
                let (name, version) = name.split_once('@').map_or((name, None), |(n, v)| (n, Some(v)));
                let version = version.map(str::parse).transpose().map_err(|_| bad())?;
                let [topic, notice, channel] = name.split('/').collect::<Vec<_>>().try_into().map_err(|_| bad())?;
                let topic = topic.parse().map_err(|e| HostError::Invalid(format!("`{s}`: {e}")))?;
                let channel = channel.parse().map_err(|e| HostError::Invalid(format!("`{s}`: {e}")))?;
                Ok(Self::Template { topic, notice: notice.to_owned(), channel, version })
            }
            _ => Err(bad()),
        }
    }
}

/// Which text a message has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wording {
    /// The notice, by the plugin's number of it.
    pub(super) notice: u16,
    pub(super) channel: Channel,
    pub(super) version: u32,
}

/// Which messages are corrected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionScope {
    /// What was wrong.
    pub wrong: Wrong,
    /// Only in this prefecture; none for all that the proposer may correct in.
    pub prefecture: Option<PrefectureCode>,
    /// Only runs of this day and later.
    pub from: Option<Date>,
    /// Only runs up to this day, which counts.
    pub to: Option<Date>,
}

impl CorrectionScope {
    /// Whether messages of `run` may be among them, where it is one of `within`.
    fn reaches(&self, run: &RunRecord, within: &[PrefectureCode]) -> bool {
        let day = run.started.date();
        let in_days = self.from.is_none_or(|from| day >= from) && self.to.is_none_or(|to| day <= to);
        let there = (within.is_empty() || within.contains(&run.prefecture))
            && self.prefecture.is_none_or(|code| code == run.prefecture);
        let is_wrong = match &self.wrong {
            Wrong::Run(wanted) => run.id == *wanted || run.hop_of() == Some(*wanted),
            Wrong::Template { topic, .. } => run.topic == *topic,
            Wrong::Campaign(policy) => run.policy == *policy && !run.is_correction(),
        };
        // Answers have no policy and no plugin, and samples tell no customer anything.
        let tells = run.status == RunStatus::Published && run.queued > 0 && !run.is_samples() && !run.is_answers();
        there && is_wrong && in_days && tells
    }

    /// Whether a message of `wording` is among them; `manifest` is that of its run's plugin.
    pub(super) fn takes(&self, manifest: Option<&Manifest>, wording: Wording) -> bool {
        let Wrong::Template { notice, channel, version, .. } = &self.wrong else { return true };
        let named = manifest.and_then(|m| m.notices().get(usize::from(wording.notice)));
        named.is_some_and(|n| n.name == *notice)
            && wording.channel == *channel
            && version.is_none_or(|v| v == wording.version)
    }

    /// Whether all that its runs queued is wrong, so that nothing may follow any of it.
    pub(super) fn takes_whole_runs(&self) -> bool {
        !matches!(self.wrong, Wrong::Template { .. })
    }
}

/// What the messages of `run` were about: of a correction what that corrected.
pub(super) fn topic_of(run: &RunRecord) -> Topic {
    Words::of(run).map_or(run.topic, |words| words.topic)
}

impl Host {
    /// The runs that `scope` reaches, oldest first.
    pub(super) fn wrong_runs(
        &self,
        scope: &CorrectionScope,
        within: &[PrefectureCode],
    ) -> Result<Vec<std::sync::Arc<RunRecord>>, HostError> {
        let mut scope = scope.clone();
        if let Wrong::Run(run) = &mut scope.wrong {
            let record = self.state().run(*run).ok_or(gridbell_state::StateError::NoRun(*run))?;
            if record.is_samples() {
                let text = format!("{run} is a pilot's samples: they went to the office's own test numbers");
                return Err(HostError::Refused(text));
            }
            if record.is_archived() {
                let text = format!("the messages of {run} left for the archives: nothing of it can be corrected here");
                return Err(HostError::Refused(text));
            }
            // What went by the next channel is the same telling.
            *run = record.hop_of().unwrap_or(*run);
        }
        let mut runs = self.state().runs(None, MAX_CORRECTED_RUNS + 1, |r| scope.reaches(r, within));
        if runs.len() > MAX_CORRECTED_RUNS {
            let text = format!("more than {MAX_CORRECTED_RUNS} runs: narrow it with `from`, `to` or `prefecture`");
            return Err(HostError::Invalid(text));
        }
        if runs.is_empty() {
            let text = format!("nothing was sent by {}: look at the name and the days (`runs list`)", scope.wrong);
            return Err(HostError::Invalid(text));
        }
        runs.reverse();
        let topic = runs.last().map(|r| topic_of(r));
        if runs.iter().any(|r| Some(topic_of(r)) != topic) {
            let text = "these runs are about several topics: narrow it with `from` and `to`".to_owned();
            return Err(HostError::Invalid(text));
        }
        Ok(runs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrong_reads_as_it_prints() {
        for text in [
            "run:R9",
            "template:arrears-reminder/reminder/sms@3",
            "template:arrears-reminder/reminder/wechat",
            "campaign:tips",
        ] {
            assert_eq!(text.parse::<Wrong>().unwrap().to_string(), text);
        }
        for text in ["R9", "run:", "run:x", "template:arrears-reminder/reminder", "template:a/b/sms", "campaign:"] {
            let error = text.parse::<Wrong>().unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
    }
}
