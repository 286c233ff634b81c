//! The account: who we are to the platform, and the requests that it signs.

use gridbell_model::Moment;
use gridbell_platform::{Method, Request, form};

use crate::error::Error;
use crate::key::{AlipayKey, AppKey};
use crate::message::{Recipient, Template, recall_content, send_content};

/// The path of the platform's gateway, the same in production and in its sandbox.
pub const GATEWAY_PATH: &str = "/gateway.do";

/// Which interface was called: an answer is signed under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `alipay.open.public.message.single.send`.
    Send,
    /// `alipay.open.public.life.msg.recall`.
    Recall,
}

impl Call {
    /// The parameter `method`.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Send => "alipay.open.public.message.single.send",
            Self::Recall => "alipay.open.public.life.msg.recall",
        }
    }

    /// The name under which its answer stands.
    #[must_use]
    pub const fn response(self) -> &'static str {
        match self {
            Self::Send => "alipay_open_public_message_single_send_response",
            Self::Recall => "alipay_open_public_life_msg_recall_response",
        }
    }
}

/// A life account's application.
#[derive(Debug)]
pub struct Account {
    pub(crate) app_id: String,
    pub(crate) app_key: AppKey,
    pub(crate) alipay_key: AlipayKey,
}

impl Account {
    /// An application with its keys.
    ///
    /// # Errors
    /// [`Error::Field`] where `app_id` is not one: up to 32 digits.
    pub fn new(app_id: impl Into<String>, app_key: AppKey, alipay_key: AlipayKey) -> Result<Self, Error> {
        let app_id = app_id.into();
        if app_id.is_empty() || app_id.len() > 32 || !app_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::Field { field: "app_id", why: "is not up to 32 digits" });
        }
        Ok(Self { app_id, app_key, alipay_key })
    }

    /// A message to one follower. Not idempotent: the platform knows no number of ours, so after [`Act::Uncertain`] it may go twice.
    ///
    /// [`Act::Uncertain`]: gridbell_platform::Act::Uncertain
    ///
    /// # Errors
    /// Where a field is outside its limit, or the system gives no random octets.
    pub fn send(&self, to: &Recipient, template: &Template, now: Moment) -> Result<Request, Error> {
        self.request(Call::Send, &send_content(to, template)?, now)
    }

    /// Takes a message back that the platform gave `message_id`.
    ///
    /// # Errors
    /// As [`Account::send`].
    pub fn recall(&self, message_id: &str, now: Moment) -> Result<Request, Error> {
        self.request(Call::Recall, &recall_content(message_id)?, now)
    }

    /// The system's parameters go into the query, because the gateway must know `charset` before it reads the body; `biz_content` goes into
    /// the body. The signature is over both, sorted and not encoded, `sign_type` included.
    fn request(&self, call: Call, biz_content: &str, now: Moment) -> Result<Request, Error> {
        let timestamp = timestamp(now);
        let system = [
            ("app_id", self.app_id.as_str()),
            ("charset", "utf-8"),
            ("format", "json"),
            ("method", call.method()),
            ("sign_type", "RSA2"),
            ("timestamp", &timestamp),
            ("version", "1.0"),
        ];
        let mut signed = system.to_vec();
        signed.push(("biz_content", biz_content));
        let sign = self.app_key.sign(&canonical(&mut signed))?;
        let query = form::encode_pairs(system.into_iter().chain([("sign", sign.as_str())]));
        Ok(Request {
            method: Method::Post,
            path: format!("{GATEWAY_PATH}?{query}"),
            headers: vec![("content-type", "application/x-www-form-urlencoded;charset=utf-8".to_owned())],
            body: form::encode_pairs([("biz_content", biz_content)]).into_bytes(),
        })
    }
}

/// `k=v` sorted by key, joined by `&`, not encoded: what both sides sign.
pub(crate) fn canonical(pairs: &mut [(&str, &str)]) -> String {
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// `yyyy-MM-dd HH:mm:ss` in Shanghai.
fn timestamp(now: Moment) -> String {
    let minute = now.civil_minute();
    let of_day = minute.minute_of_day();
    let second = now.unix_ms().div_euclid(1000).rem_euclid(60);
    format!("{} {:02}:{:02}:{second:02}", minute.date(), of_day / 60, of_day % 60)
}
