//! What comes to an account's callback address from those who are not the platform, and from platforms that say nonsense.
#![expect(clippy::unwrap_used, reason = "a test ends where its bench is not as built")]

mod support;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use gridbell_channels::http::{Callback, CallbackDesk, CallbackReply, Desks, MAX_CALLBACK, Provider};
use gridbell_channels::{LinkName, ReportOutcome};
use gridbell_clock::Clock;
use gridbell_model::{Date, Moment};
use gridbell_platform::{Method, Secret, bytes};
use gridbell_providers::{Account, AccountConfig, HttpSmsConfig, WeChat};
use gridbell_webhook::{ID_HEADER, SIGNATURE_HEADER, Signer, TIMESTAMP_HEADER, WebhookSecret};
use gridbell_wechat::{AesKey, Door, Mode};
use ring::hmac;
use support::{Memory, WECHAT, build};

struct Bench {
    clock: Clock,
    outbox: Arc<Memory>,
    dir: tempfile::TempDir,
}

fn now() -> Moment {
    Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment()
}

impl Bench {
    fn new() -> Self {
        let clock = Clock::manual(now());
        Self { outbox: Memory::new(&clock), dir: tempfile::tempdir().unwrap(), clock }
    }

    fn account(&self, text: &str) -> Account {
        build(text, SocketAddr::from(([127, 0, 0, 1], 9)), self.dir.path(), &self.clock).account
    }

    fn desk<P: Provider>(&self, provider: P) -> CallbackDesk<P, Memory, Memory> {
        let name = LinkName::new("account").unwrap();
        CallbackDesk::new(
            name,
            Arc::new(provider),
            Arc::clone(&self.outbox),
            Arc::clone(&self.outbox),
            self.clock.clone(),
        )
    }

    /// Nothing that was refused changed anything, and nobody learned why.
    fn refused(&self, reply: &CallbackReply, status: u16) {
        assert_eq!((reply.status, reply.body.as_str()), (status, "refused"));
        assert!(self.outbox.reports().is_empty() && self.outbox.said().is_empty());
    }
}

fn post<'a>(query: &'a str, headers: &'a [(&'a str, &'a str)], body: &'a [u8]) -> Callback<'a> {
    Callback { method: Method::Post, query, headers, body }
}

const FINISHED: &str = "<xml><ToUserName>gh_1</ToUserName><FromUserName>oFollower1</FromUserName><CreateTime>1795000000</CreateTime>\
    <MsgType>event</MsgType><Event>TEMPLATESENDJOBFINISH</Event><MsgID>200163836</MsgID><Status>success</Status></xml>";

#[tokio::test]
async fn wechats_door_opens_to_wechat_alone() {
    let bench = Bench::new();
    let desk = bench.desk(bench.account(WECHAT));
    let key = AesKey::read("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    let door = Door::new("wx0123456789abcdef", Secret::new("gridbell"), Mode::Aes(key)).unwrap();
    let (query, body) = door.post(FINISHED, now(), "n1", [1; 16]).unwrap();
    // The console tries the address.
    let greeting = format!("{query}&echostr=5927782489442352469");
    let reply = desk.take(&Callback { method: Method::Get, query: &greeting, headers: &[], body: b"" }).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "5927782489442352469"));
    for (what, query, body, status) in [
        ("no query", "", body.as_str(), 400),
        ("another signature", &query.replace("signature=", "signature=0"), &body, 403),
        ("in clear", &query, FINISHED, 403),
        ("another text", &query, &body.replace("CDATA[", "CDATA[A"), 403),
        ("no XML", &query, "{}", 400),
        ("an entity", &query, "<!DOCTYPE x [<!ENTITY y SYSTEM \"file:///etc/passwd\">]><xml>&y;</xml>", 400),
    ] {
        let reply = desk.take(&post(query, &[], body.as_bytes())).await;
        assert_eq!(reply.status, status, "{what}");
        bench.refused(&reply, status);
    }
    let old = door.post(FINISHED, now().plus_ms(-301_000), "n2", [2; 16]).unwrap();
    bench.refused(&desk.take(&post(&old.0, &[], old.1.as_bytes())).await, 403);
    let long = vec![b' '; MAX_CALLBACK + 1];
    assert_eq!(desk.take(&post(&query, &[], &long)).await.status, 413);
    let reply = desk.take(&post(&query, &[], body.as_bytes())).await;
    assert_eq!((reply.status, reply.body.as_str()), (200, "success"));
    assert_eq!(bench.outbox.reports()[0].outcome, ReportOutcome::Delivered);
    // Without a Token nobody is let in.
    let closed = WeChat::new("wx1".into(), Secret::new("s"), None, [].into(), [].into());
    assert_eq!(bench.desk(closed).take(&post(&query, &[], body.as_bytes())).await.status, 403);
}

