//! SMS through any platform that takes one message in one HTTP request: fields, signature, answer and receipts are configuration.

mod mapping;
mod pattern;
mod sign;

use gridbell_channels::http::{
    Callback, Meaning, PlatformAction, Prepared, Provider, Repeat, Told, Turned, Verdict, key_of, verdict_of,
};
use gridbell_channels::{Body, Outgoing, Report, ReportOutcome};
use gridbell_model::{CarrierKey, CivilMinute, Moment, Phone};
use gridbell_platform::{Act, Answer, MAX_ANSWER, Method, Outcome, PlatformId, Request, Secret, form, of_status};
use serde_json::Value;

pub use mapping::{
    AnswerMapping, Encoding, HttpSmsConfig, Proof, ReceiptMapping, RequestMapping, SignKind, SignMapping, SignText,
    TimeFormat,
};
use pattern::{Known, Pattern};
use sign::Signer;

use crate::error::ProviderError;
use crate::key::CallbackKey;

/// The most receipts of one callback.
const MAX_RECEIPTS: usize = 1000;

/// A platform, as configured.
#[derive(Debug)]
pub struct HttpSms {
    account: String,
    secret: Secret,
    request: RequestMapping,
    fields: Vec<(String, Pattern)>,
    headers: Vec<(&'static str, Pattern)>,
    sign: Option<(Pattern, Signer)>,
    answer: AnswerMapping,
    receipt: Option<(ReceiptMapping, Check)>,
    knows_repetitions: bool,
}

/// How a receipt is proven.
#[derive(Debug)]
enum Check {
    Key(CallbackKey),
    Header(&'static str, Signer),
}

impl HttpSms {
    /// Checks a configuration and makes it usable; `account` names it in errors.
    ///
    /// # Errors
    /// The first field that cannot be, with what to write.
    pub fn new(
        name: &str,
        config: HttpSmsConfig,
        secret: Secret,
        callback_secret: Option<Secret>,
    ) -> Result<Self, ProviderError> {
        let wrong =
            |field: &'static str| move |why: String| ProviderError::Field { account: name.to_owned(), field, why };
        let path = &config.request.path;
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(wrong("request.path")("is no path: begin it with `/`".to_owned()));
        }
        if config.request.fields.is_empty() {
            return Err(wrong("request.fields")("has no field: name at least number and text".to_owned()));
        }
        let pattern = |text: &String, field| Pattern::read(text, true).map_err(wrong(field));
        let mut fields = Vec::with_capacity(config.request.fields.len());
        for (field, text) in &config.request.fields {
            fields.push((field.clone(), pattern(text, "request.fields")?));
        }
        let mut headers = Vec::with_capacity(config.request.headers.len());
        for (header, text) in &config.request.headers {
            let header = mapping::header(header).map_err(wrong("request.headers"))?;
            headers.push((header, pattern(text, "request.headers")?));
        }
        let signer = |kind, text, secret: &Secret| Signer::new(kind, text, secret);
        let sign = match &config.sign {
            None => None,
            Some(sign) => {
                let over = Pattern::read(&sign.over, false).map_err(wrong("sign.over"))?;
                Some((over, signer(sign.kind, sign.text, &secret)))
            }
        };
        config.answer.check().map_err(wrong("answer"))?;
        let receipt = match config.receipt {
            None => None,
            Some(receipt) => {
                receipt.check().map_err(wrong("receipt"))?;
                let check = match &receipt.proof {
                    Proof::Key { .. } => {
                        let key = callback_secret.and_then(CallbackKey::new);
                        let why =
                            || "needs a key of 16 characters or more: make one with `openssl rand -hex 16`".to_owned();
                        Check::Key(key.ok_or_else(|| wrong("receipt.proof")(why()))?)
                    }
                    Proof::Header { name, kind, text } => {
                        let header = mapping::header(name).map_err(wrong("receipt.proof"))?;
                        if !kind.is_keyed() {
                            let why = "must be `hmac-sha256` or `hmac-sha1`: a bare digest of the body proves nothing";
                            return Err(wrong("receipt.proof")(why.to_owned()));
                        }
                        Check::Header(header, signer(*kind, *text, &secret))
                    }
                };
                Some((receipt, check))
            }
        };
        let HttpSmsConfig { account, request, answer, knows_repetitions, .. } = config;
        Ok(Self { account, secret, request, fields, headers, sign, answer, receipt, knows_repetitions })
    }

