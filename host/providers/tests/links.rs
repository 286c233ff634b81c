//! Links to simulated platforms, over sockets: every way in which a message goes, is refused, is lost on the way or meets a crash.
#![expect(clippy::unwrap_used, reason = "a test ends where its bench is not as built")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use gridbell_channels::http::{Followers, HttpHandle, Said};
use gridbell_channels::{Action, Address, AlarmKind, LinkName, LinkState, Outbox, ReportOutcome};
use gridbell_clock::Clock;
use gridbell_model::{MessageId, Phone};
use gridbell_providers::{Account, Built};
use gridbell_simulators::web::{Callbacks, Faults, Refusal};
use gridbell_simulators::{alipay, http_sms, wechat};
use support::{Fate, Memory, Place, WECHAT, build, link, openid, simulate, template};

const AES: &str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG";

struct Bench {
    clock: Clock,
    outbox: Arc<Memory>,
    dir: tempfile::TempDir,
    gateway: wechat::Gateway,
}

impl Bench {
    async fn new(config: wechat::Config) -> Self {
        let clock = Clock::system();
        let gateway = simulate::<wechat::WeChat>(config, &clock).await;
        Self { outbox: Memory::new(&clock), dir: tempfile::tempdir().unwrap(), clock, gateway }
    }

    async fn with(faults: Faults) -> Self {
        Self::new(wechat::Config { faults, ..wechat::Config::default() }).await
    }

    fn built(&self) -> Built {
        build(WECHAT, self.gateway.addr(), self.dir.path(), &self.clock)
    }

    fn link(&self) -> (HttpHandle, Arc<Account>) {
        link(self.built(), &self.outbox, &self.clock)
    }

    fn put(&self, count: usize) -> Vec<MessageId> {
        (0..count).map(|n| self.outbox.put(openid(n), template("TM1", &[("first", "停电通知")]))).collect()
    }

    /// How often each message is in the platform's journal.
    fn journal(&self) -> BTreeMap<String, usize> {
        let mut journal = BTreeMap::new();
        for entry in self.gateway.log() {
            *journal.entry(entry.client_id).or_default() += 1;
        }
        journal
    }

    fn each_once(&self, ids: &[MessageId]) {
        let expected = ids.iter().map(|id| (id.to_string(), 1)).collect();
        assert_eq!(self.journal(), expected);
    }
}

async fn drained(link: &HttpHandle) {
    link.drain();
    link.closed().await;
}

#[tokio::test]
async fn messages_go_once_with_one_token_and_come_back_as_delivered_or_not() {
    let place = Place::new("").await;
    let callbacks = Callbacks { url: Some(place.url.clone()), tries: 5, retry_ms: 1 };
    let faults = Faults {
        failure_share: 0.3,
        report_repeat: 0.2,
        report_reorder: 0.5,
        report_reorder_ms: 20,
        ..Faults::default()
    };
    let config = wechat::Config { aes_key: Some(AES.into()), callbacks, faults, ..wechat::Config::default() };
    let bench = Bench::new(config).await;
    let (link, account) = bench.link();
    let _stop = place.open(LinkName::new("wechat").unwrap(), &account, &bench.outbox, &bench.clock);
    let ids = bench.put(100);
    let told =
        |outbox: &Memory| outbox.reports().iter().map(|report| report.key.to_string()).collect::<BTreeSet<_>>().len();
    bench.outbox.until(|outbox| outbox.accepted() == 100 && told(outbox) == 100).await;
    bench.each_once(&ids);
    let stats = bench.gateway.stats();
    assert_eq!(stats.calls["/cgi-bin/stable_token"], 1, "one token for all");
    assert!(stats.peak_calls <= 17, "{}", stats.peak_calls);
    let mut outcomes = BTreeMap::new();
    for report in bench.outbox.reports() {
        outcomes.insert(report.key.to_string(), report.outcome);
    }
    for entry in bench.gateway.log() {
        let expected = if entry.fate == "success" { ReportOutcome::Delivered } else { ReportOutcome::Failed };
        assert_eq!(outcomes[&entry.msg_id], expected);
    }
    let status = link.status();
    assert_eq!(
        (status.state, status.counts.accepted, status.version.as_deref()),
        (LinkState::Up, 100, Some("HTTP/1.1"))
    );
    drained(&link).await;
    assert_eq!(link.status().state, LinkState::Closed);
}

