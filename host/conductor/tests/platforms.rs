//! A route whose first hop is a platform: who has an address there gets it there, with what the template's fields say, and what changed since is
//! noticed at the last look.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use std::collections::BTreeMap;

use gridbell_channels::{Address, Answer, Body, LinkName, Outbox, Outgoing, PartSet};
use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_state::{Address as Bound, ContactFact, CustomerChange, Facts, Outcome, QueuedMessage};
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
url: https://example.cn/bill
first: 您好！户号尾号{{ account_tail }}有电费待缴
keyword1: {{ amount }} 元
keyword2: {{ late_fee_from }}
remark: 数据截至{{ as_of }}，已缴请忽略"""
"#;

fn openid(n: u64) -> PlatformId {
    format!("oLVPpjqs9BhvzwPj5A-{n:09}").parse().unwrap()
}

fn bind(n: u64, id: Option<u64>) -> ContactFact {
    let address = id.map(|id| Bound {
        app: String::new(),
        id: openid(id),
        source: BindingSource::Website,
        bound: first_day().at(0, 0),
    });
    ContactFact { account: account(n), channel: Channel::Wechat, address }
}

async fn world() -> World {
    let routes =
        "routes = { sms = [{ channel = \"wechat\", wait_minutes = 30 }, { channel = \"sms\" }] }\nlane = \"bulk\"";
    let world =
        World::with(&POLICIES.replace("routes = { sms = [{ channel = \"sms\" }] }\nlane = \"bulk\"", routes)).await;
    world.host.apply_templates("templates", &format!("{TEXTS}{WECHAT_TEXTS}"), "b").await.unwrap();
    let contacts = (0..CUSTOMERS).filter(|n| n.is_multiple_of(3)).map(|n| bind(n, Some(n))).collect();
    world.host.state().facts(Facts::Contacts(contacts), false, vec![]).await.unwrap();
    world
}

fn link() -> LinkName {
    LinkName::new("follower").unwrap()
}

/// A link that is there in name: messages are taken from the outbox by hand.
fn serve_wechat(world: &World) {
    world.host.serve_link(&link(), &[Served::Channel(Channel::Wechat)]);
}

async fn run(world: &World) -> Vec<(AccountNumber, QueuedMessage)> {
    world.clock.advance_to(first_day().at(9, 30).moment());
    let request = RunRequest::by_person(TAIYUAN, REMINDER, "a");
    world.host.run_policy(request).await.unwrap();
    let run = world.runs(REMINDER).pop().unwrap();
    let mut all = Vec::new();
    for segment in 0..u32::try_from(run.segments.len()).unwrap() {
        for d in world.host.state().decisions(run.id, segment).unwrap() {
            if let Outcome::Queued(m) = d.outcome {
                all.push((d.account, *m));
            }
        }
    }
    all
}

fn number(account: AccountNumber) -> u64 {
    account.to_string().parse().unwrap()
}

async fn claim(world: &World) -> BTreeMap<MessageId, Outgoing> {
    let claimed = world.host.outbox().claim(&link(), 1_000).await.unwrap();
    claimed.into_iter().map(|m| (m.id, m)).collect()
}

#[tokio::test]
async fn who_is_bound_is_told_where_a_link_serves_it_and_by_sms_where_none_does() {
    for served in [false, true] {
        let world = world().await;
        if served {
            serve_wechat(&world);
        }
        let messages = run(&world).await;
        let (wechat, sms): (Vec<_>, Vec<_>) = messages.iter().partition(|(_, m)| m.channel == Channel::Wechat);
        assert!(sms.len() > 20, "{}", sms.len());
        if !served {
            assert!(wechat.is_empty(), "a hop that nobody serves is no way to anybody");
            continue;
        }
        assert!(wechat.len() > 10, "{}", wechat.len());
        assert!(
            wechat
                .iter()
                .all(|(a, m)| number(*a).is_multiple_of(3) && m.hop == 0 && (m.parts, m.cost_milli_fen) == (1, 0))
        );
        assert!(wechat.iter().all(|(_, m)| m.queue == Served::Channel(Channel::Wechat).queue()));
        assert!(sms.iter().all(|(_, m)| m.hop == 1));
        // Of those who are bound only notices go by SMS that have no text for WeChat.
        let bound: Vec<_> = sms.iter().filter(|(a, _)| number(*a).is_multiple_of(3)).collect();
        assert!(!bound.is_empty() && bound.iter().all(|(_, m)| !m.text.contains("请您方便时缴纳")));
        let claimed = claim(&world).await;
        assert_eq!(claimed.len(), wechat.len(), "and no SMS");
        for (who, queued) in &wechat {
            let out = &claimed[&MessageId::new(TAIYUAN, queued.number)];
            assert_eq!(out.to, Address::OpenId(openid(number(*who)).expose().into()));
            let Body::Template(body) = &out.body else { panic!("{out:?}") };
            assert_eq!((&*body.id, body.url.as_str()), ("OPENTM412543817", "https://example.cn/bill"));
            let names: Vec<&str> = body.values.iter().map(|(name, _)| &**name).collect();
            assert_eq!(names, ["first", "keyword1", "keyword2", "remark"]);
            // What is kept says the same, word for word.
            assert!(body.values.iter().all(|(name, value)| queued.text.contains(&format!("{name}: {value}"))));
        }
    }
}

#[tokio::test]
async fn an_address_that_changed_or_ended_since_is_noticed_before_anything_leaves() {
    let world = world().await;
    serve_wechat(&world);
    let state = world.host.state();
    let wechat: Vec<_> = run(&world).await.into_iter().filter(|(_, m)| m.channel == Channel::Wechat).collect();
    let id = |n: usize| MessageId::new(TAIYUAN, wechat[n].1.number);
    let who = |n: usize| number(wechat[n].0);
    let early = claim(&world).await;
    world.clock.advance(std::time::Duration::from_secs(60));
    let again = vec![bind(who(0), Some(77_777)), bind(who(1), None), bind(who(2), Some(who(2)))];
    state.facts(Facts::Contacts(again), false, vec![]).await.unwrap();
    assert_eq!(world.host.channel_refused(Channel::Wechat, "", &openid(who(3))).await.unwrap(), 1);
    assert_eq!(world.host.address_ended(Channel::Wechat, "", &openid(who(4))).await.unwrap(), 1);
    state.change_customer(wechat[5].0, vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    let ids: Vec<MessageId> = early.keys().copied().collect();
    let going = world.host.outbox().intend(&link(), &ids).await.unwrap();
    assert_eq!(going.len(), ids.len() - 5, "the same address told again is no other");
    assert!(going.contains(&id(2)));
    let reason = |n: usize| state.message_status(id(n)).unwrap().unwrap().reason;
    let reasons: Vec<_> = [0, 1, 3, 4, 5].map(reason).into_iter().flatten().collect();
    use HoldReason as R;
    assert_eq!(reasons, [R::AddressChanged, R::NoAddress, R::OptedOut, R::NoAddress, R::NoAddress]);
    let (_, refused) = state.customer(wechat[3].0).unwrap();
    assert!(refused.preferences.has(Preferences::NO_WECHAT_SERVICE));
    let actions: Vec<String> = state.audit(1, 500).unwrap().into_iter().map(|e| e.note.action).collect();
    assert!(actions.contains(&"contact.unbind".to_owned()) && actions.contains(&"preference.opt-out".to_owned()));
}

#[tokio::test]
async fn an_address_that_the_platform_does_not_know_is_ended_and_the_number_is_left_alone() {
    let world = world().await;
    serve_wechat(&world);
    let messages = run(&world).await;
    let (who, queued) = messages.iter().find(|(_, m)| m.channel == Channel::Wechat).unwrap();
    let id = MessageId::new(TAIYUAN, queued.number);
    let outbox = world.host.outbox();
    let claimed: Vec<MessageId> = claim(&world).await.into_keys().collect();
    outbox.intend(&link(), &claimed).await.unwrap();
    let before = world.host.state().customer(*who).unwrap().1.phone;
    let outcome =
        gridbell_channels::Outcome::Declined { code: "40003".into(), action: gridbell_channels::Action::BadNumber };
    assert_eq!(PartSet::NONE.with(1), claim_of(&world, id));
    outbox.answered(&link(), &[Answer { message: id, part: 1, outcome }]).await.unwrap();
    assert!(world.host.state().contacts(*who).unwrap().is_empty());
    assert_eq!(world.host.state().customer(*who).unwrap().1.phone, before);
    let status = world.host.state().message_status(id).unwrap().unwrap();
    assert_eq!((status.state, status.code.as_str()), (MessageState::Failed, "40003"));
}

fn claim_of(world: &World, id: MessageId) -> PartSet {
    let outgoing = world.host.state().outgoing(&[id]).unwrap();
    outgoing[0].open.iter().fold(PartSet::NONE, |set, part| set.with(*part))
}
