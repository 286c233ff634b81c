//! A schedule with days missing: "day ≥ N and not yet said". A customer's facts stand still, the days go by, and what is said is recorded as the host
//! records it.
//!
//! Two things are asked. What was said and recorded is not said again on the same day, whatever was missed before: that is at most one decision after a
//! gap. And what was missed is caught up: a policy that speaks on day N alone loses everybody whose day falls into a gap. A step may lose its sense by
//! the next day (the late fee has started), so a policy fails only if it never catches up anything.

use gridbell_contract::{Run, column};
use gridbell_model::{CivilMinute, ColumnId, Topic};

use crate::customer::Customer;
use crate::error::CertifyError;
use crate::probe::{Input, Shown};
use crate::subject::{Answer, Scene, Subject};

/// Minutes of a day.
const DAY: i64 = 24 * 60;

/// The column in which the host records what was said about `topic`, for topics that have one.
pub(crate) fn said_column(topic: Topic) -> Option<ColumnId> {
    match topic {
        Topic::ArrearsReminder => Some(column::REMINDED_STEP),
        Topic::BillNotice => Some(column::BILL_SAID),
        Topic::BalanceWarning => Some(column::BALANCE_SAID),
        _ => None,
    }
}

/// `scene` some days later.
pub(crate) fn later(scene: &Scene, days: i64) -> Scene {
    Scene { now: CivilMinute(scene.now.0 + days * DAY), ..scene.clone() }
}

/// The customer some days later: its bills and balance are true for a later day, else nothing changed.
pub(crate) fn aged(customer: &Customer, days: i64) -> Customer {
    let mut c = customer.clone();
    for id in [column::ARREARS_AS_OF, column::BALANCE_AS_OF] {
        if c.knows(id) {
            c.set(id, c.get(id) + days);
        }
    }
    c
}

/// One customer, asked, told, and asked again.
pub(crate) fn said_again(
    subject: &Subject<'_>,
    input: &Input,
    run: &Run,
    column: ColumnId,
) -> Result<Option<Shown>, CertifyError> {
    let Some(customer) = input.customers.first() else { return Ok(None) };
    let Some(first) = one(subject, run, customer)? else { return Ok(None) };
    let told = customer.with(column, customer.get(column).max(i64::from(first.step())));
    let Some(second) = one(subject, run, &told)? else { return Ok(None) };
    let name = gridbell_contract::Registry::get().column(column).map_or("?", |def| &def.name);
    let explanation = format!(
        "it says step {}, and asked again on the same day, with {} in `{name}`, it says step {}; what was said must not be said again",
        first.step(),
        told.get(column),
        second.step()
    );
    let expect = vec![("nothing".to_owned(), serde_json::json!(unused_reason(subject, second.0)))];
    Ok(Some(Shown { explanation, case: Some((input.scene.clone(), told)), expect, about: Some(0) }))
}

/// One customer on the day on which it is first told, and on the next day, when that day was missed.
pub(crate) fn not_caught_up(subject: &Subject<'_>, input: &Input, run: &Run) -> Result<Option<Shown>, CertifyError> {
    let Some(customer) = input.customers.first() else { return Ok(None) };
    let Some(due) = one(subject, run, customer)? else { return Ok(None) };
    let at = |days| -> Result<Option<Told>, CertifyError> {
        let Some(run) = subject.run(&later(&input.scene, days))? else { return Ok(None) };
        one(subject, &run, &aged(customer, days))
    };
    if at(-1)?.is_some() || at(1)?.is_some() {
        return Ok(None);
    }
    let next = later(&input.scene, 1);
    let explanation = format!(
        "it says step {} on {} and nothing on the day after, though nothing was said: a schedule that misses the day loses this customer, and it never \
         catches anybody up; ask whether the day has come, not whether it is today",
        due.step(),
        input.scene.now.date()
    );
    let mut expect = subject.expected(due.0);
    expect.retain(|(key, _)| key == "notice" || key == "step");
    Ok(Some(Shown { explanation, case: Some((next, aged(customer, 1))), expect, about: Some(0) }))
}

/// A reason that is not the decision's own: what a case may expect where nothing should be said. Its author knows which fits.
fn unused_reason(subject: &Subject<'_>, answer: Answer) -> String {
    let own = answer.decision.map(|d| usize::from(d.reason));
    let all = subject.manifest().reasons();
    let said = all.iter().find(|r| r.name.contains("said"));
    let other = || all.iter().enumerate().find(|(n, _)| Some(*n) != own).map(|(_, r)| r);
    said.or_else(other).map_or_else(|| "already-said".to_owned(), |r| r.name.clone())
}

/// Something that was said.
struct Told(Answer);

impl Told {
    fn step(&self) -> u8 {
        self.0.decision.map_or(0, |d| d.step)
    }
}

fn one(subject: &Subject<'_>, run: &Run, customer: &Customer) -> Result<Option<Told>, CertifyError> {
    let Ok(decided) = subject.decide(run, [customer])? else { return Ok(None) };
    let decision = decided.decisions.first().copied().flatten();
    Ok(decision.map(|d| Told(Answer { decision: Some(d), reason: d.reason })))
}
