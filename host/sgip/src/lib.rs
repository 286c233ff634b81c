//! SGIP 1.2, the short message protocol of China Unicom's gateways, as a pure codec.
//!
//! Everything a client or a gateway needs to speak the protocol and nothing that needs a socket, a clock or a random
//! number: octets to [`Pdu`]s and back ([`Decoder`], [`Frame`]), the sequence of three words that names a message for its
//! report ([`Sequence`]), numbers with their country code ([`number`]), and what each result code and report asks of us
//! ([`disposition`]).
//!
//! Unlike CMPP and SMGP it has no message number, no heartbeat and no digest at login; reports and inbound messages come on a
//! connection that the gateway opens to us and binds with [`LoginType::SMG_TO_SP`].
//!
//! Field tables: "SGIP 1.2" of China Unicom, as two open implementations have them too (`yedamao/go_sgip`, `NewLife.Net.SGIP`);
//! result codes beyond the specification's as in `com.tdt.unicom.util.SGIPCodeHelper`.
//!
//! It must never do I/O, never panic on octets from the wire, never allocate more than a PDU's length allows, and never
//! print a phone number, a password or a message's text.

mod decoder;
mod deliver;
pub mod disposition;
mod error;
mod header;
mod link;
pub mod number;
mod pdu;
mod report;
mod submit;

pub use decoder::{Decoder, MAX_PDU_LENGTH};
pub use deliver::Deliver;
pub use disposition::{Disposition, bind_disposition, fault_result, report_disposition, submit_disposition};
pub use error::Error;
pub use gridbell_wire::{Content, Error as FieldError, Fault, MAX_CONTENT, MsgFmt, Number, Octets, text};
pub use header::{Command, HEADER_LENGTH, Header, RESPONSE_BIT, Sequence};
pub use link::{Bind, LoginType, Password, Response};
pub use pdu::{Frame, Pdu};
pub use report::{Outcome, Report, ReportState};
pub use submit::{MAX_USERS, ReportFlag, Submit};
