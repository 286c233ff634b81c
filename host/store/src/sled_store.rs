//! The product's store: [`Store`] on sled. Bounds, free space, group durability and snapshots are seen to here; never what the bytes mean.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use crate::envelope;
use crate::error::StoreError;
use crate::preimage::{PreImages, SledSnapshot};
use crate::sled_engine::{Db, Engine, contained, is_disk_full};
use crate::store::{
    Batch, Durability, KeyRange, MAX_BATCH_BYTES, Record, Snapshot, Store, Visit, after_prefix, check_key,
};

/// Records per leaf. The engine rewrites a whole leaf when one of its records changes. Fixed when a data directory is made.
pub const LEAF_FANOUT: usize = 8;

/// Memory that the engine's cache may take unless the operator says otherwise. State keeps what it needs in columns of its own.
pub const DEFAULT_CACHE_BYTES: usize = 64 << 20;

/// Free space below which nothing is put: room for the largest batch with the leaves around it, for the engine's own bookkeeping and for the
/// log files of whoever shares the disk. Batches that only delete may use three quarters of it, so that retention can make room.
pub const FREE_SPACE_FLOOR_BYTES: u64 = 512 << 20;

/// Buffered bytes at which a commit flushes by itself: they are in memory twice while they are written.
pub const MAX_UNFLUSHED_BYTES: usize = MAX_BATCH_BYTES;

/// How often a held lock is tried again: a killed process can hold it for a moment longer.
pub const LOCK_RETRIES: u32 = 60;

/// The pause between two tries.
pub const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How a data directory is opened.
#[derive(Debug, Clone)]
pub struct SledOptions {
    /// Bytes that the engine may keep in memory of what it has read. What was written since the start comes on top: see [`Store::trim`].
    pub cache_bytes: usize,
    /// Free bytes on the disk below which nothing is put.
    pub free_space_floor_bytes: u64,
    /// The engine's own compression of a leaf, as a zstd level. Values are lz4 already, so that a fast level does.
    pub zstd_level: i32,
    /// Share of a heap file that must be in use before the engine stops compacting it.
    pub heap_fill_ratio: f32,
}

impl Default for SledOptions {
    fn default() -> Self {
        Self {
            cache_bytes: DEFAULT_CACHE_BYTES,
            free_space_floor_bytes: FREE_SPACE_FLOOR_BYTES,
            zstd_level: 1,
            heap_fill_ratio: 0.9,
        }
    }
}

/// A store in a directory of its own. Clones share it.
#[derive(Clone)]
pub struct SledStore(Arc<Inner>);

pub(crate) struct Inner {
    path: PathBuf,
    options: SledOptions,
    /// None only after a failed [`Store::trim`]. Readers lock it shared and recursively, so that a visitor may read.
    engine: RwLock<Option<Engine>>,
    writer: Mutex<Writer>,
    /// The failure that stopped the store.
    stopped: OnceLock<String>,
}

/// What the one writer at a time knows.
#[derive(Default)]
pub(crate) struct Writer {
    unflushed_bytes: usize,
    written_bytes: u64,
    /// Old values for the snapshot that is open.
    pub(crate) preimages: Option<PreImages>,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore")
            .field("path", &self.0.path)
            .field("stopped", &self.0.stopped.get())
            .finish_non_exhaustive()
    }
}

impl SledStore {
    /// Opens the store in `path`, making it when there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it, [`StoreError::DiskFull`] below the floor, [`StoreError::Open`] otherwise.
    pub fn open(path: &Path, options: SledOptions) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Open { path: path.to_owned(), source };
        std::fs::create_dir_all(path).map_err(failed)?;
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::File::open(parent).and_then(|d| d.sync_all()).map_err(failed)?;
        }
        // Opening writes too (the engine compacts its log): at least what deletes may use must be there.
        check_free_space(path, options.free_space_floor_bytes / 4)?;
        PreImages::remove_leftovers(path);
        let engine = Engine::open(path, &options)?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            options,
            engine: RwLock::new(Some(engine)),
            writer: Mutex::default(),
            stopped: OnceLock::new(),
        })))
    }

    /// The store's directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Leaves and free slots of the engine: that deletes give back what they free shows here.
    #[must_use]
    pub fn live_leaves(&self) -> u64 {
        self.0
            .with_engine(|db| Ok(db.stats().cache.heap.allocator))
            .map_or(0, |a| a.objects_allocated.saturating_sub(a.objects_freed))
    }
}

