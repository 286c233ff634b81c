//! The last look at a correction before it leaves: that number and address are still those that were told, and what it states still so.

use gridbell_model::{CivilMinute, CustomerView, HoldReason};
use gridbell_planner::{ProvinceRules, QueuedFacts, correction_times, recheck_correction};
use gridbell_state::{MessageEvent, OutgoingMessage, QueuedMessage, RunRecord};

use super::record::Words;
use crate::host::Host;

/// What keeps a message of the correction's `run` from being submitted at `minute`; none when nothing does.
pub(crate) fn last_look(
    host: &Host,
    rules: &ProvinceRules,
    (message, queued): (&OutgoingMessage, &QueuedMessage),
    run: &RunRecord,
    view: &CustomerView,
    minute: CivilMinute,
) -> Option<MessageEvent> {
    let cancelled = |reason| Some(MessageEvent::Cancelled { reason });
    let prefecture = message.id.prefecture();
    // What a run of corrections says of itself it wrote itself.
    let Some(words) = Words::of(run) else { return cancelled(HoldReason::Recalled) };
    let facts = QueuedFacts {
        topic: words.topic,
        channel: queued.channel,
        business_key: queued.key,
        stated: queued.stated,
        phone: queued.phone,
        sample: false,
    };
    let says = (words.states_fact, words.tells_account);
    let days = host.freshness_days(prefecture, &run.policy);
    if let Some(reason) = recheck_correction(rules, &facts, view, says, days, minute) {
        return cancelled(reason);
    }
    let policy = host.policy(prefecture, &run.policy).ok();
    let calendar = host.settings().ok()?.calendar;
    let times = correction_times(rules, &calendar, policy.as_ref(), words.topic)?;
    if times.allows(minute) {
        return None;
    }
    match times.next(minute, queued.expires) {
        Some(next) => Some(MessageEvent::Postponed { until: next.moment() }),
        None => cancelled(HoldReason::NoWindow),
    }
}
