//! When a policy runs: cron patterns in civil time, and which occurrence is due. Reads no clock.
//!
//! Asia/Shanghai has no daylight saving, so civil minutes are laid on croner's UTC line one to one and every minute exists exactly once.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use croner::Cron;
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use gridbell_model::CivilMinute;
use serde::{Deserialize, Serialize};

use crate::error::PlannerError;

/// The most occurrences that [`CronExpr::between`] lists: a pattern of every minute, shown for a day.
pub const MAX_OCCURRENCES: usize = 1440;

/// A cron pattern of five fields: minute, hour, day, month, weekday, in the prefecture's civil time.
#[derive(Clone, Debug)]
pub struct CronExpr {
    text: String,
    cron: Cron,
}

impl CronExpr {
    /// Its first occurrence at or after `from`; none if there is none within croner's search limit of years.
    #[must_use]
    pub fn at_or_after(&self, from: CivilMinute) -> Option<CivilMinute> {
        self.cron.find_next_occurrence(&instant(from)?, true).ok().map(minute)
    }

    /// Its last occurrence at or before `until`.
    #[must_use]
    pub fn at_or_before(&self, until: CivilMinute) -> Option<CivilMinute> {
        self.cron.find_previous_occurrence(&instant(until)?, true).ok().map(minute)
    }

    /// Its occurrences from `from` (included) to `to` (not included), at most [`MAX_OCCURRENCES`].
    #[must_use]
    pub fn between(&self, from: CivilMinute, to: CivilMinute) -> Vec<CivilMinute> {
        let Some(start) = instant(from) else { return Vec::new() };
        self.cron
            .iter_from(start, croner::Direction::Forward)
            .map(minute)
            .take_while(|m| *m < to)
            .take(MAX_OCCURRENCES)
            .collect()
    }

    /// The occurrence to run now, if any: the latest one that is after `after` and not later than `now`, unless it is more than
    /// `catch_up_minutes` late.
    ///
    /// `after` is the occurrence that ran last or, before the first, the minute since which the schedule is live. Of several missed
    /// occurrences only the latest is due: policies speak of "day ≥ N and not yet said". Nothing is due twice, and a clock that went back
    /// behind `after` finds nothing due until it has caught up.
    #[must_use]
    pub fn due(&self, after: CivilMinute, now: CivilMinute, catch_up_minutes: u32) -> Option<Due> {
        if now <= after {
            return None;
        }
        let scheduled_at = self.at_or_before(now).filter(|at| *at > after)?;
        let late_minutes = u32::try_from(now.0 - scheduled_at.0).ok()?;
        (late_minutes <= catch_up_minutes).then_some(Due { scheduled_at, late_minutes })
    }
}

/// An occurrence that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The occurrence: what the caller remembers as having run.
    pub scheduled_at: CivilMinute,
    /// How late it is; 0 is on time.
    pub late_minutes: u32,
}

/// The parser's message in the house's style, without the names of its own parts.
fn words(error: &CronError) -> String {
    match error {
        CronError::EmptyPattern => "it is empty".to_owned(),
        CronError::InvalidPattern(m) | CronError::IllegalCharacters(m) | CronError::ComponentError(m) => {
            m.trim_end_matches('.').to_lowercase()
        }
        other => other.to_string().trim_end_matches('.').to_lowercase(),
    }
}

fn instant(at: CivilMinute) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.some()?.0.checked_mul(60)?, 0)
}

fn minute(at: DateTime<Utc>) -> CivilMinute {
    CivilMinute(at.timestamp().div_euclid(60))
}

impl FromStr for CronExpr {
    type Err = PlannerError;

    fn from_str(s: &str) -> Result<Self, PlannerError> {
        let bad = |reason: String| PlannerError::Cron { pattern: s.chars().take(80).collect(), reason };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(s).map_err(|e| bad(words(&e)))?;
        let expr = Self { text: s.trim().to_owned(), cron };
        // 2024-01-01: any pattern that ever occurs does so within croner's limit from here, 29 February included.
        if expr.at_or_after(CivilMinute(19_723 * 1440)).is_none() {
            return Err(bad("it never occurs".to_owned()));
        }
        Ok(expr)
    }
}

impl fmt::Display for CronExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for CronExpr {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}
impl Eq for CronExpr {}

impl Serialize for CronExpr {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for CronExpr {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
