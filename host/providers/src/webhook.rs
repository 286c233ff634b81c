//! A signed webhook: app push, telephone robots, television. Its receiver may tell us in the same way what became of a message.

use std::collections::BTreeMap;

use gridbell_channels::http::{
    Callback, PlatformAction, Prepared, Provider, Repeat, Told, Turned, Verdict, verdict_of,
};
use gridbell_channels::{Address, Body, Outgoing, Report, ReportOutcome};
use gridbell_model::{CarrierKey, CivilMinute, Moment, Phone};
use gridbell_platform::{Act, Answer, Method, Outcome};
use gridbell_webhook::{self as codec, Headers, Signer, Verifier, act_of};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

/// The most reports of one callback.
const MAX_REPORTS: usize = 1000;

/// A receiver.
#[derive(Debug)]
pub struct Webhook {
    path: String,
    signer: Signer,
    /// Verifies what comes back. Reports are known by their message, so that one that comes again does no harm.
    verifier: Mutex<Verifier>,
    codes: BTreeMap<String, PlatformAction>,
}

impl Webhook {
    /// A receiver at `path`.
    #[must_use]
    pub const fn new(
        path: String,
        signer: Signer,
        verifier: Verifier,
        codes: BTreeMap<String, PlatformAction>,
    ) -> Self {
        Self { path, signer, verifier: Mutex::new(verifier), codes }
    }
}

fn document(message: &Outgoing) -> Value {
    let to = match &message.to {
        Address::Phone(phone) => json!({"phone": phone.expose()}),
        Address::OpenId(id) => json!({"open_id": &**id}),
        Address::UserId(id) => json!({"user_id": &**id}),
    };
    let mut document = json!({"type": "message", "id": message.id.to_string(), "to": to, "urgent": message.urgent});
    match &message.body {
        Body::Text(text) => document["text"] = text.as_str().into(),
        Body::Template(template) => {
            document["template"] = (*template.id).into();
            document["url"] = template.url.as_str().into();
            document["values"] =
                template.values.iter().map(|(name, value)| (name.to_string(), Value::from(value.as_str()))).collect();
        }
    }
    if let Some(until) = message.valid_until {
        document["valid_until"] = (until.unix_ms() / 1000).into();
    }
    document
}

#[derive(Deserialize)]
struct Line {
    id: String,
    status: Status,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Delivered,
    Failed,
    Pending,
}

impl Provider for Webhook {
    fn prepare(&self, message: &Outgoing, now: Moment) -> Prepared {
        let body = document(message).to_string().into_bytes();
        match self.signer.request(&self.path, &message.id.to_string(), body, now) {
            Ok(request) => Prepared::Go { request, token: 0 },
            Err(_) => Prepared::Never { reason: "消息内容过长" },
        }
    }

    fn read(&self, message: &Outgoing, _token: u64, answer: &Answer, now: Moment) -> Verdict {
        let key = CarrierKey::text(&message.id.to_string());
        match act_of(answer.status) {
            None => Verdict::Accepted { key },
            Some(act) => {
                let code = format!("http-{}", answer.status);
                // A receiver has no codes but these: what the operator says of one holds.
                let act = if self.codes.contains_key(&code) { Act::Unlisted } else { act };
                verdict_of(Outcome::refused(act, code), key, &self.codes, now)
            }
        }
    }

    fn repeat(&self, _message: &Outgoing) -> Repeat {
        Repeat::Same
    }

    fn callback(&self, callback: &Callback<'_>, now: Moment) -> Result<Told, Turned> {
        if callback.method != Method::Post {
            return Err(Turned::unreadable("reports are posted"));
        }
        let header = |name| callback.header(name).unwrap_or_default();
        let headers = Headers {
            id: header(codec::ID_HEADER),
            timestamp: header(codec::TIMESTAMP_HEADER),
            signature: header(codec::SIGNATURE_HEADER),
        };
        {
            let mut verifier = self.verifier.lock();
            verifier.admit(headers, callback.body, now).map_err(|error| match error {
                codec::Error::TooLong => Turned { status: 413, why: error.to_string() },
                error => Turned::stranger(error),
            })?;
            verifier.forget(headers.id);
        }
        let told: Vec<Line> = serde_json::from_slice(callback.body)
            .map_err(|_| Turned::unreadable("it is no JSON array of `{\"id\", \"status\"}`"))?;
        if told.len() > MAX_REPORTS {
            return Err(Turned::unreadable("it has more than 1000 reports"));
        }
        let report = |told: Line| {
            let (stat, outcome) = match told.status {
                Status::Delivered => ("DELIVRD", ReportOutcome::Delivered),
                Status::Failed => ("UNDELIV", ReportOutcome::Failed),
                Status::Pending => ("ACCEPTD", ReportOutcome::Pending),
            };
            Report {
                key: CarrierKey::text(&told.id),
                phone: Phone::NONE,
                stat: stat.to_owned(),
                outcome,
                submitted: CivilMinute::NONE,
                done: now.civil_minute(),
            }
        };
        Ok(Told { reports: told.into_iter().map(report).collect(), acknowledge: "{}".to_owned(), ..Told::default() })
    }
}
