//! Changes of who decides: live, canary, pilot, shadow, and their ends. Checked here; whether a second person is needed is the proposals' to ask.

use std::collections::BTreeSet;

use gridbell_engine::Plugin;
use gridbell_model::{OrgCode, PrefectureCode};
use gridbell_planner::{Event, Policy, Problems};
use gridbell_state::DocChange;
use serde::{Deserialize, Serialize};

use super::{
    Canary, Deployment, MAX_PILOT_STATIONS, MAX_SHADOWS, Pilot, TestNumber, fits, key, masked, problems, test_number,
};
use crate::documents::{self, DEPLOYMENT, VERSION, note};
use crate::error::HostError;
use crate::host::Host;
use crate::proposals::Beside;
use crate::versions::Stage;

/// A change of who decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DeployChange {
    /// This version decides for everybody.
    Live {
        /// `name@version` or digest.
        version: String,
    },
    /// This version decides for a share.
    Canary {
        /// `name@version` or digest.
        version: String,
        /// 1 to 99.
        percent: u8,
    },
    /// The live version decides for everybody again.
    EndCanary,
    /// This version decides for some stations.
    Pilot {
        /// `name@version` or digest.
        version: String,
        /// Stations, or units above them.
        stations: Vec<OrgCode>,
        /// The office's numbers to which samples of what it would tell everybody else go; none for no samples.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        test_numbers: Vec<TestNumber>,
    },
    /// The live version decides for them again.
    EndPilot,
    /// This version decides about everybody and sends nothing.
    Shadow {
        /// `name@version` or digest.
        version: String,
    },
    /// It no longer does.
    EndShadow {
        /// `name@version` or digest.
        version: String,
    },
}

impl DeployChange {
    /// Whether another person must agree: where something goes out that did not.
    #[must_use]
    pub fn needs_approval(&self) -> bool {
        matches!(self, Self::Live { .. } | Self::Canary { .. } | Self::Pilot { .. })
    }

    /// Its word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Live { .. } => "live",
            Self::Canary { .. } => "canary",
            Self::EndCanary => "end-canary",
            Self::Pilot { .. } => "pilot",
            Self::EndPilot => "end-pilot",
            Self::Shadow { .. } => "shadow",
            Self::EndShadow { .. } => "end-shadow",
        }
    }
}

/// Who wants which change of a policy's deployment, and why.
#[derive(Clone, Debug)]
pub struct DeployOrder {
    /// Where.
    pub prefecture: PrefectureCode,
    /// The policy's name.
    pub policy: String,
    /// What.
    pub change: DeployChange,
    /// Why.
    pub why: String,
    /// Who.
    pub who: String,
}

impl Host {
    /// What a change would come to; nothing is changed.
    ///
    /// # Errors
    /// When the version cannot decide for the policy, with every problem.
    pub fn check_deployment(&self, order: &DeployOrder) -> Result<Deployment, HostError> {
        Ok(self.changed(order)?.2)
    }

    /// Makes a change of who decides, in force from the next run on.
    ///
    /// # Errors
    /// When the version cannot decide for the policy, or somebody was faster.
    pub async fn deploy(&self, order: &DeployOrder) -> Result<Deployment, HostError> {
        self.deploy_beside(order, None, Beside::default()).await
    }

    /// The same in one commit with `beside`, if the deployment is at version `base`.
    pub(crate) async fn deploy_beside(
        &self,
        order: &DeployOrder,
        base: Option<u64>,
        beside: Beside,
    ) -> Result<Deployment, HostError> {
        let (found, old, new) = self.changed(order)?;
        let expected = base.unwrap_or(found);
        let key = key(order.prefecture, &order.policy);
        let mut docs = vec![documents::put(DEPLOYMENT, &key, &new, Some(expected))?];
        docs.extend(self.stages_of(&key, &old, &new, &order.who, &order.why)?);
        docs.extend(beside.docs);
        let detail = masked(serde_json::json!({ "change": order.change, "why": order.why }));
        let mut audit = vec![note(&order.who, &format!("deployment.{}", order.change.word()), &key, detail)];
        audit.extend(beside.audit);
        self.state().put_docs(docs, audit).await?;
        self.recall_samples(order.prefecture, &order.policy, &old, &new).await?;
        Ok(new)
    }

