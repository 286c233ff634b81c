//! What customers ask is answered once, by what is true, to whom it may be said, and not too often.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use gridbell_channels::{Inbound, LinkName, Outbox, Which};
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_screens as screens;
use gridbell_state::{CustomerChange, InboundMessage, MessageDetail, Outcome, RunRecord};
use world::{CUSTOMERS, TAIYUAN, World, account, first_day};

fn link() -> LinkName {
    LinkName::new("mobile").unwrap()
}

fn view(world: &World, account: AccountNumber) -> CustomerView {
    world.host.state().customer(account).unwrap().1
}

/// Somebody writes; `key` is the gateway's number for it. What is kept of it, newest first.
async fn write(world: &World, key: u64, from: Phone, text: &str) -> Vec<InboundMessage> {
    let (to, text) = ("95598".to_owned(), text.to_owned());
    let message = Inbound { key: CarrierKey::Number(key), from, to, text, exact: true };
    world.host.outbox().inbound(&link(), &[message]).await.unwrap();
    world.host.state().inbound_messages(None, 100).unwrap()
}

/// The answers to a customer, oldest first, as notice and text or why there is none.
fn answers(world: &World, account: AccountNumber) -> Vec<(String, Result<String, HoldReason>)> {
    let state = world.host.state();
    let mut out = Vec::new();
    let mut runs = state.runs(None, 100, RunRecord::is_answers);
    runs.reverse();
    for run in runs {
        for segment in 0..u32::try_from(run.segments.len()).unwrap() {
            for d in state.decisions(run.id, segment).unwrap().into_iter().filter(|d| d.account == account) {
                let notice = gridbell_planner::answers_manifest().notices()[usize::from(d.notice)].name.clone();
                out.push((
                    notice,
                    match d.outcome {
                        Outcome::Queued(message) => Ok(message.text),
                        Outcome::Held(why) => Err(why),
                    },
                ));
            }
        }
    }
    out
}

fn notices(world: &World, account: AccountNumber) -> Vec<String> {
    answers(world, account).into_iter().map(|(notice, _)| notice).collect()
}

async fn verify(world: &World, account: AccountNumber) {
    let (phone, source) = (view(world, account).phone, ContactSource::Counter);
    let change = CustomerChange::Phone { phone, source, verified_on: first_day() };
    world.host.state().change_customer(account, vec![change], vec![], vec![]).await.unwrap();
}

/// Customers with a number of their own, whom nothing stands against, for whom `wanted` holds.
fn customers(world: &World, wanted: impl Fn(&CustomerView) -> bool) -> Vec<AccountNumber> {
    let fits = |account: &AccountNumber| {
        let view = view(world, *account);
        let single = world.host.state().by_phone(view.phone.number(), 2).len() == 1;
        let no_wish = view.preferences == Preferences(0);
        view.phone.is_sendable() && single && no_wish && !view.traits.has(Traits::CLOSED) && wanted(&view)
    };
    (0..CUSTOMERS).map(account).filter(fits).collect()
}

async fn served(world: &World) -> usize {
    world.clock.advance(Duration::from_millis(GATHER_ANSWERS_MS.unsigned_abs()));
    world.host.serve_answers().await
}

