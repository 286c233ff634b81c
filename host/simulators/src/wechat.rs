//! WeChat's service account as a sender meets it: the stable token, template messages, subscription notices, and `TEMPLATESENDJOBFINISH`.

use std::collections::{BTreeMap, HashMap, VecDeque};

use gridbell_exchange::{Incoming, Reply};
use gridbell_model::Moment;
use gridbell_platform::{Answer, Method, Request, Secret, form};
use gridbell_wechat::{AesKey, Door, Mode};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::web::{
    self, Bench, Callbacks, Daily, Desk, Error, Faults, LogEntry, Platform, Reaction, Report, Sent, Stamp, Window,
};

/// A running account.
pub type Gateway = web::Gateway<WeChat>;

/// A new token leaves the one before it valid for this long.
const BOTH_VALID_MS: i64 = 5 * 60 * 1000;
/// Forced refreshes a day.
const FORCED_PER_DAY: usize = 20;
/// Milliseconds between two forced refreshes.
const FORCED_APART_MS: i64 = 30 * 1000;
const DAY_MS: i64 = 24 * 3600 * 1000;
/// For how long a pair of openid and `client_msg_id` is known again.
const KNOWN_MS: i64 = 10 * 60 * 1000;
/// Pairs remembered.
const MAX_KNOWN: usize = 1_000_000;

/// The account's configuration; every field has a default, the platform's where it has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The account.
    pub appid: String,
    /// Its `AppSecret`.
    pub secret: String,
    /// The console's Token, which signs callbacks.
    pub token: String,
    /// The console's EncodingAESKey: callbacks are encrypted; without one they come in clear.
    pub aes_key: Option<String>,
    /// Seconds that a token lives.
    pub token_life_s: u32,
    /// Messages a day.
    pub day_quota: u64,
    /// Messages a minute; 0 for no limit.
    pub minute_quota: u32,
    /// The account's templates; empty takes any.
    pub templates: Vec<String>,
    /// Consents that each follower has given for each template of subscription notices.
    pub consents: u64,
    /// From which every random choice descends.
    pub seed: u64,
    /// What goes wrong from the start. `unreachable` are those who do not follow.
    pub faults: Faults,
    /// Where events are posted.
    pub callbacks: Callbacks,
    /// Accepted messages remembered (about 500 octets each), the newest.
    pub log_capacity: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            appid: "wx0123456789abcdef".into(),
            secret: "secret".into(),
            token: "gridbell".into(),
            aes_key: None,
            token_life_s: 7200,
            day_quota: 100_000,
            minute_quota: 0,
            templates: Vec::new(),
            consents: 1,
            seed: 0,
            faults: Faults::default(),
            callbacks: Callbacks::default(),
            log_capacity: 500_000,
        }
    }
}

/// What the account knows.
pub struct WeChat {
    config: Config,
    door: std::sync::Arc<Door>,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Tokens with the moment at which each ends, the newest last.
    tokens: VecDeque<(String, Moment)>,
    forced: VecDeque<Moment>,
    day: Daily<()>,
    minute: Window,
    known: HashMap<(String, String), (u64, Moment)>,
    known_by_time: VecDeque<(Moment, (String, String))>,
    consents: BTreeMap<(String, String), u64>,
}

impl Platform for WeChat {
    type Config = Config;

    fn bench(config: &Config) -> Bench<'_> {
        let Config { seed, faults, callbacks, log_capacity, .. } = config;
        Bench { seed: *seed, faults, callbacks, log_capacity: *log_capacity }
    }

    fn new(config: Config) -> Result<Self, Error> {
        let field = |field, rule| Error::Config { field, rule };
        let mode = match &config.aes_key {
            None => Mode::Plain,
            Some(key) => {
                Mode::Aes(AesKey::read(key).map_err(|_| field("aes_key", "is 43 letters, digits, `+` and `/`"))?)
            }
        };
        let door = Door::new(config.appid.clone(), Secret::new(config.token.clone()), mode);
        let door = door.map_err(|_| field("token", "is 3 to 32 letters and digits"))?;
        if config.token_life_s == 0 {
            return Err(field("token_life_s", "is at least 1"));
        }
        let inner = Inner {
            tokens: VecDeque::new(),
            forced: VecDeque::new(),
            day: Daily::new(config.day_quota),
            minute: Window::new(60_000, config.minute_quota),
            known: HashMap::new(),
            known_by_time: VecDeque::new(),
            consents: BTreeMap::new(),
        };
        Ok(Self { config, door: door.into(), inner: Mutex::new(inner) })
    }

    fn react(&self, request: &Incoming, desk: &Desk) -> Reaction {
        desk.count(|stats| *stats.calls.entry(request.path.clone()).or_default() += 1);
        let body: Option<Value> = serde_json::from_slice(&request.body).ok();
        match (request.method.as_str(), request.path.as_str(), body) {
            ("POST", _, None) => refuse("47001", "data format error"),
            ("POST", "/cgi-bin/stable_token", Some(body)) => self.stable_token(&body, desk),
            ("POST", "/cgi-bin/message/template/send", Some(body)) => self.send(request, &body, desk, true),
            ("POST", "/cgi-bin/message/subscribe/bizsend", Some(body)) => self.send(request, &body, desk, false),
            ("GET", ..) => refuse("43002", "require POST method"),
            _ => Reaction::Say { reply: Reply::text(404, "not found"), code: "404".into() },
        }
    }
}

