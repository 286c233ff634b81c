//! Secrets of the server's own making: drawn from the system's entropy, kept only as their SHA-256.

use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};

use crate::problem::{Code, Problem};

/// `bytes` random bytes as hex.
pub(crate) fn random_hex(bytes: usize) -> Result<String, Problem> {
    let mut raw = vec![0; bytes];
    SystemRandom::new()
        .fill(&mut raw)
        .map_err(|_| Problem::because(Code::Unavailable, "the system gives no random bytes; try again"))?;
    Ok(hex(&raw))
}

/// SHA-256 of `secret` as hex. Secrets here have 256 bits of entropy, so that a fast hash is enough; passwords go through argon2id.
pub(crate) fn fingerprint(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

/// Whether two texts are the same, in a time that depends only on their lengths.
pub(crate) fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |d, (x, y)| d | (x ^ y)) == 0
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{b:02x}");
        out
    })
}
