//! The policies that the house brings along are certified, with made-up and with real customers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use gridbell_certify::{Check, RealCustomers, Terms};
use gridbell_clock::Seed;
use gridbell_contract::column;
use gridbell_workshop::Rows;
use support::{certificate, terms};

fn prebuilt(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../plugins/prebuilt/{name}.wasm", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Certifies `name` and expects that all of its reasons but `unreached` came up.
fn passes(name: &str, unreached: &[&str]) {
    let c = certificate(&prebuilt(name), &terms());
    assert!(c.passed && !c.cut_short, "{name}: {:#?}\n{:#?}", c.checks, c.failures);
    assert!((1..5_000).contains(&c.fuel_per_customer), "{name}: {}", c.fuel_per_customer);
    let decisions = c.checks.iter().find(|r| r.name == Check::Decisions).unwrap();
    let missed: Vec<&str> =
        decisions.detail.split_once(", not ").map_or(Vec::new(), |(_, list)| list.split(", ").collect());
    assert_eq!(missed, unreached, "{name}: {}", decisions.detail);
}

#[test]
fn arrears_reminder_in_rust_and_in_c() {
    passes("arrears-reminder", &[]);
    passes("arrears-reminder-c", &[]);
}

#[test]
fn balance_warning() {
    passes("balance-warning", &[]);
}

#[test]
fn bill_notice() {
    passes("bill-notice", &[]);
}

#[test]
fn payment_received() {
    passes("payment-received", &[]);
}

#[test]
fn real_customers_are_tried_beside_those_made_up() {
    let mut rows = Rows::new(&[column::ARREARS, column::LATE_FEE_FROM, column::REMINDED_STEP, column::TRAITS]);
    for n in 0..5_000_i64 {
        rows.push(|id| match id {
            column::ARREARS => n % 7 * 1_000,
            column::LATE_FEE_FROM if n % 7 > 0 => 20_778 + n % 30,
            column::LATE_FEE_FROM => i32::MIN.into(),
            _ => 0,
        });
    }
    let real = RealCustomers::draw(&rows, 3_000, Seed(1));
    let c = certificate(&prebuilt("arrears-reminder"), &Terms { real: Some(real), ..terms() });
    assert!(c.passed, "{:#?}", c.failures);
    assert_eq!(c.real, 3_000);
}
