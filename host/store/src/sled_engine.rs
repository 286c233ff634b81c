//! sled 1.0-alpha as it really behaves, made safe to stand on. Knows nothing of batches, envelopes or snapshots.
//!
//! What was found in its source, and what is done about it here:
//!
//! - Dropping any iterator or handle flushes when there is no background flusher, so every reader would make half a group durable. The flusher
//!   is therefore on, with an interval of a century: every flush is ours, and all that lies between two of ours is atomic.
//! - A flush that fails leaves the next one waiting for ever, and dropping the database flushes. After a failure nothing of it is touched or
//!   dropped again: it is leaked, the lock with it, until the process ends.
//! - An iterator with an upper bound does not stop there but walks to the end of the tree. Only lower bounds are handed to it.
//! - A leaf emptied by `apply_batch` stays for ever, one emptied by `remove` is merged away. Deletes go through `remove`.
//! - A leaf written since the start is never evicted, whatever the cache's capacity: [`Engine`] is closed and opened again to be rid of them.
//! - `Db` is not `Sync` and costly to clone and drop: handles are lent from a pool that keeps them.
//! - Its asserts panic: they are caught and stop the store like a failed write.

use std::io;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::StoreError;
use crate::sled_store::{LEAF_FANOUT, LOCK_RETRIES, LOCK_RETRY_PAUSE, SledOptions};

/// The database with our leaf size.
pub(crate) type Db = sled::Db<LEAF_FANOUT>;

/// Longer than any process lives: the background flusher must be on, but never flush.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// An open database and its idle handles.
pub(crate) struct Engine {
    master: Mutex<Db>,
    idle: Mutex<Vec<Db>>,
}

/// A handle that goes back to the pool instead of being dropped.
pub(crate) struct Handle<'a> {
    db: Option<Db>,
    pool: &'a Mutex<Vec<Db>>,
}

impl Engine {
    /// Opens or makes the database. The lock can outlive a killed process for a moment, so that a held one is tried again, within bounds.
    pub(crate) fn open(path: &Path, options: &SledOptions) -> Result<Self, StoreError> {
        let mut config = sled::Config::new()
            .path(path)
            .cache_capacity_bytes(options.cache_bytes)
            .zstd_compression_level(options.zstd_level)
            .flush_every_ms(Some(usize::try_from(NEVER.as_millis()).unwrap_or(usize::MAX)));
        config.target_heap_file_fill_ratio = options.heap_fill_ratio;
        let mut tries = 0;
        loop {
            match contained(|| config.open::<LEAF_FANOUT>()) {
                Ok(db) => return Ok(Self { master: Mutex::new(db), idle: Mutex::default() }),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock && tries < LOCK_RETRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_RETRY_PAUSE);
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    return Err(StoreError::InUse { path: path.to_owned() });
                }
                Err(source) => return Err(StoreError::Open { path: path.to_owned(), source }),
            }
        }
    }

    /// Lends a handle.
    pub(crate) fn handle(&self) -> Handle<'_> {
        let idle = self.idle.lock().pop();
        let db = idle.unwrap_or_else(|| self.master.lock().clone());
        Handle { db: Some(db), pool: &self.idle }
    }

    /// Closes a healthy, flushed database and releases its lock and its memory.
    pub(crate) fn close(self) {
        drop(self.idle);
        drop(self.master);
        return_memory();
    }

    /// Abandons a database that failed: flushing it, which dropping does, would wait for ever.
    pub(crate) fn abandon(self) {
        std::mem::forget(self);
    }
}

impl Deref for Handle<'_> {
    type Target = Db;

    #[expect(clippy::expect_used, reason = "the handle is taken out only by drop")]
    fn deref(&self) -> &Db {
        self.db.as_ref().expect("a lent handle")
    }
}

impl Drop for Handle<'_> {
    fn drop(&mut self) {
        if let Some(db) = self.db.take() {
            self.pool.lock().push(db);
        }
    }
}

/// Runs something of the engine's and turns a panic into an error.
pub(crate) fn contained<T>(run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let words =
            panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(io::Error::other(format!(
            "the storage engine broke one of its own rules: {}",
            words.unwrap_or("no message")
        )))
    })
}

/// Has the allocator give freed memory back to the system. glibc keeps it otherwise: of 307 MB of written pages 247 stayed resident without this, 5 with it.
fn return_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(unsafe_code, reason = "the C library has no safe way to be asked")]
    // SAFETY: `malloc_trim` takes no pointer and may be called at any time, from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Whether `error` says that there is no room.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
