//! A store in memory for simulations and tests, with seeded faults: what a disk, a full file system and a power cut can do to [`Store`], on
//! purpose and repeatably. Never used for anything that must last.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use gridbell_clock::Seed;
use parking_lot::Mutex;
use rand_core::RngCore;

use crate::error::StoreError;
use crate::store::{Batch, Durability, KeyRange, Record, Snapshot, Store, Visit, check_key};

type Map = BTreeMap<Vec<u8>, Arc<[u8]>>;

/// A record as it is held.
type Held = (Vec<u8>, Arc<[u8]>);

/// Which faults a [`MemStore`] shows. The default shows none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The power fails during this commit, counted from 1 since the store was made: it returns [`StoreError::Failed`], the store stops, and
    /// whether its batch survives is drawn by [`MemStore::crash`].
    pub crash_at_commit: Option<u64>,
    /// Of a thousand commits, how many are refused with [`StoreError::DiskFull`]; nothing is applied and the store goes on.
    pub disk_full_per_mille: u32,
    /// Of a thousand commits, how many fail with [`StoreError::Failed`]; the store stops, as the one on sled does.
    pub io_error_per_mille: u32,
}

/// A store in memory. Clones share it.
#[derive(Clone, Debug)]
pub struct MemStore(Arc<Mutex<Memory>>);

#[derive(Debug)]
struct Memory {
    /// What reads see.
    current: Map,
    /// What survives a crash for certain.
    durable: Map,
    /// What was applied since, in order: a crash keeps some first part of it.
    pending: Vec<Batch>,
    damaged: BTreeSet<Vec<u8>>,
    faults: Faults,
    random: rand_chacha::ChaCha12Rng,
    seed: Seed,
    commits: u64,
    written_bytes: u64,
    stopped: Option<&'static str>,
    snapshot_open: bool,
}

impl MemStore {
    /// An empty store without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::with_faults(Seed(0), Faults::default())
    }

    /// An empty store that shows `faults`, drawn from `seed`.
    #[must_use]
    pub fn with_faults(seed: Seed, faults: Faults) -> Self {
        Self::holding(Map::new(), seed, faults)
    }

    fn holding(records: Map, seed: Seed, faults: Faults) -> Self {
        Self(Arc::new(Mutex::new(Memory {
            durable: records.clone(),
            current: records,
            pending: Vec::new(),
            damaged: BTreeSet::new(),
            faults,
            random: seed.stream("mem-store"),
            seed,
            commits: 0,
            written_bytes: 0,
            stopped: None,
            snapshot_open: false,
        })))
    }

    /// Shows other faults from now on; commits go on counting.
    pub fn set_faults(&self, faults: Faults) {
        self.0.lock().faults = faults;
    }

    /// Commits tried so far, failed ones among them.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.0.lock().commits
    }

    /// From now on the record under `key` reads as damaged, until it is written again.
    pub fn damage(&self, key: &[u8]) {
        self.0.lock().damaged.insert(key.to_vec());
    }

    /// Cuts the power: this store stops, and what survives is returned as a new one without faults. That is everything durable and a first
    /// part, drawn from the seed, of what was buffered or under way.
    #[must_use]
    pub fn crash(&self) -> Self {
        let mut memory = self.0.lock();
        memory.stopped.get_or_insert("the power failed");
        let choices = memory.pending.len() as u64 + 1;
        let kept = usize::try_from(memory.random.next_u64() % choices).unwrap_or_default();
        let mut survives = memory.durable.clone();
        for batch in &memory.pending[..kept] {
            apply(&mut survives, batch);
        }
        Self::holding(survives, memory.seed.child("after the crash"), Faults::default())
    }
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new()
    }
}

fn apply(map: &mut Map, batch: &Batch) {
    for (key, value) in batch.operations() {
        match value {
            Some(value) => map.insert(key.to_vec(), value.into()),
            None => map.remove(key),
        };
    }
}

impl Memory {
    fn check_running(&self) -> Result<(), StoreError> {
        self.stopped.map_or(Ok(()), |reason| Err(StoreError::Stopped { reason: reason.to_owned() }))
    }

    fn hits(&mut self, per_mille: u32) -> bool {
        per_mille > 0 && self.random.next_u32() % 1000 < per_mille
    }

    /// Stops with `reason`; the batch under way may or may not survive.
    fn fail(&mut self, batch: Batch, reason: &'static str) -> StoreError {
        self.pending.push(batch);
        self.stopped = Some(reason);
        StoreError::Failed { disk_full: false, source: io::Error::other(reason) }
    }

    fn make_durable(&mut self) {
        for batch in std::mem::take(&mut self.pending) {
            apply(&mut self.durable, &batch);
        }
    }

