//! Schedules, send windows and working days.

#![expect(clippy::unwrap_used, reason = "a panic is the failure")]

mod common;

use common::{calendar, date, minute};
use gridbell_model::{CivilMinute, Date};
use gridbell_planner::{CronExpr, Due, OpenMinutes, SendDays, SendTimes, TimeSpan};
use proptest::prelude::*;

fn cron(text: &str) -> CronExpr {
    text.parse().unwrap()
}

#[test]
fn occurrences_are_civil_minutes() {
    let at = |text: &str, from: &str, to: &str| {
        cron(text).between(minute(from), minute(to)).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(at("30 8,15 * * *", "2026-11-21T08:30", "2026-11-22T08:30"), ["2026-11-21T08:30", "2026-11-21T15:30"]);
    assert_eq!(at("0 9 * * 1-5", "2026-11-21T00:00", "2026-11-25T00:00"), ["2026-11-23T09:00", "2026-11-24T09:00"]);
    assert_eq!(at("0 9 1 * *", "2026-11-02T00:00", "2027-01-02T00:00"), ["2026-12-01T09:00", "2027-01-01T09:00"]);
    assert_eq!(at("59 23 31 12 *", "2026-12-31T23:59", "2027-01-01T00:00"), ["2026-12-31T23:59"]);
    assert_eq!(at("0 9 L * *", "2027-02-01T00:00", "2027-03-01T00:00"), ["2027-02-28T09:00"]);
    assert_eq!(at("* * * * *", "2026-01-01T00:00", "2026-02-01T00:00").len(), gridbell_planner::MAX_OCCURRENCES);
    assert_eq!(cron("0 9 29 2 *").at_or_after(minute("2026-11-21T00:00")), Some(minute("2028-02-29T09:00")));
}

#[test]
fn patterns_that_mean_nothing_are_refused_with_the_pattern() {
    for bad in ["", "0 9 * *", "0 0 9 * * *", "60 9 * * *", "0 9 30 2 *", "every day", "0 9 * * * 2027"] {
        let e = bad.parse::<CronExpr>().unwrap_err().to_string();
        assert!(e.starts_with(&format!("`{bad}` is not a schedule: ")), "{e}");
    }
}

#[test]
fn a_missed_schedule_runs_once_within_its_catch_up() {
    let nine = cron("0 9 * * *");
    let due = |after: &str, now: &str| nine.due(minute(after), minute(now), 120);
    let yesterday = "2026-11-20T09:00";
    assert_eq!(due(yesterday, "2026-11-21T08:59"), None);
    let at = minute("2026-11-21T09:00");
    assert_eq!(due(yesterday, "2026-11-21T09:00"), Some(Due { scheduled_at: at, late_minutes: 0 }));
    assert_eq!(due(yesterday, "2026-11-21T11:00"), Some(Due { scheduled_at: at, late_minutes: 120 }));
    assert_eq!(due(yesterday, "2026-11-21T11:01"), None, "too late");
    assert_eq!(due("2026-11-21T09:00", "2026-11-21T09:30"), None, "ran already");
    assert_eq!(due("2026-10-01T09:00", "2026-11-21T09:05").unwrap().scheduled_at, at, "of many missed the latest");
    assert_eq!(due("2026-11-21T09:00", "2026-11-20T09:00"), None, "the clock went back a day");
    assert_eq!(due("2026-11-21T10:00", "2026-11-21T10:30"), None, "made live after the occurrence");
}

proptest! {
    /// Whatever the clock does, each occurrence runs at most once, in order, and never later than its catch-up.
    #[test]
    fn no_occurrence_runs_twice(
        steps in prop::collection::vec(prop_oneof![6 => 1i64..90, 2 => -3000i64..0, 1 => 90i64..5000], 1..300),
        hour in 0u16..24, catch_up in 0u32..400,
    ) {
        let expr = cron(&format!("7 {hour} * * *"));
        let mut now = minute("2026-11-21T00:00");
        let mut after = now;
        let mut ran: Vec<CivilMinute> = Vec::new();
        for step in steps {
            now = now.plus_minutes(step);
            if let Some(due) = expr.due(after, now, catch_up) {
                prop_assert_eq!(due.scheduled_at.minute_of_day(), u32::from(hour) * 60 + 7);
                prop_assert_eq!(due.scheduled_at.plus_minutes(i64::from(due.late_minutes)), now);
                prop_assert!(due.late_minutes <= catch_up);
                after = due.scheduled_at;
                ran.push(after);
            }
            prop_assert_eq!(expr.due(after, now, catch_up), None);
        }
        prop_assert!(ran.windows(2).all(|w| w[0] < w[1]), "{:?}", ran);
    }

    /// A clock that ticks each minute misses nothing.
    #[test]
    fn a_steady_clock_misses_no_occurrence(start in 0i64..100_000, minutes in 1i64..6000) {
        let expr = cron("*/45 6-20 * * *");
        let from = minute("2026-01-01T00:00").plus_minutes(start);
        let mut after = from;
        let mut ran = Vec::new();
        for m in 1..=minutes {
            if let Some(due) = expr.due(after, from.plus_minutes(m), 0) {
                after = due.scheduled_at;
                ran.push(after);
            }
        }
        let mut expected = expr.between(from.plus_minutes(1), from.plus_minutes(minutes + 1));
        expected.truncate(gridbell_planner::MAX_OCCURRENCES);
        prop_assert_eq!(ran, expected);
    }

    /// The minute found is allowed, and none before it is: by the definition, minute by minute.
    #[test]
    fn the_next_window_is_the_first_allowed_minute(
        spans in prop::collection::vec((0u16..1439, 1u16..300), 0..4),
        quiet in prop::option::of((0u16..1440, 1u16..=1440)),
        working: bool, start in 0i64..20_000, room in 0i64..9000,
    ) {
        let windows: Vec<TimeSpan> =
            spans.into_iter().map(|(from, length)| TimeSpan { from, to: (from + length).min(1440) }).collect();
        let quiet = quiet.filter(|(from, to)| from != to).map(|(from, to)| TimeSpan { from, to });
        let days = if working { SendDays::Working } else { SendDays::All };
        let times = SendTimes::new(&windows, quiet, days, calendar());
        let from = minute("2026-09-20T00:00").plus_minutes(start);
        let until = from.plus_minutes(room);
        let allowed = |at: CivilMinute| {
            let minute = u16::try_from(at.minute_of_day()).unwrap();
            (windows.is_empty() || windows.iter().any(|w| w.contains(minute)))
                && !quiet.is_some_and(|q| q.contains(minute))
                && (!working || calendar_cached().is_working(at.date()))
        };
        let expected = (from.0..until.0).map(CivilMinute).find(|at| allowed(*at));
        prop_assert_eq!(times.next(from, until), expected);
        if let Some(at) = expected {
            prop_assert!(times.allows(at));
        }
    }

    #[test]
    fn open_minutes_are_the_windows_without_the_quiet_hours(from in 0u16..1440, length in 1u16..1440, at in 0u16..1440) {
        let window = TimeSpan { from, to: (from + length) % 1440 };
        prop_assume!(window.from != window.to);
        let open = OpenMinutes::new(&[], Some(window));
        prop_assert_eq!(open.at_or_after(at) == Some(at), !window.contains(at));
    }
}

fn calendar_cached() -> &'static gridbell_planner::Calendar {
    static CALENDAR: std::sync::LazyLock<std::sync::Arc<gridbell_planner::Calendar>> =
        std::sync::LazyLock::new(calendar);
    &CALENDAR
}

