//! Accounts of one number that are told by one message: what it says, whom it leaves out, what is kept of each, and what people and carriers do with
//! it.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};

use gridbell_channels::{Answer, Body, Inbound, LinkName, Outbox, Outcome as Answered, Outgoing, Which};
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::{BillFact, Facts, Outcome, PaymentFact, QueuedMessage, RunRecord, payment_key};
use world::{CUSTOMERS, POLICIES, TAIYUAN, World, account, first_day};

const REMINDER: &str = "arrears-reminder";
/// Of the plugin's notices, the one whose text several accounts may share.
const SHARED: u16 = 0;

fn link() -> LinkName {
    LinkName::new("carrier").unwrap()
}

/// A message with what was decided.
struct Queued {
    id: MessageId,
    account: AccountNumber,
    amount: i64,
    notice: u16,
    message: QueuedMessage,
}

async fn world() -> (World, RunRecord) {
    let world = World::new().await;
    let all = [Carrier::Mobile, Carrier::Unicom, Carrier::Telecom].map(Served::Carrier);
    world.host.serve_link(&link(), &all);
    world.clock.advance_to(first_day().at(9, 30).moment());
    world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap();
    let run = (*world.runs(REMINDER).pop().unwrap()).clone();
    (world, run)
}

fn queued(world: &World, run: &RunRecord) -> Vec<Queued> {
    let segments = 0..u32::try_from(run.segments.len()).unwrap();
    let decisions = segments.flat_map(|s| world.host.state().decisions(run.id, s).unwrap());
    let all = decisions.filter_map(|d| match d.outcome {
        Outcome::Queued(m) => Some(Queued {
            id: MessageId::new(run.prefecture, m.number),
            account: d.account,
            amount: d.arg0,
            notice: d.notice,
            message: *m,
        }),
        Outcome::Held(_) => None,
    });
    all.collect()
}

/// Numbers of several accounts that are told at once, each with its messages in order.
fn numbers(queued: &[Queued]) -> BTreeMap<u64, Vec<&Queued>> {
    let mut numbers: BTreeMap<u64, Vec<&Queued>> = BTreeMap::new();
    for one in queued.iter().filter(|q| q.notice == SHARED) {
        numbers.entry(one.message.phone.number()).or_default().push(one);
    }
    numbers.retain(|_, messages| messages.len() > 1);
    numbers
}

async fn claim(world: &World) -> BTreeMap<MessageId, Outgoing> {
    let claimed = world.host.outbox().claim(&link(), 10_000, Which::Any).await.unwrap();
    claimed.into_iter().map(|m| (m.id, m)).collect()
}

fn text(out: &Outgoing) -> &str {
    let Body::Text(text) = &out.body else { panic!("{out:?}") };
    text
}

fn says(of: &[&Queued]) -> String {
    let sum = Fen(of.iter().map(|q| q.amount).sum());
    format!("本号码登记的{}户共有电费{}元待缴", of.len(), sum.yuan())
}

async fn accept(world: &World, going: &[&Outgoing]) {
    let mut answers = Vec::new();
    for out in going {
        for part in (1..=gridbell_channels::MAX_PARTS).filter(|p| out.open.contains(*p)) {
            let key = CarrierKey::Number(u64::from(out.id.number()) << 8 | u64::from(part));
            answers.push(Answer { message: out.id, part, outcome: Answered::Accepted { key } });
        }
    }
    world.host.outbox().answered(&link(), &answers).await.unwrap();
}

