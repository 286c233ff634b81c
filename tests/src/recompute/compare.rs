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
    let expected = places(&day.decisions, |d| (&d["run"], &d["account"]), |d| d);
    let found = places(&decisions, |d| (&d["run"], &d["account"]), |d| d);
    let mut told = file("decisions.csv", &expected, &found, decisions.len());
    let expected = places(&day.messages, |m| (&m.row["run"], &m.row["account"]), |m| &m.row);
    let found = places(&messages, |m| (&m["run"], &m["account"]), |m| m);
    told += &file("messages.csv", &expected, &found, messages.len());
    told
}

/// Run, account, and which of the account's rows in the run it is, from 1: a run of payments may speak to one of several. Runs sort by number.
type Place = (u32, String, usize);

fn places<'a, T, R>(
    rows: &'a [T],
    of: impl Fn(&'a T) -> (&'a String, &'a String),
    row: impl Fn(&'a T) -> &'a R,
) -> BTreeMap<Place, &'a R> {
    let mut places = BTreeMap::new();
    let mut seen: BTreeMap<(&String, &String), usize> = BTreeMap::new();
    for each in rows {
        let (run, account) = of(each);
        let nth = seen.entry((run, account)).or_default();
        *nth += 1;
        let number = run.trim_start_matches('R').parse().unwrap_or_else(|_| panic!("`{run}` is no run"));
        places.insert((number, account.clone(), *nth), row(each));
    }
    places
}

fn file(
    name: &str,
    expected: &BTreeMap<Place, &BTreeMap<&'static str, String>>,
    found: &BTreeMap<Place, &Row>,
    rows: usize,
) -> String {
    let mut told = Vec::new();
    assert_eq!(found.len(), rows, "each row has its place");
    let numbered = (firsts(expected, |row| &row["message"]), firsts(found, |row| &row["message"]));
    let mut numbers: Vec<&String> = found.values().map(|row| &row["message"]).filter(|m| !m.is_empty()).collect();
    numbers.sort_unstable();
    let twice = numbers.windows(2).find(|pair| pair[0] == pair[1]);
    assert!(twice.is_none(), "{name}: two messages have one number: {twice:?}");
    let same = |run: u32, field: &str, ours: &str, theirs: &str| {
        ours == theirs
            || matches!(field, "message" | "told_by")
                && nth(ours, numbered.0.get(&run)) == nth(theirs, numbered.1.get(&run))
                && !ours.is_empty()
    };
    for (at, row) in expected {
        let place = format!("R{} {} {}", at.0, at.1, at.2);
        let Some(product) = found.get(at) else {
            told.push(format!("  {place}: missing; recomputed {row:?}"));
            continue;
        };
        let fields = row.iter().filter(|(field, value)| !same(at.0, field, value, &product[**field]));
        let fields: Vec<String> = fields
            .map(|(field, value)| format!("{field}: product `{}`, recomputed `{value}`", product[*field]))
            .collect();
        if !fields.is_empty() {
            told.push(format!("  {place}: {}", fields.join("; ")));
        }
    }
    for (at, row) in found.iter().filter(|(at, _)| !expected.contains_key(*at)) {
        told.push(format!("  R{} {} {}: only the product has it: {row:?}", at.0, at.1, at.2));
    }
    if told.is_empty() {
        return String::new();
    }
    let (all, first) = (told.len(), told.into_iter().take(TOLD).collect::<Vec<_>>().join("\n"));
    format!("{name}: {all} of {rows} rows differ, the first of them:\n{first}\n")
}

/// A message's number, such as 141100-17, apart.
fn apart(message: &str) -> Option<(&str, u64)> {
    let (prefecture, number) = message.split_once('-')?;
    Some((prefecture, number.parse().ok()?))
}

/// The least number of each run. Two runs of a prefecture may be under way at once, and which of them is in the outbox first no document says: so
/// messages are compared by their place within the run.
fn firsts<R>(rows: &BTreeMap<Place, R>, message: impl Fn(&R) -> &str) -> BTreeMap<u32, u64> {
    let mut firsts = BTreeMap::new();
    for (at, row) in rows {
        if let Some((_, number)) = apart(message(row)) {
            let first = firsts.entry(at.0).or_insert(number);
            *first = number.min(*first);
        }
    }
    firsts
}

/// Whose, and the how many-th of its run.
fn nth<'a>(message: &'a str, first: Option<&u64>) -> Option<(&'a str, u64)> {
    let (prefecture, number) = apart(message)?;
    Some((prefecture, number.checked_sub(*first?)?))
}
