//! The door for the platform's callbacks: who is let in, and in which mode.

use gridbell_model::Moment;
use gridbell_platform::{Secret, bytes, form};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::callback::Callback;
use crate::crypt::AesKey;
use crate::error::Error;
use crate::xml::{Fields, MAX_XML, cdata};

/// How far a callback's `timestamp` may be from our clock, in milliseconds. Within it one may come again: know messages by their ids.
pub const CALLBACK_WINDOW_MS: i64 = 5 * 60 * 1000;

/// How callbacks come, as the console is set.
#[derive(Clone, Debug)]
pub enum Mode {
    /// 明文模式: signed, but the signature does not cover the body, which anyone who saw one query could exchange. For tests.
    Plain,
    /// 安全模式, or 兼容模式, of which only the encrypted half is read.
    Aes(AesKey),
}

/// What the platform puts into a callback's query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallbackQuery {
    /// `signature` over token, timestamp and nonce.
    pub signature: String,
    /// `timestamp`, seconds since 1970.
    pub timestamp: String,
    /// `nonce`.
    pub nonce: String,
    /// `msg_signature`, over the ciphertext too; AES mode only.
    pub msg_signature: Option<String>,
    /// `echostr`, when the console tries the address.
    pub echostr: Option<String>,
}

impl CallbackQuery {
    /// Reads the query of a request, without its `?`.
    ///
    /// # Errors
    /// Where it is no query, or one of the three that every callback has is missing.
    pub fn read(query: &str) -> Result<Self, Error> {
        let mut read = Self::default();
        for (name, value) in form::decode_pairs(query.as_bytes())? {
            match name.as_str() {
                "signature" => read.signature = value,
                "timestamp" => read.timestamp = value,
                "nonce" => read.nonce = value,
                "msg_signature" => read.msg_signature = Some(value),
                "echostr" => read.echostr = Some(value),
                _ => {}
            }
        }
        if [&read.signature, &read.timestamp, &read.nonce].iter().any(|value| value.is_empty()) {
            return Err(Error::Refused { why: "`signature`, `timestamp` or `nonce` is missing in its query" });
        }
        Ok(read)
    }
}

/// Verifies and reads callbacks for one account.
#[derive(Debug)]
pub struct Door {
    appid: String,
    token: Secret,
    mode: Mode,
}

