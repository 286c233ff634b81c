//! Aliyun's interface: the V3 signature, SendSms, SendBatchSms, QuerySendDetails, and SmsReport pushes.

use gridbell_exchange::{Incoming, Reply};
use gridbell_model::{CivilMinute, Moment};
use gridbell_platform::{Answer, Method, Request, bytes, form};
use ring::digest;
use serde_json::{Value, json};

use super::{Detail, HttpSms, MAX_KNOWN, Verdict};
use crate::web::{Desk, LogEntry, Reaction, Report, Sent};

/// How far a request's time may be from the platform's clock, and for how long a nonce is known.
const TIME_WINDOW_MS: i64 = 15 * 60 * 1000;

impl HttpSms {
    pub(super) fn aliyun(&self, request: &Incoming, desk: &Desk) -> Reaction {
        let action = request.header("x-acs-action").unwrap_or_default().to_owned();
        desk.count(|stats| *stats.calls.entry(action.clone()).or_default() += 1);
        if let Err((status, code)) = self.signed(request, desk) {
            desk.count(|stats| stats.strangers += 1);
            return refuse(status, code);
        }
        if !self.inner.lock().rate.take(desk.now()) {
            return refuse(400, "Throttling.User");
        }
        let query = form::decode_pairs(request.query.as_bytes()).unwrap_or_default();
        let body = form::decode_pairs(&request.body).unwrap_or_default();
        let pairs: Vec<_> = query.into_iter().chain(body).collect();
        let get = |name: &str| pairs.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
        match action.as_str() {
            "SendSms" => {
                let numbers = get("PhoneNumbers").split(',').map(|number| (number, get("TemplateParam"))).collect();
                self.send(numbers, get("SignName"), get("TemplateCode"), get("OutId"), desk)
            }
            "SendBatchSms" => {
                let list = |name| serde_json::from_str::<Vec<Value>>(get(name)).unwrap_or_default();
                let (numbers, names) = (list("PhoneNumberJson"), list("SignNameJson"));
                let values: Vec<String> = list("TemplateParamJson").iter().map(Value::to_string).collect();
                if numbers.len() != names.len() || numbers.len() != values.len() || numbers.len() > 100 {
                    return refuse(200, "isv.INVALID_PARAMETERS");
                }
                let parcels = numbers.iter().zip(&values);
                let parcels = parcels.map(|(number, values)| (number.as_str().unwrap_or_default(), values.as_str()));
                let name = names.first().and_then(Value::as_str).unwrap_or_default();
                self.send(parcels.collect(), name, get("TemplateCode"), get("OutId"), desk)
            }
            "QuerySendDetails" => self.details(get("PhoneNumber"), get("SendDate"), get("BizId"), desk),
            _ => refuse(404, "InvalidAction.NotFound"),
        }
    }

    fn send(&self, to: Vec<(&str, &str)>, name: &str, template: &str, out_id: &str, desk: &Desk) -> Reaction {
        let known = |list: &[String], one: &str| !one.is_empty() && (list.is_empty() || list.iter().any(|l| l == one));
        if let Some(code) = desk.refusal() {
            return refuse(200, &code);
        }
        if !known(&self.config.sign_names, name) {
            return refuse(200, "isv.SMS_SIGNATURE_ILLEGAL");
        }
        if !known(&self.config.templates, template) {
            return refuse(200, "isv.SMS_TEMPLATE_ILLEGAL");
        }
        if to.is_empty() || to.len() > 1000 {
            return refuse(200, "isv.MOBILE_COUNT_OVER_LIMIT");
        }
        let now = desk.now();
        let biz_id = format!("{:018}^0", 900_000_000_000_000_000 + desk.number());
        let mut inner = self.inner.lock();
        for (number, _) in &to {
            match self.verdict(&mut inner, number, desk) {
                Ok(()) => {}
                Err(Verdict::BadNumber) => return refuse(200, "isv.MOBILE_NUMBER_ILLEGAL"),
                Err(Verdict::NumberQuota) => return refuse(200, "isv.BUSINESS_LIMIT_CONTROL"),
                Err(Verdict::DayQuota) => return refuse(200, "isv.DAY_LIMIT_CONTROL"),
            }
        }
        let mut messages = Vec::with_capacity(to.len());
        for (number, values) in to {
            let delivered = !desk.is_undeliverable(number);
            let fate = if delivered { "DELIVERED" } else { "MOBILE_NOT_ON_SERVICE" };
            let due = now.plus_ms(i64::try_from(desk.faults().report_delay_ms.1).unwrap_or(0));
            if inner.details.len() < MAX_KNOWN {
                let key = (number.to_owned(), now.date().to_string().replace('-', ""));
                let detail = Detail { biz_id: biz_id.clone(), out_id: out_id.to_owned(), delivered, due };
                inner.details.entry(key).or_default().push(detail);
            }
            let entry = LogEntry {
                at_us: 0,
                msg_id: biz_id.clone(),
                interface: "aliyun".into(),
                to: number.to_owned(),
                template: template.to_owned(),
                text: values.to_owned(),
                client_id: out_id.to_owned(),
                fate: fate.into(),
            };
            messages.push(Sent { report: Some(push(&entry, delivered, now)), entry });
        }
        let answer = json!({"Code": "OK", "Message": "OK", "BizId": biz_id, "RequestId": request_id(desk)});
        Reaction::Accept { reply: Reply::json(&answer.to_string()), messages }
    }

