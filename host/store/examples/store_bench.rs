//! Measures the store as state uses it; prints figures, asserts nothing. `cargo run --release -p gridbell-store --example store_bench -- [dir] [part…]`
//!
//! Parts: `commits` (durable groups), `bulk` (buffered values by size), `pages` (updates of pages and their scan), `trim` (memory), `deletes`.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_store::{Batch, Durability, KeyRange, SledOptions, SledStore, Store};
use rand_core::RngCore;

/// A row as storage.md measures it: 156 bytes, about as compressible as a customer.
fn row(seed: u64) -> Vec<u8> {
    let mut rng = Seed(seed).stream("row");
    let mut row = vec![b'0'; 156];
    for byte in &mut row[..78] {
        *byte = u8::try_from(rng.next_u32() % 64 + 48).unwrap_or(b'0');
    }
    row
}

/// `bytes` of rows.
fn value(seed: u64, bytes: usize) -> Vec<u8> {
    (0..).flat_map(|i| row(seed << 20 | i)).take(bytes).collect()
}

fn key(table: u8, n: u64) -> Vec<u8> {
    [&[table], n.to_be_bytes().as_slice()].concat()
}

fn one(table: u8, n: u64, value: &[u8]) -> Batch {
    let mut batch = Batch::new();
    batch.put(key(table, n), value);
    batch
}

fn timed(clock: &Clock, run: impl FnOnce()) -> Duration {
    let start = clock.monotonic();
    run();
    clock.monotonic() - start
}

fn resident_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or_default() / 1024
}

fn open(dir: &Path, name: &str) -> SledStore {
    let level =
        std::env::var("BENCH_ZSTD").ok().and_then(|v| v.parse().ok()).unwrap_or(SledOptions::default().zstd_level);
    let options = SledOptions { zstd_level: level, ..SledOptions::default() };
    SledStore::open(&dir.join(name), options).unwrap_or_else(|e| panic!("{e}"))
}

fn commit(store: &SledStore, batch: Batch, durability: Durability) {
    store.commit(batch, durability).unwrap_or_else(|e| panic!("{e}"));
}

fn count(store: &SledStore, range: &KeyRange) -> (u64, u64) {
    let (mut records, mut bytes) = (0, 0);
    let scanned = store.scan(range, &mut |k, v| {
        records += 1;
        bytes += (k.len() + v.len()) as u64;
        Ok(ControlFlow::Continue(()))
    });
    scanned.unwrap_or_else(|e| panic!("{e}"));
    (records, bytes)
}

fn mb(bytes: u64, took: Duration) -> f64 {
    bytes as f64 / 1e6 / took.as_secs_f64()
}

/// Durable commits of one packed value each, under an increasing key in the middle of the key space.
fn commits(clock: &Clock, dir: &Path) {
    for rows in [1_u64, 10, 100, 1000] {
        let store = open(dir, &format!("commits-{rows}"));
        // Tables on either side, as in a data directory: the journal is not the last table.
        for n in 0..200 {
            commit(&store, one(1, n, &value(n, 60_000)), Durability::Buffered);
            commit(&store, one(9, n, &value(n, 60_000)), Durability::Buffered);
        }
        store.sync().unwrap_or_else(|e| panic!("{e}"));
        let value = value(rows, usize::try_from(rows).unwrap_or(1) * 156);
        let (mut n, mut took) = (0, Duration::ZERO);
        while took < Duration::from_secs(4) {
            took += timed(clock, || (0..20).for_each(|i| commit(&store, one(5, n + i, &value), Durability::Durable)));
            n += 20;
        }
        let rate = n as f64 / took.as_secs_f64();
        println!("durable groups of {rows:4} rows: {rate:7.0} commits/s {:9.0} rows/s", rate * rows as f64);
    }
}

/// Buffered values of one size until 400 MB are in, then read back after a restart.
fn bulk(clock: &Clock, dir: &Path) {
    for size in [60_000_usize, 64 << 10, 256 << 10, 1 << 20, 2 << 20, 4 << 20] {
        let name = format!("bulk-{size}");
        let store = open(dir, &name);
        let before = resident_mb();
        let values: Vec<_> = (0..8).map(|n| value(n, size)).collect();
        let total = 400_000_000 / size as u64;
        let took = timed(clock, || {
            (0..total).for_each(|n| commit(&store, one(5, n, &values[n as usize % 8]), Durability::Buffered));
            store.sync().unwrap_or_else(|e| panic!("{e}"));
        });
        let (disk, memory) = (store.size_on_disk().unwrap_or_default(), resident_mb() - before);
        drop(store);
        let mut store = None;
        let opened = timed(clock, || store = Some(open(dir, &name)));
        let Some(store) = store else { return };
        let mut bytes = 0;
        let scanned = timed(clock, || bytes = count(&store, &KeyRange::prefix(&[5])).1);
        println!(
            "buffered {:5} KiB: in {:5.0} MB/s, disk {:3.0} %, +{memory} MB resident, open {:.2} s, scan {:5.0} MB/s",
            size >> 10,
            mb(total * size as u64, took),
            disk as f64 * 100.0 / (total * size as u64) as f64,
            opened.as_secs_f64(),
            mb(bytes, scanned)
        );
    }
}

