//! `CMPP_QUERY`, a day's counts, and `CMPP_CANCEL`, the withdrawal of a message; with their answers.

use bytes::{BufMut, BytesMut};
use gridbell_wire::{Error, Fault, Octets, Reader, put_padded};

use crate::msg_id::MsgId;
use crate::status::{put_status, read_status};
use crate::version::Version;

/// `CMPP_QUERY`: 27 octets in both versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// `Time`: the day, YYYYMMDD.
    pub day: Octets<8>,
    /// `Query_Type`: 0 everything, 1 by service.
    pub query_type: u8,
    /// `Query_Code`: the `Service_Id` where `query_type` is 1.
    pub query_code: Octets<10>,
    /// `Reserve`.
    pub reserve: Octets<8>,
}

impl Query {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let query = Self {
            day: body.text("Time", 8)?,
            query_type: body.octet("Query_Type")?,
            query_code: body.text("Query_Code", 10)?,
            reserve: body.text("Reserve", 8)?,
        };
        body.end().map(|()| query)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        put_padded(out, "Time", self.day.as_bytes(), 8)?;
        out.put_u8(self.query_type);
        put_padded(out, "Query_Code", self.query_code.as_bytes(), 10)?;
        put_padded(out, "Reserve", self.reserve.as_bytes(), 8)
    }
}

/// `CMPP_QUERY_RESP`: 51 octets in both versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueryResp {
    /// `Time`, as asked.
    pub day: Octets<8>,
    /// `Query_Type`, as asked.
    pub query_type: u8,
    /// `Query_Code`, as asked.
    pub query_code: Octets<10>,
    /// `MT_TLMsg`: messages received from the SP.
    pub mt_messages: u32,
    /// `MT_Tlusr`: terminals they were for.
    pub mt_users: u32,
    /// `MT_Scs`: forwarded.
    pub mt_succeeded: u32,
    /// `MT_WT`: waiting.
    pub mt_waiting: u32,
    /// `MT_FL`: failed.
    pub mt_failed: u32,
    /// `MO_Scs`: inbound messages delivered to the SP.
    pub mo_succeeded: u32,
    /// `MO_WT`: inbound messages waiting.
    pub mo_waiting: u32,
    /// `MO_FL`: inbound messages failed.
    pub mo_failed: u32,
}

impl QueryResp {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let response = Self {
            day: body.text("Time", 8)?,
            query_type: body.octet("Query_Type")?,
            query_code: body.text("Query_Code", 10)?,
            mt_messages: body.u32("MT_TLMsg")?,
            mt_users: body.u32("MT_Tlusr")?,
            mt_succeeded: body.u32("MT_Scs")?,
            mt_waiting: body.u32("MT_WT")?,
            mt_failed: body.u32("MT_FL")?,
            mo_succeeded: body.u32("MO_Scs")?,
            mo_waiting: body.u32("MO_WT")?,
            mo_failed: body.u32("MO_FL")?,
        };
        body.end().map(|()| response)
    }

    pub(crate) fn encode(&self, out: &mut BytesMut) -> Result<(), Error> {
        put_padded(out, "Time", self.day.as_bytes(), 8)?;
        out.put_u8(self.query_type);
        put_padded(out, "Query_Code", self.query_code.as_bytes(), 10)?;
        let counts = [
            self.mt_messages,
            self.mt_users,
            self.mt_succeeded,
            self.mt_waiting,
            self.mt_failed,
            self.mo_succeeded,
            self.mo_waiting,
            self.mo_failed,
        ];
        counts.into_iter().for_each(|count| out.put_u32(count));
        Ok(())
    }
}

/// `CMPP_CANCEL`: 8 octets in both versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancel {
    /// `Msg_Id` of the message to withdraw.
    pub msg_id: MsgId,
}

impl Cancel {
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let cancel = Self { msg_id: MsgId(body.u64("Msg_Id")?) };
        body.end().map(|()| cancel)
    }

    pub(crate) fn encode(self, out: &mut BytesMut) {
        out.put_u64(self.msg_id.0);
    }
}

/// `CMPP_CANCEL_RESP`: 1 octet in 2.0, 4 in 3.0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CancelResp {
    /// `Success_Id`: 0 withdrawn, 1 not.
    pub success_id: u32,
}

impl CancelResp {
    pub(crate) fn decode(body: &[u8], version: Version) -> Result<Self, Fault> {
        let mut body = Reader::new(body);
        let response = Self { success_id: read_status(&mut body, "Success_Id", version)? };
        body.end().map(|()| response)
    }

    pub(crate) fn encode(self, version: Version, out: &mut BytesMut) -> Result<(), Error> {
        put_status(out, "Success_Id", self.success_id, version)
    }
}
