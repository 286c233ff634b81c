//! A plugin, loaded and ready: from stored code to something that can be instantiated in microseconds.

use std::sync::Arc;
use std::time::Duration;

use gridbell_contract::{ColumnType, Manifest, Registry};
use gridbell_model::ColumnId;
use wasmtime::component::Component;

use crate::artifact::{ArtifactStore, Digest};
use crate::compile::{Compiled, Variant};
use crate::engine::{Ceiling, Engine, deadline};
use crate::error::EngineError;
use crate::guest::Program;

/// A policy plugin that can be run. Cheap to clone.
#[derive(Clone)]
pub struct Plugin(Arc<Inner>);

struct Inner {
    digest: Digest,
    manifest: Manifest,
    label: String,
    columns: Vec<(ColumnId, ColumnType)>,
    plain: Program,
    metered: Option<Program>,
    cost: Duration,
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("label", &self.0.label).field("digest", &self.0.digest).finish_non_exhaustive()
    }
}

impl Plugin {
    /// SHA-256 of its upload.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.0.digest
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.0.manifest
    }

    /// Name and version.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// What a full batch is certified to cost, or the engine's default.
    #[must_use]
    pub fn cost(&self) -> Duration {
        self.0.cost
    }

    /// Wall-clock time after which a call is ended.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        deadline(self.0.cost)
    }

    /// Bytes of memory that an instance of it may have: more for a guest that brings an interpreter or a runtime along.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.ceiling().memory
    }

    pub(crate) fn ceiling(&self) -> Ceiling {
        self.0.plain.ceiling
    }

    /// The same plugin with `cost` certified for a full batch; its deadline is ten times that.
    #[must_use]
    pub fn with_cost(&self, cost: Duration) -> Self {
        let i = &*self.0;
        Self(Arc::new(Inner {
            digest: i.digest,
            manifest: i.manifest.clone(),
            label: i.label.clone(),
            columns: i.columns.clone(),
            plain: i.plain.clone(),
            metered: i.metered.clone(),
            cost,
        }))
    }

    /// The columns that its batches carry.
    pub(crate) fn columns(&self) -> &[(ColumnId, ColumnType)] {
        &self.0.columns
    }

    pub(crate) fn program(&self, variant: Variant) -> Option<&Program> {
        match variant {
            Variant::Plain => Some(&self.0.plain),
            Variant::Metered => self.0.metered.as_ref(),
        }
    }
}

impl Engine {
    /// Loads a stored plugin, after checking the digest of its precompiled code. It can count fuel if the store has the code for that.
    ///
    /// # Errors
    /// [`EngineError::Unknown`]; [`EngineError::Damaged`] or [`EngineError::Stale`], for which [`ArtifactStore::rebuild`] is the cure.
    pub fn load(&self, store: &ArtifactStore, digest: Digest) -> Result<Plugin, EngineError> {
        let stored = store.get(digest)?;
        let plain = store.artifact(digest, Variant::Plain, &self.compatibility(Variant::Plain))?;
        let metered = store.artifact(digest, Variant::Metered, &self.compatibility(Variant::Metered))?;
        self.plugin(digest, stored.manifest, &plain, Some(&metered))
    }

    /// The plugin that was compiled in this process or in the child that it started, without a store: for tests and local runners.
    ///
    /// # Errors
    /// [`EngineError::Stale`] if it was compiled by another engine.
    pub fn adopt(&self, compiled: &Compiled) -> Result<Plugin, EngineError> {
        let code = |variant| {
            let compatibility = self.compatibility(variant);
            compiled
                .artifacts
                .iter()
                .find(|a| a.variant == variant && a.compatibility == compatibility)
                .map(|a| &*a.bytes)
        };
        let plain = code(Variant::Plain).ok_or(EngineError::Stale { digest: compiled.digest })?;
        self.plugin(compiled.digest, compiled.manifest.clone(), plain, code(Variant::Metered))
    }

    fn plugin(
        &self,
        digest: Digest,
        manifest: Manifest,
        plain: &[u8],
        metered: Option<&[u8]>,
    ) -> Result<Plugin, EngineError> {
        let plain = self.program(digest, Variant::Plain, plain)?;
        let metered = metered.map(|code| self.program(digest, Variant::Metered, code)).transpose()?;
        let column = |id: &ColumnId| {
            let def = Registry::get().column(*id);
            def.map(|d| (d.id, d.ty)).ok_or_else(|| EngineError::Damaged {
                digest,
                detail: format!("its manifest asks for column {}, which the registry lacks", id.0),
            })
        };
        let columns = manifest.columns().iter().map(column).collect::<Result<_, _>>()?;
        let label = format!("{} {}", manifest.name(), manifest.version());
        let cost = self.config().batch_cost;
        Ok(Plugin(Arc::new(Inner { digest, manifest, label, columns, plain, metered, cost })))
    }

    fn program(&self, digest: Digest, variant: Variant, code: &[u8]) -> Result<Program, EngineError> {
        let damaged = |detail: String| EngineError::Damaged { digest, detail };
        self.smallest(variant, |sandbox| {
            // SAFETY: `code` was made by `Component::serialize` in this host's compiler process, and the caller checked its digest against
            // what was recorded then (`ArtifactStore::artifact`) or holds it from that very compilation (`Compiled`).
            let component =
                unsafe { Component::deserialize(&sandbox.engine, code) }.map_err(|e| damaged(format!("{e:#}")))?;
            Program::new(sandbox, &component).map_err(damaged)
        })
    }
}
