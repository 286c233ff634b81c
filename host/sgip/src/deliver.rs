//! `SGIP_DELIVER`, an inbound message.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Content, Error, Fault, MsgFmt, Number, Octets, Reader, put_padded};

use crate::submit::{NUMBER, content, put_content};

/// `SGIP_DELIVER`: 57 + L octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deliver {
    /// `UserNumber`: who wrote, with `86` before it.
    pub user: Number,
    /// `SPNumber`: our own number that the terminal wrote to.
    pub sp_number: Octets<21>,
    /// `TP_pid` of GSM 03.40.
    pub tp_pid: u8,
    /// `TP_udhi` of GSM 03.40: 1 where the content starts with a user data header.
    pub tp_udhi: u8,
    /// `MessageCoding`.
    pub coding: MsgFmt,
    /// `MessageContent`.
    pub content: Content,
    /// `Reserve` (some gateways: `LinkID`).
    pub reserve: Octets<8>,
}

impl Deliver {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let deliver = Self {
            user: body.number("UserNumber", NUMBER)?,
            sp_number: body.text("SPNumber", NUMBER)?,
            tp_pid: body.octet("TP_pid")?,
            tp_udhi: body.octet("TP_udhi")?,
            coding: MsgFmt(body.octet("MessageCoding")?),
            content: content(&mut body)?,
            reserve: body.text("Reserve", 8)?,
        };
        body.end().map(|()| deliver)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        put_padded(out, "UserNumber", self.user.expose(), NUMBER)?;
        put_padded(out, "SPNumber", self.sp_number.as_bytes(), NUMBER)?;
        out.put_slice(&[self.tp_pid, self.tp_udhi, self.coding.0]);
        put_content(out, &self.content)?;
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)
    }
}
