//! Builds a project: the plan's steps one after another, each shown with what it says.

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use gridbell_engine::MAX_UPLOAD_BYTES;

use super::file::Project;
use super::language::{BuildStep, Plan};
use super::tools::Tools;
use crate::error::WorkshopError;

/// What a build made, not yet where the project wants it.
#[derive(Debug, Clone)]
pub struct Built {
    /// By what: `rustc 1.96.0`.
    pub with: String,
    /// A component or core module.
    pub bytes: Vec<u8>,
}

impl Project {
    /// Builds with the language's own tools, whose words go to standard error. The artifact stays as it is: see [`Project::write`].
    ///
    /// # Errors
    /// A tool that is missing and how to get it; a step that failed.
    pub fn build(&self, tools: &Tools) -> Result<Built, WorkshopError> {
        let Plan { with, steps, product } = self.language.plan(self, tools)?;
        if steps.is_empty() {
            return Ok(Built { with, bytes: assemble(&product)? });
        }
        // One of an earlier build would hide that this one made nothing.
        match fs::remove_file(&product) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(WorkshopError::Io { action: "remove", path: product, source });
            }
            _ => {}
        }
        let target = self.target();
        fs::create_dir_all(&target).map_err(|source| WorkshopError::Io { action: "create", path: target, source })?;
        for step in &steps {
            run(step)?;
        }
        let bytes = read(&product).map_err(|source| WorkshopError::NoProduct { path: product.clone(), source })?;
        Ok(Built { with, bytes })
    }

    /// Puts what was built where the project wants it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, built: &Built) -> Result<(), WorkshopError> {
        fs::write(&self.artifact, &built.bytes).map_err(|source| WorkshopError::Io {
            action: "write",
            path: self.artifact.clone(),
            source,
        })
    }
}

/// A file of at most the size of an upload.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if fs::metadata(path)?.len() > MAX_UPLOAD_BYTES as u64 {
        return Err(io::Error::other(format!("it has more than {MAX_UPLOAD_BYTES} bytes")));
    }
    fs::read(path)
}

/// The module of a text.
fn assemble(source: &Path) -> Result<Vec<u8>, WorkshopError> {
    let io = |e| WorkshopError::Io { action: "read", path: source.to_owned(), source: e };
    let text = read(source).map_err(io)?;
    wat::parse_bytes(&text).map(std::borrow::Cow::into_owned).map_err(|mut e| {
        e.set_path(source);
        WorkshopError::Text { detail: e.to_string() }
    })
}

fn run(step: &BuildStep) -> Result<(), WorkshopError> {
    let mut command = Command::new(&step.program);
    command.args(&step.args).current_dir(&step.dir).stdin(Stdio::null());
    command.envs(step.env.iter().map(|(name, value)| (name, value)));
    // Standard output belongs to whoever asked for the build, perhaps a script that reads JSON.
    command.stdout(io::stderr()).stderr(Stdio::inherit());
    let program = step.program.clone();
    let status = command.status().map_err(|source| WorkshopError::Io { action: "start", path: program, source })?;
    if status.success() {
        return Ok(());
    }
    let program = step.program.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    Err(WorkshopError::Build { what: step.what, program, status: status.to_string() })
}