impl Door {
    /// A door for `appid` with the console's Token.
    ///
    /// # Errors
    /// Where the token is not 3 to 32 letters and digits.
    pub fn new(appid: impl Into<String>, token: Secret, mode: Mode) -> Result<Self, Error> {
        let text = token.expose();
        if !(3..=32).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Error::Field { field: "Token", why: "is not 3 to 32 letters and digits" });
        }
        Ok(Self { appid: appid.into(), token, mode })
    }

    /// What to answer when the console tries the address with GET: `echostr`, as it came.
    ///
    /// # Errors
    /// Where it is not the platform that asks.
    pub fn greet(&self, query: &CallbackQuery, now: Moment) -> Result<String, Error> {
        self.signed(query, now)?;
        let echo = query.echostr.clone().filter(|echo| !echo.is_empty() && echo.len() <= 1024);
        let echo = echo.filter(|echo| echo.bytes().all(|byte| byte.is_ascii_graphic()));
        echo.ok_or(Error::Refused { why: "`echostr` is missing in its query" })
    }

    /// Verifies a callback that came with POST, decrypts it where the mode says so, and reads it.
    ///
    /// In AES mode nothing in clear is ever read: who can post a plain message is not the platform.
    ///
    /// # Errors
    /// Where it is not the platform's, is too old, is for another account, or cannot be read.
    pub fn open(&self, query: &CallbackQuery, body: &[u8], now: Moment) -> Result<Callback, Error> {
        self.signed(query, now)?;
        let outer = Fields::read(body)?;
        let Mode::Aes(key) = &self.mode else {
            return Callback::of(&outer);
        };
        let encrypt = outer.get("Encrypt").ok_or(Error::Refused { why: "it is not encrypted, and the mode is AES" })?;
        let signature = query.msg_signature.as_deref();
        let signature = signature.ok_or(Error::Refused { why: "`msg_signature` is missing in its query" })?;
        let expected = self.signature(&[&query.timestamp, &query.nonce, encrypt]);
        if !bytes::same(expected.as_bytes(), signature.as_bytes()) {
            return Err(Error::Refused { why: "its `msg_signature` does not fit the token" });
        }
        Callback::of(&Fields::read(key.decrypt(encrypt, &self.appid)?.as_bytes())?)
    }

    /// The body of an answer that holds a reply, encrypted and signed where the mode says so; `random` are the system's.
    ///
    /// # Errors
    /// Where the reply is longer than [`MAX_XML`].
    pub fn reply(&self, xml: &str, now: Moment, nonce: &str, random: [u8; 16]) -> Result<String, Error> {
        if xml.len() > MAX_XML {
            return Err(Error::Field { field: "Encrypt", why: "is too long" });
        }
        let Mode::Aes(key) = &self.mode else {
            return Ok(xml.to_owned());
        };
        let encrypt = key.encrypt(xml, &self.appid, random)?;
        let timestamp = now.unix_ms().div_euclid(1000).to_string();
        let signature = self.signature(&[&timestamp, nonce, &encrypt]);
        Ok(format!(
            "<xml><Encrypt>{}</Encrypt><MsgSignature>{}</MsgSignature><TimeStamp>{timestamp}</TimeStamp><Nonce>{}</Nonce></xml>",
            cdata(&encrypt),
            cdata(&signature),
            cdata(nonce),
        ))
    }

    /// The platform's side: the query and the body with which it posts `xml`, for whoever plays it.
    ///
    /// # Errors
    /// Where the body is longer than [`MAX_XML`].
    pub fn post(&self, xml: &str, now: Moment, nonce: &str, random: [u8; 16]) -> Result<(String, String), Error> {
        if xml.len() > MAX_XML {
            return Err(Error::Field { field: "Encrypt", why: "is too long" });
        }
        let timestamp = now.unix_ms().div_euclid(1000).to_string();
        let signature = self.signature(&[&timestamp, nonce]);
        let mut query = vec![("signature", signature.as_str()), ("timestamp", &timestamp), ("nonce", nonce)];
        let Mode::Aes(key) = &self.mode else {
            return Ok((form::encode_pairs(query), xml.to_owned()));
        };
        let encrypt = key.encrypt(xml, &self.appid, random)?;
        let signature = self.signature(&[&timestamp, nonce, &encrypt]);
        query.extend([("encrypt_type", "aes"), ("msg_signature", signature.as_str())]);
        Ok((form::encode_pairs(query), format!("<xml><Encrypt>{}</Encrypt></xml>", cdata(&encrypt))))
    }

    /// The signature that every callback has, and its age.
    fn signed(&self, query: &CallbackQuery, now: Moment) -> Result<(), Error> {
        let expected = self.signature(&[&query.timestamp, &query.nonce]);
        if !bytes::same(expected.as_bytes(), query.signature.as_bytes()) {
            return Err(Error::Refused { why: "its `signature` does not fit the token" });
        }
        let sent: i64 = query.timestamp.parse().map_err(|_| Error::Refused { why: "its `timestamp` is no number" })?;
        let age = now.unix_ms().saturating_sub(sent.saturating_mul(1000));
        if age.saturating_abs() > CALLBACK_WINDOW_MS {
            return Err(Error::Refused { why: "its `timestamp` is more than 5 minutes from our clock" });
        }
        Ok(())
    }

    /// SHA-1 of the token and the parts, sorted and joined, in hexadecimal: the platform's choice.
    fn signature(&self, parts: &[&str]) -> String {
        let mut all = vec![self.token.expose()];
        all.extend(parts);
        all.sort_unstable();
        bytes::hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, all.concat().as_bytes()).as_ref())
    }
}
