//! The trait that every store meets, and the batch, the range and the bounds that cross it. No I/O here.

use std::ops::ControlFlow;

use crate::error::{StoreError, hex};

/// Longest key, table byte included. Keys are a table, a prefecture and a sequence or account number: 256 is generous, and the engine keeps
/// one key per leaf in memory.
pub const MAX_KEY_BYTES: usize = 256;

/// Longest value. A journal group or a page of rows stays far below; a plugin's component is cut into parts by its owner.
pub const MAX_VALUE_BYTES: usize = 8 << 20;

/// Most bytes of keys and values that one batch may carry: what one commit holds in memory, a few times over.
pub const MAX_BATCH_BYTES: usize = 64 << 20;

/// Most puts and deletes that one batch may carry.
pub const MAX_BATCH_OPERATIONS: usize = 200_000;

/// A key and its value.
pub type Record = (Vec<u8>, Vec<u8>);

/// What [`Store::scan`] calls for every record: key, value; it says whether to go on.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError> + 'a;

/// When a commit may return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the batch, and every buffered one before it, would survive the machine losing power.
    Durable,
    /// When the batch is applied in order. A crash may lose it, with everything after it, until a later durable commit or a
    /// [`Store::sync`] has returned: for bulk work that can be done again.
    Buffered,
}

/// A durable, ordered map from keys to values with atomic batches. The first byte of a key is its table.
///
/// Reads see what has been applied, durable or not; whoever must not act before durability waits for [`Store::commit`] to return. A scan is
/// not a snapshot: it may see some of the batches that are committed beside it. [`Store::snapshot`] is one.
pub trait Store: Send + Sync + 'static {
    /// Applies `batch` as a whole or not at all, after every earlier commit. Of two operations on one key the later wins.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] refuses before anything is written: the store goes on and the same batch may be tried again.
    /// [`StoreError::Failed`] stops the store: whether the batch survives is known only after the next start, and everything after it is
    /// [`StoreError::Stopped`]. The rest are a caller's mistakes: a key, a value or a batch out of bounds.
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError>;

    /// The value under `key`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when what is stored is not what was written; [`StoreError::Stopped`] after a failure.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Calls `visit` with every record in `range`, by ascending key, until it breaks or fails. `visit` may read the store but must not write it.
    ///
    /// # Errors
    /// As [`Store::get`], and whatever `visit` returns.
    fn scan(&self, range: &KeyRange, visit: &mut Visit<'_>) -> Result<(), StoreError>;

    /// The record with the greatest key that starts with `prefix`.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn last(&self, prefix: &[u8]) -> Result<Option<Record>, StoreError>;

    /// Makes everything that is buffered durable.
    ///
    /// # Errors
    /// [`StoreError::Failed`] or [`StoreError::Stopped`], as [`Store::commit`].
    fn sync(&self) -> Result<(), StoreError>;

    /// Bytes that the store takes on disk.
    ///
    /// # Errors
    /// [`StoreError::Read`] when the directory cannot be read.
    fn size_on_disk(&self) -> Result<u64, StoreError>;

    /// A view of this instant that later commits do not change, to be read in slices beside them. One at a time.
    ///
    /// # Errors
    /// [`StoreError::SnapshotBusy`] while another is open.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError>;

    /// Bytes that the engine holds in memory for records written since it started, whatever its cache may hold; what [`Store::trim`] frees.
    fn untrimmed_bytes(&self) -> u64;

    /// Makes everything durable and gives back the memory that written records hold. Commits and reads wait meanwhile (under a second).
    ///
    /// # Errors
    /// As [`Store::sync`]; [`StoreError::SnapshotBusy`] while a snapshot is open.
    fn trim(&self) -> Result<(), StoreError>;
}

/// One instant of a store, read in slices by ascending key.
pub trait Snapshot: Send {
    /// The next records, about `max_bytes` of them and at least one; none at all means that the end was reached. Commits wait while a slice
    /// is read, so a slice of a few megabytes costs them a few milliseconds.
    ///
    /// # Errors
    /// As [`Store::get`], and [`StoreError::SnapshotOverrun`] when more was changed beside it than it may keep old values of.
    fn next_slice(&mut self, max_bytes: usize) -> Result<Vec<Record>, StoreError>;
}

