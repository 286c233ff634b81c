//! Addresses at platforms: bound, found, ended and voided, through crashes and checkpoints, and what they take in memory.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use gridbell_model::{BindingSource, Channel, CivilMinute, PlatformId, Preferences, Traits, Wish, WishSource};
use gridbell_state::*;
use proptest::prelude::*;

fn id(n: u64) -> PlatformId {
    format!("oLVPpjqs9BhvzwPj5A-vTYA{n:05}").parse().unwrap()
}

fn bind(n: u64, channel: Channel, who: u64) -> ContactFact {
    let bound = CivilMinute(today().at(8, 0).0);
    let address = Address { app: "wx01".into(), id: id(who), source: BindingSource::Website, bound };
    ContactFact { account: account(n), channel, address: Some(address) }
}

fn end(n: u64, channel: Channel) -> ContactFact {
    ContactFact { account: account(n), channel, address: None }
}

fn bound(w: &World, n: u64) -> Vec<(Channel, u64)> {
    let contacts = w.state.contacts(account(n)).unwrap();
    contacts.iter().map(|c| (c.channel, c.id.expose()[23..].parse().unwrap())).collect()
}

fn found(w: &World, channel: Channel, who: u64) -> Vec<u64> {
    let mut found: Vec<u64> = w
        .state
        .by_contact(channel, "wx01", &id(who), 100)
        .unwrap()
        .iter()
        .map(|(_, v)| v.account.to_string().parse().unwrap())
        .collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn one_id_may_serve_several_accounts_and_a_bound_one_is_found_after_checkpoints_and_crashes() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((1..600).map(customer).collect())).await;
    let outcome = w.facts(Facts::Contacts(vec![bind(1, Channel::Wechat, 7), bind(4, Channel::Wechat, 7)])).await;
    assert_eq!((outcome.created, outcome.rejected.len()), (2, 0));
    let rejected = w.facts(Facts::Contacts(vec![bind(9_999, Channel::Wechat, 7), bind(1, Channel::Sms, 7)])).await;
    assert_eq!(rejected.rejected, [(0, FactReject::UnknownAccount), (1, FactReject::NoPlatform)]);
    for round in 0..3 {
        assert_eq!(found(&w, Channel::Wechat, 7), [1, 4], "round {round}: in two prefectures");
        assert_eq!(found(&w, Channel::Alipay, 7), [0; 0]);
        let snapshot = w.state.snapshot(TAIYUAN).unwrap();
        assert_eq!((0..3).filter(|r| snapshot.has_contact(*r, Channel::Wechat)).count(), 1);
        if round == 0 {
            w.crash();
        } else {
            w.state.checkpoint().await.unwrap();
            w.crash();
        }
    }
    w.facts(Facts::Contacts(vec![end(1, Channel::Wechat), bind(4, Channel::Wechat, 8)])).await;
    assert_eq!((found(&w, Channel::Wechat, 7), found(&w, Channel::Wechat, 8)), (vec![], vec![4]));
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!((found(&w, Channel::Wechat, 7), found(&w, Channel::Wechat, 8)), (vec![], vec![4]));
    assert!(bound(&w, 1).is_empty());
}

#[tokio::test]
async fn an_address_is_as_old_as_its_last_change_and_told_again_stays_so() {
    let w = World::new().await;
    w.facts(Facts::Customers(vec![customer(1)])).await;
    w.facts(Facts::Contacts(vec![bind(1, Channel::Alipay, 7)])).await;
    let first = w.state.contacts(account(1)).unwrap()[0].since;
    w.state.checkpoint().await.unwrap();
    w.clock.advance(std::time::Duration::from_secs(60));
    w.facts(Facts::Contacts(vec![bind(1, Channel::Alipay, 7)])).await;
    assert_eq!(w.state.contacts(account(1)).unwrap()[0].since, first);
    w.facts(Facts::Contacts(vec![bind(1, Channel::Alipay, 8)])).await;
    w.facts(Facts::Contacts(vec![bind(1, Channel::Alipay, 7)])).await;
    assert!(w.state.contacts(account(1)).unwrap()[0].since > first, "it was another in between");
}

