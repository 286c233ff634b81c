//! What decisions were made from stays as long as they do, once however many runs name it, and leaves with them.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use common::*;
use gridbell_model::{ColumnId, HoldReason, RunId, Topic};
use gridbell_state::*;
use gridbell_store::{KeyRange, Store};

/// Two columns of the `n`-th customer.
fn saw(n: usize) -> Vec<(ColumnId, i64)> {
    vec![
        (ColumnId(2), 10_000 + n as i64),
        (ColumnId(4), if n.is_multiple_of(7) { i64::from(i32::MIN) } else { 20_000 }),
    ]
}

fn seen(rows: std::ops::Range<usize>) -> SeenFacts {
    let len = rows.len();
    let column = |c: usize| rows.clone().map(|n| saw(n)[c].1).collect();
    SeenFacts::new(vec![ColumnId(2), ColumnId(4)], vec![column(0), column(1)], len).unwrap()
}

/// A run that holds a decision about each customer, made from `rules`.
async fn run(w: &World, rules: &str, said: bool) -> RunRecord {
    let mut run = w.state.begin_run(TAIYUAN).await.unwrap();
    let documents: Vec<Arc<[u8]>> = vec![rules.as_bytes().into(), b"calendar".as_slice().into()];
    run.keep(format!("basis of {rules}").into_bytes(), documents).unwrap();
    let snapshot = run.snapshot().clone();
    let decision = |row| {
        let mut held = about(&snapshot.view(row).unwrap(), Topic::ArrearsReminder, 1);
        held.outcome = Outcome::Held(HoldReason::OptedOut);
        held
    };
    let decisions: Vec<DecisionRecord> = (0..snapshot.rows()).map(decision).collect();
    let all = decisions.len();
    let (front, back) = decisions.split_at(all / 3);
    run.push_seen(front.to_vec(), if said { seen(0..all / 3) } else { SeenFacts::default() }).await.unwrap();
    run.push_seen(back.to_vec(), seen(all / 3..all)).await.unwrap();
    run.publish(record(1), vec![], vec![]).await.unwrap().0
}

fn records(w: &World, table: u8) -> usize {
    let mut n = 0;
    let mut count = |_: &[u8], _: &[u8]| {
        n += 1;
        Ok(ControlFlow::Continue(()))
    };
    w.store.scan(&KeyRange::prefix(&[table]), &mut count).unwrap();
    n
}

async fn province(customers: u64) -> World {
    let w = World::new().await;
    w.state.facts(Facts::Customers((0..customers).map(customer).collect()), false, vec![]).await.unwrap();
    w
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plugin_saw_is_there_after_a_crash() {
    let mut w = province(1_300).await;
    let run = run(&w, "rules 1", true).await;
    w.crash();
    assert_eq!(run.segments.len(), 3);
    let mut n = 0;
    for (segment, info) in run.segments.iter().enumerate() {
        let seen = w.state.seen_facts(run.id, segment as u32).unwrap().unwrap();
        assert_eq!(seen.len(), info.decisions as usize);
        for at in 0..seen.len() {
            assert_eq!(seen.row(at), saw(n));
            n += 1;
        }
    }
    assert_eq!(n, 1_040, "one of five hangs elsewhere");
    let kept = w.state.kept_run(run.id).unwrap().unwrap();
    assert_eq!(kept.basis, b"basis of rules 1");
    let mut texts: Vec<_> = kept.documents.iter().map(|h| w.state.kept_document(h).unwrap().unwrap()).collect();
    texts.sort();
    assert_eq!(texts, [b"calendar".to_vec(), b"rules 1".to_vec()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_which_nothing_is_said_get_nothing_rather_than_anothers() {
    let w = province(600).await;
    let run = run(&w, "rules", false).await;
    assert_eq!(w.state.seen_facts(run.id, 0).unwrap(), None);
    assert_eq!(w.state.seen_facts(RunId(99), 0).unwrap(), None);
    assert_eq!(w.state.kept_run(RunId(99)).unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_there_once_and_leaves_with_the_last_run_that_names_it() {
    let mut w = province(40).await;
    let first = run(&w, "old rules", true).await;
    let second = run(&w, "new rules", true).await;
    let third = run(&w, "new rules", true).await;
    assert_eq!((records(&w, b'C'), records(&w, b'L'), records(&w, b'E'), records(&w, b'F')), (3, 3, 3, 3));
    w.crash();
    w.clock.advance_to(today().plus_days(10).at(9, 0).moment());
    w.state.checkpoint().await.unwrap();
    let old = content_hash(b"old rules");
    // One run after another: the oldest leaves first.
    let mut file = 0;
    for (expected, here) in [((2, 2), false), ((2, 1), false)] {
        let cutoffs = Cutoffs::of_days(w.clock.today(), 1, 1, 1, 1, 0);
        let all = w.state.leaving(&cutoffs, 1_000_000, Ended::OnDisk).unwrap();
        let one = Leaving {
            decisions: all.decisions.iter().take(1).cloned().collect(),
            runs: all.runs.iter().take(1).cloned().collect(),
            ..Leaving::default()
        };
        file += 1;
        w.state.leave(&one, file, [file as u8; 32], vec![]).await.unwrap();
        assert_eq!((records(&w, b'C'), records(&w, b'E')), expected);
        assert_eq!(w.state.kept_document(&old).unwrap().is_some(), here);
        w.crash();
    }
    for gone in [first.id, second.id] {
        assert_eq!(w.state.kept_run(gone).unwrap(), None);
        assert_eq!(w.state.seen_facts(gone, 0).unwrap(), None);
    }
    // What the newest names is here, and a run that names the old again brings it back.
    assert_eq!(w.state.kept_document(&content_hash(b"new rules")).unwrap().unwrap(), b"new rules");
    assert!(w.state.kept_run(third.id).unwrap().is_some());
    run(&w, "old rules", true).await;
    assert_eq!(w.state.kept_document(&old).unwrap().unwrap(), b"old rules");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_not_published_leaves_nothing() {
    let mut w = province(45_000).await;
    let mut begun = w.state.begin_run(TAIYUAN).await.unwrap();
    begun.keep(b"basis".to_vec(), vec![b"document".as_slice().into()]).unwrap();
    let snapshot = begun.snapshot().clone();
    let rows = snapshot.rows();
    let decisions = (0..rows).map(|row| {
        let mut held = about(&snapshot.view(row).unwrap(), Topic::ArrearsReminder, 1);
        held.outcome = Outcome::Held(HoldReason::OptedOut);
        held
    });
    begun.push_seen(decisions.collect(), seen(0..rows as usize)).await.unwrap();
    assert!(records(&w, b'F') > 0 && records(&w, b'G') > 0, "full segments are written before publication");
    drop(begun);
    w.crash();
    assert_eq!(["C", "L", "E", "F", "G"].map(|t| records(&w, t.as_bytes()[0])), [0; 5]);
}
