//! The access token: the request for it and the platform's answer. When to ask is [`TokenKeeper`](crate::TokenKeeper)'s to decide.

use gridbell_platform::{Act, MAX_ANSWER, Method, Outcome, Request, Secret};
use serde::Deserialize;

use crate::error::Error;

/// The longest token that is kept; the platform reserves 512 octets.
pub const MAX_TOKEN: usize = 1024;

/// The longest life of a token that is believed, in seconds: the documented one.
pub const MAX_LIFE_S: u32 = 7200;

/// What the platform says to a request for a token.
#[derive(Debug)]
pub enum Answer {
    /// A token, and for how many seconds it is valid.
    Token {
        /// The token.
        secret: Secret,
        /// Seconds, at most [`MAX_LIFE_S`].
        expires_in_s: u32,
    },
    /// None; the outcome is a refusal.
    Refused(Outcome),
}

/// POST `/cgi-bin/stable_token`. Without `force` the platform gives the token that is valid; with it, it voids that one and gives another,
/// twenty times a day and thirty seconds apart.
#[must_use]
pub fn request(appid: &str, secret: &Secret, force: bool) -> Request {
    let body = serde_json::json!({
        "grant_type": "client_credential",
        "appid": appid,
        "secret": secret.expose(),
        "force_refresh": force,
    });
    Request {
        method: Method::Post,
        path: "/cgi-bin/stable_token".to_owned(),
        headers: vec![("content-type", "application/json".to_owned())],
        body: body.to_string().into_bytes(),
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    errcode: i64,
    #[serde(default)]
    access_token: Option<String>,
    #[serde(default)]
    expires_in: Option<u32>,
}

/// What an answer with status 200 says.
///
/// # Errors
/// Where it is none of the platform's.
pub fn read(body: &[u8]) -> Result<Answer, Error> {
    let wrong = |why| Error::Answer { why };
    if body.len() > MAX_ANSWER {
        return Err(wrong("it is longer than 64 KiB"));
    }
    let read: Body = serde_json::from_slice(body).map_err(|_| wrong("it is not JSON as documented"))?;
    if read.errcode != 0 {
        return Ok(Answer::Refused(Outcome::refused(act_of(read.errcode), read.errcode.to_string())));
    }
    let (Some(token), Some(life)) = (read.access_token, read.expires_in) else {
        return Err(wrong("it has neither `errcode` nor `access_token` with `expires_in`"));
    };
    let fits = !token.is_empty() && token.len() <= MAX_TOKEN && token.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits || life == 0 {
        return Err(wrong("its token is empty, too long, or not one"));
    }
    Ok(Answer::Token { secret: Secret::new(token), expires_in_s: life.min(MAX_LIFE_S) })
}

/// A refusal of a token is about the account (id, secret, allowed addresses) unless it is about time or quota.
const fn act_of(errcode: i64) -> Act {
    match errcode {
        -1 => Act::Retry,
        45011 => Act::SlowDown,
        45009 => Act::NextChannelUntilMidnight,
        _ => Act::Configuration,
    }
}
