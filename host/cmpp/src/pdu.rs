//! Every PDU as one enum, and the frame that gives it a sequence number.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Fault, Reader};

use crate::deliver::{Deliver, DeliverResp};
use crate::error::Error;
use crate::header::{Command, HEADER_LENGTH, Header};
use crate::link::{Connect, ConnectResp};
use crate::query::{Cancel, CancelResp, Query, QueryResp};
use crate::submit::{Submit, SubmitResp};
use crate::version::Version;

/// A PDU without its header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pdu {
    /// Login.
    Connect(Connect),
    /// Answer to a login.
    ConnectResp(ConnectResp),
    /// Polite end of a connection; no body.
    Terminate,
    /// Answer to it; no body.
    TerminateResp,
    /// A message to terminals.
    Submit(Submit),
    /// Answer to it.
    SubmitResp(SubmitResp),
    /// An inbound message or a delivery report.
    Deliver(Deliver),
    /// Answer to it.
    DeliverResp(DeliverResp),
    /// Question for a day's counts.
    Query(Query),
    /// Answer to it.
    QueryResp(QueryResp),
    /// Withdrawal of a message.
    Cancel(Cancel),
    /// Answer to it.
    CancelResp(CancelResp),
    /// Heartbeat; no body.
    ActiveTest,
    /// Answer to it; one octet, `Reserved`.
    ActiveTestResp {
        /// `Reserved`.
        reserved: u8,
    },
}

impl Pdu {
    /// Its command word.
    #[must_use]
    pub const fn command(&self) -> Command {
        match self {
            Self::Connect(_) => Command::Connect,
            Self::ConnectResp(_) => Command::ConnectResp,
            Self::Terminate => Command::Terminate,
            Self::TerminateResp => Command::TerminateResp,
            Self::Submit(_) => Command::Submit,
            Self::SubmitResp(_) => Command::SubmitResp,
            Self::Deliver(_) => Command::Deliver,
            Self::DeliverResp(_) => Command::DeliverResp,
            Self::Query(_) => Command::Query,
            Self::QueryResp(_) => Command::QueryResp,
            Self::Cancel(_) => Command::Cancel,
            Self::CancelResp(_) => Command::CancelResp,
            Self::ActiveTest => Command::ActiveTest,
            Self::ActiveTestResp { .. } => Command::ActiveTestResp,
        }
    }

    /// Writes the PDU with its header at the end of `out`.
    ///
    /// # Errors
    /// Where a field does not fit its place in `version`; `out` is then as it was.
    pub fn encode(&self, sequence: u32, version: Version, out: &mut BytesMut) -> Result<(), Error> {
        let start = out.len();
        out.put_u32(0);
        out.put_u32(self.command().word());
        out.put_u32(sequence);
        if let Err(error) = self.encode_body(version, out) {
            out.truncate(start);
            return Err(error.into());
        }
        // The longest body there is, a submit to 99 terminals, is far below 4 GiB.
        let length = (out.len() - start) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn encode_body(&self, version: Version, out: &mut BytesMut) -> Result<(), gridbell_wire::Error> {
        match self {
            Self::Connect(body) => body.encode(out),
            Self::ConnectResp(body) => body.encode(version, out),
            Self::Submit(body) => body.encode(version, out),
            Self::SubmitResp(body) => body.encode(version, out),
            Self::Deliver(body) => body.encode(version, out),
            Self::DeliverResp(body) => body.encode(version, out),
            Self::Query(body) => body.encode(out),
            Self::QueryResp(body) => body.encode(out),
            Self::Cancel(body) => {
                body.encode(out);
                Ok(())
            }
            Self::CancelResp(body) => body.encode(version, out),
            Self::ActiveTestResp { reserved } => {
                out.put_u8(*reserved);
                Ok(())
            }
            Self::Terminate | Self::TerminateResp | Self::ActiveTest => Ok(()),
        }
    }

    fn decode_body(command: Command, body: &[u8], version: Version) -> Result<Self, Fault> {
        let empty = |pdu| Reader::new(body).end().map(|()| pdu);
        match command {
            Command::Connect => Connect::decode(body).map(Self::Connect),
            Command::ConnectResp => ConnectResp::decode(body).map(Self::ConnectResp),
            Command::Terminate => empty(Self::Terminate),
            Command::TerminateResp => empty(Self::TerminateResp),
            Command::Submit => Submit::decode(body, version).map(Self::Submit),
            Command::SubmitResp => SubmitResp::decode(body, version).map(Self::SubmitResp),
            Command::Deliver => Deliver::decode(body, version).map(Self::Deliver),
            Command::DeliverResp => DeliverResp::decode(body, version).map(Self::DeliverResp),
            Command::Query => Query::decode(body).map(Self::Query),
            Command::QueryResp => QueryResp::decode(body).map(Self::QueryResp),
            Command::Cancel => Cancel::decode(body).map(Self::Cancel),
            Command::CancelResp => CancelResp::decode(body, version).map(Self::CancelResp),
            Command::ActiveTest => empty(Self::ActiveTest),
            Command::ActiveTestResp => {
                let mut body = Reader::new(body);
                let reserved = body.octet("Reserved")?;
                body.end().map(|()| Self::ActiveTestResp { reserved })
            }
        }
    }
}

/// A PDU with its sequence number; an answer repeats its question's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// `Sequence_Id`.
    pub sequence: u32,
    /// The PDU.
    pub pdu: Pdu,
}

impl Frame {
    /// Writes it at the end of `out`.
    ///
    /// # Errors
    /// As [`Pdu::encode`].
    pub fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), Error> {
        self.pdu.encode(self.sequence, version, out)
    }

    /// Reads one whole PDU, header included.
    pub(crate) fn decode(header: Header, octets: &[u8], version: Version) -> Result<Self, Error> {
        let body = octets.get(HEADER_LENGTH..).unwrap_or_default();
        Command::from_word(header.command)
            .ok_or(Fault::UnknownCommand)
            .and_then(|command| Pdu::decode_body(command, body, version))
            .map(|pdu| Self { sequence: header.sequence, pdu })
            .map_err(|fault| Error::Malformed { header, fault })
    }
}
