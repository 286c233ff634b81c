//! `SGIP_SUBMIT`, a message on its way to terminals.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Content, Error, Fault, MAX_CONTENT, MsgFmt, Number, Octets, Reader, put_padded};

/// The most terminals in one submit: `UserCount` is 1 to 100. (Some gateways take one only, and answer 114.)
pub const MAX_USERS: usize = 100;
/// Octets of a number.
pub(crate) const NUMBER: usize = 21;

/// `ReportFlag`: when the gateway reports. Any octet may come from the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReportFlag(pub u8);

impl ReportFlag {
    /// Only where the message failed for good.
    pub const ON_ERROR: Self = Self(0);
    /// Always.
    pub const ALWAYS: Self = Self(1);
    /// Never.
    pub const NEVER: Self = Self(2);
    /// The message is a monthly bill: it reaches no terminal.
    pub const MONTHLY_FEE: Self = Self(3);
}

/// `SGIP_SUBMIT`: 123 + 21 n + L octets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submit {
    /// `SPNumber`: the number the terminal shows as the sender.
    pub sp_number: Octets<21>,
    /// `ChargeNumber`: who pays; empty: the terminals, each for itself; [`SENDER_PAYS`](crate::number::SENDER_PAYS): the sender.
    pub charge_number: Number,
    /// `UserNumber`: 1 to [`MAX_USERS`] terminals, each with `86` before it, see [`number::user`](crate::number::user).
    pub users: Vec<Number>,
    /// `CorpId`: the company's code, five digits.
    pub corp_id: Octets<5>,
    /// `ServiceType`: the service the carrier bills.
    pub service_type: Octets<10>,
    /// `FeeType`: 0 to 4.
    pub fee_type: u8,
    /// `FeeValue`: digits, in fen.
    pub fee_value: Octets<6>,
    /// `GivenValue`: digits, in fen, given to the terminal.
    pub given_value: Octets<6>,
    /// `AgentFlag`: 0 to be collected, 1 collected.
    pub agent_flag: u8,
    /// `MorelatetoMTFlag`: why the message is sent: 0 and 1 the answers to an inbound message, 2 no inbound message, 3 by the system.
    pub mo_relate_to_mt: u8,
    /// `Priority`, 0 to 9.
    pub priority: u8,
    /// `ExpireTime`: YYMMDDhhmmsstnnp, or empty.
    pub expire_time: Octets<16>,
    /// `ScheduleTime`: not before, in the same form, or empty.
    pub schedule_time: Octets<16>,
    /// `ReportFlag`.
    pub report_flag: ReportFlag,
    /// `TP_pid` of GSM 03.40.
    pub tp_pid: u8,
    /// `TP_udhi` of GSM 03.40: 1 where the content starts with a user data header.
    pub tp_udhi: u8,
    /// `MessageCoding`.
    pub coding: MsgFmt,
    /// `MessageType`: 0 a short message.
    pub message_type: u8,
    /// `MessageContent`; its length is written in four octets and held to [`MAX_CONTENT`].
    pub content: Content,
    /// `Reserve` (some gateways: `LinkID`).
    pub reserve: Octets<8>,
}

impl Submit {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let submit = Self {
            sp_number: body.text("SPNumber", NUMBER)?,
            charge_number: body.number("ChargeNumber", NUMBER)?,
            users: users(&mut body)?,
            corp_id: body.text("CorpId", 5)?,
            service_type: body.text("ServiceType", 10)?,
            fee_type: body.octet("FeeType")?,
            fee_value: body.text("FeeValue", 6)?,
            given_value: body.text("GivenValue", 6)?,
            agent_flag: body.octet("AgentFlag")?,
            mo_relate_to_mt: body.octet("MorelatetoMTFlag")?,
            priority: body.octet("Priority")?,
            expire_time: body.text("ExpireTime", 16)?,
            schedule_time: body.text("ScheduleTime", 16)?,
            report_flag: ReportFlag(body.octet("ReportFlag")?),
            tp_pid: body.octet("TP_pid")?,
            tp_udhi: body.octet("TP_udhi")?,
            coding: MsgFmt(body.octet("MessageCoding")?),
            message_type: body.octet("MessageType")?,
            content: content(&mut body)?,
            reserve: body.text("Reserve", 8)?,
        };
        body.end().map(|()| submit)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        put_padded(out, "SPNumber", self.sp_number.as_bytes(), NUMBER)?;
        put_padded(out, "ChargeNumber", self.charge_number.expose(), NUMBER)?;
        out.put_u8(self.user_count()?);
        for user in &self.users {
            put_padded(out, "UserNumber", user.expose(), NUMBER)?;
        }
        put_padded(out, "CorpId", self.corp_id.as_bytes(), 5)?;
        put_padded(out, "ServiceType", self.service_type.as_bytes(), 10)?;
        out.put_u8(self.fee_type);
        put_padded(out, "FeeValue", self.fee_value.as_bytes(), 6)?;
        put_padded(out, "GivenValue", self.given_value.as_bytes(), 6)?;
        out.put_slice(&[self.agent_flag, self.mo_relate_to_mt, self.priority]);
        put_padded(out, "ExpireTime", self.expire_time.as_bytes(), 16)?;
        put_padded(out, "ScheduleTime", self.schedule_time.as_bytes(), 16)?;
        out.put_slice(&[self.report_flag.0, self.tp_pid, self.tp_udhi, self.coding.0, self.message_type]);
        put_content(out, &self.content)?;
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)
    }

    fn user_count(&self) -> Result<u8, Error> {
        let count = self.users.len();
        match u8::try_from(count) {
            Ok(octet) if (1..=MAX_USERS).contains(&count) => Ok(octet),
            _ => Err(Error::OutOfRange { field: "UserCount", limit: MAX_USERS as u64, value: count as u64 }),
        }
    }
}

/// The count and the terminals.
fn users(body: &mut Reader<'_>) -> Result<Vec<Number>, Fault> {
    let count = body.octet("UserCount")?;
    if !(1..=MAX_USERS).contains(&usize::from(count)) {
        return Err(Fault::Value { field: "UserCount" });
    }
    body.numbers("UserNumber", count, NUMBER)
}

/// `MessageLength`, four octets, and as much content.
pub(crate) fn content(body: &mut Reader<'_>) -> Result<Content, Fault> {
    let length = body.u32("MessageLength")?;
    body.content("MessageLength", length)
}

/// Writes `MessageLength`, four octets, and the content.
pub(crate) fn put_content(out: &mut BytesMut, content: &Content) -> Result<(), Error> {
    let length = content.len();
    let too_long = Error::TooLong { field: "MessageContent", limit: MAX_CONTENT, length };
    out.put_u32(u32::try_from(length).map_err(|_| too_long)?);
    out.put_slice(content);
    Ok(())
}
