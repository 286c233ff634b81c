//! Errors of everything but a guest's own failure, which is [`GuestError`].

use std::path::PathBuf;

use gridbell_model::ColumnId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::artifact::Digest;
use crate::code::ErrorCode;
use crate::fault::GuestError;

/// Why an upload is refused. Each says what is wrong and what its author can do.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Refusal {
    /// Nothing at all.
    #[error("the file is empty; upload the .wasm file that the build made, and see whether the build failed")]
    Empty,
    /// Larger than [`crate::MAX_UPLOAD_BYTES`].
    #[error(
        "the file has {bytes} bytes, more than the {limit} that a plugin may have; strip debug information and names"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The ceiling.
        limit: usize,
    },
    /// Neither a component nor a core module.
    #[error("the file is not WebAssembly: it does not begin with `\\0asm`; upload the .wasm file that the build made")]
    NotWasm,
    /// Its sections say that more bytes follow than there are.
    #[error(
        "the file is not valid WebAssembly: it ends at byte {offset}, in the middle of a section ({detail}); copy it again, in binary mode"
    )]
    Truncated {
        /// Its size.
        offset: u64,
        /// What the validator said.
        detail: String,
    },
    /// Not well formed.
    #[error("the file is not valid WebAssembly at byte {offset}: {detail}; build it again")]
    Invalid {
        /// Where.
        offset: u64,
        /// What the validator said.
        detail: String,
    },
    /// Well formed with a proposal that the host does not allow.
    #[error(
        "the file uses what this host does not allow at byte {offset}: {detail}; build it without experimental features: no threads, 64-bit memories, garbage collection or exceptions"
    )]
    Feature {
        /// Where.
        offset: u64,
        /// What the validator said.
        detail: String,
    },
    /// More of something than the host is ready to read.
    #[error("the file has more than {limit} {what}; no policy needs that many")]
    TooMany {
        /// Of what.
        what: String,
        /// The ceiling.
        limit: usize,
    },
    /// It wants something from the host.
    #[error("the plugin imports `{import}`, and a policy imports nothing; {advice}")]
    Imports {
        /// `module` or `module.name`.
        import: String,
        /// Which flag or habit removes it.
        advice: String,
    },
    /// The contract's interface is not exported.
    #[error("the plugin does not export `{expected}`{found}; build it against the world `policy` of the contract")]
    NotAPolicy {
        /// The export that is missing.
        expected: String,
        /// What it exports instead, if anything.
        found: String,
    },
    /// It exports the contract's interface in a version that this host does not serve.
    #[error(
        "the plugin exports `{found}`, and this host serves `{served}`; build it against that version of the contract"
    )]
    OtherVersion {
        /// Interface and version that it exports.
        found: String,
        /// Interface and version that the host serves.
        served: String,
    },
    /// A function has another type than the contract's.
    #[error(
        "`{function}` is not the contract's: it is `{found}` where the contract has `{expected}`; build against the present contract"
    )]
    WrongType {
        /// Which function.
        function: String,
        /// From the first difference on.
        found: String,
        /// From the first difference on.
        expected: String,
    },
    /// A core module that could not be made a component.
    #[error(
        "the module cannot be made a component: {detail}; its exports must follow the canonical ABI of the world `policy`"
    )]
    NotEncodable {
        /// What the encoder said.
        detail: String,
    },
    /// The compiler refused it.
    #[error("the plugin cannot be compiled: {detail}")]
    NotCompilable {
        /// What the compiler said.
        detail: String,
    },
    /// An instance of it needs more than the host gives one.
    #[error("an instance of the plugin needs more than the host gives one: {detail}; let it ask for less at the start")]
    DoesNotFit {
        /// What the pool said.
        detail: String,
    },
    /// It failed when it was asked for its manifest.
    #[error("the plugin failed when asked for its manifest: {detail}; it must answer at once, and the same each time")]
    ManifestCall {
        /// The code of how it failed; none if that was the host's doing.
        cause: Option<ErrorCode>,
        /// What it did.
        detail: String,
    },
    /// Its manifest breaks the contract.
    #[error("the manifest breaks the contract: {detail}")]
    Manifest {
        /// Which of the codes that begin with `upload.manifest-`, or `upload.schema`.
        code: ErrorCode,
        /// Where and how.
        detail: String,
    },
}

