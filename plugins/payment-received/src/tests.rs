//! The rule, case by case.

use gridbell_plugin::abi::Plugin;
use gridbell_plugin::testing::{TestRun, prove_interest};

use super::*;

const TODAY: Date = Date::of(2024, 3, 1);

fn paid() -> Customer {
    Customer { paid_amount: Fen(5000), paid_on: TODAY, ..Customer::default() }
}

fn reason(params: &str, customer: Customer) -> Reason {
    TestRun::on(TODAY, params).because_of(triggers::PAYMENT_RECEIVED).ask::<PaymentReceived>(&customer).reason
}

#[test]
fn the_manifest_is_that_of_the_prebuilt_component() {
    let prebuilt = include_str!("../../prebuilt/payment-received.json");
    let bare = |text: &str| text.split_whitespace().collect::<String>();
    assert_eq!(bare(prebuilt), bare(&PaymentReceived::manifest()), "run plugins/build");
}

#[test]
fn a_payment_is_confirmed_with_amount_and_day() {
    let say = TestRun::on(TODAY, "{}").ask::<PaymentReceived>(&paid()).say.expect("said");
    assert_eq!((say.notice, say.step, say.arg0, say.arg1), (0, 1, 5000, TODAY.0.into()));
    assert_eq!(reason("{}", paid()), Reason::Received);
}

#[test]
fn reversals_small_and_old_payments_are_not() {
    assert_eq!(reason("{}", Customer::default()), Reason::NoPayment);
    assert_eq!(reason("{}", Customer { paid_on: Date::NONE, ..paid() }), Reason::NoPayment);
    assert_eq!(reason("{}", Customer { paid_amount: Fen(-5000), ..paid() }), Reason::Reversed);
    assert_eq!(reason(r#"{"minimum": 5001}"#, paid()), Reason::BelowMinimum);
    let leap = Customer { paid_on: Date::of(2024, 2, 29), ..paid() };
    assert_eq!(reason(r#"{"within": 1}"#, leap), Reason::Received, "29 February was yesterday");
    assert_eq!(reason(r#"{"within": 0}"#, leap), Reason::TooOld);
}

#[test]
fn subscribers_only_where_asked() {
    let only = r#"{"subscribers_only": true}"#;
    assert_eq!(reason(only, paid()), Reason::NotSubscribed);
    for bit in [traits::SUBSCRIBES_BILL, traits::SUBSCRIBES_BALANCE] {
        assert_eq!(reason(only, Customer { traits: bit, ..paid() }), Reason::Received);
    }
}

#[test]
fn interest_leaves_nobody_out() {
    for (n, params) in
        ["{}", r#"{"subscribers_only":true,"minimum":1500,"within":10}"#, r#"{"within":0}"#].into_iter().enumerate()
    {
        let run = TestRun::on(TODAY, params).because_of(triggers::PAYMENT_RECEIVED);
        let (chosen, inside) = prove_interest::<PaymentReceived>(&run, &[0, 1, 1500, -1500], 50_000, n as u64 + 1);
        assert!(
            chosen > 0 && chosen == inside,
            "{params}: {chosen} chosen, {inside} inside; here interest is the rule itself"
        );
    }
}
