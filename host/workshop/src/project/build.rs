//! Builds a project: the plan's steps one after another, each shown with what it says.

use std::fs;
use std::io;
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
        let nothing = |source| WorkshopError::NoProduct { path: product.clone(), source };
        if fs::metadata(&product).map_err(nothing)?.len() > MAX_UPLOAD_BYTES as u64 {
            let nothing_smaller = io::Error::other(format!("it has more than {MAX_UPLOAD_BYTES} bytes"));
            return Err(nothing(nothing_smaller));
        }
        Ok(Built { with, bytes: fs::read(&product).map_err(nothing)? })
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
