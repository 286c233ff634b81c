//! What can go wrong with a province's state.

use gridbell_model::{AccountNumber, MessageId, PrefectureCode, RunId};
use gridbell_store::StoreError;
use gridbell_topology::Refusal;

/// Why the state refused or failed. Nothing that was refused was changed; nothing that failed was acknowledged.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The store beneath failed.
    #[error("the store refused a change: {0}")]
    Store(#[from] StoreError),
    /// A page cannot be read.
    #[error("a page of customers is {why}; restore the data directory from a backup")]
    Page {
        /// What is wrong with it.
        why: &'static str,
    },
    /// A record cannot be read.
    #[error("a record of table `{table}` cannot be read: {why}; restore the data directory from a backup")]
    Record {
        /// The table's letter.
        table: char,
        /// What is wrong with it.
        why: String,
    },
    /// No such prefecture.
    #[error("there are no customers of prefecture `{0}`")]
    NoPrefecture(PrefectureCode),
    /// No such account.
    #[error("there is no account `{0}`")]
    NoAccount(AccountNumber),
    /// No such message.
    #[error("there is no message `{0}`")]
    NoMessage(MessageId),
    /// No such run.
    #[error("there is no run `{0}`")]
    NoRun(RunId),
    /// A document was changed by somebody else meanwhile.
    #[error(
        "`{key}` was changed meanwhile: it is at version {found}, not {expected}; read it again and repeat the change"
    )]
    Conflict {
        /// The document.
        key: String,
        /// The version that the caller had read.
        expected: u64,
        /// The version that is there.
        found: u64,
    },
    /// A bound was met.
    #[error("{what} is over its bound of {bound}; {hint}")]
    Bound {
        /// What is too large.
        what: String,
        /// The bound.
        bound: usize,
        /// What to do.
        hint: &'static str,
    },
    /// The store or the disk refused; nothing was changed and the state goes on.
    #[error("the change was refused and nothing was changed: {0}")]
    Refused(String),
    /// The data directory is of a later version.
    #[error("the data directory is of format {found}, this program knows up to {known}; start the newer program")]
    Format {
        /// What is there.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// An archive tells of records that are others here.
    #[error(
        "the archive behind the last one tells of another history: its {what} is another one here; move the file out of the directory"
    )]
    OtherHistory {
        /// Which record.
        what: String,
    },
    /// The history does not reach back so far.
    #[error(
        "the history does not have the state of sequence {wanted}: {}",
        oldest.map_or_else(|| "it was not kept without a gap since".to_owned(), |o| format!("it begins at sequence {o}"))
    )]
    HistoryGone {
        /// What was asked for.
        wanted: u64,
        /// The first that can be rebuilt; none where it has a gap.
        oldest: Option<u64>,
    },
    /// A file of the history is missing, damaged, exchanged, or cannot be written.
    #[error("the history file `{file}`: {why}")]
    HistoryFile {
        /// Which.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// The writer has stopped.
    #[error("the state is closing and takes no more changes; repeat this after the restart")]
    Closed,
    /// The writer stopped after a failure; the process must restart.
    #[error(
        "the state stopped taking changes after a failure of its store: {0}; free disk space or mend the disk, then restart"
    )]
    Failed(String),
    /// A fact about the grid was not taken; nothing was changed.
    #[error(transparent)]
    Grid(#[from] Refusal),
    /// Another run of the prefecture is being published.
    #[error("another run of prefecture `{0}` is being published; wait for it")]
    RunInProgress(PrefectureCode),
}