/// Puts and deletes that are applied together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    operations: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a put: `value` is to be found under `key`.
    pub fn put(&mut self, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.push(key.into(), Some(value.into()))
    }

    /// Adds a delete: nothing is to be found under `key`. Deleting what is not there is no mistake.
    pub fn delete(&mut self, key: impl Into<Vec<u8>>) -> &mut Self {
        self.push(key.into(), None)
    }

    fn push(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) -> &mut Self {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.operations.push((key, value));
        self
    }

    /// Bytes of keys and values.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of puts and deletes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The operations in the order in which they were added; no value is a delete.
    pub fn operations(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.operations.iter().map(|(key, value)| (key.as_slice(), value.as_deref()))
    }

    /// Whether nothing is put, so that applying it can only make room.
    pub(crate) fn only_deletes(&self) -> bool {
        self.operations.iter().all(|(_, value)| value.is_none())
    }

    pub(crate) fn into_operations(self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        self.operations
    }

    /// Refuses what is out of bounds, before anything is applied.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.bytes > MAX_BATCH_BYTES || self.operations.len() > MAX_BATCH_OPERATIONS {
            return Err(StoreError::BatchTooLarge { bytes: self.bytes, operations: self.operations.len() });
        }
        for (key, value) in &self.operations {
            check_key(key)?;
            if let Some(value) = value
                && value.len() > MAX_VALUE_BYTES
            {
                return Err(StoreError::ValueTooLarge { key: hex(key), bytes: value.len() });
            }
        }
        Ok(())
    }
}

/// Refuses a key that no record can have.
pub(crate) fn check_key(key: &[u8]) -> Result<(), StoreError> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES { Err(StoreError::KeyLength { bytes: key.len() }) } else { Ok(()) }
}

/// Keys from one, included, up to another, excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    from: Vec<u8>,
    to: Option<Vec<u8>>,
}

impl KeyRange {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self { from: Vec::new(), to: None }
    }

    /// Every key that starts with `prefix`.
    #[must_use]
    pub fn prefix(prefix: &[u8]) -> Self {
        Self { from: prefix.to_vec(), to: after_prefix(prefix) }
    }

    /// Keys from `from` on.
    #[must_use]
    pub fn from(from: &[u8]) -> Self {
        Self { from: from.to_vec(), to: None }
    }

    /// Keys from `from`, included, up to `to`, excluded.
    #[must_use]
    pub fn between(from: &[u8], to: &[u8]) -> Self {
        Self { from: from.to_vec(), to: Some(to.to_vec()) }
    }

    /// Keys that start with `prefix`, from `from` on: where an interrupted scan goes on.
    #[must_use]
    pub fn prefix_from(prefix: &[u8], from: &[u8]) -> Self {
        Self { from: from.max(prefix).to_vec(), to: after_prefix(prefix) }
    }

    /// The first key that may be in the range.
    #[must_use]
    pub fn start(&self) -> &[u8] {
        &self.from
    }

    /// The first key behind the range; none when it has no end.
    #[must_use]
    pub fn end(&self) -> Option<&[u8]> {
        self.to.as_deref()
    }

    pub(crate) fn ends_before(&self, key: &[u8]) -> bool {
        self.to.as_deref().is_some_and(|to| key >= to)
    }

    /// Whether no key can be in the range.
    pub(crate) fn is_void(&self) -> bool {
        self.ends_before(&self.from)
    }
}

/// The first key behind all that start with `prefix`: none when they are the last ones possible.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_after_a_prefix() {
        assert_eq!(after_prefix(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(after_prefix(&[1, 255, 255]), Some(vec![2]));
        assert_eq!(after_prefix(&[255, 255]), None);
        assert_eq!(after_prefix(&[]), None);
    }
}
