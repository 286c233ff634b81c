//! Why there is no certificate. A plugin that fails a check is no error: that is a certificate which says so.

use std::path::PathBuf;

use gridbell_engine::{EngineError, RunError};

/// Why a certification came to no end.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// The plugin cannot be loaded.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The host could not run the guest: no free slot, no memory. Not the guest's doing.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The certification cannot be set up: a calendar without the day, a process that may not be limited.
    #[error("the certification cannot be set up: {detail}")]
    Setup {
        /// What is wrong.
        detail: String,
    },
    /// The process could not be started.
    #[error("the certifier `{program}` cannot be started")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Somebody cancelled it.
    #[error("the certification was cancelled")]
    Cancelled,
    /// It took too long and was killed.
    #[error(
        "the certification did not end within its limit of {seconds} s and was killed; make the plugin cheaper, or certify it on a machine with less to do"
    )]
    TimedOut {
        /// The wall-clock limit.
        seconds: u64,
    },
    /// Its CPU time was over.
    #[error("the certification used up its limit of {seconds} s of CPU time and was ended; make the plugin cheaper")]
    OutOfCpu {
        /// The limit.
        seconds: u64,
    },
    /// Somebody or something outside ended the process: a person, the machine's shutdown, the machine's lack of memory. The plugin has no part in it.
    #[error("the certification was ended from outside by signal {signal}")]
    Interrupted {
        /// The signal's number.
        signal: i32,
    },
    /// The process was ended by a signal of its own making: out of memory, or a crash.
    #[error(
        "the certifier's process was ended by signal {signal}{meaning}; the host goes on, and the plugin stays without a certificate"
    )]
    Signalled {
        /// The signal's number.
        signal: i32,
        /// What that usually means.
        meaning: &'static str,
    },
    /// The process left without an answer.
    #[error("the certifier's process left with code {code} and no answer: `{stderr}`")]
    Exited {
        /// The exit code.
        code: i32,
        /// The end of what it said.
        stderr: String,
    },
    /// Its answer is not one.
    #[error("the certifier's answer cannot be read: {detail}")]
    BadAnswer {
        /// What is wrong.
        detail: String,
    },
    /// It said why it could not.
    #[error("{detail}")]
    Failed {
        /// In its own words.
        detail: String,
    },
}
