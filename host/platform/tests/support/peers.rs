//! Runs an independent implementation that `.ci/install-peers` installed. Tests of several crates include this file by its path.
//!
//! A peer is a script `tests/peer.cjs` beside the test: it reads one JSON value from its input and prints one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Prints a skip's line past the capture of the test runner, for people and for CI's count.
pub(crate) fn skipped(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    // A closed standard output must not fail the test.
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

/// The folder of the peers, if they are there.
pub(crate) fn folder() -> Option<PathBuf> {
    let cache = || {
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
        Some(std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join("gridbell"))
    };
    let folder = std::env::var_os("GRIDBELL_PEERS").map(PathBuf::from).or_else(|| Some(cache()?.join("peers")))?;
    folder.join("complete").exists().then_some(folder)
}

/// A program in the path, or where `.ci/install-wasm-toolchain` puts Node.js.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    places.extend(std::env::var_os("GRIDBELL_WASM_TOOLCHAIN").map(|folder| PathBuf::from(folder).join("node/bin")));
    places.extend(folder().and_then(|folder| Some(folder.parent()?.join("wasm-toolchain/node/bin"))));
    places.into_iter().map(|place| place.join(name)).find(|file| file.is_file())
}

/// What `script` prints for `input`, both JSON; `None`, and a line that says why, where the peer is missing.
///
/// # Panics
/// Where the peer is there and fails.
#[allow(dead_code, reason = "not every test that includes this file asks a script")]
pub(crate) fn ask(script: &Path, package: &str, input: &str) -> Option<String> {
    let (Some(node), Some(folder)) = (program("node"), folder()) else {
        skipped(&format!("npm's {package} is not here: .ci/install-peers"));
        return None;
    };
    let mut child = Command::new(node)
        .arg(script)
        .env("NODE_PATH", folder.join("node_modules"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("node starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("the peer reads its input");
    let output = child.wait_with_output().expect("the peer ends");
    assert!(output.status.success(), "{package} failed: {}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).expect("the peer prints UTF-8"))
}
