//! Ported numbers and messages that a carrier refused as not its own: what is known of them and where they wait, through checkpoints and crashes.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeMap;

use common::*;
use gridbell_model::{Carrier, CarrierKey, MessageId, MessageState};
use gridbell_state::*;
use proptest::prelude::*;

const CUSTOMERS: u64 = 4;
const PARTS: u8 = 2;
const LINKS: [&str; 3] = ["a", "b", "c"];

async fn world() -> (World, RunRecord) {
    let world = World::new().await;
    // Numbers of customers: those whose number ends with 4 belong to the other prefecture.
    world.facts(Facts::Customers((0..CUSTOMERS).map(customer).collect())).await;
    world.facts(Facts::Bills((0..CUSTOMERS).map(|n| bill(n, 202_611, 100)).collect())).await;
    let run = remind(&world.state, PARTS).await;
    (world, run)
}

fn id(run: &RunRecord, nth: u64) -> MessageId {
    MessageId::new(TAIYUAN, run.first_message + u32::try_from(nth).unwrap())
}

fn number(n: u64) -> u64 {
    13_800_000_000 + n
}

fn submitting(link: &str) -> MessageEvent {
    MessageEvent::Submitting { link: link.to_owned() }
}

fn not_theirs(part: u8, not: Carrier, next: Carrier) -> MessageEvent {
    MessageEvent::NotTheirs { part, code: "result 101".to_owned(), not: Carriers::of([not]), next: next as u8 }
}

fn waiting_in(state: &State) -> BTreeMap<u8, u64> {
    state.depth().waiting.into_iter().map(|(queue, (urgent, bulk))| (queue, urgent + bulk)).collect()
}

