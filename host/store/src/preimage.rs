//! How a snapshot stays at its instant while writes go on: the writer keeps the old value of every key that it changes and that the snapshot
//! has not read yet. Never fails a commit: what it cannot keep ends the snapshot instead.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::envelope;
use crate::error::StoreError;
use crate::sled_store::{Inner, walk};
use crate::store::{Record, Snapshot};

/// Old values kept in memory; what comes on top goes to a file.
pub const MAX_PREIMAGE_MEMORY_BYTES: usize = 32 << 20;

/// Old values kept in the file; beyond, the snapshot ends with an error.
pub const MAX_PREIMAGE_SPILL_BYTES: u64 = 4 << 30;

/// Keys, with their bookkeeping, of old values: about a million; beyond, the snapshot ends with an error.
pub const MAX_PREIMAGE_KEYS_BYTES: usize = 128 << 20;

/// What one entry costs beside its key.
const ENTRY_BYTES: usize = 96;

/// Where old values go that are too many for memory, beside the engine's own files.
const SPILL_FILE: &str = "snapshot-spill.tmp";

/// The old values that a snapshot needs.
pub(crate) struct PreImages {
    spill_path: PathBuf,
    /// Everything before this key has been read by the snapshot.
    next: Vec<u8>,
    old: BTreeMap<Vec<u8>, Old>,
    key_bytes: usize,
    memory_bytes: usize,
    spill: Option<File>,
    spilled_bytes: u64,
    failed: Option<StoreError>,
    /// Set with `failed`, and stays: nothing more is kept.
    over: bool,
}

enum Old {
    Absent,
    Stored(sled::InlineArray),
    Spilled { at: u64, length: usize },
}

impl PreImages {
    pub(crate) fn new(directory: &Path) -> Self {
        Self {
            spill_path: directory.join(SPILL_FILE),
            next: Vec::new(),
            old: BTreeMap::new(),
            key_bytes: 0,
            memory_bytes: 0,
            spill: None,
            spilled_bytes: 0,
            failed: None,
            over: false,
        }
    }

    /// Removes what a killed process has left behind.
    pub(crate) fn remove_leftovers(directory: &Path) {
        let _ = std::fs::remove_file(directory.join(SPILL_FILE));
    }

    /// Keeps what is stored under `key`, which is about to change, if the snapshot will still need it.
    pub(crate) fn keep(
        &mut self,
        key: &[u8],
        stored: impl FnOnce() -> Result<Option<sled::InlineArray>, StoreError>,
    ) -> Result<(), StoreError> {
        if self.over || key < self.next.as_slice() || self.old.contains_key(key) {
            return Ok(());
        }
        let old = match stored()? {
            None => Old::Absent,
            Some(value) if self.memory_bytes + value.len() <= MAX_PREIMAGE_MEMORY_BYTES => {
                self.memory_bytes += value.len();
                Old::Stored(value)
            }
            Some(value) => match self.spill(&value) {
                Ok(old) => old,
                Err(e) => {
                    self.fail(e);
                    return Ok(());
                }
            },
        };
        self.key_bytes += key.len() + ENTRY_BYTES;
        self.old.insert(key.to_vec(), old);
        if self.key_bytes > MAX_PREIMAGE_KEYS_BYTES {
            self.fail(StoreError::SnapshotOverrun { limit_bytes: MAX_PREIMAGE_KEYS_BYTES as u64 });
        }
        Ok(())
    }

    fn fail(&mut self, error: StoreError) {
        tracing::warn!(%error, "the running backup cannot be finished");
        self.failed = Some(error);
        self.over = true;
        self.old.clear();
        self.spill = None;
    }

    fn spill(&mut self, value: &[u8]) -> Result<Old, StoreError> {
        let (at, length) = (self.spilled_bytes, value.len());
        if at + length as u64 > MAX_PREIMAGE_SPILL_BYTES {
            return Err(StoreError::SnapshotOverrun { limit_bytes: MAX_PREIMAGE_SPILL_BYTES });
        }
        let failed = |source| StoreError::SnapshotSpill { path: self.spill_path.clone(), source };
        let file = match &mut self.spill {
            Some(file) => file,
            none => none.insert(anonymous_file(&self.spill_path).map_err(failed)?),
        };
        file.write_all_at(value, at).map_err(failed)?;
        self.spilled_bytes += length as u64;
        Ok(Old::Spilled { at, length })
    }

