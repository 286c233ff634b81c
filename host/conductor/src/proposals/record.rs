//! What is kept of a proposal.

use std::collections::BTreeMap;

use gridbell_model::{Channel, Moment, PrefectureCode, Topic};
use gridbell_planner::Change;
use gridbell_state::DocChange;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::deployment::DeployChange;
use crate::documents::{self, PROPOSAL};
use crate::forecast::SeenPreview;

/// Proposals that wait at most.
pub const MAX_OPEN_PROPOSALS: usize = 200;
/// Proposals that are kept at most; of those decided the oldest goes first, and the audit log has them.
pub const MAX_KEPT_PROPOSALS: usize = 1_000;
/// Days after which a proposal that nobody decided about is over.
pub const PROPOSAL_DAYS: i64 = 14;

/// What is to be changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proposed {
    /// A prefecture's policy file.
    Policies {
        /// The file's name, for errors.
        document: String,
        /// TOML.
        text: String,
    },
    /// A policy's parameters, all of them.
    Parameters {
        /// The policy's name.
        policy: String,
        /// As the plugin's schema wants them.
        parameters: Map<String, Value>,
    },
    /// Who decides for a policy.
    Deployment {
        /// The policy's name.
        policy: String,
        /// What.
        change: DeployChange,
    },
    /// The province's rules.
    Rules {
        /// The file's name, for errors.
        document: String,
        /// TOML.
        text: String,
    },
    /// Telling everybody who may have a wrong message what is right.
    Correction {
        /// Its number, which is that of the proposal.
        correction: u64,
        /// What was wrong.
        scope: String,
        /// What that was about.
        topic: Topic,
        /// What is said.
        texts: BTreeMap<Channel, String>,
        /// Customers who are told.
        told: u64,
        /// Customers who are not.
        held: u64,
        /// Parts as carriers count them.
        parts: u64,
        /// What they cost, in 1/1000 fen.
        cost_milli_fen: u64,
        /// SHA-256 of the list of recipients, hex.
        list: String,
    },
}

impl Proposed {
    /// As whoever may read proposals sees it: test numbers are masked.
    #[must_use]
    pub fn shown(&self) -> Value {
        crate::deployment::masked(serde_json::to_value(self).unwrap_or_default())
    }

    /// Its word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Policies { .. } => "policies",
            Self::Parameters { .. } => "parameters",
            Self::Deployment { .. } => "deployment",
            Self::Rules { .. } => "rules",
            Self::Correction { .. } => "correction",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(&self) -> &'static str {
        match self {
            Self::Policies { .. } => "策略文件",
            Self::Parameters { .. } => "策略参数",
            Self::Deployment { .. } => "插件版本启用",
            Self::Rules { .. } => "全省规则",
            Self::Correction { .. } => "更正消息",
        }
    }

    pub(crate) fn subject(&self, prefecture: Option<PrefectureCode>) -> String {
        let city = prefecture.map_or_else(String::new, |p| p.to_string());
        match self {
            Self::Policies { .. } => format!("policy/{city}"),
            Self::Parameters { policy, .. } => format!("policy/{city}/{policy}"),
            Self::Deployment { policy, .. } => format!("deployment/{city}/{policy}"),
            Self::Rules { .. } => "province/rules".to_owned(),
            Self::Correction { correction, scope, .. } => format!("correction/C{correction} {scope}"),
        }
    }
}

/// Who must agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Needs {
    /// A second person of the same city, or the province's approver.
    City,
    /// An approver of the province's.
    Province,
}

impl Needs {
    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::City => "本地市另一人",
            Self::Province => "省级审批人",
        }
    }
}

/// How a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProposalState {
    /// It waits for another person.
    Open,
    /// It was made true.
    Applied,
    /// Somebody said no.
    Refused,
    /// Its author took it back.
    Withdrawn,
    /// What it was to change changed meanwhile: propose it again.
    Stale,
    /// Nobody decided in time.
    Expired,
}

impl ProposalState {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Withdrawn => "withdrawn",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Open => "待审批",
            Self::Applied => "已生效",
            Self::Refused => "已驳回",
            Self::Withdrawn => "已撤回",
            Self::Stale => "已失效（基础版本已变）",
            Self::Expired => "已过期",
        }
    }
}

/// Who decided, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why.
    pub why: String,
}

/// A change that waits for a second person, or what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// From 1.
    pub id: u64,
    /// Where; none for the province.
    pub prefecture: Option<PrefectureCode>,
    /// What.
    pub what: Proposed,
    /// The version of what it changes when it was made.
    pub base: u64,
    /// The differences.
    pub changes: Vec<Change>,
    /// How many more there are than listed.
    #[serde(default)]
    pub more: u64,
    /// Who must agree.
    pub needs: Needs,
    /// Its author.
    pub by: String,
    /// Why.
    pub why: String,
    /// When it was made.
    pub at: Moment,
    /// When it is over.
    pub expires: Moment,
    /// The preview that its author saw; none where none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<SeenPreview>,
    /// How it stands.
    pub state: ProposalState,
    /// Who decided; none while it is open.
    #[serde(default)]
    pub decided: Option<Decided>,
}

impl Proposal {
    pub(crate) fn key(&self) -> String {
        key(self.id)
    }
}

/// Its document: numbers in order.
pub(crate) fn key(id: u64) -> String {
    format!("P{id:08}")
}

/// The oldest decided ones beyond what is kept.
pub(crate) fn too_old(all: &[Proposal]) -> Vec<DocChange> {
    let over = (all.len() + 1).saturating_sub(MAX_KEPT_PROPOSALS);
    let ended = all.iter().rev().filter(|p| p.state != ProposalState::Open);
    ended.take(over).map(|p| documents::delete(PROPOSAL, &p.key())).collect()
}
