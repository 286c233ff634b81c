//! CMPP 2.0 and 3.0, the short message protocol of China Mobile's gateways, as a pure codec.
//!
//! Everything a client or a gateway needs to speak the protocol and nothing that needs a socket, a clock or a random
//! number: octets to [`Pdu`]s and back ([`Decoder`], [`Frame`]), both sides' authentication ([`auth`]), delivery reports
//! ([`Report`]), message numbers ([`MsgId`]), texts cut into parts and put together again ([`text`], [`assemble`]) and
//! what each result code asks of us ([`disposition`]).
//!
//! It must never do I/O, never panic on octets from the wire, never allocate more than a PDU's length allows, and never
//! print a phone number or a message's text: [`Number`] and [`Content`] mask themselves.

pub mod auth;
mod decoder;
mod deliver;
pub mod disposition;
mod error;
mod fee;
mod header;
mod link;
mod msg_id;
mod pdu;
mod query;
mod report;
mod status;
mod submit;
mod version;

pub use decoder::{Decoder, MAX_PDU_LENGTH};
pub use deliver::{Deliver, DeliverResp};
pub use disposition::{Disposition, connect_disposition, fault_result, submit_disposition};
pub use error::Error;
pub use fee::FeeUserType;
pub use gridbell_wire::{Content, Error as FieldError, Fault, MAX_CONTENT, MsgFmt, Number, Octets, assemble, text};
pub use header::{Command, HEADER_LENGTH, Header, RESPONSE_BIT};
pub use link::{Connect, ConnectResp};
pub use msg_id::{MsgId, Stamp};
pub use pdu::{Frame, Pdu};
pub use query::{Cancel, CancelResp, Query, QueryResp};
pub use report::{Outcome, REPORT_LENGTH_2_0, REPORT_LENGTH_3_0, Report, Stat, StatClass};
pub use submit::{MAX_DESTINATIONS, Submit, SubmitResp};
pub use version::Version;
