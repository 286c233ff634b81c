//! A backup is one instant of a store that is being written, and a file that is not whole never becomes a store.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use gridbell_clock::Seed;
use gridbell_model::Moment;
use gridbell_store::{
    BackupError, BackupSummary, Batch, Durability, KeyRange, MAX_PREIMAGE_MEMORY_BYTES, MemStore, SledOptions,
    SledStore, Store, StoreError, backup, restore, verify_backup,
};
use proptest::prelude::*;
use rand_core::RngCore;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn options() -> SledOptions {
    SledOptions { free_space_floor_bytes: 0, ..SledOptions::default() }
}

fn open(path: &Path) -> SledStore {
    SledStore::open(path, options()).unwrap_or_else(|e| panic!("{e}"))
}

fn now() -> Moment {
    Moment::from_unix_ms(1_795_000_000_000)
}

fn contents(store: &dyn Store) -> Model {
    let mut found = Model::new();
    let scanned = store.scan(&KeyRange::all(), &mut |k, v| {
        found.insert(k.to_vec(), v.to_vec());
        Ok(ControlFlow::Continue(()))
    });
    scanned.unwrap_or_else(|e| panic!("{e}"));
    found
}

/// `count` random puts and deletes over a thousand keys in three tables.
fn changes(random: &mut impl RngCore, count: usize, length: usize) -> Batch {
    let mut batch = Batch::new();
    for _ in 0..count {
        let n = random.next_u32();
        let key = [&[(n % 3) as u8], (n / 3 % 1000).to_be_bytes().as_slice()].concat();
        if n.is_multiple_of(5) {
            batch.delete(key)
        } else {
            batch.put(key, vec![(n >> 24) as u8; length + n as usize % 50])
        };
    }
    batch
}

fn written(store: &dyn Store) -> (Vec<u8>, BackupSummary) {
    let mut file = Vec::new();
    let summary = backup(store, now(), &mut file, &mut |_| ()).unwrap_or_else(|e| panic!("{e}"));
    (file, summary)
}

fn restored(file: &[u8], target: &Path) -> Result<BackupSummary, BackupError> {
    restore(&mut &file[..], target, options(), &mut |_| ())
}

#[test]
fn what_is_restored_is_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut random) = (open(&dir.path().join("old")), Seed(1).stream("backup"));
    for _ in 0..20 {
        store.commit(changes(&mut random, 100, 900), Durability::Buffered).unwrap();
    }
    let (file, summary) = written(&store);
    assert_eq!(summary.created, now());
    assert_eq!(summary.records, contents(&store).len() as u64);
    assert_eq!(verify_backup(&mut &file[..]).unwrap(), summary);
    let target = dir.path().join("new");
    let mut blocks = 0;
    assert_eq!(restore(&mut &file[..], &target, options(), &mut |_| blocks += 1).unwrap(), summary);
    assert!(blocks > 1, "more than one block");
    assert_eq!(contents(&open(&target)), contents(&store));
}

#[test]
fn an_empty_store_and_one_in_memory_can_be_backed_up() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemStore::new();
    restored(&written(&store).0, &dir.path().join("empty")).unwrap();
    assert!(contents(&open(&dir.path().join("empty"))).is_empty());
    store.commit(changes(&mut Seed(2).stream("backup"), 500, 10), Durability::Durable).unwrap();
    restored(&written(&store).0, &dir.path().join("full")).unwrap();
    assert_eq!(contents(&open(&dir.path().join("full"))), contents(&store));
}

/// Changes the store whenever the backup hands a block on, which is between two slices.
#[test]
fn a_backup_during_writes_is_the_instant_at_which_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut random) = (open(&dir.path().join("old")), Seed(3).stream("backup"));
    for _ in 0..30 {
        store.commit(changes(&mut random, 100, 6000), Durability::Buffered).unwrap();
    }
    let before = contents(&store);
    let (mut file, mut commits) = (Vec::new(), 0);
    backup(&store, now(), &mut file, &mut |_| {
        store.commit(changes(&mut random, 200, 6000), Durability::Durable).unwrap();
        commits += 1;
    })
    .unwrap();
    assert!(commits >= 5, "changes came in between: {commits}");
    assert_ne!(contents(&store), before);
    let target = dir.path().join("new");
    restored(&file, &target).unwrap();
    assert_eq!(contents(&open(&target)), before);
}

