//! The plain interface of a province's own platform.

use gridbell_exchange::{Incoming, Reply};
use gridbell_platform::{Answer, Method, Request, bytes};
use ring::hmac;
use serde_json::{Value, json};

use super::{HttpSms, MAX_KNOWN, Verdict};
use crate::web::{Desk, LogEntry, Reaction, Report, Sent, Stamp};

/// How far a request's time may be from the platform's clock, in seconds.
const TIME_WINDOW_S: i64 = 300;

impl HttpSms {
    pub(super) fn plain(&self, request: &Incoming, desk: &Desk) -> Reaction {
        desk.count(|stats| *stats.calls.entry("send".to_owned()).or_default() += 1);
        let Ok(body) = serde_json::from_slice::<Value>(&request.body) else {
            return refuse("10");
        };
        let get = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (account, time, phone, text, id) = (get("account"), get("time"), get("phone"), get("text"), get("id"));
        let expected = self.hmac([&account, &time, &phone, &id, &text].map(String::as_str).concat().as_bytes());
        if account != self.config.account || !bytes::same(expected.as_bytes(), get("sign").as_bytes()) {
            desk.count(|stats| stats.strangers += 1);
            return refuse("11");
        }
        let now = desk.now();
        let age =
            time.parse::<i64>().map_or(i64::MAX, |time| (now.unix_ms() / 1000).saturating_sub(time).saturating_abs());
        if age > TIME_WINDOW_S {
            return refuse("12");
        }
        if let Some(code) = desk.refusal() {
            return refuse(&code);
        }
        let mut inner = self.inner.lock();
        if !inner.rate.take(now) {
            return refuse("31");
        }
        let pair = (phone.clone(), id.clone());
        if let Some(known) = inner.known.get(&pair).filter(|_| !id.is_empty()) {
            desk.count(|stats| stats.repeated += 1);
            return Reaction::Say { reply: accepted(known), code: "0".into() };
        }
        match self.verdict(&mut inner, &phone, desk) {
            Ok(()) => {}
            Err(Verdict::BadNumber) => return refuse("21"),
            Err(Verdict::NumberQuota) => return refuse("22"),
            Err(Verdict::DayQuota) => return refuse("41"),
        }
        let msg_id = format!("S{:012}", desk.number());
        if !id.is_empty() && inner.known.len() < MAX_KNOWN {
            inner.known.insert(pair, msg_id.clone());
        }
        drop(inner);
        let fate = if desk.is_undeliverable(&phone) { "UNDELIV" } else { "DELIVRD" };
        let entry = LogEntry {
            at_us: 0,
            msg_id: msg_id.clone(),
            interface: "plain".into(),
            to: phone,
            template: String::new(),
            text,
            client_id: id,
            fate: fate.into(),
        };
        let report = Some(push(&entry, self.key.clone()));
        Reaction::Accept { reply: accepted(&msg_id), messages: vec![Sent { entry, report }] }
    }
}

fn accepted(msg_id: &str) -> Reply {
    Reply::json(&json!({"code": "0", "message": "ok", "data": {"msgid": msg_id}}).to_string())
}

fn refuse(code: &str) -> Reaction {
    let reply = Reply::json(&json!({"code": code, "message": "refused"}).to_string());
    Reaction::Say { reply, code: code.to_owned() }
}

fn push(entry: &LogEntry, key: hmac::Key) -> Report {
    let (id, phone, client_id, fate) =
        (entry.msg_id.clone(), entry.to.clone(), entry.client_id.clone(), entry.fate.clone());
    let make = move |stamp: &Stamp<'_>| {
        let time = stamp.now.unix_ms() / 1000;
        let body = json!([{"msgid": id, "phone": phone, "id": client_id, "status": fate, "time": time}]).to_string();
        Request {
            method: Method::Post,
            path: stamp.path.to_owned(),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("x-sign", bytes::hex(hmac::sign(&key, body.as_bytes()).as_ref())),
            ],
            body: body.into_bytes(),
        }
    };
    Report { make: Box::new(make), taken }
}

fn taken(answer: &Answer) -> bool {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    answer.status == 200 && body.is_some_and(|body| body["code"] == 0)
}
