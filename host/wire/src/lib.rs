//! What the carriers' SMS protocols (CMPP, SGIP, SMGP) have in common, and nothing that only one of them says: fields of
//! fixed width, cursors that read and write them within bounds, terminal numbers and contents that mask themselves, and
//! texts cut into messages ([`text`]) and put together again ([`assemble`]).
//!
//! It must never do I/O, know a command word or a result code, panic on octets from the wire, or allocate more than the
//! octets that are there.

pub mod assemble;
mod error;
mod field;
mod frame;
pub mod text;

pub use error::{Error, Fault};
pub use field::{Content, MAX_CONTENT, MsgFmt, Number, Octets, Reader, put_content, put_padded};
pub use frame::{OutOfStep, whole};
