//! Runs policy plugins; the only crate that knows wasmtime.
//!
//! Bytes become decisions in four stages, each with its own type: an upload is [checked](fn@check) → compiled in a child process
//! ([`compile_in_child`]) → kept by the [`ArtifactStore`] → loaded as a [`Plugin`] → [evaluated](Engine::evaluate) over a table, a fresh instance
//! for each batch. Hostile bytes are the normal case: whatever a guest does becomes one [`GuestError`], and the host goes on.
//!
//! It must never know the store, a message or a customer's name; compile on a request's path; load an artifact whose digest it did not check;
//! or block an async runtime's thread (evaluation has threads of its own, so call it from a blocking one).

mod abi;
mod answer;
mod artifact;
mod batch;
mod check;
mod child;
mod code;
mod compile;
mod constants;
mod encode;
mod engine;
mod error;
mod evaluate;
mod explain;
mod fault;
mod guest;
mod inert;
mod initialise;
mod interest;
mod limits;
mod plugin;
mod producers;
mod shape;
mod ticker;
mod versions;

pub use artifact::{ArtifactStore, Digest, StoredPlugin};
pub use check::{Checked, UploadKind, check};
pub use child::{CompilerCommand, child_main, compile_in_child};
pub use code::{ErrorCode, UnknownCode, error_reference};
pub use compile::{Compiled, Variant, compile};
pub use constants::{MAX_CONSTANTS, constants};
pub use engine::Engine;
pub use error::{CompileFailure, End, EngineError, Refusal, RunError};
pub use evaluate::{EvalOptions, Evaluation, OutsideSample};
pub use fault::{Call, GuestError, GuestFault, Memory};
pub use gridbell_contract::{Manifest, Run};
pub use limits::{CompileLimits, EngineConfig, MAX_ARTIFACT_BYTES, MAX_UPLOAD_BYTES, MIN_DEADLINE, PoolLimits};
pub use plugin::Plugin;
pub use producers::{Producer, producers};
pub use versions::contract_versions;
