//! Daily reconciliation (对账): what each link did on each day beside what its carrier or platform counted, and where they differ. Sends nothing and
//! changes no message.

use gridbell_clock::Clock;
use gridbell_model::{Date, Moment};
use gridbell_state::{DocChange, LinkCounts, State};
use serde::{Deserialize, Serialize};

use crate::documents::{self, CARRIER_COUNT, note};
use crate::error::HostError;

/// For so many days carriers' counts are kept: thirteen months, so that a month has the same month a year ago beside it.
pub const KEPT_COUNT_DAYS: i32 = 400;
/// Longest name of a source, in characters.
const MAX_SOURCE_CHARS: usize = 200;

/// What a carrier or platform says that it did for a link on a day, in parts as it counts them. What it does not say is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CarrierCount {
    /// Accepted from us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<u64>,
    /// Delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<u64>,
    /// Failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
    /// What it bills, in 1/1000 fen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_milli_fen: Option<u64>,
    /// Where the count is from: a bill's number, a file.
    #[serde(default)]
    pub source: String,
}

/// A count as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCount {
    /// The count.
    #[serde(flatten)]
    pub count: CarrierCount,
    /// Who entered it.
    pub by: String,
    /// When.
    pub at: Moment,
}

/// A figure that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountDifference {
    /// `accepted`, `delivered`, `failed` or `cost`.
    pub what: CountOf,
    /// Ours.
    pub ours: u64,
    /// The carrier's.
    pub carrier: u64,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountOf {
    /// Parts accepted.
    Accepted,
    /// Parts delivered.
    Delivered,
    /// Parts failed.
    Failed,
    /// Cost in 1/1000 fen.
    Cost,
}

/// A link's day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconciledDay {
    /// The day.
    pub day: Date,
    /// The link.
    pub link: String,
    /// What we counted.
    pub ours: LinkCounts,
    /// What the carrier counted; none as long as nobody entered it.
    pub carrier: Option<KeptCount>,
    /// Where they differ; nothing as long as nobody entered the carrier's.
    pub differences: Vec<CountDifference>,
}

/// The days from `from` to `to`, both included, in order of day and link; also those that only the carrier counted.
///
/// # Errors
/// When a count that was kept cannot be read.
pub fn reconciliation(state: &State, from: Date, to: Date) -> Result<Vec<ReconciledDay>, HostError> {
    let mut days: std::collections::BTreeMap<(Date, String), (LinkCounts, Option<KeptCount>)> =
        state.link_days(from, to).into_iter().map(|(day, link, ours)| ((day, link), (ours, None))).collect();
    for (key, doc) in state.docs(CARRIER_COUNT) {
        let Some((day, link)) = key.split_once('/') else { continue };
        let Ok(day) = day.parse::<Date>() else { continue };
        if (from..=to).contains(&day) {
            let kept = documents::parse(CARRIER_COUNT, &key, &doc.value)?;
            days.entry((day, link.to_owned())).or_default().1 = Some(kept);
        }
    }
    let reconciled = |((day, link), (ours, carrier)): ((Date, String), (LinkCounts, Option<KeptCount>))| {
        let differences = carrier.as_ref().map(|kept| differences(&ours, &kept.count)).unwrap_or_default();
        ReconciledDay { day, link, ours, carrier, differences }
    };
    Ok(days.into_iter().map(reconciled).collect())
}

/// Counts that are kept no longer on `today`.
pub(crate) fn outdated(state: &State, today: Date) -> Vec<DocChange> {
    let is_old = |key: &String| {
        let day = key.split_once('/').and_then(|(day, _)| day.parse::<Date>().ok());
        day.is_some_and(|day| day.plus_days(KEPT_COUNT_DAYS) < today)
    };
    let docs = state.docs(CARRIER_COUNT).into_iter().filter(|(key, _)| is_old(key));
    docs.map(|(key, doc)| DocChange { expected: Some(doc.version), ..documents::delete(CARRIER_COUNT, &key) }).collect()
}

/// Where a carrier's count is not ours. What was never answered it may have accepted or not, so both are no difference.
fn differences(ours: &LinkCounts, carrier: &CarrierCount) -> Vec<CountDifference> {
    let accepted = ours.accepted..=ours.accepted + ours.unanswered;
    let mut found = Vec::new();
    let mut note = |what, ours, carrier: Option<u64>, same: &dyn Fn(u64) -> bool| {
        if let Some(carrier) = carrier.filter(|n| !same(*n)) {
            found.push(CountDifference { what, ours, carrier });
        }
    };
    note(CountOf::Accepted, ours.accepted, carrier.accepted, &|n| accepted.contains(&n));
    note(CountOf::Delivered, ours.delivered, carrier.delivered, &|n| n == ours.delivered);
    note(CountOf::Failed, ours.failed, carrier.failed, &|n| n == ours.failed);
    note(CountOf::Cost, ours.cost_milli_fen, carrier.cost_milli_fen, &|n| n == ours.cost_milli_fen);
    found
}

/// Keeps what a carrier counted for `link` on `day`; a second count replaces the first, the audit log has both.
///
/// # Errors
/// Where nothing is counted, the day is not over, the name can be no link's, or the state refuses. That the link is one of ours is not asked: one
/// that was taken out of the configuration is billed still.
pub async fn keep_carrier_count(
    state: &State,
    clock: &Clock,
    day: Date,
    link: &str,
    count: CarrierCount,
    who: &str,
) -> Result<ReconciledDay, HostError> {
    let CarrierCount { accepted, delivered, failed, cost_milli_fen, .. } = &count;
    if [accepted, delivered, failed, cost_milli_fen].into_iter().all(Option::is_none) {
        let text = "the count says nothing: give at least one of accepted, delivered, failed, cost_milli_fen";
        return Err(HostError::Invalid(text.to_owned()));
    }
    if day > clock.today() {
        return Err(HostError::Invalid(format!("`{day}` is not over yet: reconcile a day that is")));
    }
    let valid = !link.is_empty() && link.len() <= 64 && !link.contains('/');
    if !valid || count.source.chars().count() > MAX_SOURCE_CHARS {
        let text = format!("`{link}` is no link's name, or the source is longer than {MAX_SOURCE_CHARS} characters");
        return Err(HostError::Invalid(text));
    }
    let key = format!("{day}/{link}");
    let kept = KeptCount { count, by: who.to_owned(), at: clock.now() };
    let doc = documents::put(CARRIER_COUNT, &key, &kept, None)?;
    state.put_docs(vec![doc], vec![note(who, "link.reconcile", &key, &kept.count)]).await?;
    let found = reconciliation(state, day, day)?.into_iter().find(|d| d.link == link);
    found.ok_or_else(|| HostError::Invalid(format!("the count of `{key}` was not kept")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_answered_is_no_difference_and_everything_else_is() {
        let ours = LinkCounts { accepted: 10, unanswered: 2, delivered: 9, failed: 1, ..LinkCounts::default() };
        let says = |accepted, delivered| CarrierCount { accepted, delivered, ..CarrierCount::default() };
        for accepted in 10..=12 {
            assert!(differences(&ours, &says(Some(accepted), Some(9))).is_empty());
        }
        let found = differences(&ours, &says(Some(13), Some(8)));
        assert_eq!(
            found,
            [
                CountDifference { what: CountOf::Accepted, ours: 10, carrier: 13 },
                CountDifference { what: CountOf::Delivered, ours: 9, carrier: 8 }
            ]
        );
        assert!(differences(&ours, &says(None, None)).is_empty(), "what it does not say");
    }
}
