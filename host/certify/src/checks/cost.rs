//! What a plugin costs: memory of full batches, fuel of the dearest customer, and the time that a full batch of such customers takes at this machine's
//! pace.

use std::time::Duration;

use gridbell_model::CHUNK_ROWS;

use crate::certificate::Check;
use crate::customer::Customer;
use crate::error::CertifyError;
use crate::probe::{Input, Probe, fuel_of};
use crate::subject::{FUEL_TO_START, Scene};
use crate::trial::Trial;

/// Times that an ordinary full batch is measured; the quickest counts, since a busy machine only makes it slower.
const MEASURED: usize = 3;
/// What a unit of fuel may take, in nanoseconds: less is a clock that stands still, more is a machine that does other things.
const PACE_NS: (f64, f64) = (0.05, 20.0);

/// Full batches: of everybody, and of those who are chosen, for whom most is answered.
pub(crate) fn memory(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    for n in 0..trial.casts.len() {
        let cast = &trial.casts[n];
        let scene = Scene { kind: Check::Memory, ..cast.scene.clone() };
        for customers in [cast.chosen(), cast.pool(&trial.subject, CHUNK_ROWS)] {
            let full: Vec<Customer> = customers.iter().cycle().take(CHUNK_ROWS).cloned().collect();
            if !full.is_empty() {
                trial.sweep(&scene, full)?;
            }
        }
        if trial.is_late() {
            break;
        }
    }
    let used = trial.subject.memory() as f64 / f64::from(1 << 20);
    trial.said.insert(Check::Memory, format!("{used:.1} MiB in the batch that needed most"));
    Ok(())
}

/// Looks for the dearest customer in the dearest batches, and certifies the cost of a full batch of it.
pub(crate) fn fuel(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let mut dearest: Option<(u64, Scene, Customer)> = None;
    let budget = trial.subject.fuel_per_customer();
    for (_, scene, customers) in std::mem::take(&mut trial.dear) {
        let Some((fuel, customer)) = dearest_of(trial, &scene, customers)? else { continue };
        if fuel > budget {
            trial.find(Check::Fuel, Input::new(&scene, vec![customer.clone()]), Probe::Fuel);
        }
        if dearest.as_ref().is_none_or(|(most, ..)| fuel > *most) {
            dearest = Some((fuel, scene, customer));
        }
        if trial.is_late() {
            break;
        }
    }
    let Some((mut fuel, scene, customer)) = dearest else { return Ok(()) };
    let Some(run) = trial.subject.run(&scene)? else { return Ok(()) };
    let mut full = fuel.saturating_mul(CHUNK_ROWS as u64);
    if let Ok(decided) = trial.subject.decide(&run, std::iter::repeat_n(&customer, CHUNK_ROWS))? {
        // With what a batch costs before its first customer.
        full = decided.fuel;
        fuel = full.div_ceil(CHUNK_ROWS as u64);
    }
    let (pace, ordinary) = pace(trial)?;
    trial.cost = (fuel, Duration::from_nanos((full as f64 * pace) as u64), ordinary);
    trial.said.insert(Check::Fuel, format!("{fuel} units for the dearest customer of {budget}"));
    Ok(())
}

/// The dearest of `customers`, by halves, and what it costs. A customer dearer than allowed uses up its batch's fuel, and is found by that.
fn dearest_of(
    trial: &Trial<'_>,
    scene: &Scene,
    mut customers: Vec<Customer>,
) -> Result<Option<(u64, Customer)>, CertifyError> {
    let Some(run) = trial.subject.run(scene)? else { return Ok(None) };
    while customers.len() > 1 {
        let rest = customers.split_off(customers.len() / 2);
        let of = |half: &[Customer]| -> Result<u64, CertifyError> {
            Ok(match trial.subject.decide(&run, half)? {
                Ok(decided) => decided.fuel,
                Err(_) => u64::MAX,
            })
        };
        // An odd one more does not make a half dear.
        let (a, b) = (of(&customers)? / customers.len() as u64, of(&rest)? / rest.len() as u64);
        if b > a {
            customers = rest;
        }
    }
    let Some(customer) = customers.pop() else { return Ok(None) };
    // At the least what it was given.
    Ok(Some((fuel_of(&trial.subject, &run, &customer)?.unwrap_or(FUEL_TO_START), customer)))
}

/// Nanoseconds that a unit of fuel takes in the code that production runs, and the CPU time of an ordinary full batch in it.
fn pace(trial: &Trial<'_>) -> Result<(f64, Duration), CertifyError> {
    let usual = (1.0, Duration::ZERO);
    let Some(cast) = trial.casts.first() else { return Ok(usual) };
    let Some(run) = trial.subject.run(&cast.scene)? else { return Ok(usual) };
    let pool = cast.pool(&trial.subject, CHUNK_ROWS);
    let full: Vec<&Customer> = pool.iter().cycle().take(CHUNK_ROWS).collect();
    let Ok(counted) = trial.subject.decide(&run, full.iter().copied())? else { return Ok(usual) };
    let mut quickest = Duration::MAX;
    for _ in 0..MEASURED {
        if let Ok(plain) = trial.subject.decide_plain(&run, full.iter().copied())? {
            quickest = quickest.min(plain.cpu);
        }
    }
    if quickest == Duration::MAX {
        return Ok(usual);
    }
    let ns = quickest.as_nanos() as f64 / counted.fuel.max(1) as f64;
    Ok((ns.clamp(PACE_NS.0, PACE_NS.1), quickest))
}
