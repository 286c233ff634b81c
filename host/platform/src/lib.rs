//! The words in which the pure codecs of HTTP platforms (WeChat, Alipay, Aliyun, webhooks) and the channels speak.
//!
//! A codec turns a message into a [`Request`] and the platform's answer into an [`Outcome`]; whoever owns the sockets sends the one and
//! reads the other. What the codecs share beyond that are primitives: percent encoding ([`form`]), hexadecimal text and a comparison
//! that takes the same time wherever its sides differ ([`bytes`]), [`Secret`].
//!
//! It must never do I/O, never know a platform, and never show a secret, a recipient or a text: `Debug` of a [`Request`] has neither
//! query nor headers' values nor body.

pub mod bytes;
mod exchange;
pub mod form;
mod outcome;
mod request;
mod secret;

pub use exchange::{Answer, CallError, Exchange};
pub use outcome::{Act, Code, MAX_CODE, MAX_ID, Outcome, PlatformId, of_status};
pub use request::{MAX_ANSWER, Method, Request};
pub use secret::Secret;
