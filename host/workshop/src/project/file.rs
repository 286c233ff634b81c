//! `plugin.toml`: what a project says of itself.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::language::{LANGUAGES, Language, language};
use super::name::Name;
use crate::error::WorkshopError;

/// The file that makes a folder a project.
pub const PROJECT_FILE: &str = "plugin.toml";
/// Longest project file.
const MAX_BYTES: u64 = 64 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    language: String,
    artifact: Option<String>,
}

/// A project on disk.
pub struct Project {
    /// Its folder, absolute.
    pub dir: PathBuf,
    /// The plugin's name.
    pub name: String,
    /// What it is written in.
    pub language: &'static dyn Language,
    /// Where its plugin is once it is built: a component or core module.
    pub artifact: PathBuf,
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project")
            .field("dir", &self.dir)
            .field("language", &self.language.word())
            .finish_non_exhaustive()
    }
}

/// The text of the project file of a plugin called `name`.
pub(super) fn written(name: &Name, language: &dyn Language) -> String {
    let (name, word, title) = (name.kebab(), language.word(), language.title());
    format!(
        "# A policy plugin of Gridbell in {title}. `gridbell plugin build` reads this file and makes the artifact; `gridbell plugin test` tries it.\n\
         name = \"{name}\"\nlanguage = \"{word}\"\nartifact = \"{name}.wasm\"\n"
    )
}

impl Project {
    /// Whether `dir` is a project's folder.
    #[must_use]
    pub fn is(dir: &Path) -> bool {
        dir.join(PROJECT_FILE).is_file()
    }

    /// Reads the project in `dir`.
    ///
    /// # Errors
    /// There is none, or its file is not as it must be.
    pub fn open(dir: &Path) -> Result<Self, WorkshopError> {
        let path = dir.join(PROJECT_FILE);
        let io = |action| move |source| WorkshopError::Io { action, path: dir.join(PROJECT_FILE), source };
        let problem = |place: &str, problem: String| WorkshopError::File {
            document: path.display().to_string(),
            place: place.to_owned(),
            problem,
        };
        if !Self::is(dir) {
            return Err(WorkshopError::NoProject { dir: dir.to_owned() });
        }
        if std::fs::metadata(&path).map_err(io("read"))?.len() > MAX_BYTES {
            return Err(problem("line 1", "it is no project file: it is far too long".to_owned()));
        }
        let text = std::fs::read_to_string(&path).map_err(io("read"))?;
        let written: Written = toml::from_str(&text).map_err(|e| {
            let line = e.span().map_or(1, |s| text.get(..s.start).map_or(1, |t| t.matches('\n').count() + 1));
            problem(&format!("line {line}"), e.message().to_owned())
        })?;
        let name = Name::parse(&written.name)?;
        let language = language(&written.language).ok_or_else(|| {
            let known: Vec<&str> = LANGUAGES.iter().map(|l| l.word()).collect();
            problem("`language`", format!("`{}` is not one of {}", written.language, known.join(", ")))
        })?;
        let artifact = written.artifact.unwrap_or_else(|| format!("{}.wasm", name.kebab()));
        if artifact.is_empty() || Path::new(&artifact).is_absolute() || artifact.contains("..") {
            return Err(problem("`artifact`", "it is a path inside the project".to_owned()));
        }
        let dir = std::path::absolute(dir).map_err(io("find"))?;
        Ok(Self { artifact: dir.join(artifact), name: name.kebab().to_owned(), language, dir })
    }

    /// The name as an identifier: `my_policy`.
    #[must_use]
    pub fn snake(&self) -> String {
        self.name.replace('-', "_")
    }

    /// Where everything that is made on the way goes.
    #[must_use]
    pub fn target(&self) -> PathBuf {
        self.dir.join("target")
    }
}
