//! Plugins that are loaded, by content, and which of them policies may use, by name and version.

use std::collections::BTreeMap;

use gridbell_contract::Manifest;
use gridbell_engine::{ArtifactStore, CompileLimits, CompilerCommand, Digest, Engine, EngineError, Plugin};
use gridbell_planner::{Plugins, Version, VersionReq};
use gridbell_state::State;

use super::record::{self, VersionRecord};
use crate::error::HostError;

/// Loaded plugins.
#[derive(Clone, Default)]
pub(crate) struct Catalog {
    loaded: BTreeMap<Digest, Plugin>,
    /// What policies may use: approved and not retired.
    usable: BTreeMap<String, BTreeMap<Version, Digest>>,
}

impl Catalog {
    /// Loads every version that is to be; one that cannot be loaded is told and left out, so that the others go on.
    pub(crate) fn load(
        state: &State,
        engine: &Engine,
        store: &ArtifactStore,
        compiler: &CompilerCommand,
    ) -> (Self, Vec<(String, EngineError)>) {
        let (mut catalog, mut broken) = (Self::default(), Vec::new());
        for record in record::all(state).into_iter().filter(|r| r.stage.is_loaded()) {
            let Ok(digest) = record.digest.parse::<Digest>() else { continue };
            match load(engine, store, compiler, digest) {
                Ok(plugin) => catalog.insert(plugin, &record),
                Err(e) => broken.push((record.label(), e)),
            }
        }
        (catalog, broken)
    }

    /// Takes a plugin in, usable if its record says so.
    pub(crate) fn insert(&mut self, plugin: Plugin, record: &VersionRecord) {
        let plugin = match record.batch_cost_us {
            Some(us) => plugin.with_cost(std::time::Duration::from_micros(us)),
            None => plugin,
        };
        self.loaded.insert(plugin.digest(), plugin);
        self.rule(record);
    }

    /// Follows where a version stands now.
    pub(crate) fn rule(&mut self, record: &VersionRecord) {
        let (Ok(digest), Ok(version)) = (record.digest.parse::<Digest>(), record.version.parse::<Version>()) else {
            return;
        };
        let versions = self.usable.entry(record.name.clone()).or_default();
        if record.stage.is_usable() && self.loaded.contains_key(&digest) {
            versions.insert(version, digest);
        } else if versions.get(&version) == Some(&digest) {
            versions.remove(&version);
        }
    }

    /// The newest usable version of `name` that fits `version`.
    pub(crate) fn find(&self, name: &str, version: &VersionReq) -> Result<&Plugin, HostError> {
        let fits = |(v, _): &(&Version, &Digest)| version.matches(v);
        self.usable
            .get(name)
            .and_then(|versions| versions.iter().rev().find(fits))
            .and_then(|(_, digest)| self.loaded.get(digest))
            .ok_or_else(|| HostError::NoPlugin { plugin: name.to_owned(), version: version.to_string() })
    }

    /// What is loaded under `digest`, whatever its stage.
    pub(crate) fn get(&self, digest: &str) -> Option<&Plugin> {
        self.loaded.get(&digest.parse::<Digest>().ok()?)
    }

    /// What is loaded under `digest` if policies may use it.
    pub(crate) fn usable(&self, digest: &str) -> Option<&Plugin> {
        let plugin = self.get(digest)?;
        let listed = self.usable.get(plugin.manifest().name())?;
        listed.values().any(|d| *d == plugin.digest()).then_some(plugin)
    }

    /// Manifests of what speaks to customers: plugins that policies may use, and the host where it answers.
    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        let own = gridbell_planner::answers_manifest().clone();
        self.plugins().map(|p| p.manifest().clone()).chain([own]).collect()
    }

    /// What policies may use, by name and version.
    pub(crate) fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.usable.values().flat_map(BTreeMap::values).filter_map(|d| self.loaded.get(d))
    }
}

/// Loads what is stored under `digest`. An engine of another version has no artifact of its own yet, and a damaged one is not trusted: then it
/// is compiled again.
pub(crate) fn load(
    engine: &Engine,
    store: &ArtifactStore,
    compiler: &CompilerCommand,
    digest: Digest,
) -> Result<Plugin, EngineError> {
    engine.load(store, digest).or_else(|_| {
        let memory = engine.config().guest_memory_bytes;
        store.rebuild(digest, compiler, memory, CompileLimits::default())?;
        engine.load(store, digest)
    })
}

impl Plugins for Catalog {
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        self.find(name, version).ok().map(Plugin::manifest)
    }

    fn versions(&self, name: &str) -> Vec<Version> {
        self.usable.get(name).map(|versions| versions.keys().cloned().collect()).unwrap_or_default()
    }
}

/// The catalog as one prefecture's policies see it: what decides there now goes before what is newer.
pub(crate) struct Pinned<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) first: Vec<Plugin>,
}

impl Plugins for Pinned<'_> {
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        let fits = |p: &&Plugin| {
            let m = p.manifest();
            m.name() == name && m.version().parse().is_ok_and(|v| version.matches(&v))
        };
        let first = self.first.iter().find(fits).map(Plugin::manifest);
        first.or_else(|| self.catalog.manifest(name, version))
    }

    fn versions(&self, name: &str) -> Vec<Version> {
        self.catalog.versions(name)
    }
}
