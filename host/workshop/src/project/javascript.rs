//! JavaScript and TypeScript: Node.js runs the SDK's `build.mjs`, whose tools npm puts into the project, or `.ci/install-wasm-toolchain` into its folder.

use std::ffi::OsString;
use std::path::PathBuf;

use super::file::Project;
use super::language::{BuildStep, Language, Missing, Plan, TemplateFile};
use super::rust::files;
use super::tools::Tools;

pub(super) struct JavaScript;
pub(super) struct TypeScript;

impl Language for JavaScript {
    fn word(&self) -> &'static str {
        "js"
    }

    fn title(&self) -> &'static str {
        "JavaScript"
    }

    fn template(&self) -> &'static [TemplateFile] {
        files!("templates/js": "policy.js", "package.json", "README.md")
    }

    fn sdk(&self) -> &'static [TemplateFile] {
        SDK
    }

    fn plan(&self, project: &Project, tools: &Tools) -> Result<Plan, Missing> {
        plan(project, tools, "policy.js", &["componentize-qjs"])
    }
}

impl Language for TypeScript {
    fn word(&self) -> &'static str {
        "ts"
    }

    fn title(&self) -> &'static str {
        "TypeScript"
    }

    fn template(&self) -> &'static [TemplateFile] {
        files!("templates/ts": "policy.ts", "package.json", "tsconfig.json", "README.md")
    }

    fn sdk(&self) -> &'static [TemplateFile] {
        SDK
    }

    fn plan(&self, project: &Project, tools: &Tools) -> Result<Plan, Missing> {
        plan(project, tools, "policy.ts", &["componentize-qjs", "esbuild", "typescript"])
    }
}

/// Beside the SDK's own files the contract, which its `build.mjs` reads.
const SDK: &[TemplateFile] = {
    macro_rules! sdk {
        ($($path:literal),* $(,)?) => {
            &[
                TemplateFile { path: "policy.wit", text: include_str!("../../../../wit/policy.wit") },
                $(TemplateFile { path: $path, text: include_str!(concat!("../../../../plugins/sdk/js/", $path)) }),*
            ]
        };
    }
    sdk!(
        "build.mjs",
        "dates.js",
        "index.d.ts",
        "index.js",
        "interest.js",
        "package.json",
        "parameters.js",
        "policy.js",
        "registry.d.ts",
        "registry.js",
        "run.js",
    )
};

fn plan(project: &Project, tools: &Tools, entry: &str, packages: &[&str]) -> Result<Plan, Missing> {
    let cure = "install Node.js 18 or later, which brings npm, as https://nodejs.org/en/download says (`apt-get install nodejs npm` on Debian)";
    let own = |name: &str| tools.unpacked(&format!("node/bin/{name}"));
    let node = tools.find("node").or_else(|| own("node")).ok_or_else(|| Missing::new("node", cure))?;
    let version = tools.ask(&node, &["--version"], &[]).ok_or_else(|| Missing::new("node", cure))?;
    let step = |what, program: PathBuf, args: Vec<OsString>| BuildStep {
        what,
        program,
        args,
        env: Vec::new(),
        dir: project.dir.clone(),
    };
    let product = project.target().join(format!("{}.wasm", project.name));
    let mut build = step("compile", node, vec!["sdk/build.mjs".into(), entry.into(), product.clone().into()]);
    let (here, unpacked) = (project.dir.join("node_modules"), tools.unpacked("js/node_modules"));
    let has = |folder: &PathBuf| packages.iter().all(|package| folder.join(package).is_dir());
    let mut steps = Vec::new();
    match unpacked.filter(|folder| !has(&here) && has(folder)) {
        Some(folder) => build.env.push(("NODE_PATH", folder.into())),
        None if has(&here) => {}
        None => {
            let npm = tools.find("npm").or_else(|| own("npm")).ok_or_else(|| Missing::new("npm", cure))?;
            let words = ["install", "--no-fund", "--no-audit", "--loglevel=error"];
            steps.push(step("install packages into node_modules", npm, words.map(OsString::from).into()));
        }
    }
    steps.push(build);
    Ok(Plan { with: format!("node {}, componentize-qjs", version.trim_start_matches('v')), steps, product })
}
