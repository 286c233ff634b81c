//! The store in memory shows the faults that it was told to, repeatably, and what survives a crash is a first part of what was committed.

use std::ops::ControlFlow;

use gridbell_clock::Seed;
use gridbell_store::{Batch, Durability, Faults, KeyRange, MemStore, Store, StoreError};
use proptest::prelude::*;

/// Batch `n` puts `n` under two keys, far apart.
fn batch(n: u64) -> Batch {
    let mut batch = Batch::new();
    batch.put([1], n.to_be_bytes()).put([200], n.to_be_bytes()).put([&[7], n.to_be_bytes().as_slice()].concat(), []);
    batch
}

/// The number of the last batch that is in `store`, having checked that all of it and all before are.
fn last_batch(store: &MemStore) -> u64 {
    let read = |key: &[u8]| {
        store
            .get(key)
            .unwrap_or_else(|e| panic!("{e}"))
            .map_or(0, |v| u64::from_be_bytes(v.try_into().unwrap_or_default()))
    };
    let (low, high) = (read(&[1]), read(&[200]));
    assert_eq!(low, high, "a batch is whole");
    let mut count = 0;
    let scanned = store.scan(&KeyRange::prefix(&[7]), &mut |_, _| {
        count += 1;
        Ok(ControlFlow::Continue(()))
    });
    scanned.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(count, low, "and so are those before it");
    low
}

proptest! {
    #[test]
    fn a_crash_keeps_what_was_acknowledged_and_some_of_the_rest(
        seed in any::<u64>(),
        durable in prop::collection::vec(any::<bool>(), 1..30),
        crash_at in 1..40_u64,
    ) {
        let store = MemStore::with_faults(Seed(seed), Faults { crash_at_commit: Some(crash_at), ..Faults::default() });
        let (mut tried, mut acknowledged) = (0, 0);
        for durable in durable {
            tried += 1;
            match store.commit(batch(tried), if durable { Durability::Durable } else { Durability::Buffered }) {
                Ok(()) if durable => acknowledged = tried,
                Ok(()) => {}
                Err(e) => {
                    let expected = matches!(e, StoreError::Failed { .. });
        prop_assert!(expected);
                    prop_assert_eq!(tried, crash_at);
                    prop_assert!(matches!(store.get(&[1]), Err(StoreError::Stopped { .. })), "a store that failed has stopped");
                    break;
                }
            }
        }
        let survivor = store.crash();
        let kept = last_batch(&survivor);
        prop_assert!((acknowledged..=tried).contains(&kept), "{acknowledged} ≤ {kept} ≤ {tried}");
        let expected = matches!(store.sync(), Err(StoreError::Stopped { .. }));
        prop_assert!(expected);
        survivor.commit(batch(kept + 1), Durability::Durable).unwrap();
        prop_assert_eq!(last_batch(&survivor.crash()), kept + 1);
    }
}

#[test]
fn buffered_batches_are_lost_in_some_crashes_and_kept_in_others() {
    let kept: std::collections::BTreeSet<u64> = (0..50)
        .map(|seed| {
            let store = MemStore::with_faults(Seed(seed), Faults::default());
            store.commit(batch(1), Durability::Durable).unwrap();
            (2..=4).for_each(|n| store.commit(batch(n), Durability::Buffered).unwrap());
            last_batch(&store.crash())
        })
        .collect();
    assert_eq!(kept.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
}

#[test]
fn a_full_disk_refuses_and_goes_on() {
    let store = MemStore::with_faults(Seed(1), Faults { disk_full_per_mille: 500, ..Faults::default() });
    let (mut n, mut refused) = (1, 0);
    while n <= 50 {
        match store.commit(batch(n), Durability::Durable) {
            Ok(()) => n += 1,
            Err(StoreError::DiskFull { .. }) => refused += 1,
            Err(e) => panic!("{e}"),
        }
    }
    assert!(refused > 10);
    assert_eq!(store.commits(), 50 + refused);
    assert_eq!(last_batch(&store.crash()), 50);
}

#[test]
fn the_same_seed_shows_the_same_faults() {
    let run = |seed| {
        let store = MemStore::with_faults(Seed(seed), Faults { io_error_per_mille: 50, ..Faults::default() });
        (1..1000).find(|n| store.commit(batch(*n), Durability::Buffered).is_err())
    };
    assert_eq!(run(1), run(1));
    assert!((2..20).any(|seed| run(seed) != run(1)));
}

#[test]
fn a_damaged_record_is_named_until_it_is_written_again() {
    let store = MemStore::new();
    store.commit(batch(1), Durability::Durable).unwrap();
    store.damage(&[200]);
    let error = store.get(&[200]).unwrap_err();
    assert!(matches!(&error, StoreError::Corrupt { table: 200, key, .. } if key == "c8"), "{error}");
    assert!(store.scan(&KeyRange::all(), &mut |_, _| Ok(ControlFlow::Continue(()))).is_err());
    store.commit(batch(2), Durability::Durable).unwrap();
    assert!(store.get(&[200]).unwrap().is_some());
}