/// Working weekends and free weekdays of 2025 and 2026 as the Python package chinesecalendar 1.11.0 has them.
#[test]
fn the_calendar_is_the_state_councils() {
    let off: &[&str] = &[
        "0101 0128 0129 0130 0131 0203 0204 0404 0501 0502 0505 0602 1001 1002 1003 1006 1007 1008",
        "0101 0102 0216 0217 0218 0219 0220 0223 0406 0501 0504 0505 0619 0925 1001 1002 1005 1006 1007",
    ];
    let worked: &[&str] = &["0126 0208 0427 0928 1011", "0104 0214 0228 0509 0920 1010"];
    let calendar = calendar();
    for (i, year) in [2025, 2026].into_iter().enumerate() {
        let mut differs = (Vec::new(), Vec::new());
        let (first, last) = (Date::from_ymd(year, 1, 1).unwrap(), Date::from_ymd(year, 12, 31).unwrap());
        for day in (first.0..=last.0).map(Date) {
            let (_, m, d) = day.ymd();
            match (calendar.is_working(day), day.weekday() < 5) {
                (false, true) => differs.0.push(format!("{m:02}{d:02}")),
                (true, false) => differs.1.push(format!("{m:02}{d:02}")),
                _ => {}
            }
        }
        assert_eq!((differs.0.join(" "), differs.1.join(" ")), (off[i].to_owned(), worked[i].to_owned()), "{year}");
    }
    assert_eq!((calendar.known_from(), calendar.known_until()), (date("2025-01-01"), date("2026-12-31")));
}

#[test]
fn a_run_carries_the_days_around_it() {
    let calendar = calendar();
    let today = date("2026-02-14");
    let days = calendar.workdays(today).unwrap();
    assert_eq!(days.first(), today.plus_days(-gridbell_planner::DAYS_BEFORE));
    assert_eq!(days.known_until(), today.plus_days(gridbell_planner::DAYS_AFTER));
    assert_eq!(days.is_workday(today), Some(true), "a worked Saturday");
    assert_eq!(days.on_or_after(date("2026-02-15")), date("2026-02-24"), "the Spring Festival");
    // At the edge of what is known the window ends there; beyond it there is the day alone, by its weekday.
    assert_eq!(calendar.workdays(date("2026-12-01")).unwrap().known_until(), date("2026-12-31"));
    let beyond = calendar.workdays(date("2027-03-01")).unwrap();
    assert_eq!((beyond.first(), beyond.known_until()), (date("2027-03-01"), date("2027-03-01")));
    assert_eq!(beyond.is_workday(date("2027-03-01")), Some(true));
    assert!(calendar.workdays(Date::NONE).is_err());
}

#[test]
fn a_calendar_that_contradicts_itself_is_refused_with_its_lines() {
    let text = r#"[[year]]
year = 2026
source = "x"
off = ["2026-10-01..2026-10-07", "2026-13-01", "2025-10-01", "2026-05-05..2026-05-01"]
worked = ["2026-10-04", "2026-11-20"]

[[year]]
year = 2028
source = "x"
off = []
worked = []
"#;
    let e = gridbell_planner::Calendar::parse("calendar.toml", text).unwrap_err().to_string();
    assert_eq!(
        e,
        "calendar.toml:4:34: year[0].off[1]: `2026-13-01` is not a date: write it as 2026-11-21\n\
         calendar.toml:4:48: year[0].off[2]: 2025-10-01 does not lie in 2026\n\
         calendar.toml:4:62: year[0].off[3]: `2026-05-05..2026-05-01` is not a range of days: the first comes first, 31 days at most\n\
         calendar.toml:5:11: year[0].worked[0]: 2026-10-04 is listed as off and as worked\n\
         calendar.toml:5:25: year[0].worked[1]: 2026-11-20 is a weekday: only worked Saturdays and Sundays are listed\n\
         calendar.toml:7:1: year[1]: year 2028 does not follow 2026: years stand in order without a gap"
    );
}