#[tokio::test]
async fn one_message_tells_all_accounts_of_a_number_their_sum_and_each_keeps_its_own() {
    let (world, run) = world().await;
    let all = queued(&world, &run);
    let numbers = numbers(&all);
    assert!(POLICIES.contains("per_phone = 1") && numbers.len() > 3, "{} numbers of several accounts", numbers.len());
    let out = claim(&world).await;
    let together: usize = numbers.values().map(|n| n.len() - 1).sum();
    assert_eq!(out.len(), all.len() - together);
    for (number, accounts) in &numbers {
        let first = accounts[0];
        let told = &out[&first.id];
        assert!(text(told).contains(&says(accounts)), "{} for {}", text(told), says(accounts));
        assert!(accounts.iter().all(|q| !text(told).contains(&q.account.to_string()[6..])), "whose it is is no sum");
        assert_eq!(told.to, gridbell_channels::Address::from(first.message.phone));
        let state = world.host.state();
        let view = state.customer(first.account).unwrap().1;
        assert_eq!(state.told(TAIYUAN, view.row, *number, first_day(), &[Topic::ArrearsReminder]).1, 1);
    }
    assert!(claim(&world).await.is_empty(), "nothing is claimed twice");
    let ids: Vec<MessageId> = out.keys().copied().collect();
    assert_eq!(world.host.outbox().intend(&link(), &ids).await.unwrap(), ids);
    accept(&world, &out.values().collect::<Vec<_>>()).await;
    for q in &all {
        let status = world.host.state().message_status(q.id).unwrap().unwrap();
        assert_eq!(status.state, MessageState::Submitted, "{}", q.id);
        let together = world.host.state().told_together(q.id).unwrap();
        let of = numbers.get(&q.message.phone.number()).filter(|_| q.notice == SHARED);
        assert_eq!(together.as_ref().map(|t| usize::from(t.accounts)), of.map(Vec::len), "{}", q.id);
        let sent = out.values().filter(|o| o.id == together.as_ref().map_or(q.id, |t| t.bearer)).count();
        assert_eq!(sent, 1, "each was told by one message");
        if let Some(together) = together {
            assert_eq!(together.bearer, of.unwrap()[0].id);
            assert_eq!(together.text, text(&out[&together.bearer]));
        } else {
            assert_eq!(text(&out[&q.id]), q.message.text);
        }
    }
    // What it costs is what the messages that left cost, and never more than was foreseen.
    let parts: usize =
        out.values().map(|o| text(o).chars().count()).map(|n| if n <= 70 { 1 } else { n.div_ceil(67) }).sum();
    let stats: u64 = world.host.state().stats(first_day(), first_day()).iter().map(|(_, c)| c.parts).sum();
    assert_eq!(stats, parts as u64);
    assert!(stats < run.parts, "{stats} of {}", run.parts);
    explains(&world, numbers.values().next().unwrap()).await;
}

/// Each account's story says with how many others it was told.
async fn explains(world: &World, accounts: &[&Queued]) {
    for q in accounts {
        let request = ExplainRequest { account: q.account, at: None, policy: Some(REMINDER.into()), rebuild: false };
        let explanation = world.host.explain(request).await.unwrap();
        let stories = explanation.policies.iter().flat_map(|p| &p.decisions);
        let lives: Vec<&MessageLife> = stories.filter_map(|d| d.message.as_ref()).collect();
        let together = lives[0].together.as_ref().unwrap();
        assert_eq!(
            (together.bearer.clone(), usize::from(together.others)),
            (accounts[0].id.to_string(), accounts.len() - 1)
        );
        assert!(together.sentence().contains(&format!("另外 {} 户", accounts.len() - 1)));
        assert_eq!(lives[0].text.as_deref(), Some(q.message.text.as_str()), "its own text stays its own");
    }
}

#[tokio::test]
async fn whoever_paid_or_was_recalled_since_is_not_among_them_and_the_others_are_told_without() {
    let (world, run) = world().await;
    let all = queued(&world, &run);
    let numbers = numbers(&all);
    let accounts = numbers.values().max_by_key(|n| n.len()).unwrap();
    assert!(accounts.len() > 2, "{}", accounts.len());
    let (bearer, payer) = (accounts[0], accounts[1]);
    let out = claim(&world).await;
    let fact =
        PaymentFact { account: payer.account, key: payment_key("paid"), amount: Fen(10_000_000), paid_on: first_day() };
    world.host.state().facts(Facts::Payments(vec![fact]), false, vec![]).await.unwrap();
    let ids: Vec<MessageId> = out.keys().copied().collect();
    let going = world.host.outbox().intend(&link(), &ids).await.unwrap();
    assert!(!going.contains(&bearer.id), "its text is true no more");
    let status = |q: &Queued| world.host.state().message_status(q.id).unwrap().unwrap();
    assert_eq!((status(payer).state, status(payer).reason), (MessageState::Cancelled, Some(HoldReason::Paid)));
    assert_eq!(status(bearer).state, MessageState::Queued);

    let others: Vec<&Queued> = accounts.iter().copied().filter(|q| q.id != payer.id).collect();
    let again = claim(&world).await;
    assert_eq!(again.len(), 1);
    assert!(text(&again[&bearer.id]).contains(&says(&others)), "{}", text(&again[&bearer.id]));
    assert_eq!(world.host.outbox().intend(&link(), &[bearer.id]).await.unwrap(), [bearer.id]);
    assert!(others.iter().all(|q| status(q).state == MessageState::Submitting));
    assert_eq!(world.host.state().told_together(payer.id).unwrap(), None);
}

#[tokio::test]
async fn a_recall_before_it_leaves_takes_back_its_own_and_stops_hold_all_of_them() {
    let (world, run) = world().await;
    let all = queued(&world, &run);
    let numbers = numbers(&all);
    let accounts = numbers.values().max_by_key(|n| n.len()).unwrap();
    let out = claim(&world).await;
    // The bearer alone is taken back between the claim and the intent: the others go without it, by another.
    let recalled = gridbell_state::MessageEvent::Cancelled { reason: HoldReason::Recalled };
    world.host.state().message_events(vec![(accounts[0].id, recalled)]).await.unwrap();
    let ids: Vec<MessageId> = out.keys().copied().collect();
    let going = world.host.outbox().intend(&link(), &ids).await.unwrap();
    assert!(!going.contains(&accounts[0].id));
    let again = claim(&world).await;
    assert_eq!(again.len(), 1);
    assert!(text(&again[&accounts[1].id]).contains(&says(&accounts[1..])) || accounts.len() == 2);
}

