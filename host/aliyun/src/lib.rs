//! Aliyun's short message service (Dysmsapi 2017-05-25), where a city has no line of a carrier.
//!
//! [`Access`] makes the requests SendSms, SendBatchSms and QuerySendDetails, each with the V3 signature (`ACS3-HMAC-SHA256`); [`answer`] says
//! what became of them; [`receipts`] reads the reports that the platform pushes.
//!
//! **Nothing here is idempotent**: the platform sends as often as it is asked. After [`Act::Uncertain`](gridbell_platform::Act::Uncertain) ask
//! QuerySendDetails, which knows our `OutId`, before sending again.
//!
//! It must never do I/O, read a clock or draw a nonce, and never show a secret, a number or a text.

mod access;
pub mod answer;
mod error;
pub mod receipts;
mod request;

pub use access::{Access, Stamp, VERSION};
pub use error::Error;
pub use request::{MAX_BATCH, MAX_NUMBERS, MAX_OUT_ID, MAX_PAGE, MAX_TEMPLATE_PARAM, Parcel, Template};
