//! SMS platforms that are spoken to over HTTP: Aliyun's (`POST /` with `x-acs-action`), and the plain one of a province (`POST /sms/send`), both
//! on one address.
//!
//! The plain one takes JSON: `{"account", "time", "phone", "text", "sender", "id", "sign"}`, `time` in seconds since 1970, `sign` the hexadecimal
//! HMAC-SHA256 of account, time, phone, id and text under the secret. It answers `{"code": "0", "data": {"msgid": "…"}}`; 11 wrong
//! signature, 12 old, 21 bad number, 31 too fast, 41 the day's quota, 99 try again. It knows repetitions of `id` to one phone. Receipts are
//! posted as `[{"msgid", "phone", "id", "status", "time"}]`, signed in `x-sign` over the body, and are taken by `{"code": 0}`.

mod aliyun;
mod plain;

use std::collections::{HashMap, HashSet, VecDeque};

use gridbell_exchange::{Incoming, Reply};
use gridbell_model::Moment;
use gridbell_platform::bytes;
use parking_lot::Mutex;
use ring::hmac;
use serde::{Deserialize, Serialize};

use crate::web::{self, Bench, Callbacks, Daily, Desk, Error, Faults, Platform, Reaction, Window};

/// A running platform.
pub type Gateway = web::Gateway<HttpSms>;

/// Messages whose details can be asked for, and nonces and numbers that are known again.
const MAX_KNOWN: usize = 1_000_000;

/// The platform's configuration; every field has a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `AccessKeyId` at Aliyun's interface, `account` at the plain one.
    pub account: String,
    /// The secret of both.
    pub secret: String,
    /// Signatures that Aliyun's interface knows; empty takes any.
    pub sign_names: Vec<String>,
    /// Templates that Aliyun's interface knows; empty takes any.
    pub templates: Vec<String>,
    /// Messages a day; 0 for no limit.
    pub day_quota: u64,
    /// Messages to one number a day; 0 for no limit.
    pub number_quota: u64,
    /// Requests a second; 0 for no limit.
    pub rate: u32,
    /// From which every random choice descends.
    pub seed: u64,
    /// What goes wrong from the start. `unreachable` are numbers that are none.
    pub faults: Faults,
    /// Where receipts are posted.
    pub callbacks: Callbacks,
    /// Accepted messages remembered (about 500 octets each), the newest.
    pub log_capacity: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            account: "LTAI5tSimulated".into(),
            secret: "secret".into(),
            sign_names: Vec::new(),
            templates: Vec::new(),
            day_quota: 0,
            number_quota: 0,
            rate: 0,
            seed: 0,
            faults: Faults::default(),
            callbacks: Callbacks::default(),
            log_capacity: 500_000,
        }
    }
}

/// What the platform knows.
pub struct HttpSms {
    config: Config,
    key: hmac::Key,
    inner: Mutex<Inner>,
}

struct Inner {
    rate: Window,
    day: Daily<()>,
    numbers: Daily<String>,
    nonces: HashSet<String>,
    nonces_by_time: VecDeque<(Moment, String)>,
    /// Details by number and day, the newest last.
    details: HashMap<(String, String), Vec<Detail>>,
    /// Message numbers by phone and the sender's id.
    known: HashMap<(String, String), String>,
}

#[derive(Clone)]
struct Detail {
    biz_id: String,
    out_id: String,
    delivered: bool,
    /// Until then nothing is known.
    due: Moment,
}

impl Platform for HttpSms {
    type Config = Config;

    fn bench(config: &Config) -> Bench<'_> {
        let Config { seed, faults, callbacks, log_capacity, .. } = config;
        Bench { seed: *seed, faults, callbacks, log_capacity: *log_capacity }
    }

    fn new(config: Config) -> Result<Self, Error> {
        let inner = Inner {
            rate: Window::new(1000, config.rate),
            day: Daily::new(config.day_quota),
            numbers: Daily::new(config.number_quota),
            nonces: HashSet::new(),
            nonces_by_time: VecDeque::new(),
            details: HashMap::new(),
            known: HashMap::new(),
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, config.secret.as_bytes());
        Ok(Self { config, key, inner: Mutex::new(inner) })
    }

    fn react(&self, request: &Incoming, desk: &Desk) -> Reaction {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST" | "GET", "/") => self.aliyun(request, desk),
            ("POST", "/sms/send") => self.plain(request, desk),
            _ => Reaction::Say { reply: Reply::text(404, "not found"), code: "404".into() },
        }
    }
}

impl HttpSms {
    fn hmac(&self, text: &[u8]) -> String {
        bytes::hex(hmac::sign(&self.key, text).as_ref())
    }

    /// What becomes of one number: refused as bad, over its own limit, or over the day's.
    fn verdict(&self, inner: &mut Inner, number: &str, desk: &Desk) -> Result<(), Verdict> {
        let digits = number.len() == 11 && number.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || desk.is_unreachable(number) {
            return Err(Verdict::BadNumber);
        }
        if !inner.numbers.take(number.to_owned(), desk.now()) {
            return Err(Verdict::NumberQuota);
        }
        if !inner.day.take((), desk.now()) {
            return Err(Verdict::DayQuota);
        }
        Ok(())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    BadNumber,
    NumberQuota,
    DayQuota,
}
