//! What became of a message: `{errcode, errmsg, msgid}` and the one table of what each code asks of us.
//!
//! | errcode | act |
//! |---|---|
//! | 0 | accepted |
//! | -1 | retry |
//! | 40001, 40014, 42001 | refresh the token once, then send again |
//! | 40003 no such openid, 43004 does not follow, 43101 refused | next channel |
//! | 45009 quota of the day | next channel until midnight |
//! | 45011 too many a minute | slow down |
//! | 40037 template, 47001 body | configuration |
//! | all others | unlisted: the operator's table decides |

use gridbell_platform::{Act, MAX_ANSWER, Outcome, PlatformId};
use serde::Deserialize;

use crate::error::Error;

#[derive(Deserialize)]
struct Body {
    errcode: i64,
    #[serde(default)]
    msgid: Option<u64>,
}

/// What an answer with status 200 to a message says; for other statuses see [`gridbell_platform::of_status`].
///
/// # Errors
/// Where it is none of the platform's: the platform may have the message all the same.
pub fn read(body: &[u8]) -> Result<Outcome, Error> {
    if body.len() > MAX_ANSWER {
        return Err(Error::Answer { why: "it is longer than 64 KiB" });
    }
    let read: Body =
        serde_json::from_slice(body).map_err(|_| Error::Answer { why: "it is not JSON with an `errcode`" })?;
    Ok(match act_of(read.errcode) {
        None => Outcome::Accepted { id: read.msgid.and_then(|id| PlatformId::new(&id.to_string())) },
        Some(act) => Outcome::refused(act, read.errcode.to_string()),
    })
}

/// What an `errcode` asks of us; `None` for 0, which is no refusal.
#[must_use]
pub const fn act_of(errcode: i64) -> Option<Act> {
    Some(match errcode {
        0 => return None,
        -1 => Act::Retry,
        40001 | 40014 | 42001 => Act::Refresh,
        40003 | 43004 | 43101 => Act::NextChannel,
        45009 => Act::NextChannelUntilMidnight,
        45011 => Act::SlowDown,
        40037 | 47001 => Act::Configuration,
        _ => Act::Unlisted,
    })
}