impl Inner {
    pub(crate) fn writer(&self) -> parking_lot::MutexGuard<'_, Writer> {
        self.writer.lock()
    }

    fn check_running(&self) -> Result<(), StoreError> {
        match self.stopped.get() {
            Some(reason) => Err(StoreError::Stopped { reason: reason.clone() }),
            None => Ok(()),
        }
    }

    /// Stops the store: what is in memory is no longer what is on disk.
    fn stop(&self, source: io::Error) -> StoreError {
        let disk_full = is_disk_full(&source);
        tracing::error!(path = %self.path.display(), disk_full, error = %source, "store stopped");
        let _ = self.stopped.set(if disk_full { "the disk is full".to_owned() } else { source.to_string() });
        StoreError::Failed { disk_full, source }
    }

    /// Runs `read` with a handle of a running engine.
    pub(crate) fn with_engine<T>(&self, read: impl FnOnce(&Db) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.check_running()?;
        let engine = self.engine.read_recursive();
        let Some(engine) = engine.as_ref() else {
            return Err(StoreError::Stopped { reason: "the store could not be opened again".to_owned() });
        };
        read(&engine.handle())
    }

    /// The stored bytes under `key`.
    pub(crate) fn raw(db: &Db, key: &[u8]) -> Result<Option<sled::InlineArray>, StoreError> {
        contained(|| db.get(key)).map_err(|e| read_error(key, e))
    }

    fn apply(&self, db: &Db, writer: &mut Writer, operations: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> io::Result<()> {
        let mut puts = sled::Batch::default();
        let mut deletes = Vec::new();
        for (key, value) in operations {
            match value {
                Some(stored) => {
                    writer.unflushed_bytes += key.len() + stored.len();
                    writer.written_bytes += (key.len() + stored.len()) as u64;
                    puts.insert(key, stored);
                }
                None => deletes.push(key),
            }
        }
        contained(|| {
            db.apply_batch(puts)?;
            // One by one, because only so are emptied leaves given back; atomic with the puts all the same, because nothing is flushed between.
            for key in &deletes {
                db.remove(key)?;
            }
            Ok(())
        })
    }

    fn flush(&self, db: &Db, writer: &mut Writer) -> Result<(), StoreError> {
        contained(|| db.flush()).map_err(|e| self.stop(e))?;
        writer.unflushed_bytes = 0;
        Ok(())
    }
}

/// Refuses when fewer than `floor` bytes are free for this user on the disk of `path`.
fn check_free_space(path: &Path, floor: u64) -> Result<(), StoreError> {
    let stat = nix::sys::statvfs::statvfs(path).map_err(|e| StoreError::Read { source: e.into() })?;
    let free_bytes = stat.blocks_available().saturating_mul(stat.fragment_size());
    if free_bytes < floor { Err(StoreError::DiskFull { free_bytes, floor_bytes: floor }) } else { Ok(()) }
}

/// The engine checks what it reads too: its complaint becomes ours, at the key where it was noticed.
fn read_error(key: &[u8], source: io::Error) -> StoreError {
    if source.kind() == io::ErrorKind::InvalidData {
        StoreError::corrupt(key, "the leaf around it fails the engine's checksum")
    } else {
        StoreError::Read { source }
    }
}

/// The last operation on each key, encoded for the engine.
fn encoded(batch: Batch) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut operations = batch.into_operations();
    // Stable, so that of equal keys the later stays behind; then the later is kept.
    operations.sort_by(|a, b| a.0.cmp(&b.0));
    operations.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
    for (key, value) in &mut operations {
        if let Some(value) = value {
            *value = envelope::encode(key, value);
        }
    }
    operations
}