#[tokio::test]
async fn who_does_not_follow_is_for_the_next_channel_and_a_bad_template_stops_the_link() {
    let faults = Faults { unreachable: 0.4, ..Faults::default() };
    let bench = Bench::new(wechat::Config { faults, templates: vec!["TM1".into()], ..wechat::Config::default() }).await;
    let (link, _) = bench.link();
    bench.put(50);
    bench.outbox.until(|outbox| outbox.open() == 0).await;
    let refused = Fate::Declined("43004".into(), Action::BadNumber);
    let fates = bench.outbox.fates();
    let (went, not): (Vec<_>, Vec<_>) = fates.into_iter().flatten().partition(|fate| matches!(fate, Fate::Accepted(_)));
    assert!(!went.is_empty() && !not.is_empty() && not.iter().all(|fate| *fate == refused), "{not:?}");

    bench.gateway.set_faults(Faults::default()).unwrap();
    let stuck = bench.outbox.put(openid(1), template("OTHER", &[("first", "停电")]));
    let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
    assert!(status.alarms.iter().any(|alarm| alarm.kind == AlarmKind::SubmitsRefused { code: 40037 }), "{status:?}");
    bench.outbox.until(|outbox| outbox.in_hand() == 0).await;
    assert_eq!((bench.outbox.fate(stuck), bench.outbox.is_marked(stuck)), (None, false), "kept, and not marked");
    let text = format!("{status:?}");
    assert!(text.contains("40037") && !text.contains("oABC"), "{text}");
    drained(&link).await;
}

#[tokio::test]
async fn what_never_can_go_is_said_without_a_call() {
    let bench = Bench::with(Faults::default()).await;
    let (link, _) = bench.link();
    let phone = bench.outbox.put(Phone::from_text("13800001234").into(), template("TM1", &[("first", "停电")]));
    let text = bench.outbox.put(openid(1), "停电".to_owned().into());
    let long = bench.outbox.put(openid(2), template("TM1", &[("first", &"停".repeat(6000))]));
    bench.outbox.until(|outbox| outbox.open() == 0).await;
    for id in [phone, text, long] {
        assert_eq!(bench.outbox.fate(id), Some(Fate::GaveUp));
    }
    assert!(bench.gateway.log().is_empty());
    drained(&link).await;
}

#[tokio::test]
async fn a_token_that_ends_in_the_middle_costs_one_refresh_and_no_message() {
    let bench = Bench::with(Faults { answer_delay_ms: (1, 3), ..Faults::default() }).await;
    let (link, _) = bench.link();
    let ids = bench.put(300);
    for least in [50, 150] {
        bench.outbox.until(|outbox| outbox.accepted() >= least).await;
        bench.gateway.platform().void_tokens();
    }
    bench.outbox.until(|outbox| outbox.accepted() == 300).await;
    bench.each_once(&ids);
    let stats = bench.gateway.stats();
    assert!(stats.strangers > 0 && stats.calls["/cgi-bin/stable_token"] <= 3, "{stats:?}");
    assert!(ids.iter().all(|id| !bench.outbox.is_marked(*id)));
    assert_eq!(link.status().state, LinkState::Up);
    drained(&link).await;
}

