//! The receiver's side, as our documentation shows it and our tests play it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridbell_model::Moment;
use gridbell_platform::bytes;

use crate::error::Error;
use crate::replay::ReplayWindow;
use crate::secret::WebhookSecret;
use crate::sign::{ID_HEADER, MAX_BODY, MAX_ID, SIGNATURE_HEADER, TIMESTAMP_HEADER};

/// How far a webhook's time may be from ours, in milliseconds: the specification's five minutes.
pub const TOLERANCE_MS: i64 = 5 * 60 * 1000;

/// The most signatures of one webhook that are looked at.
pub const MAX_SIGNATURES: usize = 8;

/// The three headers, as they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headers<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
}

/// Verifies webhooks and lets each in once.
#[derive(Debug)]
pub struct Verifier {
    secret: WebhookSecret,
    seen: ReplayWindow,
}

impl Verifier {
    /// Verifies with `secret`; remembers up to `remembered` webhooks.
    #[must_use]
    pub fn new(secret: WebhookSecret, remembered: usize) -> Self {
        Self { secret, seen: ReplayWindow::new(remembered) }
    }

    /// Lets a webhook in: signed, of these minutes, for the first time. Where the receiver cannot keep it after all, it says so with
    /// [`Verifier::forget`], so that the repetition is let in.
    ///
    /// # Errors
    /// Where it is not to be let in; [`Error::Replay`] is answered with 200, the others with 400 or 401, [`Error::Full`] with 429.
    pub fn admit(&mut self, headers: Headers<'_>, body: &[u8], now: Moment) -> Result<(), Error> {
        if headers.id.is_empty() || headers.id.len() > MAX_ID || headers.id.contains('.') {
            return Err(Error::Header { header: ID_HEADER, why: "is empty, longer than 64, or has a dot" });
        }
        if body.len() > MAX_BODY {
            return Err(Error::TooLong);
        }
        let digits = !headers.timestamp.is_empty() && headers.timestamp.bytes().all(|byte| byte.is_ascii_digit());
        let sent = headers.timestamp.parse::<i64>().ok().filter(|_| digits).and_then(|sent| sent.checked_mul(1000));
        let sent = sent.ok_or(Error::Header { header: TIMESTAMP_HEADER, why: "is no number of seconds" })?;
        self.signed(headers, body)?;
        if now.unix_ms().saturating_sub(sent).saturating_abs() > TOLERANCE_MS {
            return Err(Error::Time);
        }
        self.seen.admit(headers.id, Moment::from_unix_ms(sent.saturating_add(TOLERANCE_MS)), now)
    }

    /// A webhook that was let in could not be kept: let its repetition in.
    pub fn forget(&mut self, id: &str) {
        self.seen.forget(id);
    }

    fn signed(&self, headers: Headers<'_>, body: &[u8]) -> Result<(), Error> {
        let expected = STANDARD.encode(self.secret.sign(headers.id, headers.timestamp, body));
        let mut signatures =
            headers.signature.split(' ').take(MAX_SIGNATURES).filter_map(|one| one.strip_prefix("v1,"));
        if headers.signature.is_empty() {
            return Err(Error::Header { header: SIGNATURE_HEADER, why: "is missing" });
        }
        let fits = signatures.any(|signature| bytes::same(signature.as_bytes(), expected.as_bytes()));
        if fits { Ok(()) } else { Err(Error::Signature) }
    }
}