    fn value(&self, key: &[u8]) -> Result<Option<&Arc<[u8]>>, StoreError> {
        if self.damaged.contains(key) {
            return Err(StoreError::corrupt(key, "a simulated fault"));
        }
        Ok(self.current.get(key))
    }

    fn next_in(&self, range: &KeyRange, after: Option<&[u8]>) -> Result<Option<Held>, StoreError> {
        self.check_running()?;
        let from = after.map_or(Bound::Included(range.start()), Bound::Excluded);
        let Some((key, _)) = self.current.range::<[u8], _>((from, Bound::Unbounded)).next() else { return Ok(None) };
        if range.ends_before(key) {
            return Ok(None);
        }
        Ok(self.value(key)?.map(|value| (key.clone(), Arc::clone(value))))
    }
}

impl Store for MemStore {
    fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        batch.check()?;
        let mut memory = self.0.lock();
        memory.check_running()?;
        memory.commits += 1;
        let faults = memory.faults;
        if memory.hits(faults.disk_full_per_mille) {
            return Err(StoreError::DiskFull { free_bytes: 0, floor_bytes: 1 });
        }
        if faults.crash_at_commit == Some(memory.commits) {
            return Err(memory.fail(batch, "the power failed"));
        }
        if memory.hits(faults.io_error_per_mille) {
            return Err(memory.fail(batch, "a simulated write error"));
        }
        for (key, _) in batch.operations() {
            memory.damaged.remove(key);
        }
        memory.written_bytes += batch.bytes() as u64;
        apply(&mut memory.current, &batch);
        memory.pending.push(batch);
        if durability == Durability::Durable {
            memory.make_durable();
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        check_key(key)?;
        let memory = self.0.lock();
        memory.check_running()?;
        Ok(memory.value(key)?.map(|value| value.to_vec()))
    }

    fn scan(&self, range: &KeyRange, visit: &mut Visit<'_>) -> Result<(), StoreError> {
        if range.is_void() {
            return Ok(());
        }
        let mut at: Option<Vec<u8>> = None;
        loop {
            // The lock is not held while visiting, so that a visitor may read.
            let Some((key, value)) = self.0.lock().next_in(range, at.as_deref())? else { return Ok(()) };
            if visit(&key, &value)?.is_break() {
                return Ok(());
            }
            at = Some(key);
        }
    }

    fn last(&self, prefix: &[u8]) -> Result<Option<Record>, StoreError> {
        let memory = self.0.lock();
        memory.check_running()?;
        let range = KeyRange::prefix(prefix);
        let to = range.end().map_or(Bound::Unbounded, Bound::Excluded);
        let Some((key, _)) = memory.current.range::<[u8], _>((Bound::Included(prefix), to)).next_back() else {
            return Ok(None);
        };
        Ok(memory.value(key)?.map(|value| (key.clone(), value.to_vec())))
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut memory = self.0.lock();
        memory.check_running()?;
        memory.make_durable();
        Ok(())
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        Ok(self.0.lock().durable.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, StoreError> {
        let mut memory = self.0.lock();
        memory.check_running()?;
        if std::mem::replace(&mut memory.snapshot_open, true) {
            return Err(StoreError::SnapshotBusy);
        }
        Ok(Box::new(MemSnapshot {
            store: self.clone(),
            records: memory.current.clone(),
            damaged: memory.damaged.clone(),
        }))
    }

    fn untrimmed_bytes(&self) -> u64 {
        self.0.lock().written_bytes
    }

    fn trim(&self) -> Result<(), StoreError> {
        let mut memory = self.0.lock();
        memory.check_running()?;
        if memory.snapshot_open {
            return Err(StoreError::SnapshotBusy);
        }
        memory.make_durable();
        memory.written_bytes = 0;
        Ok(())
    }
}

/// A snapshot of a [`MemStore`].
struct MemSnapshot {
    store: MemStore,
    records: Map,
    damaged: BTreeSet<Vec<u8>>,
}

impl Snapshot for MemSnapshot {
    fn next_slice(&mut self, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        self.store.0.lock().check_running()?;
        let (mut slice, mut bytes) = (Vec::new(), 0);
        while bytes < max_bytes.max(1) {
            let Some((key, value)) = self.records.pop_first() else { break };
            if self.damaged.contains(&key) {
                return Err(StoreError::corrupt(&key, "a simulated fault"));
            }
            bytes += key.len() + value.len();
            slice.push((key, value.to_vec()));
        }
        Ok(slice)
    }
}

impl Drop for MemSnapshot {
    fn drop(&mut self) {
        self.store.0.lock().snapshot_open = false;
    }
}
