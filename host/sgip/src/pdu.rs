//! Every PDU as one enum, and the frame that gives it a sequence.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Fault, Reader};

use crate::deliver::Deliver;
use crate::error::Error;
use crate::header::{Command, HEADER_LENGTH, Header, Sequence};
use crate::link::{Bind, Response};
use crate::report::Report;
use crate::submit::Submit;

/// A PDU without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// Login.
    Bind(Bind),
    /// Answer to a login.
    BindResp(Response),
    /// Polite end of a connection; no body.
    Unbind,
    /// Answer to it; no body.
    UnbindResp,
    /// A message to terminals.
    Submit(Submit),
    /// Answer to it.
    SubmitResp(Response),
    /// An inbound message.
    Deliver(Deliver),
    /// Answer to it.
    DeliverResp(Response),
    /// A delivery report.
    Report(Report),
    /// Answer to it.
    ReportResp(Response),
}

impl Pdu {
    /// Its command word.
    #[must_use]
    pub const fn command(&self) -> Command {
        match self {
            Self::Bind(_) => Command::Bind,
            Self::BindResp(_) => Command::BindResp,
            Self::Unbind => Command::Unbind,
            Self::UnbindResp => Command::UnbindResp,
            Self::Submit(_) => Command::Submit,
            Self::SubmitResp(_) => Command::SubmitResp,
            Self::Deliver(_) => Command::Deliver,
            Self::DeliverResp(_) => Command::DeliverResp,
            Self::Report(_) => Command::Report,
            Self::ReportResp(_) => Command::ReportResp,
        }
    }

    /// Writes the PDU with its header at the end of `out`.
    ///
    /// # Errors
    /// Where a field does not fit its place; `out` is then as it was.
    pub fn encode(&self, sequence: Sequence, out: &mut BytesMut) -> Result<(), Error> {
        let start = out.len();
        out.put_u32(0);
        out.put_u32(self.command().word());
        sequence.encode(out);
        if let Err(error) = self.encode_body(out) {
            out.truncate(start);
            return Err(error.into());
        }
        // The longest body there is, a submit to 100 terminals, is far below 4 GiB.
        let length = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn encode_body(&self, out: &mut BytesMut) -> Result<(), gridbell_wire::Error> {
        match self {
            Self::Bind(body) => body.encode(out),
            Self::Submit(body) => body.encode(out),
            Self::Deliver(body) => body.encode(out),
            Self::Report(body) => body.encode(out),
            Self::BindResp(body) | Self::SubmitResp(body) | Self::DeliverResp(body) | Self::ReportResp(body) => {
                body.encode(out)
            }
            Self::Unbind | Self::UnbindResp => Ok(()),
        }
    }

    fn decode_body(command: Command, body: &[u8]) -> Result<Self, Fault> {
        let empty = |pdu| Reader::new(body).end().map(|()| pdu);
        match command {
            Command::Bind => Bind::decode(body).map(Self::Bind),
            Command::BindResp => Response::decode(body).map(Self::BindResp),
            Command::Unbind => empty(Self::Unbind),
            Command::UnbindResp => empty(Self::UnbindResp),
            Command::Submit => Submit::decode(body).map(Self::Submit),
            Command::SubmitResp => Response::decode(body).map(Self::SubmitResp),
            Command::Deliver => Deliver::decode(body).map(Self::Deliver),
            Command::DeliverResp => Response::decode(body).map(Self::DeliverResp),
            Command::Report => Report::decode(body).map(Self::Report),
            Command::ReportResp => Response::decode(body).map(Self::ReportResp),
        }
    }
}

/// A PDU with its sequence; an answer repeats its question's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `Sequence Number`.
    pub sequence: Sequence,
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
