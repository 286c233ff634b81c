//! SMS through Aliyun: one message a request, known by our `OutId` in answers, details and receipts.

use std::collections::BTreeMap;

use gridbell_aliyun::{self as codec, Access, Stamp, Template, receipts};
use gridbell_channels::http::{
    Callback, Found, PlatformAction, Prepared, Provider, Repeat, Told, Turned, Verdict, verdict_of,
};
use gridbell_channels::{Body, Outgoing, Report, ReportOutcome};
use gridbell_model::{CarrierKey, CivilMinute, Moment};
use gridbell_platform::{Answer, Method, Outcome, Request, bytes, of_status};
use ring::rand::{SecureRandom, SystemRandom};

use crate::key::CallbackKey;
use crate::wording::Wordings;

/// An access key with one signature.
#[derive(Debug)]
pub struct Aliyun {
    access: Access,
    sign_name: String,
    wordings: Wordings,
    key: Option<CallbackKey>,
    codes: BTreeMap<String, PlatformAction>,
    random: SystemRandom,
}

impl Aliyun {
    /// An account. Without a key no receipt is let in.
    pub(crate) fn new(
        access: Access,
        sign_name: String,
        wordings: Wordings,
        key: Option<CallbackKey>,
        codes: BTreeMap<String, PlatformAction>,
    ) -> Self {
        Self { access, sign_name, wordings, key, codes, random: SystemRandom::new() }
    }

    fn stamp(&self, now: Moment) -> Option<Stamp> {
        let mut octets = [0; 16];
        self.random.fill(&mut octets).ok()?;
        Some(Stamp { now, nonce: bytes::hex(&octets) })
    }
}

impl Provider for Aliyun {
    fn prepare(&self, message: &Outgoing, now: Moment) -> Prepared {
        let Some(phone) = message.to.phone().filter(|phone| phone.is_sendable()) else {
            return Prepared::Never { reason: "号码不能接收短信" };
        };
        let filled = match &message.body {
            Body::Template(body) => Some((body.id.clone(), body.values.clone())),
            Body::Text(text) => self.wordings.fill(text),
        };
        let Some((code, values)) = filled else {
            return Prepared::Never { reason: "没有与短信内容一致的阿里云模板" };
        };
        let Some(stamp) = self.stamp(now) else {
            return Prepared::NotYet;
        };
        let template = Template { sign_name: self.sign_name.clone(), code: code.to_string() };
        let values: Vec<_> = values.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
        let number = phone.expose();
        match self.access.send(&template, &[&number], &values, &message.id.to_string(), &stamp) {
            Ok(request) => Prepared::Go { request, token: 0 },
            Err(_) => Prepared::Never { reason: "短信内容不符合阿里云的要求" },
        }
    }

    fn read(&self, message: &Outgoing, _token: u64, answer: &Answer, now: Moment) -> Verdict {
        // A refusal has status 400 or 404 with the same body: the body says it where it can be read.
        let outcome = match (codec::answer::read(&answer.body), of_status(answer.status)) {
            (Ok(outcome), _) => outcome,
            (Err(_), Some(act)) => Outcome::refused(act, format!("http-{}", answer.status)),
            (Err(error), None) => return Verdict::Uncertain { why: error.to_string() },
        };
        let ours = CarrierKey::text(&message.id.to_string());
        match verdict_of(outcome, ours.clone(), &self.codes, now) {
            // Details and receipts name it by our number too, which is known before the answer.
            Verdict::Accepted { .. } => Verdict::Accepted { key: ours },
            verdict => verdict,
        }
    }

    fn repeat(&self, _message: &Outgoing) -> Repeat {
        Repeat::Ask
    }

    fn inquire(&self, message: &Outgoing, since: Moment, now: Moment) -> Option<Request> {
        let phone = message.to.phone()?;
        self.access.query(&phone.expose(), since.date(), None, 1, &self.stamp(now)?).ok()
    }

    fn found(&self, message: &Outgoing, answer: &Answer) -> Found {
        let Ok(Ok((details, total))) = codec::answer::details(&answer.body) else {
            return Found::Unknown;
        };
        let id = message.id.to_string();
        if details.iter().any(|detail| detail.out_id.as_ref().is_some_and(|known| known.as_str() == id)) {
            return Found::Has(CarrierKey::text(&id));
        }
        // More than a page to one number on one day: it may be on another.
        if total > details.len() as u64 { Found::Unknown } else { Found::Not }
    }

    fn callback(&self, callback: &Callback<'_>, _now: Moment) -> Result<Told, Turned> {
        let key = self.key.as_ref().ok_or_else(|| Turned::stranger("the account has no callback key"))?;
        key.check(callback)?;
        if callback.method != Method::Post {
            return Err(Turned::unreadable("receipts are posted"));
        }
        let receipts = receipts::read(callback.body).map_err(Turned::unreadable)?;
        let report = |receipt: receipts::Receipt| Report {
            key: CarrierKey::text(receipt.out_id.as_ref().unwrap_or(&receipt.biz_id).as_str()),
            phone: receipt.phone,
            stat: if receipt.delivered { "DELIVRD" } else { "UNDELIV" }.to_owned(),
            outcome: if receipt.delivered { ReportOutcome::Delivered } else { ReportOutcome::Failed },
            submitted: CivilMinute::NONE,
            done: receipt.done,
        };
        let reports = receipts.into_iter().map(report).collect();
        Ok(Told { reports, acknowledge: receipts::ACKNOWLEDGED.to_owned(), ..Told::default() })
    }
}