    /// The stored bytes of an old value; none when there was none.
    fn recall(&self, old: &Old) -> Result<Option<Vec<u8>>, StoreError> {
        match old {
            Old::Absent => Ok(None),
            Old::Stored(value) => Ok(Some(value.to_vec())),
            Old::Spilled { at, length } => {
                let mut value = vec![0; *length];
                let read = self
                    .spill
                    .as_ref()
                    .map_or_else(|| Err(io::ErrorKind::NotFound.into()), |file| file.read_exact_at(&mut value, *at));
                read.map_err(|source| StoreError::SnapshotSpill { path: self.spill_path.clone(), source })?;
                Ok(Some(value))
            }
        }
    }

    /// Goes on behind `last`, forgetting what lies before.
    fn advance(&mut self, last: &[u8]) {
        self.next = last.to_vec();
        self.next.push(0);
        let later = self.old.split_off(&self.next);
        for (key, old) in std::mem::replace(&mut self.old, later) {
            self.key_bytes -= key.len() + ENTRY_BYTES;
            if let Old::Stored(value) = old {
                self.memory_bytes -= value.len();
            }
        }
    }
}

/// A file without a name: it is gone with the process, however that ends.
fn anonymous_file(path: &Path) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

/// A snapshot of a [`crate::SledStore`].
pub(crate) struct SledSnapshot {
    store: Arc<Inner>,
    ended: bool,
}

impl SledSnapshot {
    pub(crate) fn new(store: Arc<Inner>) -> Self {
        Self { store, ended: false }
    }
}

impl Snapshot for SledSnapshot {
    fn next_slice(&mut self, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        if self.ended {
            return Ok(Vec::new());
        }
        let mut writer = self.store.writer();
        let Some(preimages) = &mut writer.preimages else { return Ok(Vec::new()) };
        if let Some(error) = preimages.failed.take() {
            self.ended = true;
            return Err(error);
        }
        let mut slice = Slice { records: Vec::new(), taken_bytes: 0, max_bytes: max_bytes.max(1), last: None };
        let reached_end = self.store.with_engine(|db| slice.fill(db, preimages))?;
        if let Some(last) = slice.last.take() {
            preimages.advance(&last);
        }
        self.ended = reached_end;
        Ok(slice.records)
    }
}

impl Drop for SledSnapshot {
    fn drop(&mut self) {
        self.store.writer().preimages = None;
    }
}

/// The records of one slice while it is read.
struct Slice {
    records: Vec<Record>,
    taken_bytes: usize,
    max_bytes: usize,
    /// The last key that was dealt with, whether it had a record or not.
    last: Option<Vec<u8>>,
}

impl Slice {
    /// Merges what is stored with the old values, by key; true when the end was reached.
    fn fill(&mut self, db: &crate::sled_engine::Db, preimages: &PreImages) -> Result<bool, StoreError> {
        let from = preimages.next.clone();
        let mut old = preimages.old.range::<[u8], _>((Bound::Included(from.as_slice()), Bound::Unbounded)).peekable();
        let mut full = false;
        walk(db, &from, |key, stored| {
            while let Some((old_key, value)) = old.next_if(|(old_key, _)| old_key.as_slice() < key) {
                if self.take_old(old_key, value, preimages)? {
                    full = true;
                    return Ok(ControlFlow::Break(()));
                }
            }
            full = match old.next_if(|(old_key, _)| old_key.as_slice() == key) {
                Some((_, value)) => self.take_old(key, value, preimages)?,
                None => self.take(key, Some(stored))?,
            };
            Ok(if full { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        while !full {
            let Some((key, value)) = old.next() else { return Ok(true) };
            full = self.take_old(key, value, preimages)?;
        }
        Ok(false)
    }

    fn take_old(&mut self, key: &[u8], old: &Old, preimages: &PreImages) -> Result<bool, StoreError> {
        let stored = preimages.recall(old)?;
        self.take(key, stored.as_deref())
    }

    /// Deals with one key; true when the slice is full. It is only ever full with a record in it.
    fn take(&mut self, key: &[u8], stored: Option<&[u8]>) -> Result<bool, StoreError> {
        if let Some(stored) = stored {
            let value = envelope::decode(key, stored)?.into_owned();
            self.taken_bytes += key.len() + value.len();
            self.records.push((key.to_vec(), value));
        }
        self.last = Some(key.to_vec());
        Ok(self.taken_bytes >= self.max_bytes)
    }
}
