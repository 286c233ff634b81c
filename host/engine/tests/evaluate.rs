//! What a well-behaved plugin gets from the engine: the same decisions however its rows are cut, counted and filtered.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use gridbell_clock::Seed;
use gridbell_engine::{EvalOptions, OutsideSample, RunError};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Table};
use proptest::prelude::*;
use support::{Arrears, Guest, arrears, engine, interest, run};

fn owing(table: &Arrears) -> Vec<u32> {
    table.0.iter().enumerate().filter(|(_, a)| **a > 0).map(|(n, _)| n as u32).collect()
}

fn rows(decisions: &[gridbell_model::Decision]) -> Vec<u32> {
    decisions.iter().map(|d| d.row).collect()
}

#[test]
fn whole_chunks_and_packed_batches_decide_the_same() {
    let (engine, table) = (engine(), arrears(3 * CHUNK_ROWS + 17));
    let plugin = Guest::default().load(&engine);
    let all = engine.evaluate(&plugin, &run(), &table, &EvalOptions::default()).unwrap();
    assert_eq!(rows(&all.decisions), owing(&table));
    assert!(all.decisions.iter().all(|d| d.arg0 == 100 + i64::from(d.row)), "arguments belong to their rows");
    assert_eq!((all.customers, all.passed, all.batches), (table.0.len(), table.0.len(), 4));

    let options = EvalOptions { use_interest: true, ..EvalOptions::default() };
    let packed = engine.evaluate(&plugin, &run(), &table, &options).unwrap();
    assert_eq!(packed.decisions, all.decisions);
    assert_eq!(
        (packed.passed, packed.batches),
        (owing(&table).len(), 1),
        "only those inside, packed into full batches"
    );
}

#[test]
fn an_interest_in_many_fills_batches_and_misses_none() {
    let (engine, rows_of_all) = (engine(), 40 * CHUNK_ROWS + 17);
    // Each of these shares of every chunk is inside, so that batches fill up in the middle of a range of chunks, exactly at its end, or never.
    for share in [1, 2, 3, 4, 5, 7, 16, 4096] {
        let table = Arrears((0..rows_of_all).map(|n| if n % share == 0 { n as i64 + 100 } else { 0 }).collect());
        let plugin = Guest::default().load(&engine);
        let options = EvalOptions { use_interest: true, ..EvalOptions::default() };
        let inside = engine.evaluate(&plugin, &run(), &table, &options).unwrap();
        assert_eq!(inside.passed, rows_of_all.div_ceil(share));
        assert_eq!(rows(&inside.decisions), owing(&table), "one row in {share}");
        assert!(inside.decisions.iter().all(|d| d.arg0 == 100 + i64::from(d.row)), "arguments belong to their rows");
        assert!(inside.batches >= inside.passed.div_ceil(CHUNK_ROWS) && inside.batches <= 41, "{}", inside.batches);
        if share >= 16 {
            assert_eq!(
                inside.batches,
                inside.passed.div_ceil(CHUNK_ROWS),
                "few of each range of chunks are packed with those of others"
            );
        }
        let one = EvalOptions { threads: Some(1), ..options };
        assert_eq!(engine.evaluate(&plugin, &run(), &table, &one).unwrap().decisions, inside.decisions);
    }
}

#[test]
fn whoever_stops_an_evaluation_gets_no_decisions_and_no_further_batch_begins() {
    let (engine, table) = (engine(), arrears(3 * CHUNK_ROWS));
    let plugin = Guest::default().load(&engine);
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    for use_interest in [false, true] {
        let options = EvalOptions { use_interest, stop: Some(std::sync::Arc::clone(&stop)), ..EvalOptions::default() };
        assert!(matches!(engine.evaluate(&plugin, &run(), &table, &options), Err(RunError::Stopped)));
    }
    stop.store(false, std::sync::atomic::Ordering::Relaxed);
    let options = EvalOptions { stop: Some(stop), ..EvalOptions::default() };
    assert_eq!(rows(&engine.evaluate(&plugin, &run(), &table, &options).unwrap().decisions), owing(&table));
}

