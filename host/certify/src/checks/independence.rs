//! A customer's answer depends on that customer alone. Four checks, each of which changes one thing and leaves the others as they are: the same customer
//! twice in a batch, the number of rows, their order, the neighbours. So a fault is found by the check whose name it has.

use super::Cast;
use crate::certificate::Check;
use crate::customer::Customer;
use crate::error::CertifyError;
use crate::make::ordinary as made_up;
use crate::probe::{Input, Probe};
use crate::trial::Trial;

/// Customers of an ordinary batch of these checks: even, and a whole number of vectors of any processor.
const BATCH: usize = 64;
/// Sizes that are put together to larger batches: one, small ones, sizes that leave a rest, and large ones.
const SIZES: [usize; 12] = [1, 2, 3, 5, 7, 16, 33, 61, 64, 100, 256, 1000];

/// Does `check` with the customers of every cast.
pub(crate) fn independence(trial: &mut Trial<'_>, check: Check) -> Result<(), CertifyError> {
    let mut done = 0;
    for n in 0..trial.casts.len() {
        for input in inputs(trial, check, n) {
            done += 1;
            let probe = probe(check);
            if let Some(shown) = probe.shows(&trial.subject, &input)? {
                let about = if probe == Probe::Neighbours { shown.about } else { None };
                trial.find(check, Input { about, ..input }, probe);
                return Ok(());
            }
        }
        if trial.is_late() {
            break;
        }
    }
    let what = match check {
        Check::SameTwice => "batches, each in two instances, in code with and without counting, and twice in itself",
        Check::BatchSize => "sizes, each put together to batches of up to 4096",
        Check::RowOrder => "batches in four other orders",
        _ => "batches with other neighbours for every second customer",
    };
    trial.said.insert(check, format!("{done} {what}"));
    Ok(())
}

fn probe(check: Check) -> Probe {
    match check {
        Check::SameTwice => Probe::SameTwice,
        Check::BatchSize => Probe::BatchSize,
        Check::RowOrder => Probe::RowOrder,
        _ => Probe::Neighbours,
    }
}

fn inputs(trial: &Trial<'_>, check: Check, n: usize) -> Vec<Input> {
    let cast = &trial.casts[n];
    let pool = cast.pool(&trial.subject, 4 * SIZES[SIZES.len() - 1]);
    let first = n == 0;
    let batch = |from: usize, len: usize| -> Option<Input> {
        Some(Input::new(&cast.scene, pool.get(from..from + len)?.to_vec()))
    };
    match check {
        // Other parameters change the rule and not the way in which rows are gone through.
        Check::BatchSize if first => {
            let most = trial.share(1000, 100);
            SIZES.iter().filter(|size| **size <= most).filter_map(|size| batch(0, *size)).collect()
        }
        Check::BatchSize => batch(0, 61).into_iter().collect(),
        Check::Neighbours => neighbours(trial, cast, &pool),
        _ => {
            let batches = if first { trial.share(8, 2) } else { 1 };
            let mut inputs: Vec<Input> = (0..batches).filter_map(|n| batch(n * BATCH, BATCH)).collect();
            if inputs.is_empty() {
                inputs.extend(batch(0, pool.len() & !1));
            }
            inputs.extend(batch(0, 512).filter(|_| first));
            inputs
        }
    }
}

/// Batches with others to exchange for their customers: of the pool, of whom nothing is known, and made up anew.
fn neighbours(trial: &Trial<'_>, cast: &Cast, pool: &[Customer]) -> Vec<Input> {
    let own: Vec<Customer> = pool.iter().take(BATCH).cloned().collect();
    let columns = trial.subject.columns();
    let seen: Vec<Vec<i64>> = own.iter().map(|c| c.seen_as(columns)).collect();
    let mut rng = trial.stream("neighbours");
    let today = cast.scene.now.date();
    let anew = (0..8 * BATCH).map(|_| made_up(&mut rng, today));
    let far: Vec<Customer> = crate::make::extreme(&own[..own.len().min(4)], columns);
    let nobody = std::iter::repeat_n(Customer::unknown(), BATCH);
    let kinds: [Vec<Customer>; 4] =
        [pool.iter().rev().cloned().collect(), anew.collect(), nobody.collect(), far.into_iter().rev().collect()];
    let inputs = kinds.into_iter().filter_map(|others| {
        // Somebody who is like a customer of the batch is no other neighbour.
        let mut others: Vec<Customer> = others.into_iter().filter(|c| !seen.contains(&c.seen_as(columns))).collect();
        if others.is_empty() {
            return None;
        }
        others = others.iter().cycle().take(own.len()).cloned().collect();
        Some(Input { others, ..Input::new(&cast.scene, own.clone()) })
    });
    inputs.collect()
}
