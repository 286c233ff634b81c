//! `SMGP_DELIVER`, an inbound message or a delivery report.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Content, Error, Fault, MsgFmt, Number, Octets, Reader, put_content, put_padded};

use crate::msg_id::MsgId;
use crate::report::Report;
use crate::submit::{NUMBER, content};
use crate::tlv::{Tag, Tlvs};

/// `SMGP_DELIVER`: 77 + L octets, and the optional fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliver {
    /// `MsgID` of this delivery; a report names the message it is about in its content.
    pub msg_id: MsgId,
    /// `IsReport`: 1 where this is a delivery report.
    pub is_report: u8,
    /// `MsgFormat`.
    pub msg_format: MsgFmt,
    /// `RecvTime`: YYYYMMDDhhmmss.
    pub recv_time: Octets<14>,
    /// `SrcTermID`: who wrote, or whom the report is about.
    pub src_term: Number,
    /// `DestTermID`: our own number.
    pub dest_term: Octets<21>,
    /// `MsgContent`.
    pub content: Content,
    /// `Reserve`.
    pub reserve: Octets<8>,
    /// Optional fields.
    pub tlvs: Tlvs,
}

impl Deliver {
    /// The report this carries, if it is one rather than an inbound message.
    ///
    /// # Errors
    /// Where it says that it is one and no message or no outcome can be read from it.
    pub fn report(&self) -> Option<Result<Report, Fault>> {
        (self.is_report == 1).then(|| Report::decode(&self.content))
    }

    /// `TP_udhi`; 0 where it is missing.
    #[must_use]
    pub fn tp_udhi(&self) -> u8 {
        self.tlvs.octet(Tag::TP_UDHI).unwrap_or(0)
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        Ok(Self {
            msg_id: MsgId(body.array("MsgID")?),
            is_report: body.octet("IsReport")?,
            msg_format: MsgFmt(body.octet("MsgFormat")?),
            recv_time: body.text("RecvTime", 14)?,
            src_term: body.number("SrcTermID", NUMBER)?,
            dest_term: body.text("DestTermID", NUMBER)?,
            content: content(&mut body)?,
            reserve: body.text("Reserve", 8)?,
            tlvs: Tlvs::decode(body)?,
        })
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        out.put_slice(&self.msg_id.0);
        out.put_slice(&[self.is_report, self.msg_format.0]);
        put_padded(out, "RecvTime", self.recv_time.as_bytes(), 14)?;
        put_padded(out, "SrcTermID", self.src_term.expose(), NUMBER)?;
        put_padded(out, "DestTermID", self.dest_term.as_bytes(), NUMBER)?;
        put_content(out, &self.content)?;
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)?;
        self.tlvs.encode(out);
        Ok(())
    }
}
