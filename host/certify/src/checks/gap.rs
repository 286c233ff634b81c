//! Days go by with days missing, for customers of every kind.

use gridbell_model::ColumnId;

use crate::certificate::Check;
use crate::customer::Customer;
use crate::error::CertifyError;
use crate::gap::{aged, later, said_column};
use crate::probe::{Input, Probe};
use crate::subject::{Scene, Subject};
use crate::trial::Trial;

/// Days before and after today that go by.
const BEFORE: i64 = 30;
const AFTER: i64 = 45;
/// Lengths of gaps, in days.
const GAPS: [i64; 3] = [1, 3, 10];
/// Customers for whom the days go by.
const CUSTOMERS: usize = 48;

/// What was seen while the days went by.
#[derive(Default)]
struct Seen {
    /// First words about something after a day on which there were none: scene and customer, nothing of it recorded.
    first: Option<(Scene, Customer)>,
    said: usize,
    caught_up: usize,
}

/// Lets the days go by in every cast.
pub(crate) fn gap(trial: &mut Trial<'_>) -> Result<(), CertifyError> {
    let topic = trial.subject.manifest().topic();
    let Some(column) = said_column(topic) else {
        let said = format!("the host keeps no step said for the topic `{}`", topic.word());
        trial.said.insert(Check::Gap, said);
        return Ok(());
    };
    let mut seen = Seen::default();
    for n in 0..trial.casts.len() {
        let mut customers: Vec<Customer> = trial.casts[n].chosen();
        customers.extend(trial.casts[n].pool(&trial.subject, CUSTOMERS));
        let step = customers.len().div_ceil(trial.share(CUSTOMERS, 12)).max(1);
        let customers: Vec<Customer> = customers.iter().step_by(step).map(|c| c.with(column, 0)).collect();
        let scene = Scene { kind: Check::Gap, ..trial.casts[n].scene.clone() };
        if let Some(input) = days(&trial.subject, &scene, customers, column, &mut seen)? {
            trial.find(Check::Gap, input, Probe::SaidAgain(column));
            return Ok(());
        }
        if trial.is_late() {
            break;
        }
    }
    if let (Some((scene, customer)), 0) = (&seen.first, seen.caught_up) {
        trial.find(Check::Gap, Input::new(scene, vec![customer.clone()]), Probe::NotCaughtUp);
    }
    let said = format!(
        "{} times somebody was first told on a day, {} of them on a later one when that was missed, and nobody twice",
        seen.said, seen.caught_up
    );
    trial.said.insert(Check::Gap, said);
    Ok(())
}

/// Lets the days of one scene go by. Returns a customer who is told twice, as it was on that day.
fn days(
    subject: &Subject<'_>,
    base: &Scene,
    mut customers: Vec<Customer>,
    column: ColumnId,
    seen: &mut Seen,
) -> Result<Option<Input>, CertifyError> {
    for day in -BEFORE..=AFTER {
        let scene = later(base, day);
        let today: Vec<Customer> = customers.iter().map(|c| aged(c, day)).collect();
        let Some(run) = subject.run(&scene)? else { return Ok(None) };
        // What breaks on such a day is another check's.
        let Ok(decided) = subject.decide(&run, &today)? else { continue };
        let mut told = Vec::new();
        for (n, decision) in decided.decisions.iter().enumerate() {
            if let Some(d) = decision {
                let recorded = customers[n].get(column).max(d.step.into());
                told.push((n, recorded));
            }
        }
        if let Some(input) = again(subject, &scene, &today, &told, column)? {
            return Ok(Some(input));
        }
        // Who is told on the very first day may have waited for long.
        if day > -BEFORE && !told.is_empty() {
            for gap in GAPS {
                if let Some(input) = missed(subject, base, day + gap, &customers, &told, column, gap, seen)? {
                    return Ok(Some(input));
                }
            }
            seen.said += told.len();
            let first = told.first().map(|(n, _)| (scene.clone(), today[*n].clone()));
            seen.first = seen.first.take().or(first);
        }
        for (n, recorded) in told {
            customers[n].set(column, recorded);
        }
    }
    Ok(None)
}

/// Asks again about those who were `told`, with what was said recorded.
fn again(
    subject: &Subject<'_>,
    scene: &Scene,
    today: &[Customer],
    told: &[(usize, i64)],
    column: ColumnId,
) -> Result<Option<Input>, CertifyError> {
    let (false, Some(run)) = (told.is_empty(), subject.run(scene)?) else { return Ok(None) };
    let recorded: Vec<Customer> = told.iter().map(|(n, said)| today[*n].with(column, *said)).collect();
    let Ok(decided) = subject.decide(&run, &recorded)? else { return Ok(None) };
    let twice = decided.decisions.iter().position(Option::is_some);
    Ok(twice.map(|at| Input::new(scene, vec![today[told[at].0].clone()])))
}

/// The first day after a gap in which the day of those who were `told` lies.
#[expect(clippy::too_many_arguments, reason = "what a day is made of; a struct would be taken apart at once")]
fn missed(
    subject: &Subject<'_>,
    base: &Scene,
    day: i64,
    customers: &[Customer],
    told: &[(usize, i64)],
    column: ColumnId,
    gap: i64,
    seen: &mut Seen,
) -> Result<Option<Input>, CertifyError> {
    let scene = later(base, day);
    let Some(run) = subject.run(&scene)? else { return Ok(None) };
    let today: Vec<Customer> = told.iter().map(|(n, _)| aged(&customers[*n], day)).collect();
    let Ok(decided) = subject.decide(&run, &today)? else { return Ok(None) };
    let mut late = Vec::new();
    for (n, decision) in decided.decisions.iter().enumerate() {
        if let Some(d) = decision {
            late.push((n, today[n].get(column).max(d.step.into())));
        }
    }
    if gap == GAPS[0] {
        seen.caught_up += late.len();
    }
    again(subject, &scene, &today, &late, column)
}
