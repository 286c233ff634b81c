//! A route whose first hop is a platform: who has an address there gets it there, with what the template's fields say, and what changed since is
//! noticed at the last look.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use std::collections::BTreeMap;

use gridbell_channels::http::{
    Answer as Reply, CallError, Callback, Exchange, HttpTerms, Prepared, Provider, Repeat, Request, Said, Told, Turned,
    Verdict,
};
use gridbell_channels::{Address, Answer, Body, LinkName, Outbox, Outgoing, PartSet, Report, ReportOutcome, Which};
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
    let claimed = world.host.outbox().claim(&link(), 1_000, Which::Any).await.unwrap();
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

/// A platform that takes everything and verifies nothing: what a callback says is written in it.
struct Plain;

impl Provider for Plain {
    fn prepare(&self, _: &Outgoing, _: Moment) -> Prepared {
        Prepared::NotYet
    }
    fn read(&self, message: &Outgoing, _: u64, _: &Reply, _: Moment) -> Verdict {
        Verdict::Accepted { key: CarrierKey::text(&message.id.to_string()) }
    }
    fn repeat(&self, _: &Outgoing) -> Repeat {
        Repeat::Marked
    }
    fn is_ready(&self, _: Moment) -> bool {
        false
    }
    fn callback(&self, callback: &Callback<'_>, now: Moment) -> Result<Told, Turned> {
        let body = std::str::from_utf8(callback.body).map_err(Turned::unreadable)?;
        let mut words = body.splitn(3, ' ');
        let mut next = || words.next().unwrap_or_default().to_owned();
        let said = match next().as_str() {
            "left" => Said::Left { id: next(), at: now },
            "early" => Said::Left { id: next(), at: now.plus_ms(-3_600_000) },
            "wrote" => Said::Wrote { id: next(), key: CarrierKey::text("k1"), text: next(), at: now },
            "again" => Said::Wrote { id: next(), key: CarrierKey::text("k2"), text: next(), at: now },
            "rejected" => {
                let report = Report {
                    key: CarrierKey::text(&next()),
                    phone: Phone::NONE,
                    stat: "REJECTD".to_owned(),
                    outcome: ReportOutcome::Failed,
                    submitted: CivilMinute::NONE,
                    done: now.civil_minute(),
                };
                return Ok(Told { reports: vec![report], acknowledge: "ok".to_owned(), ..Told::default() });
            }
            _ => return Err(Turned::stranger("it says nothing")),
        };
        Ok(Told { said: vec![said], acknowledge: "ok".to_owned(), ..Told::default() })
    }
}

/// Nothing is called here.
struct Nowhere;

impl Exchange for Nowhere {
    async fn call(&self, _: &Request) -> Result<Reply, CallError> {
        std::future::pending().await
    }
}

/// A platform of the province's that takes SMS for carriers' numbers; its task has nobody to call.
fn start_sms(world: &World, name: &str, change: impl FnOnce(&mut HttpTerms)) -> LinkName {
    let name = LinkName::new(name).unwrap();
    let mut terms = HttpTerms::named(name.clone());
    // What its own task takes is little.
    (terms.window, terms.commit_group) = (1, 1);
    change(&mut terms);
    let serves = [Carrier::Mobile, Carrier::Unicom, Carrier::Telecom].map(Served::Carrier).to_vec();
    let (provider, exchange, channel, app) = (Plain, Nowhere, Channel::Sms, String::new());
    world.host.start_platform(PlatformLink { terms, provider, exchange, serves, channel, app }).unwrap();
    name
}

/// How many of those that wait the link takes when it has room for so many parts.
async fn takes(world: &World, link: &LinkName, parts: usize) -> usize {
    world.host.outbox().claim(link, parts, Which::Any).await.unwrap().len()
}

fn start_wechat(world: &World, name: &str) -> Result<(), HostError> {
    world.host.start_platform(PlatformLink {
        terms: HttpTerms::named(LinkName::new(name).unwrap()),
        provider: Plain,
        exchange: Nowhere,
        serves: vec![Served::Channel(Channel::Wechat)],
        channel: Channel::Wechat,
        app: "wx1".to_owned(),
    })
}

async fn called(world: &World, account: &str, body: String) -> u16 {
    let (query, headers, body) = (String::new(), Vec::new(), body.into_bytes());
    world.host.callback(account, &IncomingCallback { is_get: false, query, headers, body }).await.status
}

