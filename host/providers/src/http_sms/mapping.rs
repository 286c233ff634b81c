//! What an operator writes about a platform.

use std::collections::BTreeMap;

use gridbell_channels::SecretRef;
use gridbell_channels::http::PlatformAction;
use gridbell_model::Moment;
use serde::{Deserialize, Serialize};

/// Headers that a mapping may name: those that platforms are known to ask for.
const HEADERS: [&str; 16] = [
    "authorization",
    "x-access-token",
    "x-account",
    "x-api-key",
    "x-app-id",
    "x-app-key",
    "x-auth-token",
    "x-nonce",
    "x-request-id",
    "x-sign",
    "x-signature",
    "x-sp-id",
    "x-time",
    "x-timestamp",
    "x-token",
    "x-wsse",
];

/// A platform of a province or a firm that takes one message in one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpSmsConfig {
    /// `{account}` of the mapping.
    pub account: String,
    /// Where the secret is kept.
    pub secret: SecretRef,
    /// How a message is written.
    pub request: RequestMapping,
    /// How it is signed.
    #[serde(default)]
    pub sign: Option<SignMapping>,
    /// How the answer is read.
    pub answer: AnswerMapping,
    /// How receipts are read.
    #[serde(default)]
    pub receipt: Option<ReceiptMapping>,
    /// Whether the platform sends one message for each `{id}`, however often it comes. Only then is a lost answer repeated.
    #[serde(default)]
    pub knows_repetitions: bool,
}

/// How a message is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RequestMapping {
    /// The path, beginning with `/`.
    pub path: String,
    /// Where the fields go.
    #[serde(default)]
    pub encoding: Encoding,
    /// Fields with their patterns: `phone = "86{phone}"`.
    pub fields: BTreeMap<String, String>,
    /// Headers with their patterns.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How `{time}` is written.
    #[serde(default)]
    pub time: TimeFormat,
}

/// Where the fields go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encoding {
    /// A JSON object of texts, posted.
    #[default]
    Json,
    /// A form, posted.
    Form,
    /// The query of a GET.
    Query,
}

/// How `{time}` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeFormat {
    /// Seconds since 1970.
    #[default]
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// `20261122080910`, in Shanghai.
    Compact,
    /// `2026-11-22 08:09:10`, in Shanghai.
    Civil,
}

impl TimeFormat {
    pub(super) fn show(self, now: Moment) -> String {
        let (ms, minute) = (now.unix_ms(), now.civil_minute());
        let (day, of_day, second) = (minute.date(), minute.minute_of_day(), ms.div_euclid(1000).rem_euclid(60));
        let civil = || format!("{day} {:02}:{:02}:{second:02}", of_day / 60, of_day % 60);
        match self {
            Self::Seconds => ms.div_euclid(1000).to_string(),
            Self::Milliseconds => ms.to_string(),
            Self::Compact => civil().replace(['-', ' ', ':'], ""),
            Self::Civil => civil(),
        }
    }
}

/// How a message is signed; the signature is `{sign}` in fields and headers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SignMapping {
    /// With what.
    pub kind: SignKind,
    /// Over what: `"{account}{time}{secret}"`. For an HMAC the secret is the key and need not be named.
    pub over: String,
    /// How it is written.
    #[serde(default)]
    pub text: SignText,
}

/// With what a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignKind {
    /// HMAC-SHA256 under the secret.
    HmacSha256,
    /// HMAC-SHA1 under the secret.
    HmacSha1,
    /// SHA-256, the secret named in the text.
    Sha256,
    /// MD5, the secret named in the text.
    Md5,
}

impl SignKind {
    pub(super) const fn is_keyed(self) -> bool {
        matches!(self, Self::HmacSha256 | Self::HmacSha1)
    }
}

/// How a signature is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignText {
    /// Lower-case hexadecimal.
    #[default]
    Hex,
    /// Upper-case hexadecimal.
    HexUpper,
    /// Base64.
    Base64,
}

/// How an answer is read: JSON, places as JSON pointers such as `/data/msgid`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AnswerMapping {
    /// Where the code is.
    pub code: String,
    /// The codes of a message that was accepted.
    pub ok: Vec<String>,
    /// Where the platform's number for it is; without one it is known by `{id}`.
    #[serde(default)]
    pub id: Option<String>,
    /// What other codes mean; one that is not listed is retried.
    #[serde(default)]
    pub codes: BTreeMap<String, PlatformAction>,
    /// Codes after which the platform may have the message all the same.
    #[serde(default)]
    pub uncertain: Vec<String>,
}

impl AnswerMapping {
    pub(super) fn check(&self) -> Result<(), String> {
        pointer("code", &self.code)?;
        self.id.as_deref().map_or(Ok(()), |id| pointer("id", id))?;
        if self.ok.is_empty() {
            return Err("has no code in `ok`: name those of a message that was accepted".to_owned());
        }
        Ok(())
    }
}

/// How receipts are read: JSON, posted, one or a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ReceiptMapping {
    /// Where the list is, or the one; empty for the whole body.
    #[serde(default)]
    pub list: String,
    /// In each: the number that the answer gave, or `{id}` where it gave none.
    pub id: String,
    /// In each: what became of it.
    pub status: String,
    /// In each: the number of the terminal.
    #[serde(default)]
    pub phone: Option<String>,
    /// The words for a message that arrived.
    pub delivered: Vec<String>,
    /// The words for one that is still on its way; every other word is a failure.
    #[serde(default)]
    pub pending: Vec<String>,
    /// What the platform waits for.
    pub acknowledge: String,
    /// How it proves that it is the platform.
    pub proof: Proof,
}

impl ReceiptMapping {
    pub(super) fn check(&self) -> Result<(), String> {
        if !self.list.is_empty() {
            pointer("list", &self.list)?;
        }
        pointer("id", &self.id)?;
        pointer("status", &self.status)?;
        self.phone.as_deref().map_or(Ok(()), |phone| pointer("phone", phone))?;
        if self.delivered.is_empty() {
            return Err("has no word in `delivered`".to_owned());
        }
        Ok(())
    }
}

/// How a receipt proves that it is the platform's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Proof {
    /// It is posted to an address with `?key=…` that nobody else knows.
    Key {
        /// Where the key is kept.
        secret: SecretRef,
    },
    /// A header signs the body with the account's secret.
    Header {
        /// Its name.
        name: String,
        /// With what.
        kind: SignKind,
        /// How it is written.
        #[serde(default)]
        text: SignText,
    },
}

fn pointer(field: &str, text: &str) -> Result<(), String> {
    if text.starts_with('/') && text.len() <= 256 {
        return Ok(());
    }
    let shown: String = text.chars().take(40).collect();
    Err(format!("has `{shown}` as its `{field}`: write a place as `/data/msgid`"))
}

pub(super) fn header(name: &str) -> Result<&'static str, String> {
    let found = HEADERS.iter().find(|known| known.eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| {
        let shown: String = name.chars().take(40).collect();
        format!("names header `{shown}`: there are {}", HEADERS.join(", "))
    })
}