#[test]
fn an_empty_table_is_decided_about() {
    let engine = engine();
    let plugin = Guest::default().load(&engine);
    for use_interest in [false, true] {
        let options = EvalOptions { use_interest, ..EvalOptions::default() };
        let none = engine.evaluate(&plugin, &run(), &Arrears(Vec::new()), &options).unwrap();
        assert_eq!((none.decisions.len(), none.customers, none.batches), (0, 0, 0));
    }
}

#[test]
fn fuel_is_counted_on_request_and_is_the_same_each_time() {
    let (engine, table) = (engine(), arrears(5000));
    let plugin = Guest::default().load(&engine);
    let options = EvalOptions { fuel: Some(10_000_000), ..EvalOptions::default() };
    let first = engine.evaluate(&plugin, &run(), &table, &options).unwrap();
    let second = engine.evaluate(&plugin, &run(), &table, &EvalOptions { threads: Some(1), ..options }).unwrap();
    assert!(first.fuel.is_some_and(|fuel| fuel > 5000), "{:?}", first.fuel);
    assert_eq!(first.fuel, second.fuel);
    assert_eq!(first.decisions, second.decisions);
    assert_eq!(engine.evaluate(&plugin, &run(), &table, &EvalOptions::default()).unwrap().fuel, None);
}

#[test]
fn a_sample_outside_finds_an_interest_that_lies() {
    let (engine, table) = (engine(), arrears(20_000));
    // It chooses whoever owes anything, and claims to care for large sums only.
    let liar = Guest { interest: interest(&[(2, 0, 10_000, i64::MAX)]), ..Guest::default() }.load(&engine);
    let sample = Some(OutsideSample { seed: Seed(7), rows: 500 });
    let options = EvalOptions { use_interest: true, sample_outside: sample, ..EvalOptions::default() };
    let caught = engine.evaluate(&liar, &run(), &table, &options).unwrap();
    assert!(caught.sampled > 400 && caught.sampled <= 500);
    assert!(!caught.interest_misses.is_empty());
    assert!(caught.interest_misses.iter().all(|row| table.0[*row as usize] > 0 && table.0[*row as usize] < 10_000));
    assert_eq!(engine.evaluate(&liar, &run(), &table, &options).unwrap().interest_misses, caught.interest_misses);

    let honest = engine.evaluate(&Guest::default().load(&engine), &run(), &table, &options).unwrap();
    assert_eq!((honest.sampled > 400, honest.interest_misses), (true, Vec::new()));
}

#[test]
fn everyone_and_nobody_are_interests() {
    let (engine, table) = (engine(), arrears(5000));
    let options = EvalOptions { use_interest: true, ..EvalOptions::default() };
    let everyone = "(call $alloc (i32.const 16))".to_owned();
    let all = engine
        .evaluate(&Guest { interest: everyone, ..Guest::default() }.load(&engine), &run(), &table, &options)
        .unwrap();
    assert_eq!((all.passed, all.decisions.len()), (5000, owing(&table).len()));
    let nobody = "(local $r i32) (local.set $r (call $alloc (i32.const 16)))
        (i32.store8 offset=4 (local.get $r) (i32.const 1)) (local.get $r)";
    let none = engine.evaluate(
        &Guest { interest: nobody.to_owned(), ..Guest::default() }.load(&engine),
        &run(),
        &table,
        &options,
    );
    let none = none.unwrap();
    assert_eq!((none.passed, none.batches, none.decisions.len()), (0, 0, 0));
}

#[test]
fn explain_answers_in_the_order_of_the_question() {
    let (engine, table) = (engine(), arrears(3 * CHUNK_ROWS));
    let plugin = Guest::default().load(&engine);
    let asked = [10, 3, 12_000, 3, 4, 9_001];
    let reasons = engine.explain(&plugin, &run(), &table, &asked).unwrap();
    let expected: Vec<u16> = asked.iter().map(|row| u16::from(table.0[*row as usize] <= 0)).collect();
    assert_eq!(reasons, expected);
}