#[tokio::test]
async fn a_platforms_link_is_ruled_like_a_carriers_and_names_are_shared() {
    let world = world().await;
    start_wechat(&world, "wechat").unwrap();
    let again = start_wechat(&world, "wechat").unwrap_err().to_string();
    assert!(again.contains("two links are named `wechat`"), "{again}");
    let second = start_wechat(&world, "other").unwrap_err().to_string();
    assert!(second.contains("second account"), "{second}");
    assert_eq!(
        world.host.links().iter().map(|l| (l.name.to_string(), l.protocol)).collect::<Vec<_>>(),
        [("wechat".to_owned(), "http")]
    );
    let state = |world: &World| world.host.links()[0].state;
    world.host.pause_link("wechat", "ops").await.unwrap();
    assert_eq!(state(&world), LinkState::Held);
    assert!(world.host.outbox().claim(&LinkName::new("wechat").unwrap(), 10, Which::Any).await.unwrap().is_empty());
    world.host.resume_link("wechat", "ops").await.unwrap();
    assert_ne!(state(&world), LinkState::Held);
    world.host.drain_links().await;
    assert_eq!(state(&world), LinkState::Closed);
}

#[tokio::test]
async fn who_leaves_has_no_address_any_more_unless_he_came_back_since() {
    let world = world().await;
    start_wechat(&world, "wechat").unwrap();
    let bound = |n: u64| world.host.state().contacts(account(n)).unwrap().len();
    assert_eq!((bound(0), bound(3), bound(6)), (1, 1, 1));
    world.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(called(&world, "wechat", format!("early {}", openid(0).expose())).await, 200);
    assert_eq!(bound(0), 1, "told late: he is bound since");
    for _ in 0..2 {
        assert_eq!(called(&world, "wechat", format!("left {}", openid(3).expose())).await, 200);
    }
    assert_eq!((bound(0), bound(3)), (1, 0));
    // Whoever proves nothing changes nothing and is counted.
    assert_eq!(called(&world, "wechat", format!("steal {}", openid(6).expose())).await, 403);
    assert_eq!(called(&world, "nobody", format!("left {}", openid(6).expose())).await, 404);
    assert_eq!(bound(6), 1);
    assert_eq!(world.host.links()[0].anomalies, [(LinkAnomaly::CallRefused, 1)]);
    let unbound = |e: &gridbell_state::AuditEntry| e.note.action == "contact.unbind";
    assert_eq!(world.host.state().audit(1, 500).unwrap().iter().filter(|e| unbound(e)).count(), 1);
}

#[tokio::test]
async fn what_a_follower_writes_comes_to_the_inbox_once_as_from_the_account_that_he_is_bound_to() {
    let world = world().await;
    start_wechat(&world, "wechat").unwrap();
    let id = openid(3);
    for _ in 0..3 {
        assert_eq!(called(&world, "wechat", format!("wrote {} 请问怎么缴费", id.expose())).await, 200);
    }
    assert_eq!(called(&world, "wechat", "wrote nobody 你好".to_owned()).await, 200, "the same key: heard already");
    assert_eq!(called(&world, "wechat", "again nobody 你好".to_owned()).await, 200);
    let inbox = world.host.state().inbound_messages(None, 10).unwrap();
    let phone = world.host.state().customer(account(3)).unwrap().1.phone;
    let shown: Vec<_> =
        inbox.iter().map(|m| (m.link.as_str(), m.from, m.to.as_str(), m.text.as_str(), m.handled.as_str())).collect();
    assert_eq!(
        shown,
        [("wechat", Phone::NONE, "wechat", "你好", "inbox"), ("wechat", phone, "wechat", "请问怎么缴费", "inbox")]
    );
    assert_eq!(world.host.links()[0].counts.inbound, 5);
}

#[tokio::test]
async fn a_word_opts_out_of_the_channel_that_it_came_by_and_of_no_other() {
    let world = world().await;
    start_wechat(&world, "wechat").unwrap();
    assert_eq!(called(&world, "wechat", format!("wrote {} 退订", openid(3).expose())).await, 200);
    let (_, view) = world.host.state().customer(account(3)).unwrap();
    assert!(view.preferences.has(Preferences::NO_WECHAT_SERVICE) && !view.preferences.has(Preferences::NO_SMS_SERVICE));
    assert_eq!(world.host.state().inbound_messages(None, 10).unwrap()[0].handled, "opt-out");
}

