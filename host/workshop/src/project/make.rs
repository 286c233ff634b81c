//! Makes a project: the language's template, its SDK, a file of cases, all in one folder.

use std::fs;
use std::path::{Path, PathBuf};

use super::file::{PROJECT_FILE, Project, written};
use super::language::Language;
use super::name::Name;
use crate::error::WorkshopError;

/// The cases of the templates' policy, which is the same in each language.
const CASES: &str = include_str!("../../../../plugins/templates/cases.toml");

/// Writes a project called `name` into `dir`, which must not be there yet or be empty.
///
/// # Errors
/// The name or the folder will not do, or it cannot be written.
pub fn make(name: &str, language: &dyn Language, dir: &Path) -> Result<Project, WorkshopError> {
    let name = Name::parse(name)?;
    let io = |action: &'static str, path: &Path| {
        let path = path.to_owned();
        move |source| WorkshopError::Io { action, path, source }
    };
    if dir.exists() {
        let mut entries = fs::read_dir(dir).map_err(io("read", dir))?;
        if entries.next().is_some() {
            return Err(WorkshopError::Occupied { dir: dir.to_owned() });
        }
    }
    let put = |path: PathBuf, text: &str| {
        let folder = path.parent().unwrap_or(dir);
        fs::create_dir_all(folder).map_err(io("create", folder))?;
        fs::write(&path, text).map_err(io("write", &path))
    };
    for file in language.template() {
        put(dir.join(file.path), &name.fill(file.text))?;
    }
    for file in language.sdk() {
        put(dir.join("sdk").join(file.path), file.text)?;
    }
    put(dir.join("cases.toml"), &name.fill(CASES))?;
    put(dir.join(".gitignore"), "/target\n/node_modules\n/.venv\n__pycache__\n*.wasm\n")?;
    put(dir.join(PROJECT_FILE), &written(&name, language))?;
    Project::open(dir)
}
