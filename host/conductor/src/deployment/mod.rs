//! Which versions of a plugin decide for a policy: the live one, and beside it shadows, a canary, a pilot. Only approved versions send; which one is
//! live is said explicitly and never moves because something newer was uploaded.

mod arms;
mod change;
mod rollback;
mod runs;
mod samples;
mod shadow;
mod test_number;
mod under_way;

use gridbell_engine::Plugin;
use gridbell_model::{Moment, OrgCode, PrefectureCode};
use gridbell_planner::{Policy, PolicySet, Version};
use gridbell_state::DocChange;
use serde::{Deserialize, Serialize};

pub(crate) use arms::Arm;
pub use arms::{KeptShare, Part};
pub use change::{DeployChange, DeployOrder};
pub use rollback::{RecallRecord, RollbackOrder, RolledBack};
pub(crate) use runs::is_share;
pub use samples::{SAMPLE_MARK, SAMPLES_PER_RUN};
pub use shadow::{Difference, MAX_SHADOW_SAMPLES, ShadowReport, ShadowSample, Watched};
pub(crate) use test_number::masked;
pub use test_number::{
    FORMER_TEST_NUMBER_DAYS, FormerTestNumber, MAX_FORMER_TEST_NUMBERS, MAX_TEST_NUMBERS, TestNumber,
};
pub(crate) use under_way::UnderWay;

use crate::documents::{self, DEPLOYMENT};
use crate::error::HostError;
use crate::host::Host;
use crate::versions::Pinned;

/// Shadows of one policy at most: each decides about everybody once more.
pub const MAX_SHADOWS: usize = 2;
/// Stations of a pilot at most.
pub const MAX_PILOT_STATIONS: usize = 200;

/// A version that decides for a share of the customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// Its digest.
    pub digest: String,
    /// Its share, 1 to 99 in a hundred, by a hash of the account number that stays the same.
    pub percent: u8,
}

/// A version that decides for some stations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pilot {
    /// Its digest.
    pub digest: String,
    /// The stations, or units above them.
    pub stations: Vec<OrgCode>,
    /// Where samples of what it would tell everybody else go; none for no samples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub test_numbers: Vec<TestNumber>,
}

/// Who decides for one policy of one prefecture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Digest of the version that decides and sends.
    pub live: String,
    /// The version that was live before, where a rollback goes.
    #[serde(default)]
    pub last_good: Option<String>,
    /// Versions that decide about everybody and send nothing.
    #[serde(default)]
    pub shadows: Vec<String>,
    /// A version that decides for a share of the customers.
    #[serde(default)]
    pub canary: Option<Canary>,
    /// A version that decides for some stations, and about everybody else as a shadow does.
    #[serde(default)]
    pub pilot: Option<Pilot>,
    /// Test numbers of pilots that ended in the last [`FORMER_TEST_NUMBER_DAYS`] days: what they answer is about samples still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former_test_numbers: Vec<FormerTestNumber>,
    /// Who said so last.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Why.
    pub why: String,
}

impl Deployment {
    pub(crate) fn of(live: &str, by: &str, at: Moment, why: &str) -> Self {
        Self {
            live: live.to_owned(),
            last_good: None,
            shadows: Vec::new(),
            canary: None,
            pilot: None,
            former_test_numbers: Vec::new(),
            by: by.to_owned(),
            at,
            why: why.to_owned(),
        }
    }

    /// Takes over the test numbers that `old` had and this has no more, as of `now`.
    pub(crate) fn remember_numbers(&mut self, old: &Self, now: Moment) {
        self.former_test_numbers = test_number::former(old, self.pilot.as_ref(), now);
    }

    /// Whether somebody but the live version decides for some customers.
    pub(crate) fn divides(&self) -> bool {
        self.canary.is_some() || self.pilot.is_some()
    }
}

pub(crate) fn key(prefecture: PrefectureCode, policy: &str) -> String {
    format!("{prefecture}/{policy}")
}

