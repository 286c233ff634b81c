//! Alipay's gateway as the sender of a life account's messages meets it: signed requests, signed answers, recalls, and signed notices.

use std::collections::HashSet;
use std::sync::Arc;

use gridbell_alipay::{AlipayKey, AppKey};
use gridbell_exchange::{Incoming, Reply};
use gridbell_model::{CivilMinute, Moment};
use gridbell_platform::{Answer, Method, Request, form};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::web::{
    self, Bench, Callbacks, Daily, Desk, Error, Faults, LogEntry, Platform, Reaction, Report, Sent, Stamp, Window,
};

/// A running gateway.
pub type Gateway = web::Gateway<Alipay>;

/// How far a request's time may be from the gateway's clock.
const TIME_WINDOW_MS: i64 = 15 * 60 * 1000;
const SEND: &str = "alipay.open.public.message.single.send";
const RECALL: &str = "alipay.open.public.life.msg.recall";

/// Keys that protect nothing: for trying the gateway without a configuration.
const APP_PUBLIC_KEY: &str = include_str!("app-public.pem");
const PLATFORM_PRIVATE_KEY: &str = include_str!("alipay-private.pem");
/// The private key of the simulated application, which everybody has: for whoever sends to the simulated platform and to no other.
pub const APP_PRIVATE_KEY: &str = include_str!("app-private.pem");
/// The simulated platform's public key.
pub const PLATFORM_PUBLIC_KEY: &str = include_str!("alipay-public.pem");

/// The gateway's configuration; every field has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The application.
    pub app_id: String,
    /// The application's public key, which requests must be signed with: PEM or bare base64.
    pub app_public_key: String,
    /// The platform's private key, which signs answers and notices: PEM or bare base64.
    pub platform_private_key: String,
    /// The account's templates; empty takes any.
    pub templates: Vec<String>,
    /// Messages a day; 0 for no limit.
    pub day_quota: u64,
    /// Messages a second; 0 for no limit.
    pub rate: u32,
    /// From which every random choice descends.
    pub seed: u64,
    /// What goes wrong from the start. `unreachable` are those who do not follow.
    pub faults: Faults,
    /// Where notices are posted.
    pub callbacks: Callbacks,
    /// Accepted messages remembered (about 500 octets each), the newest.
    pub log_capacity: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            app_id: "2021000000000001".into(),
            app_public_key: APP_PUBLIC_KEY.into(),
            platform_private_key: PLATFORM_PRIVATE_KEY.into(),
            templates: Vec::new(),
            day_quota: 0,
            rate: 0,
            seed: 0,
            faults: Faults::default(),
            callbacks: Callbacks::default(),
            log_capacity: 500_000,
        }
    }
}

/// What the gateway knows.
pub struct Alipay {
    config: Config,
    app_key: AlipayKey,
    own_key: Arc<AppKey>,
    inner: Mutex<Inner>,
}

struct Inner {
    day: Daily<()>,
    rate: Window,
    sent: HashSet<String>,
    recalled: HashSet<String>,
}

impl Platform for Alipay {
    type Config = Config;

