//! A route of two channels: who is not reached by the first, or of whom nothing is heard in time, is told by the second, by what is true then.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use gridbell_channels::{Action, Answer, LinkName, Outbox, Outcome as Answered, Report, ReportOutcome, Which};
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::{
    Address, ContactFact, Facts, MessageDetail, MessageEvent, NO_ANSWER, Outcome, PaymentFact, QueuedMessage,
    RunRecord, payment_key,
};
use tokio_util::sync::CancellationToken;
use world::{CUSTOMERS, POLICIES, TAIYUAN, World, account, first_day};

const REMINDER: &str = "arrears-reminder";
const TEXTS: &str = include_str!("../../../policies/templates.toml");
const WECHAT_TEXTS: &str = r#"
[[template]]
topic = "arrears-reminder"
notice = "reminder"
channel = "wechat"
version = 1
status = "approved"
text = """
template: OPENTM412543817
first: 您好！户号尾号{{ account_tail }}有电费待缴
keyword1: {{ amount }} 元
keyword2: {{ late_fee_from }}
remark: 数据截至{{ as_of }}"""
"#;
const WAIT: u64 = 30;

fn bind(n: u64) -> ContactFact {
    let id = format!("oLVPpjqs9BhvzwPj5A-{n:09}").parse().unwrap();
    let address = Address { app: String::new(), id, source: BindingSource::Website, bound: first_day().at(0, 0) };
    ContactFact { account: account(n), channel: Channel::Wechat, address: Some(address) }
}

/// A world in which everybody is bound, and the messages of the first run that go by WeChat, in order of row.
async fn world() -> (World, RunRecord, Vec<(MessageId, AccountNumber, QueuedMessage)>) {
    let routes =
        "routes = { sms = [{ channel = \"wechat\", wait_minutes = 30 }, { channel = \"sms\" }] }\nlane = \"bulk\"";
    let world =
        World::with(&POLICIES.replace("routes = { sms = [{ channel = \"sms\" }] }\nlane = \"bulk\"", routes)).await;
    world.host.apply_templates("templates", &format!("{TEXTS}{WECHAT_TEXTS}"), "b").await.unwrap();
    world.host.state().facts(Facts::Contacts((0..CUSTOMERS).map(bind).collect()), false, vec![]).await.unwrap();
    world.host.serve_link(&link(), &[Served::Channel(Channel::Wechat)]);
    world.clock.advance_to(first_day().at(9, 30).moment());
    world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap();
    let run = (*world.runs(REMINDER).pop().unwrap()).clone();
    let messages = messages(&world, &run).into_iter().filter(|(.., m)| m.channel == Channel::Wechat).collect();
    (world, run, messages)
}

fn messages(world: &World, run: &RunRecord) -> Vec<(MessageId, AccountNumber, QueuedMessage)> {
    let segments = 0..u32::try_from(run.segments.len()).unwrap();
    let decisions = segments.flat_map(|s| world.host.state().decisions(run.id, s).unwrap());
    let queued = decisions.filter_map(|d| match d.outcome {
        Outcome::Queued(m) => Some((MessageId::new(run.prefecture, m.number), d.account, *m)),
        Outcome::Held(_) => None,
    });
    queued.collect()
}

fn hop_runs(world: &World) -> Vec<RunRecord> {
    let mut runs: Vec<_> =
        world.host.state().runs(None, 100, RunRecord::is_hops).iter().map(|r| (**r).clone()).collect();
    runs.reverse();
    runs
}

fn link() -> LinkName {
    LinkName::new("follower").unwrap()
}

/// Everything of WeChat's goes; what becomes of it is what `answer` says.
async fn send(world: &World, answer: impl Fn(MessageId) -> Answered) {
    let outbox = world.host.outbox();
    let ids: Vec<MessageId> = outbox.claim(&link(), 1_000, Which::Any).await.unwrap().iter().map(|m| m.id).collect();
    let going = outbox.intend(&link(), &ids).await.unwrap();
    let answers: Vec<_> =
        going.into_iter().map(|message| Answer { message, part: 1, outcome: answer(message) }).collect();
    outbox.answered(&link(), &answers).await.unwrap();
}

fn accepted(message: MessageId) -> Answered {
    Answered::Accepted { key: CarrierKey::Number(u64::from(message.number())) }
}

fn refused(code: &str) -> Answered {
    Answered::Declined { code: code.into(), action: Action::NextChannel }
}