#[tokio::test]
async fn erased_closed_or_handed_over_nothing_of_the_holders_is_left() {
    for how in 0..3 {
        let mut w = World::new().await;
        let mut subscriber = customer(1);
        subscriber.traits = subscriber.traits | Traits::SUBSCRIBES_BILL;
        subscriber.traits_given = subscriber.traits_given | Traits::SUBSCRIBES_BILL | Traits::CLOSED;
        w.facts(Facts::Customers(vec![subscriber.clone(), customer(2)])).await;
        w.facts(Facts::Contacts(vec![
            bind(1, Channel::Wechat, 7),
            bind(1, Channel::Alipay, 7),
            bind(2, Channel::Wechat, 7),
        ]))
        .await;
        let bits = Preferences::MARKETING_CONSENT | Preferences::SUBSCRIBES_OUTAGE | Preferences::NO_SMS_MARKETING;
        let on = CustomerChange::Preferences { bits, on: true };
        w.state.change_customer(account(1), vec![on], vec![], vec![]).await.unwrap();
        let refused = CustomerChange::Asked { wish: Wish::ServiceSms, on: false, source: WishSource::Counter };
        let granted = CustomerChange::Asked { wish: Wish::BillNotice, on: true, source: WishSource::Website };
        w.state.change_customer(account(1), vec![refused, granted], vec![], vec![]).await.unwrap();
        if how == 1 {
            w.state.checkpoint().await.unwrap();
        }
        let change = |c| w.state.change_customer(account(1), vec![c], vec![], vec![]);
        match how {
            0 => drop(change(CustomerChange::Erase).await.unwrap()),
            1 => drop(change(CustomerChange::Traits { bits: Traits::CLOSED, on: true }).await.unwrap()),
            _ => {
                subscriber.traits = Traits::CLOSED | Traits::SUBSCRIBES_BILL;
                let outcome = w.facts(Facts::Customers(vec![subscriber, customer(2)])).await;
                assert_eq!((outcome.changed, outcome.unchanged), (1, 1), "what goes with it is not counted");
            }
        }
        w.crash();
        let (_, view) = w.state.customer(account(1)).unwrap();
        assert!(bound(&w, 1).is_empty(), "{how}");
        assert!(!view.traits.has(Traits::SUBSCRIBES_BILL), "{how}");
        let refused = Preferences::NO_SMS_MARKETING | Preferences::NO_SMS_SERVICE;
        assert_eq!(view.preferences, refused, "{how}: what was refused stays refused");
        let wishes = w.state.wishes(account(1)).unwrap().2;
        let said: Vec<_> = wishes.iter().filter_map(|w| Some((w.wish, w.on, w.said?.0))).collect();
        assert_eq!(said, [(Wish::ServiceSms, false, WishSource::Counter)], "{how}");
        assert_eq!(found(&w, Channel::Wechat, 7), [2], "{how}");
    }
}

#[tokio::test]
async fn preferences_and_addresses_share_a_column_and_never_touch_each_other() {
    let w = World::new().await;
    w.facts(Facts::Customers(vec![customer(1)])).await;
    w.facts(Facts::Contacts(vec![bind(1, Channel::Wechat, 7)])).await;
    let all = CustomerChange::Preferences { bits: Preferences(u16::MAX), on: false };
    w.state.change_customer(account(1), vec![all], vec![], vec![]).await.unwrap();
    assert_eq!(bound(&w, 1), [(Channel::Wechat, 7)]);
    let all = CustomerChange::Preferences { bits: Preferences(u16::MAX), on: true };
    w.state.change_customer(account(1), vec![all], vec![], vec![]).await.unwrap();
    assert_eq!(bound(&w, 1), [(Channel::Wechat, 7)]);
    assert_eq!(w.state.customer(account(1)).unwrap().1.preferences.0 >> 14, 0, "nobody sees the bits as wishes");
}

