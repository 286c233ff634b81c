//! Bills, payments and balances of one customer, in the orders in which they come in life, through crashes and checkpoints.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use gridbell_model::{CustomerView, Date, Fen, MessageId, Topic};
use gridbell_state::*;

async fn checkpoint_and_crash(w: &mut World) {
    w.state.checkpoint().await.unwrap();
    w.crash();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_reopens_the_bill_with_its_own_late_fee_date() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..5).map(customer).collect())).await;
    // Terms as they are, of no day, beyond what fits beside a column, and before the issue, as a wrong file says.
    let terms = [7, 0, 125, 126, 2_000, -3];
    for (n, term) in (0..).zip(terms) {
        let account = n % 5;
        let period = 202_610 + u32::try_from(n / 5).unwrap();
        let late_fee_from = today().plus_days(term);
        w.facts(Facts::Bills(vec![BillFact { late_fee_from, ..bill(account, period, 50) }])).await;
        w.facts(Facts::Payments(vec![payment(account, &format!("p{n}"), 50)])).await;
        assert_eq!((view(&w.state, account).arrears, view(&w.state, account).late_fee_from), (Fen::ZERO, Date::NONE));
        if n % 2 == 0 {
            checkpoint_and_crash(&mut w).await;
        }
        w.facts(Facts::Payments(vec![payment(account, &format!("r{n}"), -50)])).await;
        let reopened = view(&w.state, account);
        assert_eq!((reopened.arrears, reopened.arrears_period), (Fen(5_000), period));
        assert_eq!(reopened.late_fee_from, late_fee_from, "{term} days after the issue");
        w.facts(Facts::Payments(vec![payment(account, &format!("again{n}"), 50)])).await;
    }
    // Issued again after it was settled: the date of the second bill counts from then on.
    let again = BillFact { late_fee_from: today().plus_days(20), ..bill(1, 202_610, 60) };
    w.facts(Facts::Bills(vec![again])).await;
    w.facts(Facts::Payments(vec![payment(1, "rest", 10), payment(1, "bounced", -60)])).await;
    checkpoint_and_crash(&mut w).await;
    assert_eq!(view(&w.state, 1).late_fee_from, today().plus_days(20));
    assert_eq!(view(&w.state, 1).arrears, Fen(6_000));
}

/// The rule of a balance warning, as a clerk would say it.
fn step_of(balance: i64, threshold: i64) -> u8 {
    match balance {
        b if b < 0 => 3,
        b if 2 * b < threshold => 2,
        b if b < threshold => 1,
        _ => 0,
    }
}

/// Warns customer 0 as a policy with `threshold` would; whether it said something, and about which episode.
async fn warn(state: &State, threshold: i64) -> Option<(u8, u16)> {
    let now = view(state, 0);
    let own = if now.threshold == u32::MAX { threshold } else { i64::from(now.threshold) };
    let step = step_of(now.balance.0, own);
    let run = state.begin_run(TAIYUAN).await.unwrap();
    let warning = RunRecord {
        topic: Topic::BalanceWarning,
        params: format!("{{\"half\":true,\"threshold\":{threshold}}}"),
        ..record(1)
    };
    if step <= now.balance_said {
        run.publish(warning, vec![], vec![]).await.unwrap();
        return None;
    }
    let mut run = run;
    run.push(vec![about(&now, Topic::BalanceWarning, step)]).await.unwrap();
    run.publish(warning, vec![], vec![]).await.unwrap();
    Some((step, now.balance_episode))
}

async fn balance(w: &World, n: u64, fen: i64) {
    let fact = BalanceFact { account: account(n), balance: Fen(fen), as_of: today(), debit_pending: None };
    w.facts(Facts::Balances(vec![fact])).await;
}

