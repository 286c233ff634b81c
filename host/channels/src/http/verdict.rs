//! From a codec's outcome to what a link does: one table for all platforms, then the operator's for codes that are in none.

use std::collections::BTreeMap;

use gridbell_model::{CarrierKey, Moment};
use gridbell_platform::{Act, Outcome, PlatformId};

use super::config::PlatformAction;
use super::provider::{Meaning, Verdict};

/// A platform's number as a key.
#[must_use]
pub fn key_of(id: &PlatformId) -> CarrierKey {
    CarrierKey::text(id.as_str())
}

/// What a link does about an outcome. `unnamed` is the key of a message that was accepted without a number.
#[must_use]
pub fn verdict_of(
    outcome: Outcome,
    unnamed: CarrierKey,
    codes: &BTreeMap<String, PlatformAction>,
    now: Moment,
) -> Verdict {
    let midnight = || now.date().plus_days(1).at(0, 0).moment();
    let (act, code) = match outcome {
        Outcome::Accepted { id } => return Verdict::Accepted { key: id.as_ref().map_or(unnamed, key_of) },
        Outcome::Refused { act, code } => (act, code),
    };
    let means = match act {
        Act::Refresh => return Verdict::Refresh { code },
        Act::Uncertain => return Verdict::Uncertain { why: format!("the platform answered {code}") },
        Act::Retry => Meaning::Retry,
        Act::SlowDown => Meaning::SlowDown { until: None },
        Act::NextChannel => Meaning::NextChannel,
        Act::NextChannelUntilMidnight => Meaning::NextChannelUntil { until: midnight() },
        Act::BadAddress => Meaning::BadAddress,
        Act::Configuration => Meaning::Configuration,
        Act::OurBug => Meaning::OurBug,
        Act::Unlisted => match codes.get(code.as_str()).copied().unwrap_or(PlatformAction::Retry) {
            PlatformAction::Retry => Meaning::Retry,
            PlatformAction::SlowDown => Meaning::SlowDown { until: None },
            PlatformAction::NextChannel => Meaning::NextChannel,
            PlatformAction::NextChannelUntilMidnight => Meaning::NextChannelUntil { until: midnight() },
            PlatformAction::BadAddress => Meaning::BadAddress,
            PlatformAction::GiveUp => Meaning::GiveUp,
            PlatformAction::Stop => Meaning::Configuration,
        },
    };
    Verdict::Declined { code, means }
}
