//! Changes are made in the order in which they are handed over, however many are under way at once.

#![allow(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use gridbell_model::AccountNumber;
use gridbell_state::*;

const BATCHES: u64 = 40;
const ROWS: u64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_of_one_file_are_taken_in_in_its_order() {
    let w = World::new().await;
    let mut handed = Vec::new();
    for batch in 0..BATCHES {
        let rows = (batch * ROWS + 1..=(batch + 1) * ROWS).map(customer).collect();
        handed.push(w.state.hand_facts(Facts::Customers(rows), true, Vec::new()).await.unwrap());
    }
    for batch in handed {
        assert_eq!(batch.durable().await.unwrap().facts.created, ROWS);
    }
    for prefecture in [TAIYUAN, DATONG] {
        let snapshot = w.state.snapshot(prefecture).unwrap();
        let accounts: Vec<AccountNumber> = (0..).map_while(|row| snapshot.view(row)).map(|v| v.account).collect();
        assert!(accounts.len() > 100 && accounts.is_sorted(), "{prefecture:?}: rows are in the order of the file");
    }
}
