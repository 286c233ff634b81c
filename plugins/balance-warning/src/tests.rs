//! The rule, case by case.

use gridbell_plugin::abi::Plugin;
use gridbell_plugin::testing::{TestRun, prove_interest};

use super::*;

const TODAY: Date = Date::of(2026, 11, 21);

/// A prepaid customer without a threshold of its own.
fn with(balance: i64) -> Customer {
    Customer { traits: traits::PREPAID, balance: Fen(balance), balance_as_of: TODAY.plus(-1), ..Customer::default() }
}

fn asked(params: &str, customer: Customer) -> (Reason, Option<u8>) {
    let answer = TestRun::on(TODAY, params).ask::<BalanceWarning>(&customer);
    (answer.reason, answer.say.map(|s| s.step))
}

#[test]
fn the_manifest_is_that_of_the_prebuilt_component() {
    let prebuilt = include_str!("../../prebuilt/balance-warning.json");
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(bare(prebuilt), bare(&BalanceWarning::manifest()), "run plugins/build");
}

#[test]
fn three_steps_under_the_default() {
    assert_eq!(asked("{}", with(3000)), (Reason::Enough, None));
    assert_eq!(asked("{}", with(2999)), (Reason::BelowThreshold, Some(1)));
    assert_eq!(asked("{}", with(1500)), (Reason::BelowThreshold, Some(1)));
    assert_eq!(asked("{}", with(1499)), (Reason::BelowHalf, Some(2)));
    assert_eq!(asked("{}", with(0)), (Reason::BelowHalf, Some(2)));
    assert_eq!(asked("{}", with(-1)), (Reason::BelowZero, Some(3)));
}

#[test]
fn the_customers_own_threshold_comes_first() {
    let own = |threshold, balance| Customer { threshold: Some(Fen(threshold)), ..with(balance) };
    assert_eq!(asked("{}", own(1000, 1000)), (Reason::Enough, None), "under the default, but not under its own");
    assert_eq!(asked("{}", own(1000, 999)), (Reason::BelowThreshold, Some(1)));
    assert_eq!(asked("{}", own(10_000, 9999)), (Reason::BelowThreshold, Some(1)));
    assert_eq!(asked("{}", own(0, 0)), (Reason::Enough, None));
    assert_eq!(asked("{}", own(0, -1)), (Reason::BelowZero, Some(3)), "zero: only when overdrawn");
    assert_eq!(asked("{}", own(3, 1)), (Reason::BelowHalf, Some(2)), "half of an odd amount is not rounded");
}

#[test]
fn each_step_once_and_only_the_highest() {
    let said = |step, balance| Customer { balance_said: step, ..with(balance) };
    assert_eq!(asked("{}", said(1, 2000)), (Reason::AlreadySaid, None));
    assert_eq!(asked("{}", said(1, 1000)), (Reason::BelowHalf, Some(2)));
    assert_eq!(asked("{}", said(0, -500)), (Reason::BelowZero, Some(3)), "fell through all at once: only the last");
    assert_eq!(asked("{}", said(3, 1000)), (Reason::AlreadySaid, None), "a little was paid, the episode goes on");
}

#[test]
fn steps_that_the_office_does_not_want() {
    assert_eq!(asked(r#"{"half": false}"#, with(100)), (Reason::BelowThreshold, Some(1)));
    assert_eq!(asked(r#"{"half": false}"#, with(-1)), (Reason::BelowZero, Some(3)));
    assert_eq!(asked(r#"{"negative": false}"#, with(-1)), (Reason::BelowHalf, Some(2)));
    assert_eq!(asked(r#"{"half": false, "negative": false}"#, with(-1)), (Reason::BelowThreshold, Some(1)));
}

#[test]
fn whom_nothing_is_known_of_is_let_be() {
    assert_eq!(asked("{}", Customer::default()), (Reason::NotPrepaid, None));
    assert_eq!(asked("{}", Customer { traits: traits::RESIDENT, ..with(-1) }), (Reason::NotPrepaid, None));
    assert_eq!(asked("{}", Customer { balance_as_of: Date::NONE, ..with(0) }), (Reason::NoBalance, None));
}

#[test]
fn what_is_said_carries_balance_and_its_day() {
    let say = TestRun::on(TODAY, "{}").ask::<BalanceWarning>(&with(-250)).say.expect("said");
    assert_eq!((say.notice, say.arg0, say.arg1), (2, -250, TODAY.plus(-1).0.into()));
}

#[test]
fn interest_leaves_nobody_out() {
    let cases = [
        "{}",
        r#"{"threshold":5000,"half":false}"#,
        r#"{"threshold":1,"negative":false}"#,
        r#"{"threshold":100000000}"#,
        r#"{"half":false,"negative":false}"#,
    ];
    let amounts = [0, 1, 3, 1500, 2500, 3000, 6000, 12_000, 24_000, 50_000, 100_000_000, 4_294_967_290];
    for (n, params) in cases.into_iter().enumerate() {
        let run = TestRun::on(TODAY, params);
        let (chosen, inside) = prove_interest::<BalanceWarning>(&run, &amounts, 50_000, n as u64 + 1);
        assert!(chosen > 0 && inside < 40_000, "{params}: {chosen} chosen, {inside} inside");
    }
}
