//! Checkpoints that the power cuts: nothing is missing, and nothing of the attempt counts with the next one.

mod common;

use common::*;
use gridbell_clock::Seed;
use gridbell_model::{HoldReason, MessageId, Topic};
use gridbell_state::*;
use gridbell_store::{Faults, MemStore, Store as _};

/// The power fails at each commit of a checkpoint in turn: nothing is missing, whatever of the new generation survived.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_cut_at_any_commit_loses_nothing() {
    let mut cut = 0;
    for (commit, seed) in (1..=5).flat_map(|commit| (0..6).map(move |seed| (commit, seed))) {
        let mut w = World::on(MemStore::with_faults(Seed(seed), Faults::default())).await;
        w.facts(Facts::Customers((0..700).map(customer).collect())).await;
        w.facts(Facts::Bills((0..700).map(|n| bill(n, 202_610, 50)).collect())).await;
        w.facts(Facts::Payments(vec![payment(3, "p1", 50), payment(5, "p2", 20)])).await;
        let picture = |w: &World| {
            let customers: Vec<_> = (0..700).map(|n| (view(&w.state, n), w.state.name(account(n)).ok())).collect();
            (customers, w.state.snapshot(TAIYUAN).unwrap().last_payment())
        };
        let before = picture(&w);
        let at = w.store.commits() + commit;
        w.store.set_faults(Faults { crash_at_commit: Some(at), ..Faults::default() });
        cut += u32::from(w.state.checkpoint().await.is_err());
        w.crash();
        assert_eq!(picture(&w), before, "commit {commit}, seed {seed}");
        // And the next one is whole.
        w.state.checkpoint().await.unwrap();
        w.crash();
        assert_eq!(picture(&w), before, "commit {commit}, seed {seed}, after the next checkpoint");
    }
    assert!(cut >= 12, "the power has to fail within the checkpoint to prove anything: {cut}");
}

/// Parts of an attempt that came to no marker do not count with the next one, which has fewer.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_cut_checkpoint_left_does_not_count_with_the_next() {
    let mut stale = 0;
    for seed in 0..8 {
        let mut w = World::on(MemStore::with_faults(Seed(seed), Faults::default())).await;
        w.facts(Facts::Customers((0..5).map(customer).collect())).await;
        w.facts(Facts::Bills((0..5).map(|n| bill(n, 202_610, 50)).collect())).await;
        let run = remind(&w.state, 1).await;
        let id = MessageId::new(TAIYUAN, run.first_message);
        w.state.reports("mobile", vec![(9.into(), "DELIVRD".into())]).await.unwrap();
        let at = w.store.commits() + 1;
        w.store.set_faults(Faults { crash_at_commit: Some(at), ..Faults::default() });
        w.state.checkpoint().await.unwrap_err();
        let kept = w.store.size_on_disk().unwrap();
        w.crash();
        stale += u32::from(w.store.size_on_disk().unwrap() > kept);
        // Nothing is parked any more, and one message fewer was told: the next attempt has a part less.
        let submitting = (id, MessageEvent::Submitting { link: "mobile".into() });
        let late = (id, MessageEvent::PartLate { part: 1, link: "mobile".into(), carrier_id: 9 });
        let other = MessageId::new(TAIYUAN, run.first_message + 1);
        let cancelled = (other, MessageEvent::Cancelled { reason: HoldReason::Paid });
        w.state.message_events(vec![submitting, late, cancelled]).await.unwrap();
        w.state.checkpoint().await.unwrap();
        let told =
            |w: &World| w.state.told(TAIYUAN, 1, view(&w.state, 1).phone.number(), today(), &[Topic::ArrearsReminder]);
        assert_eq!(told(&w), (0, 0));
        w.crash();
        assert_eq!((told(&w), w.state.depth().parked), ((0, 0), 0), "seed {seed}");
    }
    assert!(stale > 0, "no attempt left anything: this proves nothing");
}
