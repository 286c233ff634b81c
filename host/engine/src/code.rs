//! Stable codes of everything that can be wrong with a plugin, from upload to run. Callers may branch on them; sentences may change.
//!
//! The enumeration is the only place that has them, and `wit/ERRORS.md` is made from it, so that there is no code without its line. A code is never
//! reused for something else and never renamed.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use gridbell_contract::ContractError;
use serde::{Deserialize, Serialize};

use crate::error::{CompileFailure, End, EngineError, Refusal, RunError};
use crate::fault::GuestFault;

macro_rules! codes {
    ($($name:ident = $code:literal, $meaning:literal, $cure:literal;)*) => {
        /// A stable code.
        #[expect(missing_docs, reason = "each code's meaning is its `meaning`, said once")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum ErrorCode { $($name),* }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code as it is written.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// What happened.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning),* }
            }

            /// What to do about it.
            #[must_use]
            pub fn cure(self) -> &'static str {
                match self { $(Self::$name => $cure),* }
            }
        }
    };
}

codes! {
    UploadEmpty = "upload.empty", "the file has no bytes", "upload the `.wasm` file that the build made; see whether it failed";
    UploadTooLarge = "upload.too-large", "the file is larger than 48 MiB", "strip debug information and names";
    UploadNotWasm = "upload.not-wasm", "the file is not WebAssembly", "upload the `.wasm` file itself: no text, no archive";
    UploadTruncated = "upload.truncated", "the file ends in the middle of a section", "copy it again, in binary mode";
    UploadInvalid = "upload.invalid", "the file is not valid WebAssembly", "build it again; if it fails again, the compiler is at fault";
    UploadFeature = "upload.feature", "the file uses a proposal that the host does not allow (threads, 64-bit memories, garbage collection, exceptions, …)", "build without experimental features";
    UploadTooMany = "upload.too-many", "the file has more of something than any policy needs", "leave out what is not used: `wasm-opt`, `--gc-sections`, `lto`";
    UploadWasi = "upload.wasi", "the plugin imports WASI", "build for a target without WASI, or with the flag that the message names";
    UploadImports = "upload.imports", "the plugin imports something", "link or remove what the message names: a policy imports nothing";
    UploadNotAPolicy = "upload.not-a-policy", "the contract's interface is not exported", "build it against the world `policy` of `wit/policy.wit`";
    UploadOtherVersion = "upload.other-version", "the contract's interface is exported in a version that this host does not serve", "build against a version that the message names";
    UploadWrongType = "upload.wrong-type", "an exported function has another type than the contract's", "build against `wit/policy.wit` as it is";
    UploadNotEncodable = "upload.not-encodable", "the core module cannot be made a component", "let its exports follow the canonical ABI: names, types, `memory` and `cabi_realloc`";
    UploadNotCompilable = "upload.not-compilable", "the compiler refused the code", "tell the author of the compiler; the message has its words";
    UploadDoesNotFit = "upload.does-not-fit", "an instance needs more memory, tables or instances than the host gives one", "ask for less at the start, and grow when needed";
    UploadManifestCall = "upload.manifest-call", "the plugin failed when it was asked for its manifest; `cause` is the code of how", "see the cause";
    UploadManifestTooLong = "upload.manifest-too-long", "the manifest is too long", "shorten texts and parameter schema";
    UploadManifestNotJson = "upload.manifest-not-json", "the manifest is not JSON", "see line and column in the message";
    UploadManifestShape = "upload.manifest-shape", "the manifest does not fit `wit/manifest.schema.json`", "see the JSON pointer in the message";
    UploadManifestName = "upload.manifest-name", "the manifest names a column, trigger or topic that is not known or reserved, or one name twice", "see `wit/REGISTRY.md`";
    UploadSchema = "upload.schema", "the parameter schema cannot be used: not JSON Schema 2020-12, a reference elsewhere or in a circle, too large, a pattern that takes too much", "see the JSON pointer in the message";

    CompileTimeout = "compile.timeout", "the compiler's process was killed when its time was over", "look at what was uploaded: a policy compiles in seconds";
    CompileCpu = "compile.cpu", "the compiler's process used up its CPU time", "look at what was uploaded: a policy compiles in seconds";
    CompileMemory = "compile.memory", "the compiler's process ran out of memory", "look at what was uploaded, or make its functions smaller";
    CompileCrashed = "compile.crashed", "the compiler's process crashed; the host did not", "tell the operator and keep the file";
    CompileFailed = "compile.failed", "the compiler's process ended without an answer", "tell the operator; the message has its last words";
    CompileBadAnswer = "compile.bad-answer", "the compiler's process gave an answer that is none", "tell the operator and keep the file";

    GuestTrapped = "guest.trapped", "the plugin trapped: `unreachable`, division by zero, an access outside its memory", "see the functions in the message; build with names";
    GuestDeadline = "guest.deadline", "the plugin ran past its deadline", "make it faster, or certify a higher cost";
    GuestOutOfFuel = "guest.out-of-fuel", "the plugin used up its fuel", "make it cheaper, or certify with more fuel";
    GuestOutOfMemory = "guest.out-of-memory", "the plugin wanted more memory than it may have", "use less, or let the operator raise the ceiling for guests";
    GuestStackOverflow = "guest.stack-overflow", "the plugin recursed until its stack was full", "recurse less";
    GuestAnswerTooLarge = "guest.answer-too-large", "the answer carries more than any answer may", "answer about the rows of the batch and nothing else";
    GuestMalformed = "guest.malformed", "the answer breaks the canonical ABI: a pointer outside the memory, text that is not UTF-8, a value that the type lacks", "mend the bindings; the SDKs have right ones";
    GuestRefused = "guest.refused", "the plugin answered `Err`", "correct the policy's parameters if that is what it asks for";
    GuestTooManyDecisions = "guest.too-many-decisions", "more decisions than rows", "decide at most once for each row";
    GuestRowOutOfRange = "guest.row-out-of-range", "a decision about a row that the batch does not have", "number rows from 0 within the batch";
    GuestRowTwice = "guest.row-twice", "two decisions about one row", "decide at most once for each row";
    GuestUnknownIndex = "guest.unknown-index", "a notice, reason or route beyond the manifest's list", "count from 0 in the manifest's order";
    GuestStepZero = "guest.step-zero", "a decision of step 0", "count steps from 1";
    GuestExplainLength = "guest.explain-length", "`explain` did not answer for each row", "answer one reason for each row, in order";
    GuestBadInterest = "guest.bad-interest", "the interest is none that the contract allows", "see the message; `everyone` is always allowed";

    RunNoColumn = "run.no-column", "the table lacks a column that the plugin needs", "tell the operator";
    RunBadTable = "run.bad-table", "the table breaks its own promise", "tell the operator";
    RunNoRow = "run.no-row", "a row was selected that the table does not have", "select among the rows that there are";
    RunNotMetered = "run.not-metered", "fuel was asked for, and the plugin was not compiled to count it", "upload it again";
    RunStopped = "run.stopped", "somebody stopped it", "start it again";
    RunHost = "run.host", "the host could not run the plugin: no room for an instance", "try again; tell the operator if it stays";

    PluginUnknown = "plugin.unknown", "no such plugin is stored", "upload it";
    PluginDamaged = "plugin.damaged", "a stored file is not what was written", "upload it again, which heals it; then look at the disk";
    PluginStale = "plugin.stale", "the stored code was made by another version of the host", "it is compiled again by itself, else upload it again";
    HostSetup = "host.setup", "the sandbox cannot be set up on this machine", "give the process address space and threads";
    HostSpawn = "host.spawn", "the compiler's process cannot be started", "see that the program is in place and may be run";
    HostFiles = "host.files", "a file of the plugins' directory cannot be read or written", "see disk and permissions";
    HostExposed = "host.exposed", "others may write to the plugins' directory", "`chmod 700` it";
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// No such code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a code of wit/ERRORS.md")]
pub struct UnknownCode(String);

impl FromStr for ErrorCode {
    type Err = UnknownCode;

    fn from_str(s: &str) -> Result<Self, UnknownCode> {
        Self::ALL.iter().copied().find(|c| c.word() == s).ok_or_else(|| UnknownCode(s.to_owned()))
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.word())
    }
}

impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Refusal {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Empty => ErrorCode::UploadEmpty,
            Self::TooLarge { .. } => ErrorCode::UploadTooLarge,
            Self::NotWasm => ErrorCode::UploadNotWasm,
            Self::Truncated { .. } => ErrorCode::UploadTruncated,
            Self::Invalid { .. } => ErrorCode::UploadInvalid,
            Self::Feature { .. } => ErrorCode::UploadFeature,
            Self::TooMany { .. } => ErrorCode::UploadTooMany,
            Self::Imports { import, .. } if import.starts_with("wasi") => ErrorCode::UploadWasi,
            Self::Imports { .. } => ErrorCode::UploadImports,
            Self::NotAPolicy { .. } => ErrorCode::UploadNotAPolicy,
            Self::OtherVersion { .. } => ErrorCode::UploadOtherVersion,
            Self::WrongType { .. } => ErrorCode::UploadWrongType,
            Self::NotEncodable { .. } => ErrorCode::UploadNotEncodable,
            Self::NotCompilable { .. } => ErrorCode::UploadNotCompilable,
            Self::DoesNotFit { .. } => ErrorCode::UploadDoesNotFit,
            Self::ManifestCall { .. } => ErrorCode::UploadManifestCall,
            Self::Manifest { code, .. } => *code,
        }
    }

    /// The code of what lies behind it, where that is an error of its own.
    #[must_use]
    pub fn cause(&self) -> Option<ErrorCode> {
        match self {
            Self::ManifestCall { cause, .. } => *cause,
            _ => None,
        }
    }

    /// The refusal of a manifest that breaks the contract.
    pub(crate) fn manifest(error: &ContractError) -> Self {
        let code = match error {
            ContractError::ManifestTooLong { .. } => ErrorCode::UploadManifestTooLong,
            ContractError::ManifestNotJson { .. } => ErrorCode::UploadManifestNotJson,
            ContractError::UnknownName { .. } | ContractError::Reserved { .. } | ContractError::Duplicate { .. } => {
                ErrorCode::UploadManifestName
            }
            ContractError::Schema { .. } => ErrorCode::UploadSchema,
            _ => ErrorCode::UploadManifestShape,
        };
        Self::Manifest { code, detail: crate::fault::sanitise(&error.to_string()) }
    }
}

