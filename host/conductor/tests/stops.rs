//! Holding what leaves and letting something run out: what a stop holds, what goes on, and that nothing is lost by either.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use gridbell_channels::{LinkName, Outbox, Unsent, Which};
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::RunRecord;
use tokio_util::sync::CancellationToken;
use world::{TAIYUAN, World, first_day};

const REMINDER: &str = "arrears-reminder";
const WARNING: &str = "balance-warning";

async fn world() -> World {
    let world = World::new().await;
    world.clock.advance_to(first_day().at(9, 30).moment());
    world
}

async fn run(world: &World, policy: &str) -> RunRecord {
    world.host.run_policy(RunRequest::by_person(TAIYUAN, policy, "a")).await.unwrap().record
}

/// What links could claim now, by run.
async fn claimable(world: &World) -> Vec<RunId> {
    let (outbox, link) = (world.host.outbox(), LinkName::new("all").unwrap());
    world.host.serve_link(&link, &[Carrier::Mobile, Carrier::Unicom, Carrier::Telecom].map(Served::Carrier));
    let claimed = outbox.claim(&link, 100_000, Which::Any).await.unwrap();
    let back: Vec<_> = claimed.iter().map(|m| Unsent { message: m.id, parts: m.open }).collect();
    outbox.release(&link, &back).await.unwrap();
    let mut runs: Vec<RunId> = claimed.iter().map(|m| world.host.state().run_of(m.id).unwrap().id).collect();
    runs.sort_unstable();
    runs.dedup();
    runs
}

#[tokio::test]
async fn a_held_run_waits_and_others_go() {
    let world = world().await;
    let (first, second) = (run(&world, REMINDER).await, run(&world, WARNING).await);
    assert!(first.queued > 0 && second.queued > 0);
    assert_eq!(claimable(&world).await, [first.id, second.id]);
    let extent = Extent::Run(first.id);
    world.host.stop(extent.clone(), "wrong text", "ops").await.unwrap();
    assert_eq!(claimable(&world).await, [second.id]);
    assert_eq!(world.host.unsettled_within(&extent).unwrap(), first.queued);
    // Through a restart, too.
    let world = world.restarted();
    assert_eq!(claimable(&world).await, [second.id]);
    world.host.release_stop(&extent, "ops").await.unwrap();
    assert_eq!(claimable(&world).await, [first.id, second.id]);
}

#[tokio::test]
async fn what_runs_out_begins_nothing_and_what_waits_leaves() {
    let world = world().await;
    let first = run(&world, REMINDER).await;
    let extent = Extent::Topic(Topic::ArrearsReminder);
    let stop = world.host.drain(extent.clone(), "texts change", "ops").await.unwrap();
    assert_eq!((stop.mode, world.host.stops()), (StopMode::Drain, vec![stop.clone()]));
    let refused = world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap_err().to_string();
    assert!(refused.contains("`topic:arrears-reminder`") && refused.contains("texts change"), "{refused}");
    let dry = RunRequest { dry_run: true, ..RunRequest::by_person(TAIYUAN, REMINDER, "a") };
    world.host.run_policy(dry).await.unwrap();
    // The evening's occurrence is due, and waits; another topic is not concerned.
    world.clock.advance_to(first_day().at(18, 1).moment());
    world.host.serve_due(&CancellationToken::new()).await;
    assert_eq!(world.runs(REMINDER).len(), 1);
    assert!(run(&world, WARNING).await.queued > 0);
    assert!(claimable(&world).await.contains(&first.id), "what waits leaves");
    world.host.release_stop(&extent, "ops").await.unwrap();
    world.host.serve_due(&CancellationToken::new()).await;
    let late = world.runs(REMINDER);
    assert_eq!(late.len(), 2, "late, and once");
    assert!(late.iter().any(|r| r.schedule == "evening"));
}

#[tokio::test]
async fn what_cannot_be_stopped_is_said() {
    let world = world().await;
    let first = run(&world, REMINDER).await;
    for (extent, drains, says) in [
        (Extent::Run(first.id), true, "begins nothing new"),
        (Extent::Run(RunId(999)), false, "R999"),
        (Extent::Link("nobody".into()), false, "`nobody`"),
        (Extent::Link("nobody".into()), true, "`nobody`"),
    ] {
        let tried =
            if drains { world.host.drain(extent, "w", "ops").await } else { world.host.stop(extent, "w", "ops").await };
        let error = tried.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(world.host.stops().is_empty());
}
