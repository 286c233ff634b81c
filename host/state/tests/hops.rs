//! Fallback by receipt: what becomes due when, what a late report ends, and that somebody is told at least once and twice only where it is marked,
//! through crashes at any step.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::time::Duration;

use common::*;
use gridbell_model::{CarrierKey, HoldReason, MessageId, MessageState, RunId, Topic};
use gridbell_state::*;
use proptest::prelude::*;

const WAIT: u32 = 30;
const HOPS: u8 = 3;

async fn world(customers: u64) -> World {
    let world = World::new().await;
    world.facts(Facts::Customers((0..customers).map(customer).collect())).await;
    world.facts(Facts::Bills((0..customers).map(|n| bill(n, 202_611, 100)).collect())).await;
    world
}

fn waits() -> Vec<Vec<u32>> {
    vec![vec![WAIT; usize::from(HOPS) - 1]]
}

async fn publish(state: &State, who: &[u64]) -> RunRecord {
    let mut run = state.begin_run(TAIYUAN).await.unwrap();
    run.follow(waits());
    run.push(who.iter().map(|n| queued(&view(state, *n), 1, 1)).collect()).await.unwrap();
    run.publish(record(1), vec![], vec![]).await.unwrap().0
}

/// Publishes the next hops of these messages as the conductor does; those that have none are held.
async fn hop(state: &State, ids: &[MessageId]) -> RunRecord {
    let mut writer = state.begin_hops(TAIYUAN).await.unwrap();
    writer.follow(waits());
    let mut hops = Vec::new();
    for detail in state.messages_at(ids).unwrap() {
        let mut next = detail.decision.clone();
        let Outcome::Queued(message) = &mut next.outcome else { panic!("it was queued") };
        message.hop += 1;
        if message.hop == HOPS {
            next.outcome = Outcome::Held(HoldReason::NoAddress);
        }
        let unsure = detail.status.may_have_come();
        hops.push(HopDecision { from: detail.id, record: next, counted: false, unsure });
    }
    let first = state.run_of(ids[0]).unwrap();
    writer.push_hops(hops).await.unwrap();
    let scope = RunRecord::hop_scope(first.hop_of().unwrap_or(first.id));
    writer.publish(RunRecord { scope, ..record(1) }, vec![], vec![]).await.unwrap().0
}

fn id(run: &RunRecord, nth: u32) -> MessageId {
    MessageId::new(TAIYUAN, run.first_message + nth)
}

fn status(state: &State, id: MessageId) -> MessageStatus {
    state.message_status(id).unwrap().unwrap()
}

fn due(world: &World) -> Vec<MessageId> {
    world.state.hops_due(world.clock.now(), 100, |_| false).into_iter().map(|h| h.id).collect()
}

async fn submit(state: &State, id: MessageId, key: u64) {
    let link = "a".to_owned();
    let events =
        vec![(id, MessageEvent::Submitting { link }), (id, MessageEvent::accepted(1, &CarrierKey::Number(key)))];
    assert_eq!(state.message_events(events).await.unwrap().stale_events, 0);
}

