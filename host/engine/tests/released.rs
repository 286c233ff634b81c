//! A compiled plugin of every released version of the contract decides today what it decided when it was released.
//!
//! `tests/released` has, by version, a component as it was built then and what it decided. Neither is ever made anew: where this test fails, the host
//! has changed under plugins that people run.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::fmt::Write as _;
use std::path::Path;

use gridbell_contract::{Run, column};
use gridbell_engine::{EvalOptions, compile, contract_versions};
use gridbell_model::{ColumnId, ColumnSlice, Date, Table};
use serde_json::json;
use support::{MEMORY, engine, run};

/// 240 customers that differ in all that the rule asks about.
struct Customers {
    traits: Vec<u32>,
    arrears: Vec<i64>,
    due: Vec<i32>,
    said: Vec<u8>,
}

impl Customers {
    fn new(today: Date) -> Self {
        let rows = 0..240;
        Self {
            traits: rows.clone().map(|n| [1, 3, 5, 7][n % 4]).collect(),
            arrears: rows.clone().map(|n| [0, 99, 100, 12_345, -5][n % 5]).collect(),
            due: rows
                .clone()
                .map(|n| if n % 11 == 0 { Date::NONE.0 } else { today.0 - 12 + (n % 24) as i32 })
                .collect(),
            said: rows.map(|n| [0, 0, 1, 4][n / 60]).collect(),
        }
    }
}

impl Table for Customers {
    fn chunks(&self) -> usize {
        1
    }
    fn rows(&self, _: usize) -> usize {
        self.traits.len()
    }
    fn column(&self, _: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        match id {
            column::TRAITS => Some(ColumnSlice::U32(&self.traits)),
            column::ARREARS => Some(ColumnSlice::S64(&self.arrears)),
            column::LATE_FEE_FROM => Some(ColumnSlice::S32(&self.due)),
            column::REMINDED_STEP => Some(ColumnSlice::U8(&self.said)),
            _ => None,
        }
    }
}

fn released(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/released").join(name)
}

#[test]
fn every_released_version_decides_as_it_did() {
    for version in contract_versions() {
        let upload = std::fs::read(released(&format!("arrears-reminder-{version}.wasm"))).unwrap();
        let engine = engine();
        let plugin = engine.adopt(&compile(&upload, MEMORY).unwrap()).unwrap();
        let today = Date::from_ymd(2026, 11, 21).unwrap();
        let table = Customers::new(today);
        let mut said = String::new();
        for given in
            [json!({}), json!({"steps": [10, 5], "important_steps": [2], "prepaid_steps": [7], "overdue_times": 3})]
        {
            let params = plugin.manifest().check_parameters(&given).unwrap().to_string();
            let run = Run { now: today.at(9, 30), params, trigger: plugin.manifest().triggers()[0], ..run() };
            let all: Vec<u32> = (0..240).collect();
            let reasons = engine.explain(&plugin, &run, &table, &all).unwrap();
            let decided =
                engine.evaluate(&plugin, &run, &table, &EvalOptions { use_interest: true, ..EvalOptions::default() });
            writeln!(said, "{given}").unwrap();
            for d in decided.unwrap().decisions {
                let (row, until) = (d.row, d.expires.0);
                writeln!(said, "{row} {} {} {} {} {} {} {until}", d.notice, d.step, d.reason, d.route, d.arg0, d.arg1)
                    .unwrap();
            }
            writeln!(said, "{reasons:?}").unwrap();
        }
        let recorded =
            std::fs::read_to_string(released(&format!("arrears-reminder-{version}.txt"))).unwrap_or_default();
        assert!(said.lines().count() > 20);
        assert!(said == recorded, "contract {version}: what was recorded differs; now it is:\n{said}");
    }
}
