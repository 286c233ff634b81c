//! The reference policies as they are shipped, run by the engine: whatever way the rows are cut, in Rust or in C, the decisions are the same.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::path::Path;

use gridbell_clock::Seed;
use gridbell_contract::{InterestSet, Run, column};
use gridbell_engine::{Engine, EvalOptions, OutsideSample, Plugin, compile};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Date, Table};
use rand_core::RngCore as _;
use serde_json::json;
use support::{MEMORY, engine, run};

fn shipped(engine: &Engine, name: &str) -> Plugin {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/prebuilt").join(name);
    engine.adopt(&compile(&std::fs::read(file).unwrap(), MEMORY).unwrap()).unwrap()
}

/// Customers with a value in every column that the registry has, near the borders of the rules' questions.
struct Customers {
    rows: usize,
    u32s: Vec<(ColumnId, Vec<u32>)>,
    u16s: Vec<(ColumnId, Vec<u16>)>,
    u8s: Vec<(ColumnId, Vec<u8>)>,
    s32s: Vec<(ColumnId, Vec<i32>)>,
    s64s: Vec<(ColumnId, Vec<i64>)>,
}

impl Customers {
    fn generate(rows: usize, today: Date, seed: u64) -> Self {
        let draw = |id: ColumnId| {
            let mut rng = Seed(seed).stream(&format!("column {}", id.0));
            move |n: u64| (rng.next_u64() >> 8) % n
        };
        // One in four dates is none; the others lie around today.
        let dates = |id| {
            let mut d = draw(id);
            (id, (0..rows).map(|_| if d(4) == 0 { Date::NONE.0 } else { today.0 - 40 + d(80) as i32 }).collect())
        };
        let small = |id, n| {
            let mut d = draw(id);
            (id, (0..rows).map(|_| d(n) as u8).collect())
        };
        let wide = |id, n: u64, low: i64| {
            let mut d = draw(id);
            (id, (0..rows).map(|_| low + d(n) as i64).collect())
        };
        let words = |id, n: u64| {
            let mut d = draw(id);
            (id, (0..rows).map(|_| d(n) as u32).collect())
        };
        let mut episodes = draw(column::BALANCE_EPISODE);
        Self {
            rows,
            u32s: vec![
                words(column::TRAITS, 1 << 20),
                words(column::ARREARS_PERIOD, 202_612),
                words(column::BILL_PERIOD, 202_612),
                words(column::BILL_KWH, 5000),
                words(column::THRESHOLD, 3000),
            ],
            u16s: vec![(column::BALANCE_EPISODE, (0..rows).map(|_| episodes(3) as u16).collect())],
            u8s: vec![
                small(column::MONTHS_OWED, 4),
                small(column::REMINDED_STEP, 6),
                small(column::BILL_SAID, 2),
                small(column::BALANCE_SAID, 4),
            ],
            s32s: [
                column::LATE_FEE_FROM,
                column::BILL_ISSUED,
                column::BALANCE_AS_OF,
                column::PAID_ON,
                column::ARREARS_AS_OF,
            ]
            .map(dates)
            .into(),
            s64s: vec![
                wide(column::ARREARS, 400, -20),
                wide(column::BILL_AMOUNT, 400, -20),
                wide(column::BALANCE, 6000, -1500),
                wide(column::PAID_AMOUNT, 400, -20),
            ],
        }
    }
}

fn part<T>(columns: &[(ColumnId, Vec<T>)], id: ColumnId, chunk: usize) -> Option<&[T]> {
    columns.iter().find(|(c, _)| *c == id).and_then(|(_, values)| values.chunks(CHUNK_ROWS).nth(chunk))
}

impl Table for Customers {
    fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK_ROWS)
    }
    fn rows(&self, chunk: usize) -> usize {
        self.rows.saturating_sub(chunk * CHUNK_ROWS).min(CHUNK_ROWS)
    }
    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        (part(&self.u32s, id, chunk).map(ColumnSlice::U32))
            .or_else(|| part(&self.u16s, id, chunk).map(ColumnSlice::U16))
            .or_else(|| part(&self.u8s, id, chunk).map(ColumnSlice::U8))
            .or_else(|| part(&self.s32s, id, chunk).map(ColumnSlice::S32))
            .or_else(|| part(&self.s64s, id, chunk).map(ColumnSlice::S64))
    }
}

