//! The history: what the journal said before a checkpoint dropped it, kept in files for as long as the province wants to rebuild the state of a
//! run. Names of customers do not enter; everything else does, sealed with the data key.
//!
//! A **journal file** has the groups of a range of sequences; a **base** has the customers' pages as a checkpoint left them, so that a rebuild
//! begins there and not at the first day. The store knows each file with its SHA-256 in one record, the head, and only what the head names counts.
//!
//! **Order.** A checkpoint's marker is durable; then the groups behind the last file are written to a file, durable under its name; then the head
//! that names it is committed; then the groups are dropped. Killed before the head, the file counts for nothing and the groups are in the store
//! still; killed after it, the groups that are left are dropped by the next checkpoint. When a file cannot be written the groups stay in the store
//! until the next try, up to [`MAX_KEPT_JOURNAL_BYTES`]: beyond that the house goes on and the history has a gap, which is told.

mod file;
mod keep;
mod rebuild;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use gridbell_model::Moment;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::error::StateError;
use crate::shared::Shared;
use crate::state::State;
use crate::{keys, records};

pub use rebuild::{Rebuild, RebuildStep};

/// Days of history that a province keeps until its rules say otherwise: a month to look back on, and some room.
pub const DEFAULT_HISTORY_DAYS: u32 = 35;
/// Journal that stays in the store while no history file can be written; beyond it, it is dropped all the same.
pub const MAX_KEPT_JOURNAL_BYTES: u64 = 1 << 30;
/// The most bytes that all files together take; the oldest go before their time beyond it.
pub const MAX_HISTORY_BYTES: u64 = 64 << 30;
/// A new base is due after so many days, whatever was written.
const BASE_DAYS: i32 = 7;
/// A new base is not due before so many bytes of journal files were written behind the last one: rebuilding reads them in seconds.
const LEAST_BASE_BYTES: u64 = 64 << 20;

/// What a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// Groups of the journal.
    Journal = 1,
    /// The customers' pages at one sequence.
    Base = 2,
}

impl Kind {
    fn file_name(self, first: u64, last: u64) -> String {
        match self {
            Self::Journal => format!("journal-{first:015}-{last:015}.gbh"),
            Self::Base => format!("base-{last:015}.gbh"),
        }
    }
}

/// A file that the store knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// What it has.
    pub kind: Kind,
    /// Its first sequence; of a base its only one.
    pub first: u64,
    /// Its last sequence.
    pub last: u64,
    /// When it was made.
    pub made: Moment,
    /// How long it is.
    pub bytes: u64,
    /// Its digest: a file that is another one is named.
    pub digest: [u8; 32],
}

/// What the store knows of its history. Files are in order of their sequences.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryHead {
    /// Journal files; where one does not begin behind the one before, the history has a gap.
    pub journals: Vec<FileRef>,
    /// Bases.
    pub bases: Vec<FileRef>,
}

impl HistoryHead {
    /// The last sequence that is in a file.
    fn last(&self) -> u64 {
        self.journals.last().map_or(0, |f| f.last)
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.journals.iter().chain(&self.bases).map(|f| f.bytes).sum()
    }
}

/// Where the history is kept, and for how long.
pub(crate) struct History {
    directory: PathBuf,
    days: AtomicU32,
    head: Mutex<HistoryHead>,
    /// Why the last checkpoint could not write it; none when it could.
    failure: Mutex<Option<String>>,
}

/// How the history stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryStatus {
    /// What the store knows.
    pub head: HistoryHead,
    /// Days that are kept; 0 for none.
    pub days: u32,
    /// Why the last checkpoint could not write it.
    pub failure: Option<String>,
}

impl History {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self {
            directory,
            days: AtomicU32::new(DEFAULT_HISTORY_DAYS),
            head: Mutex::default(),
            failure: Mutex::default(),
        }
    }

    pub(crate) fn load(&self, shared: &Shared) -> Result<(), StateError> {
        if let Some(value) = shared.store.get(&[keys::HISTORY])? {
            *self.head.lock() = records::read(&shared.sealer, &[keys::HISTORY], &value)?;
        }
        Ok(())
    }

    fn days(&self) -> u32 {
        self.days.load(Ordering::Acquire)
    }
}

impl State {
    /// Keeps so many days of history from the next checkpoint on; 0 keeps none and lets go of what there is. Without a directory for it nothing
    /// happens.
    pub fn keep_history(&self, days: u32) {
        if let Some(history) = &self.shared().history {
            history.days.store(days, Ordering::Release);
        }
    }

    /// How the history stands; none where none is kept.
    #[must_use]
    pub fn history(&self) -> Option<HistoryStatus> {
        let history = self.shared().history.as_ref()?;
        let (head, failure) = (history.head.lock().clone(), history.failure.lock().clone());
        Some(HistoryStatus { head, days: history.days(), failure })
    }
}
