//! The simulated HTTP platforms against our own codecs, over sockets: what is refused, counted, known again, told late, twice or never.
#![expect(clippy::unwrap_used, reason = "a test ends where its bench is not as built")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use gridbell_alipay as pay;
use gridbell_aliyun as cloud;
use gridbell_clock::Clock;
use gridbell_exchange::{Client, Handler, Incoming, Origin, Reply, Trust, serve};
use gridbell_model::{Date, Moment};
use gridbell_platform::{Act, Answer, CallError, Exchange, Outcome, Request, Secret};
use gridbell_simulators::web::{Callbacks, Faults, Gateway, Platform, Refusal};
use gridbell_simulators::{alipay, http_sms, wechat};
use gridbell_wechat as chat;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const OPENID: &str = "oABCDEFGHIJKLMNOPQRSTUVWXYZ0";

fn noon() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment()
}

async fn start<P: Platform>(config: P::Config, clock: &Clock) -> (Gateway<P>, Client) {
    let gateway = Gateway::start(config, clock.clone(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    let origin = Origin::read(&format!("http://{}", gateway.addr())).unwrap();
    (gateway, Client::new(origin, &Trust::default(), clock.clone()).unwrap())
}

/// Keeps what is posted to it, and answers as it is told.
#[derive(Default)]
struct Ear {
    heard: Mutex<Vec<Incoming>>,
    answers: Mutex<Vec<Reply>>,
}

impl Handler for Ear {
    async fn handle(&self, request: Incoming) -> Reply {
        self.heard.lock().push(request);
        self.answers.lock().pop().unwrap_or_else(|| Reply::text(200, "success"))
    }
}

async fn ear(clock: &Clock) -> (Arc<Ear>, Callbacks, CancellationToken) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let url = format!("http://{}/callbacks/x", listener.local_addr().unwrap());
    let (ear, stop) = (Arc::new(Ear::default()), CancellationToken::new());
    tokio::spawn(serve(listener, Arc::clone(&ear), clock.clone(), stop.clone()));
    (ear, Callbacks { url: Some(url), tries: 3, retry_ms: 1 }, stop)
}

async fn call(client: &Client, request: &Request) -> Answer {
    client.call(request).await.unwrap()
}

async fn token(client: &Client, force: bool) -> Result<(Secret, u32), String> {
    let asked = chat::token::request("wx0123456789abcdef", &Secret::new("secret"), force);
    match chat::token::read(&call(client, &asked).await.body).unwrap() {
        chat::token::Answer::Token { secret, expires_in_s } => Ok((secret, expires_in_s)),
        chat::token::Answer::Refused(Outcome::Refused { code, .. }) => Err(code.to_string()),
        other => panic!("{other:?}"),
    }
}

fn message(openid: &str) -> chat::message::Message {
    chat::message::Message {
        openid: openid.into(),
        template_id: "TM1".into(),
        url: String::new(),
        mini_program: None,
        data: vec![("first".into(), "停电通知".into())],
    }
}

async fn tell(client: &Client, openid: &str, id: &str, token: &Secret) -> Outcome {
    let request = chat::message::template(&message(openid), id, token).unwrap();
    chat::answer::read(&call(client, &request).await.body).unwrap()
}

fn code(outcome: Outcome) -> String {
    match outcome {
        Outcome::Accepted { .. } => "ok".into(),
        Outcome::Refused { code, .. } => code.to_string(),
    }
}

#[tokio::test]
async fn wechats_token_is_stable_forced_within_limits_and_overlaps_its_successor() {
    let clock = Clock::manual(noon());
    let (_gateway, client) = start::<wechat::WeChat>(wechat::Config::default(), &clock).await;
    let (first, life) = token(&client, false).await.unwrap();
    assert_eq!(life, 7200);
    clock.advance(std::time::Duration::from_secs(3600));
    let (again, life) = token(&client, false).await.unwrap();
    assert_eq!((again.expose(), life), (first.expose(), 3600));
    // In its last five minutes another is given, and both are valid.
    clock.advance(std::time::Duration::from_secs(3301));
    let (second, life) = token(&client, false).await.unwrap();
    assert!(second.expose() != first.expose() && life == 7200);
    assert_eq!(code(tell(&client, OPENID, "a", &first).await), "ok");
    assert_eq!(code(tell(&client, OPENID, "b", &second).await), "ok");
    clock.advance(std::time::Duration::from_secs(300));
    assert_eq!(code(tell(&client, OPENID, "c", &first).await), "42001", "expired, and still known");
    // A forced one voids it at once; twenty a day, half a minute apart.
    let (third, _) = token(&client, true).await.unwrap();
    assert_eq!(code(tell(&client, OPENID, "d", &second).await), "40001");
    assert_eq!(code(tell(&client, OPENID, "d", &third).await), "ok");
    assert_eq!(token(&client, true).await.unwrap().0.expose(), third.expose(), "too soon: it does not refresh");
    for _ in 0..19 {
        clock.advance(std::time::Duration::from_secs(30));
        token(&client, true).await.unwrap();
    }
    clock.advance(std::time::Duration::from_secs(30));
    assert_eq!(token(&client, true).await.unwrap_err(), "45009");
}

#[tokio::test]
async fn wechat_refuses_counts_and_knows_again() {
    let clock = Clock::manual(noon());
    let config = wechat::Config {
        day_quota: 3,
        templates: vec!["TM1".into()],
        faults: Faults { unreachable: 0.5, ..Faults::default() },
        ..wechat::Config::default()
    };
    let (gateway, client) = start::<wechat::WeChat>(config, &clock).await;
    let (token, _) = token(&client, false).await.unwrap();
    let mut codes = std::collections::BTreeMap::<String, Vec<String>>::new();
    for n in 0..12 {
        let openid = format!("{OPENID}{n}");
        codes.entry(code(tell(&client, &openid, "m", &token).await)).or_default().push(openid);
    }
    assert_eq!(codes["ok"].len(), 3, "{codes:?}");
    assert!(!codes["43004"].is_empty() && !codes["45009"].is_empty(), "{codes:?}");
    assert_eq!(code(tell(&client, &codes["43004"][0], "n", &token).await), "43004", "always the same");
    // Known again for ten minutes, even with the quota used, and not in the log twice.
    assert_eq!(code(tell(&client, &codes["ok"][0], "m", &token).await), "ok");
    assert_eq!((gateway.log().len(), gateway.stats().repeated), (3, 1));
    clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(code(tell(&client, &codes["ok"][0], "m", &token).await), "45009", "forgotten");
    clock.advance(std::time::Duration::from_secs(12 * 3600));
    let (token, _) = self::token(&client, false).await.unwrap();
    assert_eq!(code(tell(&client, &codes["ok"][0], "m", &token).await), "ok", "another day");
    let other = chat::message::Message { template_id: "TM2".into(), ..message(OPENID) };
    let request = chat::message::template(&other, "x", &token).unwrap();
    assert_eq!(code(chat::answer::read(&call(&client, &request).await.body).unwrap()), "40037");
    // One consent is one notice.
    let to = &codes["ok"][1];
    let notice = async || {
        let request = chat::message::subscription(&message(to), &token).unwrap();
        code(chat::answer::read(&call(&client, &request).await.body).unwrap())
    };
    assert_eq!((notice().await, notice().await), ("ok".into(), "43101".into()));
    gateway.platform().consent(to, "TM1");
    assert_eq!(notice().await, "ok");
}

#[tokio::test]
async fn wechats_events_come_signed_in_both_modes_until_they_are_taken_late_twice_or_never() {
    for aes in [None, Some("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG")] {
        let clock = Clock::system();
        let (ear, callbacks, _stop) = ear(&clock).await;
        // The first try is answered with an error.
        ear.answers.lock().push(Reply::text(500, "later"));
        let faults = Faults { failure_share: 1.0, report_repeat: 1.0, ..Faults::default() };
        let aes_key = aes.map(str::to_owned);
        let config = wechat::Config { aes_key, callbacks, faults, ..wechat::Config::default() };
        let (gateway, client) = start::<wechat::WeChat>(config, &clock).await;
        let (token, _) = token(&client, false).await.unwrap();
        let Outcome::Accepted { id } = tell(&client, OPENID, "m", &token).await else { panic!("not accepted") };
        let stats = gateway.wait_until(|stats| stats.reports_taken == 2).await;
        assert_eq!(stats.reports_posted, 3);
        let mode = aes.map_or(chat::Mode::Plain, |key| chat::Mode::Aes(chat::AesKey::read(key).unwrap()));
        let door = chat::Door::new("wx0123456789abcdef", Secret::new("gridbell"), mode).unwrap();
        for heard in ear.heard.lock().iter() {
            let query = chat::CallbackQuery::read(&heard.query).unwrap();
            let opened = door.open(&query, &heard.body, clock.now()).unwrap();
            let status = chat::SendStatus::Blocked;
            assert_eq!(opened, chat::Callback::SendFinished { id: id.clone().unwrap(), status });
        }
        gateway.set_faults(Faults { report_lose: 1.0, ..Faults::default() }).unwrap();
        assert_eq!(code(tell(&client, OPENID, "n", &token).await), "ok");
        gateway.shutdown().await;
        assert_eq!((gateway.stats().reports_lost, gateway.stats().reports_posted), (1, 3));
    }
}

#[tokio::test]
async fn what_goes_wrong_on_purpose_is_seen_and_what_was_accepted_is_in_the_log() {
    let clock = Clock::system();
    let (gateway, client) = start::<wechat::WeChat>(wechat::Config::default(), &clock).await;
    let (token, _) = token(&client, false).await.unwrap();
    let request = chat::message::template(&message(OPENID), "m", &token).unwrap();
    let with = |change: fn(&mut Faults)| {
        let mut faults = Faults::default();
        change(&mut faults);
        gateway.set_faults(faults).unwrap();
    };
    with(|faults| faults.down = true);
    assert_eq!(call(&client, &request).await.status, 503);
    with(|faults| faults.html = 1.0);
    let page = call(&client, &request).await;
    assert!(page.status == 502 && chat::answer::read(&page.body).is_err());
    with(|faults| faults.redirect = 1.0);
    assert_eq!(call(&client, &request).await.status, 302);
    with(|faults| faults.refuse = vec![Refusal { code: "-1".into(), share: 1.0 }]);
    assert_eq!(code(chat::answer::read(&call(&client, &request).await.body).unwrap()), "-1");
    assert!(gateway.log().is_empty());
    with(|faults| faults.lose_answer = 1.0);
    assert!(matches!(client.call(&request).await, Err(CallError::Uncertain { .. })));
    assert_eq!(gateway.log().len(), 1, "accepted all the same");
    with(|_| {});
    assert_eq!(code(chat::answer::read(&call(&client, &request).await.body).unwrap()), "ok");
    assert_eq!((gateway.log().len(), gateway.stats().repeated), (1, 1));
}

fn account() -> pay::Account {
    let pem = |name: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../alipay/tests/keys").join(name)).unwrap()
    };
    let keys =
        (pay::AppKey::read(&pem("app-pkcs8.pem")).unwrap(), pay::AlipayKey::read(&pem("alipay-public.pem")).unwrap());
    pay::Account::new("2021000000000001", keys.0, keys.1).unwrap()
}

