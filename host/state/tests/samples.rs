//! Samples of a pilot: they go the way of messages, and nobody is told by them.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use common::*;
use gridbell_model::{HoldReason, MessageId, MessageState, Phone, Topic};
use gridbell_state::*;

const TEST_NUMBER: &str = "13900000001";

/// What the customer's own columns, caps and messages say of what they were told.
#[derive(PartialEq, Debug)]
struct Told {
    step: u8,
    last_message: u32,
    caps: Vec<(u8, u8)>,
    messages: Vec<MessageId>,
}

fn told(state: &State, n: u64) -> Told {
    let view = view(state, n);
    let caps = [view.phone, Phone::from_text(TEST_NUMBER)];
    let count = |p: &Phone| state.told(TAIYUAN, view.row, p.number(), today(), &[Topic::ArrearsReminder]);
    Told {
        step: view.reminded_step,
        last_message: view.last_message,
        caps: caps.iter().map(count).collect(),
        messages: state.messages_of(account(n), 10).unwrap().into_iter().map(|m| m.id).collect(),
    }
}

/// Publishes samples about these customers to the test number.
async fn sample(state: &State, about: &[u64]) -> RunRecord {
    let mut run = state.begin_samples(TAIYUAN).await.unwrap();
    let mut decisions = Vec::new();
    for n in about {
        let mut decision = queued(&view(state, *n), 1, 1);
        if let Outcome::Queued(message) = &mut decision.outcome {
            message.phone = Phone::from_text(TEST_NUMBER);
            message.text = format!("【试点样张】{}", message.text);
        }
        decisions.push(decision);
    }
    run.push(decisions).await.unwrap();
    run.publish(record(1), vec![], vec![]).await.unwrap().0
}

fn id(run: &RunRecord, nth: u32) -> MessageId {
    MessageId::new(TAIYUAN, run.first_message + nth)
}

async fn world(customers: u64) -> World {
    let world = World::new().await;
    world.facts(Facts::Customers((0..customers).map(customer).collect())).await;
    world.facts(Facts::Bills((0..customers).map(|n| bill(n, 202_611, 100)).collect())).await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_is_queued_once_through_crashes_and_tells_the_customer_nothing() {
    let mut world = world(3).await;
    let before = told(&world.state, 0);
    let run = sample(&world.state, &[0, 1]).await;
    assert!(run.is_samples() && run.queued == 2 && run.cost_milli_fen == 7_000);
    for checkpoint in [false, true] {
        if checkpoint {
            world.state.checkpoint().await.unwrap();
        }
        world.crash();
        assert!(world.state.run(run.id).unwrap().is_samples());
        assert_eq!(world.state.ready(1, 10, |_, _| false), [id(&run, 0), id(&run, 1)], "checkpoint {checkpoint}");
        assert_eq!(told(&world.state, 0), before, "checkpoint {checkpoint}");
    }
    let outgoing = world.state.outgoing(&[id(&run, 0)]).unwrap().remove(0);
    let Outcome::Queued(message) = &outgoing.decision.outcome else { panic!("it is queued") };
    assert_eq!(
        (outgoing.decision.account, message.phone.number()),
        (account(0), Phone::from_text(TEST_NUMBER).number())
    );
    assert!(message.text.starts_with("【试点样张】") && message.previous == 0);

    // The customer is told later by the live version as if nothing had been, by a number of its own.
    let real = remind(&world.state, 1).await;
    assert_eq!(real.first_message, run.first_message + 2);
    let after = told(&world.state, 0);
    assert_eq!((after.step, after.messages), (1, vec![MessageId::new(TAIYUAN, real.first_message)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn however_a_sample_ends_what_was_said_and_counted_of_the_customer_stays() {
    let mut world = world(4).await;
    // They were told this step for real: a sample that is taken back must not take that back.
    let real = remind(&world.state, 1).await;
    let before: Vec<Told> = (0..4).map(|n| told(&world.state, n)).collect();
    assert_eq!((before[0].step, before[0].caps[0]), (1, (1, 1)));
    let counted = |state: &State| state.stats(today(), today()).into_iter().map(|(_, c)| c).collect::<Vec<_>>();
    let stats = counted(&world.state);
    let run = sample(&world.state, &[0, 1, 2, 3]).await;
    assert_eq!(counted(&world.state), stats, "queued samples are nobody's messages");
    let send = |n: u32| {
        let link = "mobile".to_owned();
        let carrier_id = 70 + u64::from(n);
        vec![
            (id(&run, n), MessageEvent::Submitting { link }),
            (id(&run, n), MessageEvent::PartAccepted { part: 1, carrier_id }),
        ]
    };
    world
        .state
        .message_events(vec![(id(&run, 0), MessageEvent::Cancelled { reason: HoldReason::Recalled })])
        .await
        .unwrap();
    // From here on what it is comes from the checkpoint.
    world.state.checkpoint().await.unwrap();
    world.crash();
    world.state.message_events(vec![(id(&run, 1), MessageEvent::Expired)]).await.unwrap();
    world
        .state
        .message_events(vec![(id(&run, 3), MessageEvent::Cancelled { reason: HoldReason::Paid })])
        .await
        .unwrap();
    world.state.message_events(send(2)).await.unwrap();
    world.state.reports("mobile", vec![(72.into(), "DELIVRD".to_owned())]).await.unwrap();
    for crashed in [false, true] {
        if crashed {
            world.crash();
        }
        let states = [0, 1, 2, 3].map(|n| world.state.message_status(id(&run, n)).unwrap().unwrap().state);
        let ended = [MessageState::Cancelled, MessageState::Expired, MessageState::Delivered, MessageState::Cancelled];
        assert_eq!(states, ended);
        let after: Vec<Told> = (0..4).map(|n| told(&world.state, n)).collect();
        assert_eq!(after, before, "crashed {crashed}");
        let now = counted(&world.state);
        let billed: Vec<StatCounts> = stats
            .iter()
            .map(|c| StatCounts { parts: c.parts + 1, cost_milli_fen: c.cost_milli_fen + 3_500, ..*c })
            .collect();
        assert_eq!(now, billed, "what the carrier bills is counted, and only that; crashed {crashed}");
    }
    assert_eq!(world.state.recall_states(run.id).unwrap(), RecallStates { recalled: 1, left: 1 });
    assert_eq!(world.state.recall_states(real.id).unwrap(), RecallStates::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_erased_has_no_text_in_samples_and_the_others_keep_theirs() {
    let mut world = world(3).await;
    let run = sample(&world.state, &[0, 1]).await;
    let text = |state: &State, n: u64| {
        let found = state.samples(10, |r| r.prefecture == TAIYUAN, |d, _| d.row == view(state, n).row).unwrap();
        let texts = found.into_iter().map(|m| match m.decision.outcome {
            Outcome::Queued(message) => (m.run, message.text),
            Outcome::Held(why) => panic!("{why}"),
        });
        texts.collect::<Vec<_>>()
    };
    assert!(text(&world.state, 0)[0].1.starts_with("【试点样张】"));
    world.state.change_customer(account(0), vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    for crashed in [false, true] {
        if crashed {
            world.crash();
        }
        assert_eq!(text(&world.state, 0), [(run.id, String::new())], "crashed {crashed}");
        assert!(text(&world.state, 1)[0].1.starts_with("【试点样张】"), "crashed {crashed}");
        assert!(text(&world.state, 2).is_empty());
    }
}