#[test]
fn what_the_host_got_wrong_is_said_so() {
    struct Without;
    impl Table for Without {
        fn chunks(&self) -> usize {
            1
        }
        fn rows(&self, _: usize) -> usize {
            3
        }
        fn column(&self, _: usize, _: ColumnId) -> Option<ColumnSlice<'_>> {
            None
        }
    }
    struct Short;
    impl Table for Short {
        fn chunks(&self) -> usize {
            2
        }
        fn rows(&self, _: usize) -> usize {
            3
        }
        fn column(&self, _: usize, _: ColumnId) -> Option<ColumnSlice<'_>> {
            Some(ColumnSlice::U8(&[1, 2, 3]))
        }
    }
    let engine = engine();
    let plugin = Guest::default().load(&engine);
    let evaluate =
        |table: &dyn Table, options: &EvalOptions| engine.evaluate(&plugin, &run(), table, options).unwrap_err();
    assert!(matches!(evaluate(&Without, &EvalOptions::default()), RunError::NoColumn { column: ColumnId(2), .. }));
    assert!(matches!(evaluate(&Short, &EvalOptions::default()), RunError::BadTable { chunk: 0, rows: 3 }));
    let beyond = EvalOptions { rows: Some(vec![4, 5000]), ..EvalOptions::default() };
    assert!(matches!(evaluate(&arrears(5000), &beyond), RunError::NoRow { row: 5000, rows: 5000 }));
}

#[test]
fn many_runs_at_once_share_the_engine_and_one_that_fails_disturbs_none() {
    let (engine, table) = (engine(), arrears(6 * CHUNK_ROWS));
    let good = Guest::default().load(&engine);
    let bad = Guest { decide: "unreachable".to_owned(), ..Guest::default() }.load(&engine);
    let expected = owing(&table);
    std::thread::scope(|scope| {
        for n in 0..12 {
            let (engine, table, good, bad, expected) = (&engine, &table, &good, &bad, &expected);
            scope.spawn(move || {
                let options = EvalOptions { use_interest: n % 2 == 0, ..EvalOptions::default() };
                for _ in 0..5 {
                    if n % 3 == 0 {
                        assert!(matches!(engine.evaluate(bad, &run(), table, &options), Err(RunError::Guest(_))));
                    } else {
                        assert_eq!(&rows(&engine.evaluate(good, &run(), table, &options).unwrap().decisions), expected);
                    }
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_the_customers_decides_the_same(
        owed in prop::collection::vec(prop_oneof![3 => Just(0_i64), 1 => -5_i64..1_000_000], 1..9_000),
        parts in 1_usize..9,
        threads in 1_usize..3,
        use_interest: bool,
    ) {
        thread_local! {
            static READY: (gridbell_engine::Engine, gridbell_engine::Plugin) = {
                let engine = engine();
                let plugin = Guest::default().load(&engine);
                (engine, plugin)
            };
        }
        let table = Arrears(owed);
        READY.with(|(engine, plugin)| {
            let whole = engine.evaluate(plugin, &run(), &table, &EvalOptions::default()).unwrap();
            prop_assert_eq!(rows(&whole.decisions), owing(&table));
            let mut together = Vec::new();
            for part in 0..parts {
                let rows = (0..table.0.len() as u32).rev().filter(|row| *row as usize % parts == part).collect();
                let options = EvalOptions { use_interest, rows: Some(rows), threads: Some(threads), ..EvalOptions::default() };
                together.extend(engine.evaluate(plugin, &run(), &table, &options).unwrap().decisions);
            }
            together.sort_by_key(|d| d.row);
            prop_assert_eq!(together, whole.decisions);
            Ok(())
        })?;
    }
}
