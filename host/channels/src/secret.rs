//! The secret that a link shares with its gateway: where it comes from, and a wrapper that never shows it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::ChannelError;

/// The most octets of a secret file that are read.
const MAX_SECRET: usize = 1024;

/// Where a secret is kept: `{ env = "NAME" }` or `{ file = "path" }`. Never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file; white space at its ends is not part of the secret.
    File(PathBuf),
}

impl SecretRef {
    /// Reads the secret.
    ///
    /// # Errors
    /// Where the variable or the file is missing, empty or too long.
    pub fn resolve(&self) -> Result<Secret, ChannelError> {
        let (place, value) = match self {
            Self::Env(name) => {
                (format!("environment variable `{name}`"), std::env::var(name).map_err(|e| e.to_string()))
            }
            Self::File(path) => {
                (format!("file `{}`", path.display()), std::fs::read_to_string(path).map_err(|e| e.to_string()))
            }
        };
        let value = value.map_err(|why| ChannelError::Secret { place: place.clone(), why })?;
        let value = value.trim();
        if value.is_empty() || value.len() > MAX_SECRET {
            return Err(ChannelError::Secret { place, why: format!("it is empty or longer than {MAX_SECRET} octets") });
        }
        Ok(Secret::new(value))
    }
}

/// A shared secret; shows itself as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Keeps `secret`.
    #[must_use]
    pub fn new(secret: impl AsRef<[u8]>) -> Self {
        Self(secret.as_ref().into())
    }

    /// The secret as text, for whoever signs with it; none where it is no UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