/// 12.84 million customers of whom 30 % are bound are 3.85 million entries; here as many of each thousand, so that the figure scales.
#[tokio::test]
async fn a_bound_customer_takes_few_bytes_of_memory() {
    const CUSTOMERS: u64 = 100_000;
    let mut w = World::new().await;
    for from in (0..CUSTOMERS).step_by(20_000) {
        w.facts(Facts::Customers((from..from + 20_000).map(customer).collect())).await;
    }
    let before = w.state.column_bytes();
    let binds = (0..CUSTOMERS).filter(|n| n % 10 < 3).map(|n| bind(n, Channel::Wechat, n)).collect();
    w.facts(Facts::Contacts(binds)).await;
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!(w.state.column_bytes(), before, "the bits have room in a column");
    let each = w.state.contact_index_bytes() as f64 / (CUSTOMERS as f64 * 0.3);
    let province = each * 12_840_000.0 * 0.3 / 1_048_576.0;
    println!(
        "index: {each:.1} bytes for each bound customer, {province:.0} MiB for a province of which 30 % are bound"
    );
    assert!(each < 22.0, "{each}: a table is at least 7/16 full");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Whatever is bound and ended, with checkpoints and crashes anywhere, the present address is the last one told.
    #[test]
    fn crashes_and_checkpoints_change_no_address(
        steps in proptest::collection::vec((0u64..5, 0u64..4, 0u8..6), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut w = World::new().await;
            w.facts(Facts::Customers((0..5).map(customer).collect())).await;
            let mut model = std::collections::BTreeMap::new();
            for (n, who, what) in steps {
                match what {
                    0 => w.state.checkpoint().await.unwrap(),
                    1 => drop(w.crash()),
                    2 => {
                        model.remove(&n);
                        w.facts(Facts::Contacts(vec![end(n, Channel::Wechat)])).await;
                    }
                    _ => {
                        model.insert(n, who);
                        w.facts(Facts::Contacts(vec![bind(n, Channel::Wechat, who)])).await;
                    }
                }
            }
            for n in 0..5 {
                let expected: Vec<_> = model.get(&n).map(|who| (Channel::Wechat, *who)).into_iter().collect();
                assert_eq!(bound(&w, n), expected);
            }
            for who in 0..4 {
                let expected: Vec<u64> = model.iter().filter(|(_, w)| **w == who).map(|(n, _)| *n).collect();
                assert_eq!(found(&w, Channel::Wechat, who), expected);
            }
        });
    }
}

#[tokio::test]
async fn each_wish_has_its_time_and_source_and_asked_again_it_is_the_same() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((1..4).map(customer).collect())).await;
    let asked = |wish, on, source| CustomerChange::Asked { wish, on, source };
    let entry = |w: &World, wish| w.state.wishes(account(1)).unwrap().2.into_iter().find(|e| e.wish == wish).unwrap();
    let first = w.clock.now();
    let bill = asked(Wish::BillNotice, true, WishSource::Counter);
    let applied = w.state.change_customer(account(1), vec![bill.clone()], vec![], vec![]).await.unwrap();
    assert_eq!(applied.facts.changed, 1);
    w.clock.advance(std::time::Duration::from_secs(90));
    let applied = w.state.change_customer(account(1), vec![bill], vec![], vec![]).await.unwrap();
    assert_eq!(applied.facts.changed, 0, "from the same source again");
    let later = asked(Wish::Marketing, false, WishSource::SmsWord);
    w.state.change_customer(account(1), vec![later], vec![], vec![]).await.unwrap();
    for round in 0..3 {
        let said = |wish| entry(&w, wish).said.map(|(source, at)| (source, at.unix_ms() / 1000));
        assert_eq!(said(Wish::BillNotice), Some((WishSource::Counter, first.unix_ms() / 1000)), "{round}");
        assert_eq!(
            said(Wish::Marketing).map(|s| s.0),
            Some(WishSource::SmsWord),
            "{round}: refused, though no bit changed"
        );
        assert!(said(Wish::ServiceSms).is_none() && entry(&w, Wish::ServiceSms).on);
        if round == 1 {
            w.state.checkpoint().await.unwrap();
        }
        w.crash();
    }
    // A file that says otherwise: the entry is no more what was asked.
    let mut other = customer(1);
    other.traits_given = other.traits_given | Traits::SUBSCRIBES_BILL;
    w.facts(Facts::Customers(vec![other])).await;
    let bill = entry(&w, Wish::BillNotice);
    assert_eq!((bill.on, bill.said), (false, None));
}
