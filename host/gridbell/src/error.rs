//! Errors of the command, with the exit codes that scripts rely on.

use std::path::PathBuf;
use std::process::ExitCode;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// What was asked for cannot be: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// Something given was refused, for example some rows of an import or a policy file: exit code 3.
    #[error("{0}")]
    Refused(String),
    /// A check found what it looks for, for example a broken audit chain: exit code 4.
    #[error("{0}")]
    Found(String),
    /// Ctrl-C ended it before it was done: exit code 130, as shells have it.
    #[error("{0}")]
    Interrupted(String),
    /// A file cannot be read or written: exit code 1.
    #[error("cannot {what} `{}`: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Everything else: exit code 1.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    pub(crate) fn file(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { what, path, source }
    }

    /// The exit code, as `gridbell --help` documents it.
    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Found(_) => 4,
            Self::Interrupted(_) => 130,
            Self::File { .. } | Self::Failed(_) => 1,
        })
    }
}

macro_rules! failed_from {
    ($($t:ty),*) => {$(
        impl From<$t> for CommandError {
            fn from(e: $t) -> Self { Self::Failed(with_causes(&e)) }
        }
    )*};
}
failed_from!(
    gridbell_state::StateError,
    gridbell_store::StoreError,
    gridbell_store::BackupError,
    gridbell_server::ServerError,
    gridbell_engine::EngineError,
    std::io::Error,
    serde_json::Error
);

impl From<gridbell_archive::ArchiveError> for CommandError {
    fn from(e: gridbell_archive::ArchiveError) -> Self {
        let text = with_causes(&e);
        if e.is_finding() { Self::Found(text) } else { Self::Failed(text) }
    }
}

impl From<gridbell_conductor::HostError> for CommandError {
    fn from(e: gridbell_conductor::HostError) -> Self {
        use gridbell_conductor::HostError as H;
        match e {
            H::Archive(e) => e.into(),
            H::Stopped => Self::Interrupted(e.to_string()),
            H::Problems(_) | H::Planner(_) | H::Invalid(_) | H::Engine(_) | H::Intake(_) => {
                Self::Refused(with_causes(&e))
            }
            H::NoPolicies(_) | H::NoPolicy { .. } | H::NoPlugin { .. } | H::NoVersion(_) => {
                Self::Refused(e.to_string())
            }
            _ => Self::Failed(with_causes(&e)),
        }
    }
}

/// An error with its causes on one line, each once.
pub(crate) fn with_causes(e: &dyn std::error::Error) -> String {
    let mut text = e.to_string();
    let mut cause = e.source();
    while let Some(c) = cause {
        let more = c.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = c.source();
    }
    text
}
