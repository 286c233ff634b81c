//! Output, logs and errors as people and scripts get them.
//!
//! Whoever reads the output may stop (`gridbell audit list | head`): then the rest is not printed, and the command does its work to the end. The
//! standard library's `println!` would panic instead, so this crate has its own.

use std::fmt::Arguments;
use std::io::{ErrorKind, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use crate::error::CommandError;

/// Prints a line to standard output.
macro_rules! println {
    ($($text:tt)*) => { $crate::output::line(format_args!($($text)*)) };
}
/// Prints a line to standard error.
macro_rules! eprintln {
    ($($text:tt)*) => { $crate::output::error_line(format_args!($($text)*)) };
}

/// Why standard output took no more; a reader who left is none.
static FAILED: OnceLock<String> = OnceLock::new();

/// Yuan with everything down to a thousandth of a fen that is not zero.
pub(crate) fn yuan(milli_fen: u64) -> String {
    let (yuan, rest) = (milli_fen / 100_000, milli_fen % 100_000);
    let text = format!("{yuan}.{rest:05}");
    let kept = text.trim_end_matches('0').len().max(text.len() - 3);
    text[..kept].to_owned()
}

/// A line on standard output.
pub(crate) fn line(text: Arguments<'_>) {
    write(&std::fmt::format(text), "\n");
}

/// Text on standard output as it is.
pub(crate) fn write(text: &str, end: &str) {
    let mut out = std::io::stdout().lock();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes())).and_then(|()| out.flush());
    if let Err(e) = written.or_else(reader_left) {
        FAILED.get_or_init(|| e.to_string());
    }
}

fn reader_left(e: std::io::Error) -> std::io::Result<()> {
    if e.kind() == ErrorKind::BrokenPipe { Ok(()) } else { Err(e) }
}

/// A line on standard error. Where nobody takes it there is nobody to tell.
pub(crate) fn error_line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The error of a command that did its work and could not print all of it, for example to a full disk.
pub(crate) fn all_printed() -> Result<(), CommandError> {
    FAILED.get().map_or(Ok(()), |why| Err(CommandError::Failed(format!("cannot write to standard output: {why}"))))
}

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
