//! What a plugin's author does at their desk, before an upload: check, inspect, cases, trial runs over a file, measurements.
//!
//! A project is made from a template and built with its language's own tools ([`Project`]).
//!
//! Everything runs on the production engine with production's limits, so that what passes here does not fail there. It must never open a data
//! directory, talk to a network, or know a customer's name: customers here are values of the registry's columns and nothing else.

mod bench;
mod case_text;
mod cases;
mod deciding;
mod desk;
mod error;
mod project;
mod rows;
mod sheet;
mod shelf;
mod value;

pub use bench::{BenchOptions, BenchReport, Share, bench};
pub use case_text::CaseText;
pub use cases::{Answer, CaseFile, CaseReport, Verdict, answer};
pub use deciding::Deciding;
pub use desk::{Desk, Facts};
pub use error::WorkshopError;
pub use project::{
    BuildStep, Built, LANGUAGES, Language, Missing, PROJECT_FILE, Plan, Project, TemplateFile, Tools, language, make,
};
pub use rows::Rows;
pub use sheet::{RejectedRow, Sheet};
pub use shelf::Shelf;
pub use value::{parse_value, show_value};
