//! Answers, and the one table of what each `Code` asks of us.
//!
//! | code | act |
//! |---|---|
//! | `OK` | accepted |
//! | `isv.MOBILE_NUMBER_ILLEGAL` | bad address |
//! | `isv.BUSINESS_LIMIT_CONTROL` this number had enough, `isv.BLACK_KEY_CONTROL_LIMIT`, `isv.CUSTOMER_REFUSED` it wants none | next channel |
//! | `isv.DAY_LIMIT_CONTROL`, `isv.MONTH_LIMIT_CONTROL` the account's own limit | next channel until midnight |
//! | `Throttling…` | slow down |
//! | `SignatureNonceUsed` | retry, with another nonce |
//! | `isp.…`, `InternalError`, `ServiceUnavailable` | uncertain: the platform may have sent it |
//! | `isv.…` of account, signature, template, parameters; `isp.RAM_PERMISSION_DENY`; `InvalidAccessKeyId…`, `SignatureDoesNotMatch`, `Forbidden…`, `InvalidTimeStamp…`, `InvalidVersion`, `InvalidAction…` | configuration |
//! | `isv.SMS_CONTENT_ILLEGAL`, `isv.UNSUPPORTED_CONTENT`, `isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE`: this text is forbidden | our bug |
//! | all others | unlisted: the operator's table decides |

use gridbell_platform::{Act, Code, MAX_ANSWER, Outcome, PlatformId};
use serde::Deserialize;

use crate::error::Error;

/// The most octets of a page of details: fifty messages with their texts.
pub const MAX_DETAILS: usize = 512 * 1024;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    code: String,
    #[serde(default)]
    biz_id: Option<String>,
}

/// What became of SendSms or SendBatchSms, from the body of an answer; the platform answers refusals with status 400 and the same body, so that
/// the body counts where it can be read. The id is `BizId`, one for all numbers of the request.
///
/// # Errors
/// Where it is none of the platform's: the platform may have the messages all the same.
pub fn read(body: &[u8]) -> Result<Outcome, Error> {
    if body.len() > MAX_ANSWER {
        return Err(Error::Answer { why: "it is longer than 64 KiB" });
    }
    let read: Body = serde_json::from_slice(body).map_err(|_| Error::Answer { why: "it is not JSON with a `Code`" })?;
    Ok(match act_of(&read.code) {
        None => Outcome::Accepted { id: read.biz_id.as_deref().and_then(PlatformId::new) },
        Some(act) => Outcome::refused(act, &read.code),
    })
}

/// What a `Code` asks of us; `None` for `OK`.
#[must_use]
pub fn act_of(code: &str) -> Option<Act> {
    const CONFIGURATION: [&str; 24] = [
        "isv.ACCOUNT_ABNORMAL",
        "isv.ACCOUNT_NOT_EXISTS",
        "isv.AMOUNT_NOT_ENOUGH",
        "isv.DENY_IP_RANGE",
        "isv.DOMESTIC_NUMBER_NOT_SUPPORTED",
        "isv.EXTEND_CODE_ERROR",
        "isv.INVALID_JSON_PARAM",
        "isv.INVALID_PARAMETERS",
        "isv.OUT_OF_SERVICE",
        "isv.PARAM_LENGTH_LIMIT",
        "isv.PARAM_NOT_SUPPORT_URL",
        "isv.PRODUCT_UNSUBSCRIBE",
        "isv.PRODUCT_UN_SUBSCRIPT",
        "isp.RAM_PERMISSION_DENY",
        "isv.RAM_PERMISSION_DENY",
        "isv.SIGN_NAME_ILLEGAL",
        "isv.SIGN_STATE_ILLEGAL",
        "isv.SMS_SIGNATURE_ILLEGAL",
        "isv.SMS_SIGNATURE_SCENE_ILLEGAL",
        "isv.SMS_SIGN_ILLEGAL",
        "isv.SMS_TEMPLATE_ILLEGAL",
        "isv.TEMPLATE_MISSING_PARAMETERS",
        "isv.TEMPLATE_PARAMS_ILLEGAL",
        "SignatureDoesNotMatch",
    ];
    let begins = |starts: &[&str]| starts.iter().any(|start| code.starts_with(start));
    Some(match code {
        "OK" => return None,
        "isv.MOBILE_NUMBER_ILLEGAL" => Act::BadAddress,
        "isv.BUSINESS_LIMIT_CONTROL" | "isv.BLACK_KEY_CONTROL_LIMIT" | "isv.CUSTOMER_REFUSED" => Act::NextChannel,
        "isv.SMS_CONTENT_ILLEGAL" | "isv.UNSUPPORTED_CONTENT" | "isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE" => Act::OurBug,
        "SignatureNonceUsed" => Act::Retry,
        "isv.DAY_LIMIT_CONTROL" | "isv.MONTH_LIMIT_CONTROL" => Act::NextChannelUntilMidnight,
        known if CONFIGURATION.contains(&known) => Act::Configuration,
        _ if begins(&["InvalidAccessKeyId", "Forbidden", "InvalidTimeStamp", "InvalidVersion", "InvalidAction"]) => {
            Act::Configuration
        }
        _ if begins(&["Throttling"]) => Act::SlowDown,
        _ if begins(&["isp.", "InternalError", "ServiceUnavailable"]) => Act::Uncertain,
        _ => Act::Unlisted,
    })
}