async fn report(world: &World, message: MessageId, stat: &str) {
    let key = CarrierKey::Number(u64::from(message.number()));
    let outcome = if stat == "DELIVRD" { ReportOutcome::Delivered } else { ReportOutcome::Failed };
    let (phone, stat, never) = (Phone::NONE, stat.to_owned(), CivilMinute::NONE);
    let reports = [Report { key, phone, stat, outcome, submitted: never, done: never }];
    world.host.outbox().reported(&link(), &reports).await.unwrap();
}

fn detail(world: &World, id: MessageId) -> MessageDetail {
    world.host.state().message(id).unwrap()
}

async fn pay(world: &World, account: AccountNumber) {
    let amount = Fen(10_000_000);
    let fact = PaymentFact { account, key: payment_key("paid"), amount, paid_on: first_day() };
    world.host.state().facts(Facts::Payments(vec![fact]), false, vec![]).await.unwrap();
}

#[tokio::test]
async fn a_refusal_and_silence_are_followed_by_the_next_channel_once_and_in_the_words_of_now() {
    let (world, run, wechat) = world().await;
    let id = |n: usize| wechat[n].0;
    assert!(wechat.len() > 10);
    // 0 and 1 are refused, 2 is never answered and cannot be asked for, of 3 and 4 nothing is heard, all others come.
    let answer = |message| match wechat.iter().position(|(id, ..)| *id == message) {
        Some(0 | 1) => refused("43101"),
        Some(2) => Answered::Unanswered { again: false },
        _ => accepted(message),
    };
    send(&world, answer).await;
    for (message, ..) in &wechat[5..] {
        report(&world, *message, "DELIVRD").await;
    }
    pay(&world, wechat[1].1).await;
    assert_eq!(world.host.serve_hops().await, 0, "a minute's failures are one record");
    world.clock.advance(Duration::from_millis(GATHER_HOPS_MS as u64));
    assert_eq!(world.host.serve_hops().await, 3);
    let first = hop_runs(&world).pop().unwrap();
    assert_eq!((first.hop_of(), first.decided, first.queued), (Some(run.id), 3, 2));
    assert_eq!(first.held, BTreeMap::from([(HoldReason::Paid, 1)]), "whoever paid meanwhile is told nothing");
    assert_eq!((first.digest.as_str(), first.params.as_str()), (run.digest.as_str(), run.params.as_str()));
    let next = messages(&world, &first);
    for ((_, who, sms), n) in next.iter().zip([0, 2]) {
        assert_eq!((*who, sms.channel, sms.hop), (wechat[n].1, Channel::Sms, 1));
        assert_eq!((sms.key, sms.stated, sms.said_before), (wechat[n].2.key, wechat[n].2.stated, 0));
        assert!(sms.text.starts_with('【') && sms.previous == id(n).number(), "{sms:?}");
    }
    assert_eq!(detail(&world, id(2)).status.code, NO_ANSWER);

    world.clock.advance(Duration::from_secs(WAIT * 60));
    assert_eq!(world.host.serve_hops().await, 2, "3 and 4");
    let second = hop_runs(&world).pop().unwrap();
    let late = messages(&world, &second);
    report(&world, id(3), "DELIVRD").await;
    let taken = detail(&world, late[0].0).status;
    assert_eq!((taken.state, taken.reason), (MessageState::Cancelled, Some(HoldReason::DeliveredMeanwhile)));
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(world.host.serve_hops().await, 0, "nothing follows the last channel");
    assert_eq!(hop_runs(&world).len(), 2);

    // Neither the next night nor anybody who asks takes them for occurrences.
    world.host.serve_due(&CancellationToken::new()).await;
    let told = world.host.explain(ExplainRequest {
        account: wechat[0].1,
        at: Some(first_day().at(23, 59)),
        policy: Some(REMINDER.into()),
        rebuild: false,
    });
    let story = &told.await.unwrap().policies[0];
    assert_eq!(story.run.as_ref().unwrap().id, run.id.to_string());
    let hops = &story.decisions[0].hops;
    assert_eq!((hops.len(), hops[0].message.as_ref().unwrap().channel.as_str()), (1, "sms"));
    assert!(story.summary.contains("改由短信"), "{}", story.summary);
    let again = world
        .host
        .replay(first.id, std::sync::Arc::new(|_| ()), &CancellationToken::new())
        .await
        .unwrap_err()
        .to_string();
    assert!(again.contains(&run.id.to_string()), "{again}");
}

