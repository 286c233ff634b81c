//! What is out of bounds is refused before anything is applied, what was damaged is named, and a directory is served once.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use gridbell_store::{
    Batch, Durability, KeyRange, LEAF_FANOUT, MAX_BATCH_OPERATIONS, MAX_KEY_BYTES, MAX_VALUE_BYTES, SledOptions,
    SledStore, Store, StoreError,
};

fn options() -> SledOptions {
    SledOptions { free_space_floor_bytes: 0, ..SledOptions::default() }
}

fn open(path: &Path) -> SledStore {
    SledStore::open(path, options()).unwrap_or_else(|e| panic!("{e}"))
}

fn put(key: &[u8], value: impl Into<Vec<u8>>) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, value);
    batch
}

#[test]
fn the_largest_fits_and_the_next_is_refused_with_its_whole_batch() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let (longest, large) = (vec![9; MAX_KEY_BYTES], vec![1; MAX_VALUE_BYTES]);
    store.commit(put(&longest, large.clone()), Durability::Durable).unwrap();
    let refused = |batch: Batch| store.commit(batch, Durability::Durable).unwrap_err();
    let mut batch = put(&[1], b"good".to_vec());
    batch.put([2], vec![0; MAX_VALUE_BYTES + 1]);
    assert!(matches!(refused(batch), StoreError::ValueTooLarge { .. }));
    let mut batch = put(&[1], b"good".to_vec());
    batch.put(vec![1; MAX_KEY_BYTES + 1], []);
    assert!(matches!(refused(batch), StoreError::KeyLength { .. }));
    assert!(matches!(refused(put(&[], [])), StoreError::KeyLength { bytes: 0 }));
    let mut batch = Batch::new();
    (0..=MAX_BATCH_OPERATIONS).for_each(|_| {
        batch.delete([1]);
    });
    assert!(matches!(refused(batch), StoreError::BatchTooLarge { .. }));
    let mut batch = Batch::new();
    (0..9_u8).for_each(|n| {
        batch.put([3, n], large.clone());
    });
    assert!(matches!(refused(batch), StoreError::BatchTooLarge { .. }));
    assert!(matches!(store.get(&[]), Err(StoreError::KeyLength { .. })));
    drop(store);
    let store = open(dir.path());
    assert_eq!(store.get(&[1]).unwrap(), None, "nothing of a refused batch is there");
    assert!(store.get(&longest).unwrap() == Some(large));
}

#[test]
fn of_two_operations_on_one_key_the_later_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut batch = Batch::new();
    batch.put([1], b"first".to_vec()).delete([1]).put([1], b"last".to_vec()).put([2], b"gone".to_vec()).delete([2]);
    store.commit(batch, Durability::Durable).unwrap();
    assert_eq!(store.get(&[1]).unwrap(), Some(b"last".to_vec()));
    assert_eq!(store.get(&[2]).unwrap(), None);
}

#[test]
fn a_scan_stops_where_its_visitor_says_and_a_visitor_may_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut batch = Batch::new();
    (0..100_u8).for_each(|n| {
        batch.put([4, n], [n]);
    });
    store.commit(batch, Durability::Buffered).unwrap();
    let mut seen = Vec::new();
    let scanned = store.scan(&KeyRange::prefix_from(&[4], &[4, 50]), &mut |key, value| {
        assert_eq!(store.get(key)?.as_deref(), Some(value));
        seen.push(value[0]);
        Ok(if seen.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    });
    scanned.unwrap();
    assert_eq!(seen, [50, 51, 52]);
    let failed = store.scan(&KeyRange::all(), &mut |_, _| Err(StoreError::SnapshotBusy));
    assert!(matches!(failed, Err(StoreError::SnapshotBusy)));
    assert!(
        store.scan(&KeyRange::between(&[9], &[4]), &mut |_, _| Err(StoreError::SnapshotBusy)).is_ok(),
        "a void range has nothing"
    );
}

