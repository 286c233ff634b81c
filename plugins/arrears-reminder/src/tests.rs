//! The rule, case by case.

use gridbell_plugin::abi::Plugin;
use gridbell_plugin::testing::{TestRun, prove_interest};

use super::*;

/// Late fees start on Saturday 28 November 2026; 2000 fen are owed; nothing was said.
fn owes() -> Customer {
    Customer { arrears: Fen(2000), late_fee_from: Date::of(2026, 11, 28), ..Customer::default() }
}

fn on(day: u32, params: &str) -> TestRun {
    TestRun::on(Date::of(2026, 11, day), params)
}

/// The step said, or why none was.
fn said(run: &TestRun, customer: Customer) -> Result<u8, Reason> {
    let answer = run.ask::<ArrearsReminder>(&customer);
    answer.say.map(|say| say.step).ok_or(answer.reason)
}

#[test]
fn the_manifest_is_that_of_the_prebuilt_component() {
    let prebuilt = include_str!("../../prebuilt/arrears-reminder.json");
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(bare(prebuilt), bare(&ArrearsReminder::manifest()), "run plugins/build");
}

#[test]
fn each_step_is_said_once_on_its_day_or_later() {
    let mut told = 0;
    let mut days = Vec::new();
    for day in 15..=30 {
        if let Ok(step) = said(&on(day, "{}"), Customer { reminded_step: told, ..owes() }) {
            days.push((day, step));
            told = step;
        }
    }
    assert_eq!(days, [(21, 1), (25, 2), (27, 3)], "7, 3 and 1 days before the 28th");
}

#[test]
fn after_a_gap_only_the_latest_step_is_said() {
    assert_eq!(said(&on(20, "{}"), owes()), Err(Reason::TooEarly));
    assert_eq!(said(&on(22, "{}"), owes()), Ok(1), "a day late");
    assert_eq!(said(&on(26, "{}"), owes()), Ok(2), "nothing ran from the 20th to the 25th");
    assert_eq!(said(&on(27, "{}"), owes()), Ok(3));
    assert_eq!(said(&on(27, "{}"), Customer { reminded_step: 3, ..owes() }), Err(Reason::AlreadySaid));
}

#[test]
fn the_time_of_day_changes_nothing() {
    for (hour, minute) in [(0, 0), (12, 0), (23, 59)] {
        let run = on(21, "{}").at(hour, minute);
        assert_eq!(said(&run, owes()), Ok(1));
        assert_eq!(said(&run, Customer { reminded_step: 1, ..owes() }), Err(Reason::AlreadySaid), "twice on one day");
    }
}

#[test]
fn what_is_said_carries_amount_and_date_and_expires_with_it() {
    let say = on(21, "{}").ask::<ArrearsReminder>(&owes()).say.expect("said");
    assert_eq!((say.notice, say.route, say.arg0, say.arg1), (0, 0, 2000, Date::of(2026, 11, 28).0.into()));
    assert_eq!(say.expires, Date::of(2026, 11, 28).at(0, 0));
}