/// Pages of 512 rows: written once in order, then some of them again, as checkpoints do.
fn pages(clock: &Clock, dir: &Path) {
    let store = open(dir, "pages");
    let page = value(1, 60_000);
    let total = 4000_u64;
    let took = timed(clock, || {
        for group in 0..total / 16 {
            let mut batch = Batch::new();
            for i in 0..16 {
                batch.put(key(2, group * 16 + i), page.clone());
            }
            commit(&store, batch, Durability::Buffered);
        }
        store.sync().unwrap_or_else(|e| panic!("{e}"));
    });
    println!(
        "pages in order: {:6.0} pages/s ({:.0} k rows/s)",
        total as f64 / took.as_secs_f64(),
        total as f64 * 0.512 / took.as_secs_f64()
    );
    let mut rng = Seed(3).stream("pages");
    for dirty in [16_u64, 256] {
        let (mut n, mut took) = (0, Duration::ZERO);
        while took < Duration::from_secs(3) {
            let mut batch = Batch::new();
            for _ in 0..dirty {
                batch.put(key(2, u64::from(rng.next_u32()) % total), page.clone());
            }
            took += timed(clock, || commit(&store, batch, Durability::Durable));
            n += dirty;
        }
        println!("scattered pages, {dirty:3} to a durable commit: {:6.0} pages/s", n as f64 / took.as_secs_f64());
    }
    let (mut hot, mut records) = (Duration::ZERO, 0);
    for _ in 0..3 {
        hot = timed(clock, || records = count(&store, &KeyRange::prefix(&[2])).0);
    }
    println!("scan in memory: {:6.0} pages/s", records as f64 / hot.as_secs_f64());
    drop(store);
    let store = open(dir, "pages");
    let cold = timed(clock, || records = count(&store, &KeyRange::prefix(&[2])).0);
    println!(
        "scan after restart: {:6.0} pages/s ({:.1} M rows/s)",
        records as f64 / cold.as_secs_f64(),
        records as f64 * 512e-6 / cold.as_secs_f64()
    );
    let gets = timed(clock, || (0..2000).for_each(|n| drop(store.get(&key(2, n * 2)))));
    println!("point reads: {:6.0} pages/s", 2000.0 / gets.as_secs_f64());
}

/// What stays in memory of what was written, and what trimming gives back.
fn trim(clock: &Clock, dir: &Path) {
    let store = open(dir, "trim");
    let start = resident_mb();
    for n in 0..8000 {
        commit(&store, one(2, n, &value(n, 60_000)), Durability::Buffered);
    }
    store.sync().unwrap_or_else(|e| panic!("{e}"));
    let full = resident_mb();
    let took = timed(clock, || store.trim().unwrap_or_else(|e| panic!("{e}")));
    let after = resident_mb();
    count(&store, &KeyRange::all());
    println!(
        "480 MB of pages: +{} MB resident, +{} MB after trim ({:.2} s), +{} MB after a scan with {} MB of cache",
        full - start,
        after.saturating_sub(start),
        took.as_secs_f64(),
        resident_mb().saturating_sub(start),
        SledOptions::default().cache_bytes >> 20
    );
}

/// A journal that is appended to and cut off behind: leaves and disk must not grow.
fn deletes(clock: &Clock, dir: &Path) {
    let store = open(dir, "deletes");
    commit(&store, one(9, 0, b"end"), Durability::Durable);
    let small = value(1, 2000);
    let mut n = 0;
    for round in 0..5 {
        let took = timed(clock, || {
            for _ in 0..40 {
                let mut batch = Batch::new();
                for i in n..n + 500 {
                    batch.put(key(5, i), small.clone());
                    if i >= 2000 {
                        batch.delete(key(5, i - 2000));
                    }
                }
                n += 500;
                commit(&store, batch, Durability::Durable);
            }
        });
        println!(
            "round {round}: 20 k puts and deletes in {:.2} s, {} leaves, {} KiB on disk",
            took.as_secs_f64(),
            store.live_leaves(),
            store.size_on_disk().unwrap_or_default() >> 10
        );
    }
}

/// Measures one thing in a directory and prints it.
type Part = fn(&Clock, &Path);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let base = args.first().map_or_else(std::env::temp_dir, std::path::PathBuf::from);
    let parts: Vec<&str> = args.iter().skip(1).map(String::as_str).collect();
    let dir = tempfile::tempdir_in(base).unwrap_or_else(|e| panic!("{e}"));
    let clock = Clock::system();
    let all: [(&str, Part); 5] =
        [("commits", commits), ("bulk", bulk), ("pages", pages), ("trim", trim), ("deletes", deletes)];
    for (name, part) in all {
        if parts.is_empty() || parts.contains(&name) {
            part(&clock, dir.path());
        }
    }
}