#[tokio::test]
async fn texts_that_say_something_else_go_by_themselves_and_without_a_second_text_all_do() {
    for merged in [true, false] {
        let world = World::new().await;
        let texts = include_str!("../../../policies/templates.toml");
        // With the late-fee date in it only accounts of one date can share it.
        let (before, after) = texts.split_once("merged = \"").unwrap();
        let (_, after) = after.split_once('\n').unwrap();
        let second =
            "merged = \"截至{{ as_of }}，{{ count }}户共{{ amount }}元，{{ late_fee_from }}起将产生违约金。\"\n";
        let texts = format!("{before}{}{after}", if merged { second } else { "" });
        world.host.apply_templates("templates", &texts, "b").await.unwrap();
        let bill = |n: u64| BillFact {
            account: account(n),
            period: 202_608,
            amount: Fen(1_000 + n as i64),
            kwh: 100,
            issued: first_day().plus_days(-10),
            late_fee_from: first_day().plus_days(5 + (n % 2) as i32),
            as_of: first_day(),
        };
        world.host.state().facts(Facts::Bills((0..CUSTOMERS).map(bill).collect()), false, vec![]).await.unwrap();
        let all = [Carrier::Mobile, Carrier::Unicom, Carrier::Telecom].map(Served::Carrier);
        world.host.serve_link(&link(), &all);
        world.clock.advance_to(first_day().at(9, 30).moment());
        world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap();
        let run = (*world.runs(REMINDER).pop().unwrap()).clone();
        let all = queued(&world, &run);
        let out = claim(&world).await;
        let mut phones = BTreeSet::new();
        if !merged {
            assert_eq!(out.len(), all.len());
            assert!(all.iter().all(|q| phones.insert(q.message.phone.number())), "the cap of one a number holds");
            continue;
        }
        assert!(out.len() < all.len(), "some share a date");
        let ids: Vec<MessageId> = out.keys().copied().collect();
        world.host.outbox().intend(&link(), &ids).await.unwrap();
        let date = |q: &Queued| world.host.state().customer(q.account).unwrap().1.late_fee_from;
        let by_id: BTreeMap<MessageId, &Queued> = all.iter().map(|q| (q.id, q)).collect();
        for q in &all {
            if let Some(t) = world.host.state().told_together(q.id).unwrap() {
                assert_eq!(date(q), date(by_id[&t.bearer]), "{}", t.text);
                assert!(t.text.contains(&date(q).chinese()));
            }
        }
    }
}

#[tokio::test]
async fn a_correction_reaches_everybody_whom_it_told_and_a_wrong_number_suspends_all_of_them() {
    let (world, run) = world().await;
    let all = queued(&world, &run);
    let numbers = numbers(&all);
    let accounts = numbers.values().max_by_key(|n| n.len()).unwrap();
    let out = claim(&world).await;
    let ids: Vec<MessageId> = out.keys().copied().collect();
    world.host.outbox().intend(&link(), &ids).await.unwrap();
    accept(&world, &out.values().collect::<Vec<_>>()).await;

    let order = CorrectionOrder {
        scope: CorrectionScope { wrong: Wrong::Run(run.id), prefecture: None, from: None, to: None },
        texts: [(Channel::Sms, "昨日发送的电费提醒有误，请以营业厅公布为准，深表歉意。".to_owned())].into(),
        within: Vec::new(),
        why: "价目有误".into(),
        who: "wang".into(),
    };
    let would = world.host.preview_correction(&order).await.unwrap();
    assert_eq!(would.counts.all_told(), all.len() as u64, "whoever was told, by which message ever");

    let phone = accounts[0].message.phone;
    let (key, to, text) = (CarrierKey::Number(1), "95598".into(), "不是本人".into());
    let reply = Inbound { key, from: phone, to, text, exact: true };
    world.host.outbox().inbound(&link(), &[reply]).await.unwrap();
    let suspended = |q: &&Queued| world.host.state().customer(q.account).unwrap().1.phone.is_suspended();
    assert!(accounts.iter().all(suspended), "each of the pairs that it told");
    let orders = work_orders(world.host.state(), None, 10, |_| true).unwrap();
    let named: BTreeSet<AccountNumber> =
        orders.iter().flat_map(|o| std::iter::once(o.order.account).chain(o.order.others.clone())).collect();
    assert_eq!((orders.len(), named), (1, accounts.iter().map(|q| q.account).collect()));
}
