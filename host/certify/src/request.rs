//! What a certification is told and may use. Never how it is done.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gridbell_clock::Seed;
use gridbell_engine::{Digest, EngineConfig};
use gridbell_model::CivilMinute;
use gridbell_planner::Calendar;
use serde::{Deserialize, Serialize};

use crate::certificate::Check;
use crate::real::RealCustomers;

/// A certification in a process of its own.
#[derive(Debug, Clone)]
pub struct CertifyRequest {
    /// Directory of the [`gridbell_engine::ArtifactStore`] that holds the plugin, compiled. The process reads it and checks the digests.
    pub artifacts: PathBuf,
    /// SHA-256 of the upload.
    pub digest: Digest,
    /// The engine as production has it: guests get production's memory and deadlines. Its threads are not taken over.
    pub engine: EngineConfig,
    /// What is tried, and with what.
    pub terms: Terms,
}

/// What is tried, and with what. The same terms give the same certificate, but for what was measured in time.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Working days, as the host's runs have them.
    pub calendar: Calendar,
    /// Civil time around which customers and days are made up: when somebody asked for the certificate.
    pub now: CivilMinute,
    /// Everything that is drawn comes from it.
    pub seed: Seed,
    /// What it may use.
    pub budget: Budget,
    /// A sample of real customers, tried beside those made up.
    pub real: Option<RealCustomers>,
    /// Checks that are not done. A certificate that lacks one has not passed; for trying out the others.
    pub without: Vec<Check>,
}

impl Terms {
    /// Everything, with the default budget and no real customers.
    #[must_use]
    pub fn new(calendar: Calendar, now: CivilMinute, seed: Seed) -> Self {
        Self { calendar, now, seed, budget: Budget::default(), real: None, without: Vec::new() }
    }
}

/// What a certification and the plugin under trial may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Wall-clock time of the process, which is killed after it. The trial plans with half of it: work beyond each check's minimum is left out for a
    /// slow guest.
    pub wall: Duration,
    /// CPU time of the process, over all threads.
    pub cpu: Duration,
    /// Writable memory of the process, in bytes.
    pub memory_bytes: u64,
    /// Units of fuel that the dearest customer may cost. A full batch may cost 4096 times that.
    pub fuel_per_customer: u64,
}

impl Default for Budget {
    /// 100 000 units are about 50 µs: ten times what a Python guest takes for a customer (measured: 3.5 to 5 µs).
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(60),
            cpu: Duration::from_secs(60),
            memory_bytes: 3 << 30,
            fuel_per_customer: 100_000,
        }
    }
}

/// How far a certification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The check under way.
    pub check: Check,
    /// Checks that are done.
    pub done: usize,
    /// Checks in all.
    pub of: usize,
    /// Customers tried so far, repeated trials counted.
    pub tried: u64,
}

/// Ends a certification from another thread. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks for the end: the process is killed within a tenth of a second.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked for the end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
