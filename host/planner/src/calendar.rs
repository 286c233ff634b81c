//! Working days: the State Council's days off and the weekends that are worked for them (调休). Data that the operator replaces each autumn,
//! when next year's is published; never a rule in code.

use std::collections::BTreeMap;

use gridbell_contract::Workdays;
use gridbell_model::Date;
use serde::{Deserialize, Serialize};

use crate::error::{PlannerError, Problems};
use crate::read::{Document, Fields, Item};

/// Days before a run that its calendar covers: reminders look back at bills a quarter old.
pub const DAYS_BEFORE: i32 = 120;
/// Days after a run that its calendar covers: late-fee dates lie within a few weeks.
pub const DAYS_AFTER: i32 = 120;
/// Most entries of one list of a year.
const MAX_EXCEPTIONS: usize = 120;
/// Most days of one range; the longest holiday so far had nine.
const LONGEST_RANGE: i32 = 31;

/// Which days are worked. Outside [`Calendar::known_from`] to [`Calendar::known_until`] Monday to Friday are, and the plugin is told so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    known_from: Date,
    known_until: Date,
    /// Days that differ from their weekday: true is worked.
    exceptions: BTreeMap<Date, bool>,
}

impl Calendar {
    /// Reads the file `document` with the content `text`.
    ///
    /// # Errors
    /// With all mistakes, each with line, column and field.
    pub fn parse(document: &str, text: &str) -> Result<Self, Problems> {
        let doc = Document::new(text);
        let read = doc.parse();
        let calendar = read.as_ref().and_then(|r| read_calendar(Fields::new(&doc, "", r.span(), r.get_ref())));
        doc.finish(document, calendar)
    }

    /// First day that is known.
    #[must_use]
    pub fn known_from(&self) -> Date {
        self.known_from
    }

    /// Last day that is known: an alarm should ask for a newer file some weeks before.
    #[must_use]
    pub fn known_until(&self) -> Date {
        self.known_until
    }

    /// Whether `date` is worked; Monday to Friday where nothing is known.
    #[must_use]
    pub fn is_working(&self, date: Date) -> bool {
        self.exceptions.get(&date).copied().unwrap_or_else(|| date.weekday() < 5)
    }

    /// The days around `today` as a run carries them, cut to what is known; where `today` itself is not known, that one day.
    ///
    /// # Errors
    /// Where `today` is no date.
    pub fn workdays(&self, today: Date) -> Result<Workdays, PlannerError> {
        let (first, last) = if (self.known_from..=self.known_until).contains(&today) {
            (today.plus_days(-DAYS_BEFORE).max(self.known_from), today.plus_days(DAYS_AFTER).min(self.known_until))
        } else {
            (today, today)
        };
        let days = (first.0..=last.0).map(|d| self.is_working(Date(d)));
        Workdays::from_days(first, days).map_err(|_| PlannerError::Time {
            value: today.to_string(),
            what: "date of a run",
            example: "2026-11-21",
        })
    }
}

fn read_calendar(mut f: Fields<'_, '_>) -> Option<Calendar> {
    let years = f.required("year").map(|i| i.list(50)).unwrap_or_default();
    f.finish();
    let mut exceptions = BTreeMap::new();
    let mut known: Vec<i32> = Vec::new();
    for item in years {
        let Some(mut f) = item.fields() else { continue };
        let year = f.required("year").and_then(|i| i.integer::<i32>(2000..=2100));
        // Where the year's days come from: for whoever checks the file.
        let _ = f.required("source").and_then(|i| i.short_text(200));
        let off = f.required("off").map(|i| i.list(MAX_EXCEPTIONS)).unwrap_or_default();
        let worked = f.required("worked").map(|i| i.list(MAX_EXCEPTIONS)).unwrap_or_default();
        f.finish();
        let Some(year) = year else { continue };
        if known.last().is_some_and(|last| last + 1 != year) {
            item.note(format!(
                "year {year} does not follow {}: years stand in order without a gap",
                known[known.len() - 1]
            ));
        }
        known.push(year);
        for (days, works) in [(off, false), (worked, true)] {
            days.iter().for_each(|day| read_day(day, year, works, &mut exceptions));
        }
    }
    let (first, last) = (known.first()?, known.last()?);
    Some(Calendar {
        known_from: Date::from_ymd(*first, 1, 1)?,
        known_until: Date::from_ymd(*last, 12, 31)?,
        exceptions,
    })
}

/// One entry: a day, or the first and the last of several as `2026-02-15..2026-02-23`.
fn read_day(item: &Item<'_, '_>, year: i32, works: bool, exceptions: &mut BTreeMap<Date, bool>) {
    let Some(text) = item.text() else { return };
    let (first, last) = text.split_once("..").unwrap_or((&text, &text));
    let (first, last) = match (first.parse::<Date>(), last.parse::<Date>()) {
        (Ok(first), Ok(last)) if first <= last && last.0 - first.0 < LONGEST_RANGE => (first, last),
        (Err(e), _) | (_, Err(e)) => return item.note(e.to_string()),
        _ => {
            return item
                .note(format!("`{text}` is not a range of days: the first comes first, {LONGEST_RANGE} days at most"));
        }
    };
    for date in (first.0..=last.0).map(Date) {
        if date.ymd().0 != year {
            item.note(format!("{date} does not lie in {year}"));
        }
        if works && date.weekday() < 5 {
            item.note(format!("{date} is a weekday: only worked Saturdays and Sundays are listed"));
        }
        // A free Saturday or Sunday may be listed, as the State Council's notices do; it changes nothing.
        if exceptions.insert(date, works).is_some_and(|before| before != works) {
            item.note(format!("{date} is listed as off and as worked"));
        }
    }
}
