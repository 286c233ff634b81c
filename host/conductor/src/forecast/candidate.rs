//! What is compared: the policy that is live, and the one that would be.

use gridbell_contract::Manifest;
use gridbell_engine::{CompileLimits, Plugin, compile_in_child};
use gridbell_model::PrefectureCode;
use gridbell_planner::{Plugins, Policy, PolicySet, Problem, Problems, Version, VersionReq, check_policy};

use serde_json::{Map, Value};

use super::ask::{Candidate, PluginChoice};
use crate::apply::not_yet;
use crate::error::HostError;
use crate::host::Host;
use crate::versions::Catalog;

/// A policy with the plugin that decides for it.
pub(crate) struct Deciding {
    pub(crate) policy: Policy,
    pub(crate) plugin: Plugin,
}

/// What is live and what would be; the former is none where there is no such policy, or it is switched off.
pub(crate) struct Compared {
    pub(crate) live: Option<Deciding>,
    pub(crate) candidate: Deciding,
}

/// The plugins that are there, with the candidate's before them.
struct WithCandidate<'a> {
    catalog: &'a Catalog,
    candidate: Option<&'a Plugin>,
}

impl WithCandidate<'_> {
    fn own(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        let manifest = self.candidate.map(Plugin::manifest).filter(|m| m.name() == name)?;
        manifest.version().parse().is_ok_and(|v: Version| version.matches(&v)).then_some(manifest)
    }
}

impl Plugins for WithCandidate<'_> {
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        self.own(name, version).or_else(|| self.catalog.manifest(name, version))
    }

    fn versions(&self, name: &str) -> Vec<Version> {
        self.catalog.versions(name)
    }
}

impl Host {
    /// The live policy `name` and what `candidate` makes of it, checked as if it were applied.
    pub(crate) fn compared(
        &self,
        prefecture: PrefectureCode,
        name: &str,
        candidate: &Candidate,
    ) -> Result<Compared, HostError> {
        let live = match self.policy(prefecture, name) {
            Ok(policy) => Some(policy),
            // A policy that is not there yet is compared with silence.
            Err(_) if candidate.policy.is_some() => None,
            Err(e) => return Err(e),
        };
        let plugin = candidate.plugin.as_ref().map(|choice| self.chosen(choice)).transpose()?;
        let mut policy = match (&candidate.policy, &live) {
            (Some(policy), _) if policy.name != name => {
                let text = format!("the candidate is called `{}`, and `{name}` was asked about", policy.name);
                return Err(HostError::Invalid(text));
            }
            (Some(policy), _) => policy.clone(),
            (None, Some(live)) => live.clone(),
            (None, None) => return Err(HostError::NoPolicies(prefecture)),
        };
        if let Some(patch) = &candidate.parameters {
            merge_patch(&mut policy.parameters, patch.clone());
        }
        if let Some(plugin) = &plugin {
            let version = format!("={}", plugin.manifest().version());
            policy.plugin = plugin.manifest().name().to_owned();
            policy.version = VersionReq::parse(&version)
                .map_err(|e| HostError::Invalid(format!("`{version}` is no version: {e}")))?;
        }
        policy.enabled = true;
        // As it would be if it were applied: the version that decides goes on where it fits, else the newest approved one.
        let deciding = plugin.or_else(|| self.live_plugin(prefecture, &policy).ok());
        self.check_candidate(prefecture, &policy, deciding.as_ref())?;
        let plugin = match deciding {
            Some(plugin) => plugin,
            None => self.plugin(&policy.plugin, &policy.version)?,
        };
        let live = live.filter(|p| p.enabled && !candidate.is_live());
        let live = live
            .map(|policy| Ok::<_, HostError>(Deciding { plugin: self.live_plugin(prefecture, &policy)?, policy }))
            .transpose()?;
        Ok(Compared { live, candidate: Deciding { policy, plugin } })
    }

    fn check_candidate(
        &self,
        prefecture: PrefectureCode,
        policy: &Policy,
        plugin: Option<&Plugin>,
    ) -> Result<(), HostError> {
        let catalog = self.catalog();
        let plugins = WithCandidate { catalog: &catalog, candidate: plugin };
        let mut problems = check_policy(policy, &plugins, &self.settings()?.rules);
        let alone = PolicySet { prefecture, name: String::new(), policies: vec![policy.clone()] };
        problems.extend(not_yet(&alone));
        let org = self.state().org();
        if let Some(message) = policy.scope.and_then(|scope| crate::province::scope_problem(&org, prefecture, scope)) {
            problems.push(Problem { place: None, field: "scope".to_owned(), message });
        }
        Ok(Problems::refuse(&policy.name, problems)?)
    }

    /// The plugin in `upload`, checked and compiled as an upload is, for [`PluginChoice::Loaded`]. It is not kept.
    ///
    /// # Errors
    /// When the upload is refused: the error says what, where and what to do.
    pub async fn try_plugin(&self, upload: Vec<u8>) -> Result<Plugin, HostError> {
        let host = self.clone();
        let work = move || {
            let memory = host.engine().config().guest_memory_bytes;
            let compiled = compile_in_child(host.compiler(), &upload, memory, CompileLimits::default())?;
            Ok(host.engine().adopt(&compiled)?)
        };
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn chosen(&self, choice: &PluginChoice) -> Result<Plugin, HostError> {
        match choice {
            PluginChoice::Loaded(plugin) => Ok(plugin.clone()),
            // Whatever its stage: a preview is what one looks at before an approval.
            PluginChoice::Uploaded(word) => self.version_plugin(word),
        }
    }
}

impl Candidate {
    /// Whether nothing differs from what is live.
    fn is_live(&self) -> bool {
        self.policy.is_none() && self.parameters.is_none() && self.plugin.is_none()
    }
}

/// JSON merge patch (RFC 7396): null takes away, objects merge, everything else replaces.
pub fn merge_patch(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match (value, target.get_mut(&key)) {
            (Value::Null, _) => {
                target.shift_remove(&key);
            }
            (Value::Object(inner), Some(Value::Object(there))) => merge_patch(there, inner),
            (Value::Object(inner), _) => {
                let mut fresh = Map::new();
                merge_patch(&mut fresh, inner);
                target.insert(key, Value::Object(fresh));
            }
            (value, _) => {
                target.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn merge_patch_is_as_the_rfc_shows() {
        let object = |value: serde_json::Value| value.as_object().cloned().unwrap_or_default();
        let mut value = object(json!({"a": "b", "c": {"d": "e", "f": "g"}}));
        super::merge_patch(&mut value, object(json!({"a": "z", "c": {"f": null}})));
        assert_eq!(value, object(json!({"a": "z", "c": {"d": "e"}})));
        super::merge_patch(&mut value, object(json!({"c": [1], "n": {"x": null, "y": 1}})));
        assert_eq!(value, object(json!({"a": "z", "c": [1], "n": {"y": 1}})));
    }
}