    fn details(&self, number: &str, day: &str, biz_id: &str, desk: &Desk) -> Reaction {
        let now = desk.now();
        let inner = self.inner.lock();
        let all = inner.details.get(&(number.to_owned(), day.to_owned()));
        let of = all.into_iter().flatten().filter(|detail| biz_id.is_empty() || detail.biz_id == biz_id);
        let shown: Vec<Value> = of
            .map(|detail| {
                let (status, code) = match detail {
                    Detail { due, .. } if *due > now => (1, ""),
                    Detail { delivered: true, .. } => (3, "DELIVERED"),
                    Detail { .. } => (2, "MOBILE_NOT_ON_SERVICE"),
                };
                json!({"OutId": detail.out_id, "SendStatus": status, "ErrCode": code, "PhoneNum": number})
            })
            .collect();
        let answer = json!({
            "Code": "OK", "Message": "OK", "RequestId": request_id(desk), "TotalCount": shown.len().to_string(),
            "SmsSendDetailDTOs": {"SmsSendDetailDTO": shown},
        });
        Reaction::Say { reply: Reply::json(&answer.to_string()), code: "details".into() }
    }

    /// The V3 signature, put together from what came.
    fn signed(&self, request: &Incoming, desk: &Desk) -> Result<(), (u16, &'static str)> {
        let header = |name: &str| request.header(name).unwrap_or_default();
        let rest = header("authorization").strip_prefix("ACS3-HMAC-SHA256 ").ok_or((400, "MissingSignature"))?;
        let part = |name: &str| {
            let parts = rest.split(',').map(str::trim);
            parts.filter_map(|part| part.split_once('=')).find(|(known, _)| *known == name).map(|(_, value)| value)
        };
        let part = |name| part(name).ok_or((400, "IncompleteSignature"));
        let (credential, names, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
        if credential != self.config.account {
            return Err((404, "InvalidAccessKeyId.NotFound"));
        }
        let hash = bytes::hex(digest::digest(&digest::SHA256, &request.body).as_ref());
        if header("x-acs-content-sha256") != hash {
            return Err((400, "SignatureDoesNotMatch"));
        }
        if !names.split(';').any(|name| name == "host") || !names.split(';').any(|name| name == "x-acs-date") {
            return Err((400, "IncompleteSignature"));
        }
        let mut query: Vec<&str> = request.query.split('&').filter(|pair| !pair.is_empty()).collect();
        query.sort_unstable();
        let headers: String = names.split(';').map(|name| format!("{name}:{}\n", header(name).trim())).collect();
        let canonical =
            format!("{}\n{}\n{}\n{headers}\n{names}\n{hash}", request.method, request.path, query.join("&"));
        let canonical = bytes::hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
        let expected = self.hmac(format!("ACS3-HMAC-SHA256\n{canonical}").as_bytes());
        if expected != signature {
            return Err((400, "SignatureDoesNotMatch"));
        }
        let now = desk.now();
        let sent = utc(header("x-acs-date")).ok_or((400, "InvalidTimeStamp.Format"))?;
        if (sent.unix_ms() - now.unix_ms()).abs() > TIME_WINDOW_MS {
            return Err((400, "InvalidTimeStamp.Expired"));
        }
        let mut inner = self.inner.lock();
        while inner.nonces_by_time.front().is_some_and(|(at, _)| at.plus_ms(2 * TIME_WINDOW_MS) <= now) {
            if let Some((_, old)) = inner.nonces_by_time.pop_front() {
                inner.nonces.remove(&old);
            }
        }
        let nonce = header("x-acs-signature-nonce").to_owned();
        if nonce.is_empty() || !inner.nonces.insert(nonce.clone()) {
            return Err((400, "SignatureNonceUsed"));
        }
        inner.nonces_by_time.push_back((now, nonce));
        Ok(())
    }
}

fn request_id(desk: &Desk) -> String {
    format!("{:032X}", u128::from_be_bytes(desk.octets()))
}

fn refuse(status: u16, code: &str) -> Reaction {
    let body = json!({"Code": code, "Message": "拒绝", "RequestId": "0"}).to_string();
    let reply = Reply::Answer { status, kind: "application/json", body: body.into_bytes() };
    Reaction::Say { reply, code: code.to_owned() }
}

/// SmsReport: an array of one.
fn push(entry: &LogEntry, delivered: bool, sent: Moment) -> Report {
    let (phone, biz_id, out_id, code) =
        (entry.to.clone(), entry.msg_id.clone(), entry.client_id.clone(), entry.fate.clone());
    let make = move |stamp: &crate::web::Stamp<'_>| {
        let report = json!([{
            "phone_number": phone, "send_time": shown(sent), "report_time": shown(stamp.now), "success": delivered,
            "err_code": code, "err_msg": "", "sms_size": "1", "biz_id": biz_id, "out_id": out_id,
        }]);
        Request {
            method: Method::Post,
            path: stamp.path.to_owned(),
            headers: vec![("content-type", "application/json;charset=utf-8".to_owned())],
            body: report.to_string().into_bytes(),
        }
    };
    Report { make: Box::new(make), taken }
}

fn taken(answer: &Answer) -> bool {
    let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
    answer.status == 200 && body.is_some_and(|body| body["code"] == 0)
}

fn shown(now: Moment) -> String {
    let minute = now.civil_minute();
    let second = now.unix_ms().div_euclid(1000).rem_euclid(60);
    format!("{} {:02}:{:02}:{second:02}", minute.date(), minute.minute_of_day() / 60, minute.minute_of_day() % 60)
}

/// `2026-11-22T00:09:10Z`.
fn utc(text: &str) -> Option<Moment> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = time.split(':').map(|part| part.parse::<u32>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    let day: gridbell_model::Date = day.parse().ok()?;
    let civil: CivilMinute = (hour < 24 && minute < 60).then(|| day.at(hour, minute))?;
    // Civil time is Shanghai's, eight hours ahead.
    Some(civil.moment().plus_ms(8 * 3600 * 1000))
}