fn refuse(code: &str, why: &str) -> Reaction {
    let number: i64 = code.parse().unwrap_or(-1);
    let reply = Reply::json(&json!({"errcode": number, "errmsg": why}).to_string());
    Reaction::Say { reply, code: code.to_owned() }
}

impl WeChat {
    /// Voids every token, as the platform does when the secret is reset or another process forces a refresh.
    pub fn void_tokens(&self) {
        self.inner.lock().tokens.clear();
    }

    /// A customer's consent to one more notice.
    pub fn consent(&self, openid: &str, template: &str) {
        let key = (openid.to_owned(), template.to_owned());
        *self.inner.lock().consents.entry(key).or_insert(self.config.consents) += 1;
    }

    /// Another event or a text for the account, as XML: post it with [`Gateway::post`].
    #[must_use]
    pub fn event(&self, xml: String, random: [u8; 16]) -> Report {
        let door = std::sync::Arc::clone(&self.door);
        Report { make: Box::new(move |stamp| post(&door, &xml, stamp, random)), taken }
    }

    fn stable_token(&self, body: &Value, desk: &Desk) -> Reaction {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("grant_type") != "client_credential" {
            return refuse("40002", "invalid grant_type");
        }
        if text("appid") != self.config.appid {
            desk.count(|stats| stats.strangers += 1);
            return refuse("40013", "invalid appid");
        }
        if text("secret") != self.config.secret {
            desk.count(|stats| stats.strangers += 1);
            return refuse("40125", "invalid appsecret");
        }
        let (now, force) = (desk.now(), body.get("force_refresh").and_then(Value::as_bool).unwrap_or(false));
        let mut inner = self.inner.lock();
        while inner.tokens.front().is_some_and(|(_, end)| *end <= now) {
            inner.tokens.pop_front();
        }
        // A forced one within half a minute of another changes nothing.
        let soon = inner.forced.back().is_some_and(|at| at.plus_ms(FORCED_APART_MS) > now);
        if force && !soon {
            while inner.forced.front().is_some_and(|at| at.plus_ms(DAY_MS) <= now) {
                inner.forced.pop_front();
            }
            if inner.forced.len() >= FORCED_PER_DAY {
                return refuse("45009", "reach max api daily quota limit");
            }
            inner.forced.push_back(now);
            inner.tokens.clear();
        }
        let left = |end: &Moment| end.unix_ms() - now.unix_ms();
        let held = inner.tokens.back().filter(|(_, end)| left(end) > BOTH_VALID_MS).cloned();
        let (token, end) = held.unwrap_or_else(|| {
            let token = format!("{}_{:032x}", desk.number(), u128::from_be_bytes(desk.octets()));
            let end = now.plus_ms(i64::from(self.config.token_life_s) * 1000);
            inner.tokens.push_back((token.clone(), end));
            (token, end)
        });
        let answer = json!({"access_token": token, "expires_in": left(&end) / 1000});
        Reaction::Say { reply: Reply::json(&answer.to_string()), code: "token".into() }
    }

