//! An answer: verified, then read. What each code asks of us is one table.
//!
//! | code | sub_code | act |
//! |---|---|---|
//! | 10000 | | accepted |
//! | 20000 | | retry |
//! | 20001, 40001, 40002, 40003, 40006 | | configuration |
//! | 40004 | `PUB.MSG_SD_NOFOLLOW` | next channel |
//! | 40004 | `PUB.MSG_TEMPLATE_NOT_EXIST`, `isv.…` | configuration |
//! | 40004 | `isp.…`, `aop.…` | retry |
//! | 40005 | | slow down |
//! | all others | | unlisted: the operator's table decides |

use gridbell_platform::{Act, MAX_ANSWER, Outcome, PlatformId};
use serde::Deserialize;

use crate::account::{Account, Call};
use crate::error::Error;
use crate::span::members;

/// The name under which the gateway answers what it could not tell the interface of; the only answer that may be unsigned.
const ERROR_RESPONSE: &str = "error_response";

/// What is read of an answer.
#[derive(Deserialize)]
struct Body {
    code: String,
    #[serde(default)]
    sub_code: Option<String>,
    #[serde(default)]
    msg_id: Option<String>,
}

impl Account {
    /// What became of a call, from the body of an answer with status 200; for other statuses see [`gridbell_platform::of_status`].
    ///
    /// The signature is verified over the raw octets of the `…_response` value. An unsigned answer is never believed to have accepted or
    /// refused a message; it is read only where the gateway does not know whose key to sign for, and then it means configuration or retry.
    ///
    /// # Errors
    /// Where the answer is none of the platform's, or its signature is missing or wrong: the platform may have the message all the same.
    pub fn answer(&self, call: Call, body: &[u8]) -> Result<Outcome, Error> {
        let wrong = |why| Error::Answer { why };
        if body.len() > MAX_ANSWER {
            return Err(wrong("it is longer than 64 KiB"));
        }
        let text = std::str::from_utf8(body).map_err(|_| wrong("it is not UTF-8"))?;
        let members = members(text).ok_or_else(|| wrong("it is not a JSON object"))?;
        let find = |name: &str| members.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        let response = find(call.response());
        let raw =
            response.or_else(|| find(ERROR_RESPONSE)).ok_or_else(|| wrong("it names no response of this call"))?;
        let read: Body = serde_json::from_str(raw).map_err(|_| wrong("its response is not as documented"))?;
        let Some(sign) = find("sign") else {
            return unsigned(response.is_none(), &read);
        };
        let sign: String = serde_json::from_str(sign).map_err(|_| wrong("its `sign` is not a text"))?;
        self.alipay_key.verify(raw.as_bytes(), &sign, "answer")?;
        Ok(outcome(&read))
    }
}

fn outcome(body: &Body) -> Outcome {
    if body.code == "10000" {
        return Outcome::Accepted { id: body.msg_id.as_deref().and_then(PlatformId::new) };
    }
    let sub = body.sub_code.as_deref().unwrap_or_default();
    Outcome::refused(act_of(&body.code, sub), if sub.is_empty() { &body.code } else { sub })
}

/// An answer that nobody signed: a gateway's complaint about the request itself, or nothing.
fn unsigned(gateway: bool, body: &Body) -> Result<Outcome, Error> {
    let read = outcome(body);
    match &read {
        Outcome::Refused { act: Act::Configuration | Act::Retry | Act::SlowDown, .. } if gateway => Ok(read),
        _ => Err(Error::Signature { what: "answer", why: "it has no `sign`" }),
    }
}

/// What a code and its `sub_code` ask of us; "10000" is no refusal and not for this table.
#[must_use]
pub fn act_of(code: &str, sub_code: &str) -> Act {
    match (code, sub_code) {
        ("20000", _) => Act::Retry,
        ("20001" | "40001" | "40002" | "40003" | "40006", _) => Act::Configuration,
        ("40005", _) => Act::SlowDown,
        ("40004", "PUB.MSG_SD_NOFOLLOW") => Act::NextChannel,
        ("40004", "PUB.MSG_TEMPLATE_NOT_EXIST") => Act::Configuration,
        ("40004", sub) if sub.starts_with("isv.") => Act::Configuration,
        ("40004", sub) if sub.starts_with("isp.") || sub.starts_with("aop.") => Act::Retry,
        _ => Act::Unlisted,
    }
}