#[tokio::test]
async fn a_wrong_secret_asks_rarely_and_keeps_every_message() {
    let bench = Bench::new(wechat::Config { secret: "another".into(), ..wechat::Config::default() }).await;
    let (link, _) = bench.link();
    let ids = bench.put(5);
    let refused = AlarmKind::LoginRefused { status: 40125 };
    link.wait_for(|status| status.alarms.iter().any(|alarm| alarm.kind == refused)).await;
    drained(&link).await;
    assert_eq!((bench.outbox.open(), bench.outbox.in_hand()), (5, 0));
    assert!(ids.iter().all(|id| !bench.outbox.is_marked(*id)) && bench.gateway.log().is_empty());
    assert_eq!(bench.gateway.stats().strangers, 1);
}

#[tokio::test]
async fn when_the_days_quota_is_used_all_others_go_on_to_the_next_channel() {
    // The platform's own, then the operator's.
    for (platform, ours) in [(20, None), (1_000, Some(20))] {
        let bench = Bench::new(wechat::Config { day_quota: platform, ..wechat::Config::default() }).await;
        let mut built = bench.built();
        built.terms.day_quota = ours;
        let (link, _) = link(built, &bench.outbox, &bench.clock);
        bench.put(100);
        bench.outbox.until(|outbox| outbox.open() == 0).await;
        assert_eq!((bench.outbox.accepted(), bench.gateway.log().len()), (20, 20));
        let midnight = bench.clock.today().plus_days(1).at(0, 0).moment();
        for fate in bench.outbox.fates().into_iter().flatten().filter(|fate| !matches!(fate, Fate::Accepted(_))) {
            let Fate::Declined(code, Action::NextChannelUntil { until }) = fate else { panic!("{fate:?}") };
            assert!(until == midnight && ["45009", "day-quota"].contains(&code.as_str()), "{code}");
        }
        let calls = bench.gateway.stats().calls["/cgi-bin/message/template/send"];
        assert!(calls <= 20 + 16, "{calls} calls: no more than were under way");
        assert!(link.status().alarms.iter().any(|alarm| alarm.kind == AlarmKind::QuotaUsed));
        drained(&link).await;
    }
}

#[tokio::test]
async fn lost_answers_html_and_busy_words_lose_nothing_and_send_nothing_twice() {
    let refuse = vec![Refusal { code: "-1".into(), share: 0.1 }, Refusal { code: "45011".into(), share: 0.02 }];
    let bench = Bench::with(Faults { lose_answer: 0.2, html: 0.1, refuse, ..Faults::default() }).await;
    let mut built = bench.built();
    // 45011 waits for the next minute by the platform's own word: not in a test.
    built.terms.timers.throttle_max_s = 1;
    built.terms.attempts = 100;
    let (link, _) = link(built, &bench.outbox, &bench.clock);
    let ids = bench.put(200);
    bench.outbox.until(|outbox| outbox.accepted() == 200).await;
    bench.each_once(&ids);
    assert!(bench.gateway.stats().repeated > 0 && bench.gateway.stats().answers_lost > 0);
    drained(&link).await;
}

#[tokio::test]
async fn a_platform_that_is_down_opens_the_breaker_and_nothing_is_lost_until_it_is_back() {
    let bench = Bench::with(Faults::default()).await;
    let (link, _) = bench.link();
    let first = bench.put(1);
    bench.outbox.until(|outbox| outbox.accepted() == 1).await;
    bench.gateway.set_faults(Faults { down: true, ..Faults::default() }).unwrap();
    bench.put(50);
    let status = link.wait_for(|status| status.alarms.iter().any(|a| a.kind == AlarmKind::Unreachable)).await;
    assert_eq!(status.state, LinkState::Connecting);
    let unread = bench.gateway.stats().unread;
    assert!(unread <= 5 + 16, "{unread} calls before it opened");
    bench.gateway.set_faults(Faults::default()).unwrap();
    bench.outbox.until(|outbox| outbox.open() == 0).await;
    link.wait_for(|status| status.state == LinkState::Up && status.alarms.is_empty()).await;
    assert_eq!(bench.outbox.accepted(), 51);
    assert!(first.iter().all(|id| !bench.outbox.is_marked(*id)));
    drained(&link).await;
}