/// The run of `plugin` on `now` with `given` parameters, checked and filled in as the host does.
fn run_of(plugin: &Plugin, now: Date, given: &serde_json::Value) -> Run {
    let params = plugin.manifest().check_parameters(given).unwrap().to_string();
    let trigger = plugin.manifest().triggers()[0];
    Run { now: now.at(9, 30), params, trigger, ..run() }
}

const PLUGINS: [&str; 5] = [
    "arrears-reminder.wasm",
    "arrears-reminder-c.wasm",
    "bill-notice.wasm",
    "balance-warning.wasm",
    "payment-received.wasm",
];

#[test]
fn every_shipped_policy_decides_the_same_however_its_rows_are_cut() {
    let (engine, today) = (engine(), Date::from_ymd(2026, 11, 21).unwrap());
    for name in PLUGINS {
        let plugin = shipped(&engine, name);
        let table = Customers::generate(3 * CHUNK_ROWS + 777, today, 11);
        let run = run_of(&plugin, today, &json!({}));
        let whole = engine.evaluate(&plugin, &run, &table, &EvalOptions::default()).unwrap();
        assert!(!whole.decisions.is_empty(), "{name} chooses somebody");
        for parts in [1, 2, 7] {
            for use_interest in [false, true] {
                let mut together = Vec::new();
                for part in 0..parts {
                    let rows = Some((0..table.rows as u32).filter(|row| row % parts == part).collect());
                    let options = EvalOptions { use_interest, rows, ..EvalOptions::default() };
                    together.extend(engine.evaluate(&plugin, &run, &table, &options).unwrap().decisions);
                }
                together.sort_by_key(|d| d.row);
                assert!(together == whole.decisions, "{name} in {parts} parts, interest {use_interest}");
            }
        }
    }
}

#[test]
fn the_interest_of_every_shipped_policy_changes_no_decision_on_any_day() {
    let (engine, first) = (engine(), Date::from_ymd(2026, 11, 1).unwrap());
    for name in PLUGINS {
        let plugin = shipped(&engine, name);
        let table = Customers::generate(2 * CHUNK_ROWS, first, 12);
        for day in 0..40 {
            let run = run_of(&plugin, first.plus_days(day), &json!({}));
            let whole = engine.evaluate(&plugin, &run, &table, &EvalOptions::default()).unwrap();
            let sample_outside = Some(OutsideSample { seed: Seed(day as u64), rows: 500 });
            let options = EvalOptions { use_interest: true, sample_outside, ..EvalOptions::default() };
            let inside = engine.evaluate(&plugin, &run, &table, &options).unwrap();
            assert!(inside.decisions == whole.decisions, "{name} on day {day}");
            assert_eq!(inside.interest_misses, [] as [u32; 0], "{name} on day {day}");
        }
    }
}

#[test]
fn explain_gives_the_reason_of_each_decision() {
    let (engine, today) = (engine(), Date::from_ymd(2026, 11, 21).unwrap());
    for name in PLUGINS {
        let plugin = shipped(&engine, name);
        let table = Customers::generate(CHUNK_ROWS, today, 13);
        let run = run_of(&plugin, today, &json!({}));
        let decisions = engine.evaluate(&plugin, &run, &table, &EvalOptions::default()).unwrap().decisions;
        let all: Vec<u32> = (0..table.rows as u32).collect();
        let reasons = engine.explain(&plugin, &run, &table, &all).unwrap();
        assert!(decisions.iter().all(|d| reasons[d.row as usize] == d.reason), "{name}");
    }
}

#[test]
fn an_interest_is_what_the_contract_says_it_is() {
    // The engine's filters and the contract's own definition, over the shipped policy's own interest.
    let (engine, today) = (engine(), Date::from_ymd(2026, 11, 21).unwrap());
    let plugin = shipped(&engine, "arrears-reminder.wasm");
    let table = Customers::generate(2 * CHUNK_ROWS, today, 15);
    let run = run_of(&plugin, today, &json!({}));
    let set = engine.interest(&plugin, &run).unwrap();
    assert!(matches!(&set, InterestSet::AnyOf(clauses) if !clauses.is_empty()));
    let options = EvalOptions { use_interest: true, ..EvalOptions::default() };
    let passed = engine.evaluate(&plugin, &run, &table, &options).unwrap().passed;
    let value = |row: usize, id| table.column(row / CHUNK_ROWS, id).and_then(|c| c.get(row % CHUNK_ROWS));
    assert_eq!(passed, (0..table.rows).filter(|row| set.contains(|id| value(*row, id))).count());
}