fn card(id: &str) -> pay::Template {
    let text = pay::Colored { value: "停电通知".into(), color: "#173177".into() };
    pay::Template {
        id: id.into(),
        head_color: "#173177".into(),
        url: String::new(),
        action_name: "查看详情".into(),
        first: Some(text.clone()),
        keywords: vec![text],
        remark: None,
    }
}

#[tokio::test]
async fn alipay_verifies_answers_signed_recalls_and_gives_notice() {
    let clock = Clock::system();
    let (ear, callbacks, _stop) = ear(&clock).await;
    let faults = Faults { unreachable: 0.5, ..Faults::default() };
    let templates = vec!["T1".into()];
    let config = alipay::Config { callbacks, faults, templates, ..alipay::Config::default() };
    let (gateway, client) = start::<alipay::Alipay>(config, &clock).await;
    let account = account();
    let send = async |to: usize, template: &str, now: Moment| {
        let to = pay::Recipient::UserId(format!("2088{to:012}"));
        let request = account.send(&to, &card(template), now).unwrap();
        account.answer(pay::Call::Send, &call(&client, &request).await.body).unwrap()
    };
    let mut accepted = Vec::new();
    for n in 0..10 {
        match send(n, "T1", clock.now()).await {
            Outcome::Accepted { id } => accepted.push(id.unwrap()),
            refused => assert_eq!(refused, Outcome::refused(Act::NextChannel, "PUB.MSG_SD_NOFOLLOW")),
        }
    }
    assert!(!accepted.is_empty() && accepted.len() < 10, "{accepted:?}");
    assert_eq!(code(send(0, "T2", clock.now()).await), "PUB.MSG_TEMPLATE_NOT_EXIST");
    assert_eq!(code(send(0, "T1", clock.now().plus_ms(-20 * 60 * 1000)).await), "isv.invalid-timestamp");
    let recall = async |id: &str| {
        let request = account.recall(id, clock.now()).unwrap();
        code(account.answer(pay::Call::Recall, &call(&client, &request).await.body).unwrap())
    };
    assert_eq!(
        (recall(accepted[0].as_str()).await, recall("nothing").await.as_str()),
        ("ok".into(), "PUB.MSG_NOT_EXIST")
    );
    assert!(gateway.platform().recalled().contains(accepted[0].as_str()));
    gateway.wait_until(|stats| stats.reports_taken == accepted.len() as u64).await;
    let mut told: Vec<String> = Vec::new();
    for heard in ear.heard.lock().iter() {
        let notice = account.notice(&heard.body).unwrap();
        assert_eq!(notice.get("status"), Some("SUCCESS"));
        told.push(notice.get("message_id").unwrap().to_owned());
    }
    told.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(told, accepted.iter().map(|id| id.as_str().to_owned()).collect::<Vec<_>>());
}