#[tokio::test]
async fn a_balance_is_told_to_a_number_that_somebody_verified_and_to_no_other() {
    let world = World::new().await;
    world.clock.advance_to(first_day().at(22, 30).moment());
    let fresh = |v: &CustomerView| v.balance_as_of == first_day() && v.arrears_as_of.some() == Some(first_day());
    let prepaid = customers(&world, |v| v.traits.has(Traits::PREPAID) && v.balance_as_of == first_day())[0];
    let owing = customers(&world, |v| !v.traits.has(Traits::PREPAID) && v.arrears > Fen::ZERO && !fresh(v))[0];
    let stale = customers(&world, |v| v.traits.has(Traits::PREPAID) && v.balance_as_of < first_day())[0];
    for account in [prepaid, stale] {
        verify(&world, account).await;
    }
    let of = |account| view(&world, account).phone;
    for (key, account) in [(1, prepaid), (2, owing), (3, stale)] {
        let kept = write(&world, key, of(account), "余额").await;
        assert_eq!((kept[0].handled.as_str(), kept[0].answer.as_str()), ("balance", "due"));
    }
    let stranger = write(&world, 4, Phone::from_text("13699999999"), "余额").await;
    assert_eq!(
        (stranger[0].handled.as_str(), stranger[0].answer.as_str()),
        ("inbox", ""),
        "whom nobody knows a person answers"
    );
    assert_eq!(served(&world).await, 3);
    assert_eq!(served(&world).await, 0, "each once");
    let said = |account| answers(&world, account).pop().unwrap();
    let tail = |account: AccountNumber| account.to_string()[6..].to_owned();
    let (notice, text) = said(prepaid);
    let text = text.unwrap();
    assert!(notice == "balance" && text.contains("截至9月24日") && text.contains(&tail(prepaid)), "{text}");
    let (notice, text) = said(stale);
    assert!(notice == "balance-stale" && text.unwrap().contains("可能不是最新"));
    let (notice, text) = said(owing);
    let text = text.unwrap();
    assert!(notice == "verify" && !text.contains(&tail(owing)) && !text.contains('元'), "{text}");
    // At night, and at once: it was asked. As a message like others, by nobody's hand.
    let message: MessageDetail = world.host.state().messages_of(prepaid, 1).unwrap().remove(0);
    let Outcome::Queued(queued) = &message.decision.outcome else { panic!("{message:?}") };
    let run = world.host.state().run(message.run).unwrap();
    assert_eq!((queued.send_after, queued.cost_milli_fen), (first_day().at(22, 30), 3_500));
    assert_eq!((run.is_answers(), &run.initiator), (true, &Initiator::System));
    let ids: Vec<MessageId> =
        [prepaid, owing, stale].iter().map(|a| world.host.state().messages_of(*a, 1).unwrap()[0].id).collect();
    world.host.serve_link(&link(), &[Carrier::Mobile, Carrier::Unicom, Carrier::Telecom].map(Served::Carrier));
    let claimed: BTreeSet<MessageId> =
        world.host.outbox().claim(&link(), 100, Which::Any).await.unwrap().iter().map(|m| m.id).collect();
    assert_eq!(claimed, ids.iter().copied().collect());
    // The number is somebody else's after all: what names the account does not go, what names none does.
    for account in [prepaid, owing] {
        let wrong = vec![CustomerChange::Suspend(true)];
        world.host.state().change_customer(account, wrong, vec![], vec![]).await.unwrap();
    }
    let going: BTreeSet<MessageId> = world.host.outbox().intend(&link(), &ids).await.unwrap().into_iter().collect();
    assert_eq!(going, [ids[1], ids[2]].into());
    let explained =
        world.host.explain(ExplainRequest { account: owing, policy: Some("answers".into()), at: None, rebuild: false });
    let story = explained.await.unwrap().policies.remove(0);
    assert_eq!((story.title.as_str(), story.decisions.len()), ("自动答复", 1));
    assert_eq!(
        (story.decisions[0].reason.as_str(), story.decisions[0].notice.as_str()),
        ("客户查询余额", "号码未核实，不能查询")
    );
}

#[tokio::test]
async fn a_repetition_is_kept_once_and_answered_once_also_after_a_restart() {
    let world = World::new().await;
    let account = customers(&world, |_| true)[0];
    let phone = view(&world, account).phone;
    assert_eq!(write(&world, 7, phone, "帮助").await.len(), 1);
    assert_eq!(write(&world, 7, phone, "帮助").await.len(), 1, "the gateway brings it again");
    let world = world.restarted();
    assert_eq!(write(&world, 7, phone, "帮助").await.len(), 1, "and again after a kill between question and answer");
    assert_eq!(served(&world).await, 1);
    let world = world.restarted();
    assert_eq!(write(&world, 7, phone, "帮助").await.len(), 1);
    assert_eq!((served(&world).await, notices(&world, account)), (0, vec!["help".to_owned()]));
    let again = write(&world, 8, phone, "帮助").await;
    assert_eq!((again.len(), again[0].answer.as_str()), (2, "repeated"), "the same within a minute is a machine's");
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(write(&world, 9, phone, "帮助").await[0].answer, "due");
}

