//! Logs and errors as people and scripts get them.

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;

use crate::error::CommandError;

/// Starts logging to standard error: `GRIDBELL_LOG` says what, `warn` by default.
pub(crate) fn logs(json: bool) {
    let filter = EnvFilter::try_from_env("GRIDBELL_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let builder = builder.with_ansi(std::io::stderr().is_terminal());
    // A second start within one process (tests) keeps the first.
    let _ = if json { builder.json().try_init() } else { builder.compact().try_init() };
}

/// Says why the command failed, and returns its exit code.
pub(crate) fn failed(e: &CommandError) -> ExitCode {
    eprintln!("gridbell: {e}");
    e.code()
}
