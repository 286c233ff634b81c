//! `CMPP_DELIVER`, an inbound message or a delivery report, and its answer.

use bytes::{BufMut, BytesMut};
use gridbell_wire::assemble::Piece;
use gridbell_wire::{Content, Error, Fault, MsgFmt, Number, Octets, Reader, put_content, put_padded};

use crate::msg_id::MsgId;
use crate::report::Report;
use crate::status::{content, put_status, read_status};
use crate::version::Version;

/// `CMPP_DELIVER`: 73 + L octets in 2.0, 97 + L in 3.0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliver {
    /// `Msg_Id` of this delivery; a report names the message it is about in its content.
    pub msg_id: MsgId,
    /// `Dest_Id`: our own number that the terminal wrote to.
    pub dest_id: Octets<21>,
    /// `Service_Id`.
    pub service_id: Octets<10>,
    /// `TP_pid` of GSM 03.40.
    pub tp_pid: u8,
    /// `TP_udhi` of GSM 03.40: 1 where the content starts with a user data header.
    pub tp_udhi: u8,
    /// `Msg_Fmt`.
    pub msg_fmt: MsgFmt,
    /// `Src_terminal_Id`: who wrote, or whom the report is about.
    pub src_terminal: Number,
    /// `Src_terminal_type`, 3.0 only: 0 true number, 1 pseudonym.
    pub src_terminal_type: u8,
    /// `Registered_Delivery`: 1 where this is a delivery report.
    pub registered_delivery: u8,
    /// `Msg_Content`.
    pub content: Content,
    /// `LinkID` in 3.0, `Reserved` (8 octets) in 2.0.
    pub link_id: Octets<20>,
}

impl Deliver {
    /// The report this carries, if it is one rather than an inbound message.
    ///
    /// # Errors
    /// Where it says that it is one and its content has neither of the two layouts.
    pub fn report(&self) -> Option<Result<Report, Fault>> {
        (self.registered_delivery == 1).then(|| Report::decode(&self.content))
    }

    pub(crate) fn decode(body: &[u8], version: Version) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let deliver = Self {
            msg_id: MsgId(body.u64("Msg_Id")?),
            dest_id: body.text("Dest_Id", 21)?,
            service_id: body.text("Service_Id", 10)?,
            tp_pid: body.octet("TP_pid")?,
            tp_udhi: body.octet("TP_udhi")?,
            msg_fmt: MsgFmt(body.octet("Msg_Fmt")?),
            src_terminal: body.number("Src_terminal_Id", version.number_width())?,
            src_terminal_type: match version {
                Version::V2_0 => 0,
                Version::V3_0 => body.octet("Src_terminal_type")?,
            },
            registered_delivery: body.octet("Registered_Delivery")?,
            content: content(&mut body)?,
            link_id: body.text("LinkID", version.link_id_width())?,
        };
        body.end().map(|()| deliver)
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), Error> {
        out.put_u64(self.msg_id.0);
        put_padded(out, "Dest_Id", self.dest_id.as_bytes(), 21)?;
        put_padded(out, "Service_Id", self.service_id.as_bytes(), 10)?;
        out.put_slice(&[self.tp_pid, self.tp_udhi, self.msg_fmt.0]);
        put_padded(out, "Src_terminal_Id", self.src_terminal.expose(), version.number_width())?;
        if version == Version::V3_0 {
            out.put_u8(self.src_terminal_type);
        }
        out.put_u8(self.registered_delivery);
        put_content(out, &self.content)?;
        put_padded(out, "LinkID", self.link_id.as_bytes(), version.link_id_width())
    }
}

impl From<&Deliver> for Piece {
    fn from(deliver: &Deliver) -> Self {
        Self {
            from: deliver.src_terminal,
            to: deliver.dest_id,
            udhi: deliver.tp_udhi,
            format: deliver.msg_fmt,
            content: deliver.content.clone(),
        }
    }
}

/// `CMPP_DELIVER_RESP`: 9 octets in 2.0, 12 in 3.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliverResp {
    /// `Msg_Id` of the DELIVER.
    pub msg_id: MsgId,
    /// `Result`: 0 taken; anything else makes the gateway try again.
    pub result: u32,
}

impl DeliverResp {
    pub(crate) fn decode(body: &[u8], version: Version) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let response = Self { msg_id: MsgId(body.u64("Msg_Id")?), result: read_status(&mut body, "Result", version)? };
        body.end().map(|()| response)
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), Error> {
        out.put_u64(self.msg_id.0);
        put_status(out, "Result", self.result, version)
    }
}