async fn events(state: &State, id: MessageId, events: Vec<MessageEvent>) -> u64 {
    state.message_events(events.into_iter().map(|e| (id, e)).collect()).await.unwrap().stale_events
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_message_goes_on_as_a_whole_once_nothing_of_it_is_out() {
    use Carrier::{Mobile, Telecom, Unicom};
    let (mut world, run) = world().await;
    let id = id(&run, 0);
    let first = vec![submitting("a"), not_theirs(1, Mobile, Unicom)];
    assert_eq!(events(&world.state, id, first).await, 0);
    assert!(world.state.is_submitting(id), "its second part is out");
    assert_eq!(events(&world.state, id, vec![not_theirs(2, Mobile, Unicom)]).await, 0);
    for checkpoint in [false, true] {
        if checkpoint {
            world.state.checkpoint().await.unwrap();
        }
        world.crash();
        let routing = world.state.routing(id).unwrap();
        assert_eq!((routing.queue, routing.not.has(Mobile), routing.not.has(Unicom)), (2, true, false));
        assert_eq!(waiting_in(&world.state), [(1, 3), (2, 1)].into());
        let status = world.state.message_status(id).unwrap().unwrap();
        assert_eq!((status.state, status.attempts, status.maybe_twice), (MessageState::Queued, 0, false));
    }
    // Unicom takes one part and the process dies; it refuses the other: that goes on alone, since the first is with a carrier.
    let taken = MessageEvent::accepted(1, &CarrierKey::Number(7));
    assert_eq!(events(&world.state, id, vec![submitting("b"), taken]).await, 0);
    world.crash();
    assert_eq!(events(&world.state, id, vec![submitting("b"), not_theirs(2, Unicom, Telecom)]).await, 0);
    assert_eq!(world.state.routing(id).unwrap().queue, Telecom as u8);
    let last = vec![submitting("c"), MessageEvent::accepted(2, &CarrierKey::Number(8))];
    assert_eq!(events(&world.state, id, last).await, 0);
    assert_eq!(world.state.message_status(id).unwrap().unwrap().state, MessageState::Submitted);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_the_number_is_anothers_opens_the_part_again_and_counts_the_message_once() {
    use Carrier::{Mobile, Unicom};
    let (mut world, run) = world().await;
    let id = id(&run, 1);
    let taken = |part: u8, key| MessageEvent::accepted(part, &CarrierKey::Number(key));
    assert_eq!(events(&world.state, id, vec![submitting("a"), taken(1, 1), taken(2, 2)]).await, 0);
    let elsewhere = |part| MessageEvent::ReportedNotTheirs {
        part,
        link: "a".to_owned(),
        code: "MK:0045".to_owned(),
        not: Carriers::of([Mobile]),
        next: Unicom as u8,
    };
    for part in 1..=PARTS {
        assert_eq!(events(&world.state, id, vec![elsewhere(part)]).await, 0);
        assert_eq!(events(&world.state, id, vec![elsewhere(part)]).await, 1, "told again it says nothing");
        world.state.checkpoint().await.unwrap();
        world.crash();
        assert_eq!(waiting_in(&world.state), [(1, 3), (2, 1)].into());
    }
    assert_eq!(world.state.part_known_as("a", &CarrierKey::Number(1)), None);
    assert_eq!(events(&world.state, id, vec![submitting("b"), taken(1, 1), taken(2, 2)]).await, 0);
    for key in [1, 2] {
        world.state.reports("b", vec![(CarrierKey::Number(key), "DELIVRD".to_owned())]).await.unwrap();
    }
    let status = world.state.message_status(id).unwrap().unwrap();
    assert_eq!((status.state, status.link.as_str(), status.maybe_twice), (MessageState::Delivered, "b", false));
    let stats: Vec<_> = world.state.stats(today(), today()).into_iter().map(|(_, c)| c).collect();
    assert_eq!((stats[0].submitted, stats[0].delivered), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn erasing_a_customer_forgets_what_was_learned_of_the_number_and_not_what_a_list_says() {
    let (mut world, _) = world().await;
    let facts = [PortedSaid::Learned(Carrier::Unicom, today()), PortedSaid::Listed(Carrier::Unicom, None)];
    let facts = (0..).zip(facts).map(|(n, said)| PortedFact { number: number(n), said }).collect();
    world.state.say_carriers(facts, vec![]).await.unwrap();
    for n in 0..2 {
        world.state.change_customer(account(n), vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    }
    world.crash();
    assert_eq!(world.state.ported().get(number(0)), None);
    assert_eq!(world.state.ported().get(number(1)).unwrap().source, PortedSource::File);
}

#[derive(Clone, Debug)]
enum Step {
    Say(u64, PortedSaid),
    Submit(u64, usize),
    Accept(u64, u8),
    NotTheirs(u64, u8, Carrier, Carrier),
    Reported(u64, u8, Carrier),
    Refuse(u64, u8),
    Report(u64, u8, bool),
    Checkpoint,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..CUSTOMERS;
    let part = || 1..=PARTS;
    let carrier = || prop::sample::select(Carrier::ALL);
    let said = prop_oneof![
        carrier().prop_map(|c| PortedSaid::Listed(c, None)),
        Just(PortedSaid::Own(None)),
        carrier().prop_map(|c| PortedSaid::Learned(c, today())),
        carrier().prop_map(|c| PortedSaid::Not(Carriers::of([c]), today())),
    ];
    prop_oneof![
        2 => (who(), said).prop_map(|(n, said)| Step::Say(n, said)),
        6 => (who(), 0..LINKS.len()).prop_map(|(n, link)| Step::Submit(n, link)),
        4 => (who(), part()).prop_map(|(n, p)| Step::Accept(n, p)),
        6 => (who(), part(), carrier(), carrier()).prop_map(|(n, p, not, next)| Step::NotTheirs(n, p, not, next)),
        3 => (who(), part(), carrier()).prop_map(|(n, p, next)| Step::Reported(n, p, next)),
        1 => (who(), part()).prop_map(|(n, p)| Step::Refuse(n, p)),
        2 => (who(), part(), any::<bool>()).prop_map(|(n, p, came)| Step::Report(n, p, came)),
        2 => Just(Step::Checkpoint),
        2 => Just(Step::Crash),
    ]
}

/// A carrier's number for a part: another one for each submit.
fn key(n: u64, part: u8, submit: u64) -> u64 {
    submit * 100 + n * 10 + u64::from(part)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// With checkpoints anywhere, what is known of numbers and what becomes of messages is what the journal alone makes of it; each message that waits does
    /// so in one queue, its own, and none is lost.
    #[test]
    fn checkpoints_change_nothing_of_where_messages_go(steps in proptest::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let (mut tried, run) = world().await;
            let (mut plain, _) = world().await;
            // By customer: the link and the number of the last submit.
            let mut last: BTreeMap<u64, (usize, u64)> = BTreeMap::new();
            for (at, step) in (1u64..).zip(&steps) {
                let on = |n: &u64| last.get(n).copied().unwrap_or((0, 0));
                let (n, event) = match step {
                    Step::Say(n, said) => {
                        let fact = PortedFact { number: number(*n), said: *said };
                        for state in [&tried.state, &plain.state] {
                            state.say_carriers(vec![fact], vec![]).await.unwrap();
                        }
                        continue;
                    }
                    Step::Submit(n, link) => {
                        last.insert(*n, (*link, at));
                        (n, submitting(LINKS[*link]))
                    }
                    Step::Accept(n, part) => (n, MessageEvent::accepted(*part, &CarrierKey::Number(key(*n, *part, on(n).1)))),
                    Step::NotTheirs(n, part, not, next) => (n, not_theirs(*part, *not, *next)),
                    Step::Reported(n, part, next) => {
                        let link = LINKS[on(n).0].to_owned();
                        let not = Carriers::of([Carrier::Mobile]);
                        let code = "MK:0045".to_owned();
                        (n, MessageEvent::ReportedNotTheirs { part: *part, link, code, not, next: *next as u8 })
                    }
                    Step::Refuse(n, part) => (n, MessageEvent::PartRefused { part: *part, code: "result 13".to_owned() }),
                    Step::Report(n, part, came) => {
                        let (link, submit) = on(n);
                        let stat = if *came { "DELIVRD" } else { "UNDELIV" };
                        for state in [&tried.state, &plain.state] {
                            let report = (CarrierKey::Number(key(*n, *part, submit)), stat.to_owned());
                            state.reports(LINKS[link], vec![report]).await.unwrap();
                        }
                        continue;
                    }
                    Step::Checkpoint => { tried.state.checkpoint().await.unwrap(); continue }
                    Step::Crash => { tried.crash(); plain.crash(); continue }
                };
                let stale = events(&tried.state, id(&run, *n), vec![event.clone()]).await;
                assert_eq!(stale, events(&plain.state, id(&run, *n), vec![event]).await);
            }
            tried.crash();
            plain.crash();
            assert_eq!(tried.state.ported().counts(), plain.state.ported().counts());
            assert_eq!(tried.state.depth().waiting, plain.state.depth().waiting);
            assert_eq!(tried.state.stats(today(), today()), plain.state.stats(today(), today()));
            let mut waiting: BTreeMap<u8, u64> = BTreeMap::new();
            for n in 0..CUSTOMERS {
                assert_eq!(tried.state.ported().get(number(n)), plain.state.ported().get(number(n)));
                let status = |state: &State| {
                    let mut status = state.message_status(id(&run, n)).unwrap().unwrap();
                    if status.state.is_final() {
                        // What is reported behind the end is kept with it only as long as no checkpoint has written that.
                        status.reports.clear();
                    }
                    status
                };
                assert_eq!(status(&tried.state), status(&plain.state), "message {n}");
                let status = status(&tried.state);
                if !status.state.is_final() {
                    let routing = tried.state.routing(id(&run, n)).unwrap();
                    assert_eq!(Some(routing), plain.state.routing(id(&run, n)));
                    let waits = u64::from(status.state == MessageState::Queued);
                    *waiting.entry(routing.queue).or_default() += waits;
                    let submitted = status.state == MessageState::Submitted;
                    assert!(waits == 1 || submitted, "nothing is out behind a crash: {:?}", status.state);
                    let parts: std::collections::BTreeSet<u8> = status.accepted.iter().map(|a| a.part).collect();
                    assert_eq!(parts.len() == usize::from(PARTS), submitted, "what no carrier has waits");
                }
            }
            waiting.retain(|_, n| *n > 0);
            assert_eq!(waiting_in(&tried.state), waiting);
        });
    }
}