    fn changed(&self, order: &DeployOrder) -> Result<(u64, Deployment, Deployment), HostError> {
        let policy = self.policy(order.prefecture, &order.policy)?;
        let (expected, old) = match self.deployment(order.prefecture, &order.policy)? {
            Some(found) => found,
            None => {
                let live = self.plugin(&policy.plugin, &policy.version)?.digest().to_string();
                (0, Deployment::of(&live, "system", self.clock().now(), "it decided already"))
            }
        };
        let mut new = Deployment {
            by: order.who.clone(),
            at: self.clock().now(),
            why: order.why.chars().take(crate::versions::MAX_WHY).collect(),
            ..old.clone()
        };
        match &order.change {
            DeployChange::Live { version } => {
                let digest = self.candidate(&policy, version, true)?.digest().to_string();
                if digest != old.live {
                    new.last_good = Some(old.live.clone());
                    new.live.clone_from(&digest);
                }
                new.canary = new.canary.filter(|c| c.digest != digest);
                new.pilot = new.pilot.filter(|p| p.digest != digest);
                new.shadows.retain(|s| *s != digest);
            }
            DeployChange::Canary { version, percent } => {
                let digest = self.beside(&policy, version, &old)?;
                if !(1..=99).contains(percent) {
                    return Err(HostError::Invalid(format!("a canary decides for 1 to 99 percent, not {percent}")));
                }
                new.canary = Some(Canary { digest, percent: *percent });
            }
            DeployChange::EndCanary => new.canary = None,
            DeployChange::Pilot { version, stations, test_numbers } => {
                let digest = self.beside(&policy, version, &old)?;
                self.check_stations(order.prefecture, stations)?;
                test_number::check(test_numbers, &self.settings()?.segments)?;
                let (stations, test_numbers) = (stations.clone(), test_numbers.clone());
                new.pilot = Some(Pilot { digest, stations, test_numbers });
            }
            DeployChange::EndPilot => new.pilot = None,
            DeployChange::Shadow { version } => {
                let digest = self.candidate(&policy, version, false)?.digest().to_string();
                if !new.shadows.contains(&digest) {
                    new.shadows.push(digest);
                }
                if new.shadows.len() > MAX_SHADOWS {
                    return Err(HostError::Refused(format!(
                        "a policy has at most {MAX_SHADOWS} shadows; end one first"
                    )));
                }
            }
            DeployChange::EndShadow { version } => {
                let digest = self.version(version)?.digest;
                new.shadows.retain(|s| *s != digest);
            }
        }
        new.remember_numbers(&old, new.at);
        Ok((expected, old, new))
    }

    /// The version that is to decide for `policy`; for real or only as a shadow.
    fn candidate(&self, policy: &Policy, version: &str, sends: bool) -> Result<Plugin, HostError> {
        let record = self.version(version)?;
        let enough = record.stage.is_usable() || !sends && record.stage == Stage::Certified;
        if !enough {
            let needs = if sends { "approved" } else { "certified" };
            let text = format!("`{}` is {}; it must be {needs} first", record.label(), record.stage.word());
            return Err(HostError::Refused(text));
        }
        let plugin = self.version_plugin(&record.digest)?;
        if plugin.manifest().name() != policy.plugin {
            let text = format!("policy `{}` uses plugin `{}`, not `{}`", policy.name, policy.plugin, record.name);
            return Err(HostError::Invalid(text));
        }
        if sends && !fits(policy, &plugin) {
            let text = format!(
                "policy `{}` asks for versions `{}`, and this is {}: change the policy first",
                policy.name, policy.version, record.version
            );
            return Err(HostError::Invalid(text));
        }
        Problems::refuse(&policy.name, problems(self, policy, &plugin)?)?;
        Ok(plugin)
    }

    /// A version that is to decide beside the live one.
    fn beside(&self, policy: &Policy, version: &str, old: &Deployment) -> Result<String, HostError> {
        if policy.events.contains(&Event::PaymentReceived) {
            let text = format!(
                "policy `{}` tells of payments, each of which one run sees: try the version as a shadow, then make it live",
                policy.name
            );
            return Err(HostError::Refused(text));
        }
        let digest = self.candidate(policy, version, true)?.digest().to_string();
        if digest == old.live {
            return Err(HostError::Refused(format!("`{version}` is live already")));
        }
        Ok(digest)
    }

    fn check_stations(&self, prefecture: PrefectureCode, stations: &[OrgCode]) -> Result<(), HostError> {
        if stations.is_empty() || stations.len() > MAX_PILOT_STATIONS {
            return Err(HostError::Invalid(format!("a pilot has 1 to {MAX_PILOT_STATIONS} stations")));
        }
        let org = self.state().org();
        let wrong = stations.iter().find_map(|s| crate::province::scope_problem(&org, prefecture, *s));
        wrong.map_or(Ok(()), |why| Err(HostError::Invalid(why)))
    }

    /// Records of versions that become live by this, or are live nowhere any more.
    pub(crate) fn stages_of(
        &self,
        key: &str,
        old: &Deployment,
        new: &Deployment,
        who: &str,
        why: &str,
    ) -> Result<Vec<DocChange>, HostError> {
        let said = Deployment { by: who.to_owned(), why: why.to_owned(), ..new.clone() };
        self.stages_after(&[(key.to_owned(), Some(old.live.clone()), said)])
    }

    /// The same for several deployments at once: each with its policy's key and the version that was live before.
    pub(crate) fn stages_after(
        &self,
        changed: &[(String, Option<String>, Deployment)],
    ) -> Result<Vec<DocChange>, HostError> {
        let now = self.clock().now();
        let standing = self.deployments();
        let is_live = |digest: &str| {
            changed.iter().any(|(_, _, d)| d.live == digest)
                || standing.iter().any(|(k, d)| d.live == digest && changed.iter().all(|(c, _, _)| c != k))
        };
        let (mut docs, mut done) = (Vec::new(), BTreeSet::new());
        let mut step = |digest: &str, from: Stage, to: Stage, who: &str, why: &str| -> Result<(), HostError> {
            if done.insert(digest.to_owned())
                && let Some((expected, mut record)) = crate::versions::read(self.state(), digest)?
                && record.stage == from
            {
                record.go(to, who, now, why);
                docs.push(documents::put(VERSION, &record.digest, &record, Some(expected))?);
            }
            Ok(())
        };
        for (key, _, new) in changed {
            step(&new.live, Stage::Approved, Stage::Live, &new.by, &format!("{key}: {}", new.why))?;
        }
        for (key, old, new) in changed {
            if let Some(old) = old.as_deref().filter(|old| !is_live(old)) {
                step(old, Stage::Live, Stage::Approved, &new.by, &format!("{key}: no longer live"))?;
            }
        }
        Ok(docs)
    }
}