    fn compose(&self, message: &Outgoing, phone: &str, text: &str, now: Moment) -> Request {
        let (id, time) = (message.id.to_string(), self.request.time.show(now));
        let mut known = Known {
            account: &self.account,
            secret: "",
            phone,
            text,
            sender: &message.sender,
            id: &id,
            time: &time,
            sign: String::new(),
        };
        if let Some((over, signer)) = &self.sign {
            known.secret = self.secret.expose();
            known.sign = signer.sign(over.fill(&known).as_bytes());
            known.secret = "";
        }
        let fields: Vec<(&str, String)> =
            self.fields.iter().map(|(name, pattern)| (name.as_str(), pattern.fill(&known))).collect();
        let pairs = || form::encode_pairs(fields.iter().map(|(name, value)| (*name, value.as_str())));
        let mut headers: Vec<(&'static str, String)> =
            self.headers.iter().map(|(name, pattern)| (*name, pattern.fill(&known))).collect();
        let (method, path, body) = match self.request.encoding {
            Encoding::Query => {
                let joint = if self.request.path.contains('?') { '&' } else { '?' };
                (Method::Get, format!("{}{joint}{}", self.request.path, pairs()), Vec::new())
            }
            Encoding::Form => {
                headers.push(("content-type", "application/x-www-form-urlencoded; charset=utf-8".to_owned()));
                (Method::Post, self.request.path.clone(), pairs().into_bytes())
            }
            Encoding::Json => {
                headers.push(("content-type", "application/json; charset=utf-8".to_owned()));
                let object: serde_json::Map<String, Value> =
                    fields.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
                (Method::Post, self.request.path.clone(), Value::from(object).to_string().into_bytes())
            }
        };
        Request { method, path, headers, body }
    }

    /// What an answer says, by the mapping.
    fn outcome(&self, answer: &Answer) -> Result<Outcome, &'static str> {
        if answer.body.len() > MAX_ANSWER {
            return Err("its answer is longer than 64 KiB");
        }
        let body: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let code = body.as_ref().and_then(|body| body.pointer(&self.answer.code)).and_then(scalar);
        let Some(code) = code else {
            return match of_status(answer.status) {
                Some(act) => Ok(Outcome::refused(act, format!("http-{}", answer.status))),
                None => Err("its answer is not JSON with the code where `answer.code` says"),
            };
        };
        if self.answer.ok.contains(&code) {
            let id = self.answer.id.as_ref().zip(body.as_ref()).and_then(|(id, body)| scalar(body.pointer(id)?));
            return Ok(Outcome::Accepted { id: id.as_deref().and_then(PlatformId::new) });
        }
        Ok(Outcome::refused(Act::Unlisted, code))
    }
}

/// A text or a number, as text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

impl Provider for HttpSms {
    fn prepare(&self, message: &Outgoing, now: Moment) -> Prepared {
        let Some(phone) = message.to.phone().filter(|phone| phone.is_sendable()) else {
            return Prepared::Never { reason: "号码不能接收短信" };
        };
        let Body::Text(text) = &message.body else {
            return Prepared::Never { reason: "短信通道只发送文本" };
        };
        Prepared::Go { request: self.compose(message, &phone.expose(), text, now), token: 0 }
    }

    fn read(&self, message: &Outgoing, _token: u64, answer: &Answer, now: Moment) -> Verdict {
        let ours = CarrierKey::text(&message.id.to_string());
        match self.outcome(answer) {
            Err(why) => Verdict::Uncertain { why: why.to_owned() },
            Ok(outcome) => match verdict_of(outcome, ours, &self.answer.codes, now) {
                Verdict::Declined { code, means: Meaning::Retry }
                    if self.answer.uncertain.iter().any(|c| c == code.as_str()) =>
                {
                    Verdict::Uncertain { why: format!("the platform answered {code}") }
                }
                verdict => verdict,
            },
        }
    }

    fn repeat(&self, _message: &Outgoing) -> Repeat {
        if self.knows_repetitions { Repeat::Same } else { Repeat::Marked }
    }

    fn callback(&self, callback: &Callback<'_>, now: Moment) -> Result<Told, Turned> {
        let (mapping, check) =
            self.receipt.as_ref().ok_or_else(|| Turned::stranger("the account has no `receipt` mapping"))?;
        if callback.method != Method::Post {
            return Err(Turned::unreadable("receipts are posted"));
        }
        match check {
            Check::Key(key) => key.check(callback)?,
            Check::Header(header, signer) => {
                if !signer.is_of(callback.body, callback.header(header).unwrap_or_default()) {
                    return Err(Turned::stranger("its signature does not fit the secret"));
                }
            }
        }
        let body: Value = serde_json::from_slice(callback.body).map_err(|_| Turned::unreadable("it is no JSON"))?;
        let list = body.pointer(&mapping.list).ok_or_else(|| Turned::unreadable("`receipt.list` is not in it"))?;
        let list = list.as_array().map_or(std::slice::from_ref(list), Vec::as_slice);
        if list.len() > MAX_RECEIPTS {
            return Err(Turned::unreadable("it has more than 1000 receipts"));
        }
        let reports = list.iter().map(|one| receipt(one, mapping, now)).collect::<Result<_, _>>()?;
        Ok(Told { reports, acknowledge: mapping.acknowledge.clone(), ..Told::default() })
    }
}

fn receipt(value: &Value, mapping: &ReceiptMapping, now: Moment) -> Result<Report, Turned> {
    let at = |pointer: &str| value.pointer(pointer).and_then(scalar);
    let id = at(&mapping.id).as_deref().and_then(PlatformId::new);
    let id = id.ok_or_else(|| Turned::unreadable("`receipt.id` is not in one of its receipts"))?;
    let status =
        at(&mapping.status).ok_or_else(|| Turned::unreadable("`receipt.status` is not in one of its receipts"))?;
    let (stat, outcome) = match () {
        () if mapping.delivered.contains(&status) => ("DELIVRD", ReportOutcome::Delivered),
        () if mapping.pending.contains(&status) => ("ACCEPTD", ReportOutcome::Pending),
        () => ("UNDELIV", ReportOutcome::Failed),
    };
    let phone = mapping.phone.as_deref().and_then(at).map_or(Phone::NONE, |phone| Phone::from_text(&phone));
    let (submitted, done) = (CivilMinute::NONE, now.civil_minute());
    Ok(Report { key: key_of(&id), phone, stat: stat.to_owned(), outcome, submitted, done })
}

/// What a code of the mapping means; for tests and for people who try a mapping.
impl HttpSmsConfig {
    /// The action for a code; none where it is accepted.
    #[must_use]
    pub fn action_of(&self, code: &str) -> Option<PlatformAction> {
        if self.answer.ok.iter().any(|ok| ok == code) {
            return None;
        }
        Some(self.answer.codes.get(code).copied().unwrap_or(PlatformAction::Retry))
    }
}
