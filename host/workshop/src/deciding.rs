//! Which of a customer's facts decided: each is changed alone, and the policy is asked again about all the variants at once.

use std::collections::BTreeMap;

use gridbell_contract::{ColumnDef, Registry, Run};
use gridbell_model::ColumnId;

use crate::cases::{Answer, Expected, answer};
use crate::desk::Desk;
use crate::error::WorkshopError;
use crate::rows::Rows;
use crate::value::show_value;

/// How far days, steps and counts are tried around a value.
const NEAR: i64 = 40;
/// Amounts that rules like to draw lines at, in fen.
const AMOUNTS: [i64; 12] = [0, 1, 99, 100, 500, 999, 1_000, 2_000, 3_000, 5_000, 10_000, 1_000_000];

/// What is known about the facts behind an answer.
#[derive(Debug, Default)]
pub struct Deciding {
    /// Facts that, changed alone, give what was expected: name, value now, the nearest value that does.
    pub would: Vec<(String, String, String)>,
    /// Facts on which the answer depends at all: name, value now.
    pub depends: Vec<(String, String)>,
}

/// Tries what each fact of `customer` would have to be.
pub(crate) fn deciding(
    desk: &Desk,
    run: &Run,
    customer: &BTreeMap<ColumnId, i64>,
    now: &Answer,
    expected: &Expected,
) -> Result<Deciding, WorkshopError> {
    let mut rows = Rows::new(desk.columns());
    let mut variants = Vec::new();
    for (id, value) in customer {
        let Some(def) = Registry::get().column(*id) else { continue };
        for other in others(def, *value) {
            rows.push(|column| if column == *id { other } else { customer.get(&column).copied().unwrap_or_default() });
            variants.push((def, *value, other));
        }
    }
    let all: Vec<u32> = (0..).take(rows.len()).collect();
    let (decided, reasons) = (desk.decide_all(run, &rows)?, desk.explain(run, &rows, &all)?);
    let mut decisions = decided.decisions.iter().peekable();
    let mut found = Deciding::default();
    let mut nearest: Option<(&ColumnDef, i64, i64)> = None;
    for ((row, (def, value, other)), reason) in all.iter().zip(&variants).zip(reasons) {
        let decision = decisions.next_if(|d| d.row == *row);
        let answered = answer(desk, decision, reason);
        let shown = show_value(def, *value);
        if answered != *now && !found.depends.iter().any(|(name, _)| *name == def.name) {
            found.depends.push((def.name.clone(), shown.clone()));
        }
        if expected.differences(&answered).is_empty() {
            let nearer = match nearest {
                Some((d, v, o)) if d.id == def.id => (other - value).unsigned_abs() < (o - v).unsigned_abs(),
                _ => true,
            };
            if nearer {
                found.would.retain(|(name, ..)| *name != def.name);
                found.would.push((def.name.clone(), shown, show_value(def, *other)));
                nearest = Some((def, *value, *other));
            }
        }
    }
    Ok(found)
}

/// Other values of a column that are worth trying.
fn others(def: &ColumnDef, value: i64) -> Vec<i64> {
    let mut others = Vec::new();
    match &*def.unit {
        "bits" => others.extend(Registry::get().traits().iter().map(|t| value ^ (1 << t.bit))),
        "fen" => {
            others.extend(AMOUNTS.iter().flat_map(|a| [*a, -*a, value.saturating_add(*a), value.saturating_sub(*a)]));
        }
        _ => others.extend((-NEAR..=NEAR).map(|n| value.saturating_add(n))),
    }
    others.extend(def.none);
    let (low, high) = def.range;
    others.retain(|v| *v != value && (def.none == Some(*v) || (low..=high).contains(v)));
    others.sort_unstable();
    others.dedup();
    others
}
