//! The sender's side.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridbell_model::Moment;
use gridbell_platform::{Act, Method, Request, of_status};

use crate::error::Error;
use crate::secret::WebhookSecret;

/// Names the delivery.
pub const ID_HEADER: &str = "webhook-id";
/// When this attempt was made.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Proves who made it.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// The most octets of an id.
pub const MAX_ID: usize = 64;

/// The most octets of a body that is signed or verified.
pub const MAX_BODY: usize = 256 * 1024;

/// Signs webhooks.
#[derive(Clone, Debug)]
pub struct Signer {
    secret: WebhookSecret,
    /// While a secret is exchanged: the one before it.
    previous: Option<WebhookSecret>,
}

impl Signer {
    /// Signs with `secret`, and with the one before it while receivers still have that.
    #[must_use]
    pub const fn new(secret: WebhookSecret, previous: Option<WebhookSecret>) -> Self {
        Self { secret, previous }
    }

    /// POSTs `json` to `path`. A repetition has the same `id` and a `now` of its own.
    ///
    /// # Errors
    /// Where the id is none, or the body too long.
    pub fn request(&self, path: &str, id: &str, json: Vec<u8>, now: Moment) -> Result<Request, Error> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(fits) {
            return Err(Error::Id);
        }
        if json.len() > MAX_BODY {
            return Err(Error::TooLong);
        }
        let timestamp = now.unix_ms().div_euclid(1000).to_string();
        let secrets = std::iter::once(&self.secret).chain(&self.previous);
        let signatures = secrets.map(|secret| format!("v1,{}", STANDARD.encode(secret.sign(id, &timestamp, &json))));
        let signatures = signatures.collect::<Vec<_>>().join(" ");
        Ok(Request {
            method: Method::Post,
            path: path.to_owned(),
            headers: vec![
                ("content-type", "application/json".to_owned()),
                (ID_HEADER, id.to_owned()),
                (TIMESTAMP_HEADER, timestamp),
                (SIGNATURE_HEADER, signatures),
            ],
            body: json,
        })
    }
}

/// What a receiver's status asks of us; `None` for 2xx: it has it. 410 is the receiver's wish to get no more. Since a repetition has the same id,
/// what is uncertain elsewhere may simply be sent again.
#[must_use]
pub const fn act_of(status: u16) -> Option<Act> {
    match status {
        200..=299 => None,
        410 => Some(Act::Configuration),
        // It read the message, and cannot bring it to this one.
        422 => Some(Act::NextChannel),
        status => match of_status(status) {
            Some(Act::Uncertain) => Some(Act::Retry),
            act => act,
        },
    }
}
