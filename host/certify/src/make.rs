//! Made-up customers: ordinary ones, whose facts fit together, and ones aimed at where a rule is likely to branch. Never at the ends of what a column
//! can hold, nor with facts missing that belong together: `edges` makes those.

use gridbell_contract::{ColumnDef, InterestSet, Registry, Test, column};
use gridbell_model::{ColumnId, Date};
use rand_core::RngCore;

use crate::customer::{Customer, columns, holds};
use crate::draw::Draw;

/// How far from today ordinary dates lie, in days.
const FAR: i32 = 400;
/// Ordinary amounts, in fen: ten million yuan.
const MUCH: i64 = 1_000_000_000;
/// Most values that one column is aimed at.
const MAX_AIMS: usize = 4096;
/// Days around today at which reminders like to begin and end.
const NEAR: [i32; 12] = [0, 1, 2, 3, 4, 5, 7, 10, 14, 15, 30, 60];
/// Thresholds that customers choose, in fen.
const THRESHOLDS: [i64; 5] = [1_000, 2_000, 3_000, 5_000, 10_000];

/// A customer as the province has them: bills, balance and payments each whole or not there at all.
pub(crate) fn ordinary(rng: &mut impl RngCore, today: Date) -> Customer {
    let mut c = Customer::unknown();
    c.set(column::TRAITS, traits(rng));
    if rng.chance(90) {
        bill(rng, today, &mut c);
    }
    if rng.chance(50) {
        c.set(column::BALANCE, rng.between(-5_000, 20_000));
        c.set(column::BALANCE_AS_OF, i64::from(today.0) - rng.between(0, 2));
        if rng.chance(33) {
            c.set(column::THRESHOLD, rng.pick(&THRESHOLDS).copied().unwrap_or_default());
        }
        c.set(column::BALANCE_EPISODE, rng.between(0, 5));
        c.set(column::BALANCE_SAID, rng.between(-3, 3).max(0));
    }
    if rng.chance(60) {
        let ago = if rng.chance(50) { rng.between(0, 5) } else { rng.between(0, 60) };
        c.set(column::PAID_ON, i64::from(today.0) - ago);
        c.set(column::PAID_AMOUNT, rng.between(1, 50_000));
    }
    c
}

fn traits(rng: &mut impl RngCore) -> i64 {
    let mut bits = 0;
    for t in Registry::get().traits() {
        let share = match &*t.name {
            "resident" => 85,
            "has-mobile" => 90,
            "prepaid" => 30,
            "subscribes-bill" | "subscribes-balance" => 30,
            _ => 4,
        };
        bits |= i64::from(rng.chance(share)) << t.bit;
    }
    bits
}

fn bill(rng: &mut impl RngCore, today: Date, c: &mut Customer) {
    let issued = today.plus_days(-(rng.below(45) as i32));
    let amount = if rng.chance(3) { rng.between(-5_000, 0) } else { rng.between(100, 60_000) };
    c.set(column::BILL_ISSUED, issued.0.into());
    c.set(column::BILL_PERIOD, month(issued, -1));
    c.set(column::BILL_AMOUNT, amount);
    c.set(column::BILL_KWH, (amount / 52).max(0));
    c.set(column::BILL_SAID, rng.between(-2, 2).max(0));
    c.set(column::ARREARS_AS_OF, i64::from(today.0) - rng.between(0, 1));
    if rng.chance(50) {
        let months = rng.between(-2, 3).max(1);
        let arrears = if rng.chance(10) { rng.between(1, 300) } else { amount.abs().max(1) * months };
        c.set(column::ARREARS, arrears);
        c.set(column::MONTHS_OWED, months);
        c.set(column::ARREARS_PERIOD, month(issued, -(months as i32)));
        c.set(column::LATE_FEE_FROM, i64::from(today.0) + rng.between(-25, 40));
        c.set(column::REMINDED_STEP, rng.between(-3, 4).max(0));
    }
}

/// The month of `date`, some months later, as the registry writes it.
pub(crate) fn month(date: Date, later: i32) -> i64 {
    let (year, month, _) = date.ymd();
    let n = i64::from(year) * 12 + i64::from(month) - 1 + i64::from(later);
    n.div_euclid(12) * 100 + n.rem_euclid(12) + 1
}

/// Values at which a rule is likely to branch, for each column of [`columns`].
#[derive(Debug, Clone)]
pub(crate) struct Aims(Vec<Vec<i64>>);

impl Aims {
    /// From the plugin's interest, the numbers in its parameters and code, and the days around `today`.
    pub(crate) fn new(interest: Option<&InterestSet>, numbers: &[i64], today: Date) -> Self {
        let of = |def: &&'static ColumnDef| {
            let mut values = bounds(interest, def.id);
            match &*def.unit {
                "date" => {
                    let days =
                        numbers.iter().filter_map(|n| i32::try_from(*n).ok()).filter(|n| (-FAR..=FAR).contains(n));
                    let near = NEAR.iter().copied().chain(days);
                    values.extend(near.flat_map(|n| [n - 1, n, n + 1, -n]).map(|n| i64::from(today.0) + i64::from(n)));
                }
                "yyyymm" => values.extend((-3..=1).map(|n| month(today, n))),
                "bits" => {}
                _ => values.extend(numbers.iter().flat_map(|n| around(*n))),
            }
            let (low, high) = usual(def, today);
            values.retain(|v| (low..=high).contains(v) && def.none != Some(*v));
            values.sort_unstable();
            values.dedup();
            // Evenly over all of them: each has its turn with another seed, none more than others.
            let step = values.len().div_ceil(MAX_AIMS).max(1);
            values.into_iter().step_by(step).collect()
        };
        Self(columns().iter().map(of).collect())
    }

    /// `base` with one to three of the columns in `among` at such a value, where the customer has what the column is about.
    pub(crate) fn aimed(&self, rng: &mut impl RngCore, base: &Customer, among: &[ColumnId]) -> Customer {
        let mut c = base.clone();
        for _ in 0..=rng.below(3) {
            let Some(id) = rng.pick(among).copied() else { break };
            let Some(at) = columns().iter().position(|def| def.id == id) else { continue };
            if columns()[at].unit == "bits" {
                let bit = rng.pick(Registry::get().traits()).map_or(0, |t| t.bit);
                c.set(id, c.get(id) ^ (1 << bit));
            } else if gate(id).is_none_or(|gate| c.knows(gate)) {
                let value = rng.pick(&self.0[at]).copied();
                c.set(id, value.unwrap_or_else(|| c.get(id)));
            }
        }
        c
    }

    /// Each value of column `id`, once.
    pub(crate) fn values(&self, id: ColumnId) -> &[i64] {
        columns().iter().position(|def| def.id == id).and_then(|at| self.0.get(at)).map_or(&[], Vec::as_slice)
    }
}

