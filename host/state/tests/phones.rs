//! Shared phones: right after imports in any order, single changes, corrections, erasure and a restart.

mod common;

use std::collections::BTreeSet;

use common::*;
use gridbell_model::{ContactSource, Date, Phone};
use gridbell_state::*;
use proptest::prelude::*;

/// More accounts than this share a number.
const MOST: u16 = 3;

fn number(n: u64) -> Phone {
    Phone::from_text(&format!("139{n:08}"))
}

fn with(n: u64, phone: Phone) -> CustomerFact {
    CustomerFact { phone: Some(phone), ..customer(n) }
}

fn shared(state: &State) -> BTreeSet<u64> {
    let all: Vec<u64> = (0..12).map(|n| number(n).number()).collect();
    state.shared_phones(MOST, &all).into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_shared_while_more_accounts_have_it_than_a_household() {
    let mut w = World::new().await;
    // Every customer has a number of its own; five, in two prefectures, have the landlord's.
    let mut rows: Vec<CustomerFact> = (0..2_000).map(customer).collect();
    for n in [3, 400, 801, 1_204, 1_999] {
        rows[n] = with(n as u64, number(7));
    }
    for part in rows.chunks(300).rev() {
        w.facts(Facts::Customers(part.to_vec())).await;
        shared(&w.state);
    }
    assert_eq!(shared(&w.state), [number(7).number()].into());
    assert_eq!(w.state.count_shared_phones(MOST), SharedCount { numbers: 1, accounts: 5 });
    assert_eq!(w.state.count_shared_phones(5), SharedCount::default());
    let change = async |w: &World, n, phone| {
        let change = CustomerChange::Phone { phone, source: ContactSource::Counter, verified_on: Date::NONE };
        w.state.change_customer(account(n), vec![change], vec![], vec![]).await.unwrap();
    };
    change(&w, 3, number(8)).await;
    assert_eq!(shared(&w.state), [number(7).number()].into(), "four are more than three");
    change(&w, 400, number(8)).await;
    assert_eq!(shared(&w.state), [].into(), "one was corrected: the others are a household");
    change(&w, 5, number(7)).await;
    assert_eq!(shared(&w.state), [number(7).number()].into());
    w.crash();
    assert_eq!(shared(&w.state), [number(7).number()].into());
    w.state.change_customer(account(5), vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    assert_eq!(shared(&w.state), [].into());
    // Another flag of the contact is no other number.
    w.state.change_customer(account(801), vec![CustomerChange::Suspend(true)], vec![], vec![]).await.unwrap();
    change(&w, 6, number(7)).await;
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!(shared(&w.state), [number(7).number()].into());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_number_is_not_a_number_that_many_share() {
    let w = World::new().await;
    let phones = [Phone::NONE, Phone::from_text("10086"), Phone::from_text("")];
    w.facts(Facts::Customers((0..30).map(|n| with(n, phones[n as usize % 3])).collect())).await;
    assert!(w.state.shared_phones(MOST, &[0]).is_empty());
    assert_eq!(w.state.count_shared_phones(MOST), SharedCount::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    /// However numbers move, the answer is what a plain count of everybody says.
    #[test]
    fn the_answer_is_the_plain_count(moves in proptest::collection::vec((0u64..40, 0u64..12, 0u8..8), 1..120)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut w = World::new().await;
            let mut plain = std::collections::BTreeMap::new();
            for (n, phone, then) in moves {
                w.facts(Facts::Customers(vec![with(n, number(phone))])).await;
                plain.insert(n, number(phone).number());
                match then {
                    0 => drop(w.crash()),
                    1 => w.state.checkpoint().await.unwrap(),
                    2..=5 => {
                        let count = |number| plain.values().filter(|p| **p == number).count();
                        let many = (0..12).map(|n| number(n).number()).filter(|n| count(*n) > usize::from(MOST));
                        assert_eq!(shared(&w.state), many.collect());
                    }
                    _ => {}
                }
            }
        });
    }
}