/// What is to be said over a series of balances, each looked at or not: every step once until the balance is back at the threshold.
fn expected(series: &[(i64, bool)], threshold: i64) -> Vec<(usize, u8)> {
    let (mut said, mut told) = (0, Vec::new());
    for (n, (balance, looked_at)) in series.iter().enumerate() {
        if *balance >= threshold {
            said = 0;
        }
        let step = step_of(*balance, threshold);
        if *looked_at && step > said {
            said = step;
            told.push((n, step));
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_is_relative_to_the_threshold_of_the_policy_that_warned() {
    let yuan = [60, 45, 28, 19, 9, -1, 12, 25, 40, 55, 18, 8, 100, -5, 100, 29, 35, 22, 31, 24, 49, 21, 50, 20, 14];
    for threshold in [2_000, 3_000, 5_000] {
        for every in [1, 2, 3] {
            let mut w = World::new().await;
            w.facts(Facts::Customers(vec![customer(0)])).await;
            let series: Vec<(i64, bool)> = (0..).zip(yuan).map(|(n, y)| (y * 100, n % every == 0)).collect();
            let (mut told, mut episodes) = (Vec::new(), Vec::new());
            for (n, (fen, looked_at)) in series.iter().enumerate() {
                balance(&w, 0, *fen).await;
                if n % 4 == 1 {
                    checkpoint_and_crash(&mut w).await;
                } else if n % 4 == 3 {
                    w.crash();
                }
                if let Some((step, episode)) = if *looked_at { warn(&w.state, threshold).await } else { None } {
                    told.push((n, step));
                    episodes.push((episode, step));
                }
            }
            assert_eq!(told, expected(&series, threshold), "threshold {threshold}, every {every}");
            let all = episodes.len();
            episodes.dedup();
            assert_eq!(episodes.len(), all, "no step of an episode twice");
            assert!(episodes.is_sorted(), "{episodes:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_episode_ends_where_the_customer_sets_a_threshold_that_the_balance_reaches() {
    let w = World::new().await;
    let with = |fen| Facts::Customers(vec![CustomerFact { threshold: Some(fen), ..customer(0) }]);
    w.facts(with(10_000)).await;
    balance(&w, 0, 8_000).await;
    assert_eq!(warn(&w.state, 3_000).await, Some((1, 1)), "under its own threshold, not under the policy's");
    balance(&w, 0, 5_000).await;
    assert_eq!(warn(&w.state, 3_000).await, None);
    w.facts(with(3_000)).await;
    assert_eq!(view(&w.state, 0).balance_said, 0, "50 yuan are enough for a threshold of 30");
    balance(&w, 0, 2_500).await;
    assert_eq!(warn(&w.state, 3_000).await, Some((1, 2)));
    w.facts(with(u32::MAX)).await;
    balance(&w, 0, 2_900).await;
    assert_eq!(warn(&w.state, 3_000).await, None, "without a threshold of its own, the policy's 30 yuan count");
    balance(&w, 0, 3_000).await;
    assert_eq!(view(&w.state, 0).balance_said, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_warning_that_never_left_was_not_said() {
    let w = World::new().await;
    w.facts(Facts::Customers(vec![customer(0)])).await;
    balance(&w, 0, 2_500).await;
    assert_eq!(warn(&w.state, 5_000).await, Some((1, 1)));
    let cancel =
        vec![(MessageId::new(TAIYUAN, 1), MessageEvent::Cancelled { reason: gridbell_model::HoldReason::Paid })];
    w.state.message_events(cancel).await.unwrap();
    assert_eq!(view(&w.state, 0).balance_said, 0);
    balance(&w, 0, 4_000).await;
    assert_eq!(warn(&w.state, 5_000).await, Some((1, 1)), "it is said in the same episode after all");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_said_counts_for_what_it_was_about() {
    let w = World::new().await;
    w.facts(Facts::Customers(vec![customer(0)])).await;
    balance(&w, 0, 9_000).await;
    balance(&w, 0, 2_500).await;
    // The run looks, then the money arrives, then the run is published.
    let mut run = w.state.begin_run(TAIYUAN).await.unwrap();
    let looked_at: CustomerView = run.snapshot().view(0).unwrap();
    run.push(vec![about(&looked_at, Topic::BalanceWarning, 1)]).await.unwrap();
    balance(&w, 0, 9_000).await;
    let params = "{\"threshold\":3000}".to_owned();
    let warning = RunRecord { topic: Topic::BalanceWarning, params, ..record(1) };
    run.publish(warning, vec![], vec![]).await.unwrap();
    balance(&w, 0, 2_400).await;
    let now = view(&w.state, 0);
    assert_eq!(now.balance_said, 0, "the next fall is an episode of its own");
    assert_ne!(now.balance_episode, looked_at.balance_episode, "the message that waits is about the last one");
}

fn paid(n: u64, id: &str, yuan: i64, days_ago: i32) -> PaymentFact {
    PaymentFact { paid_on: today().plus_days(-days_ago), ..payment(n, id, yuan) }
}

/// What waits, as customer, yuan and days ago.
fn waits(state: &State) -> Vec<(u32, i64, i32)> {
    waiting(state).iter().map(|v| (v.row, v.paid_amount.0 / 100, today().0 - v.paid_on.0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_payment_waits_for_a_message_of_its_own() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..3).map(customer).collect())).await;
    let pay = async |w: &World, payments| w.facts(Facts::Payments(payments)).await;
    pay(&w, vec![paid(1, "a", 30, 0), paid(0, "b", 20, 1), paid(1, "c", 40, 0)]).await;
    pay(&w, vec![paid(1, "a", 30, 0)]).await;
    assert_eq!(waits(&w.state), [(0, 20, 1), (1, 30, 0), (1, 40, 0)]);
    checkpoint_and_crash(&mut w).await;
    pay(&w, vec![paid(0, "late", 5, 3)]).await;
    assert_eq!(waits(&w.state), [(0, 5, 3), (0, 20, 1), (1, 30, 0), (1, 40, 0)]);
    let newest = view(&w.state, 0);
    assert_eq!((newest.paid_amount, newest.paid_on), (Fen(2_000), today().plus_days(-1)), "the older one is no news");
    assert_eq!(newest.balance, Fen(2_500), "and is money all the same");

    // A payment that comes in while the run is under way waits for the next run.
    let told = tell_payments(&w.state).await;
    assert_eq!(told.len(), 4);
    let keys: std::collections::BTreeSet<u64> = told.iter().map(|(v, _)| v.payment_key).collect();
    assert_eq!(keys.len(), 4, "each message is about its own payment");
    w.crash();
    assert_eq!(waits(&w.state), []);
    assert!(view(&w.state, 0).payment_said && view(&w.state, 1).payment_said);
    let of_1: Vec<MessageId> = w.state.messages_of(account(1), 9).unwrap().iter().map(|m| m.id).collect();
    assert_eq!(of_1, [told[3].1, told[2].1], "both are found by the account, the latest first");
    for fact in [paid(1, "a", 30, 0), paid(0, "late", 5, 3), paid(1, "c", 40, 0)] {
        assert_eq!(w.facts(Facts::Payments(vec![fact])).await.unchanged, 1);
    }
    pay(&w, vec![paid(1, "d", 1, 2)]).await;
    checkpoint_and_crash(&mut w).await;
    assert_eq!(waits(&w.state), [(1, 1, 2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_during_a_run_waits_for_the_next() {
    let mut w = World::new().await;
    w.facts(Facts::Customers(vec![customer(0)])).await;
    w.facts(Facts::Payments(vec![paid(0, "a", 30, 0)])).await;
    let run = w.state.begin_run(TAIYUAN).await.unwrap();
    w.facts(Facts::Payments(vec![paid(0, "b", 40, 0)])).await;
    let seen = RunRecord { topic: Topic::PaymentReceived, ..record(TRIGGER_PAYMENT_RECEIVED) };
    run.publish(seen, vec![], vec![]).await.unwrap();
    w.crash();
    assert_eq!(waits(&w.state), [(0, 40, 0)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reversal_takes_back_what_waits_and_the_too_old_do_not_wait() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..3).map(customer).collect())).await;
    let pay = async |w: &World, payments| w.facts(Facts::Payments(payments)).await;
    pay(&w, vec![paid(0, "a", 30, 2), paid(0, "b", 30, 1), paid(0, "c", 40, 0), paid(0, "r", -30, 0)]).await;
    assert_eq!(waits(&w.state), [(0, 30, 2), (0, 40, 0)], "the newer of the two of that amount");
    let long_ago = PAYMENT_MEMORY_DAYS + 1;
    pay(&w, vec![paid(1, "old", 10, long_ago), paid(1, "now", 10, 0)]).await;
    assert_eq!(waits(&w.state), [(0, 30, 2), (0, 40, 0), (1, 10, 0)]);
    let again = pay(&w, vec![paid(1, "older", 10, long_ago), paid(1, "old", 10, long_ago)]).await;
    let refused = vec![(0, FactReject::Outdated), (1, FactReject::Outdated)];
    assert_eq!(again.rejected, refused, "too old to be told from what was counted already");
    assert_eq!(view(&w.state, 1).balance, Fen(2_000));
    // Where nobody tells of payments they do not wait for ever.
    w.clock.advance(std::time::Duration::from_secs(86_400 * u64::try_from(long_ago).unwrap()));
    let later = PaymentFact { paid_on: today().plus_days(long_ago), ..payment(2, "later", 1) };
    pay(&w, vec![later]).await;
    checkpoint_and_crash(&mut w).await;
    assert_eq!(waits(&w.state), [(2, 1, -long_ago)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bill_told_again_is_true_for_the_later_day() {
    let mut w = World::new().await;
    w.facts(Facts::Customers(vec![customer(0)])).await;
    w.facts(Facts::Bills(vec![bill(0, 202_610, 20)])).await;
    let on = |days: i32| Facts::Bills(vec![BillFact { as_of: today().plus_days(days), ..bill(0, 202_610, 20) }]);
    assert_eq!(w.facts(on(0)).await.unchanged, 1, "the same file twice changes nothing");
    assert_eq!(w.facts(on(3)).await.changed, 1);
    let later = view(&w.state, 0);
    assert_eq!((later.arrears, later.arrears_as_of), (Fen(2_000), today().plus_days(3)));
    assert_eq!(w.facts(on(1)).await.unchanged, 1, "an older day never replaces a newer one");
    w.crash();
    assert_eq!(view(&w.state, 0), later);
}
