//! The rules once more, in plain code: a day of the demo is recomputed from its exported files and compared with what the product did.
//!
//! Written from the documents alone: the manifests and rule comments of the reference plugins, `wit/REGISTRY.md`, the province's and cities' TOML
//! files, and the order of guardrails. It must never use the product's own planner, engine or state, nor its types: it would share their mistakes.
//! It is slow and simple on purpose, goes minute by minute and customer by customer, and covers what the shipped policies use and nothing else;
//! whatever else it meets in a file stops it.

mod calendar;
mod compare;
mod customer;
mod day;
mod files;
mod guardrails;
mod policies;
mod text;

pub use calendar::{date, minute};
pub use compare::differences;
pub use day::{Day, Decision, Message, Run};
pub use files::Inputs;
