//! The policy contract as the host sees it: what may cross between host and plugin.
//!
//! The [`Registry`] of columns, traits, triggers and facts; the [`Manifest`] that a plugin declares itself with; the values of one [`Run`]
//! and the [`InterestSet`] that answers "who could be chosen at all"; and the generators that make the reference and the SDK's names from
//! the registry. Pure: nothing here runs a plugin, reads a clock, a file or the network.

mod error;
mod generate;
mod ids;
mod interest;
mod manifest;
mod parameters;
mod registry;
mod run;
mod schema;
mod workdays;

pub use error::{ContractError, ParameterError};
pub use generate::{Generated, generated};
pub use ids::{column, fact, subject, trigger};
pub use interest::{Bound, InterestSet, MAX_BOUNDS, MAX_CLAUSES, Test};
pub use manifest::{Arg, MAX_MANIFEST_BYTES, Manifest, Notice, Reason, Unit};
pub use parameters::{MAX_PARAMETER_ERRORS, MAX_PARAMETERS_BYTES};
pub use registry::{
    ColumnDef, ColumnType, FactDef, FactId, Registry, SubjectDef, SubjectId, TraitDef, TriggerDef, TriggerId,
};
pub use run::{Fact, Run};
pub use schema::{MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH, MAX_SCHEMA_NODES, MAX_SCHEMA_PATTERNS};
pub use workdays::{MAX_WORKDAY_WORDS, Workdays};

/// Name and version of the contract's package in `wit/policy.wit`.
pub const PACKAGE: &str = "gridbell:policy@0.1.0";
/// Text of the contract, for whoever must hand it to a tool.
pub const WIT: &str = include_str!("../../../wit/policy.wit");
