//! `SMGP_SUBMIT`, a message on its way to terminals.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Content, Error, Fault, MsgFmt, Number, Octets, Reader, put_content, put_padded};

use crate::tlv::{Tag, Tlvs};

/// The most terminals in one submit: `DestTermIDCount` is at most 100.
pub const MAX_DESTINATIONS: usize = 100;
/// `MsgType` of a message to a terminal.
pub const MT: u8 = 6;
/// Octets of a number.
pub(crate) const NUMBER: usize = 21;

/// `SMGP_SUBMIT`: 114 + 21 n + L octets, and the optional fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submit {
    /// `MsgType`: [`MT`].
    pub msg_type: u8,
    /// `NeedReport`: 1 asks for a delivery report.
    pub need_report: u8,
    /// `Priority`, 0 to 3.
    pub priority: u8,
    /// `ServiceID`: the service the carrier bills.
    pub service_id: Octets<10>,
    /// `FeeType`: two digits.
    pub fee_type: Octets<2>,
    /// `FeeCode`: digits, in fen.
    pub fee_code: Octets<6>,
    /// `FixedFee`: digits, in fen, a month.
    pub fixed_fee: Octets<6>,
    /// `MsgFormat`.
    pub msg_format: MsgFmt,
    /// `ValidTime`: expiry in SMPP 3.3 form, or empty.
    pub valid_time: Octets<17>,
    /// `AtTime`: not before, in SMPP 3.3 form, or empty.
    pub at_time: Octets<17>,
    /// `SrcTermID`: the number the terminal shows as the sender.
    pub src_term: Octets<21>,
    /// `ChargeTermID`: who pays; empty: as `ChargeUserType` says, or the receiver.
    pub charge_term: Number,
    /// `DestTermID`: 1 to [`MAX_DESTINATIONS`] terminals.
    pub destinations: Vec<Number>,
    /// `MsgContent`.
    pub content: Content,
    /// `Reserve`.
    pub reserve: Octets<8>,
    /// Optional fields; a part of a long message needs those of [`Tlvs::part`].
    pub tlvs: Tlvs,
}

impl Submit {
    /// `TP_udhi`; 0 where it is missing.
    #[must_use]
    pub fn tp_udhi(&self) -> u8 {
        self.tlvs.octet(Tag::TP_UDHI).unwrap_or(0)
    }

    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        Ok(Self {
            msg_type: body.octet("MsgType")?,
            need_report: body.octet("NeedReport")?,
            priority: body.octet("Priority")?,
            service_id: body.text("ServiceID", 10)?,
            fee_type: body.text("FeeType", 2)?,
            fee_code: body.text("FeeCode", 6)?,
            fixed_fee: body.text("FixedFee", 6)?,
            msg_format: MsgFmt(body.octet("MsgFormat")?),
            valid_time: body.text("ValidTime", 17)?,
            at_time: body.text("AtTime", 17)?,
            src_term: body.text("SrcTermID", NUMBER)?,
            charge_term: body.number("ChargeTermID", NUMBER)?,
            destinations: destinations(&mut body)?,
            content: content(&mut body)?,
            reserve: body.text("Reserve", 8)?,
            tlvs: Tlvs::decode(body)?,
        })
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        out.put_slice(&[self.msg_type, self.need_report, self.priority]);
        put_padded(out, "ServiceID", self.service_id.as_bytes(), 10)?;
        put_padded(out, "FeeType", self.fee_type.as_bytes(), 2)?;
        put_padded(out, "FeeCode", self.fee_code.as_bytes(), 6)?;
        put_padded(out, "FixedFee", self.fixed_fee.as_bytes(), 6)?;
        out.put_u8(self.msg_format.0);
        put_padded(out, "ValidTime", self.valid_time.as_bytes(), 17)?;
        put_padded(out, "AtTime", self.at_time.as_bytes(), 17)?;
        put_padded(out, "SrcTermID", self.src_term.as_bytes(), NUMBER)?;
        put_padded(out, "ChargeTermID", self.charge_term.expose(), NUMBER)?;
        out.put_u8(self.destination_count()?);
        for destination in &self.destinations {
            put_padded(out, "DestTermID", destination.expose(), NUMBER)?;
        }
        put_content(out, &self.content)?;
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)?;
        self.tlvs.encode(out);
        Ok(())
    }

    fn destination_count(&self) -> Result<u8, Error> {
        let count = self.destinations.len();
        match u8::try_from(count) {
            Ok(octet) if (1..=MAX_DESTINATIONS).contains(&count) => Ok(octet),
            _ => {
                Err(Error::OutOfRange { field: "DestTermIDCount", limit: MAX_DESTINATIONS as u64, value: count as u64 })
            }
        }
    }
}

/// The count and the terminals.
fn destinations(body: &mut Reader<'_>) -> Result<Vec<Number>, Fault> {
    let count = body.octet("DestTermIDCount")?;
    if !(1..=MAX_DESTINATIONS).contains(&usize::from(count)) {
        return Err(Fault::Value { field: "DestTermIDCount" });
    }
    body.numbers("DestTermID", count, NUMBER)
}

/// `MsgLength`, one octet, and as much content.
pub(crate) fn content(body: &mut Reader<'_>) -> Result<Content, Fault> {
    let length = body.octet("MsgLength")?;
    body.content("MsgContent", length.into())
}
