//! How fast a plugin decides, what it costs in fuel and memory, and what share of its budget that is.

use std::time::Duration;

use gridbell_clock::Seed;
use gridbell_contract::{ColumnDef, Registry};
use gridbell_engine::EvalOptions;
use gridbell_model::{CHUNK_ROWS, Date};
use rand_core::RngCore;

use crate::desk::{Desk, Facts};
use crate::error::WorkshopError;
use crate::rows::Rows;

/// Fuel of one batch in the run that counts it: far above what a batch may cost in time.
const FUEL: u64 = 50_000_000_000;
/// CPU time that is long enough for an average.
const ENOUGH: Duration = Duration::from_millis(200);
/// Repetitions at most, however short they are.
const MAX_ROUNDS: u32 = 10_000;
/// Full batches in the run that counts fuel.
const METERED_BATCHES: usize = 8;

/// How to measure.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Made-up customers.
    pub customers: usize,
    /// Repetitions at least.
    pub rounds: usize,
    /// The same seed makes the same customers.
    pub seed: Seed,
    /// The run.
    pub facts: Facts,
}

/// What something cost and what it may cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Measured.
    pub used: f64,
    /// The ceiling in production.
    pub allowed: f64,
}

impl Share {
    /// Part of the ceiling that was used, 0 to 1 and beyond.
    #[must_use]
    pub fn part(self) -> f64 {
        self.used / self.allowed
    }
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct BenchReport {
    /// Customers in each round.
    pub customers: usize,
    /// Customers inside the interest.
    pub passed: usize,
    /// Customers chosen.
    pub decided: usize,
    /// Chosen customers that the interest leaves out, of the sample outside: more than 0 is a fault of the plugin.
    pub interest_misses: usize,
    /// CPU time for each customer without the interest, in nanoseconds.
    pub ns_per_customer: f64,
    /// Customers a second on one core, without the interest.
    pub customers_per_s: f64,
    /// Customers a second on one core, with the interest: what production does.
    pub customers_per_s_with_interest: f64,
    /// Fuel for each customer.
    pub fuel_per_customer: f64,
    /// Milliseconds of CPU for a full batch against the deadline.
    pub batch_ms: Share,
    /// Bytes of memory of an instance against the ceiling.
    pub memory_bytes: Share,
}

/// Measures the plugin on `desk`. Blocks for some seconds.
///
/// # Errors
/// As [`Desk::decide`].
pub fn bench(desk: &Desk, options: &BenchOptions) -> Result<BenchReport, WorkshopError> {
    let run = desk.run(&options.facts)?;
    let rows = made_up(desk, options.customers.max(1), options.facts.now.date(), options.seed);
    let evaluate = |table: &Rows, eval: &EvalOptions| -> Result<_, WorkshopError> {
        Ok(desk.engine().evaluate(desk.plugin(), &run, table, eval)?)
    };
    let one = EvalOptions { threads: Some(1), ..EvalOptions::default() };
    let inside = EvalOptions { use_interest: true, ..one.clone() };
    // The first of each only touches the memory.
    evaluate(&rows, &one)?;
    evaluate(&rows, &inside)?;
    let all = per_round(options.rounds, || Ok(evaluate(&rows, &one)?.cpu))?;
    let with_interest = per_round(options.rounds, || Ok(evaluate(&rows, &inside)?.cpu))?;
    let whole = desk.decide(&run, &rows)?;
    let few = made_up(desk, METERED_BATCHES * CHUNK_ROWS, options.facts.now.date(), options.seed);
    let metered = evaluate(&few, &EvalOptions { fuel: Some(FUEL), ..one })?;
    let n = rows.len() as f64;
    let per_customer = all / n;
    Ok(BenchReport {
        customers: rows.len(),
        passed: whole.passed,
        decided: whole.decisions.len(),
        interest_misses: whole.interest_misses.len(),
        ns_per_customer: per_customer * 1e9,
        customers_per_s: 1.0 / per_customer,
        customers_per_s_with_interest: n / with_interest,
        fuel_per_customer: metered.fuel.unwrap_or_default() as f64 / few.len() as f64,
        batch_ms: Share {
            used: per_customer * 1e3 * CHUNK_ROWS as f64,
            allowed: desk.plugin().deadline().as_secs_f64() * 1e3,
        },
        memory_bytes: Share { used: metered.memory as f64, allowed: desk.plugin().memory_bytes() as f64 },
    })
}

/// Seconds of CPU time of one round, on average over at least `rounds` and [`ENOUGH`].
fn per_round(rounds: usize, mut one: impl FnMut() -> Result<Duration, WorkshopError>) -> Result<f64, WorkshopError> {
    let (mut total, mut done) = (Duration::ZERO, 0_u32);
    while (done as usize) < rounds.max(1) || (total < ENOUGH && done < MAX_ROUNDS) {
        total += one()?;
        done += 1;
    }
    Ok(total.as_secs_f64().max(f64::EPSILON) / f64::from(done))
}

/// Customers as rules meet them: most owe nothing, dates lie around `today`, some values are "none".
fn made_up(desk: &Desk, customers: usize, today: Date, seed: Seed) -> Rows {
    let mut rng = seed.stream("workshop/customers");
    let defs: Vec<&ColumnDef> = desk.columns().iter().filter_map(|id| Registry::get().column(*id)).collect();
    let mut rows = Rows::new(desk.columns());
    let mut values = vec![0; defs.len()];
    for _ in 0..customers {
        let owes = rng.next_u64().is_multiple_of(8);
        for (value, def) in values.iter_mut().zip(&defs) {
            *value = one(def, owes, today, rng.next_u64());
        }
        let of = |id| defs.iter().position(|def| def.id == id).map_or(0, |at| values[at]);
        rows.push(of);
    }
    rows
}

#[expect(clippy::cast_possible_wrap, reason = "a remainder of a small number is small")]
fn one(def: &ColumnDef, owes: bool, today: Date, r: u64) -> i64 {
    let about_a_bill =
        matches!(&*def.name, "arrears" | "arrears-period" | "late-fee-from" | "months-owed" | "reminded-step");
    if about_a_bill && !owes {
        return def.none.unwrap_or(0);
    }
    if let Some(none) = def.none
        && !about_a_bill
        && r.is_multiple_of(10)
    {
        return none;
    }
    let r = r >> 8;
    let (year, month, _) = today.ymd();
    let value = match &*def.unit {
        "fen" => (r % 40_000) as i64 - if def.range.0 < 0 { 5_000 } else { 0 },
        "date" => i64::from(today.0) - 20 + (r % 40) as i64,
        "civil-minute" => today.at(9, 0).0 - (r % 20_000) as i64,
        "yyyymm" => i64::from(year) * 100 + i64::from(month),
        // Each trait is as rare as a trait is: one customer in thirty has it.
        "bits" => (0..20).fold(1, |bits, bit| bits | i64::from((r >> bit).is_multiple_of(31)) << bit),
        "step" => (r % 4) as i64,
        _ => (r % 300) as i64,
    };
    value.clamp(def.range.0, def.range.1)
}
