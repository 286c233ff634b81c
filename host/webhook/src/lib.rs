//! Signed webhooks, for app push, telephone robots, television: whoever receives one can tell that Gridbell sent it, when, and whether it came
//! before.
//!
//! The format is that of the Standard Webhooks specification, for which receivers find a library in every language. Three headers:
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the delivery's number, the same in each repetition; no `.` |
//! | `webhook-timestamp` | seconds since 1970, of this attempt |
//! | `webhook-signature` | `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`; several, with spaces between them, while a secret is exchanged |
//!
//! [`Signer`] makes them, [`Verifier`] checks them with a [`ReplayWindow`], as a receiver must: the signature first, over the body's octets as
//! they came, then the time, then whether the id was seen.
//!
//! It must never do I/O or read a clock, and never show a secret or a body.

mod error;
mod replay;
mod secret;
mod sign;
mod verify;

pub use error::Error;
pub use replay::{MAX_REMEMBERED, ReplayWindow};
pub use secret::{SECRET_PREFIX, WebhookSecret};
pub use sign::{ID_HEADER, MAX_BODY, MAX_ID, SIGNATURE_HEADER, Signer, TIMESTAMP_HEADER, act_of};
pub use verify::{Headers, MAX_SIGNATURES, TOLERANCE_MS, Verifier};