#[tokio::test]
async fn another_address_in_an_answer_stops_the_link_and_is_not_followed() {
    let bench = Bench::with(Faults::default()).await;
    let (link, _) = bench.link();
    bench.put(1);
    bench.outbox.until(|outbox| outbox.accepted() == 1).await;
    bench.gateway.set_faults(Faults { redirect: 1.0, ..Faults::default() }).unwrap();
    let ids = bench.put(3);
    let status = link.wait_for(|status| status.state == LinkState::Stopped).await;
    assert!(status.last_error.unwrap().contains("http-302"));
    // Those that were under way are refused alike; after that a person lets it go on.
    bench.outbox.until(|outbox| outbox.in_hand() == 0).await;
    bench.gateway.set_faults(Faults::default()).unwrap();
    link.resume();
    bench.outbox.until(|outbox| outbox.accepted() == 4).await;
    assert!(ids.iter().all(|id| !bench.outbox.is_marked(*id)));
    drained(&link).await;
}

#[tokio::test]
async fn a_hold_gives_back_what_is_not_sent_and_a_grant_spreads_it() {
    let bench = Bench::with(Faults::default()).await;
    let mut built = bench.built();
    built.terms.grant = 20;
    let (link, _) = link(built, &bench.outbox, &bench.clock);
    bench.put(60);
    bench.outbox.until(|outbox| outbox.accepted() >= 5).await;
    link.pause();
    bench.outbox.until(|outbox| outbox.in_hand() == 0).await;
    let went = bench.outbox.accepted();
    // Without the grant all would have gone at once.
    assert!(went < 60 && link.status().state == LinkState::Held, "{went}");
    link.resume();
    bench.outbox.until(|outbox| outbox.accepted() >= 25).await;
    drained(&link).await;
    assert_eq!(bench.outbox.in_hand(), 0);
}

#[tokio::test]
async fn what_a_crash_exposes_is_bounded_while_answers_do_not_become_durable() {
    let bench = Bench::with(Faults::default()).await;
    let mut built = bench.built();
    (built.terms.window, built.terms.commit_group) = (4, 8);
    bench.put(100);
    bench.outbox.shut.send_replace(true);
    let (link, _) = link(built, &bench.outbox, &bench.clock);
    // All that may be exposed went, and none of it is known to have gone.
    bench.gateway.wait_until(|stats| stats.accepted >= 12).await;
    bench.outbox.shut.send_replace(false);
    bench.outbox.until(|outbox| outbox.accepted() == 100).await;
    drained(&link).await;
    assert_eq!(bench.outbox.most_in_hand(), 12);
}

#[tokio::test]
async fn a_failing_outbox_raises_an_alarm_and_a_callback_is_answered_only_when_it_is_kept() {
    let place = Place::new("").await;
    let callbacks = Callbacks { url: Some(place.url.clone()), tries: 5, retry_ms: 1 };
    let config = wechat::Config { aes_key: Some(AES.into()), callbacks, ..wechat::Config::default() };
    let bench = Bench::new(config).await;
    let (link, account) = bench.link();
    let name = LinkName::new("wechat").unwrap();
    let _stop = place.open(name.clone(), &account, &bench.outbox, &bench.clock);
    bench.outbox.fail(1);
    bench.put(1);
    bench.outbox.until(|outbox| outbox.reports().len() == 1).await;
    assert!(link.status().alarms.is_empty(), "it came right");
    drained(&link).await;
    // A follower comes; twice it cannot be kept.
    bench.outbox.fail(2);
    let taken = bench.gateway.stats().reports_taken;
    let xml = "<xml><ToUserName>gh_1</ToUserName><FromUserName>oFollower1</FromUserName><CreateTime>1795000000</CreateTime>\
               <MsgType>event</MsgType><Event>subscribe</Event><EventKey>qrscene_7</EventKey></xml>";
    bench.gateway.post(bench.gateway.platform().event(xml.to_owned(), [7; 16]));
    bench.gateway.wait_until(|stats| stats.reports_taken == taken + 1).await;
    let said = bench.outbox.said();
    assert!(
        matches!(&said[..], [Said::Followed { id, scene: Some(scene), .. }] if id == "oFollower1" && scene == "qrscene_7")
    );
    // The port's own words for it.
    bench.outbox.said_by(&name, &said).await;
}

