//! Days that rules get wrong: ends of months and years, 29 February, moved weekends, and days of which the calendar knows nothing.

use gridbell_model::{CivilMinute, Date};
use gridbell_planner::Calendar;

/// Moved weekends and free weekdays that are tried, of each kind.
const MOVED: usize = 6;
/// How far ahead moved days are looked for.
const LOOK_DAYS: i32 = 500;

/// Such days around `today`, each at a time of day: the strictest first, so that whoever has little time tries those.
pub(crate) fn special(today: Date, calendar: &Calendar) -> Vec<CivilMinute> {
    let leap = leap_year(today);
    let day = |y, m, d| Date::from_ymd(y, m, d);
    let (year, month, _) = today.ymd();
    let mut days: Vec<Date> = [(2, 29), (2, 28), (3, 1)].into_iter().filter_map(|(m, d)| day(leap, m, d)).collect();
    days.extend(
        [(year, 12, 31), (year + 1, 1, 1), (leap + 1, 2, 28), (leap + 1, 3, 1)]
            .into_iter()
            .filter_map(|(y, m, d)| day(y, m, d)),
    );
    let around = || (-60..LOOK_DAYS).map(|n| today.plus_days(n));
    let known = |d: &Date| (calendar.known_from()..=calendar.known_until()).contains(d);
    let weekend = |d: &Date| d.weekday() >= 5;
    days.extend(around().filter(known).filter(|d| weekend(d) && calendar.is_working(*d)).take(MOVED));
    days.extend(around().filter(known).filter(|d| !weekend(d) && !calendar.is_working(*d)).take(MOVED));
    days.extend([calendar.known_until(), calendar.known_until().plus_days(1), calendar.known_from()]);
    for n in 0..12 {
        let n = month as i32 + n;
        let next = day(year + n / 12, (n % 12) as u32 + 1, 1);
        days.extend(next.into_iter().flat_map(|first| [first.plus_days(-1), first]));
    }
    let hours = [(9, 0), (0, 0), (23, 59)];
    let mut seen = std::collections::BTreeSet::new();
    days.retain(|d| d.is_some() && seen.insert(*d));
    days.into_iter().zip(hours.into_iter().cycle()).map(|(d, (h, m))| d.at(h, m)).collect()
}

/// The year of the next 29 February.
fn leap_year(today: Date) -> i32 {
    let year = today.ymd().0;
    (year..year + 9).find(|y| Date::from_ymd(*y, 2, 29).is_some_and(|d| d > today)).unwrap_or(year)
}

/// Dates of a customer that are special on the special day `now`.
pub(crate) fn dates(now: Date) -> Vec<Date> {
    let (year, month, day) = now.ymd();
    let first = Date::from_ymd(year, month, 1).unwrap_or(now);
    let leap = Date::from_ymd(leap_year(now.plus_days(-1)), 2, 29);
    let mut dates: Vec<Date> = (-2..=2).map(|n| now.plus_days(n)).collect();
    dates.extend([first, first.plus_days(-1), now.plus_days(31), now.plus_days(-31), now.plus_days(-(day as i32))]);
    dates.extend(leap);
    dates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_that_calendars_get_wrong_are_among_them() {
        let text =
            "[[year]]\nyear = 2026\nsource = \"s\"\noff = [\"2026-10-01..2026-10-07\"]\nworked = [\"2026-10-10\"]\n";
        let calendar = Calendar::parse("calendar.toml", text).unwrap();
        let today: Date = "2026-09-18".parse().unwrap();
        let days: Vec<String> = special(today, &calendar).iter().map(|t| t.date().to_string()).collect();
        for day in [
            "2028-02-29",
            "2028-02-28",
            "2028-03-01",
            "2029-02-28",
            "2026-12-31",
            "2027-01-01",
            "2026-10-10",
            "2026-10-01",
            "2026-09-30",
            "2027-02-28",
        ] {
            assert!(days.contains(&day.to_owned()), "{day} in {days:?}");
        }
        let mut once = days.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), days.len());
        assert_eq!(days[0], "2028-02-29", "the strictest first");
        assert_eq!(leap_year("2028-02-28".parse().unwrap()), 2028);
        assert_eq!(leap_year("2028-02-29".parse().unwrap()), 2032);
    }
}
