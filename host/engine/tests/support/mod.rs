//! Guests written by hand, and tables to run them over.

#![allow(dead_code, reason = "each test file uses its part")]

mod guest;

use gridbell_clock::Clock;
use gridbell_contract::{Run, TriggerId, Workdays};
use gridbell_engine::{Engine, EngineConfig};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Date, PrefectureCode, Table};

#[allow(unused_imports, reason = "each test file uses its part")]
pub(crate) use guest::{Guest, MANIFEST, MEMORY, interest};

pub(crate) fn engine() -> Engine {
    let config =
        EngineConfig { batch_cost: std::time::Duration::from_millis(30), threads: 2, ..EngineConfig::default() };
    Engine::new(config, Clock::system()).unwrap()
}

pub(crate) fn run() -> Run {
    let today = Date::from_ymd(2026, 11, 21).unwrap();
    Run {
        prefecture: PrefectureCode(140_100),
        now: today.at(9, 0),
        trigger: TriggerId(1),
        schedule: "daily".to_owned(),
        facts: Vec::new(),
        params: "{}".to_owned(),
        workdays: Workdays::weekdays(today.plus_days(-30), 90).unwrap(),
    }
}

/// A table with the one column that the guests above ask for.
pub(crate) struct Arrears(pub(crate) Vec<i64>);

impl Table for Arrears {
    fn chunks(&self) -> usize {
        self.0.len().div_ceil(CHUNK_ROWS)
    }
    fn rows(&self, chunk: usize) -> usize {
        self.0.chunks(CHUNK_ROWS).nth(chunk).map_or(0, <[i64]>::len)
    }
    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        (id == ColumnId(2)).then(|| self.0.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::S64)).flatten()
    }
}

/// `n` customers of whom every seventh owes something.
pub(crate) fn arrears(n: usize) -> Arrears {
    Arrears((0..n).map(|i| if i % 7 == 3 { 100 + i as i64 } else { 0 }).collect())
}
