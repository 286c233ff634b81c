//! Any sequence of batches leaves every store equal to a plain sorted map, across restarts.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use gridbell_store::{Batch, Durability, KeyRange, MemStore, SledOptions, SledStore, Store, StoreError};
use proptest::prelude::*;

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// One thing that is done to a store and to the model.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(Vec<u8>, Option<Vec<u8>>)>, bool),
    Sync,
    Trim,
    Reopen,
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few tables and short tails, so that keys meet, and the edges of the byte range among them.
    (
        prop::sample::select(vec![0_u8, 1, 2, 254, 255]),
        prop::collection::vec(prop::sample::select(vec![0_u8, 1, 7, 255]), 0..4),
    )
        .prop_map(|(table, tail)| std::iter::once(table).chain(tail).collect())
}

fn step() -> impl Strategy<Value = Step> {
    let value = prop_oneof![9 => prop::collection::vec(any::<u8>(), 0..40), 1 => (0..4_u8, 900..3000_usize).prop_map(|(b, n)| vec![b; n])];
    let operations = prop::collection::vec((key(), prop::option::weighted(0.6, value)), 0..25);
    prop_oneof![
        12 => (operations, any::<bool>()).prop_map(|(o, d)| Step::Commit(o, d)),
        1 => Just(Step::Sync),
        1 => Just(Step::Trim),
        1 => Just(Step::Reopen),
    ]
}

fn batch(operations: &[(Vec<u8>, Option<Vec<u8>>)]) -> Batch {
    let mut batch = Batch::new();
    for (key, value) in operations {
        match value {
            Some(value) => batch.put(key.clone(), value.clone()),
            None => batch.delete(key.clone()),
        };
    }
    batch
}

fn apply(model: &mut Model, operations: &[(Vec<u8>, Option<Vec<u8>>)]) {
    for (key, value) in operations {
        match value {
            Some(value) => model.insert(key.clone(), value.clone()),
            None => model.remove(key),
        };
    }
}

fn scanned(store: &dyn Store, range: &KeyRange) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .scan(range, &mut |k, v| {
            found.push((k.to_vec(), v.to_vec()));
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
    found
}

/// Every way of reading agrees with the model.
fn agrees(store: &dyn Store, model: &Model, probes: &[Vec<u8>]) {
    let all: Vec<_> = model.clone().into_iter().collect();
    assert_eq!(scanned(store, &KeyRange::all()), all);
    for probe in probes {
        assert_eq!(store.get(probe).unwrap(), model.get(probe).cloned());
        let under: Vec<_> = all.iter().filter(|(k, _)| k.starts_with(probe)).cloned().collect();
        assert_eq!(store.last(probe).unwrap(), under.last().cloned(), "last under {probe:?}");
        assert_eq!(scanned(store, &KeyRange::prefix(probe)), under);
        let from: Vec<_> = all.iter().filter(|(k, _)| k >= probe).cloned().collect();
        assert_eq!(scanned(store, &KeyRange::from(probe)), from);
    }
    for pair in probes.windows(2) {
        let between: Vec<_> = all.iter().filter(|(k, _)| *k >= pair[0] && *k < pair[1]).cloned().collect();
        assert_eq!(scanned(store, &KeyRange::between(&pair[0], &pair[1])), between);
    }
    let mut snapshot = store.snapshot().unwrap();
    assert!(matches!(store.snapshot(), Err(StoreError::SnapshotBusy)));
    let mut found = Vec::new();
    loop {
        let slice = snapshot.next_slice(100).unwrap();
        if slice.is_empty() {
            break;
        }
        found.extend(slice);
    }
    assert_eq!(found, all);
}

fn durability(durable: bool) -> Durability {
    if durable { Durability::Durable } else { Durability::Buffered }
}

fn options() -> SledOptions {
    SledOptions { cache_bytes: 4096, free_space_floor_bytes: 0, ..SledOptions::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_store_in_memory_is_a_sorted_map(steps in prop::collection::vec(step(), 1..30), probes in prop::collection::vec(key(), 1..8)) {
        let (mut store, mut model) = (MemStore::new(), Model::new());
        for step in &steps {
            match step {
                Step::Commit(operations, durable) => {
                    store.commit(batch(operations), durability(*durable)).unwrap();
                    apply(&mut model, operations);
                }
                Step::Sync => store.sync().unwrap(),
                Step::Trim => store.trim().unwrap(),
                Step::Reopen => {
                    store.sync().unwrap();
                    store = store.crash();
                }
            }
        }
        agrees(&store, &model, &probes);
    }

    #[test]
    fn sled_is_a_sorted_map(steps in prop::collection::vec(step(), 1..30), probes in prop::collection::vec(key(), 1..8)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(dir.path(), options()).unwrap();
        let mut model = Model::new();
        for step in &steps {
            match step {
                Step::Commit(operations, durable) => {
                    store.commit(batch(operations), durability(*durable)).unwrap();
                    apply(&mut model, operations);
                }
                Step::Sync => store.sync().unwrap(),
                Step::Trim => store.trim().unwrap(),
                Step::Reopen => {
                    drop(store);
                    store = SledStore::open(dir.path(), options()).unwrap();
                }
            }
        }
        agrees(&store, &model, &probes);
        drop(store);
        agrees(&SledStore::open(dir.path(), options()).unwrap(), &model, &probes);
    }
}