#[tokio::test]
async fn nothing_follows_a_run_that_was_recalled_and_what_follows_is_recalled_with_it() {
    let (world, run, wechat) = world().await;
    send(&world, |message| if message == wechat[0].0 { refused("43004") } else { accepted(message) }).await;
    world.clock.advance(Duration::from_millis(GATHER_HOPS_MS as u64));
    assert_eq!(world.host.serve_hops().await, 1);
    let queued = |m: &gridbell_state::LiveMessage| m.state == MessageState::Queued;
    let of_run = world.host.state().live(1_000, |m| queued(m) && m.run == run.id).len();
    assert_eq!(world.host.recall_run(run.id, "a").await.unwrap(), of_run + 1, "its SMS, and the one that followed");
    let sms = messages(&world, &hop_runs(&world)[0]);
    assert_eq!(detail(&world, sms[0].0).status.reason, Some(HoldReason::Recalled));
    world.clock.advance(Duration::from_secs(WAIT * 60 + 60));
    assert_eq!(world.host.serve_hops().await, 0, "of the others nobody has heard, and nobody asks");
    assert!(world.host.state().live(1_000, queued).is_empty());
}

#[tokio::test]
async fn a_channel_without_any_way_out_is_given_up_after_the_wait_and_one_that_is_slow_is_not() {
    let (world, _, wechat) = world().await;
    world.host.give_up_stuck().await.unwrap();
    world.clock.advance(Duration::from_secs(WAIT * 60));
    world.host.give_up_stuck().await.unwrap();
    world.clock.advance(Duration::from_millis(GATHER_HOPS_MS as u64));
    assert_eq!(world.host.serve_hops().await, 0, "a link serves it; that it is slow is no reason");
    // The link was taken out of the configuration.
    let world = world.restarted();
    world.host.give_up_stuck().await.unwrap();
    let given_up: Vec<_> = wechat.iter().map(|(id, ..)| detail(&world, *id).status.reason).collect();
    assert!(given_up.iter().all(|why| *why == Some(HoldReason::NoLink)), "{given_up:?}");
    world.clock.advance(Duration::from_millis(GATHER_HOPS_MS as u64));
    assert_eq!(world.host.serve_hops().await, wechat.len());
    let run = hop_runs(&world).pop().unwrap();
    let sms = messages(&world, &run);
    assert!(sms.len() > 10 && sms.iter().all(|(.., m)| m.channel == Channel::Sms), "{:?}", run.held);
    // Whom no SMS can reach either is held with the reason of the SMS.
    use HoldReason as R;
    let unreached = [R::NoAddress, R::BadAddress, R::SuspendedAddress, R::OptedOut, R::NoLink];
    assert!(run.held.keys().all(|why| unreached.contains(why)), "{:?}", run.held);
    assert_eq!(run.held.values().sum::<u64>() + run.queued, wechat.len() as u64);
}

#[tokio::test]
async fn what_is_half_sent_goes_on_and_keeps_no_recall_from_its_end() {
    let (world, run, _) = world().await;
    let all = messages(&world, &run);
    let (half, ..) = all.iter().find(|(.., m)| m.channel == Channel::Sms && m.parts > 1).unwrap();
    let state = world.host.state();
    let back = MessageEvent::PartBack {
        part: 2,
        not_before: world.clock.now(),
        code: "result 8".into(),
        may_go_twice: false,
        counted: true,
    };
    let mut events = vec![
        (*half, MessageEvent::Submitting { link: "mobile".into() }),
        (*half, MessageEvent::accepted(1, &CarrierKey::Number(1))),
        (*half, back),
    ];
    let parts = detail(&world, *half).decision.outcome;
    let Outcome::Queued(message) = parts else { panic!("it is queued") };
    events.extend(
        (3..=message.parts).map(|part| (*half, MessageEvent::accepted(part, &CarrierKey::Number(part.into())))),
    );
    assert_eq!(state.message_events(events).await.unwrap().stale_events, 0);
    let scope = Extent::Run(run.id);
    let would = world.host.recall(&scope, "", "a", true).await.unwrap();
    assert_eq!((would.taken_back, would.left), (all.len() as u64 - 1, 1));
    assert_eq!(world.host.recall(&scope, "", "a", false).await.unwrap(), would);
    assert_eq!(detail(&world, *half).status.state, MessageState::Queued, "the rest of it follows");
}
