//! Delivery reports: what a DELIVER with `Registered_Delivery` = 1 carries as its content.

use std::borrow::Cow;

use bytes::{BufMut, Bytes, BytesMut};
use gridbell_wire::{Content, Error, Fault, Number, Octets, Reader, put_padded};

use crate::msg_id::MsgId;
use crate::version::Version;

/// Octets of a report with a terminal number of 21.
pub const REPORT_LENGTH_2_0: usize = 60;
/// Octets of a report with a terminal number of 32.
pub const REPORT_LENGTH_3_0: usize = 71;

/// What became of one message to one terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// `Msg_Id`: the one that the SUBMIT_RESP gave.
    pub msg_id: MsgId,
    /// `Stat`.
    pub stat: Stat,
    /// `Submit_time`: YYMMDDHHMM, kept as the gateway wrote it.
    pub submit_time: Octets<10>,
    /// `Done_time`: YYMMDDHHMM, kept as the gateway wrote it.
    pub done_time: Octets<10>,
    /// `Dest_terminal_Id`.
    pub destination: Number,
    /// `SMSC_sequence`.
    pub smsc_sequence: u32,
}

impl Report {
    /// Reads a report; its length tells the layout, since some 3.0 gateways send the one of 2.0.
    ///
    /// # Errors
    /// Where the length is neither 60 nor 71.
    pub fn decode(content: &[u8]) -> Result<Self, Fault> {
        let width = match content.len() {
            REPORT_LENGTH_2_0 => Version::V2_0.number_width(),
            REPORT_LENGTH_3_0 => Version::V3_0.number_width(),
            _ => return Err(Fault::Value { field: "Msg_Length" }),
        };
        let mut content = Reader::new(content);
        let report = Self {
            msg_id: MsgId(content.u64("Msg_Id")?),
            stat: Stat(content.text("Stat", 7)?),
            submit_time: content.text("Submit_time", 10)?,
            done_time: content.text("Done_time", 10)?,
            destination: content.number("Dest_terminal_Id", width)?,
            smsc_sequence: content.u32("SMSC_sequence")?,
        };
        content.end().map(|()| report)
    }

    /// Writes the report in the layout of `layout`.
    ///
    /// # Errors
    /// Where the terminal number is too long for it.
    pub fn encode(&self, layout: Version) -> Result<Content, Error> {
        let mut out = BytesMut::with_capacity(REPORT_LENGTH_3_0);
        out.put_u64(self.msg_id.0);
        put_padded(&mut out, "Stat", self.stat.0.as_bytes(), 7)?;
        put_padded(&mut out, "Submit_time", self.submit_time.as_bytes(), 10)?;
        put_padded(&mut out, "Done_time", self.done_time.as_bytes(), 10)?;
        put_padded(&mut out, "Dest_terminal_Id", self.destination.expose(), layout.number_width())?;
        out.put_u32(self.smsc_sequence);
        Content::new(Bytes::from(out))
    }
}

/// `Stat`: the carrier's word for the outcome, kept verbatim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stat(Octets<7>);

/// What a [`Stat`] says, in the specification's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StatClass {
    /// `DELIVRD`: on the terminal.
    Delivered,
    /// `EXPIRED`: its validity ran out before it could be delivered.
    Expired,
    /// `DELETED`: withdrawn.
    Deleted,
    /// `UNDELIV`: cannot be delivered.
    Undeliverable,
    /// `UNKNOWN`: in no valid state.
    Unknown,
    /// `REJECTD`: refused.
    Rejected,
    /// `ACCEPTD`: taken by the message centre, not final.
    Accepted,
    /// Anything else: a vendor's code such as `MA:0001`, `MB:1041`, `CA:0051`, `DA:0054`, `IA:0053`.
    Vendor,
}

/// Whether a report settles a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Final: it arrived.
    Delivered,
    /// Final: it did not.
    Failed,
    /// Not final: another report follows.
    Pending,
}

impl Stat {
    /// Keeps `stat`.
    ///
    /// # Errors
    /// Where it is longer than seven octets or contains a zero.
    pub fn new(stat: &str) -> Result<Self, Error> {
        Octets::new("Stat", stat).map(Self)
    }

    /// As the carrier wrote it.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        self.0.text()
    }

    /// What it says. Vendors pad with spaces and differ in case.
    #[must_use]
    pub fn class(&self) -> StatClass {
        let stat = self.0.as_bytes().trim_ascii();
        let known: [(&[u8], StatClass); 7] = [
            (b"DELIVRD", StatClass::Delivered),
            (b"EXPIRED", StatClass::Expired),
            (b"DELETED", StatClass::Deleted),
            (b"UNDELIV", StatClass::Undeliverable),
            (b"UNKNOWN", StatClass::Unknown),
            (b"REJECTD", StatClass::Rejected),
            (b"ACCEPTD", StatClass::Accepted),
        ];
        known
            .into_iter()
            .find(|(word, _)| stat.eq_ignore_ascii_case(word))
            .map_or(StatClass::Vendor, |(_, class)| class)
    }

    /// Whether it settles the message. Vendor codes are failures: only `DELIVRD` is success.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self.class() {
            StatClass::Delivered => Outcome::Delivered,
            StatClass::Accepted => Outcome::Pending,
            StatClass::Expired
            | StatClass::Deleted
            | StatClass::Undeliverable
            | StatClass::Unknown
            | StatClass::Rejected
            | StatClass::Vendor => Outcome::Failed,
        }
    }
}
