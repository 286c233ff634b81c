//! Every PDU as one enum, and the frame that gives it a sequence number.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Fault, Reader};

use crate::decoder::MAX_PDU_LENGTH;
use crate::deliver::Deliver;
use crate::error::Error;
use crate::header::{Command, HEADER_LENGTH, Header};
use crate::link::{Login, LoginResp};
use crate::msg_id::MsgId;
use crate::submit::Submit;

/// The answer to SUBMIT and DELIVER alike: 14 octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// `MsgID`: of a submit its first terminal's; of a deliver its own.
    pub msg_id: MsgId,
    /// `Status`: 0 taken, else see [`disposition`](crate::disposition).
    pub status: u32,
}

impl Response {
    fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let response = Self { msg_id: MsgId(body.array("MsgID")?), status: body.u32("Status")? };
        body.end().map(|()| response)
    }

    fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&self.msg_id.0);
        out.put_u32(self.status);
    }
}

/// A PDU without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// Login.
    Login(Login),
    /// Answer to a login.
    LoginResp(LoginResp),
    /// A message to terminals.
    Submit(Submit),
    /// Answer to it.
    SubmitResp(Response),
    /// An inbound message or a delivery report.
    Deliver(Deliver),
    /// Answer to it.
    DeliverResp(Response),
    /// Heartbeat; no body.
    ActiveTest,
    /// Answer to it; no body.
    ActiveTestResp,
    /// Polite end of a connection; no body.
    Exit,
    /// Answer to it; no body.
    ExitResp,
}

impl Pdu {
    /// Its command word.
    #[must_use]
    pub const fn command(&self) -> Command {
        match self {
            Self::Login(_) => Command::Login,
            Self::LoginResp(_) => Command::LoginResp,
            Self::Submit(_) => Command::Submit,
            Self::SubmitResp(_) => Command::SubmitResp,
            Self::Deliver(_) => Command::Deliver,
            Self::DeliverResp(_) => Command::DeliverResp,
            Self::ActiveTest => Command::ActiveTest,
            Self::ActiveTestResp => Command::ActiveTestResp,
            Self::Exit => Command::Exit,
            Self::ExitResp => Command::ExitResp,
        }
    }

    /// Writes the PDU with its header at the end of `out`.
    ///
    /// # Errors
    /// Where a field does not fit its place; `out` is then as it was.
    pub fn encode(&self, sequence: u32, out: &mut BytesMut) -> Result<(), Error> {
        let start = out.len();
        out.put_u32(0);
        out.put_u32(self.command().word());
        out.put_u32(sequence);
        let written = self.encode_body(out).and_then(|()| bounded(out.len() - start));
        let length = match written {
            Ok(length) => length,
            Err(error) => {
                out.truncate(start);
                return Err(error.into());
            }
        };
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn encode_body(&self, out: &mut BytesMut) -> Result<(), gridbell_wire::Error> {
        match self {
            Self::Login(body) => body.encode(out)?,
            Self::LoginResp(body) => body.encode(out),
            Self::Submit(body) => body.encode(out)?,
            Self::Deliver(body) => body.encode(out)?,
            Self::SubmitResp(body) | Self::DeliverResp(body) => body.encode(out),
            Self::ActiveTest | Self::ActiveTestResp | Self::Exit | Self::ExitResp => {}
        }
        Ok(())
    }

    fn decode_body(command: Command, body: &[u8]) -> Result<Self, Fault> {
        let empty = |pdu| Reader::new(body).end().map(|()| pdu);
        match command {
            Command::Login => Login::decode(body).map(Self::Login),
            Command::LoginResp => LoginResp::decode(body).map(Self::LoginResp),
            Command::Submit => Submit::decode(body).map(Self::Submit),
            Command::SubmitResp => Response::decode(body).map(Self::SubmitResp),
            Command::Deliver => Deliver::decode(body).map(Self::Deliver),
            Command::DeliverResp => Response::decode(body).map(Self::DeliverResp),
            Command::ActiveTest => empty(Self::ActiveTest),
            Command::ActiveTestResp => empty(Self::ActiveTestResp),
            Command::Exit => empty(Self::Exit),
            Command::ExitResp => empty(Self::ExitResp),
        }
    }
}

/// The length of a PDU, which optional fields may bring above what a peer reads.
fn bounded(length: usize) -> Result<u32, gridbell_wire::Error> {
    u32::try_from(length).ok().filter(|length| *length <= MAX_PDU_LENGTH).ok_or(gridbell_wire::Error::OutOfRange {
        field: "PacketLength",
        limit: u64::from(MAX_PDU_LENGTH),
        value: length as u64,
    })
}

/// A PDU with its sequence number; an answer repeats its question's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `SequenceID`.
    pub sequence: u32,
    /// The PDU.
    pub pdu: Pdu,
}

impl Frame {
    /// Writes it at the end of `out`.
    ///
    /// # Errors
    /// As [`Pdu::encode`].
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        self.pdu.encode(self.sequence, out)
    }

    /// Reads one whole PDU, header included.
    pub(crate) fn decode(header: Header, octets: &[u8]) -> Result<Self, Error> {
        let body = octets.get(HEADER_LENGTH..).unwrap_or_default();
        Command::from_word(header.command)
            .ok_or(Fault::UnknownCommand)
            .and_then(|command| Pdu::decode_body(command, body))
            .map(|pdu| Self { sequence: header.sequence, pdu })
            .map_err(|fault| Error::Malformed { header, fault })
    }
}
