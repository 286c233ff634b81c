//! Scenes that are not ordinary: nobody, special days, the ends of what columns hold, what is missing, triggers, parameters.

use gridbell_contract::{Fact, fact, trigger};
use gridbell_model::CivilMinute;

use super::ordinary::{BATCH, cast};
use super::schedule_of;
use crate::certificate::Check;
use crate::customer::{Customer, columns};
use crate::days;
use crate::draw::Draw;
use crate::error::CertifyError;
use crate::make::{extreme, lacking, ordinary as made_up};
use crate::probe::{Input, Probe};
use crate::subject::Scene;
use crate::trial::Trial;

/// Special days that are tried at least: 29 February and what is around it.
const LEAST_DAYS: usize = 8;
/// Sets of parameters, and the least of them for a slow guest.
const SETS: usize = 64;
const LEAST_SETS: usize = 12;
/// Customers on whom the ends of columns are tried.
const BASES: usize = 6;
/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// Asks about nobody, for every trigger.
pub(crate) fn empty_batch(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    for scene in trigger_scenes(trial).into_iter().filter(|s| s.facts.is_empty()) {
        let scene = Scene { kind: Check::EmptyBatch, ..scene };
        let input = Input::new(&scene, Vec::new());
        if Probe::Nobody.shows(&trial.subject, &input)?.is_some() {
            trial.find(Check::EmptyBatch, input, Probe::Nobody);
        }
    }
    trial.said.insert(Check::EmptyBatch, "a batch without rows gets no decisions".to_owned());
    Ok(())
}

/// Days that calendars get wrong, with customers whose dates lie around them.
pub(crate) fn days(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let mut rng = trial.stream("days");
    let mut done = 0;
    let all = days::special(trial.base.now.date(), &trial.terms.calendar);
    let of = all.len();
    for now in all {
        if done >= LEAST_DAYS && trial.is_late() {
            break;
        }
        let today = now.date();
        let mut batch: Vec<Customer> = (0..trial.share(BATCH, 64)).map(|_| made_up(&mut rng, today)).collect();
        for date in days::dates(today) {
            // Somebody who has the thing at all.
            let mut whole = made_up(&mut rng, today);
            for def in columns().iter().filter(|def| def.unit == "date") {
                whole.set(def.id, date.0.into());
            }
            let each = columns().iter().filter(|def| def.unit == "date" && def.none.is_some());
            let each: Vec<Customer> = each
                .filter_map(|def| batch.iter().find(|c| c.knows(def.id)).map(|c| c.with(def.id, date.0.into())))
                .collect();
            batch.extend(each);
            batch.push(whole);
        }
        trial.generated += batch.len() as u64;
        let scene = Scene { kind: Check::Days, now, ..trial.base.clone() };
        trial.sweep(&scene, batch)?;
        done += 1;
    }
    trial.said.insert(Check::Days, format!("{done} of {of} such days"));
    Ok(())
}

/// Customers on whom something is changed: chosen ones of every kind first.
fn bases(trial: &Trial<'_>) -> Vec<Customer> {
    let each = trial.casts.first().map(super::Cast::one_each).unwrap_or_default();
    let few = trial.share(BASES, 2);
    let mut bases: Vec<Customer> = each.iter().take(few).cloned().collect();
    bases.extend(each.last().cloned());
    bases
}

/// The ends of what columns can hold.
pub(crate) fn extremes(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let seen = trial.seen()?;
    let made = extreme(&bases(trial), &seen);
    sweeps(trial, Check::Extremes, made)?;
    trial.said.insert(Check::Extremes, format!("every end of {} columns", seen.len()));
    Ok(())
}

/// What is missing.
pub(crate) fn none_values(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let seen = trial.seen()?;
    let made = lacking(&bases(trial), &seen);
    sweeps(trial, Check::NoneValues, made)?;
    trial.said.insert(Check::NoneValues, format!("each of {} columns, each two of them, and all", seen.len()));
    Ok(())
}

fn sweeps(trial: &mut Trial<'_>, kind: Check, made: Vec<Customer>) -> Result<(), CertifyError> {
    let scene = Scene { kind, ..trial.base.clone() };
    trial.generated += made.len() as u64;
    for batch in made.chunks(BATCH) {
        trial.sweep(&scene, batch.to_vec())?;
    }
    Ok(())
}

/// A scene for each trigger of the manifest, alone and with each of the facts that it may carry.
fn trigger_scenes(trial: &Trial<'_>) -> Vec<Scene> {
    let now = trial.base.now;
    let late = |minutes| Fact { id: fact::CATCH_UP_MINUTES, value: minutes };
    let before = |minute: i64| Fact { id: fact::PREVIOUS_RUN, value: minute };
    let mut scenes = Vec::new();
    for id in trial.subject.manifest().triggers() {
        let own = schedule_of(*id);
        let scene =
            |facts, schedule| Scene { kind: Check::Triggers, trigger: *id, facts, schedule, ..trial.base.clone() };
        for facts in [
            vec![],
            vec![late(0)],
            vec![late(1)],
            vec![late(45 * DAY)],
            vec![before(now.0 - DAY)],
            vec![before(now.0)],
            vec![before(now.0 - 400 * DAY)],
            vec![late(3 * DAY), before(now.0 - 4 * DAY)],
            vec![before(CivilMinute::NONE.0)],
        ] {
            scenes.push(scene(facts, own.clone()));
        }
        if *id == trigger::SCHEDULE {
            scenes.extend([String::new(), "每天".repeat(40)].map(|name| scene(Vec::new(), name)));
        }
    }
    scenes
}

/// Every trigger.
pub(crate) fn triggers(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let mut rng = trial.stream("triggers");
    let pool = trial.casts.first().map(|cast| cast.pool(&trial.subject, BATCH / 2)).unwrap_or_default();
    for scene in trigger_scenes(trial) {
        let mut batch = pool.clone();
        batch.extend((0..trial.share(BATCH / 2, 32)).map(|_| made_up(&mut rng, scene.now.date())));
        trial.sweep(&scene, batch)?;
    }
    Ok(())
}

/// What the schema allows.
pub(crate) fn parameters(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let mut rng = trial.stream("parameters");
    let most = trial.share(SETS, LEAST_SETS);
    let sets = crate::parameters::sets(trial.subject.manifest(), &trial.base.given, most, &mut rng);
    let (of, mut done) = (sets.len(), 0);
    for given in sets {
        if done >= LEAST_SETS && trial.is_late() {
            break;
        }
        let scene = Scene { kind: Check::Parameters, given, ..trial.base.clone() };
        // Each set has its own boundaries, and each run another seed for them.
        cast(trial, scene, BATCH / 2 * (1 + rng.below(2)), BATCH)?;
        done += 1;
    }
    let what = if of == 0 { "no parameters but those".to_owned() } else { format!("{done} of {of} sets beside them") };
    trial.said.insert(Check::Parameters, format!("the defaults, and {what}"));
    Ok(())
}
