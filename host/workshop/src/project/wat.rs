//! WebAssembly's own text format: the contract by hand, for whoever brings a language that has no SDK here. Needs no tool.

use super::file::Project;
use super::language::{Language, Missing, Plan, TemplateFile};
use super::rust::files;
use super::tools::Tools;

pub(super) struct Wat;

impl Language for Wat {
    fn word(&self) -> &'static str {
        "wat"
    }

    fn title(&self) -> &'static str {
        "WebAssembly text"
    }

    fn template(&self) -> &'static [TemplateFile] {
        files!("templates/wat": "policy.wat", "README.md")
    }

    fn sdk(&self) -> &'static [TemplateFile] {
        &[]
    }

    fn plan(&self, project: &Project, _: &Tools) -> Result<Plan, Missing> {
        Ok(Plan { with: "gridbell".to_owned(), steps: Vec::new(), product: project.dir.join("policy.wat") })
    }
}
