//! Compiles an upload and reads its manifest. Runs in the compiler's child process: this is where hostile bytes meet the compiler, and where a
//! hostile guest runs for the first time.

use gridbell_contract::Manifest;
use serde::{Deserialize, Serialize};
use wasmtime::component::Component;

use crate::artifact::Digest;
use crate::check::check;
use crate::engine::{Allocation, Sandbox};
use crate::error::{EngineError, Refusal};
use crate::fault::sanitise;
use crate::guest::{CallLimits, Failure, Program};
use crate::limits::{EngineConfig, MANIFEST_DEADLINE, MAX_ANSWER_BYTES};
use crate::ticker::Ticker;

/// Which code is made: counting fuel changes every block of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Variant {
    /// For production.
    Plain,
    /// Counts fuel: for certification, and for runs that ask for it.
    Metered,
}

impl Variant {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Metered];

    /// Its word in names of files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Metered => "metered",
        }
    }
}

/// What came of an upload.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// SHA-256 of the upload.
    pub(crate) digest: Digest,
    /// What it says of itself, checked.
    pub(crate) manifest: Manifest,
    /// The same as it said it.
    pub(crate) manifest_json: String,
    /// Machine code for each variant, with the compatibility that it needs.
    pub(crate) artifacts: Vec<Artifact>,
}

impl Compiled {
    /// SHA-256 of the upload.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What it says of itself, checked.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// Precompiled machine code. It runs as the host itself, so nobody outside this crate can make one.
#[derive(Debug, Clone)]
pub(crate) struct Artifact {
    /// Which code.
    pub(crate) variant: Variant,
    /// [`crate::Engine::compatibility`] of the engines that can load it.
    pub(crate) compatibility: String,
    /// The code.
    pub(crate) bytes: Vec<u8>,
}

/// Checks `upload`, compiles it, and reads its manifest from an instance with tight limits. In this very process: call it through
/// [`crate::compile_in_child`] for bytes that somebody uploaded.
///
/// # Errors
/// A [`Refusal`], or [`EngineError::Setup`] if the machine does not allow a sandbox.
pub fn compile(upload: &[u8], guest_memory: usize) -> Result<Compiled, EngineError> {
    let checked = check(upload)?;
    let mut artifacts = Vec::new();
    let mut manifest_json = None;
    for variant in Variant::ALL {
        // One place in a pool like the host's: what does not fit here would not fit there.
        let allocation = Allocation { instances: 1, limits: EngineConfig::default().pool, guest_memory };
        let sandbox = Sandbox::new(variant, allocation)?;
        let bytes = sandbox
            .engine
            .precompile_component(checked.component())
            .map_err(|e| Refusal::NotCompilable { detail: sanitise(&format!("{e:#}")) })?;
        // SAFETY: the line above made `bytes`, and nobody else had them.
        let component = unsafe { Component::deserialize(&sandbox.engine, &bytes) }
            .map_err(|e| Refusal::DoesNotFit { detail: sanitise(&format!("{e:#}")) })?;
        if variant == Variant::Plain {
            manifest_json = Some(read_manifest(&sandbox, &component, guest_memory)?);
        }
        artifacts.push(Artifact { variant, compatibility: sandbox.compatibility(), bytes });
    }
    let manifest_json = manifest_json.unwrap_or_default();
    let manifest = Manifest::parse(&manifest_json).map_err(|e| Refusal::manifest(&e))?;
    Ok(Compiled { digest: checked.digest(), manifest, manifest_json, artifacts })
}

fn read_manifest(sandbox: &Sandbox, component: &Component, guest_memory: usize) -> Result<String, EngineError> {
    let program = Program::new(sandbox, component).map_err(|e| Refusal::NotCompilable { detail: sanitise(&e) })?;
    let ticker =
        Ticker::start(vec![sandbox.engine.clone()]).map_err(|e| EngineError::Setup { detail: e.to_string() })?;
    let limits = CallLimits {
        deadline: MANIFEST_DEADLINE,
        fuel: None,
        memory: guest_memory,
        tables: EngineConfig::default().pool.table_elements,
        answer: MAX_ANSWER_BYTES,
    };
    let running = ticker.running();
    let answer = program.start(limits).and_then(|mut session| session.manifest());
    drop(running);
    let refusal = |failure: Failure| match failure {
        Failure::Guest(call, fault) => {
            Refusal::ManifestCall { cause: Some(fault.code()), detail: sanitise(&format!("{call}, {fault}")) }
        }
        Failure::Host(detail) => Refusal::ManifestCall { cause: None, detail: sanitise(&detail) },
    };
    Ok(answer.map_err(refusal)?)
}