    fn bench(config: &Config) -> Bench<'_> {
        let Config { seed, faults, callbacks, log_capacity, .. } = config;
        Bench { seed: *seed, faults, callbacks, log_capacity: *log_capacity }
    }

    fn new(config: Config) -> Result<Self, Error> {
        let field =
            |field| move |_| Error::Config { field, rule: "is an RSA key of 2048 bits or more, in PEM or base64" };
        let app_key = AlipayKey::read(&config.app_public_key).map_err(field("app_public_key"))?;
        let own_key = AppKey::read(&config.platform_private_key).map_err(field("platform_private_key"))?;
        let inner = Inner {
            day: Daily::new(config.day_quota),
            rate: Window::new(1000, config.rate),
            sent: HashSet::new(),
            recalled: HashSet::new(),
        };
        Ok(Self { config, app_key, own_key: Arc::new(own_key), inner: Mutex::new(inner) })
    }

    fn react(&self, request: &Incoming, desk: &Desk) -> Reaction {
        if (request.method.as_str(), request.path.as_str()) != ("POST", "/gateway.do") {
            return Reaction::Say { reply: Reply::text(404, "not found"), code: "404".into() };
        }
        let query = form::decode_pairs(request.query.as_bytes());
        let (Ok(mut pairs), Ok(body)) = (query, form::decode_pairs(&request.body)) else {
            return unsigned("40002", "isv.invalid-parameter");
        };
        pairs.extend(body);
        let get = |name: &str| pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
        let method = get("method").to_owned();
        desk.count(|stats| *stats.calls.entry(method.clone()).or_default() += 1);
        if get("app_id") != self.config.app_id {
            desk.count(|stats| stats.strangers += 1);
            return unsigned("40002", "isv.invalid-app-id");
        }
        if ![SEND, RECALL].contains(&method.as_str()) {
            return unsigned("40002", "isv.invalid-method");
        }
        if get("sign_type") != "RSA2" || get("charset") != "utf-8" || get("version") != "1.0" {
            return self.refuse(&method, "40002", "isv.invalid-signature-type");
        }
        let mut signed: Vec<_> = pairs.iter().filter(|(name, _)| name != "sign").collect();
        signed.sort_unstable();
        let signed = signed.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        if self.app_key.verify(signed.as_bytes(), get("sign"), "request").is_err() {
            desk.count(|stats| stats.strangers += 1);
            return self.refuse(&method, "40002", "isv.invalid-signature");
        }
        if !is_now(get("timestamp"), desk.now()) {
            return self.refuse(&method, "40002", "isv.invalid-timestamp");
        }
        match serde_json::from_str::<Value>(get("biz_content")) {
            Ok(content) if method == SEND => self.send(&content, desk),
            Ok(content) => self.recall(&content),
            Err(_) => self.refuse(&method, "40002", "isv.invalid-parameter"),
        }
    }
}

impl Alipay {
    /// The messages that were taken back.
    #[must_use]
    pub fn recalled(&self) -> HashSet<String> {
        self.inner.lock().recalled.clone()
    }

    fn send(&self, content: &Value, desk: &Desk) -> Reaction {
        let refuse = |code, sub| self.refuse(SEND, code, sub);
        let text = |name: &str| content.get(name).and_then(Value::as_str).unwrap_or_default();
        let to = [text("to_user_id"), text("to_open_id")].concat();
        let template = &content["template"];
        let of = template["template_id"].as_str().unwrap_or_default();
        if let Some(refusal) = desk.refusal() {
            // `code` alone, or `code/sub_code`.
            let (code, sub) = refusal.split_once('/').unwrap_or((&refusal, ""));
            return refuse(code, sub);
        }
        if to.is_empty() || !template["context"].is_object() {
            return refuse("40004", "isv.invalid-parameter");
        }
        if of.is_empty() || !(self.config.templates.is_empty() || self.config.templates.iter().any(|known| known == of))
        {
            return refuse("40004", "PUB.MSG_TEMPLATE_NOT_EXIST");
        }
        if desk.is_unreachable(&to) {
            return refuse("40004", "PUB.MSG_SD_NOFOLLOW");
        }
        let mut inner = self.inner.lock();
        let now = desk.now();
        if !inner.rate.take(now) || !inner.day.take((), now) {
            return refuse("40005", "isv.app-call-limited");
        }
        let msg_id = format!("{:024x}{:08x}", desk.number(), now.unix_ms() as u32);
        inner.sent.insert(msg_id.clone());
        drop(inner);
        let fate = if desk.is_undeliverable(&to) { "FAILED" } else { "SUCCESS" };
        let entry = LogEntry {
            at_us: 0,
            msg_id: msg_id.clone(),
            interface: "single.send".into(),
            to,
            template: of.into(),
            text: template["context"].to_string(),
            client_id: String::new(),
            fate: fate.into(),
        };
        let report = Some(self.notice(vec![("message_id", msg_id.clone()), ("status", fate.to_owned())], desk));
        let reply = self.signed(SEND, &json!({"code": "10000", "msg": "Success", "msg_id": msg_id}));
        Reaction::Accept { reply, messages: vec![Sent { entry, report }] }
    }

