//! WeChat for a service account (服务号): template messages, subscription notices, the access token, and the platform's callbacks.
//!
//! [`message`] makes the requests and [`answer`] says what became of them; [`TokenKeeper`] decides when the one token that all tasks share
//! is fetched; [`Door`] verifies, decrypts and reads what the platform posts to us, and encrypts what we answer.
//!
//! It must never do I/O or read a clock, never believe a callback that is not signed, never read XML with a document type, and never show
//! a token, an openid or a text.

pub mod answer;
mod callback;
mod crypt;
mod door;
mod error;
mod keeper;
pub mod message;
pub mod token;
mod xml;

pub use callback::{Callback, SendStatus, text_reply};
pub use crypt::AesKey;
pub use door::{CALLBACK_WINDOW_MS, CallbackQuery, Door, Mode};
pub use error::Error;
pub use keeper::{
    FORCED_APART_MS, FORCED_PER_DAY, Next, REFRESH_EARLY_MS, Rejection, Token, TokenKeeper, UNANSWERED_MS,
};
pub use xml::{MAX_DEPTH, MAX_FIELDS, MAX_XML};