#[tokio::test]
async fn who_writes_again_and_again_is_kept_and_not_answered() {
    let world = World::new().await;
    let rules = include_str!("../../../policies/province.toml").replace("per_hour = 8", "per_hour = 2");
    world.host.apply_rules("province", &rules, "a").await.unwrap();
    let account = customers(&world, |_| true)[0];
    let phone = view(&world, account).phone;
    let mut said = Vec::new();
    for (key, text) in [(1, "余额"), (2, "停电"), (3, "帮助"), (4, "退订")] {
        said.push(write(&world, key, phone, text).await[0].answer.clone());
    }
    assert_eq!(said, ["due", "due", "hour-limit", "hour-limit"]);
    assert!(
        view(&world, account).preferences.has(Preferences::NO_SMS_SERVICE),
        "what is asked for is done all the same"
    );
    let world = world.restarted();
    assert_eq!(write(&world, 5, phone, "帮助").await[0].answer, "hour-limit", "a restart forgets no limit");
    assert_eq!(served(&world).await, 2);
    let short = Phone::from_text("03511234567");
    assert_eq!(write(&world, 6, short, "帮助").await[0].answer, "machine", "nobody reads an SMS there");
    let off = include_str!("../../../policies/province.toml").replace("enabled = true", "enabled = false");
    world.host.apply_rules("province", &off, "a").await.unwrap();
    world.clock.advance(Duration::from_secs(3_601));
    assert_eq!(write(&world, 7, phone, "帮助").await[0].answer, "off");
}

#[tokio::test]
async fn an_opt_out_a_subscription_and_a_wrong_number_are_confirmed_in_words_that_say_what_stops() {
    let world = World::new().await;
    let all = customers(&world, |_| true);
    let (leaves, joins, wrong) = (all[0], all[1], all[2]);
    let of = |account| view(&world, account).phone;
    write(&world, 1, of(leaves), "TD").await;
    write(&world, 2, of(joins), "订阅账单").await;
    write(&world, 3, of(wrong), "不是本人").await;
    write(&world, 4, of(wrong), "余额").await;
    assert_eq!(served(&world).await, 4);
    let said = |account| answers(&world, account);
    let text = |account, n: usize| said(account)[n].1.clone().unwrap();
    assert!(text(leaves, 0).contains("法定通知不能退订"), "{:?}", said(leaves));
    assert_eq!(notices(&world, joins), ["subscribed-bill"]);
    assert_eq!(
        notices(&world, wrong),
        ["wrong-number", "verify"],
        "a number that is somebody else's is told no balance"
    );
    assert!(!text(wrong, 0).contains(&wrong.to_string()[6..]), "{}", text(wrong, 0));
    let wishes = world.host.state().wishes(leaves).unwrap().2;
    let refused = wishes.iter().filter(|w| !w.on && w.said.is_some_and(|(source, _)| source == WishSource::SmsWord));
    assert_eq!(refused.count(), 5, "{wishes:?}");
    let orders = work_orders(world.host.state(), None, 10, |_| true).unwrap();
    assert_eq!(orders.iter().map(|o| o.order.account).collect::<Vec<_>>(), [wrong]);
    let who: BTreeSet<String> = world.host.state().audit(1, 500).unwrap().into_iter().map(|e| e.note.action).collect();
    assert!(who.contains("answer.publish") && who.contains("preference.subscribe"), "{who:?}");
}

#[tokio::test]
async fn an_outage_is_what_the_notices_where_the_customer_lives_announce() {
    let world = World::new().await;
    let here = customers(&world, |v| v.section == 3)[0];
    let elsewhere = customers(&world, |v| v.section == 4)[0];
    let nowhere = customers(&world, |v| v.section == 0)[0];
    let key = screens::CommunityKey::new(TAIYUAN, "jinxiu").unwrap();
    let community = screens::Community {
        key: key.clone(),
        name: "锦绣苑".to_owned(),
        transformers: BTreeSet::new(),
        sections: [3].into(),
        contacts: Vec::new(),
    };
    world.host.screens().put_community(community, "a").await.unwrap();
    let hour = |h| Some(first_day().at(h, 0).moment());
    let content = |kind, begins, ends| screens::Content {
        kind,
        severity: screens::Severity::Moderate,
        urgency: screens::Urgency::Future,
        certainty: screens::Certainty::Likely,
        title: "公告".to_owned(),
        body: "请提前做好准备。".to_owned(),
        begins,
        ends,
        expires: first_day().at(23, 0).moment(),
    };
    for (kind, from, to) in [(screens::Kind::PlannedOutage, 14, 18), (screens::Kind::Service, 1, 2)] {
        let order = screens::NoticeOrder {
            prefecture: TAIYUAN,
            origin: String::new(),
            content: content(kind, hour(from), hour(to)),
            communities: vec![key.clone()],
            by: "a".to_owned(),
            why: String::new(),
            sender: String::new(),
        };
        world.host.screens().publish(order, false).await.unwrap();
    }
    for (number, account) in [(1, here), (2, elsewhere), (3, nowhere)] {
        write(&world, number, view(&world, account).phone, "停电").await;
    }
    assert_eq!(served(&world).await, 3);
    let (notice, text) = answers(&world, here).remove(0);
    let text = text.unwrap();
    assert!(notice == "outage" && text.contains("9月24日14:00至9月24日18:00"), "{text}");
    assert_eq!(
        (notices(&world, elsewhere), notices(&world, nowhere)),
        (vec!["no-outage".to_owned()], vec!["no-outage".to_owned()])
    );
    world.clock.advance_to(first_day().at(18, 1).moment());
    write(&world, 9, view(&world, here).phone, "停电").await;
    served(&world).await;
    assert_eq!(notices(&world, here), ["outage", "no-outage"], "what is over is announced still and is no outage");
}

