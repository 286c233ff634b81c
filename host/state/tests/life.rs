//! A state's life through its public face: facts in, a run out, receipts back, through crashes and checkpoints.

mod common;

use common::*;
use gridbell_model::{CarrierKey, Fen, HoldReason, Lane, MessageId, MessageState, Phone, Topic, Traits};
use gridbell_state::*;
use proptest::prelude::*;

fn key(number: u64) -> CarrierKey {
    number.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_file_twice_changes_nothing() {
    let mut w = World::new().await;
    let customers: Vec<_> = (0..2_000).map(customer).collect();
    let first = w.facts(Facts::Customers(customers.clone())).await;
    assert_eq!((first.created, first.rejected.len()), (2_000, 0));
    let bills: Vec<_> = (0..2_000).map(|n| bill(n, 202_610, 50)).collect();
    assert_eq!(w.facts(Facts::Bills(bills.clone())).await.changed, 2_000);
    let payments = vec![payment(3, "p1", 50), payment(3, "p2", 20), payment(4, "p3", 10), payment(9_999, "p4", 1)];
    let paid = w.facts(Facts::Payments(payments.clone())).await;
    assert_eq!((paid.changed, paid.rejected), (3, vec![(3, FactReject::UnknownAccount)]));
    let before: Vec<_> = (0..2_000).map(|n| view(&w.state, n)).collect();
    w.state.checkpoint().await.unwrap();
    w.crash();
    for _ in 0..2 {
        assert_eq!(w.facts(Facts::Customers(customers.clone())).await.unchanged, 2_000);
        assert_eq!(w.facts(Facts::Bills(bills.clone())).await.unchanged, 2_000);
        assert_eq!(w.facts(Facts::Payments(payments.clone())).await.unchanged, 3);
    }
    let after: Vec<_> = (0..2_000).map(|n| view(&w.state, n)).collect();
    assert_eq!(before, after);
    assert_eq!(view(&w.state, 3).arrears, Fen::ZERO);
    assert_eq!(view(&w.state, 3).balance, Fen(2_000));
    assert_eq!(view(&w.state, 4).arrears, Fen(4_000));
    assert_eq!(w.state.name(account(7)).unwrap(), "客户7");
    assert_eq!(w.state.prefectures()[&DATONG], 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_lives_once_through_crashes() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..600).map(customer).collect())).await;
    w.facts(Facts::Bills((0..600).filter(|n| n % 2 == 0).map(|n| bill(n, 202_610, 50)).collect())).await;
    let run = remind(&w.state, 2).await;
    assert_eq!((run.decided, run.queued, run.held[&HoldReason::NoAddress]), (480, 240, 240));
    w.crash();
    assert_eq!(view(&w.state, 0).reminded_step, 1);
    let ids = w.state.ready(1, 10, |_, _| false);
    assert_eq!(ids.len(), 5, "ten parts are five messages of two");
    let outgoing = w.state.outgoing(&ids).unwrap();
    assert!(matches!(&outgoing[0].decision.outcome, Outcome::Queued(m) if m.text.contains("50.00元")));
    let link = || "mobile".to_owned();
    let events = ids.iter().map(|id| (*id, MessageEvent::Submitting { link: link() })).collect();
    w.state.message_events(events).await.unwrap();
    // The first is answered for both parts, the second for one, then the process dies.
    let accepted = |id, part, carrier_id| (id, MessageEvent::PartAccepted { part, carrier_id });
    let answers = vec![accepted(ids[0], 1, 100), accepted(ids[0], 2, 101), accepted(ids[1], 1, 102)];
    w.state.message_events(answers).await.unwrap();
    let report = w.crash();
    assert_eq!(report.cut_off, 4);
    let status = |w: &World, id: MessageId| w.state.message_status(id).unwrap().unwrap();
    assert_eq!(status(&w, ids[0]).state, MessageState::Submitted);
    assert!(!status(&w, ids[0]).maybe_twice);
    assert_eq!(status(&w, ids[1]).state, MessageState::Queued);
    assert!(status(&w, ids[1]).maybe_twice);
    // A report for the second part, an unknown one that is parked, and the last part's after a checkpoint.
    w.state.reports("mobile", vec![(key(101), "DELIVRD".into()), (key(777), "DELIVRD".into())]).await.unwrap();
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!(w.state.depth().parked, 1);
    w.state.reports("mobile", vec![(key(100), "DELIVRD".into()), (key(100), "DELIVRD".into())]).await.unwrap();
    assert_eq!(status(&w, ids[0]).state, MessageState::Delivered);
    // Only the part that no carrier has goes again; its answer comes after its report.
    assert_eq!(w.state.outgoing(&ids[1..2]).unwrap()[0].open, [2]);
    w.state.message_events(vec![(ids[1], MessageEvent::Submitting { link: link() })]).await.unwrap();
    w.state.message_events(vec![accepted(ids[1], 2, 777)]).await.unwrap();
    assert_eq!(status(&w, ids[1]).state, MessageState::Submitted);
    w.state.reports("mobile", vec![(key(102), "MA:0001".into())]).await.unwrap();
    assert_eq!((status(&w, ids[1]).state, status(&w, ids[1]).code.as_str()), (MessageState::Failed, "MA:0001"));
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!(status(&w, ids[0]).state, MessageState::Delivered);
    assert_eq!(status(&w, ids[1]).state, MessageState::Failed);
    let history = w.state.messages_of(account(0), 10).unwrap();
    assert_eq!((history.len(), history[0].id), (1, ids[0]));
    let day = w.state.stats(today(), today());
    let sum = |f: fn(&StatCounts) -> u64| day.iter().map(|(_, c)| f(c)).sum::<u64>();
    assert_eq!((sum(|c| c.queued), sum(|c| c.submitted), sum(|c| c.delivered), sum(|c| c.failed)), (240, 2, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_takes_its_part_out_of_the_queue_and_its_report_counts() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..5).map(customer).collect())).await;
    w.facts(Facts::Bills((0..5).map(|n| bill(n, 202_610, 50)).collect())).await;
    remind(&w.state, 2).await;
    let ids = w.state.ready(1, 6, |_, _| false);
    let link = || "mobile".to_owned();
    let back = |id, part| {
        let event = MessageEvent::PartBack {
            part,
            not_before: w.clock.now(),
            code: String::new(),
            may_go_twice: true,
            counted: true,
        };
        (id, event)
    };
    let late = |id, part, carrier_id| (id, MessageEvent::PartLate { part, link: link(), carrier_id });
    let status = |w: &World, id: MessageId| w.state.message_status(id).unwrap().unwrap();
    let mut events: Vec<_> = ids.iter().map(|id| (*id, MessageEvent::Submitting { link: link() })).collect();
    events.extend(ids.iter().flat_map(|id| [back(*id, 1), back(*id, 2)]));
    w.state.message_events(events).await.unwrap();
    // The first: a report is there before both late answers. Nothing of it goes again.
    w.state.reports("mobile", vec![(key(11), "DELIVRD".into())]).await.unwrap();
    w.state.message_events(vec![late(ids[0], 1, 11)]).await.unwrap();
    assert_eq!(
        (status(&w, ids[0]).state, w.state.outgoing(&ids[..1]).unwrap()[0].open.clone()),
        (MessageState::Queued, vec![2])
    );
    w.state.message_events(vec![late(ids[0], 2, 12)]).await.unwrap();
    assert_eq!(status(&w, ids[0]).state, MessageState::Submitted);
    assert!(!w.state.ready(1, 6, |_, _| false).contains(&ids[0]));
    // The second goes again before the late answer comes: both copies are known, and one that is delivered is enough.
    let again = vec![(ids[1], MessageEvent::Submitting { link: link() }), late(ids[1], 1, 21), late(ids[1], 1, 21)];
    assert_eq!(w.state.message_events(again).await.unwrap().stale_events, 1, "told twice, it counts once");
    let answers =
        [(1, 23), (2, 24)].map(|(part, carrier_id)| (ids[1], MessageEvent::PartAccepted { part, carrier_id }));
    w.state.message_events(answers.to_vec()).await.unwrap();
    assert_eq!((status(&w, ids[1]).state, status(&w, ids[1]).accepted.len()), (MessageState::Submitted, 3));
    w.state.checkpoint().await.unwrap();
    w.crash();
    let reports = [(12, "DELIVRD"), (23, "DELIVRD"), (21, "UNDELIV"), (24, "DELIVRD")];
    w.state.reports("mobile", reports.map(|(id, stat)| (key(id), stat.to_owned())).to_vec()).await.unwrap();
    assert_eq!([0, 1].map(|n| status(&w, ids[n]).state), [MessageState::Delivered; 2]);
    assert_eq!(w.state.depth().parked, 0);
    // The third was taken back meanwhile: it stays so, and its report finds it.
    w.state.message_events(vec![(ids[2], MessageEvent::Cancelled { reason: HoldReason::Paid })]).await.unwrap();
    w.state.message_events(vec![late(ids[2], 1, 31)]).await.unwrap();
    w.state.reports("mobile", vec![(key(31), "DELIVRD".into())]).await.unwrap();
    assert_eq!((status(&w, ids[2]).state, w.state.depth().parked), (MessageState::Cancelled, 0));
    let day = w.state.stats(today(), today());
    let sum = |f: fn(&StatCounts) -> u64| day.iter().map(|(_, c)| f(c)).sum::<u64>();
    assert_eq!((sum(|c| c.submitted), sum(|c| c.delivered), sum(|c| c.parts)), (2, 2, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_that_wait_for_their_answer_say_how_it_ended_in_whatever_order_they_came() {
    let w = World::new().await;
    w.facts(Facts::Customers((0..5).map(customer).collect())).await;
    w.facts(Facts::Bills((0..5).map(|n| bill(n, 202_610, 50)).collect())).await;
    remind(&w.state, 1).await;
    let ids = w.state.ready(1, 3, |_, _| false);
    let submitting = ids.iter().map(|id| (*id, MessageEvent::Submitting { link: "mobile".into() })).collect();
    w.state.message_events(submitting).await.unwrap();
    // Two connections of one link: what one of them brings may overtake the other's.
    let orders = [["ACCEPTD", "DELIVRD"], ["DELIVRD", "ACCEPTD"], ["UNDELIV", "ACCEPTD"]];
    for (n, stats) in orders.iter().enumerate() {
        for stat in stats {
            w.state.reports("mobile", vec![(key(n as u64), (*stat).to_owned())]).await.unwrap();
        }
    }
    for (n, id) in ids.iter().enumerate() {
        let accepted = MessageEvent::PartAccepted { part: 1, carrier_id: n as u64 };
        w.state.message_events(vec![(*id, accepted)]).await.unwrap();
    }
    let states: Vec<_> = ids.iter().map(|id| w.state.message_status(*id).unwrap().unwrap().state).collect();
    assert_eq!(states, [MessageState::Delivered, MessageState::Delivered, MessageState::Failed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_whose_answer_never_comes_is_forgotten_in_time() {
    let mut w = World::new().await;
    w.state.reports("mobile", vec![(key(1), "DELIVRD".into())]).await.unwrap();
    w.clock.advance(std::time::Duration::from_millis(PARKED_FOR_MS as u64 - 1));
    w.state.reports("mobile", vec![(key(2), "DELIVRD".into())]).await.unwrap();
    assert_eq!(w.state.depth().parked, 2);
    w.clock.advance(std::time::Duration::from_millis(1));
    w.state.checkpoint().await.unwrap();
    assert_eq!(w.state.depth().parked, 1);
    w.crash();
    assert_eq!((w.state.depth().parked, w.state.depth().parked_dropped), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_leaves_nothing_and_a_cancelled_message_may_be_said_again() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..50).map(customer).collect())).await;
    w.facts(Facts::Bills((0..50).map(|n| bill(n, 202_610, 50)).collect())).await;
    let mut run = w.state.begin_run(TAIYUAN).await.unwrap();
    assert!(matches!(w.state.begin_run(TAIYUAN).await, Err(StateError::RunInProgress(_))));
    let first = run.snapshot().view(0).unwrap();
    run.push(vec![queued(&first, 1, 1)]).await.unwrap();
    let dead = run.id();
    drop(run);
    assert_eq!(w.crash().runs_dropped, 1);
    assert!(w.state.run(dead).is_none());
    assert_eq!(view(&w.state, 0).reminded_step, 0);
    let run = remind(&w.state, 1).await;
    assert!(run.id > dead, "numbers are never reused");
    let id = MessageId::new(TAIYUAN, run.first_message);
    let told = |topic| w.state.told(TAIYUAN, 0, view(&w.state, 0).phone.number(), today(), &[topic]);
    assert_eq!(told(Topic::ArrearsReminder), (1, 1));
    assert_eq!(told(Topic::BillNotice), (0, 0), "each topic counts for itself");
    w.state.message_events(vec![(id, MessageEvent::Cancelled { reason: HoldReason::Paid })]).await.unwrap();
    assert_eq!(view(&w.state, 0).reminded_step, 0);
    assert_eq!(view(&w.state, 1).reminded_step, 1);
    assert_eq!(told(Topic::ArrearsReminder), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_know_their_version_and_the_audit_log_its_chain() {
    let mut w = World::new().await;
    let put = |value: &str, expected| DocChange {
        kind: "policy".into(),
        key: "140100".into(),
        value: Some(value.into()),
        expected,
    };
    let note = |n: &str| AuditNote {
        who: "li".into(),
        action: "policy.apply".into(),
        subject: n.into(),
        detail: String::new(),
    };
    w.state.put_docs(vec![put("a", Some(0))], vec![note("1")]).await.unwrap();
    let conflict = w.state.put_docs(vec![put("b", Some(0))], vec![note("never")]).await.unwrap_err();
    assert!(matches!(conflict, StateError::Conflict { found: 1, .. }), "{conflict}");
    w.state.put_docs(vec![put("b", Some(1))], vec![note("2")]).await.unwrap();
    w.crash();
    assert_eq!(w.state.doc("policy", "140100").unwrap().version, 2);
    assert_eq!(&*w.state.docs("policy")[0].1.value, b"b");
    assert_eq!(w.state.verify_audit().unwrap(), Ok(2));
    assert_eq!(w.state.audit(1, 10).unwrap()[1].note.subject, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_a_contact_leaves_no_name_and_no_number() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..3).map(customer).collect())).await;
    w.state.checkpoint().await.unwrap();
    w.state.change_customer(account(1), vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    w.state.checkpoint().await.unwrap();
    w.crash();
    assert_eq!(w.state.name(account(1)).unwrap(), "");
    assert_eq!(view(&w.state, 1).phone, Phone::NONE);
    assert!(!view(&w.state, 1).traits.has(Traits::HAS_MOBILE));
    assert_eq!(w.state.name(account(2)).unwrap(), "客户2");
    assert_eq!(w.state.by_phone(13_800_000_001, 10).len(), 0);
    assert_eq!(w.state.by_phone(13_800_000_002, 10).len(), 1);
}

#[derive(Clone, Debug)]
enum Step {
    Customers(u64, u64),
    Bill(u64, u32, i64),
    /// Customer, id, yuan, days ago.
    Pay(u64, u8, i64, i32),
    TellPayments,
    Balance(u64, i64),
    Remind,
    Checkpoint,
    /// The process dies somewhere within a checkpoint.
    CutCheckpoint(u8),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u64..900, 1u64..300).prop_map(|(a, n)| Step::Customers(a, n)),
        (0u64..900, 202_609u32..202_612, 1i64..300).prop_map(|(a, p, y)| Step::Bill(a, p, y)),
        (0u64..900, any::<u8>(), -50i64..300, 0i32..60).prop_map(|(a, k, y, d)| Step::Pay(a, k, y, d)),
        Just(Step::TellPayments),
        (0u64..900, -10i64..100).prop_map(|(a, y)| Step::Balance(a, y)),
        Just(Step::Remind),
        Just(Step::Checkpoint),
        (0u8..40).prop_map(Step::CutCheckpoint),
        Just(Step::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// With crashes and checkpoints anywhere, the state is what it would be without them.
    #[test]
    fn crashes_and_checkpoints_change_nothing(steps in proptest::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut tried = World::new().await;
            let plain = World::new().await;
            for step in &steps {
                let facts = match *step {
                    Step::Customers(a, n) => Facts::Customers((a..a + n).map(customer).collect()),
                    Step::Bill(a, p, y) => Facts::Bills(vec![bill(a, p, y)]),
                    Step::Pay(a, k, y, ago) => {
                        let paid_on = today().plus_days(-ago);
                        Facts::Payments(vec![PaymentFact { paid_on, ..payment(a, &k.to_string(), y) }])
                    }
                    Step::TellPayments => {
                        if plain.state.snapshot(TAIYUAN).is_some() {
                            tell_payments(&tried.state).await;
                            tell_payments(&plain.state).await;
                        }
                        continue;
                    }
                    Step::Balance(a, y) => Facts::Balances(vec![BalanceFact { account: account(a), balance: Fen(y * 100), as_of: today(), debit_pending: None }]),
                    Step::Remind => {
                        if plain.state.snapshot(TAIYUAN).is_some() {
                            remind(&tried.state, 1).await;
                            remind(&plain.state, 1).await;
                        }
                        continue;
                    }
                    Step::Checkpoint => { tried.state.checkpoint().await.unwrap(); continue }
                    Step::CutCheckpoint(commits) => {
                        let before = tried.store.commits();
                        let state = tried.state.clone();
                        let checkpoint = tokio::spawn(async move { state.checkpoint().await });
                        while !checkpoint.is_finished() && tried.store.commits() < before + u64::from(commits) {
                            tokio::task::yield_now().await;
                        }
                        tried.crash();
                        continue;
                    }
                    Step::Crash => { tried.crash(); continue }
                };
                let (a, b) = (tried.facts(facts.clone()).await, plain.facts(facts).await);
                assert_eq!(a, b);
            }
            tried.crash();
            for n in 0..1_200 {
                assert_eq!(tried.state.customer(account(n)), plain.state.customer(account(n)), "account {n}");
            }
            assert_eq!(tried.state.depth(), plain.state.depth());
            assert_eq!(tried.state.stats(today(), today()), plain.state.stats(today(), today()));
            assert_eq!(waiting(&tried.state), waiting(&plain.state));
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_queue_of_a_link_waits_behind_the_backlog_of_another() {
    let world = World::new().await;
    world.facts(Facts::Customers((0..8).map(customer).collect())).await;
    world.facts(Facts::Bills((0..8).map(|n| bill(n, 202_611, 100)).collect())).await;
    let mut run = world.state.begin_run(TAIYUAN).await.unwrap();
    let snapshot = run.snapshot().clone();
    let mut decisions: Vec<DecisionRecord> =
        (0..snapshot.rows()).map(|row| queued(&snapshot.view(row).unwrap(), 1, 1)).collect();
    let count = decisions.len();
    for (n, decision) in decisions.iter_mut().enumerate() {
        let Outcome::Queued(message) = &mut decision.outcome else { panic!("it is queued") };
        // The last two wait for another carrier of the link: one of them could go before all others, one is urgent.
        match count - n {
            2 => (message.queue, message.send_after) = (4, message.send_after.plus_minutes(-1)),
            1 => (message.queue, message.lane) = (4, Lane::Urgent),
            _ => {}
        }
    }
    run.push(decisions).await.unwrap();
    let run = run.publish(record(1), vec![], vec![]).await.unwrap().0;
    let id = |nth: usize| MessageId::new(TAIYUAN, run.first_message + nth as u32);
    let lanes = [Lane::Urgent, Lane::Bulk];
    let of = |queues: &[u8], lanes: &[Lane], parts| {
        let room = Room { queues, lanes, parts };
        world.state.ready_of(room, &mut Shares::default(), |_, _| (1, 1), |_, _| false)
    };
    let ready = |parts| of(&[1, 4], &lanes, parts);
    assert_eq!(ready(3), [id(count - 1), id(count - 2), id(0)]);
    assert_eq!(ready(100).len(), count);
    assert_eq!(of(&[1, 4], &[Lane::Urgent], 100), [id(count - 1)]);
    assert_eq!(of(&[1], &lanes, 100), (0..count - 2).map(id).collect::<Vec<_>>());
}
