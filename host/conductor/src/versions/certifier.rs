//! Who certifies: the seam to a process that the host can limit and kill. This crate knows neither the process nor the trials.

use std::path::PathBuf;
use std::sync::Arc;

use gridbell_clock::Seed;
use gridbell_engine::{Digest, EngineConfig};
use gridbell_model::CivilMinute;
use gridbell_planner::Calendar;
use gridbell_state::Snapshot;
use parking_lot::Mutex;
use serde_json::Value;

use super::record::Progress;

/// What is to be certified, and with what.
pub struct CertifyOrder {
    /// Where plugins are kept; this one was compiled.
    pub artifacts: PathBuf,
    /// The content.
    pub digest: Digest,
    /// The engine as runs have it.
    pub engine: EngineConfig,
    /// Working days.
    pub calendar: Arc<Calendar>,
    /// Civil time.
    pub now: CivilMinute,
    /// What is drawn comes from it.
    pub seed: Seed,
    /// The customers of some prefecture as they are now: trials take a bounded sample beside those made up. None without customers.
    pub customers: Option<Snapshot>,
}

/// How a certification goes, and whether it is to end.
#[derive(Default)]
pub struct CertifyWatch(Mutex<Watched>);

#[derive(Default)]
struct Watched {
    stopped: bool,
    progress: Progress,
    when_stopped: Option<Box<dyn Fn() + Send>>,
}

impl CertifyWatch {
    /// Calls `end` when somebody gives it up; at once if somebody has.
    pub fn when_stopped(&self, end: impl Fn() + Send + 'static) {
        let mut watched = self.0.lock();
        if watched.stopped {
            end();
        }
        watched.when_stopped = Some(Box::new(end));
    }

    /// Says how far it is.
    pub fn tell(&self, doing: &str, percent: u8) {
        self.0.lock().progress = Progress { doing: doing.to_owned(), percent: percent.min(100) };
    }

    pub(crate) fn progress(&self) -> Progress {
        self.0.lock().progress.clone()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.0.lock().stopped
    }

    pub(crate) fn stop(&self) {
        let mut watched = self.0.lock();
        watched.stopped = true;
        if let Some(end) = &watched.when_stopped {
            end();
        }
    }
}

/// What a certification found.
#[derive(Clone, Debug)]
pub struct Certified {
    /// Whether every promise held.
    pub passed: bool,
    /// In a sentence: what held, or which promise was broken.
    pub summary: String,
    /// The report; with the smallest counterexample as a case to paste where a promise was broken.
    pub report: Value,
    /// What a full batch costs, in microseconds.
    pub batch_cost_us: Option<u64>,
}

/// Why there is neither a certificate nor a broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotCertified {
    /// Something from outside ended it: a person, the machine's shutdown, a lack of the machine's memory. It says nothing of the plugin.
    Interrupted(String),
    /// This machine cannot certify now: a sentence for the operator.
    Unable(String),
}

/// Certifies uploads. Called from a thread that may block; hostile bytes are the normal case.
pub trait Certifier: Send + Sync {
    /// Tries the plugin; ends soon after somebody gave it up.
    ///
    /// # Errors
    /// When it could not be tried. What the plugin does wrong, a limit that it meets included, is no error but a report that says so.
    fn certify(&self, order: CertifyOrder, watch: &CertifyWatch) -> Result<Certified, NotCertified>;
}

/// Certifies nothing: for hosts to which nobody uploads, as those of a simulation.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCertifier;

impl Certifier for NoCertifier {
    fn certify(&self, _: CertifyOrder, _: &CertifyWatch) -> Result<Certified, NotCertified> {
        Err(NotCertified::Unable("this host certifies nothing".to_owned()))
    }
}
