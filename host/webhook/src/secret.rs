//! The secret that sender and receiver share.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use crate::error::Error;

/// What stands before a secret's base64.
pub const SECRET_PREFIX: &str = "whsec_";

/// A secret of 24 to 64 octets, as the specification asks.
#[derive(Clone)]
pub struct WebhookSecret(hmac::Key);

impl WebhookSecret {
    /// Reads a secret: base64, with or without `whsec_`.
    ///
    /// # Errors
    /// [`Error::Secret`] where it is none.
    pub fn read(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        let octets = STANDARD.decode(text.strip_prefix(SECRET_PREFIX).unwrap_or(text)).map_err(|_| Error::Secret)?;
        if !(24..=64).contains(&octets.len()) {
            return Err(Error::Secret);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &octets)))
    }

    /// The signature's octets.
    pub(crate) fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.0);
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            context.update(part);
        }
        context.sign()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(***)")
    }
}
