//! The access key and the V3 signature.
//!
//! ```text
//! canonical request = METHOD \n path \n sorted query \n sorted headers, each with \n \n names of them \n hex SHA-256 of the body
//! string to sign    = ACS3-HMAC-SHA256 \n hex SHA-256 of the canonical request
//! ```

use gridbell_model::Moment;
use gridbell_platform::{Method, Request, Secret, bytes, form};
use ring::{digest, hmac};

use crate::error::Error;

/// The version of the interface.
pub const VERSION: &str = "2017-05-25";

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// What makes a request unlike any other: its time and a random word.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// Now. The platform takes up to 15 minutes of difference.
    pub now: Moment,
    /// `x-acs-signature-nonce`: never twice; from the system's entropy, 16 to 64 letters and digits.
    pub nonce: String,
}

/// An access key for one endpoint.
#[derive(Clone, Debug)]
pub struct Access {
    host: String,
    key_id: String,
    secret: Secret,
}

impl Access {
    /// A key for `host`, `dysmsapi.aliyuncs.com`, with the port where it is not 443; the host is part of what is signed.
    ///
    /// # Errors
    /// Where host or key id are none.
    pub fn new(host: impl Into<String>, key_id: impl Into<String>, secret: Secret) -> Result<Self, Error> {
        let (host, key_id) = (host.into(), key_id.into());
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
        if host.is_empty() || host.len() > 255 || !host.bytes().all(fits) {
            return Err(Error::Field { field: "host", why: "is no host: write it as `dysmsapi.aliyuncs.com`" });
        }
        if key_id.is_empty()
            || key_id.len() > 128
            || !key_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
        {
            return Err(Error::Field { field: "AccessKeyId", why: "is no key id" });
        }
        Ok(Self { host, key_id, secret })
    }

    /// A signed POST: `query` in the address, `body` as a form.
    pub(crate) fn request(
        &self,
        action: &'static str,
        mut query: Vec<(&'static str, String)>,
        body: &[(&'static str, String)],
        stamp: &Stamp,
    ) -> Result<Request, Error> {
        let Stamp { now, nonce } = stamp;
        if !(16..=64).contains(&nonce.len()) || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::Field { field: "x-acs-signature-nonce", why: "is not 16 to 64 letters and digits" });
        }
        query.sort_unstable();
        let query = form::encode_pairs(query.iter().map(|(name, value)| (*name, value.as_str())));
        let body = form::encode_pairs(body.iter().map(|(name, value)| (*name, value.as_str()))).into_bytes();
        let hash = sha256(&body);
        // In the order in which they are signed.
        let mut headers = vec![
            ("host", self.host.clone()),
            ("x-acs-action", action.to_owned()),
            ("x-acs-content-sha256", hash.clone()),
            ("x-acs-date", utc(*now)),
            ("x-acs-signature-nonce", nonce.clone()),
            ("x-acs-version", VERSION.to_owned()),
        ];
        if !body.is_empty() {
            headers.insert(0, ("content-type", "application/x-www-form-urlencoded".to_owned()));
        }
        let signed: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical = format!("POST\n/\n{query}\n{signed}\n{names}\n{hash}");
        let to_sign = format!("{ALGORITHM}\n{}", sha256(canonical.as_bytes()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose().as_bytes());
        let signature = bytes::hex(hmac::sign(&key, to_sign.as_bytes()).as_ref());
        let authorization =
            format!("{ALGORITHM} Credential={},SignedHeaders={names},Signature={signature}", self.key_id);
        headers.push(("authorization", authorization));
        Ok(Request { method: Method::Post, path: format!("/?{query}"), headers, body })
    }
}

fn sha256(octets: &[u8]) -> String {
    bytes::hex(digest::digest(&digest::SHA256, octets).as_ref())
}

/// `2026-11-22T00:09:10Z`.
fn utc(now: Moment) -> String {
    // Civil time is that of Shanghai, eight hours ahead all year: eight hours earlier its clock shows UTC.
    let minute = now.plus_ms(-8 * 3600 * 1000).civil_minute();
    let of_day = minute.minute_of_day();
    let second = now.unix_ms().div_euclid(1000).rem_euclid(60);
    format!("{}T{:02}:{:02}:{second:02}Z", minute.date(), of_day / 60, of_day % 60)
}
