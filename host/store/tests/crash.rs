//! A writer killed at any instant: what was acknowledged is there, every batch is there as a whole or not at all, and the store opens again.
//!
//! The writer is this test binary, started again with a variable set; it prints the number of every batch once its commit has returned.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use gridbell_clock::Seed;
use gridbell_store::{Batch, Durability, KeyRange, SledOptions, SledStore, Store};
use rand_core::RngCore;

/// Set for the writer: the store's directory.
const DIRECTORY: &str = "GRIDBELL_TEST_WRITER";
/// How often the writer is killed.
const KILLS: u32 = 24;
/// Batches that the writer may write before it must have been killed.
const MAX_BATCHES: u64 = 20_000;
/// Under this key every batch leaves its own number.
const NUMBER: &[u8] = &[0];

fn open(path: &Path) -> SledStore {
    SledStore::open(path, SledOptions { free_space_floor_bytes: 0, ..SledOptions::default() }).unwrap()
}

fn key(table: u8, n: u64) -> Vec<u8> {
    [&[table], n.to_be_bytes().as_slice()].concat()
}

/// Batch `n` depends on nothing but `n`: a journal record, some updates in place, deletes of older ones, now and then a big value.
fn batch(n: u64) -> Batch {
    let mut random = Seed(n).stream("crash");
    let mut batch = Batch::new();
    batch.put(NUMBER, n.to_be_bytes());
    let mut noise = vec![0; 100 + random.next_u32() as usize % 4000];
    random.fill_bytes(&mut noise);
    batch.put(key(5, n), noise);
    for _ in 0..random.next_u32() % 20 {
        let at = u64::from(random.next_u32() % 300);
        batch.put(key(2, at), [n.to_be_bytes().as_slice(), &vec![7; 2000]].concat());
        batch.delete(key(9, at));
        batch.put(key(9, at + 1), n.to_be_bytes());
    }
    if n > 60 {
        batch.delete(key(5, n - 60));
    }
    if n.is_multiple_of(50) {
        batch.put(key(7, n), vec![n as u8; 1 << 20]);
    }
    batch
}

/// How batch `n` is committed: mostly durably.
fn durability(n: u64) -> Durability {
    if Seed(n).child("durability").0.is_multiple_of(4) { Durability::Buffered } else { Durability::Durable }
}

fn apply(model: &mut BTreeMap<Vec<u8>, Vec<u8>>, n: u64) {
    for (key, value) in batch(n).operations() {
        match value {
            Some(value) => model.insert(key.to_vec(), value.to_vec()),
            None => model.remove(key),
        };
    }
}

fn number(store: &SledStore) -> u64 {
    store.get(NUMBER).unwrap().map_or(0, |v| u64::from_be_bytes(v.try_into().unwrap()))
}

/// The writer: goes on behind the last batch that it finds until it is killed. Does nothing in an ordinary run of the tests.
#[test]
fn writer() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let store = open(Path::new(&directory));
    let mut out = std::io::stdout();
    for n in number(&store) + 1..=MAX_BATCHES {
        store.commit(batch(n), durability(n)).unwrap();
        if durability(n) == Durability::Durable {
            writeln!(out, "durable {n}").unwrap();
            out.flush().unwrap();
        }
    }
}

#[test]
fn a_killed_writer_loses_nothing_acknowledged_and_tears_no_batch() {
    let dir = tempfile::tempdir().unwrap();
    let mut random = Seed(20_261_121).stream("kills");
    let (mut model, mut applied, mut beyond) = (BTreeMap::new(), 0_u64, 0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["writer", "--exact", "--nocapture"])
            .env(DIRECTORY, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let until = random.next_u32() % 40 + 1;
        let (mut acknowledged, mut seen) = (0, 0);
        while seen < until {
            let line = lines.next().unwrap_or_else(|| panic!("the writer ended by itself before kill {kill}"));
            if let Some(n) = line.strip_prefix("durable ") {
                (acknowledged, seen) = (n.parse().unwrap(), seen + 1);
            }
        }
        // Some work of a seeded length, so that the kill falls anywhere in the commits that follow.
        let mut spin = random.next_u32() % 3_000_000;
        while std::hint::black_box(spin) > 0 {
            spin -= 1;
        }
        child.kill().unwrap();
        // What it managed to say before it died counts as acknowledged too.
        for line in lines {
            if let Some(n) = line.strip_prefix("durable ").and_then(|n| n.parse().ok()) {
                acknowledged = n;
            }
        }
        child.wait().unwrap();

        let store = open(dir.path());
        let found = number(&store);
        assert!(found >= acknowledged, "kill {kill}: {acknowledged} was acknowledged, {found} is the last there");
        beyond += u64::from(found > acknowledged);
        (applied + 1..=found).for_each(|n| apply(&mut model, n));
        applied = found;
        let mut expected = model.iter();
        let scanned = store.scan(&KeyRange::all(), &mut |key, value| {
            let (expected_key, expected_value) = expected.next().unwrap();
            assert_eq!(key, expected_key, "kill {kill}, batch {found}");
            assert!(value == expected_value, "kill {kill}, batch {found}: the value under {key:?}");
            Ok(ControlFlow::Continue(()))
        });
        scanned.unwrap();
        assert_eq!(expected.next(), None, "kill {kill}, batch {found}");
    }
    assert!(applied > u64::from(KILLS), "{applied} batches, {beyond} times one more than acknowledged");
}

#[test]
fn a_second_process_is_told_that_the_first_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["writer", "--exact", "--nocapture"])
        .env(DIRECTORY, dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.starts_with("durable ")));
    // The writer must go on while we try, and not wait for a full pipe.
    let drain = std::thread::spawn(move || lines.count());
    let error =
        SledStore::open(dir.path(), SledOptions { free_space_floor_bytes: 0, ..SledOptions::default() }).unwrap_err();
    assert!(error.to_string().contains("in use by another process"), "{error}");
    child.kill().unwrap();
    child.wait().unwrap();
    drain.join().unwrap();
    assert!(number(&open(dir.path())) > 0, "and once it is gone the store opens");
}
