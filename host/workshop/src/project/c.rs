//! C, freestanding: zig as PyPI or anybody else ships it, or clang with its WebAssembly linker.

use std::ffi::OsString;
use std::path::PathBuf;

use super::file::Project;
use super::language::{BuildStep, Language, Missing, Plan, TemplateFile};
use super::rust::files;
use super::tools::Tools;

/// Beside the target. Memory for a whole batch is there from the start: growing it costs a fresh instance more than anything else.
const FLAGS: [&str; 11] = [
    "-std=c23",
    "-O3",
    "-Wall",
    "-Wextra",
    "-ffreestanding",
    "-nostdlib",
    "-s",
    "-Wl,--no-entry",
    "-Wl,-z,stack-size=65536",
    "-Wl,--initial-memory=589824",
    "-Isdk",
];
/// Newest first; older ones lack C23.
const CLANGS: [(&str, &str); 4] =
    [("clang-21", "wasm-ld-21"), ("clang-20", "wasm-ld-20"), ("clang-19", "wasm-ld-19"), ("clang", "wasm-ld")];

pub(super) struct C;

impl Language for C {
    fn word(&self) -> &'static str {
        "c"
    }

    fn title(&self) -> &'static str {
        "C"
    }

    fn template(&self) -> &'static [TemplateFile] {
        files!("templates/c": "main.c", "README.md")
    }

    fn sdk(&self) -> &'static [TemplateFile] {
        files!("sdk/c": "gridbell.h", "gridbell_registry.h", "gridbell_policy.h", "gridbell_exports.h")
    }

    fn plan(&self, project: &Project, tools: &Tools) -> Result<Plan, Missing> {
        let compiler = compiler(tools).ok_or_else(|| {
            Missing::new(
                "a C compiler for wasm32",
                "`python3 -m pip install ziglang`, or clang 19 with lld from your distribution (`apt-get install clang-19 lld-19`)",
            )
        })?;
        let product = project.target().join(format!("{}.wasm", project.name));
        let mut args = compiler.args;
        args.extend(FLAGS.map(OsString::from));
        args.extend(["-o".into(), product.clone().into(), "main.c".into()]);
        let step =
            BuildStep { what: "compile", program: compiler.program, args, env: Vec::new(), dir: project.dir.clone() };
        Ok(Plan { with: compiler.with, steps: vec![step], product })
    }
}

struct Compiler {
    program: PathBuf,
    args: Vec<OsString>,
    with: String,
}

fn compiler(tools: &Tools) -> Option<Compiler> {
    let zig = |program: PathBuf, first: &[&str]| {
        let version = tools.ask(&program, &[first, &["version"]].concat(), &[])?;
        let args = first.iter().chain(&["cc", "-target", "wasm32-freestanding"]).map(OsString::from).collect();
        Some(Compiler { program, args, with: format!("zig {version}") })
    };
    let clang = |(name, linker): (&str, &str)| {
        let (program, _) = (tools.find(name)?, tools.find(linker)?);
        // Apple's clang comes without this target.
        let targets = tools.ask(&program, &["--target=wasm32", "--print-target-triple"], &[])?;
        let version = tools.ask(&program, &["--version"], &[]).filter(|_| targets.starts_with("wasm32"))?;
        let args = vec!["--target=wasm32".into(), format!("-fuse-ld={linker}").into()];
        Some(Compiler { program, args, with: version })
    };
    tools
        .unpacked("zig/bin/python")
        .and_then(|python| zig(python, &["-m", "ziglang"]))
        .or_else(|| tools.find("python3").and_then(|python| zig(python, &["-m", "ziglang"])))
        .or_else(|| tools.find("zig").and_then(|program| zig(program, &[])))
        .or_else(|| CLANGS.into_iter().find_map(clang))
}