#[tokio::test]
async fn aliyun_checks_the_signature_counts_and_tells_details() {
    let clock = Clock::manual(noon());
    let faults = Faults { report_delay_ms: (0, 60_000), ..Faults::default() };
    let config = http_sms::Config { number_quota: 2, faults, ..http_sms::Config::default() };
    let (gateway, client) = start::<http_sms::HttpSms>(config, &clock).await;
    let host = gateway.addr().to_string();
    let access =
        |secret: &str| cloud::Access::new(host.clone(), "LTAI5tSimulated", Secret::new(secret.to_owned())).unwrap();
    let template = cloud::Template { sign_name: "国网山西电力".into(), code: "SMS_1".into() };
    let stamp = |n: u32| cloud::Stamp { now: clock.now(), nonce: format!("{n:032}") };
    let values = vec![("name".to_owned(), "停电 & 通知+".to_owned())];
    let send = async |secret: &str, number: &str, n: u32| {
        let request = access(secret).send(&template, &[number], &values, "m-1", &stamp(n)).unwrap();
        cloud::answer::read(&call(&client, &request).await.body).unwrap()
    };
    let Outcome::Accepted { id: Some(id) } = send("secret", "13800001234", 1).await else { panic!("not accepted") };
    assert_eq!(code(send("secret", "13800001234", 1).await), "SignatureNonceUsed");
    assert_eq!(code(send("other", "13800001234", 2).await), "SignatureDoesNotMatch");
    assert_eq!(code(send("secret", "13800001234", 3).await), "ok");
    assert_eq!(code(send("secret", "13800001234", 4).await), "isv.BUSINESS_LIMIT_CONTROL");
    let parcels = [("13900000001", "甲"), ("13900000002", "乙")];
    let parcels =
        parcels.map(|(number, name)| cloud::Parcel { number: number.into(), values: vec![("n".into(), name.into())] });
    let request = access("secret").send_batch(&template, &parcels, "m-2", &stamp(5)).unwrap();
    assert_eq!(code(cloud::answer::read(&call(&client, &request).await.body).unwrap()), "ok");
    assert_eq!(gateway.log().iter().filter(|entry| entry.client_id == "m-2").count(), 2);

    let details = async |n: u32| {
        let request = access("secret").query("13800001234", clock.today(), Some(id.as_str()), 1, &stamp(n)).unwrap();
        cloud::answer::details(&call(&client, &request).await.body).unwrap().unwrap()
    };
    let (pending, total) = details(6).await;
    assert_eq!((pending[0].status, total), (cloud::answer::SendStatus::Pending, 1));
    clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(details(7).await.0[0].status, cloud::answer::SendStatus::Delivered);
}

