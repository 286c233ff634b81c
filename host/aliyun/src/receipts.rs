//! The reports that the platform pushes (SmsReport): a JSON array, answered with `{"code":0,"msg":"OK"}`.
//!
//! A push carries no signature: take it only at an address that nobody else knows, over TLS, and believe it only for messages that were sent. A
//! report that was not answered comes again: know it by `biz_id` and number.

use std::fmt;

use gridbell_model::{CivilMinute, Date, Phone};
use gridbell_platform::{Code, PlatformId};
use serde::Deserialize;

use crate::error::Error;

/// The most octets of a push that are read.
pub const MAX_PUSH: usize = 1024 * 1024;

/// The most reports of a push.
pub const MAX_REPORTS: usize = 1000;

/// What to answer when all are kept.
pub const ACKNOWLEDGED: &str = r#"{"code":0,"msg":"OK"}"#;

/// A report about one message.
#[derive(Clone, PartialEq, Eq)]
pub struct Receipt {
    /// To whom.
    pub phone: Phone,
    /// `biz_id` of the request.
    pub biz_id: PlatformId,
    /// `out_id`, ours.
    pub out_id: Option<PlatformId>,
    /// Whether it is on the terminal.
    pub delivered: bool,
    /// `err_code`: the carrier's word, `DELIVERED`.
    pub code: Code,
    /// `report_time`, to the minute; none where unreadable.
    pub done: CivilMinute,
    /// `sms_size`: how many parts were counted.
    pub parts: u8,
}

impl fmt::Debug for Receipt {
    /// With the number masked.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("phone", &self.phone)
            .field("biz_id", &self.biz_id)
            .field("delivered", &self.delivered)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Raw {
    phone_number: String,
    #[serde(default)]
    report_time: String,
    success: bool,
    #[serde(default)]
    err_code: String,
    #[serde(default)]
    sms_size: String,
    biz_id: String,
    #[serde(default)]
    out_id: Option<String>,
}

/// The reports of a push.
///
/// # Errors
/// Where it is not as documented, or too large: answer 400, and it comes again.
pub fn read(body: &[u8]) -> Result<Vec<Receipt>, Error> {
    let wrong = |why| Error::Reports { why };
    if body.len() > MAX_PUSH {
        return Err(wrong("they are longer than 1 MiB"));
    }
    let raw: Vec<Raw> = serde_json::from_slice(body).map_err(|_| wrong("they are no JSON array as documented"))?;
    if raw.len() > MAX_REPORTS {
        return Err(wrong("they are more than 1000"));
    }
    raw.into_iter().map(receipt).collect()
}

fn receipt(raw: Raw) -> Result<Receipt, Error> {
    let biz_id = PlatformId::new(&raw.biz_id).ok_or(Error::Reports { why: "one has no `biz_id`" })?;
    Ok(Receipt {
        phone: Phone::from_text(&raw.phone_number),
        biz_id,
        out_id: raw.out_id.as_deref().and_then(PlatformId::new),
        delivered: raw.success,
        code: Code::new(&raw.err_code),
        done: minute(&raw.report_time).unwrap_or(CivilMinute::NONE),
        parts: raw.sms_size.parse().unwrap_or(1),
    })
}

/// `2026-11-22 08:09:10`.
fn minute(text: &str) -> Option<CivilMinute> {
    let (day, time) = text.split_once(' ')?;
    let day: Date = day.parse().ok()?;
    let mut parts = time.split(':').map(|part| part.parse::<u32>().ok());
    let (hour, minute) = (parts.next()??, parts.next()??);
    (day.is_some() && hour < 24 && minute < 60).then(|| day.at(hour, minute))
}