impl Host {
    /// Who decides for a policy, and the version of that document; none while nobody said so: then the newest approved version that fits.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn deployment(&self, prefecture: PrefectureCode, policy: &str) -> Result<Option<(u64, Deployment)>, HostError> {
        documents::read(self.state(), DEPLOYMENT, &key(prefecture, policy))
    }

    /// The version that decides for `policy` now.
    ///
    /// # Errors
    /// When it was retired or is not loaded, or no approved version fits.
    pub fn live_plugin(&self, prefecture: PrefectureCode, policy: &Policy) -> Result<Plugin, HostError> {
        let Some((_, deployment)) = self.deployment(prefecture, &policy.name)? else {
            return self.plugin(&policy.plugin, &policy.version);
        };
        self.usable_plugin(policy, &deployment.live)
    }

    /// What is deployed under `digest`, if `policy` may use it.
    pub(crate) fn usable_plugin(&self, policy: &Policy, digest: &str) -> Result<Plugin, HostError> {
        let catalog = self.catalog();
        let found = catalog.usable(digest).filter(|p| fits(policy, p));
        found.cloned().ok_or_else(|| {
            let policy = policy.name.clone();
            match self.version(digest) {
                Ok(r) if r.stage.is_usable() && catalog.get(digest).is_none() => {
                    HostError::Broken { policy, version: r.label() }
                }
                Ok(r) => HostError::NotUsable { policy, version: format!("{} ({})", r.label(), r.stage.word()) },
                Err(_) => HostError::NotUsable { policy, version: digest.to_owned() },
            }
        })
    }

    /// Documents that pin what decides now for every policy with plugin `name` that has no deployment yet: an approval changes nobody's version.
    pub(crate) fn pins(&self, name: &str) -> Result<Vec<DocChange>, HostError> {
        let (now, catalog) = (self.clock().now(), self.catalog());
        let (mut docs, mut live) = (Vec::new(), Vec::new());
        for (prefecture, set) in self.policies_by_prefecture() {
            for policy in set.policies.iter().filter(|p| p.plugin == name) {
                let key = key(prefecture, &policy.name);
                if self.state().doc(DEPLOYMENT, &key).is_some() {
                    continue;
                }
                let Ok(plugin) = catalog.find(&policy.plugin, &policy.version) else { continue };
                let pin = Deployment::of(&plugin.digest().to_string(), "system", now, "it decided already");
                docs.push(documents::put(DEPLOYMENT, &key, &pin, Some(0))?);
                live.push((key, None, pin));
            }
        }
        docs.extend(self.stages_after(&live)?);
        Ok(docs)
    }

    /// Documents that give every policy of `set` a version that decides for it: the one that it has, or the newest approved one that fits.
    pub(crate) fn first_versions(&self, set: &PolicySet, who: &str) -> Result<Vec<DocChange>, HostError> {
        let (now, catalog) = (self.clock().now(), self.catalog());
        let (mut docs, mut live) = (Vec::new(), Vec::new());
        for policy in &set.policies {
            let (expected, old) =
                self.deployment(set.prefecture, &policy.name)?.map_or((0, None), |(v, d)| (v, Some(d)));
            let kept = old.as_ref().and_then(|d| catalog.get(&d.live)).is_some_and(|p| fits(policy, p));
            if kept {
                continue;
            }
            let Ok(plugin) = catalog.find(&policy.plugin, &policy.version) else { continue };
            let digest = plugin.digest().to_string();
            let mut new = Deployment::of(&digest, who, now, "the policy file asks for it");
            if let Some(old) = &old {
                new.remember_numbers(old, now);
            }
            let before = old.map(|d| d.live);
            // Another version of the same plugin can be gone back to; another plugin cannot.
            new.last_good = before.clone().filter(|d| catalog.usable(d).is_some_and(|p| fits(policy, p)));
            let key = key(set.prefecture, &policy.name);
            docs.push(documents::put(DEPLOYMENT, &key, &new, Some(expected))?);
            live.push((key, before, new));
        }
        docs.extend(self.stages_after(&live)?);
        Ok(docs)
    }

    /// The plugins as `prefecture`'s policies see them: what decides there goes before what is newer.
    pub(crate) fn first_plugins(&self, prefecture: PrefectureCode) -> Vec<Plugin> {
        let catalog = self.catalog();
        let docs = self.state().docs(DEPLOYMENT).into_iter();
        let here = docs.filter(|(key, _)| key.split('/').next() == Some(&prefecture.to_string()));
        let live = here.filter_map(|(key, doc)| documents::parse::<Deployment>(DEPLOYMENT, &key, &doc.value).ok());
        live.filter_map(|d| catalog.usable(&d.live).cloned()).collect()
    }

    /// All deployments, by prefecture and policy.
    pub(crate) fn deployments(&self) -> Vec<(String, Deployment)> {
        let docs = self.state().docs(DEPLOYMENT).into_iter();
        docs.filter_map(|(key, doc)| Some((key.clone(), documents::parse(DEPLOYMENT, &key, &doc.value).ok()?)))
            .collect()
    }
}

/// Whether `policy` asks for this plugin and version.
pub(crate) fn fits(policy: &Policy, plugin: &Plugin) -> bool {
    let m = plugin.manifest();
    m.name() == policy.plugin && m.version().parse::<Version>().is_ok_and(|v| policy.version.matches(&v))
}

/// What is wrong with `policy` if `plugin` decides for it.
pub(crate) fn problems(
    host: &Host,
    policy: &Policy,
    plugin: &Plugin,
) -> Result<Vec<gridbell_planner::Problem>, HostError> {
    let mut as_if = policy.clone();
    if let Ok(exact) = format!("={}", plugin.manifest().version()).parse() {
        as_if.version = exact;
    }
    let catalog = host.catalog();
    let pinned = Pinned { catalog: &catalog, first: vec![plugin.clone()] };
    Ok(gridbell_planner::check_policy(&as_if, &pinned, &host.settings()?.rules))
}
