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
use crate::initialise::{Uninitialised, initialised};
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
    // One place in pools like the host's: what does not fit here would not fit there.
    let config = EngineConfig { guest_memory_bytes: guest_memory, ..EngineConfig::default() };
    let initialised = match checked.reactor() {
        Some(module) => Some(run_once(module, &config)?),
        None => None,
    };
    let component = initialised.as_deref().unwrap_or_else(|| checked.component());
    let mut artifacts = Vec::new();
    let mut manifest_json = None;
    for variant in Variant::ALL {
        let lean = Sandbox::new(variant, Allocation::lean(&config, 1))?;
        let bytes = lean
            .engine
            .precompile_component(component)
            .map_err(|e| Refusal::NotCompilable { detail: sanitise(&format!("{e:#}")) })?;
        let (sandbox, component) = smallest(variant, lean, &config, &bytes)?;
        if variant == Variant::Plain {
            manifest_json = Some(read_manifest(&sandbox, &component)?);
        }
        artifacts.push(Artifact { variant, compatibility: sandbox.compatibility(), bytes });
    }
    let manifest_json = manifest_json.unwrap_or_default();
    let manifest = Manifest::parse(&manifest_json).map_err(|e| Refusal::manifest(&e))?;
    Ok(Compiled { digest: checked.digest(), manifest, manifest_json, artifacts })
}

/// The smallest sandbox that takes `code`, as the host will look for it, and the component in it.
fn smallest(
    variant: Variant,
    lean: Sandbox,
    config: &EngineConfig,
    code: &[u8],
) -> Result<(Sandbox, Component), EngineError> {
    // SAFETY: both: `compile` made `code` with an engine of the same settings just now, and nobody else had it.
    if let Ok(component) = unsafe { Component::deserialize(&lean.engine, code) } {
        return Ok((lean, component));
    }
    let heavy = Sandbox::new(variant, Allocation::heavy(config, 1))?;
    // SAFETY: as above.
    let component = unsafe { Component::deserialize(&heavy.engine, code) };
    let component = component.map_err(|e| Refusal::DoesNotFit { detail: sanitise(&format!("{e:#}")) })?;
    Ok((heavy, component))
}

/// The component of a module whose initialisation is behind it.
fn run_once(module: &[u8], config: &EngineConfig) -> Result<Vec<u8>, EngineError> {
    let sandbox = Sandbox::new(Variant::Plain, Allocation::heavy(config, 1))?;
    let limits = limits(&sandbox);
    let ticker = ticker(&sandbox)?;
    let running = ticker.running();
    let done = initialised(module, &sandbox, limits);
    drop(running);
    done.map_err(|e| match e {
        Uninitialised::Refused(refusal) => refusal,
        Uninitialised::Failed(failure) => refusal(failure),
    })
    .map_err(EngineError::from)
}

/// What a guest may use while its manifest is asked for, and before.
fn limits(sandbox: &Sandbox) -> CallLimits {
    CallLimits { deadline: MANIFEST_DEADLINE, fuel: None, ceiling: sandbox.ceiling, answer: MAX_ANSWER_BYTES }
}

fn ticker(sandbox: &Sandbox) -> Result<Ticker, EngineError> {
    Ticker::start(vec![sandbox.engine.clone()]).map_err(|e| EngineError::Setup { detail: e.to_string() })
}

fn refusal(failure: Failure) -> Refusal {
    match failure {
        Failure::Guest(call, fault) => {
            Refusal::ManifestCall { cause: Some(fault.code()), detail: sanitise(&format!("{call}, {fault}")) }
        }
        Failure::Host(detail) => Refusal::ManifestCall { cause: None, detail: sanitise(&detail) },
    }
}

fn read_manifest(sandbox: &Sandbox, component: &Component) -> Result<String, EngineError> {
    let program = Program::new(sandbox, component).map_err(|e| Refusal::NotCompilable { detail: sanitise(&e) })?;
    let ticker = ticker(sandbox)?;
    let running = ticker.running();
    let answer = program.start(limits(sandbox)).and_then(|mut session| session.manifest());
    drop(running);
    Ok(answer.map_err(refusal)?)
}
