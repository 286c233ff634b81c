//! Rust: cargo, where rustup has the target; else the compiler that `.ci/install-wasm-toolchain` unpacked, which builds its library too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::file::Project;
use super::language::{BuildStep, Language, Missing, Plan, TemplateFile};
use super::tools::Tools;

const TARGET: &str = "wasm32-unknown-unknown";
/// A guest's stack: small, since its pages are the first that each fresh instance touches.
const STACK: &str = "-Clink-arg=-zstack-size=65536";

pub(super) struct Rust;

macro_rules! files {
    ($from:literal: $($path:literal),* $(,)?) => {
        &[$(TemplateFile { path: $path, text: include_str!(concat!("../../../../plugins/", $from, "/", $path)) }),*]
    };
}
pub(super) use files;

impl Language for Rust {
    fn word(&self) -> &'static str {
        "rust"
    }

    fn title(&self) -> &'static str {
        "Rust"
    }

    fn template(&self) -> &'static [TemplateFile] {
        files!("templates/rust": "Cargo.toml", "src/lib.rs", "README.md")
    }

    fn sdk(&self) -> &'static [TemplateFile] {
        files!("sdk/rust":
            "Cargo.toml", "src/abi.rs", "src/answer.rs", "src/arena.rs", "src/column.rs", "src/interest.rs", "src/json.rs", "src/lib.rs",
            "src/list.rs", "src/manifest.rs", "src/parameter.rs", "src/policy.rs", "src/registry.rs", "src/run.rs", "src/testing.rs",
            "src/tests.rs", "src/value.rs",
        )
    }

    fn plan(&self, project: &Project, tools: &Tools) -> Result<Plan, Missing> {
        let rustup = "install Rust as https://www.rust-lang.org/tools/install says";
        let cargo = tools.find("cargo").ok_or_else(|| Missing::new("cargo", rustup))?;
        let rustc = tools.find("rustc").ok_or_else(|| Missing::new("rustc", rustup))?;
        // Asked in the project, whose rust-toolchain.toml may choose another.
        let sysroot = tools.ask(&rustc, &["--print", "sysroot"], &[]).map(PathBuf::from);
        let sysroot = sysroot.ok_or_else(|| Missing::new("rustc", "`rustc --print sysroot` fails here"))?;
        let mut args: Vec<OsString> = ["build", "--release", "--target", TARGET].map(Into::into).into();
        let mut env: Vec<(&'static str, OsString)> = Vec::new();
        let mut flags = vec![STACK.to_owned()];
        let with = if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
            tools.ask(&rustc, &["--version"], &[])
        } else {
            let (own, version) = unpacked(tools, &rustc, &sysroot, &mut env).ok_or_else(|| {
                Missing::new(&format!("Rust's library for {TARGET}"), format!("`rustup target add {TARGET}`"))
            })?;
            args.push("-Zbuild-std=core,alloc".into());
            flags.push(format!("--remap-path-prefix={}=rust", own.display()));
            Some(version)
        };
        let own = std::env::var_os("CARGO_TARGET_DIR").map(|dir| project.dir.join(dir));
        let target = own.unwrap_or_else(|| project.target());
        args.extend(["--target-dir".into(), target.clone().into()]);
        env.push(("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}").into()));
        let product = target.join(TARGET).join("release").join(format!("{}.wasm", project.snake()));
        let step = BuildStep { what: "compile", program: cargo, args, env, dir: project.dir.clone() };
        Ok(Plan { with: with.unwrap_or_else(|| "rustc".to_owned()), steps: vec![step], product })
    }
}

/// The unpacked compiler: its folder and version. What cargo must be told goes to `env`.
fn unpacked(
    tools: &Tools,
    rustc: &Path,
    sysroot: &Path,
    env: &mut Vec<(&'static str, OsString)>,
) -> Option<(PathBuf, String)> {
    let own = tools.unpacked("usr/bin/rustc")?;
    let folder = tools.unpacked("")?;
    let verbose = tools.ask(rustc, &["--print", "host-tuple"], &[])?;
    let libraries = format!("usr/lib/{}", verbose.replace("-unknown", ""));
    let libraries = tools.unpacked(&libraries)?;
    let version = tools.ask(&own, &["--version"], &[("LD_LIBRARY_PATH", &libraries)])?;
    let linker = sysroot.join("lib/rustlib").join(&verbose).join("bin/rust-lld");
    env.push(("LD_LIBRARY_PATH", libraries.into()));
    env.push(("RUSTC", own.into()));
    env.push(("RUSTC_BOOTSTRAP", "1".into()));
    env.push(("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.into()));
    Some((folder, version))
}
