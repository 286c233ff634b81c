//! Why the workshop cannot go on.

use std::path::PathBuf;

use gridbell_contract::ParameterError;
use gridbell_engine::{EngineError, RunError};

use crate::project::Missing;

/// Any failure of the workshop. A case that fails is no error: it is a [`crate::Verdict`].
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// The plugin is refused, or the sandbox cannot be set up.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The plugin failed while it ran.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file of cases or of customers is not as it must be.
    #[error("{document}, {place}: {problem}")]
    File {
        /// Its name.
        document: String,
        /// Line, or case and field.
        place: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The parameters do not fit the plugin's schema.
    #[error("the parameters do not fit the plugin's schema: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Parameters(Vec<ParameterError>),
    /// Something named is not there.
    #[error("{what} `{name}` is not known; known are {known}")]
    Unknown {
        /// What kind of name.
        what: &'static str,
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A time or calendar that cannot be.
    #[error("{0}")]
    Time(String),
    /// A name that a plugin cannot have.
    #[error("`{name}` cannot be a plugin's name: {why}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A folder in which there is something already.
    #[error("`{}` is there already and not empty; give another name or another `--dir`", dir.display())]
    Occupied {
        /// The folder.
        dir: PathBuf,
    },
    /// A folder without a project.
    #[error("there is no `plugin.toml` in `{}`: it is no project; `gridbell plugin new` makes one", dir.display())]
    NoProject {
        /// The folder.
        dir: PathBuf,
    },
    /// A compiler or the like that this machine lacks.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// A step of a build failed.
    #[error("the build failed: {program} could not {what} ({status}); what it said stands above")]
    Build {
        /// What the step does.
        what: &'static str,
        /// Its program.
        program: String,
        /// How it ended.
        status: String,
    },
    /// A source in WebAssembly's text format that is none.
    #[error("the build failed: {detail}")]
    Text {
        /// File, line, what is wrong.
        detail: String,
    },
    /// A build that left nothing.
    #[error("the build left no plugin at `{}`: {source}; does the project's own configuration name it as `plugin.toml` does?", path.display())]
    NoProduct {
        /// Where it was to be.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// A file of a project.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// `read`, `write`, …
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