impl Memory {
    async fn said_by(&self, name: &LinkName, said: &[Said]) {
        Followers::said(self, name, said).await.unwrap();
        Outbox::ready(self, name).await;
    }
}

const ALIPAY: &str = r##"
    address = "http://{address}"
    plain-http = true
    link = { name = "alipay", attempts = 20, timers = { breaker-min-ms = 20, repeat-min-ms = 5, throttle-min-ms = 5 } }
    [account]
    kind = "alipay"
    app-id = "2021000000000001"
    app-key = "{dir}/app.pem"
    alipay-key = "{dir}/alipay.pem"
"##;

fn keys(dir: &std::path::Path) {
    let keys = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../alipay/tests/keys");
    for (from, to) in [("app-pkcs8.pem", "app.pem"), ("alipay-public.pem", "alipay.pem")] {
        std::fs::copy(keys.join(from), dir.join(to)).unwrap();
    }
}

#[tokio::test]
async fn alipay_tells_a_lost_answer_as_unanswered_and_nothing_goes_twice_unmarked() {
    let (clock, dir) = (Clock::system(), tempfile::tempdir().unwrap());
    keys(dir.path());
    let place = Place::new("").await;
    let callbacks = Callbacks { url: Some(place.url.clone()), tries: 5, retry_ms: 1 };
    let faults = Faults { unreachable: 0.2, lose_answer: 0.2, ..Faults::default() };
    let gateway =
        simulate::<alipay::Alipay>(alipay::Config { callbacks, faults, ..alipay::Config::default() }, &clock).await;
    let outbox = Memory::new(&clock);
    let (link, account) = link(build(ALIPAY, gateway.addr(), dir.path(), &clock), &outbox, &clock);
    let _stop = place.open(LinkName::new("alipay").unwrap(), &account, &outbox, &clock);
    let user = |n: usize| format!("2088{n:012}");
    let ids: Vec<_> = (0..100)
        .map(|n| {
            outbox.put(Address::UserId(user(n).into()), template("T1", &[("first", "停电通知"), ("keyword1", "明日")]))
        })
        .collect();
    outbox.until(|outbox| outbox.open() == 0).await;
    let mut journal = BTreeMap::<String, usize>::new();
    for entry in gateway.log() {
        *journal.entry(entry.to).or_default() += 1;
    }
    let (mut twice, mut next) = (0, 0);
    for (n, id) in ids.iter().enumerate() {
        let count = journal.get(&user(n)).copied().unwrap_or(0);
        match outbox.fate(*id).unwrap() {
            Fate::Accepted(_) => assert!(count >= 1, "lost"),
            Fate::Declined(code, Action::BadNumber) => {
                assert_eq!((code.as_str(), count), ("PUB.MSG_SD_NOFOLLOW", 0));
                next += 1;
            }
            other => panic!("{other:?}"),
        }
        assert!(count <= 1 || outbox.is_marked(*id), "twice and not marked");
        twice += usize::from(count > 1);
    }
    assert!(twice > 0 && next > 0, "{twice} {next}");
    gateway.wait_until(|stats| stats.reports_taken == stats.accepted).await;
    // Taken back, by the number that the platform gave.
    let Some(Fate::Accepted(key)) = outbox.fates().into_iter().flatten().find(|fate| matches!(fate, Fate::Accepted(_)))
    else {
        panic!("none was accepted");
    };
    let client = build(ALIPAY, gateway.addr(), dir.path(), &clock).client;
    assert!(gridbell_channels::http::recall(&*account, &client, &key, clock.now()).await.unwrap());
    assert!(gateway.platform().recalled().contains(&key.to_string()));
    drained(&link).await;
}

