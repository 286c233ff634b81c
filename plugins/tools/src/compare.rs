//! Whether two guests decide alike.

use serde_json::Value;

use crate::Result;
use crate::cases::{batch, runs};
use crate::guest::Guest;
use crate::registry::Registry;

/// Rows of each made-up batch: one that is full and some that are not.
const ROWS: [usize; 4] = [4096, 1, 0, 1000];

/// Prints a guest's manifest.
pub(crate) fn print_manifest(path: &str) -> Result<()> {
    println!("{}", serde_json::to_string_pretty(&Guest::read(path)?.manifest()?)?);
    Ok(())
}

/// Fails at the first difference between `a` and `b`.
pub(crate) fn compare(a: &str, b: &str, cases: &str) -> Result<()> {
    let registry = Registry::read()?;
    let cases: Vec<Value> =
        serde_json::from_str(&std::fs::read_to_string(cases).map_err(|e| format!("{cases}: {e}"))?)?;
    let (one, other) = (Guest::read(a)?, Guest::read(b)?);
    let (manifest, theirs) = (one.manifest()?, other.manifest()?);
    let keys = ["topic", "triggers", "columns", "parameters", "notices", "reasons", "routes"];
    if let Some(key) = keys.iter().find(|k| manifest[**k] != theirs[**k]) {
        return Err(format!("the manifests differ in `{key}`: {} and {}", manifest[key], theirs[key]).into());
    }
    let (mut rows, mut chosen) = (0_usize, 0_usize);
    for (n, params) in cases.iter().enumerate() {
        for run in runs(&registry, &manifest, params)? {
            let here = format!("parameters {params}, minute {}", run.now);
            if one.interest(&run)? != other.interest(&run)? {
                return Err(format!("interest differs: {here}").into());
            }
            for size in ROWS {
                let rows_of = batch(&registry, &manifest, &run, size, 1 + n as u64 * 1000 + run.now as u64)?;
                let (mine, theirs) = (one.decide(&run, &rows_of)?, other.decide(&run, &rows_of)?);
                if let Some(row) = (0..size).find(|r| mine.1[*r] != theirs.1[*r]) {
                    let values: Vec<String> =
                        rows_of.columns.iter().map(|(c, v)| format!("{} {}", c.name, v[row])).collect();
                    let why = |r: u16| manifest["reasons"][usize::from(r)]["name"].clone();
                    let (mine, theirs) = (why(mine.1[row]), why(theirs.1[row]));
                    return Err(format!("reasons differ, {mine} and {theirs}: {here}, {}", values.join(", ")).into());
                }
                if mine.0 != theirs.0 {
                    return Err(format!("decisions differ: {here}, batch of {size}").into());
                }
                rows += size;
                chosen += mine.0.len();
            }
        }
    }
    println!("{a} and {b} agree: {} parameters, {rows} rows, {chosen} chosen", cases.len());
    if chosen == 0 {
        return Err("no customer was chosen, so nothing was compared; add parameters to the cases".into());
    }
    Ok(())
}
