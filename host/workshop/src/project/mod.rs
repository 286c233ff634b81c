//! A plugin's project: a folder with `plugin.toml`, which says in what language it is written. Made here from a template with the SDK inside, so that
//! it builds without anything of ours; built here with the language's own tools.
//!
//! A language is one value in [`LANGUAGES`] and one file beside this one. It must never reach a network itself: a language's own tools may.

mod build;
mod c;
mod file;
mod go;
mod javascript;
mod language;
mod make;
mod name;
mod python;
mod rust;
mod tools;
mod wat;

pub use build::Built;
pub use file::{PROJECT_FILE, Project};
pub use language::{BuildStep, LANGUAGES, Language, Missing, Plan, TemplateFile, language};
pub use make::make;
pub use tools::Tools;