    fn recall(&self, content: &Value) -> Reaction {
        let id = content["message_id"].as_str().unwrap_or_default();
        let mut inner = self.inner.lock();
        if !inner.sent.contains(id) {
            return self.refuse(RECALL, "40004", "PUB.MSG_NOT_EXIST");
        }
        inner.recalled.insert(id.to_owned());
        let reply = self.signed(RECALL, &json!({"code": "10000", "msg": "Success"}));
        Reaction::Say { reply, code: "10000".into() }
    }

    /// A signed notice with these parameters beside the usual ones: post it with [`Gateway::post`].
    #[must_use]
    pub fn notice(&self, parameters: Vec<(&'static str, String)>, desk: &Desk) -> Report {
        let (key, app_id, id) = (Arc::clone(&self.own_key), self.config.app_id.clone(), desk.number());
        Report { make: Box::new(move |stamp| notice(&key, &app_id, id, &parameters, stamp)), taken }
    }

    fn refuse(&self, method: &str, code: &str, sub: &str) -> Reaction {
        let mut body = json!({"code": code, "msg": "refused"});
        if !sub.is_empty() {
            body["sub_code"] = sub.into();
            body["sub_msg"] = "拒绝".into();
        }
        let code = if sub.is_empty() { code.to_owned() } else { format!("{code}/{sub}") };
        Reaction::Say { reply: self.signed(method, &body), code }
    }

    /// The answer with the signature over the very octets of its value.
    fn signed(&self, method: &str, body: &Value) -> Reply {
        let body = body.to_string();
        let sign = self.own_key.sign(&body).unwrap_or_default();
        Reply::json(&format!("{{\"{}_response\":{body},\"sign\":\"{sign}\"}}", method.replace('.', "_")))
    }
}

fn unsigned(code: &str, sub: &str) -> Reaction {
    let body = json!({"error_response": {"code": code, "msg": "Invalid Arguments", "sub_code": sub}});
    Reaction::Say { reply: Reply::json(&body.to_string()), code: format!("{code}/{sub}") }
}

fn notice(key: &AppKey, app_id: &str, id: u64, more: &[(&'static str, String)], stamp: &Stamp<'_>) -> Request {
    let mut pairs = vec![
        ("app_id", app_id.to_owned()),
        ("charset", "utf-8".to_owned()),
        ("notify_id", format!("{id:032x}")),
        ("notify_time", shown(stamp.now)),
        ("version", "1.0".to_owned()),
    ];
    pairs.extend(more.iter().cloned());
    pairs.sort_unstable();
    let text = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    pairs.push(("sign", key.sign(&text).unwrap_or_default()));
    pairs.push(("sign_type", "RSA2".to_owned()));
    Request {
        method: Method::Post,
        path: stamp.path.to_owned(),
        headers: vec![("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned())],
        body: form::encode_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str()))).into_bytes(),
    }
}

/// The gateway repeats a notice until it is answered with this one word.
fn taken(answer: &Answer) -> bool {
    answer.status == 200 && answer.body == b"success"
}

/// `yyyy-MM-dd HH:mm:ss`.
fn shown(now: Moment) -> String {
    let minute = now.civil_minute();
    let second = now.unix_ms().div_euclid(1000).rem_euclid(60);
    format!("{} {:02}:{:02}:{second:02}", minute.date(), minute.minute_of_day() / 60, minute.minute_of_day() % 60)
}

fn is_now(timestamp: &str, now: Moment) -> bool {
    let read = || -> Option<CivilMinute> {
        let (day, time) = timestamp.split_once(' ')?;
        let mut parts = time.split(':').map(|part| part.parse::<u32>().ok());
        let (hour, minute) = (parts.next()??, parts.next()??);
        let day: gridbell_model::Date = day.parse().ok()?;
        (hour < 24 && minute < 60).then(|| day.at(hour, minute))
    };
    read().is_some_and(|minute| (minute.moment().unix_ms() - now.unix_ms()).abs() <= TIME_WINDOW_MS)
}
