//! What can go wrong, each with what to do about it. Keys appear in hex, values and key material never.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::store::{MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS, MAX_KEY_BYTES, MAX_VALUE_BYTES};

/// Why a store did not do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Another process, or another handle of this one, has the store open.
    #[error("`{path}` is in use by another process: a data directory serves one host at a time; stop the other one")]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// The directory cannot be opened as a store.
    #[error(
        "cannot open the store in `{path}`: check that the directory exists, belongs to this user and is a data directory of this host"
    )]
    Open {
        /// The store's directory.
        path: PathBuf,
        /// What the system or the engine said.
        source: io::Error,
    },
    /// A key of no bytes, or of too many.
    #[error("a key has 1 to {MAX_KEY_BYTES} bytes, this one {bytes}")]
    KeyLength {
        /// Its length.
        bytes: usize,
    },
    /// A value beyond the bound.
    #[error("the value under `{key}` has {bytes} bytes, at most {MAX_VALUE_BYTES} are possible: split it")]
    ValueTooLarge {
        /// The key, in hex.
        key: String,
        /// The value's length.
        bytes: usize,
    },
    /// A batch beyond the bounds.
    #[error(
        "a batch of {operations} operations and {bytes} bytes, at most {MAX_BATCH_OPERATIONS} and {MAX_BATCH_BYTES} are possible: split it"
    )]
    BatchTooLarge {
        /// Bytes of keys and values.
        bytes: usize,
        /// Puts and deletes.
        operations: usize,
    },
    /// Refused before writing, because the disk is nearly full. Nothing has changed and the store goes on.
    #[error(
        "the disk is nearly full: {free_bytes} bytes free, {floor_bytes} are kept in reserve; nothing was written, make room and try again"
    )]
    DiskFull {
        /// Bytes that this user may still write.
        free_bytes: u64,
        /// Bytes below which nothing is written.
        floor_bytes: u64,
    },
    /// A write or its flush failed. What was acknowledged is safe, what was not may be either; the store has stopped.
    #[error("writing to the store failed{}; what was acknowledged is safe, restart the host to go on", if *disk_full { " because the disk is full" } else { "" })]
    Failed {
        /// Whether the cause was a full disk.
        disk_full: bool,
        /// What the system or the engine said.
        source: io::Error,
    },
    /// The store stopped after an earlier failure.
    #[error("the store has stopped after a failure: {reason}; restart the host to go on")]
    Stopped {
        /// The failure, in words.
        reason: String,
    },
    /// Reading failed for a reason of the system.
    #[error("cannot read the store")]
    Read {
        /// What the system said.
        source: io::Error,
    },
    /// What is stored is not what was written.
    #[error("the record `{key}` of table {table} is damaged ({what}): restore the last backup, and check the disk")]
    Corrupt {
        /// The key's first byte.
        table: u8,
        /// The key, in hex; for a scan the one from which it could not go on.
        key: String,
        /// What does not fit.
        what: &'static str,
    },
    /// Written by a later version of the host.
    #[error(
        "the record `{key}` has format {format}, which this version does not know: use the version that wrote it, or a later one"
    )]
    NewerFormat {
        /// The key, in hex.
        key: String,
        /// Its format.
        format: u8,
    },
    /// A snapshot is open already.
    #[error("a backup of this store is running already: wait for it to end")]
    SnapshotBusy,
    /// More has changed beside a snapshot than it may keep old values of.
    #[error(
        "too much was written while the backup ran: it would have to keep more than {limit_bytes} bytes of old values; repeat it when less is imported"
    )]
    SnapshotOverrun {
        /// The bound that was reached.
        limit_bytes: u64,
    },
    /// A snapshot could not keep the old values that it needs.
    #[error("the backup cannot keep old values aside in `{path}`")]
    SnapshotSpill {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a backup was not written, or not restored.
#[derive(Debug, Error)]
pub enum BackupError {
    /// The store could not be read, or the restored one not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup file could not be written.
    #[error("cannot write the backup")]
    Write(#[source] io::Error),
    /// The backup file could not be read.
    #[error("cannot read the backup")]
    Read(#[source] io::Error),
    /// Not a backup of this product.
    #[error("this is no backup of a gridbell store")]
    NotABackup,
    /// Written by a later version of the host.
    #[error(
        "the backup has format {format}, which this version does not know: restore it with the version that wrote it, or a later one"
    )]
    NewerFormat {
        /// Its format.
        format: u16,
    },
    /// The file ends too early, was changed, or has something behind its end.
    #[error("the backup is damaged at byte {offset} ({what}): nothing was restored, use another one")]
    Damaged {
        /// Where it was noticed.
        offset: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// The target has something in it.
    #[error("`{path}` is not empty: a backup is restored into a new directory; move the old one away first")]
    TargetNotEmpty {
        /// The target.
        path: PathBuf,
    },
    /// The target or its neighbour could not be made.
    #[error("cannot prepare `{path}`")]
    Target {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a key for sealing could not be had.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("cannot read or write the key file `{path}`")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read or change the file.
    #[error("the key file `{path}` is open to every user (mode {mode:o}): run `chmod 600` on it")]
    FileTooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The variable is not set.
    #[error(
        "the environment variable `{name}` is not set: it must hold the key as 64 hex digits or 44 characters of base64"
    )]
    NotSet {
        /// Its name.
        name: String,
    },
    /// Not 32 bytes in hex or base64.
    #[error("{origin} holds no key: 32 bytes are expected, as 64 hex digits or 44 characters of base64")]
    Malformed {
        /// The file or variable, in words.
        origin: String,
    },
    /// The system gave no randomness.
    #[error("the system gave no random bytes for a new key")]
    Entropy,
}

/// Why a value could not be sealed or opened.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum SealError {
    /// Sealed with a key that was not given.
    #[error(
        "sealed with key {sealed_with}, but only {given} is at hand: start with the key file that this data directory was made with"
    )]
    WrongKey {
        /// Id of the key that is needed.
        sealed_with: String,
        /// Ids of the keys that were given.
        given: String,
    },
    /// Changed since it was sealed, or moved from another record.
    #[error("a sealed value was changed or belongs to another record")]
    Broken,
    /// Not a sealed value at all.
    #[error("not a sealed value of a known format")]
    Malformed,
    /// The system gave no randomness.
    #[error("the system gave no random bytes for a nonce")]
    Entropy,
}

impl StoreError {
    /// The error for `key`, whose stored bytes are not what was written.
    pub(crate) fn corrupt(key: &[u8], what: &'static str) -> Self {
        Self::Corrupt { table: key.first().copied().unwrap_or_default(), key: hex(key), what }
    }
}

/// Bytes as lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