const ALIYUN: &str = r#"
    address = "http://{address}"
    plain-http = true
    serves = ["mobile"]
    link = { name = "aliyun", timers = { breaker-min-ms = 20, repeat-min-ms = 5, throttle-min-ms = 5 } }
    [account]
    kind = "aliyun"
    access-key = "LTAI5tSimulated"
    secret = { file = "{dir}/secret" }
    sign-name = "国网山西电力"
    callback-key = { file = "{dir}/key" }
    [[account.template]]
    code = "SMS_1"
    text = "您好！${name}通知：${day}停电。"
"#;

#[tokio::test]
async fn aliyun_is_asked_for_details_before_anything_goes_again() {
    let (clock, dir) = (Clock::system(), tempfile::tempdir().unwrap());
    let place = Place::new("?key=0123456789abcdef0123456789abcdef").await;
    let callbacks = Callbacks { url: Some(place.url.clone()), tries: 5, retry_ms: 1 };
    let faults = Faults { lose_answer: 0.3, unreachable: 0.1, failure_share: 0.2, ..Faults::default() };
    let gateway =
        simulate::<http_sms::HttpSms>(http_sms::Config { callbacks, faults, ..http_sms::Config::default() }, &clock)
            .await;
    let outbox = Memory::new(&clock);
    let (link, account) = link(build(ALIYUN, gateway.addr(), dir.path(), &clock), &outbox, &clock);
    let _stop = place.open(LinkName::new("aliyun").unwrap(), &account, &outbox, &clock);
    let ids: Vec<_> = (0..100)
        .map(|n| {
            let text = format!("【国网山西电力】您好！计划检修通知：11月{n}日停电。");
            outbox.put(Phone::from_text(&(13_800_000_000_u64 + n).to_string()).into(), text.into())
        })
        .collect();
    let other = outbox.put(Phone::from_text("13800000200").into(), "【国网山西电力】您好".to_owned().into());
    outbox.until(|outbox| outbox.open() == 0).await;
    assert!(matches!(outbox.fate(other).unwrap(), Fate::GaveUp), "a text that is none of the templates");
    let log = gateway.log();
    assert!(log.iter().all(|e| e.template == "SMS_1" && e.text.contains("计划检修") && !e.text.contains('【')));
    for id in &ids {
        let count = log.iter().filter(|entry| entry.client_id == id.to_string()).count();
        match outbox.fate(*id).unwrap() {
            Fate::Accepted(key) => assert_eq!((count, key.to_string()), (1, id.to_string())),
            Fate::Declined(code, Action::BadNumber) => {
                assert_eq!((code.as_str(), count), ("isv.MOBILE_NUMBER_ILLEGAL", 0))
            }
            other => panic!("{other:?}"),
        }
        assert!(!outbox.is_marked(*id), "resolved by asking");
    }
    assert!(gateway.stats().answers_lost > 0 && gateway.stats().calls["QuerySendDetails"] > 0);
    gateway.wait_until(|stats| stats.reports_taken == stats.accepted).await;
    let failed = outbox.reports().iter().filter(|report| report.outcome == ReportOutcome::Failed).count();
    assert_eq!(failed, log.iter().filter(|entry| entry.fate != "DELIVERED").count());
    drained(&link).await;
}