async fn report(state: &State, key: u64, stat: &str) {
    state.reports("a", vec![(CarrierKey::Number(key), stat.to_owned())]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_due_at_once_and_silence_after_the_wait_also_after_a_crash() {
    let mut world = world(4).await;
    let run = publish(&world.state, &[0, 1, 2, 3]).await;
    assert!(due(&world).is_empty() && world.state.awaiting_hops() == 4);
    for nth in 0..3 {
        submit(&world.state, id(&run, nth), u64::from(nth)).await;
    }
    report(&world.state, 0, "DELIVRD").await;
    report(&world.state, 1, "UNDELIV").await;
    for checkpoint in [false, true] {
        if checkpoint {
            world.state.checkpoint().await.unwrap();
        }
        world.crash();
        assert_eq!(due(&world), [id(&run, 1)], "what failed; checkpoint {checkpoint}");
        assert_eq!(world.state.awaiting_hops(), 3, "what came awaits nothing");
    }
    world.clock.advance(Duration::from_secs(u64::from(WAIT) * 60));
    assert_eq!(due(&world), [id(&run, 1), id(&run, 2)], "the longest first; what was never submitted is not silent");

    let next = hop(&world.state, &due(&world)).await;
    assert!(next.is_hops() && !next.is_occurrence() && next.hop_of() == Some(run.id) && next.queued == 2);
    assert!(due(&world).is_empty());
    for checkpoint in [false, true] {
        if checkpoint {
            world.state.checkpoint().await.unwrap();
        }
        world.crash();
        assert!(due(&world).is_empty(), "none twice; checkpoint {checkpoint}");
        assert_eq!(world.state.awaiting_hops(), 3, "the second hops, and what waits still");
    }
    let told = world.state.messages_of(account(1), 10).unwrap();
    assert_eq!(told.iter().map(|m| m.id).collect::<Vec<_>>(), [id(&next, 0), id(&run, 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_report_takes_the_next_hop_back_and_what_left_already_is_marked() {
    let mut world = world(3).await;
    let run = publish(&world.state, &[0, 1, 2]).await;
    for nth in 0..3 {
        submit(&world.state, id(&run, nth), u64::from(nth)).await;
    }
    world.clock.advance(Duration::from_secs(u64::from(WAIT) * 60));
    let next = hop(&world.state, &due(&world)).await;
    submit(&world.state, id(&next, 1), 11).await;
    world.state.checkpoint().await.unwrap();
    world.crash();
    for key in 0..3 {
        report(&world.state, key, if key == 2 { "UNDELIV" } else { "DELIVRD" }).await;
    }
    let taken = status(&world.state, id(&next, 0));
    assert_eq!((taken.state, taken.reason), (MessageState::Cancelled, Some(HoldReason::DeliveredMeanwhile)));
    assert_eq!(view(&world.state, 0).reminded_step, 1, "it was said");
    assert!(!status(&world.state, id(&run, 0)).maybe_twice && !taken.maybe_twice);
    let both = [id(&run, 1), id(&next, 1)].map(|m| status(&world.state, m).maybe_twice);
    assert_eq!(both, [true, true]);
    // The one that is known to have failed meanwhile goes on unmarked.
    submit(&world.state, id(&next, 2), 12).await;
    assert!(!status(&world.state, id(&next, 2)).maybe_twice);
    assert_eq!(world.state.awaiting_hops(), 1, "only the second hop of the one that is not told");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_channel_cannot_take_goes_on_and_what_a_person_took_back_does_not() {
    let world = world(4).await;
    let run = publish(&world.state, &[0, 1, 2, 3]).await;
    let cancel = |nth, reason| (id(&run, nth), MessageEvent::Cancelled { reason });
    use HoldReason as R;
    let events = vec![cancel(0, R::NoAddress), cancel(1, R::Recalled), cancel(2, R::Paid)];
    world.state.message_events(events).await.unwrap();
    assert_eq!(due(&world), [id(&run, 0)]);
    let topics = [Topic::ArrearsReminder];
    let caps = |n: u64| {
        let view = view(&world.state, n);
        world.state.told(TAIYUAN, view.row, view.phone.number(), today(), &topics)
    };
    assert_eq!(caps(0), (0, 0), "taken back, and counts no more");
    // Recalled while a next hop is on its way to the commit: what is published then is taken back in it.
    submit(&world.state, id(&run, 3), 3).await;
    report(&world.state, 3, "UNDELIV").await;
    assert_eq!(caps(3), (1, 1));
    let both = due(&world);
    world.state.end_hops(vec![run.id]).await.unwrap();
    assert!(due(&world).is_empty() && world.state.awaiting_hops() == 0);
    let next = hop(&world.state, &both).await;
    for nth in 0..2 {
        let taken = status(&world.state, id(&next, nth));
        assert_eq!((taken.state, taken.reason), (MessageState::Cancelled, Some(R::Recalled)));
    }
    assert_eq!(caps(3), (1, 1), "one telling counts once, whatever becomes of its hops");
}

#[derive(Clone, Copy, Debug)]
enum Act {
    /// The link takes what is ready.
    Submit,
    /// The carrier loses the message on its way to us: no answer ever.
    SubmitUnknown,
    /// A report comes of one of the messages.
    Report {
        nth: usize,
        good: bool,
    },
    Wait,
    Hop,
    Checkpoint,
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Submit),
        1 => Just(Act::SubmitUnknown),
        6 => (0..8_usize, any::<bool>()).prop_map(|(nth, good)| Act::Report { nth, good }),
        2 => Just(Act::Wait),
        4 => Just(Act::Hop),
        1 => Just(Act::Checkpoint),
        1 => Just(Act::Crash),
    ]
}

/// One customer's telling, played against carriers that lose, delay and repeat.
async fn play(acts: Vec<Act>) {
    let mut world = world(1).await;
    publish(&world.state, &[0]).await;
    // What left, in order: the message, its key where the carrier has it, and whether the customer really got it; none while nobody knows.
    let mut left: Vec<(MessageId, u64, Option<bool>)> = Vec::new();
    let mut keys = 0;
    for act in acts.into_iter().chain([Act::Wait, Act::Hop, Act::Submit, Act::Wait, Act::Hop, Act::Submit]) {
        match act {
            Act::Submit => {
                for id in world.state.ready(1, 10, |_, _| false) {
                    keys += 1;
                    submit(&world.state, id, keys).await;
                    left.push((id, keys, None));
                }
            }
            Act::SubmitUnknown => {
                for id in world.state.ready(1, 10, |_, _| false) {
                    let unknown = MessageEvent::PartRefused { part: 1, code: NO_ANSWER.into() };
                    let events = vec![(id, MessageEvent::Submitting { link: "a".into() }), (id, unknown)];
                    world.state.message_events(events).await.unwrap();
                    // The worst: it came all the same.
                    left.push((id, 0, Some(true)));
                }
            }
            Act::Report { nth, good } => {
                if let Some((_, key, came)) = left.get_mut(nth).filter(|(_, key, came)| *key > 0 && came.is_none()) {
                    *came = Some(good);
                    report(&world.state, *key, if good { "DELIVRD" } else { "UNDELIV" }).await;
                }
            }
            Act::Wait => world.clock.advance(Duration::from_secs(u64::from(WAIT) * 60)),
            Act::Hop => {
                let ids = due(&world);
                if !ids.is_empty() {
                    hop(&world.state, &ids).await;
                }
            }
            Act::Checkpoint => world.state.checkpoint().await.unwrap(),
            Act::Crash => drop(world.crash()),
        }
    }
    let marked = |id: MessageId| status(&world.state, id).maybe_twice;
    // Without a report the worst is that it came.
    let got: Vec<MessageId> = left.iter().filter(|(_, _, came)| came.unwrap_or(true)).map(|(id, ..)| *id).collect();
    if got.len() > 1 {
        assert!(got.iter().any(|id| marked(*id)), "twice and not marked: {left:?}");
    }
    let messages = world.state.messages_of(account(0), 20).unwrap();
    let hops = messages.len();
    assert!(!got.is_empty() || hops == usize::from(HOPS), "not told, and {hops} hops tried: {left:?}");
    if left.iter().all(|(_, _, came)| *came == Some(false)) {
        assert!(messages.iter().all(|m| !m.status.maybe_twice), "all are known to have failed: {left:?}");
    }
    let run: RunId = messages.last().unwrap().run;
    assert!(messages.iter().all(|m| m.run == run || world.state.run(m.run).unwrap().hop_of() == Some(run)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn told_at_least_once_and_twice_only_where_it_is_marked(acts in prop::collection::vec(act(), 0..24)) {
        tokio::runtime::Runtime::new().unwrap().block_on(play(acts));
    }
}