const ALIYUN: &str = r#"
    address = "https://dysmsapi.aliyuncs.com"
    serves = ["mobile"]
    link = { name = "aliyun" }
    account = { kind = "aliyun", access-key = "LTAI", secret = { file = "{dir}/secret" }, sign-name = "电力", callback-key = { file = "{dir}/key" } }
"#;

#[tokio::test]
async fn aliyuns_receipts_need_the_key_of_the_address() {
    let bench = Bench::new();
    let desk = bench.desk(bench.account(ALIYUN));
    let body = r#"[{"phone_number":"13800001234","success":false,"err_code":"MOBILE_NOT_ON_SERVICE","biz_id":"9^0","out_id":"140300-7"}]"#;
    for query in ["", "key=", "key=0123456789abcdef0123456789abcdeF", "Key=0123456789abcdef0123456789abcdef"] {
        bench.refused(&desk.take(&post(query, &[], body.as_bytes())).await, 403);
    }
    let query = "key=0123456789abcdef0123456789abcdef";
    for nonsense in ["<html>", "{}", "[{}]", ""] {
        bench.refused(&desk.take(&post(query, &[], nonsense.as_bytes())).await, 400);
    }
    let reply = desk.take(&post(query, &[], body.as_bytes())).await;
    assert_eq!((reply.status, reply.kind, reply.body.as_str()), (200, "application/json", r#"{"code":0,"msg":"OK"}"#));
    let report = &bench.outbox.reports()[0];
    assert_eq!((report.key.to_string().as_str(), report.outcome), ("140300-7", ReportOutcome::Failed));
}

const WEBHOOK: &str = r#"
    address = "https://push.example.com"
    link = { name = "push" }
    account = { kind = "webhook", path = "/hook", secret = { file = "{dir}/whsec" } }
"#;

#[tokio::test]
async fn a_webhooks_receiver_signs_what_it_says() {
    let bench = Bench::new();
    let desk = bench.desk(bench.account(WEBHOOK));
    let secret = WebhookSecret::read("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr").unwrap();
    let body = br#"[{"id":"140300-7","status":"delivered"},{"id":"140300-8","status":"pending"}]"#;
    let signed = Signer::new(secret, None).request("/", "d-1", body.to_vec(), now()).unwrap();
    let of = |name: &str| signed.header(name).unwrap().to_owned();
    let (id, time, signature) = (of(ID_HEADER), of(TIMESTAMP_HEADER), of(SIGNATURE_HEADER));
    let headers = [(ID_HEADER, id.as_str()), (TIMESTAMP_HEADER, time.as_str()), (SIGNATURE_HEADER, signature.as_str())];
    bench.refused(&desk.take(&post("", &[], body)).await, 403);
    bench.refused(&desk.take(&post("", &headers, b"[]")).await, 403);
    // It could not be kept: it comes again, and is let in again.
    bench.outbox.fail(1);
    assert_eq!(desk.take(&post("", &headers, body)).await.status, 503);
    assert_eq!(desk.take(&post("", &headers, body)).await.status, 200);
    assert_eq!(bench.outbox.reports().len(), 2);
}

const PROVINCE: &str = r#"
    address = "https://sms.example.com"
    serves = ["mobile"]
    link = { name = "province" }
    [account]
    kind = "http-sms"
    account = "acc"
    secret = { file = "{dir}/secret" }
    request = { path = "/send", fields = { to = "{phone}", text = "{text}" } }
    answer = { code = "/code", ok = ["0"] }
    [account.receipt]
    list = "/list"
    id = "/id"
    status = "/state"
    delivered = ["1"]
    pending = ["0"]
    acknowledge = "ok"
    proof = { header = { name = "x-signature", kind = "hmac-sha256", text = "base64" } }
"#;

#[tokio::test]
async fn a_provinces_receipts_are_signed_as_configured() {
    let bench = Bench::new();
    let desk = bench.desk(bench.account(PROVINCE));
    let body = br#"{"list":[{"id":7,"state":1},{"id":"8","state":"0"},{"id":"9","state":"gone"}]}"#;
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
    let sign = |body: &[u8]| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(hmac::sign(&key, body))
    };
    for headers in [vec![], vec![("x-signature", "")], vec![("x-signature", "AAAA")]] {
        bench.refused(&desk.take(&post("", &headers, body)).await, 403);
    }
    let many = format!("{{\"list\":[{}]}}", vec!["{\"id\":\"1\",\"state\":\"1\"}"; 1001].join(","));
    for nonsense in [b"<html>".as_slice(), b"{}", b"{\"list\":[{}]}", many.as_bytes()] {
        let signature = sign(nonsense);
        bench.refused(&desk.take(&post("", &[("x-signature", signature.as_str())], nonsense)).await, 400);
    }
    let signature = sign(body);
    assert_eq!(desk.take(&post("", &[("x-signature", signature.as_str())], body)).await.status, 200);
    let told: Vec<_> = bench.outbox.reports().iter().map(|report| (report.key.to_string(), report.outcome)).collect();
    let expected = [("7", ReportOutcome::Delivered), ("8", ReportOutcome::Pending), ("9", ReportOutcome::Failed)];
    assert_eq!(told, expected.map(|(id, outcome)| (id.to_owned(), outcome)));
    assert_eq!(bytes::hex(b"\x07"), "07");
}

#[tokio::test]
async fn each_account_has_its_own_address() {
    let bench = Bench::new();
    let mut desks = Desks::default();
    desks.open(bench.desk(bench.account(ALIYUN)));
    let body = r#"[{"phone_number":"13800001234","success":true,"biz_id":"9^0"}]"#;
    let callback = post("key=0123456789abcdef0123456789abcdef", &[], body.as_bytes());
    for (account, status) in [("account", 200), ("another", 404), ("", 404), ("../account", 404)] {
        assert_eq!(desks.take(account, &callback).await.status, status, "{account}");
    }
    assert_eq!(bench.outbox.reports().len(), 1);
}

#[test]
fn what_an_account_cannot_be_is_named_with_its_field() {
    let dir = tempfile::tempdir().unwrap();
    let secrets: &Path = dir.path();
    std::fs::write(secrets.join("short"), "short").unwrap();
    std::fs::write(secrets.join("secret"), "secret").unwrap();
    std::fs::write(secrets.join("token"), "gridbell").unwrap();
    std::fs::write(secrets.join("aes"), "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG").unwrap();
    std::fs::write(secrets.join("key"), "0123456789abcdef").unwrap();
    std::fs::write(secrets.join("whsec"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYqr").unwrap();
    let said = |text: &str| {
        let text = text.replace("{dir}", secrets.to_str().unwrap()).replace("{address}", "127.0.0.1:9");
        match toml::from_str::<AccountConfig>(&text) {
            Err(error) => error.to_string(),
            Ok(config) => config.build(Clock::manual(now())).map(|_| String::new()).unwrap_or_else(|error| {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("{error}{cause}")
            }),
        }
    };
    for text in [WECHAT, ALIYUN, WEBHOOK, PROVINCE] {
        assert_eq!(said(text), "");
    }
    for (text, from, to, words) in [
        (WECHAT, "plain-http = true", "", ["address", "plain-http"]),
        (WECHAT, "name = \"wechat\"", "name = \"wechat\"\nwindow = 65", ["window", "1 to 64"]),
        (WECHAT, "name = \"wechat\"", "name = \"we chat\"", ["name", "a–z"]),
        (WECHAT, "{dir}/token", "{dir}/nothing", ["callback-token", "nothing"]),
        (WECHAT, "{dir}/aes", "{dir}/short", ["callback-aes-key", "43"]),
        (WECHAT, "appid", "app-id", ["app-id", "unknown field"]),
        (ALIYUN, "https://dysmsapi.aliyuncs.com", "dysmsapi.aliyuncs.com", ["dysmsapi", "https://"]),
        (ALIYUN, "{dir}/key", "{dir}/short", ["callback-key", "openssl"]),
        (WEBHOOK, "{dir}/whsec", "{dir}/short", ["secret", "whsec_"]),
        (WEBHOOK, "\"/hook\"", "\"hook\"", ["path", "begin it with"]),
        (PROVINCE, "serves = [\"mobile\"]", "", ["serves", "telecom"]),
        (PROVINCE, "[\"mobile\"]", "[\"wechat\"]", ["serves", "wechat"]),
        (WEBHOOK, "link = {", "serves = [\"mobile\"]\n    link = {", ["serves", "remove it"]),
        (PROVINCE, "{phone}", "{number}", ["request.fields", "{number}"]),
        (PROVINCE, "\"/code\"", "\"code\"", ["answer", "/data/msgid"]),
        (PROVINCE, "x-signature", "cookie", ["receipt.proof", "x-sign"]),
        (PROVINCE, "\"hmac-sha256\"", "\"md5\"", ["receipt.proof", "proves nothing"]),
    ] {
        let text = text.replace(from, to);
        let error = said(&text);
        assert!(words.iter().all(|word| error.contains(word)), "{to}: {error}");
    }
    let config: HttpSmsConfig = toml::from_str(
        "account = \"a\"\nsecret = { env = \"X\" }\nrequest = { path = \"/\", fields = { a = \"{text}\" } }\nanswer = { code = \"/c\", ok = [\"0\"] }",
    )
    .unwrap();
    assert_eq!((config.action_of("0"), config.action_of("1").is_some()), (None, true));
}
