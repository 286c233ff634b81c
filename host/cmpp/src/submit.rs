//! `CMPP_SUBMIT`, a message on its way to terminals, and its answer.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Content, Error, Fault, MsgFmt, Number, Octets, Reader, put_content, put_padded};

use crate::fee::FeeUserType;
use crate::msg_id::MsgId;
use crate::status::{content, put_status, read_status};
use crate::version::Version;

/// The most terminals in one submit: the specification says fewer than a hundred.
pub const MAX_DESTINATIONS: usize = 99;

/// `CMPP_SUBMIT`: 126 + 21 n + L octets in 2.0, 151 + 32 n + L in 3.0.
///
/// A submit to n terminals counts as n against flow control, and one bad number refuses them all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submit {
    /// `Msg_Id`: left zero by the sender.
    pub msg_id: MsgId,
    /// `Pk_total`: parts of the message, from 1.
    pub pk_total: u8,
    /// `Pk_number`: which part this is, from 1.
    pub pk_number: u8,
    /// `Registered_Delivery`: 1 asks for a delivery report.
    pub registered_delivery: u8,
    /// `Msg_level`: priority, 0 to 9.
    pub msg_level: u8,
    /// `Service_Id`: the service the carrier bills.
    pub service_id: Octets<10>,
    /// `Fee_UserType`: who pays.
    pub fee_user_type: FeeUserType,
    /// `Fee_terminal_Id`: the paying number where `fee_user_type` is 3.
    pub fee_terminal: Number,
    /// `Fee_terminal_type`, 3.0 only: 0 true number, 1 pseudonym.
    pub fee_terminal_type: u8,
    /// `TP_pId` of GSM 03.40.
    pub tp_pid: u8,
    /// `TP_udhi` of GSM 03.40: 1 where the content starts with a user data header.
    pub tp_udhi: u8,
    /// `Msg_Fmt`.
    pub msg_fmt: MsgFmt,
    /// `Msg_src`: the SP_Id.
    pub msg_src: Octets<6>,
    /// `FeeType`: two digits, 01 free to 05 paid by the SP.
    pub fee_type: Octets<2>,
    /// `FeeCode`: digits, in fen.
    pub fee_code: Octets<6>,
    /// `ValId_Time`: expiry in SMPP 3.3 form, or empty.
    pub valid_time: Octets<17>,
    /// `At_Time`: not before, in SMPP 3.3 form, or empty.
    pub at_time: Octets<17>,
    /// `Src_Id`: the number the terminal shows as the sender.
    pub src_id: Octets<21>,
    /// `Dest_terminal_Id`: 1 to [`MAX_DESTINATIONS`] terminals.
    pub destinations: Vec<Number>,
    /// `Dest_terminal_type`, 3.0 only: 0 true number, 1 pseudonym.
    pub destination_type: u8,
    /// `Msg_Content`.
    pub content: Content,
    /// `LinkID` in 3.0, `Reserve` (8 octets) in 2.0.
    pub link_id: Octets<20>,
}

impl Submit {
    pub(crate) fn decode(body: &[u8], version: Version) -> Result<Self, Fault> {
        let width = version.number_width();
        let mut body = Reader::new(body);
        let submit = Self {
            msg_id: MsgId(body.u64("Msg_Id")?),
            pk_total: body.octet("Pk_total")?,
            pk_number: body.octet("Pk_number")?,
            registered_delivery: body.octet("Registered_Delivery")?,
            msg_level: body.octet("Msg_level")?,
            service_id: body.text("Service_Id", 10)?,
            fee_user_type: FeeUserType(body.octet("Fee_UserType")?),
            fee_terminal: body.number("Fee_terminal_Id", width)?,
            fee_terminal_type: only_3_0(&mut body, "Fee_terminal_type", version)?,
            tp_pid: body.octet("TP_pId")?,
            tp_udhi: body.octet("TP_udhi")?,
            msg_fmt: MsgFmt(body.octet("Msg_Fmt")?),
            msg_src: body.text("Msg_src", 6)?,
            fee_type: body.text("FeeType", 2)?,
            fee_code: body.text("FeeCode", 6)?,
            valid_time: body.text("ValId_Time", 17)?,
            at_time: body.text("At_Time", 17)?,
            src_id: body.text("Src_Id", 21)?,
            destinations: destinations(&mut body, width)?,
            destination_type: only_3_0(&mut body, "Dest_terminal_type", version)?,
            content: content(&mut body)?,
            link_id: body.text("LinkID", version.link_id_width())?,
        };
        body.end().map(|()| submit)
    }

    pub(crate) fn encode(&self, version: Version, out: &mut BytesMut) -> Result<(), Error> {
        let width = version.number_width();
        let is_3_0 = version == Version::V3_0;
        out.put_u64(self.msg_id.0);
        out.put_slice(&[self.pk_total, self.pk_number, self.registered_delivery, self.msg_level]);
        put_padded(out, "Service_Id", self.service_id.as_bytes(), 10)?;
        out.put_u8(self.fee_user_type.0);
        put_padded(out, "Fee_terminal_Id", self.fee_terminal.expose(), width)?;
        if is_3_0 {
            out.put_u8(self.fee_terminal_type);
        }
        out.put_slice(&[self.tp_pid, self.tp_udhi, self.msg_fmt.0]);
        put_padded(out, "Msg_src", self.msg_src.as_bytes(), 6)?;
        put_padded(out, "FeeType", self.fee_type.as_bytes(), 2)?;
        put_padded(out, "FeeCode", self.fee_code.as_bytes(), 6)?;
        put_padded(out, "ValId_Time", self.valid_time.as_bytes(), 17)?;
        put_padded(out, "At_Time", self.at_time.as_bytes(), 17)?;
        put_padded(out, "Src_Id", self.src_id.as_bytes(), 21)?;
        out.put_u8(self.destination_count()?);
        for destination in &self.destinations {
            put_padded(out, "Dest_terminal_Id", destination.expose(), width)?;
        }
        if is_3_0 {
            out.put_u8(self.destination_type);
        }
        put_content(out, &self.content)?;
        put_padded(out, "LinkID", self.link_id.as_bytes(), version.link_id_width())
    }

    fn destination_count(&self) -> Result<u8, Error> {
        let count = self.destinations.len();
        match u8::try_from(count) {
            Ok(octet) if (1..=MAX_DESTINATIONS).contains(&count) => Ok(octet),
            _ => Err(Error::OutOfRange { field: "DestUsr_tl", limit: MAX_DESTINATIONS as u64, value: count as u64 }),
        }
    }
}

/// An octet that 2.0 does not have.
fn only_3_0(body: &mut Reader<'_>, field: &'static str, version: Version) -> Result<u8, Fault> {
    if version == Version::V3_0 { body.octet(field) } else { Ok(0) }
}

/// The count and the terminals.
fn destinations(body: &mut Reader<'_>, width: usize) -> Result<Vec<Number>, Fault> {
    let count = body.octet("DestUsr_tl")?;
    if !(1..=MAX_DESTINATIONS).contains(&usize::from(count)) {
        return Err(Fault::Value { field: "DestUsr_tl" });
    }
    body.numbers("Dest_terminal_Id", count, width)
}

/// `CMPP_SUBMIT_RESP`: 9 octets in 2.0, 12 in 3.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubmitResp {
    /// `Msg_Id`: of the first terminal; the following ones are reserved for the others.
    pub msg_id: MsgId,
    /// `Result`: 0 accepted, else see [`submit_disposition`](crate::submit_disposition).
    pub result: u32,
}

impl SubmitResp {
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