/// How the compiler's child process failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompileFailure {
    /// It took too long and was killed.
    #[error("it was killed after {seconds} s")]
    TimedOut {
        /// The wall-clock limit.
        seconds: u64,
    },
    /// It was ended by a signal: out of CPU time, out of memory, or a crash.
    #[error("it was ended by signal {signal}{end}")]
    Signalled {
        /// The signal's number.
        signal: i32,
        /// What that means.
        end: End,
    },
    /// It left with a code and without an answer.
    #[error("it left with code {code} and no answer: `{stderr}`")]
    Exited {
        /// The exit code.
        code: i32,
        /// The end of what it said.
        stderr: String,
    },
    /// Its answer is not one.
    #[error("its answer cannot be read: {detail}")]
    BadAnswer {
        /// What is wrong.
        detail: String,
    },
}

/// What a signal says about the process that it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its CPU time was over.
    CpuTime,
    /// An allocation failed, or the machine had no memory left.
    Memory,
    /// It did what no program may, or its stack was full.
    Crash,
    /// Somebody ended it.
    Other,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::CpuTime => " (its CPU time was over)",
            Self::Memory => " (most likely out of memory)",
            Self::Crash => " (it crashed)",
            Self::Other => "",
        })
    }
}

/// What can go wrong before a plugin runs.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The sandbox could not be set up on this machine.
    #[error("the sandbox cannot be set up: {detail}")]
    Setup {
        /// What wasmtime or the system said.
        detail: String,
    },
    /// The upload is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The compiler's process failed; the upload may be hostile.
    #[error("the plugin could not be compiled: {failure}; a policy compiles in seconds, so look at what was uploaded")]
    Compiler {
        /// How.
        #[source]
        failure: CompileFailure,
    },
    /// The compiler's process could not be started.
    #[error("the compiler `{program}` cannot be started")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of the artifact store.
    #[error("`{path}` cannot be {action}")]
    Io {
        /// `read`, `written`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The directory of the artifact store may be written by others.
    #[error("`{path}` can be written by others (mode {mode:o}); only the host may write there: `chmod 700` it")]
    Exposed {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// No such plugin.
    #[error("no plugin {digest} is stored; upload it again")]
    Unknown {
        /// Which.
        digest: Digest,
    },
    /// A stored file is not what was written.
    #[error("the stored plugin {digest} is damaged: {detail}; compile it again from the upload")]
    Damaged {
        /// Which.
        digest: Digest,
        /// What is wrong.
        detail: String,
    },
    /// The precompiled artifact was made by another version of the engine or on another kind of machine.
    #[error("the stored plugin {digest} was compiled by another engine; compile it again from the upload")]
    Stale {
        /// Which.
        digest: Digest,
    },
}

impl EngineError {
    /// Whether whoever uploads can mend it by uploading something else; else this machine or its files are at fault.
    #[must_use]
    pub fn is_of_the_upload(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Compiler { .. } => true,
            Self::Setup { .. }
            | Self::Spawn { .. }
            | Self::Io { .. }
            | Self::Exposed { .. }
            | Self::Unknown { .. }
            | Self::Damaged { .. }
            | Self::Stale { .. } => false,
        }
    }
}

/// Why a run gave no decisions. It failed as a whole: nothing of it was kept.
#[derive(Debug, Error)]
pub enum RunError {
    /// The guest failed.
    #[error(transparent)]
    Guest(#[from] Box<GuestError>),
    /// The table has no such column, though the manifest asks for it or the interest bounds it.
    #[error("the table has no column {}, which plugin `{plugin}` needs", .column.0)]
    NoColumn {
        /// Name and version.
        plugin: String,
        /// Which column.
        column: ColumnId,
    },
    /// A column's slice is not what the registry says, or not as long as its chunk.
    #[error("column {} of the table does not fit the registry: {detail}", .column.0)]
    BadColumn {
        /// Which column.
        column: ColumnId,
        /// What is wrong.
        detail: String,
    },
    /// A selected row is not in the table.
    #[error("row {row} was selected, and the table has {rows}")]
    NoRow {
        /// The row.
        row: u32,
        /// Rows of the table.
        rows: usize,
    },
    /// The table breaks its own promise about chunks.
    #[error("chunk {chunk} of the table has {rows} rows; every chunk but the last must be full")]
    BadTable {
        /// Which chunk.
        chunk: usize,
        /// Its rows.
        rows: usize,
    },
    /// Fuel was asked for, and the plugin was not compiled for it.
    #[error("plugin `{plugin}` was not compiled to count fuel; compile it again from the upload")]
    NotMetered {
        /// Name and version.
        plugin: String,
    },
    /// Somebody ended it between two batches. Nobody's fault.
    #[error("the evaluation was stopped between two batches; nothing of it was kept")]
    Stopped,
    /// The host could not run the guest: no free slot, no memory. Not the guest's doing.
    #[error("the host could not run plugin `{plugin}`: {detail}")]
    Host {
        /// Name and version.
        plugin: String,
        /// What wasmtime or the system said.
        detail: String,
    },
}
