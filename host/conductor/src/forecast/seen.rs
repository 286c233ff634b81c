//! Previews that were made lately, so that whoever proposes a change can name what they saw, and whoever agrees sees the same figures. In memory and
//! bounded: a host that starts again knows none, and they are made again. A proposal keeps the figures for good.

use gridbell_engine::Digest;
use gridbell_model::{CivilMinute, Moment, PrefectureCode};
use gridbell_planner::{Policy, PolicyFile};
use serde::{Deserialize, Serialize};

use super::ask::PreviewRequest;
use super::outcome::PolicyPreview;
use crate::deployment::DeployChange;
use crate::error::HostError;
use crate::host::Host;
use crate::proposals::Proposed;

/// Previews that a host remembers; the oldest is forgotten first.
pub const MAX_SEEN_PREVIEWS: usize = 64;

/// What a preview said, in the figures that a second person decides by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenPreview {
    /// SHA-256 of its answer, hex.
    pub digest: String,
    /// When it was made.
    pub at: Moment,
    /// Whose it was: the code of the unit, or `province`.
    pub office: String,
    /// Name of the policy.
    pub policy: String,
    /// The first minute that it looked at.
    pub from: CivilMinute,
    /// How many days; none for one run at that minute.
    pub days: Option<u8>,
    /// The sequence of the state that it looked at.
    pub sequence: u64,
    /// Customers who would get something.
    pub customers: u64,
    /// Messages.
    pub messages: u64,
    /// Their parts.
    pub parts: u64,
    /// What they cost, in 1/1000 fen.
    pub cost_milli_fen: u64,
    /// Against the live policy; none where nothing was compared.
    pub difference: Option<SeenDifference>,
}

/// How a candidate differs from the live policy, in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenDifference {
    /// Only the candidate's.
    pub added: u64,
    /// Only the live policy's.
    pub dropped: u64,
    /// On another channel or day.
    pub moved: u64,
    /// On the same.
    pub same: u64,
}

/// A preview with what it was made of.
#[derive(Clone, Debug)]
pub(crate) struct Remembered {
    seen: SeenPreview,
    prefecture: PrefectureCode,
    candidate: Policy,
    plugin: String,
    /// Whether it was over the whole prefecture.
    whole: bool,
}

impl Remembered {
    pub(crate) fn digest(&self) -> &str {
        &self.seen.digest
    }
}

/// SHA-256 of an answer, but for how long it took.
pub(super) fn digest(preview: &PolicyPreview) -> Result<String, HostError> {
    let bare = PolicyPreview { digest: String::new(), elapsed_ms: 0, ..preview.clone() };
    let bytes = serde_json::to_vec(&bare).map_err(|e| HostError::Task(e.to_string()))?;
    Ok(Digest::of(&bytes).to_string())
}

impl Host {
    /// Remembers `preview`, which was made of `candidate`.
    pub(super) fn remember(&self, request: &PreviewRequest, candidate: Policy, preview: &PolicyPreview) {
        let (totals, difference) = (&preview.totals, preview.difference.as_ref());
        let seen = SeenPreview {
            digest: preview.digest.clone(),
            at: self.clock().now(),
            office: request.office.clone(),
            policy: preview.policy.clone(),
            from: preview.from,
            days: preview.days,
            sequence: preview.sequence,
            customers: totals.customers,
            messages: totals.messages,
            parts: totals.parts,
            cost_milli_fen: totals.cost_milli_fen,
            difference: difference.map(|d| SeenDifference {
                added: d.added,
                dropped: d.dropped,
                moved: d.moved,
                same: d.same,
            }),
        };
        let scope = &request.scope;
        let whole = scope.orgs.is_empty() && scope.sections.is_empty() && scope.exclude.is_empty();
        let (prefecture, plugin) = (request.prefecture, preview.plugin.digest.clone());
        self.previews().remember(Remembered { seen, prefecture, candidate, plugin, whole });
    }

    /// The preview `digest`, if it is of what is proposed.
    ///
    /// # Errors
    /// When this host does not remember it, or it was made of something else.
    pub(crate) fn seen_preview(
        &self,
        digest: &str,
        prefecture: Option<PrefectureCode>,
        what: &Proposed,
    ) -> Result<SeenPreview, HostError> {
        let refused = |why: &str| HostError::Invalid(format!("preview `{digest}`: {why} (请重新预览)"));
        let found = self.previews().remembered(digest);
        let found = found.ok_or_else(|| refused("this host does not remember it; preview the change again"))?;
        if Some(found.prefecture) != prefecture {
            return Err(refused("it is of another prefecture"));
        }
        if !found.whole {
            return Err(refused("it was over a part of the prefecture; preview all of it"));
        }
        if self.is_of(&found, what)? {
            Ok(found.seen)
        } else {
            Err(refused("it was made of something else than what is proposed, or the live policy changed since"))
        }
    }

    fn is_of(&self, found: &Remembered, what: &Proposed) -> Result<bool, HostError> {
        let name = found.seen.policy.as_str();
        let live = || self.policy(found.prefecture, name).map(|p| Policy { enabled: true, ..p });
        Ok(match what {
            Proposed::Parameters { policy, parameters } => {
                policy == name && Policy { parameters: parameters.clone(), ..live()? } == found.candidate
            }
            Proposed::Policies { document, text } => {
                let set = PolicyFile::parse(document, text)?.set;
                let proposed = set.policy(name).cloned();
                proposed.is_some_and(|p| Policy { enabled: true, ..p } == found.candidate)
            }
            Proposed::Deployment { policy, change } => {
                let version = match change {
                    DeployChange::Live { version }
                    | DeployChange::Canary { version, .. }
                    | DeployChange::Pilot { version, .. } => Some(self.version(version)?.digest),
                    _ => None,
                };
                let live = live()?;
                // The candidate names its plugin's version exactly, the policy a range: all else is the same.
                let (plugin, version_of) = (found.candidate.plugin.clone(), found.candidate.version.clone());
                let same = Policy { plugin, version: version_of, ..live } == found.candidate;
                policy == name && version.as_deref() == Some(found.plugin.as_str()) && same
            }
            Proposed::Rules { .. } | Proposed::Correction { .. } => false,
        })
    }
}
