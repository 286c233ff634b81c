//! What the product did against what was recomputed, row by row.

use std::collections::BTreeMap;
use std::path::Path;

use super::day::Day;
use super::files::{Row, rows};

/// Differences told of one file.
const TOLD: usize = 12;

/// Every way in which decisions.csv and messages.csv of `export` differ from `day`, the first of them in words; empty where they are the same.
#[must_use]
pub fn differences(day: &Day, export: &Path) -> String {
    let decisions = rows(&export.join("decisions.csv"));
    let messages = rows(&export.join("messages.csv"));
    let expected = day.decisions.iter().map(|d| (place(&d["run"], &d["account"]), d)).collect();
    let found = decisions.iter().map(|d| (place(&d["run"], &d["account"]), d)).collect();
    let mut told = file("decisions.csv", &expected, &found, decisions.len());
    let expected = day.messages.iter().map(|m| (place(&m.row["run"], &m.row["account"]), &m.row)).collect();
    let found = messages.iter().map(|m| (place(&m["run"], &m["account"]), m)).collect();
    told += &file("messages.csv", &expected, &found, messages.len());
    told
}

/// Runs sort by their number.
fn place(run: &str, account: &str) -> (u32, String) {
    (run.trim_start_matches('R').parse().unwrap_or_else(|_| panic!("`{run}` is no run")), account.to_owned())
}

type Place = (u32, String);

fn file(
    name: &str,
    expected: &BTreeMap<Place, &BTreeMap<&'static str, String>>,
    found: &BTreeMap<Place, &Row>,
    rows: usize,
) -> String {
    let mut told = Vec::new();
    if found.len() != rows {
        told.push(format!("  {} rows speak of a customer of whom the run has spoken", rows - found.len()));
    }
    for (at, row) in expected {
        let place = format!("R{} {}", at.0, at.1);
        let Some(product) = found.get(at) else {
            told.push(format!("  {place}: missing; recomputed {row:?}"));
            continue;
        };
        let fields = row.iter().filter(|(field, value)| product[**field] != **value);
        let fields: Vec<String> = fields
            .map(|(field, value)| format!("{field}: product `{}`, recomputed `{value}`", product[*field]))
            .collect();
        if !fields.is_empty() {
            told.push(format!("  {place}: {}", fields.join("; ")));
        }
    }
    for (at, row) in found.iter().filter(|(at, _)| !expected.contains_key(*at)) {
        told.push(format!("  R{} {}: only the product has it: {row:?}", at.0, at.1));
    }
    if told.is_empty() {
        return String::new();
    }
    let (all, first) = (told.len(), told.into_iter().take(TOLD).collect::<Vec<_>>().join("\n"));
    format!("{name}: {all} of {rows} rows differ, the first of them:\n{first}\n")
}