impl CompileFailure {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TimedOut { .. } => ErrorCode::CompileTimeout,
            Self::Signalled { end: End::CpuTime, .. } => ErrorCode::CompileCpu,
            Self::Signalled { end: End::Memory, .. } => ErrorCode::CompileMemory,
            Self::Signalled { end: End::Crash | End::Other, .. } => ErrorCode::CompileCrashed,
            Self::Exited { .. } => ErrorCode::CompileFailed,
            Self::BadAnswer { .. } => ErrorCode::CompileBadAnswer,
        }
    }
}

impl EngineError {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Compiler { failure } => failure.code(),
            Self::Setup { .. } => ErrorCode::HostSetup,
            Self::Spawn { .. } => ErrorCode::HostSpawn,
            Self::Io { .. } => ErrorCode::HostFiles,
            Self::Exposed { .. } => ErrorCode::HostExposed,
            Self::Unknown { .. } => ErrorCode::PluginUnknown,
            Self::Damaged { .. } => ErrorCode::PluginDamaged,
            Self::Stale { .. } => ErrorCode::PluginStale,
        }
    }

    /// The code of what lies behind it, where that is an error of its own.
    #[must_use]
    pub fn cause(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused(refusal) => refusal.cause(),
            _ => None,
        }
    }
}

impl GuestFault {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Trapped { .. } => ErrorCode::GuestTrapped,
            Self::Deadline { .. } => ErrorCode::GuestDeadline,
            Self::OutOfFuel { .. } => ErrorCode::GuestOutOfFuel,
            Self::OutOfMemory { .. } => ErrorCode::GuestOutOfMemory,
            Self::StackOverflow { .. } => ErrorCode::GuestStackOverflow,
            Self::AnswerTooLarge { .. } => ErrorCode::GuestAnswerTooLarge,
            Self::Malformed { .. } => ErrorCode::GuestMalformed,
            Self::Refused { .. } => ErrorCode::GuestRefused,
            Self::TooManyDecisions { .. } => ErrorCode::GuestTooManyDecisions,
            Self::RowOutOfRange { .. } => ErrorCode::GuestRowOutOfRange,
            Self::RowTwice { .. } => ErrorCode::GuestRowTwice,
            Self::UnknownIndex { .. } => ErrorCode::GuestUnknownIndex,
            Self::StepZero { .. } => ErrorCode::GuestStepZero,
            Self::ExplainLength { .. } => ErrorCode::GuestExplainLength,
            Self::BadInterest { .. } => ErrorCode::GuestBadInterest,
        }
    }
}