#[test]
fn a_backup_beside_a_writing_thread_holds_whole_batches_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("old"));
    // Every batch writes one number under keys all over the key space: any mixture shows.
    let batch = |n: u64| {
        let mut batch = Batch::new();
        for table in 0..=9_u8 {
            for i in 0..20_u8 {
                batch.put([table, i], [n.to_be_bytes().as_slice(), &[i; 4000]].concat());
            }
        }
        batch
    };
    store.commit(batch(0), Durability::Durable).unwrap();
    let file = std::thread::scope(|scope| {
        let (done, ask) = std::sync::mpsc::channel::<()>();
        let writer = store.clone();
        scope.spawn(move || {
            let mut n = 1;
            while ask.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                writer.commit(batch(n), Durability::Durable).unwrap_or_else(|e| panic!("{e}"));
                n += 1;
            }
        });
        let files: Vec<_> = (0..5).map(|_| written(&store).0).collect();
        drop(done);
        files
    });
    for (i, file) in file.iter().enumerate() {
        let target = dir.path().join(format!("new-{i}"));
        restored(file, &target).unwrap();
        let numbers: Vec<_> = contents(&open(&target)).into_values().map(|v| v[..8].to_vec()).collect();
        assert_eq!(numbers.len(), 200);
        assert!(numbers.iter().all(|n| *n == numbers[0]), "of one batch");
    }
}

#[test]
fn old_values_beyond_memory_go_to_a_file_and_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let (store, mut random) = (open(dir.path()), Seed(4).stream("backup"));
    let mut noise = || {
        let mut noise = vec![0; 1 << 20];
        random.fill_bytes(&mut noise);
        noise
    };
    let keys = 2 * MAX_PREIMAGE_MEMORY_BYTES as u64 / (1 << 20);
    let mut before = Model::new();
    for n in 0..keys {
        let (key, value) = ([&[1], n.to_be_bytes().as_slice()].concat(), noise());
        let mut batch = Batch::new();
        batch.put(key.clone(), value.clone());
        store.commit(batch, Durability::Buffered).unwrap();
        before.insert(key, value);
    }
    let mut snapshot = store.snapshot().unwrap();
    for key in before.keys() {
        let mut batch = Batch::new();
        batch.put(key.clone(), b"new".to_vec());
        store.commit(batch, Durability::Buffered).unwrap();
    }
    let mut found = Model::new();
    loop {
        let slice = snapshot.next_slice(3 << 20).unwrap();
        if slice.is_empty() {
            break;
        }
        found.extend(slice);
    }
    assert!(found == before, "the old values, all of them");
    drop(snapshot);
    assert!(contents(&store).values().all(|v| v == b"new"));
    assert!(fs::read_dir(dir.path()).unwrap().all(|e| !e.unwrap().file_name().to_string_lossy().contains("spill")));
}

#[test]
fn only_one_backup_at_a_time_and_the_next_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let snapshot = store.snapshot().unwrap();
    assert!(matches!(
        backup(&store, now(), &mut Vec::new(), &mut |_| ()),
        Err(BackupError::Store(StoreError::SnapshotBusy))
    ));
    assert!(matches!(store.trim(), Err(StoreError::SnapshotBusy)));
    drop(snapshot);
    written(&store);
    store.trim().unwrap();
}

#[test]
fn a_target_with_anything_in_it_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = written(&MemStore::new());
    let target = dir.path().join("data");
    fs::create_dir(&target).unwrap();
    fs::write(target.join("precious"), "x").unwrap();
    assert!(matches!(restored(&file, &target), Err(BackupError::TargetNotEmpty { .. })));
    assert_eq!(fs::read(target.join("precious")).unwrap(), b"x");
    fs::remove_file(target.join("precious")).unwrap();
    // What a killed restore has left behind is no obstacle.
    fs::create_dir(dir.path().join("data.restoring")).unwrap();
    fs::write(dir.path().join("data.restoring").join("half"), "x").unwrap();
    restored(&file, &target).unwrap();
    open(&target);
    assert!(!dir.path().join("data.restoring").exists());
}

#[test]
fn a_damaged_backup_restores_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = MemStore::new();
    store.commit(changes(&mut Seed(5).stream("backup"), 300, 200), Durability::Durable).unwrap();
    let (file, _) = written(&store);
    let target = dir.path().join("data");
    let mut random = Seed(6).stream("damage");
    for round in 0..60 {
        let mut damaged = file.clone();
        match round % 3 {
            0 => damaged.truncate(random.next_u32() as usize % file.len()),
            1 => damaged.push(0),
            _ => damaged[random.next_u32() as usize % file.len()] ^= 1 << (random.next_u32() % 8),
        }
        assert!(restored(&damaged, &target).is_err(), "round {round}");
        assert!(verify_backup(&mut &damaged[..]).is_err(), "round {round}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left");
    }
    assert!(matches!(verify_backup(&mut &b"PK\x03\x04 something else"[..]), Err(BackupError::NotABackup)));
    let mut later = file.clone();
    later[8] = 2;
    assert!(matches!(verify_backup(&mut &later[..]), Err(BackupError::NewerFormat { format: 2 })));
}

proptest! {
    #[test]
    fn anything_is_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..300), magic in any::<bool>()) {
        if magic {
            bytes.splice(0..0, *b"GRIDBKUP\x01\0");
        }
        prop_assert!(verify_backup(&mut &bytes[..]).is_err());
    }
}
