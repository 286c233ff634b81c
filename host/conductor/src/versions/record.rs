//! What is kept of a plugin version: one document under the digest of its content.

use gridbell_engine::Digest;
use gridbell_model::Moment;
use gridbell_state::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::documents::{self, PLUGIN, VERSION};
use crate::error::HostError;

/// Steps that a record keeps; the audit log has all of them.
pub const MAX_STEPS: usize = 64;
/// Longest reason that a person gives, in characters.
pub(crate) const MAX_WHY: usize = 400;

/// A plugin as it is listed by name and version: which content that is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the upload, hex.
    pub digest: String,
    /// Who uploaded it.
    pub uploaded_by: String,
}

/// Where a version stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Kept on disk; nobody looked into it.
    Uploaded,
    /// It is a plugin of the contract, compiled.
    Checked,
    /// It was tried in a process of its own and keeps the contract's promises.
    Certified,
    /// Another person of the province's approved it: policies may use it.
    Approved,
    /// Some policy decides by it.
    Live,
    /// Nothing uses it any more, and nothing can.
    Retired,
    /// It is no plugin of the contract; the report says why.
    Refused,
    /// It broke a promise; the report has the smallest input that shows it.
    FailedCertification,
    /// Its upload was given up.
    Cancelled,
    /// Its certification was ended from outside again and again; nothing is known against it.
    Interrupted,
}

impl Stage {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Uploaded => "uploaded",
            Self::Checked => "checked",
            Self::Certified => "certified",
            Self::Approved => "approved",
            Self::Live => "live",
            Self::Retired => "retired",
            Self::Refused => "refused",
            Self::FailedCertification => "failed-certification",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Uploaded => "已上传",
            Self::Checked => "已检查",
            Self::Certified => "已认证",
            Self::Approved => "已批准",
            Self::Live => "使用中",
            Self::Retired => "已停用",
            Self::Refused => "已拒绝",
            Self::FailedCertification => "认证未通过",
            Self::Cancelled => "已取消",
            Self::Interrupted => "认证中断",
        }
    }

    /// Whether the host still has to do something about it.
    #[must_use]
    pub fn is_under_way(self) -> bool {
        matches!(self, Self::Uploaded | Self::Checked)
    }

    /// Whether policies may use it.
    #[must_use]
    pub fn is_usable(self) -> bool {
        matches!(self, Self::Approved | Self::Live)
    }

    /// Whether it was compiled and is to be loaded at the start: previews and shadows look at what is not approved yet.
    #[must_use]
    pub fn is_loaded(self) -> bool {
        matches!(self, Self::Checked | Self::Certified | Self::Approved | Self::Live)
    }
}

/// One step of a version's life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Where it went.
    pub stage: Stage,
    /// Who did it; `system` for the host.
    pub who: String,
    /// When.
    pub at: Moment,
    /// Why, or what.
    pub why: String,
}

/// How far a check or certification is; in memory only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// What is being done.
    pub doing: String,
    /// In percent of all that is to be done.
    pub percent: u8,
}

/// A version of a plugin: its content and where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// SHA-256 of the upload, hex: what it is.
    pub digest: String,
    /// Its name; empty until it was checked.
    pub name: String,
    /// Its version; empty until it was checked.
    pub version: String,
    /// Bytes of the upload.
    pub bytes: u64,
    /// Who uploaded it: nobody approves his own.
    pub uploaded_by: String,
    /// Where it stands.
    pub stage: Stage,
    /// How it came there, oldest first, at most [`MAX_STEPS`].
    pub steps: Vec<Step>,
    /// What check or certification found; with the counterexample where a promise was broken.
    #[serde(default)]
    pub report: Option<Value>,
    /// What a full batch was certified to cost, in microseconds; its deadline is ten times that.
    #[serde(default)]
    pub batch_cost_us: Option<u64>,
    /// How often its certification was ended from outside since it was uploaded; it is tried again until [`super::MAX_INTERRUPTIONS`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interruptions: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl VersionRecord {
    pub(crate) fn new(digest: Digest, bytes: u64, who: &str, at: Moment, why: &str) -> Self {
        let mut record = Self {
            digest: digest.to_string(),
            name: String::new(),
            version: String::new(),
            bytes,
            uploaded_by: who.to_owned(),
            stage: Stage::Uploaded,
            steps: Vec::new(),
            report: None,
            batch_cost_us: None,
            interruptions: 0,
        };
        record.go(Stage::Uploaded, who, at, why);
        record
    }

    /// A version that was in use before versions had stages.
    fn of_old(info: PluginInfo) -> Self {
        let step = Step {
            stage: Stage::Approved,
            who: info.uploaded_by.clone(),
            at: Moment::from_unix_ms(0),
            why: "was in use before versions had stages".to_owned(),
        };
        Self {
            digest: info.digest,
            name: info.name,
            version: info.version,
            bytes: 0,
            uploaded_by: info.uploaded_by,
            stage: Stage::Approved,
            steps: vec![step],
            report: None,
            batch_cost_us: None,
            interruptions: 0,
        }
    }

    /// Takes it to `stage`.
    pub(crate) fn go(&mut self, stage: Stage, who: &str, at: Moment, why: &str) {
        self.stage = stage;
        let why = why.chars().take(MAX_WHY).collect();
        self.steps.push(Step { stage, who: who.to_owned(), at, why });
        if self.steps.len() > MAX_STEPS {
            // How it became what it is stays; of where it went live the latest.
            self.steps.remove(MAX_STEPS / 2);
        }
    }

    /// Name and version as `name@version`; the digest until they are known.
    #[must_use]
    pub fn label(&self) -> String {
        if self.name.is_empty() { self.digest.clone() } else { format!("{}@{}", self.name, self.version) }
    }
}

/// The record of the content `digest` and its document's version; none if there is none.
pub(crate) fn read(state: &State, digest: &str) -> Result<Option<(u64, VersionRecord)>, HostError> {
    if let Some(found) = documents::read::<VersionRecord>(state, VERSION, digest)? {
        return Ok(Some(found));
    }
    let old = state.docs(PLUGIN).into_iter().filter_map(|(key, doc)| {
        let info = documents::parse::<PluginInfo>(PLUGIN, &key, &doc.value).ok()?;
        (info.digest == digest).then(|| (0, VersionRecord::of_old(info)))
    });
    Ok(old.into_iter().next())
}

/// All records, by name and version; what is not checked yet comes last.
pub(crate) fn all(state: &State) -> Vec<VersionRecord> {
    let parsed = state.docs(VERSION).into_iter();
    let mut list: Vec<VersionRecord> =
        parsed.filter_map(|(key, doc)| documents::parse(VERSION, &key, &doc.value).ok()).collect();
    for (key, doc) in state.docs(PLUGIN) {
        let Ok(info) = documents::parse::<PluginInfo>(PLUGIN, &key, &doc.value) else { continue };
        if list.iter().all(|r| r.digest != info.digest) {
            list.push(VersionRecord::of_old(info));
        }
    }
    let order = |r: &VersionRecord| (r.name.is_empty(), r.name.clone(), semver_key(&r.version), r.digest.clone());
    list.sort_by_cached_key(order);
    list
}

fn semver_key(version: &str) -> Option<gridbell_planner::Version> {
    version.parse().ok()
}
