//! Durable ordered key-value store with atomic batches; the only crate that knows sled.
//!
//! It turns bytes into durable bytes and must never know what they mean: the first byte of a key is its table, the rest and every value belong
//! to the caller. One writer at a time; a [`Batch`] is applied as a whole or not at all, across tables, through any crash.
//!
//! - [`Store`] is the seam at which a PostgreSQL-wire store will stand beside sled; [`SledStore`] is the product's, [`MemStore`] the
//!   simulation's, with seeded faults.
//! - [`backup()`] writes one instant of a running store to one file, [`restore()`] puts it back after checking its digest.
//! - [`Sealer`] encrypts the values that the caller says are secret.

mod backup;
mod envelope;
mod error;
mod key;
mod mem_store;
mod preimage;
mod restore;
mod seal;
mod sled_engine;
mod sled_store;
mod store;

pub use backup::{BACKUP_BLOCK_BYTES, BackupSummary, backup};
pub use error::{BackupError, KeyError, SealError, StoreError};
pub use key::{KEY_BYTES, KEY_FILE_MODE, Key, KeyId, KeyOrigin};
pub use mem_store::{Faults, MemStore};
pub use preimage::{MAX_PREIMAGE_KEYS_BYTES, MAX_PREIMAGE_MEMORY_BYTES, MAX_PREIMAGE_SPILL_BYTES};
pub use restore::{restore, verify_backup};
pub use seal::{SEAL_OVERHEAD_BYTES, Sealer};
pub use sled_store::{
    DEFAULT_CACHE_BYTES, FREE_SPACE_FLOOR_BYTES, LEAF_FANOUT, LOCK_RETRIES, LOCK_RETRY_PAUSE, MAX_UNFLUSHED_BYTES,
    SledOptions, SledStore,
};
pub use store::{
    Batch, Durability, KeyRange, MAX_BATCH_BYTES, MAX_BATCH_OPERATIONS, MAX_KEY_BYTES, MAX_VALUE_BYTES, Record,
    Snapshot, Store, Visit,
};
