//! SMGP 3.0, the short message protocol of China Telecom's gateways, as a pure codec.
//!
//! Everything a client or a gateway needs to speak the protocol and nothing that needs a socket, a clock or a random
//! number: octets to [`Pdu`]s and back ([`Decoder`], [`Frame`]), both sides' authentication ([`auth`]), the optional fields
//! behind a body ([`Tlvs`]), message numbers ([`MsgId`]), delivery reports in their many spellings ([`Report`]), and what each
//! result code and report asks of us ([`disposition`]).
//!
//! Field tables and status codes: China Telecom's SMGP 3.0, as an open implementation has them too (`yedamao/go_smgp`, whose tests hold
//! a report of a real gateway with `s` between its fields). FORWARD and QUERY, which gateways speak among themselves or an SP never
//! needs, are unknown commands here.
//!
//! It must never do I/O, never panic on octets from the wire, never allocate more than a PDU's length allows, and never
//! print a phone number or a message's text.

pub mod auth;
mod decoder;
mod deliver;
pub mod disposition;
mod error;
mod header;
mod link;
mod msg_id;
mod pdu;
mod report;
mod submit;
mod tlv;

pub use decoder::{Decoder, MAX_PDU_LENGTH};
pub use deliver::Deliver;
pub use disposition::{Disposition, fault_status, report_disposition, status_disposition};
pub use error::Error;
pub use gridbell_wire::{Content, Error as FieldError, Fault, MAX_CONTENT, MsgFmt, Number, Octets, text};
pub use header::{Command, HEADER_LENGTH, Header, RESPONSE_BIT};
pub use link::{Login, LoginMode, LoginResp, VERSION};
pub use msg_id::MsgId;
pub use pdu::{Frame, Pdu, Response};
pub use report::{Outcome, REPORT_LENGTH, Report};
pub use submit::{MAX_DESTINATIONS, MT, Submit};
pub use tlv::{MAX_TLVS, Tag, Tlv, Tlvs};