    fn send(&self, request: &Incoming, body: &Value, desk: &Desk, template: bool) -> Reaction {
        let now = desk.now();
        let query = form::decode_pairs(request.query.as_bytes()).unwrap_or_default();
        let given = query.iter().find(|(name, _)| name == "access_token").map_or("", |(_, value)| value);
        let mut inner = self.inner.lock();
        match inner.tokens.iter().find(|(token, _)| token == given) {
            None => {
                desk.count(|stats| stats.strangers += 1);
                return refuse("40001", "invalid credential, access_token is invalid or not latest");
            }
            Some((_, end)) if *end <= now => return refuse("42001", "access_token expired"),
            Some(_) => {}
        }
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (to, of) = (text("touser"), text("template_id"));
        if let Some(code) = desk.refusal() {
            return refuse(&code, "refused on purpose");
        }
        if !(6..=128).contains(&to.len()) {
            return refuse("40003", "invalid openid");
        }
        if of.is_empty() || !(self.config.templates.is_empty() || self.config.templates.contains(&of)) {
            return refuse("40037", "invalid template_id");
        }
        if !body.get("data").is_some_and(Value::is_object) {
            return refuse("47001", "data format error");
        }
        if desk.is_unreachable(&to) {
            return if template {
                refuse("43004", "require subscribe")
            } else {
                refuse("43101", "user refuse to accept the msg")
            };
        }
        let client_id = text("client_msg_id");
        let pair = (to.clone(), client_id.clone());
        inner.forget(now);
        if let Some((known, _)) = inner.known.get(&pair) {
            let reply = Reply::json(&json!({"errcode": 0, "errmsg": "ok", "msgid": known}).to_string());
            desk.count(|stats| stats.repeated += 1);
            return Reaction::Say { reply, code: "0".into() };
        }
        if !inner.minute.take(now) {
            return refuse("45011", "api minute-quota reach limit, must slower, retry next minute");
        }
        if !template {
            let left = inner.consents.entry((to.clone(), of.clone())).or_insert(self.config.consents);
            if *left == 0 {
                return refuse("43101", "user refuse to accept the msg");
            }
        }
        if !inner.day.take((), now) {
            return refuse("45009", "reach max api daily quota limit");
        }
        if !template && let Some(left) = inner.consents.get_mut(&(to.clone(), of.clone())) {
            *left -= 1;
        }
        // As long as the platform's own.
        let msg_id = 2_900_000_000_000_000_000 + desk.number();
        if template && !client_id.is_empty() && inner.known.len() < MAX_KNOWN {
            inner.known.insert(pair.clone(), (msg_id, now));
            inner.known_by_time.push_back((now, pair));
        }
        drop(inner);
        let fate = if desk.is_undeliverable(&to) { "failed:user block" } else { "success" };
        let entry = LogEntry {
            at_us: 0,
            msg_id: msg_id.to_string(),
            interface: if template { "template" } else { "subscribe" }.into(),
            to,
            template: of,
            text: body["data"].to_string(),
            client_id,
            fate: fate.into(),
        };
        let report = template.then(|| self.finished(&entry, desk));
        let answer = if template {
            json!({"errcode": 0, "errmsg": "ok", "msgid": msg_id})
        } else {
            json!({"errcode": 0, "errmsg": "ok"})
        };
        Reaction::Accept { reply: Reply::json(&answer.to_string()), messages: vec![Sent { entry, report }] }
    }

    fn finished(&self, entry: &LogEntry, desk: &Desk) -> Report {
        let (openid, id, status, at) = (entry.to.clone(), entry.msg_id.clone(), entry.fate.clone(), desk.now());
        let xml = format!(
            "<xml><ToUserName><![CDATA[gh_{}]]></ToUserName><FromUserName><![CDATA[{openid}]]></FromUserName>\
             <CreateTime>{}</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>{id}</MsgID><Status><![CDATA[{status}]]></Status></xml>",
            self.config.appid.trim_start_matches("wx"),
            at.unix_ms() / 1000,
        );
        self.event(xml, desk.octets())
    }
}

impl Inner {
    fn forget(&mut self, now: Moment) {
        while self.known_by_time.front().is_some_and(|(at, _)| at.plus_ms(KNOWN_MS) <= now) {
            if let Some((_, pair)) = self.known_by_time.pop_front() {
                self.known.remove(&pair);
            }
        }
    }
}

fn post(door: &Door, xml: &str, stamp: &Stamp<'_>, random: [u8; 16]) -> Request {
    // The XML is the simulator's own, far below the limit.
    let (query, body) = door.post(xml, stamp.now, &stamp.nonce.to_string(), random).unwrap_or_default();
    let joint = if stamp.path.contains('?') { '&' } else { '?' };
    Request {
        method: Method::Post,
        path: format!("{}{joint}{query}", stamp.path),
        headers: vec![("content-type", "text/xml".to_owned())],
        body: body.into_bytes(),
    }
}

/// The platform takes `success` and an empty answer.
fn taken(answer: &Answer) -> bool {
    answer.status == 200 && matches!(answer.body.as_slice(), b"" | b"success")
}