#[test]
fn little_or_nothing_owed_is_let_be() {
    let run = on(27, r#"{"minimum": 500}"#);
    assert_eq!(said(&run, Customer { arrears: Fen(499), ..owes() }), Err(Reason::BelowMinimum));
    assert_eq!(said(&run, Customer { arrears: Fen(500), ..owes() }), Ok(3));
    assert_eq!(said(&run, Customer { arrears: Fen(0), ..owes() }), Err(Reason::NothingOwed));
    assert_eq!(said(&run, Customer::default()), Err(Reason::NothingOwed), "nothing known");
    assert_eq!(said(&run, Customer { late_fee_from: Date::NONE, ..owes() }), Err(Reason::NothingOwed));
}

#[test]
fn important_and_prepaid_customers_are_apart() {
    let important = Customer { traits: traits::IMPORTANT, ..owes() };
    let prepaid = Customer { traits: traits::PREPAID, ..owes() };
    let both = Customer { traits: traits::PREPAID.and(traits::IMPORTANT), ..owes() };
    assert_eq!(said(&on(21, "{}"), important), Ok(1), "as the others, unless said otherwise");
    assert_eq!(
        on(21, "{}").ask::<ArrearsReminder>(&important).say.map(|s| s.notice),
        Some(1),
        "with a text of their own"
    );
    assert_eq!(said(&on(21, "{}"), prepaid), Err(Reason::PrepaidApart));
    assert_eq!(said(&on(21, "{}"), both), Err(Reason::PrepaidApart));
    let apart = r#"{"important_steps": [], "prepaid_steps": [10]}"#;
    assert_eq!(said(&on(21, apart), important), Err(Reason::ImportantApart));
    assert_eq!(said(&on(18, apart), prepaid), Ok(1));
    assert_eq!(said(&on(18, apart), owes()), Err(Reason::TooEarly));
    assert_eq!(said(&on(27, r#"{"steps": []}"#), owes()), Err(Reason::NoSteps));
}

#[test]
fn steps_may_stand_in_any_order() {
    for params in [r#"{"steps": [1, 7, 3]}"#, r#"{"steps": [3, 1, 7, 7]}"#] {
        assert_eq!(said(&on(25, params), owes()), Ok(2), "{params}");
    }
}

#[test]
fn working_days_skip_weekends_and_know_moved_ones() {
    let three = r#"{"steps": [3], "counting": "working"}"#;
    // Saturday the 28th: Wednesday, Thursday and Friday are the three working days before it.
    assert_eq!(said(&on(24, three), owes()), Err(Reason::TooEarly));
    assert_eq!(said(&on(25, three), owes()), Ok(1));
    // Thursday is off, and the weekend before is worked for it.
    let moved = |day| on(day, three).day(Date::of(2026, 11, 26), false).day(Date::of(2026, 11, 22), true);
    assert_eq!(said(&moved(23), owes()), Err(Reason::TooEarly));
    assert_eq!(said(&moved(24), owes()), Ok(1));
    // On a Monday, one working day before is the Friday, and the weekend is still in time.
    let monday = Customer { late_fee_from: Date::of(2026, 11, 30), ..owes() };
    let one = r#"{"steps": [1], "counting": "working"}"#;
    assert_eq!(said(&on(26, one), monday), Err(Reason::TooEarly));
    for day in 27..=29 {
        assert_eq!(said(&on(day, one), monday), Ok(1), "{day}");
    }
}

#[test]
fn months_end_and_leap_days_are_days() {
    let due = |y, m, d| Customer { late_fee_from: Date::of(y, m, d), ..owes() };
    let one = r#"{"steps": [1]}"#;
    let cases = [
        ((2024, 2, 28), (2024, 2, 29), Ok(1)),
        ((2024, 2, 28), (2024, 3, 1), Err(Reason::TooEarly)),
        ((2024, 2, 29), (2024, 3, 1), Ok(1)),
        ((2026, 2, 28), (2026, 3, 1), Ok(1)),
        ((2026, 12, 31), (2027, 1, 1), Ok(1)),
        ((2026, 4, 30), (2026, 5, 1), Ok(1)),
        ((2026, 4, 29), (2026, 5, 1), Err(Reason::TooEarly)),
    ];
    for ((y, m, d), (dy, dm, dd), expected) in cases {
        let run = TestRun::on(Date::of(y, m, d), one);
        assert_eq!(said(&run, due(dy, dm, dd)), expected, "{y}-{m}-{d} for {dy}-{dm}-{dd}");
    }
}

#[test]
fn overdue_customers_are_reminded_a_few_times() {
    assert_eq!(said(&on(28, "{}"), owes()), Err(Reason::OverdueNotAsked));
    let params = r#"{"overdue_every": 7, "overdue_times": 2}"#;
    let mut told = 3;
    let mut days = Vec::new();
    for n in 0..30 {
        let run = TestRun::on(Date::of(2026, 11, 28).plus(n), params);
        if let Ok(step) = said(&run, Customer { reminded_step: told, ..owes() }) {
            days.push((n, step));
            told = step;
        }
    }
    assert_eq!(days, [(0, 4), (7, 5)]);
    let late = |n| TestRun::on(Date::of(2026, 11, 28).plus(n), params);
    assert_eq!(said(&late(9), owes()), Ok(5), "after a gap only the latest");
    assert_eq!(said(&late(14), owes()), Err(Reason::OverdueOver));
    let say = late(0).ask::<ArrearsReminder>(&owes()).say.expect("said");
    assert_eq!((say.notice, say.expires), (2, Date::of(2026, 12, 5).at(0, 0)));
}

#[test]
fn interest_leaves_nobody_out() {
    let cases: [&str; 6] = [
        "{}",
        r#"{"steps":[7,3,1],"important_steps":[10,5,2],"overdue_every":7,"overdue_times":2}"#,
        r#"{"steps":[1,3,9],"counting":"working","minimum":3000,"important_steps":[],"prepaid_steps":[4],"overdue_times":3}"#,
        r#"{"steps":[],"prepaid_steps":[2,1],"overdue_times":12,"overdue_every":1}"#,
        r#"{"steps":[60],"counting":"working"}"#,
        r#"{"steps":[8],"overdue_every":60,"overdue_times":1}"#,
    ];
    for (n, params) in cases.into_iter().enumerate() {
        for day in [1, 14, 28, 30] {
            let (chosen, inside) =
                prove_interest::<ArrearsReminder>(&on(day, params), &[0, 100, 3000, 5000], 20_000, n as u64 + 1);
            assert!(chosen > 0 && inside < 15_000, "{params}: {chosen} chosen, {inside} inside");
            assert!(inside == chosen || n > 0 || inside < chosen * 4, "tight: {chosen} chosen, {inside} inside");
        }
    }
    let nobody = prove_interest::<ArrearsReminder>(&on(1, r#"{"steps":[]}"#), &[5000], 1000, 9);
    assert_eq!(nobody, (0, 0), "no steps, nobody of interest");
}

#[test]
fn parameters_that_cannot_be_read_fail_the_run() {
    for params in ["", "[]", r#"{"steps": 7}"#, r#"{"counting": "lunar"}"#, r#"{"minimum": 1.5}"#] {
        let run = on(1, params);
        assert!(<ArrearsReminder as Plugin>::prepare(&run.run()).is_err(), "{params}");
    }
}
