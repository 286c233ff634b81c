//! A full disk: refused before it is full, and when it fills all the same nothing acknowledged is lost and the process lives.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;
use std::process::Command;

use gridbell_store::{Batch, Durability, SledOptions, SledStore, Store, StoreError};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};

fn key(n: u64) -> Vec<u8> {
    [&[5], n.to_be_bytes().as_slice()].concat()
}

fn noise(n: u64, bytes: usize) -> Vec<u8> {
    let mut x = n | 1;
    (0..bytes)
        .map(|_| {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (x >> 56) as u8
        })
        .collect()
}

fn put(n: u64, bytes: usize) -> Batch {
    let mut batch = Batch::new();
    batch.put(key(n), noise(n, bytes));
    batch
}

fn open(path: &Path, floor: u64) -> SledStore {
    SledStore::open(path, SledOptions { free_space_floor_bytes: floor, ..SledOptions::default() }).unwrap()
}

#[test]
fn below_the_floor_puts_are_refused_and_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path(), 0).commit(put(1, 100), Durability::Durable).unwrap();
    let free = {
        let stat = nix::sys::statvfs::statvfs(dir.path()).unwrap();
        stat.blocks_available() * stat.fragment_size()
    };
    // Puts want the floor, deletes a quarter of it: twice what is free lies between.
    let store = open(dir.path(), free * 2);
    let error = store.commit(put(2, 100), Durability::Durable).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { floor_bytes, .. } if floor_bytes == free * 2), "{error}");
    assert_eq!(store.get(&key(2)).unwrap(), None);
    let mut deletes = Batch::new();
    deletes.delete(key(1));
    store.commit(deletes, Durability::Durable).unwrap();
    store.sync().unwrap();
    assert_eq!(store.get(&key(1)).unwrap(), None, "making room is still possible, and so is reading");
    drop(store);
    let refused =
        SledStore::open(dir.path(), SledOptions { free_space_floor_bytes: free * 8, ..SledOptions::default() });
    assert!(matches!(refused, Err(StoreError::DiskFull { .. })));
}

/// Set for the process that runs a test on a small disk.
const SMALL_DISK: &str = "GRIDBELL_TEST_SMALL_DISK";

/// Runs `scenario` in the data directory of a small file system of its own: in this test once more in a process of its own, so that every
/// thread of the engine sees the mount and nobody else does. Says so and passes when this user may not mount.
fn on_small_disk(test: &str, megabytes: u32, scenario: impl FnOnce(&Path)) {
    if std::env::var_os(SMALL_DISK).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        let status =
            again.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(SMALL_DISK, "1").status().unwrap();
        assert!(status.success(), "neither failed, nor aborted: {status}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mounted = unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>))
        .and_then(|()| {
            mount(
                Some("tmpfs"),
                dir.path(),
                Some("tmpfs"),
                MsFlags::empty(),
                Some(format!("size={megabytes}m").as_str()),
            )
        });
    match mounted {
        Ok(()) => scenario(&dir.path().join("data")),
        Err(e) => eprintln!("skipped: this user may not mount a file system ({e})"),
    }
    // The engine may still hold files of a store that failed: the mount goes with the process.
    let _ = umount2(dir.path(), MntFlags::MNT_DETACH);
}

/// Fills a disk with nothing held in reserve, as another program beside us could. The engine then fails in a flush: the store stops, and a
/// copy of its directory opens with everything that was acknowledged.
#[test]
fn when_the_disk_fills_all_the_same_what_was_acknowledged_is_there() {
    on_small_disk("when_the_disk_fills_all_the_same_what_was_acknowledged_is_there", 24, |path| {
        fill_and_copy(path, 3_000)
    });
}

#[test]
fn the_same_with_pages() {
    on_small_disk("the_same_with_pages", 24, |path| fill_and_copy(path, 60_000));
}

#[test]
fn the_same_with_large_values() {
    on_small_disk("the_same_with_large_values", 24, |path| fill_and_copy(path, 700_000));
}

fn fill_and_copy(path: &Path, bytes: usize) {
    let store = open(path, 0);
    let mut acknowledged = 0;
    let failure = loop {
        match store.commit(put(acknowledged + 1, bytes), Durability::Durable) {
            Ok(()) => acknowledged += 1,
            Err(e) => break e,
        }
    };
    assert!(acknowledged > 5, "{acknowledged}");
    assert!(matches!(failure, StoreError::Failed { disk_full: true, .. }), "{failure}");
    assert!(failure.to_string().contains("disk is full"), "{failure}");
    for error in [
        store.commit(put(9, 1), Durability::Buffered).unwrap_err(),
        store.get(&key(1)).unwrap_err(),
        store.sync().unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Stopped { .. }), "{error}");
    }
    // Must neither hang nor abort.
    let elsewhere = tempfile::tempdir().unwrap();
    drop(store);
    copy(path, elsewhere.path());
    let store = open(elsewhere.path(), 0);
    for n in 1..=acknowledged {
        assert!(store.get(&key(n)).unwrap() == Some(noise(n, bytes)), "{bytes} bytes: record {n} of {acknowledged}");
    }
    store.commit(put(acknowledged + 1, bytes), Durability::Durable).unwrap();
}

/// The floor keeps the engine from ever meeting a full disk.
#[test]
fn with_a_floor_the_store_survives_a_full_disk() {
    on_small_disk("with_a_floor_the_store_survives_a_full_disk", 64, fill_to_the_floor);
}

fn fill_to_the_floor(path: &Path) {
    let store = open(path, 16 << 20);
    let mut acknowledged = 0;
    let refusal = loop {
        match store.commit(put(acknowledged + 1, 100_000), Durability::Durable) {
            Ok(()) => acknowledged += 1,
            Err(e) => break e,
        }
    };
    assert!(matches!(refusal, StoreError::DiskFull { .. }), "{refusal}");
    let mut deletes = Batch::new();
    (1..=acknowledged / 2).for_each(|n| {
        deletes.delete(key(n));
    });
    store.commit(deletes, Durability::Durable).unwrap();
    // Freed slots are used again even where the files do not shrink; a few commits let the engine compact.
    (0..20).for_each(|_| store.commit(Batch::new(), Durability::Durable).unwrap());
    drop(store);
    let store = open(path, 16 << 20);
    for n in acknowledged / 2 + 1..=acknowledged {
        assert!(store.get(&key(n)).unwrap() == Some(noise(n, 100_000)), "record {n}");
    }
    assert_eq!(store.get(&key(1)).unwrap(), None);
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