/// The column without which `id` says nothing: the date of the bill, the balance or the payment.
pub(crate) fn gate(id: ColumnId) -> Option<ColumnId> {
    match id {
        column::ARREARS
        | column::ARREARS_PERIOD
        | column::LATE_FEE_FROM
        | column::MONTHS_OWED
        | column::REMINDED_STEP => Some(column::LATE_FEE_FROM),
        column::BILL_PERIOD
        | column::BILL_ISSUED
        | column::BILL_AMOUNT
        | column::BILL_KWH
        | column::BILL_SAID
        | column::ARREARS_AS_OF => Some(column::BILL_ISSUED),
        column::BALANCE
        | column::BALANCE_AS_OF
        | column::THRESHOLD
        | column::BALANCE_EPISODE
        | column::BALANCE_SAID => Some(column::BALANCE_AS_OF),
        column::PAID_AMOUNT | column::PAID_ON => Some(column::PAID_ON),
        _ => None,
    }
}

fn bounds(interest: Option<&InterestSet>, id: ColumnId) -> Vec<i64> {
    let Some(InterestSet::AnyOf(clauses)) = interest else { return Vec::new() };
    let own = clauses.iter().flatten().filter(|b| b.column == id && b.test == Test::Between);
    own.flat_map(|b| [b.low, b.high]).flat_map(around).collect()
}

fn around(n: i64) -> [i64; 5] {
    [n.saturating_sub(1), n, n.saturating_add(1), n / 2, n.saturating_mul(2)]
}

/// Where ordinary values of a column lie.
pub(crate) fn usual(def: &ColumnDef, today: Date) -> (i64, i64) {
    let (low, high) = match &*def.unit {
        "fen" => (-MUCH, MUCH),
        "date" => (i64::from(today.0 - FAR), i64::from(today.0 + FAR)),
        "yyyymm" => (month(today, -14), month(today, 14)),
        "step" => (0, 20),
        "count" => (0, 120),
        "kwh" => (0, 10_000_000),
        _ => def.range,
    };
    (low.max(def.range.0), high.min(def.range.1))
}

/// Customers at the ends of what the columns in `among` can hold: one column at a time on each of `bases`, and all of them at once.
pub(crate) fn extreme(bases: &[Customer], among: &[ColumnId]) -> Vec<Customer> {
    const ENDS: [i64; 12] = [
        0,
        1,
        127,
        255,
        256,
        65_535,
        65_536,
        i32::MAX as i64,
        i32::MAX as i64 + 1,
        i32::MIN as i64,
        i32::MIN as i64 - 1,
        u32::MAX as i64,
    ];
    let defs: Vec<&ColumnDef> = columns().iter().filter(|def| among.contains(&def.id)).copied().collect();
    let ends = |def: &ColumnDef| {
        let (low, high) = def.range;
        let own = [low, low.saturating_add(1), high.saturating_sub(1), high];
        let mut ends: Vec<i64> =
            ENDS.into_iter().chain(own).filter(|v| holds(def, *v) && def.none != Some(*v)).collect();
        ends.sort_unstable();
        ends.dedup();
        ends
    };
    let mut made = Vec::new();
    for base in bases {
        for def in &defs {
            // Who lacks what the column is about is another check's.
            if gate(def.id).is_none_or(|gate| gate == def.id || base.knows(gate)) {
                made.extend(ends(def).into_iter().map(|v| base.with(def.id, v)));
            }
        }
        for end in [|d: &ColumnDef| d.range.0, |d: &ColumnDef| d.range.1] {
            let mut all = base.clone();
            // Who has every bit set is the last of them; bits apart, so that the amounts are looked at too.
            defs.iter().filter(|d| d.unit != "bits").for_each(|d| all.set(d.id, end(d)));
            made.push(all.clone());
            defs.iter().filter(|d| d.unit == "bits").for_each(|d| all.set(d.id, end(d)));
            made.push(all);
        }
    }
    made
}

/// Customers who lack something: each column of `among`, each two of them, and all, on each of `bases`.
pub(crate) fn lacking(bases: &[Customer], among: &[ColumnId]) -> Vec<Customer> {
    let defs: Vec<&ColumnDef> = columns().iter().filter(|def| among.contains(&def.id)).copied().collect();
    let lack = |def: &ColumnDef| def.none.unwrap_or(0);
    let mut made = vec![Customer::unknown()];
    for base in bases {
        for (n, one) in defs.iter().enumerate() {
            let without = base.with(one.id, lack(one));
            made.extend(defs[n + 1..].iter().map(|two| without.with(two.id, lack(two))));
            made.push(without);
        }
    }
    made
}
