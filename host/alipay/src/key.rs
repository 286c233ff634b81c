//! The application's private key and the platform's public key, from what Alipay's key tool and console give.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};

use crate::der;
use crate::error::Error;

/// The most octets of a key's text; a key of 4096 bits has 3.3 KiB.
pub const MAX_KEY: usize = 16 * 1024;

/// The most bits of a public key, as `ring` has it.
const MAX_BITS: usize = 8192;
/// RSA2 asks for no fewer.
const MIN_BITS: usize = 2048;

const PRIVATE: &str = "application's private key";
const PUBLIC: &str = "platform's public key";

/// The application's private key: signs requests.
pub struct AppKey(RsaKeyPair);

impl AppKey {
    /// Reads a key: PEM `PRIVATE KEY` (PKCS#8) or `RSA PRIVATE KEY` (PKCS#1), or the bare base64 that the platform's key tool saves.
    ///
    /// # Errors
    /// [`Error::Key`] where it is none, is encrypted, or has fewer than 2048 or more than 4096 bits.
    pub fn read(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Key { which: PRIVATE, why };
        let (label, der) = unwrap(text).map_err(wrong)?;
        let pair = match label {
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
            "" => RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)),
            "ENCRYPTED PRIVATE KEY" => {
                return Err(wrong("it is encrypted: decrypt it first, for example with `openssl pkcs8`"));
            }
            _ => return Err(wrong("it is not a PEM `PRIVATE KEY` or `RSA PRIVATE KEY`")),
        };
        let why = "it is not an RSA key of 2048 to 4096 bits in PKCS#8 or PKCS#1";
        pair.map(Self).map_err(|_| wrong(why))
    }

    /// The base64 of the signature of `text`: RSA2, that is SHA256withRSA with PKCS#1 v1.5. A simulated platform signs its answers with it too.
    ///
    /// # Errors
    /// [`Error::Signing`] where the system gives no random octets.
    pub fn sign(&self, text: &str) -> Result<String, Error> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature);
        signed.map_err(|_| Error::Signing)?;
        Ok(STANDARD.encode(signature))
    }
}

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppKey(RSA {}, ***)", 8 * self.0.public().modulus_len())
    }
}

/// The platform's public key (支付宝公钥, not the application's own): verifies answers and notices.
#[derive(Clone)]
pub struct AlipayKey {
    key: UnparsedPublicKey<Vec<u8>>,
    bits: usize,
}

impl AlipayKey {
    /// Reads a key: PEM `PUBLIC KEY` or `RSA PUBLIC KEY`, or the bare base64 that the platform's console shows.
    ///
    /// # Errors
    /// [`Error::Key`] where it is none, or has fewer than 2048 or more than 8192 bits.
    pub fn read(text: &str) -> Result<Self, Error> {
        let wrong = |why| Error::Key { which: PUBLIC, why };
        let (label, der) = unwrap(text).map_err(wrong)?;
        let key = match label {
            "PUBLIC KEY" => der::rsa_of_spki(&der),
            "RSA PUBLIC KEY" => Some(&der[..]),
            "" => der::rsa_of_spki(&der).or(Some(&der[..])),
            "CERTIFICATE" => return Err(wrong("it is a certificate: choose key mode (公钥模式) in the console")),
            _ => return Err(wrong("it is not a PEM `PUBLIC KEY` or `RSA PUBLIC KEY`")),
        };
        let bits = key.and_then(der::modulus_bits).ok_or_else(|| wrong("it is not an RSA public key"))?;
        if !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return Err(wrong("it has fewer than 2048 or more than 8192 bits, which RSA2 does not take"));
        }
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.unwrap_or_default().to_vec());
        Ok(Self { key, bits })
    }

    /// Whether `signature`, in base64, is of `octets` with this key; `what` says in the error what was signed.
    ///
    /// # Errors
    /// [`Error::Signature`] where it is not.
    pub fn verify(&self, octets: &[u8], signature: &str, what: &'static str) -> Result<(), Error> {
        let wrong = |why| Error::Signature { what, why };
        let signature = STANDARD.decode(signature).map_err(|_| wrong("its `sign` is not base64"))?;
        self.key.verify(octets, &signature).map_err(|_| wrong("its `sign` does not fit its contents"))
    }
}

impl fmt::Debug for AlipayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AlipayKey(RSA {})", self.bits)
    }
}

/// The label of a PEM text, empty for bare base64, and the octets in it.
fn unwrap(text: &str) -> Result<(&str, Vec<u8>), &'static str> {
    if text.len() > MAX_KEY {
        return Err("it is longer than 16 KiB");
    }
    let text = text.trim();
    let (label, body) = match text.strip_prefix("-----BEGIN ") {
        None => ("", text),
        Some(rest) => {
            let (label, rest) = rest.split_once("-----").ok_or("its first line is cut off")?;
            let end = format!("-----END {label}-----");
            (label, rest.strip_suffix(end.as_str()).ok_or("its last line is missing, or other text follows it")?)
        }
    };
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    Ok((label, STANDARD.decode(body).map_err(|_| "it is neither PEM nor base64")?))
}