impl Store for SledStore {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        batch.check()?;
        let inner = &*self.0;
        let floor = inner.options.free_space_floor_bytes;
        let floor = if batch.only_deletes() { floor / 4 } else { floor };
        let operations = encoded(batch);
        let mut writer = inner.writer.lock();
        inner.with_engine(|db| {
            check_free_space(&inner.path, floor)?;
            if let Some(preimages) = &mut writer.preimages {
                for (key, _) in &operations {
                    preimages.keep(key, || Inner::raw(db, key))?;
                }
            }
            inner.apply(db, &mut writer, operations).map_err(|e| inner.stop(e))?;
            if durability == Durability::Durable || writer.unflushed_bytes >= MAX_UNFLUSHED_BYTES {
                inner.flush(db, &mut writer)?;
            }
            Ok(())
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(key)?;
        let stored = self.0.with_engine(|db| Inner::raw(db, key))?;
        stored.map(|stored| envelope::decode(key, &stored).map(std::borrow::Cow::into_owned)).transpose()
    }

    fn scan(&self, range: &KeyRange, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        if range.is_void() {
            return Ok(());
        }
        self.0.with_engine(|db| {
            // No upper bound: see sled_engine.
            let mut records = db.range(range.start()..);
            let mut at = range.start().to_vec();
            while let Some((key, stored)) = contained(|| records.next().transpose()).map_err(|e| read_error(&at, e))? {
                if range.ends_before(&key) {
                    break;
                }
                let value = envelope::decode(&key, &stored)?;
                if visit(&key, &value)?.is_break() {
                    break;
                }
                at.clear();
                at.extend_from_slice(&key);
            }
            Ok(())
        })
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Record>, StoreError> {
        self.0.with_engine(|db| {
            let found = contained(|| {
                let mut records = match after_prefix(prefix) {
                    Some(end) => db.range(prefix..end.as_slice()),
                    None => db.range(prefix..),
                };
                records.next_back().transpose()
            });
            let Some((key, stored)) = found.map_err(|e| read_error(prefix, e))? else { return Ok(None) };
            let value = envelope::decode(&key, &stored)?.into_owned();
            Ok(Some((key.to_vec(), value)))
        })
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut writer = self.0.writer.lock();
        self.0.with_engine(|db| self.0.flush(db, &mut writer))
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        self.0.with_engine(|db| db.size_on_disk().map_err(|source| StoreError::Read { source }))
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        self.0.check_running()?;
        let mut writer = self.0.writer.lock();
        if writer.preimages.is_some() {
            return Err(StoreError::SnapshotBusy);
        }
        writer.preimages = Some(PreImages::new(&self.0.path));
        Ok(Box::new(SledSnapshot::new(Arc::clone(&self.0))))
    }

    fn untrimmed_bytes(&self) -> u64 {
        self.0.writer.lock().written_bytes
    }

    fn trim(&self) -> Result<(), StoreError> {
        let inner = &*self.0;
        let mut writer = inner.writer.lock();
        if writer.preimages.is_some() {
            return Err(StoreError::SnapshotBusy);
        }
        check_free_space(&inner.path, inner.options.free_space_floor_bytes / 4)?;
        inner.with_engine(|db| inner.flush(db, &mut writer))?;
        let mut engine = inner.engine.write();
        if let Some(engine) = engine.take() {
            engine.close();
        }
        match Engine::open(&inner.path, &inner.options) {
            Ok(opened) => *engine = Some(opened),
            Err(e) => {
                let _ = inner.stopped.set(e.to_string());
                return Err(e);
            }
        }
        writer.written_bytes = 0;
        Ok(())
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let Some(engine) = self.engine.get_mut().take() else { return };
        let healthy = self.stopped.get().is_none()
            && {
                let flushed = contained(|| engine.handle().flush());
                if let Err(error) = &flushed {
                    tracing::error!(path = %self.path.display(), %error, "the last flush failed; what was acknowledged is safe");
                }
                flushed.is_ok()
            };
        // Closing may compact; on a full disk the engine would abort the process over it. The lock then goes with the process.
        if healthy && check_free_space(&self.path, self.options.free_space_floor_bytes / 16).is_ok() {
            engine.close();
        } else {
            engine.abandon();
        }
    }
}

/// Reads the records from `from` on, as the engine has them, until `visit` breaks.
pub(crate) fn walk(
    db: &Db,
    from: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StoreError>,
) -> Result<(), StoreError> {
    let mut records = db.range(from..);
    let mut at = from.to_vec();
    while let Some((key, stored)) = contained(|| records.next().transpose()).map_err(|e| read_error(&at, e))? {
        if visit(&key, &stored)?.is_break() {
            break;
        }
        at = key.to_vec();
    }
    Ok(())
}
