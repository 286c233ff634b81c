//! Messages of an Alipay life account (生活号): signed requests, verified answers and notices.
//!
//! [`Account::send`] and [`Account::recall`] make the requests `alipay.open.public.message.single.send` and
//! `alipay.open.public.life.msg.recall`, signed with RSA2 (SHA256withRSA, PKCS#1 v1.5); [`Account::answer`] verifies an answer over
//! the very octets that the platform signed and says what became of the message; [`Account::notice`] verifies an asynchronous notice.
//!
//! It must never do I/O or read a clock, never believe what is not signed by Alipay's key, and never show a customer's id or a text.
//!
//! RSA is `ring`'s: it is constant-time, and in the product already. It takes keys of 2048 bits and more, which RSA2 asks for anyway.

mod account;
mod answer;
mod der;
mod error;
mod key;
mod message;
mod notice;
mod span;

pub use account::{Account, Call, GATEWAY_PATH};
pub use answer::act_of;
pub use error::Error;
pub use key::{AlipayKey, AppKey, MAX_KEY};
pub use message::{Colored, MAX_BIZ_CONTENT, Recipient, Template};
pub use notice::Notice;
