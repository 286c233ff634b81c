//! Plugins that are there: from the upload to a loaded plugin, by name and version.

use std::collections::BTreeMap;

use gridbell_contract::Manifest;
use gridbell_engine::{ArtifactStore, CompileLimits, CompilerCommand, Digest, Engine, EngineError, Plugin};
use gridbell_planner::{Plugins, Version, VersionReq};
use gridbell_state::State;
use serde::{Deserialize, Serialize};

use crate::documents;
use crate::error::HostError;

/// A plugin as it is listed.
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

/// Loaded plugins by name and version.
#[derive(Clone, Default)]
pub(crate) struct Catalog(BTreeMap<String, BTreeMap<Version, Plugin>>);

impl Catalog {
    /// Loads every plugin that the state lists; one that cannot be loaded is told and left out, so that the others go on.
    pub(crate) fn load(
        state: &State,
        engine: &Engine,
        store: &ArtifactStore,
        compiler: &CompilerCommand,
    ) -> (Self, Vec<(String, EngineError)>) {
        let (mut catalog, mut broken) = (Self::default(), Vec::new());
        for (key, doc) in state.docs(documents::PLUGIN) {
            let Ok(info) = documents::parse::<PluginInfo>(documents::PLUGIN, &key, &doc.value) else { continue };
            let Ok(digest) = info.digest.parse::<Digest>() else { continue };
            // An engine of another version has no artifact of its own yet, and a damaged one is not trusted: compile again.
            let loaded = engine.load(store, digest).or_else(|_| {
                let memory = engine.config().guest_memory_bytes;
                store.rebuild(digest, compiler, memory, CompileLimits::default())?;
                engine.load(store, digest)
            });
            match loaded {
                Ok(plugin) => catalog.insert(plugin),
                Err(e) => broken.push((key, e)),
            }
        }
        (catalog, broken)
    }

    pub(crate) fn insert(&mut self, plugin: Plugin) {
        let manifest = plugin.manifest();
        if let Ok(version) = manifest.version().parse() {
            self.0.entry(manifest.name().to_owned()).or_default().insert(version, plugin);
        }
    }

    /// The newest version of `name` that fits `version`.
    pub(crate) fn find(&self, name: &str, version: &VersionReq) -> Result<&Plugin, HostError> {
        let fits = |(v, _): &(&Version, &Plugin)| version.matches(v);
        self.0
            .get(name)
            .and_then(|versions| versions.iter().rev().find(fits))
            .map(|(_, p)| p)
            .ok_or_else(|| HostError::NoPlugin { plugin: name.to_owned(), version: version.to_string() })
    }

    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        self.0.values().flat_map(BTreeMap::values).map(|p| p.manifest().clone()).collect()
    }

    pub(crate) fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.0.values().flat_map(BTreeMap::values)
    }
}

impl Plugins for Catalog {
    fn manifest(&self, name: &str, version: &VersionReq) -> Option<&Manifest> {
        self.find(name, version).ok().map(Plugin::manifest)
    }

    fn versions(&self, name: &str) -> Vec<Version> {
        self.0.get(name).map(|versions| versions.keys().cloned().collect()).unwrap_or_default()
    }
}