#[tokio::test]
async fn aliyun_pushes_a_receipt_for_each_number() {
    let clock = Clock::system();
    let (ear, callbacks, _stop) = ear(&clock).await;
    // The first is not taken, and comes again.
    ear.answers.lock().extend((0..3).map(|_| Reply::json(cloud::receipts::ACKNOWLEDGED)).chain([Reply::json("{}")]));
    let (gateway, client) =
        start::<http_sms::HttpSms>(http_sms::Config { callbacks, ..http_sms::Config::default() }, &clock).await;
    let access = cloud::Access::new(gateway.addr().to_string(), "LTAI5tSimulated", Secret::new("secret")).unwrap();
    let template = cloud::Template { sign_name: "国网山西电力".into(), code: "SMS_1".into() };
    let stamp = cloud::Stamp { now: clock.now(), nonce: "0123456789abcdef".into() };
    let request = access.send(&template, &["13800001234", "13900001234"], &[], "m-1", &stamp).unwrap();
    let outcome = cloud::answer::read(&call(&client, &request).await.body).unwrap();
    gateway.wait_until(|stats| stats.reports_taken == 2 && stats.reports_posted == 3).await;
    let mut phones = std::collections::BTreeSet::new();
    for heard in ear.heard.lock().iter() {
        let receipts = cloud::receipts::read(&heard.body).unwrap();
        assert!(receipts[0].delivered && receipts[0].out_id.as_ref().is_some_and(|id| id.as_str() == "m-1"));
        assert_eq!(outcome, Outcome::Accepted { id: Some(receipts[0].biz_id.clone()) });
        phones.insert(receipts[0].phone.expose());
    }
    assert_eq!(phones.len(), 2);
}
