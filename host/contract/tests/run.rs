//! Working days and interest sets.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of test functions")]

use gridbell_contract::{Bound, InterestSet, MAX_WORKDAY_WORDS, Registry, Test, Workdays, column};
use gridbell_model::{ColumnId, Date};
use proptest::prelude::*;

fn date(text: &str) -> Date {
    text.parse().unwrap()
}

/// National Day 2026 as an example: 1–7 October off, Saturday 10 October worked for it.
fn autumn() -> Workdays {
    let first = date("2026-09-28");
    let days = (0..35).map(|n| {
        let d = first.plus_days(n);
        (d.weekday() < 5 && !(date("2026-10-01")..=date("2026-10-07")).contains(&d)) || d == date("2026-10-10")
    });
    Workdays::from_days(first, days).unwrap()
}

#[test]
fn moved_weekends_are_working_days() {
    let w = autumn();
    assert_eq!(w.is_workday(date("2026-10-01")), Some(false), "a Thursday off");
    assert_eq!(w.is_workday(date("2026-10-10")), Some(true), "a Saturday worked");
    assert_eq!(w.is_workday(date("2026-10-11")), Some(false), "a Sunday");
    assert_eq!(w.is_workday(date("2026-09-27")), None, "before the calendar");
    assert_eq!(w.is_workday(w.known_until()), Some(w.known_until().weekday() < 5));
    assert_eq!(w.is_workday(w.known_until().plus_days(1)), None, "after it");
    assert_eq!(w.is_workday(Date::NONE), None);
    assert!(w.is_workday_or_weekday(date("2027-01-01")), "Monday to Friday where nothing is known");
    assert_eq!(w.between(date("2026-09-30"), date("2026-10-12")), 1 + 2 + 1);
    assert_eq!(w.between(date("2026-10-12"), date("2026-09-30")), 0);
    assert_eq!(w.on_or_after(date("2026-10-01")), date("2026-10-08"));
    let never = Workdays::from_days(date("2026-01-01"), [false; 200]).unwrap();
    assert_eq!(never.on_or_after(date("2026-01-01")), date("2026-01-01"), "no search without end");
}

#[test]
fn a_calendar_is_bounded() {
    let first = date("2026-01-01");
    assert!(Workdays::from_days(first, []).is_err());
    assert!(Workdays::from_days(first, vec![true; MAX_WORKDAY_WORDS * 64]).is_ok());
    assert!(Workdays::from_days(first, vec![true; MAX_WORKDAY_WORDS * 64 + 1]).is_err());
}

fn between(column: ColumnId, low: i64, high: i64) -> Bound {
    Bound { column, test: Test::Between, low, high }
}

#[test]
fn clauses_are_any_and_bounds_are_all() {
    let set = InterestSet::AnyOf(vec![
        vec![
            between(column::ARREARS, 100, i64::MAX),
            Bound { column: column::TRAITS, test: Test::NoBits, low: 4, high: 0 },
        ],
        vec![Bound { column: column::TRAITS, test: Test::AllBits, low: 3, high: 0 }],
    ]);
    set.check().unwrap();
    let row = |arrears: i64, traits: i64| {
        set.contains(|id| match id {
            column::ARREARS => Some(arrears),
            column::TRAITS => Some(traits),
            _ => None,
        })
    };
    assert!(row(100, 0) && !row(99, 0) && !row(100, 4) && row(0, 3) && !row(0, 1));
    assert!(!InterestSet::AnyOf(vec![]).contains(|_| Some(1)), "no clause is nobody");
    assert_eq!(set.columns(), [column::TRAITS, column::ARREARS]);
}

#[test]
fn none_never_matches_between() {
    for c in Registry::get().columns() {
        let all = between(c.id, i64::MIN, i64::MAX);
        assert!(all.matches(c.range.0, c.none), "{}", c.name);
        if let Some(none) = c.none {
            assert!(!all.matches(none, c.none), "{}", c.name);
        }
    }
}

#[test]
fn a_set_that_cannot_be_used_is_refused() {
    let bad = [
        InterestSet::AnyOf(vec![vec![]]),
        InterestSet::AnyOf(vec![vec![between(ColumnId(999), 0, 1)]]),
        InterestSet::AnyOf(vec![vec![between(column::ARREARS, 0, 1)]; 65]),
        InterestSet::AnyOf(vec![vec![between(column::ARREARS, 0, 1); 17]]),
    ];
    for set in bad {
        assert!(set.check().is_err(), "{set:?}");
    }
    InterestSet::Everyone.check().unwrap();
}

proptest! {
    #[test]
    fn between_counts_what_is_workday_says(from in 20_700_i32..20_760, len in 0_i32..60) {
        let w = autumn();
        let slow = (0..len).filter(|n| w.is_workday_or_weekday(Date(from + n))).count();
        prop_assert_eq!(w.between(Date(from), Date(from + len)) as usize, slow);
    }
}