#[tokio::test]
async fn a_report_that_the_customer_refuses_the_platform_stops_it_there() {
    for before_its_answer in [false, true] {
        let world = world().await;
        start_wechat(&world, "wechat").unwrap();
        let messages = run(&world).await;
        let (who, queued) = messages.iter().find(|(_, m)| m.channel == Channel::Wechat).unwrap();
        let id = MessageId::new(TAIYUAN, queued.number);
        let name = LinkName::new("wechat").unwrap();
        let outbox = world.host.outbox();
        let claimed: Vec<MessageId> =
            outbox.claim(&name, 1_000, Which::Any).await.unwrap().iter().map(|m| m.id).collect();
        outbox.intend(&name, &claimed).await.unwrap();
        let accepted = gridbell_channels::Outcome::Accepted { key: CarrierKey::text("m1") };
        let answer = [Answer { message: id, part: 1, outcome: accepted }];
        if !before_its_answer {
            outbox.answered(&name, &answer).await.unwrap();
        }
        assert_eq!(called(&world, "wechat", "rejected m1".to_owned()).await, 200);
        if before_its_answer {
            outbox.answered(&name, &answer).await.unwrap();
        }
        let status = world.host.state().message_status(id).unwrap().unwrap();
        assert_eq!((status.state, status.code.as_str()), (MessageState::Failed, "REJECTD"));
        let (_, view) = world.host.state().customer(*who).unwrap();
        assert!(view.preferences.has(Preferences::NO_WECHAT_SERVICE), "{before_its_answer}");
        assert_eq!(world.host.state().contacts(*who).unwrap().len(), 1, "he follows still");
    }
}

#[tokio::test]
async fn an_id_of_another_account_of_the_provinces_is_no_address_at_this_one() {
    let world = world().await;
    start_wechat(&world, "wechat").unwrap();
    let other = |n: u64| {
        let ContactFact { account, channel, address } = bind(n, Some(n));
        ContactFact { account, channel, address: address.map(|a| Bound { app: "wx2".to_owned(), ..a }) }
    };
    let messages = run(&world).await;
    let (who, queued) = messages.iter().find(|(_, m)| m.channel == Channel::Wechat).unwrap();
    world.host.state().facts(Facts::Contacts(vec![other(number(*who))]), false, vec![]).await.unwrap();
    let (name, outbox) = (LinkName::new("wechat").unwrap(), world.host.outbox());
    let claimed: Vec<MessageId> = outbox.claim(&name, 1_000, Which::Any).await.unwrap().iter().map(|m| m.id).collect();
    outbox.intend(&name, &claimed).await.unwrap();
    let status = world.host.state().message_status(MessageId::new(TAIYUAN, queued.number)).unwrap().unwrap();
    assert_eq!(status.reason, Some(HoldReason::NoAddress));
}

#[tokio::test]
async fn a_link_that_stands_by_takes_when_the_others_cannot_send_or_take_no_more() {
    let world = World::new().await;
    let line = start_sms(&world, "line", |_| ());
    let spare = start_sms(&world, "spare", |terms| terms.standby = true);
    world.clock.advance_to(first_day().at(9, 30).moment());
    world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap();
    assert_eq!(takes(&world, &spare, 4).await, 0);
    world.host.pause_link("line", "ops").await.unwrap();
    assert_eq!((takes(&world, &line, 4).await, takes(&world, &spare, 4).await), (0, 0), "it was able a moment ago");
    world.clock.advance(std::time::Duration::from_secs(30));
    assert!(takes(&world, &spare, 4).await > 0);
    world.host.resume_link("line", "ops").await.unwrap();
    assert_eq!(takes(&world, &spare, 4).await, 0);
    world.host.drain(Extent::Link("line".into()), "a new cable", "ops").await.unwrap();
    assert_eq!(takes(&world, &line, 4).await, 0, "it claims no more");
    assert!(takes(&world, &spare, 4).await > 0);
    world.host.release_stop(&Extent::Link("line".into()), "ops").await.unwrap();
    assert!(takes(&world, &line, 4).await > 0);
}

#[tokio::test]
async fn links_share_by_their_weights_until_something_waits_for_longer_than_a_second() {
    let world = World::new().await;
    let heavy = start_sms(&world, "heavy", |terms| terms.weight = Some(3));
    let light = start_sms(&world, "light", |terms| terms.weight = Some(1));
    let room = start_sms(&world, "room", |_| ());
    world.clock.advance_to(first_day().at(9, 30).moment());
    world.host.run_policy(RunRequest::by_person(TAIYUAN, REMINDER, "a")).await.unwrap();
    let (mut of_heavy, mut of_light) = (0, 0);
    for _ in 0..12 {
        of_heavy += takes(&world, &heavy, 3).await;
        of_light += takes(&world, &light, 3).await;
    }
    assert!(of_light >= 2 && of_heavy.abs_diff(3 * of_light) <= 12, "{of_heavy} and {of_light}");
    assert!(takes(&world, &room, 3).await > 0, "one without a weight takes as it has room");
    while takes(&world, &light, 3).await > 0 {}
    assert_eq!(takes(&world, &light, 3).await, 0);
    world.clock.advance(WEIGHTS_GIVE_WAY + std::time::Duration::from_secs(1));
    for _ in 0..3 {
        assert!(takes(&world, &light, 3).await > 0, "what waits is held up by no weight");
    }
}
