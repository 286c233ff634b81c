//! How long ahead an outage must be announced. Rules are data: they hold from a date, and the operator enters them.

use gridbell_model::{Date, Moment};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::outage::MINUTE_MS;
use crate::word::Kind;

/// The most rules of a prefecture.
pub const MAX_RULES: usize = 64;
/// The longest lead, in minutes: ninety days.
const MAX_MINUTES: u32 = 90 * 24 * 60;

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadRule {
    /// For outages of this kind.
    pub kind: Kind,
    /// Minutes between publication and beginning; 0 for none.
    pub minutes: u32,
    /// The date from which it holds.
    pub from: Date,
}

/// The rules of a prefecture. Of those for a kind that hold, the newest counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<LeadRule>", into = "Vec<LeadRule>")]
pub struct LeadRules(Vec<LeadRule>);

impl Default for LeadRules {
    /// Seven days for planned outages and a day for temporary ones: 供电营业规则 (Power Supply Business Rules), to be checked against what is in force.
    fn default() -> Self {
        let from = Moment::default().date();
        let rule = |kind, hours: u32| LeadRule { kind, minutes: hours * 60, from };
        Self(vec![rule(Kind::Planned, 7 * 24), rule(Kind::Temporary, 24)])
    }
}

impl TryFrom<Vec<LeadRule>> for LeadRules {
    type Error = Error;

    fn try_from(rules: Vec<LeadRule>) -> Result<Self, Error> {
        if rules.len() > MAX_RULES {
            return Err(Error::field("rules", format!("are more than {MAX_RULES}")));
        }
        if rules.iter().any(|r| r.minutes > MAX_MINUTES) {
            return Err(Error::field("minutes", format!("is more than {MAX_MINUTES}, which is 90 days")));
        }
        Ok(Self(rules))
    }
}

impl From<LeadRules> for Vec<LeadRule> {
    fn from(rules: LeadRules) -> Self {
        rules.0
    }
}

impl LeadRules {
    /// All of them.
    #[must_use]
    pub fn rules(&self) -> &[LeadRule] {
        &self.0
    }

    /// Minutes that an outage of `kind` must be announced ahead, where it is announced at `now`.
    #[must_use]
    pub fn needed(&self, kind: Kind, now: Moment) -> u32 {
        let today = now.date();
        let holds = self.0.iter().filter(|r| r.kind == kind && r.from <= today);
        // Of two with the same date the later entry counts.
        holds.max_by_key(|r| r.from).map_or(0, |r| r.minutes)
    }

    /// Minutes that are needed and minutes that there are, where an announcement at `now` of what begins at `from` comes too late.
    #[must_use]
    pub fn shortfall(&self, kind: Kind, from: Moment, now: Moment) -> Option<(u32, u32)> {
        let needed = self.needed(kind, now);
        let had = from.unix_ms().saturating_sub(now.unix_ms()).max(0) / MINUTE_MS;
        let had = u32::try_from(had).unwrap_or(u32::MAX);
        (had < needed).then_some((needed, had))
    }
}
