//! Dates as days since 1970-01-01 and minutes since its midnight, and which days are worked.

use std::collections::HashMap;

/// Minutes of a day.
pub(super) const DAY: i64 = 1440;

/// `2026-11-20` as a number of days.
///
/// # Panics
/// On anything else, as everything here does.
#[must_use]
pub fn date(text: &str) -> i64 {
    let numbers: Vec<i64> =
        text.split('-').map(|n| n.parse().unwrap_or_else(|_| panic!("`{text}` is no date"))).collect();
    let [year, month, day] = numbers[..] else { panic!("`{text}` is no date") };
    // Counting is slow and cannot be wrong.
    let years: i64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    let months: i64 = (1..month).map(|m| days_of(year, m)).sum();
    years + months + day - 1
}

/// `2026-11-20T08:30` or with a blank as a number of minutes.
///
/// # Panics
/// On anything else.
#[must_use]
pub fn minute(text: &str) -> i64 {
    let (day, time) = text.split_once(['T', ' ']).unwrap_or_else(|| panic!("`{text}` is no minute"));
    date(day) * DAY + of_day(time)
}

/// `08:30` as minutes of the day.
pub(super) fn of_day(text: &str) -> i64 {
    let (hour, minute) = text.split_once(':').unwrap_or_else(|| panic!("`{text}` is no time of day"));
    let number = |n: &str| n.parse::<i64>().unwrap_or_else(|_| panic!("`{text}` is no time of day"));
    number(hour) * 60 + number(minute)
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month and day.
pub(super) fn civil(mut days: i64) -> (i64, i64, i64) {
    let mut year = 1970;
    while days >= if leap(year) { 366 } else { 365 } {
        days -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    while days >= days_of(year, month) {
        days -= days_of(year, month);
        month += 1;
    }
    (year, month, days + 1)
}

/// `2026-11-20T08:30`.
pub(super) fn show(minute: i64) -> String {
    let (year, month, day) = civil(minute.div_euclid(DAY));
    let time = minute.rem_euclid(DAY);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}", time / 60, time % 60)
}

/// 1 for Monday to 7 for Sunday.
pub(super) fn weekday(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    (day + 3).rem_euclid(7) + 1
}

/// Days off and weekends that are worked, from `calendar.toml`.
pub(super) struct Calendar(HashMap<i64, bool>);

impl Calendar {
    pub(super) fn read(text: &str) -> Self {
        let file: toml::Table = text.parse().expect("calendar.toml is TOML");
        let mut days = HashMap::new();
        for year in file["year"].as_array().expect("years") {
            for (list, worked) in [("off", false), ("worked", true)] {
                for entry in year[list].as_array().expect("a list of days") {
                    let entry = entry.as_str().expect("a day");
                    let (first, last) = entry.split_once("..").unwrap_or((entry, entry));
                    for day in date(first)..=date(last) {
                        days.insert(day, worked);
                    }
                }
            }
        }
        Self(days)
    }

    pub(super) fn works(&self, day: i64) -> bool {
        self.0.get(&day).copied().unwrap_or(weekday(day) < 6)
    }

    /// Days, or working days, from `from` (included) to `to` (not included).
    pub(super) fn days(&self, from: i64, to: i64, working: bool) -> i64 {
        if working { (from..to).filter(|day| self.works(*day)).count() as i64 } else { to - from }
    }
}
