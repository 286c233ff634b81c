//! What a language brings along: its template, its SDK, and how its own tools build a project.

use std::ffi::OsString;
use std::path::PathBuf;

use super::file::Project;
use super::tools::Tools;
use super::{c, go, javascript, python, rust, wat};

/// A language that `plugin new` and `plugin build` know.
pub trait Language: Sync {
    /// Its word on the command line and in `plugin.toml`.
    fn word(&self) -> &'static str;
    /// Its name.
    fn title(&self) -> &'static str;
    /// The files of a new project, beside `plugin.toml` and `cases.toml`. Where they say `my-policy`, `my_policy` or `MyPolicy`, the
    /// project's name takes its place.
    fn template(&self) -> &'static [TemplateFile];
    /// The SDK, copied into the project's `sdk` folder as it is.
    fn sdk(&self) -> &'static [TemplateFile];
    /// How `project` is built with what this machine has.
    ///
    /// # Errors
    /// The first tool that is missing, and how to get it.
    fn plan(&self, project: &Project, tools: &Tools) -> Result<Plan, Missing>;
}

/// Every language, in the order in which help shows them.
pub static LANGUAGES: &[&dyn Language] =
    &[&rust::Rust, &c::C, &go::Go, &javascript::JavaScript, &javascript::TypeScript, &python::Python, &wat::Wat];

/// The language with this word.
#[must_use]
pub fn language(word: &str) -> Option<&'static dyn Language> {
    LANGUAGES.iter().copied().find(|l| l.word() == word)
}

/// A file that comes with a language.
#[derive(Debug, Clone, Copy)]
pub struct TemplateFile {
    /// Where it goes, relative to the project or its `sdk` folder.
    pub path: &'static str,
    /// What it holds.
    pub text: &'static str,
}

/// How a project is built.
#[derive(Debug, Clone)]
pub struct Plan {
    /// By what, with its version: `rustc 1.96.0`.
    pub with: String,
    /// One after another; the first that fails ends the build. None where the product is a source in WebAssembly's text format, which is assembled here.
    pub steps: Vec<BuildStep>,
    /// The component or core module that they leave.
    pub product: PathBuf,
}

/// One program that is run.
#[derive(Debug, Clone)]
pub struct BuildStep {
    /// What it does, for people: `compile`.
    pub what: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// What is set in its environment beside what is there.
    pub env: Vec<(&'static str, OsString)>,
    /// Where it is run.
    pub dir: PathBuf,
}

/// A tool that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{tool} is missing: {cure}")]
pub struct Missing {
    /// What, in the author's words: `a Rust compiler for wasm32-unknown-unknown`.
    pub tool: String,
    /// How to get it, as one command where there is one.
    pub cure: String,
}

impl Missing {
    /// A tool and how to get it.
    pub(super) fn new(tool: &str, cure: impl Into<String>) -> Self {
        Self { tool: tool.to_owned(), cure: cure.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bare_machine_lacks_is_one_line_with_its_cure() {
        for language in LANGUAGES {
            let project = Project {
                dir: PathBuf::from("/nowhere"),
                name: "tou-reminder".to_owned(),
                language: *language,
                artifact: PathBuf::from("/nowhere/tou-reminder.wasm"),
            };
            match language.plan(&project, &Tools::none()) {
                Ok(plan) => assert!(plan.steps.is_empty(), "{} needs no tool", language.word()),
                Err(missing) => {
                    let said = missing.to_string();
                    assert!(
                        said.contains(" is missing: ") && said.contains('`') || said.contains("https://"),
                        "{said}"
                    );
                    assert_eq!(said.lines().count(), 1, "{said}");
                }
            }
        }
    }

    #[test]
    fn every_language_has_a_word_of_its_own_and_a_readme() {
        for (n, one) in LANGUAGES.iter().enumerate() {
            assert!(LANGUAGES.iter().skip(n + 1).all(|other| other.word() != one.word()));
            assert!(one.template().iter().any(|file| file.path == "README.md"), "{}", one.word());
            assert!(language(one.word()).is_some_and(|found| found.title() == one.title()));
        }
    }
}
