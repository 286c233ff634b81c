//! Finds compilers: in the path, and in the folder into which `.ci/install-wasm-toolchain` unpacks them. Starts none but to ask its version.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::shelf::user_cache;

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub struct Tools {
    path: Vec<PathBuf>,
    toolchain: Option<PathBuf>,
}

impl Tools {
    /// The path of this process, and `GRIDBELL_WASM_TOOLCHAIN` or `gridbell/wasm-toolchain` in the user's cache.
    #[must_use]
    pub fn of_this_machine() -> Self {
        let path = env::var_os("PATH").map(|p| env::split_paths(&p).collect()).unwrap_or_default();
        let toolchain = env::var_os("GRIDBELL_WASM_TOOLCHAIN")
            .map(PathBuf::from)
            .or_else(|| user_cache().map(|cache| cache.join("gridbell/wasm-toolchain")));
        Self { path, toolchain }
    }

    /// Nothing at all, as on a bare machine.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { path: Vec::new(), toolchain: None }
    }

    /// The program called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        self.path.iter().map(|dir| dir.join(name)).find(|p| p.is_file())
    }

    /// A file or folder of the unpacked toolchains, if it is there.
    #[must_use]
    pub fn unpacked(&self, relative: &str) -> Option<PathBuf> {
        self.toolchain.as_ref().map(|dir| dir.join(relative)).filter(|p| p.exists())
    }

    /// The first line that a program prints, if it succeeds: its version, a path.
    #[must_use]
    pub fn ask(&self, program: &Path, args: &[&str], env: &[(&str, &Path)]) -> Option<String> {
        let mut command = Command::new(program);
        command.args(args).envs(env.iter().map(|(k, v)| (k, v))).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok().filter(|o| o.status.success())?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
    }
}
