//! What was accepted: in memory, bounded, the newest; and as lines of JSON.

use std::collections::VecDeque;
use std::time::Duration;

use gridbell_cmpp::{Content, MsgFmt, MsgId, Number, Octets, Stat, Submit, text};
use serde::{Deserialize, Serialize};

/// One accepted part to one terminal. Holds the whole number and text: gateways are simulated for invented customers only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Microseconds from the gateway's start, on the monotonic clock.
    pub at_us: u64,
    /// SP_Id of the account.
    pub sp_id: String,
    /// Which connection since the start, from 1.
    pub connection: u64,
    /// `Msg_Id` for this terminal, 16 hexadecimal digits.
    pub msg_id: String,
    /// The terminal.
    pub destination: String,
    /// The sender's number.
    pub src_id: String,
    /// `Service_Id`.
    pub service_id: String,
    /// `Pk_total`.
    pub pk_total: u8,
    /// `Pk_number`.
    pub pk_number: u8,
    /// The reference in the header of a long message.
    pub reference: Option<u16>,
    /// The text of this part.
    pub text: String,
    /// `Sequence_Id` of the submit.
    pub sequence: u32,
    /// `LinkID`.
    pub link_id: String,
    /// What its report says or would say.
    pub stat: String,
}

/// An entry as it is kept: decoded only when somebody looks.
pub(super) struct Stored {
    pub(super) at: Duration,
    pub(super) connection: u64,
    pub(super) msg_id: MsgId,
    pub(super) sequence: u32,
    pub(super) sp_id: Octets<6>,
    pub(super) destination: Number,
    src_id: Octets<21>,
    service_id: Octets<10>,
    link_id: Octets<20>,
    pub(super) stat: Stat,
    pk_total: u8,
    pk_number: u8,
    tp_udhi: u8,
    msg_fmt: MsgFmt,
    content: Content,
}

/// Where a submit came in.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) at: Duration,
    pub(super) connection: u64,
    pub(super) sequence: u32,
    pub(super) sp_id: Octets<6>,
}

impl Stored {
    pub(super) fn new(arrival: Arrival, submit: &Submit, msg_id: MsgId, destination: Number, stat: Stat) -> Self {
        Self {
            at: arrival.at,
            connection: arrival.connection,
            msg_id,
            sequence: arrival.sequence,
            sp_id: arrival.sp_id,
            destination,
            src_id: submit.src_id,
            service_id: submit.service_id,
            link_id: submit.link_id,
            stat,
            pk_total: submit.pk_total,
            pk_number: submit.pk_number,
            tp_udhi: submit.tp_udhi,
            msg_fmt: submit.msg_fmt,
            content: submit.content.clone(),
        }
    }

    pub(super) fn entry(&self) -> LogEntry {
        let (concatenation, octets) = match self.tp_udhi {
            0 => (None, &self.content[..]),
            _ => text::split_header(&self.content),
        };
        LogEntry {
            at_us: u64::try_from(self.at.as_micros()).unwrap_or(u64::MAX),
            sp_id: self.sp_id.text().into_owned(),
            connection: self.connection,
            msg_id: self.msg_id.to_string(),
            destination: self.destination.expose_text().into_owned(),
            src_id: self.src_id.text().into_owned(),
            service_id: self.service_id.text().into_owned(),
            pk_total: self.pk_total,
            pk_number: self.pk_number,
            reference: concatenation.map(|part| part.reference),
            text: text::decode(self.msg_fmt, octets).text,
            sequence: self.sequence,
            link_id: self.link_id.text().into_owned(),
            stat: self.stat.text().into_owned(),
        }
    }
}

/// The newest accepted parts.
pub(super) struct Log {
    entries: VecDeque<Stored>,
    capacity: usize,
    forgotten: u64,
}

impl Log {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity, forgotten: 0 }
    }

    pub(super) fn append(&mut self, batch: &mut Vec<Stored>) {
        self.entries.extend(batch.drain(..));
        let excess = self.entries.len().saturating_sub(self.capacity);
        self.entries.drain(..excess);
        self.forgotten += excess as u64;
    }

    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Those after the first `skip` that were ever accepted.
    pub(super) fn since(&self, skip: u64) -> Vec<LogEntry> {
        let skip = usize::try_from(skip.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        self.entries.iter().skip(skip).map(Stored::entry).collect()
    }
}
