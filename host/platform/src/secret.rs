//! A secret that never shows itself.

use std::fmt;

/// A token, key or password; shows itself as `***`. Compare secrets with [`crate::bytes::same`].
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Keeps `secret`.
    #[must_use]
    pub fn new(secret: impl Into<Box<str>>) -> Self {
        Self(secret.into())
    }

    /// The secret itself, for a signature or a request; never for a message.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
