//! Why the workshop cannot go on.

use gridbell_contract::ParameterError;
use gridbell_engine::{EngineError, RunError};

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
}
