//! Python: the SDK's `build.py` with componentize-py, which pip puts into the project's `.venv`, or `.ci/install-wasm-toolchain` into its folder.

use std::ffi::OsString;
use std::path::PathBuf;

use super::file::Project;
use super::language::{BuildStep, Language, Missing, Plan, TemplateFile};
use super::rust::files;
use super::tools::Tools;

/// What the SDK was tried with; `.ci/install-wasm-toolchain` installs the same.
const TOOL: &str = "componentize-py==0.25.1";

pub(super) struct Python;

impl Language for Python {
    fn word(&self) -> &'static str {
        "python"
    }

    fn title(&self) -> &'static str {
        "Python"
    }

    fn template(&self) -> &'static [TemplateFile] {
        files!("templates/python": "policy.py", "README.md")
    }

    fn sdk(&self) -> &'static [TemplateFile] {
        SDK
    }

    fn plan(&self, project: &Project, tools: &Tools) -> Result<Plan, Missing> {
        let product = project.target().join(format!("{}.wasm", project.name));
        let step = |what, program: PathBuf, args: Vec<OsString>| BuildStep {
            what,
            program,
            args,
            env: Vec::new(),
            dir: project.dir.clone(),
        };
        let version = |python: &PathBuf| {
            let ask = ["-c", "import importlib.metadata as m; print(m.version('componentize-py'))"];
            tools.ask(python, &ask, &[])
        };
        let build =
            |python| step("compile", python, vec!["sdk/build.py".into(), "policy.py".into(), product.clone().into()]);
        let here = ["bin/python", "Scripts/python.exe"].map(|python| project.dir.join(".venv").join(python));
        let candidates = here.iter().cloned().chain(tools.unpacked("python/bin/python")).chain(tools.find("python3"));
        for python in candidates.filter(|python| python.is_file()) {
            if let Some(version) = version(&python) {
                return Ok(Plan { with: format!("componentize-py {version}"), steps: vec![build(python)], product });
            }
        }
        let python = tools.find("python3").or_else(|| tools.find("python")).ok_or_else(|| {
            Missing::new("python3", "install Python 3.9 or later with venv (`apt-get install python3-venv` on Debian)")
        })?;
        if tools.ask(&python, &["-c", "import ensurepip, venv; print(1)"], &[]).is_none() {
            return Err(Missing::new("Python's venv", "`apt-get install python3-venv`, or what your system calls it"));
        }
        let [own, _] = here;
        let steps = vec![
            step("make .venv", python, ["-m", "venv", ".venv"].map(OsString::from).into()),
            step(
                "install componentize-py into .venv",
                own.clone(),
                ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", TOOL].map(OsString::from).into(),
            ),
            build(own),
        ];
        Ok(Plan { with: TOOL.replace("==", " "), steps, product })
    }
}

/// Beside the SDK's own files the contract, which its `build.py` reads.
const SDK: &[TemplateFile] = {
    macro_rules! sdk {
        ($($path:literal),* $(,)?) => {
            &[
                TemplateFile { path: "policy.wit", text: include_str!("../../../../wit/policy.wit") },
                $(TemplateFile { path: $path, text: include_str!(concat!("../../../../plugins/sdk/python/", $path)) }),*
            ]
        };
    }
    sdk!(
        "build.py",
        "gridbell/__init__.py",
        "gridbell/component.py",
        "gridbell/dates.py",
        "gridbell/declare.py",
        "gridbell/definite.py",
        "gridbell/interest.py",
        "gridbell/loop.py",
        "gridbell/parameters.py",
        "gridbell/policy.py",
        "gridbell/registry.py",
        "gridbell/run.py",
    )
};