#[tokio::test]
async fn an_outage_that_counts_on_the_customer_is_answered_with_its_time_until_it_is_restored() {
    use gridbell_outages as outages;
    let world = World::new().await;
    let (dark, lit) = (customers(&world, |v| v.section == 4)[0], customers(&world, |v| v.section == 0)[0]);
    let now = || Moment::from_unix_ms(world.clock.now().unix_ms() / 60_000 * 60_000);
    let from = now();
    let fault = outages::DraftOrder {
        prefecture: TAIYUAN,
        kind: outages::Kind::Fault,
        content: outages::Content {
            scope: outages::Scope { customers: [dark].into(), ..outages::Scope::default() },
            from,
            until: None,
            reason: "电缆故障".to_owned(),
            class: outages::Class::Minor,
        },
        by: String::new(),
        why: String::new(),
    };
    let id = world.host.outages().enter(fault, true, "wang", false).await.unwrap().outage.id();
    for (number, account) in [(1, dark), (2, lit)] {
        write(&world, number, view(&world, account).phone, "停电").await;
    }
    assert_eq!(served(&world).await, 2);
    let (notice, text) = answers(&world, dark).remove(0);
    let (text, m) = (text.unwrap(), from.civil_minute().minute_of_day());
    assert!(notice == "outage-from" && text.contains(&format!("{:02}:{:02}起", m / 60, m % 60)), "{text}");
    assert_eq!(notices(&world, lit), ["no-outage"]);

    world.clock.advance_to(first_day().at(18, 1).moment());
    let step = outages::StepOrder { id, expected: None, by: String::new(), why: "已修复".to_owned() };
    world.host.outages().step(step, OutageStep::Restore(now()), "wang", false).await.unwrap();
    write(&world, 9, view(&world, dark).phone, "停电").await;
    served(&world).await;
    assert_eq!(notices(&world, dark), ["outage-from", "no-outage"]);
}

#[tokio::test]
async fn a_work_order_goes_a_quarter_after_it_closed_and_a_carriers_count_after_thirteen_months() {
    let world = World::new().await;
    let wrong: Vec<_> = customers(&world, |_| true).into_iter().take(2).collect();
    for (key, account) in (1..).zip(&wrong) {
        write(&world, key, view(&world, *account).phone, "不是本人").await;
    }
    let state = world.host.state().clone();
    for day in ["2025-08-01", "2026-09-01"] {
        let day: Date = day.parse().unwrap();
        let count = CarrierCount { accepted: Some(1), ..CarrierCount::default() };
        keep_carrier_count(&state, &world.clock, day, "mobile", count, "a").await.unwrap();
    }
    let confirmed = vec![CustomerChange::Suspend(false)];
    state.change_customer(wrong[0], confirmed, vec![], vec![]).await.unwrap();
    let orders = || work_orders(&state, None, 10, |_| true).unwrap().len();
    let tidy = async |days: i32| {
        world.clock.advance_to(first_day().plus_days(days).at(3, 0).moment());
        world.host.tidy_documents().await.unwrap()
    };
    assert_eq!((tidy(1).await, orders()), (1, 2), "the count of a year ago and more");
    assert_eq!((tidy(KEPT_CLOSED_DAYS).await, orders()), (0, 2));
    assert_eq!((tidy(1 + KEPT_CLOSED_DAYS).await, orders()), (1, 1), "the open one stays");
    let (from, to) = ("2025-01-01".parse().unwrap(), "2026-12-31".parse().unwrap());
    let counted = reconciliation(&state, from, to).unwrap().iter().filter(|d| d.carrier.is_some()).count();
    assert_eq!(counted, 1);
    let tidied = state.audit(1, 500).unwrap().into_iter().filter(|e| e.note.action == "documents.tidy").count();
    assert_eq!(tidied, 2);
}
