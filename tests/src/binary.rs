//! The binary under test, built from the sources beside it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What cargo sets for the test it runs and a cargo inside it must not see: build scripts that watch these would think that something
/// changed, and half the tree would be compiled again at each turn.
const OF_THE_OUTER_CARGO: [&str; 7] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_TARGET_TMPDIR",
    "OUT_DIR",
];

/// Path of the `gridbell` binary, up to date with the sources and of the profile that this test was built in.
///
/// The first call of a process builds it, which costs a second when there is nothing to do; a binary of yesterday is never tested.
///
/// # Panics
///
/// When it does not build; cargo's own words are in the message.
pub fn gridbell() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(build)
}

/// The project's top directory, where `policies/` and `plugins/` are.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the test crate lies in the workspace")
}

fn build() -> PathBuf {
    let (target, profile) = where_this_test_was_built();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| OF_THE_OUTER_CARGO.iter().any(|prefix| name.starts_with(prefix))) {
            cargo.env_remove(name);
        }
    }
    // The workspace with one of its tests, though only the binary is wanted: the features of every dependency are then those of
    // `cargo test --workspace`, and nothing is compiled twice.
    cargo.args(["build", "--offline", "--workspace", "--bin", "gridbell", "--test", "harness"]);
    cargo.args(["--message-format", "json-render-diagnostics", "--profile", &profile]).arg("--target-dir").arg(target);
    let output = cargo.current_dir(root()).stdin(Stdio::null()).output().expect("cargo starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "`gridbell` does not build:\n{said}");
    String::from_utf8_lossy(&output.stdout).lines().find_map(executable).expect("cargo names the binary it built")
}

/// Target directory and profile of the running test, from `TARGET/PROFILE/deps/TEST`.
fn where_this_test_was_built() -> (PathBuf, String) {
    let test = std::env::current_exe().expect("the running test has a path");
    let directory = test.ancestors().nth(2).expect("a test lies in `TARGET/PROFILE/deps`");
    let profile = directory.file_name().and_then(|name| name.to_str()).expect("a profile's directory has a name");
    let profile = if profile == "debug" { "dev" } else { profile };
    (directory.parent().expect("a profile lies in the target directory").to_owned(), profile.to_owned())
}

/// The path in one line of `--message-format json`, if it tells of our binary.
fn executable(line: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let ours = message["target"]["name"] == "gridbell" && message["target"]["kind"] == serde_json::json!(["bin"]);
    ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
}
