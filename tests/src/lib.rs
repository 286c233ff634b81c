//! Shared harness of the end-to-end tests: finds the real binary, starts it, watches what it prints, talks HTTP to it, and ends it.
//!
//! It must never reach around the product: a test sees what an operator, a city office or a carrier's gateway would see. Nothing here
//! sleeps to let something happen; what is waited for is a line, an answer or an exit, and [`PATIENCE`] only ends a test that would hang.
//!
//! Run one of these tests with `cargo test --workspace --test NAME`, not with `-p gridbell-tests`: the latter resolves the dependencies'
//! features anew and compiles the sandbox a second time.

mod binary;
mod http;
mod process;
pub mod recompute;
mod scratch;

pub use binary::{gridbell, root};
pub use http::{Http, Reply};
pub use process::{Line, Process, Stream};
pub use scratch::{eventually, scratch};

use std::io::Write;
use std::time::Duration;

/// How long anything may take before a test gives up on it. A guard against hanging, far above what a loaded machine needs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Leaves a test undone and says why: `skip!("needs {} file descriptors", n)` prints `SKIPPED: needs 4096 file descriptors` and returns.
///
/// A skip is for what a machine may lack and the project cannot install. CI counts them, and fails on one that its script does not expect.
#[macro_export]
macro_rules! skip {
    ($($why:tt)*) => {{
        $crate::skipped(&::std::format!($($why)*));
        return;
    }};
}

/// Prints a skip's line past the capture of the test runner, which shows nothing of a test that passes.
#[doc(hidden)]
pub fn skipped(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    // The line is for people and for CI's count; a closed standard output must not fail the test.
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}