impl RunError {
    /// Its stable code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Guest(error) => error.fault.code(),
            Self::NoColumn { .. } => ErrorCode::RunNoColumn,
            Self::BadColumn { .. } | Self::BadTable { .. } => ErrorCode::RunBadTable,
            Self::NoRow { .. } => ErrorCode::RunNoRow,
            Self::NotMetered { .. } => ErrorCode::RunNotMetered,
            Self::Stopped => ErrorCode::RunStopped,
            Self::Host { .. } => ErrorCode::RunHost,
        }
    }
}

/// `wit/ERRORS.md`: every code with its meaning and what to do.
#[must_use]
pub fn error_reference() -> String {
    let mut text = String::from(
        "# Codes of errors about plugins\n\n\
         <!-- Made from host/engine/src/code.rs by `cargo run -p gridbell-engine --example errors`; do not edit. -->\n\n\
         An upload that is refused, a plugin that fails and a stored plugin that cannot be loaded each carry one of these codes: as `cause` in the API's\n\
         problem answers, as `code` in `gridbell plugin check --json`. Codes are never renamed or reused; the sentences beside them may change.\n",
    );
    let families = [
        ("upload", "What the check of an upload refuses"),
        ("compile", "How the compiler's process failed, which has limits of time and memory and is not the host"),
        ("guest", "What a plugin did wrong while it ran; nothing of that run is kept"),
        ("run", "Why a run could not begin"),
        ("plugin", "What is wrong with a stored plugin"),
        ("host", "What the machine lacks"),
    ];
    for (family, title) in families {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n## {title}\n\n| code | what happened | what to do |\n|---|---|---|\n");
        for code in ErrorCode::ALL.iter().filter(|c| c.word().split('.').next() == Some(family)) {
            let _ = writeln!(text, "| `{code}` | {} | {} |", code.meaning(), code.cure());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_of_their_own_and_all_are_in_the_reference() {
        let reference = error_reference();
        for code in ErrorCode::ALL {
            let fits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            assert!(code.word().split('.').count() == 2 && code.word().split('.').all(fits), "{code}");
            assert_eq!(code.word().parse(), Ok(*code), "each word once");
            assert!(reference.contains(&format!("| `{code}` | ")), "{code} is of a family that the reference lacks");
        }
        assert!("upload.else".parse::<ErrorCode>().is_err());
    }
}
