//! A word in the callback's address that nobody else knows, for platforms that sign nothing.

use gridbell_channels::http::{Callback, Turned};
use gridbell_platform::{Secret, bytes, form};

/// The least octets of a key: as long as a random one of 96 bits in base64.
const MIN_KEY: usize = 16;

/// `key=…` in the query of a callback.
#[derive(Clone, Debug)]
pub struct CallbackKey(Secret);

impl CallbackKey {
    /// Keeps a key; none where it is too short to be one.
    #[must_use]
    pub fn new(key: Secret) -> Option<Self> {
        (key.expose().len() >= MIN_KEY).then_some(Self(key))
    }

    /// Whether a callback knows it.
    ///
    /// # Errors
    /// [`Turned`] with 403 where it does not.
    pub fn check(&self, callback: &Callback<'_>) -> Result<(), Turned> {
        let pairs = form::decode_pairs(callback.query.as_bytes()).map_err(Turned::unreadable)?;
        let given = pairs.iter().find(|(name, _)| name == "key").map_or("", |(_, value)| value.as_str());
        if bytes::same(given.as_bytes(), self.0.expose().as_bytes()) {
            return Ok(());
        }
        Err(Turned::stranger("`key` in its query is missing or another"))
    }
}