/// `SendStatus` of a detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SendStatus {
    /// 1: the carrier has not said.
    Pending,
    /// 2: not delivered.
    Failed,
    /// 3: on the terminal.
    Delivered,
}

/// What became of one message, as QuerySendDetails says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detail {
    /// `OutId`, ours.
    pub out_id: Option<PlatformId>,
    /// What became of it.
    pub status: SendStatus,
    /// `ErrCode`: the carrier's word.
    pub code: Code,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Details {
    code: String,
    #[serde(default)]
    total_count: Option<serde_json::Value>,
    #[serde(default, rename = "SmsSendDetailDTOs")]
    details: Option<DetailList>,
}

#[derive(Deserialize)]
struct DetailList {
    #[serde(default, rename = "SmsSendDetailDTO")]
    list: Vec<RawDetail>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawDetail {
    #[serde(default)]
    out_id: Option<String>,
    send_status: u8,
    #[serde(default)]
    err_code: String,
}

/// A page of details, and how many there are on all pages.
///
/// # Errors
/// Where it is none of the platform's. A refusal is given as the outcome within.
pub fn details(body: &[u8]) -> Result<Result<(Vec<Detail>, u64), Outcome>, Error> {
    if body.len() > MAX_DETAILS {
        return Err(Error::Answer { why: "it is longer than 512 KiB" });
    }
    let wrong = |why| Error::Answer { why };
    let read: Details = serde_json::from_slice(body).map_err(|_| wrong("it is not JSON as documented"))?;
    if let Some(act) = act_of(&read.code) {
        return Ok(Err(Outcome::refused(act, &read.code)));
    }
    let list = read.details.map(|details| details.list).unwrap_or_default();
    let detail = |raw: &RawDetail| {
        let status = match raw.send_status {
            1 => SendStatus::Pending,
            2 => SendStatus::Failed,
            3 => SendStatus::Delivered,
            _ => return Err(wrong("it has a `SendStatus` other than 1, 2 and 3")),
        };
        Ok(Detail { out_id: raw.out_id.as_deref().and_then(PlatformId::new), status, code: Code::new(&raw.err_code) })
    };
    let details = list.iter().map(detail).collect::<Result<Vec<_>, Error>>()?;
    // A number or a text with one: the platform's versions differ.
    let total = read.total_count.and_then(|total| total.as_u64().or_else(|| total.as_str()?.parse().ok()));
    let least = u64::try_from(details.len()).unwrap_or(u64::MAX);
    Ok(Ok((details, total.unwrap_or(least).max(least))))
}