const PROVINCE: &str = r#"
    address = "http://{address}"
    plain-http = true
    serves = ["mobile"]
    link = { name = "province", timers = { breaker-min-ms = 20, repeat-min-ms = 5, throttle-min-ms = 5 } }
    [account]
    kind = "http-sms"
    account = "LTAI5tSimulated"
    secret = { file = "{dir}/secret" }
    knows-repetitions = true
    [account.request]
    path = "/sms/send"
    fields = { account = "{account}", time = "{time}", phone = "{phone}", text = "{text}", sender = "{sender}", id = "{id}", sign = "{sign}" }
    [account.sign]
    kind = "hmac-sha256"
    over = "{account}{time}{phone}{id}{text}"
    [account.answer]
    code = "/code"
    ok = ["0"]
    id = "/data/msgid"
    codes = { 11 = "stop", 12 = "stop", 21 = "bad-address", 22 = "next-channel", 31 = "slow-down", 41 = "next-channel-until-midnight", 99 = "retry" }
    [account.receipt]
    id = "/msgid"
    status = "/status"
    phone = "/phone"
    delivered = ["DELIVRD"]
    acknowledge = '{"code": 0}'
    proof = { header = { name = "x-sign", kind = "hmac-sha256" } }
"#;

#[tokio::test]
async fn a_provinces_platform_is_spoken_to_as_configured() {
    let (clock, dir) = (Clock::system(), tempfile::tempdir().unwrap());
    let place = Place::new("").await;
    let callbacks = Callbacks { url: Some(place.url.clone()), tries: 5, retry_ms: 1 };
    let refuse = vec![Refusal { code: "99".into(), share: 0.1 }];
    let faults = Faults { lose_answer: 0.2, unreachable: 0.1, refuse, failure_share: 0.2, ..Faults::default() };
    let gateway =
        simulate::<http_sms::HttpSms>(http_sms::Config { callbacks, faults, ..http_sms::Config::default() }, &clock)
            .await;
    let outbox = Memory::new(&clock);
    let (link, account) = link(build(PROVINCE, gateway.addr(), dir.path(), &clock), &outbox, &clock);
    let _stop = place.open(LinkName::new("province").unwrap(), &account, &outbox, &clock);
    let ids: Vec<_> = (0..100)
        .map(|n| {
            outbox.put(
                Phone::from_text(&(13_800_000_000_u64 + n).to_string()).into(),
                format!("【国网山西电力】第{n}条").into(),
            )
        })
        .collect();
    outbox.until(|outbox| outbox.open() == 0).await;
    let log = gateway.log();
    for id in &ids {
        let of: Vec<_> = log.iter().filter(|entry| entry.client_id == id.to_string()).collect();
        match outbox.fate(*id).unwrap() {
            Fate::Accepted(key) => assert_eq!((of.len(), of[0].msg_id.clone()), (1, key.to_string())),
            Fate::Declined(code, Action::BadNumber) => assert_eq!((code.as_str(), of.len()), ("21", 0)),
            other => panic!("{other:?}"),
        }
    }
    gateway.wait_until(|stats| stats.reports_taken == stats.accepted).await;
    assert_eq!(outbox.reports().len(), log.len());
    assert!(outbox.reports().iter().all(|report| report.phone.is_sendable()));
    drained(&link).await;
}

/// The process ends anywhere between intent and answer, again and again.
#[test]
fn kills_between_intent_and_answer_lose_nothing_and_send_nothing_twice_unmarked() {
    let here = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let faults = Faults { answer_delay_ms: (0, 4), lose_answer: 0.05, ..Faults::default() };
    let bench = here.block_on(Bench::with(faults));
    let ids = bench.put(400);
    for round in 1..=8 {
        let there = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (link, _) = there.block_on(async { bench.link() });
        here.block_on(bench.outbox.until(|outbox| outbox.accepted() >= 40 * round));
        there.shutdown_timeout(Duration::from_secs(5));
        drop(link);
        bench.outbox.crash();
    }
    here.block_on(async {
        let (link, _) = bench.link();
        bench.outbox.until(|outbox| outbox.accepted() == 400).await;
        drained(&link).await;
    });
    // The platform knows its client_msg_id again: not even the marked went twice.
    bench.each_once(&ids);
    assert!(ids.iter().any(|id| bench.outbox.is_marked(*id)));
}