/// Writes stored bytes as the engine has them, behind the store's back.
fn tamper(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let config = sled::Config::new().path(path).flush_every_ms(None);
    let db: sled::Db<LEAF_FANOUT> = config.open().unwrap_or_else(|e| panic!("{e}"));
    let mut stored = db.get([6, 1]).unwrap_or_else(|e| panic!("{e}")).map(|v| v.to_vec()).unwrap_or_default();
    change(&mut stored);
    db.insert([6, 1], stored).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn a_changed_value_is_named_by_table_and_key() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).commit(put(&[6, 1], vec![5; 5000]), Durability::Durable).unwrap();
    tamper(dir.path(), |stored| stored[7] ^= 1);
    let store = open(dir.path());
    let is_named = |e: &StoreError| matches!(e, StoreError::Corrupt { table: 6, key, .. } if key == "0601");
    assert!(is_named(&store.get(&[6, 1]).unwrap_err()));
    assert!(is_named(&store.last(&[6]).unwrap_err()));
    assert!(is_named(&store.scan(&KeyRange::all(), &mut |_, _| Ok(ControlFlow::Continue(()))).unwrap_err()));
    assert!(is_named(&store.snapshot().unwrap().next_slice(1).unwrap_err()), "damage does not get into a backup");
    store.commit(put(&[6, 1], b"new".to_vec()), Durability::Durable).unwrap();
    assert_eq!(store.get(&[6, 1]).unwrap(), Some(b"new".to_vec()));
}

#[test]
fn damage_on_the_disk_is_never_taken_for_data() {
    let dir = tempfile::tempdir().unwrap();
    let value: Vec<u8> = (0..60_000_u32).flat_map(|n| n.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
    open(dir.path()).commit(put(&[6, 1], value), Durability::Durable).unwrap();
    let largest = fs::read_dir(dir.path().join("slabs"))
        .unwrap()
        .map(|e| e.unwrap())
        .max_by_key(|e| e.metadata().unwrap().len())
        .unwrap();
    let mut bytes = fs::read(largest.path()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(largest.path(), bytes).unwrap();
    let error = open(dir.path()).get(&[6, 1]).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { table: 6, .. }), "{error}");
}

#[test]
fn a_directory_is_served_once_and_again_after_closing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    assert!(matches!(SledStore::open(dir.path(), options()), Err(StoreError::InUse { .. })));
    store.commit(put(&[1], b"x".to_vec()), Durability::Buffered).unwrap();
    drop(store);
    assert!(open(dir.path()).get(&[1]).unwrap().is_some(), "closing flushes");
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(SledStore::open(&file, options()), Err(StoreError::Open { .. })));
}

#[test]
fn a_journal_that_is_cut_off_behind_does_not_grow() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    store.commit(put(&[9], b"another table".to_vec()), Durability::Durable).unwrap();
    let key = |n: u64| [&[5], n.to_be_bytes().as_slice()].concat();
    let mut leaves = Vec::new();
    for n in 0..3000 {
        let mut batch = put(&key(n), vec![1; 50]);
        if n >= 50 {
            batch.delete(key(n - 50));
        }
        store.commit(batch, Durability::Buffered).unwrap();
        if n % 1000 == 999 {
            store.sync().unwrap();
            leaves.push(store.live_leaves());
        }
    }
    // Fifty records and what the engine has not swept yet; had emptied leaves stayed, each thousand would leave 250 more.
    assert!(leaves.iter().all(|n| *n < leaves[0] + 100), "leaves after each thousand: {leaves:?}");
}

#[test]
fn trimming_keeps_everything_and_readers_go_on_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for n in 0..200_u8 {
        store.commit(put(&[2, n], vec![n; 3000]), Durability::Buffered).unwrap();
    }
    assert!(store.untrimmed_bytes() > 0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for n in (0..200_u8).cycle().take(4000) {
                    let value = store.get(&[2, n]).unwrap_or_else(|e| panic!("{e}"));
                    assert_eq!(value, Some(vec![n; 3000]));
                }
            });
        }
        for _ in 0..5 {
            store.trim().unwrap();
        }
    });
    assert_eq!(store.untrimmed_bytes(), 0);
}
