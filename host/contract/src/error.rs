//! What can be wrong with a registry, a manifest or a policy's parameters.

use std::fmt;

use serde_json::Value;

/// Why something does not fit the contract. Each says where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContractError {
    /// The registry contradicts itself.
    #[error("registry: {entry}: {problem}")]
    Registry {
        /// Which entry.
        entry: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The manifest is too long to be one.
    #[error("manifest has {bytes} bytes; shorten it to at most {limit}")]
    ManifestTooLong {
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
    /// The manifest is not JSON.
    #[error("manifest is not JSON: line {line}, column {column}: {problem}")]
    ManifestNotJson {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What the parser stumbled over.
        problem: String,
    },
    /// The manifest does not fit `wit/manifest.schema.json`.
    #[error("manifest at `{pointer}`: {problem}; see wit/manifest.schema.json")]
    ManifestShape {
        /// JSON pointer into the manifest.
        pointer: String,
        /// The schema's own words.
        problem: String,
    },
    /// A name that no registry lists.
    #[error("manifest at `{pointer}`: `{name}` is not a known {what}; use one of {known}")]
    UnknownName {
        /// JSON pointer into the manifest.
        pointer: String,
        /// What kind of name was expected.
        what: &'static str,
        /// What was given.
        name: String,
        /// What is known.
        known: String,
    },
    /// A name that the registry keeps for later.
    #[error("manifest at `{pointer}`: the {what} `{name}` is reserved and not passed by this host; leave it out")]
    Reserved {
        /// JSON pointer into the manifest.
        pointer: String,
        /// What kind of name it is.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The same name twice in one list.
    #[error("manifest at `{pointer}`: `{name}` is used twice; names in a list are unique")]
    Duplicate {
        /// JSON pointer into the manifest.
        pointer: String,
        /// The name.
        name: String,
    },
    /// The parameter schema cannot be used.
    #[error("parameter schema at `{pointer}`: {problem}")]
    Schema {
        /// JSON pointer into the manifest.
        pointer: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// An interest set that cannot be used.
    #[error("interest: {problem}")]
    Interest {
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A calendar of working days that cannot be used.
    #[error("working days: {problem}")]
    Workdays {
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// One parameter that does not fit the plugin's schema.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterError {
    /// JSON pointer into the parameters; empty for the whole.
    pub pointer: String,
    /// The title that the schema gives the parameter, as an office reads it.
    pub title: Option<String>,
    /// The schema's own words.
    pub message: String,
    /// The value found there.
    pub value: Value,
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = if self.pointer.is_empty() { "/" } else { &self.pointer };
        match &self.title {
            Some(title) => write!(f, "parameter `{at}` ({title}): {}", self.message),
            None => write!(f, "parameter `{at}`: {}", self.message),
        }
    }
}

impl std::error::Error for ParameterError {}
