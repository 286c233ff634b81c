//! The rule, case by case.

use gridbell_plugin::abi::Plugin;
use gridbell_plugin::testing::{TestRun, prove_interest};

use super::*;

/// A subscriber whose bill of 10 yuan and 20 kWh was issued on Friday 27 November 2026.
fn billed() -> Customer {
    Customer {
        traits: traits::SUBSCRIBES_BILL,
        bill_issued: Date::of(2026, 11, 27),
        bill_amount: Fen(1000),
        bill_kwh: Kwh(20),
        ..Customer::default()
    }
}

fn reason(date: Date, params: &str, customer: Customer) -> Reason {
    TestRun::on(date, params).ask::<BillNotice>(&customer).reason
}

fn after(days: i32) -> Date {
    Date::of(2026, 11, 27).plus(days)
}

#[test]
fn the_manifest_is_that_of_the_prebuilt_component() {
    let prebuilt = include_str!("../../prebuilt/bill-notice.json");
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(bare(prebuilt), bare(&BillNotice::manifest()), "run plugins/build");
}

#[test]
fn a_bill_is_told_on_its_day_or_a_little_later() {
    let days: Vec<i32> =
        (0..20).filter(|n| reason(after(*n), r#"{"days": 3, "late": 2}"#, billed()) == Reason::NewBill).collect();
    assert_eq!(days, [3, 4, 5]);
    assert_eq!(reason(after(2), r#"{"days": 3}"#, billed()), Reason::TooEarly);
    assert_eq!(reason(after(6), r#"{"days": 3, "late": 2}"#, billed()), Reason::TooLate);
    assert_eq!(reason(after(0), r#"{"days": 0, "late": 0}"#, billed()), Reason::NewBill, "on the day of issue");
    let told = Customer { bill_said: 1, ..billed() };
    assert_eq!(reason(after(3), r#"{"days": 3}"#, told), Reason::AlreadySaid);
}

#[test]
fn working_days_are_counted_from_the_day_after() {
    let params = r#"{"days": 1, "counting": "working", "late": 1}"#;
    let days: Vec<i32> = (0..10).filter(|n| reason(after(*n), params, billed()) == Reason::NewBill).collect();
    assert_eq!(days, [3, 4], "issued on a Friday: Monday, and a day late Tuesday");
    // The Saturday is worked.
    let saturday = TestRun::on(after(1), params).day(after(1), true);
    assert_eq!(saturday.ask::<BillNotice>(&billed()).reason, Reason::NewBill);
}

#[test]
fn lateness_is_counted_from_the_day_it_was_due() {
    // Whatever the calendar: told on the due day and `late` calendar days after it, on no other.
    for (days, late) in [(0, 0), (1, 3), (2, 0), (5, 4), (7, 10)] {
        let params = format!(r#"{{"days": {days}, "counting": "working", "late": {late}}}"#);
        for issue in 0..14 {
            let customer = Customer { bill_issued: after(issue), ..billed() };
            let calendar = |date: Date| TestRun::on(date, &params).day(after(5), false).day(after(8), true);
            let due = (0..60).map(|n| after(issue + n)).find(|d| {
                let run = calendar(*d);
                run.run().workdays.between(after(issue + 1), d.plus(1)) >= days
            });
            let due = due.expect("a working day comes");
            for n in 0..40 {
                let told = calendar(after(n)).ask::<BillNotice>(&customer).say.is_some();
                let expected = after(n) >= due && after(n) <= due.plus(late);
                assert_eq!(told, expected, "days {days} late {late}: issued {issue}, due {due:?}, asked {n}");
            }
        }
    }
}

#[test]
fn months_end_and_leap_days_are_days() {
    let leap = Customer { bill_issued: Date::of(2024, 2, 28), ..billed() };
    assert_eq!(reason(Date::of(2024, 2, 29), "{}", leap), Reason::NewBill);
    let end = Customer { bill_issued: Date::of(2026, 2, 28), ..billed() };
    assert_eq!(reason(Date::of(2026, 3, 1), "{}", end), Reason::NewBill);
}

#[test]
fn only_subscribers_with_a_bill_worth_telling() {
    assert_eq!(reason(after(1), "{}", Customer { traits: traits::RESIDENT, ..billed() }), Reason::NotSubscribed);
    assert_eq!(reason(after(1), "{}", Customer { bill_issued: Date::NONE, ..billed() }), Reason::NoBill);
    assert_eq!(reason(after(1), "{}", Customer::default()), Reason::NoBill);
    assert_eq!(reason(after(1), r#"{"minimum": 1001}"#, billed()), Reason::BelowMinimum);
    assert_eq!(reason(after(1), "{}", Customer { bill_amount: Fen(-5), ..billed() }), Reason::BelowMinimum, "a credit");
    let say = TestRun::on(after(1), "{}").ask::<BillNotice>(&billed()).say.expect("said");
    assert_eq!((say.notice, say.step, say.arg0, say.arg1), (0, 1, 1000, 20));
}

#[test]
fn interest_leaves_nobody_out() {
    let cases = [
        "{}",
        r#"{"days":0,"late":0}"#,
        r#"{"days":3,"counting":"working","late":10,"minimum":100}"#,
        r#"{"days":30,"late":30}"#,
    ];
    for (n, params) in cases.into_iter().enumerate() {
        let run = TestRun::on(after(n as i32 * 3), params);
        let (chosen, inside) = prove_interest::<BillNotice>(&run, &[0, 100, 5000], 50_000, n as u64 + 1);
        assert!(
            chosen > 0 && chosen == inside,
            "{params}: {chosen} chosen, {inside} inside; here interest is the rule itself"
        );
    }
}
