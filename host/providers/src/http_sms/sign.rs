//! The signatures that platforms of provinces ask for.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gridbell_platform::{Secret, bytes};
use md5::{Digest, Md5};
use ring::{digest, hmac};

use super::mapping::{SignKind, SignText};

/// Signs texts with the account's secret.
pub(super) struct Signer {
    kind: SignKind,
    text: SignText,
    key: Option<hmac::Key>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) fn new(kind: SignKind, text: SignText, secret: &Secret) -> Self {
        let key = |algorithm| Some(hmac::Key::new(algorithm, secret.expose().as_bytes()));
        let key = match kind {
            SignKind::HmacSha256 => key(hmac::HMAC_SHA256),
            SignKind::HmacSha1 => key(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            SignKind::Sha256 | SignKind::Md5 => None,
        };
        Self { kind, text, key }
    }

    pub(super) fn sign(&self, octets: &[u8]) -> String {
        let signature = match (&self.key, self.kind) {
            (Some(key), _) => hmac::sign(key, octets).as_ref().to_vec(),
            (None, SignKind::Md5) => Md5::digest(octets).to_vec(),
            (None, _) => digest::digest(&digest::SHA256, octets).as_ref().to_vec(),
        };
        match self.text {
            SignText::Hex => bytes::hex(&signature),
            SignText::HexUpper => bytes::hex(&signature).to_ascii_uppercase(),
            SignText::Base64 => STANDARD.encode(signature),
        }
    }

    /// Whether `given` is the signature of `octets`.
    pub(super) fn is_of(&self, octets: &[u8], given: &str) -> bool {
        bytes::same(self.sign(octets).as_bytes(), given.as_bytes())
    }
}
