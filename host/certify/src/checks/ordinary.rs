//! Ordinary customers, real ones, and ordinary ones aimed at where the rule branches: what all other checks take their customers from.

use gridbell_model::CHUNK_ROWS;

use super::Cast;
use crate::certificate::Check;
use crate::customer::Customer;
use crate::draw::Draw;
use crate::error::CertifyError;
use crate::make::{Aims, ordinary as made_up};
use crate::subject::Scene;
use crate::trial::{Trial, numbers_of};

/// Customers in one batch of a sweep.
pub(crate) const BATCH: usize = 256;
/// Ordinary customers, and those aimed at branches.
const ORDINARY: usize = 2048;
const AIMED: usize = 6144;
/// The least of each for a slow guest.
const LEAST: usize = 512;
/// Sets of parameters besides the least for which the other checks have customers too.
const OTHER_PARAMETERS: usize = 4;

/// Decides about ordinary customers; the first batches say what a customer costs.
pub(crate) fn ordinary(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let base = trial.base.clone();
    let Some(run) = trial.subject.run(&base)? else {
        return Err(CertifyError::Setup {
            detail: "no parameters could be made that fit the plugin's schema".to_owned(),
        });
    };
    let mut fuel = [0; 2];
    for (fuel, customers) in fuel.iter_mut().zip([1, BATCH]) {
        let mut rng = trial.stream("first");
        let first: Vec<Customer> = (0..customers).map(|_| made_up(&mut rng, base.now.date())).collect();
        if let Ok(decided) = trial.subject.decide(&run, &first)? {
            *fuel = decided.fuel;
        }
    }
    trial.plan(fuel[0], fuel[1].saturating_sub(fuel[0]) / (BATCH - 1) as u64);
    let cast = cast(trial, base, ORDINARY, AIMED)?;
    let cast = real(trial, cast)?;
    if !cast.kinds.is_empty() {
        trial.casts.push(cast);
        let mut rng = trial.stream("other parameters");
        let sets = crate::parameters::sets(trial.subject.manifest(), &trial.base.given, 64, &mut rng);
        for given in sets.into_iter().rev().take(OTHER_PARAMETERS) {
            let scene = Scene { kind: Check::Parameters, given, ..trial.base.clone() };
            let cast = self::cast(trial, scene, BATCH, 2 * BATCH)?;
            if !cast.kinds.is_empty() {
                trial.casts.push(cast);
            }
        }
    }
    Ok(())
}

/// Sweeps over ordinary and aimed customers of one scene.
pub(crate) fn cast(trial: &mut Trial<'_>, scene: Scene, plain: usize, aimed: usize) -> Result<Cast, CertifyError> {
    let today = scene.now.date();
    let interest = match trial.subject.run(&scene)? {
        Some(run) => trial.subject.interest(&run)?.ok(),
        None => None,
    };
    let seen = trial.seen()?;
    let aims = Aims::new(interest.as_ref(), &numbers_of(trial, &scene), today);
    let mut cast = Cast::new(scene, aims);
    let mut rng = trial.stream(&format!("ordinary {}", cast.scene.given));
    let (plain, aimed) = (trial.share(plain, LEAST), trial.share(aimed, LEAST));
    for n in 0..(plain + aimed) / BATCH {
        let batch: Vec<Customer> = if n * BATCH < plain {
            (0..BATCH).map(|_| made_up(&mut rng, today)).collect()
        } else {
            // Each kind that has come up is as likely to be changed as any other; one in four begins anew.
            let bases = cast.one_each();
            let mut one = || match rng.pick(&bases).filter(|_| !rng.chance(25)).cloned() {
                Some(base) => base,
                None => made_up(&mut rng, today),
            };
            let bases: Vec<Customer> = (0..BATCH).map(|_| one()).collect();
            bases.iter().map(|base| cast.aims.aimed(&mut rng, base, &seen)).collect()
        };
        trial.generated += batch.len() as u64;
        sweep_into(trial, &mut cast, batch)?;
        if trial.is_late() {
            break;
        }
    }
    // Each boundary by itself, so that none is left to luck.
    let bases = cast.chosen();
    if let Some(base) = bases.first() {
        let each = seen.iter().flat_map(|id| cast.aims.values(*id).iter().map(|v| base.with(*id, *v)));
        let each: Vec<Customer> = each.take(trial.share(16 * BATCH, BATCH)).collect();
        for batch in each.chunks(BATCH) {
            trial.generated += batch.len() as u64;
            sweep_into(trial, &mut cast, batch.to_vec())?;
        }
    }
    Ok(cast)
}

fn real(trial: &mut Trial<'_>, mut cast: Cast) -> Result<Cast, CertifyError> {
    let Some(real) = &trial.terms.real else { return Ok(cast) };
    let most = trial.share(real.len(), 4 * BATCH);
    for from in (0..most).step_by(CHUNK_ROWS) {
        let batch: Vec<Customer> = (from..most.min(from + CHUNK_ROWS)).map(|row| Customer::real(real, row)).collect();
        trial.real += batch.len() as u64;
        sweep_into(trial, &mut cast, batch)?;
        if trial.is_late() {
            break;
        }
    }
    Ok(cast)
}

fn sweep_into(trial: &mut Trial<'_>, cast: &mut Cast, batch: Vec<Customer>) -> Result<(), CertifyError> {
    let scene = cast.scene.clone();
    if let Some(answers) = trial.sweep(&scene, batch.clone())? {
        cast.add(&batch, &answers);
    }
    Ok(())
}
