//! What a link must know of a protocol: PDUs as what they mean to it, and its own words as octets. The files below this one are the only
//! ones that name a codec.
//!
//! A dialect keeps no time and no sockets, and decides nothing: what follows from a refusal, an answer or a silence is the link's.

mod cmpp;
mod sgip;
mod smgp;

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::AtomicU32;

use bytes::BytesMut;
use gridbell_clock::Clock;
use gridbell_model::{CarrierKey, CivilMinute, Date, Moment, Phone};
use gridbell_wire::assemble::Piece;
use gridbell_wire::text::Part;
use gridbell_wire::{Number, Octets};

use crate::config::{LinkConfig, Protocol};
use crate::port::{Report, ReportOutcome};
use crate::queue::Head;
use crate::secret::Secret;

pub(crate) use cmpp::Cmpp;
pub(crate) use sgip::{Caller, Sgip};
pub(crate) use smgp::Smgp;

/// A protocol as spoken on one connection that is logged in.
pub(crate) trait Dialect: Send + Sized + 'static {
    /// By which an answer finds its question.
    type Seq: Copy + Ord + Hash + Debug + Send + Sync + 'static;
    /// The answer to a report or an inbound message, made when it came: it goes out once what it answers is durable.
    type Ack: Debug + Send + Sync + 'static;
    /// What a login offers; less where the gateway says that it speaks less.
    type Offer: Copy + Send + Sync + 'static;
    /// A login under way.
    type Hello: Send + Sync + 'static;

    /// Whether the protocol has a heartbeat. Without one a connection that has nothing to say is closed.
    const HEARTBEAT: bool;
    /// Whether reports and inbound messages come on connections that the gateway opens.
    const CALLS: bool;

    /// What a login offers at first.
    fn offer(config: &LinkConfig) -> Self::Offer;

    /// Writes the login.
    ///
    /// # Errors
    /// Why it cannot be written.
    fn hello(ground: &Ground<'_>, offer: Self::Offer, out: &mut BytesMut) -> Result<Self::Hello, String>;

    /// The next PDU while the login is unanswered; none while it is not there whole.
    ///
    /// # Errors
    /// What came instead of one.
    fn greet(ground: &Ground<'_>, hello: &Self::Hello, input: &mut BytesMut) -> Result<Option<Greeting<Self>>, String>;

    /// The version in force.
    fn version(&self) -> &'static str;

    /// The next sequence of ours.
    fn seq(&mut self, ground: &Ground<'_>) -> Self::Seq;

    /// The next PDU, taken off `input`; none while it is not there whole.
    ///
    /// # Errors
    /// Where it is not as its table says.
    fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Event<Self>>, Broken<Self>>;

    /// Writes one part of a message.
    ///
    /// # Errors
    /// Where a field does not fit its place; `out` is then as it was.
    fn submit(&mut self, seq: Self::Seq, head: &Head, part: Part, out: &mut BytesMut) -> Result<(), String>;

    /// Writes an answer to a report or an inbound message.
    fn answer(&self, ack: &Self::Ack, out: &mut BytesMut);

    /// The answer that makes the gateway send it again later, in place of `ack`.
    fn later(ack: Self::Ack) -> Self::Ack;

    /// Writes a heartbeat; nothing where there is none.
    fn probe(&self, seq: Self::Seq, out: &mut BytesMut);

    /// Answers one.
    fn answer_probe(&self, seq: Self::Seq, out: &mut BytesMut);

    /// Says goodbye.
    fn bye(&self, seq: Self::Seq, out: &mut BytesMut);

    /// Answers a goodbye.
    fn answer_bye(&self, seq: Self::Seq, out: &mut BytesMut);

    /// What a refusal of a submit says. The operator's own table comes before it.
    fn verdict(code: u32) -> Verdict;
}

/// What a dialect may look at.
pub(crate) struct Ground<'a> {
    /// The link.
    pub(crate) config: &'a LinkConfig,
    /// The link's secret.
    pub(crate) secret: &'a Secret,
    /// The carriers' time.
    pub(crate) clock: &'a Clock,
    /// Counts the link's sequences where a report names them.
    pub(crate) counter: &'a AtomicU32,
}

/// What came while a login was unanswered.
pub(crate) enum Greeting<D: Dialect> {
    /// Logged in.
    In(D),
    /// Something that does not matter yet.
    Other,
    /// The gateway ended the connection.
    Bye,
    /// It refused the login.
    Refused {
        /// With this status.
        status: u32,
        /// Whether trying again cannot help.
        last: bool,
        /// What the specification says about it, in brackets; empty for nothing.
        why: &'static str,
    },
    /// It speaks less: offer this.
    Older(D::Offer),
    /// It could not prove that it knows the secret.
    NotGenuine,
}

/// What came.
pub(crate) enum Event<D: Dialect> {
    /// The answer to a submit: the carrier's number for it, or the code that refuses it.
    Answer {
        /// Of which.
        seq: D::Seq,
        /// What it says.
        result: Result<CarrierKey, u32>,
    },
    /// A delivery report.
    Report {
        /// Its answer.
        ack: D::Ack,
        /// What it says.
        report: Report,
    },
    /// A delivery report that is none, or none of ours.
    BadReport {
        /// Its answer, to be given at once.
        ack: D::Ack,
        /// What is wrong with it, without anything personal.
        why: String,
    },
    /// A customer's message or a part of one.
    Inbound {
        /// Its answer.
        ack: D::Ack,
        /// The gateway's number for it.
        key: CarrierKey,
        /// What it is.
        piece: Piece,
    },
    /// A heartbeat.
    Probe(D::Seq),
    /// The answer to one.
    ProbeAnswer,
    /// A polite end.
    Bye(D::Seq),
    /// The answer to one.
    ByeAnswer,
    /// What a gateway does not send.
    Unexpected(&'static str),
}

/// What came and is no PDU.
pub(crate) enum Broken<D: Dialect> {
    /// One PDU is not as its table says; the ones after it can be read.
    Malformed {
        /// What is wrong, without anything personal.
        what: String,
        /// The answer that refuses it, where the protocol has one.
        refusal: Option<D::Ack>,
    },
    /// The stream is out of step for good.
    OutOfStep(String),
}

/// What a refusal of a submit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is wrong with the message: try again soon.
    Retry,
    /// So, and the link is sending too fast.
    SlowDown,
    /// Nothing may be sent at this hour.
    AnotherHour,
    /// Nothing more may be sent today.
    AnotherDay,
    /// The message fails.
    GiveUp,
    /// This number will never take it.
    BadNumber,
    /// The number is another carrier's. No specification has a code for it: the operator's table says which it is.
    NotTheirs,
    /// Nothing will go through.
    StopLink,
    /// The gateway found fault with our PDU.
    OurBug,
    /// A code without a fixed meaning.
    Vendor,
}

/// A field that the configuration's checks have found to fit.
fn fixed<const N: usize>(field: &'static str, text: &str) -> Octets<N> {
    Octets::new(field, text).unwrap_or(Octets::EMPTY)
}

/// Gateways write numbers with and without the country code, some without its `+`.
pub(crate) fn phone(number: &Number) -> Phone {
    let text = number.expose_text();
    let bare = if text.len() == 13 { text.strip_prefix("86").unwrap_or(&text) } else { &text };
    Phone::from_text(bare)
}

/// The carrier's word for an outcome: whoever reads reports knows the two that matter by their spelling.
fn stat(outcome: ReportOutcome, verbatim: impl FnOnce() -> String) -> String {
    match outcome {
        ReportOutcome::Delivered => "DELIVRD".to_owned(),
        ReportOutcome::Pending => "ACCEPTD".to_owned(),
        ReportOutcome::Expired | ReportOutcome::Failed | ReportOutcome::BadNumber | ReportOutcome::OtherCarrier => {
            verbatim()
        }
    }
}

impl Protocol {
    /// Whether `stat`, the carrier's word in a report as [`Report::stat`] has it, says that the number will never take a message: what
    /// [`ReportOutcome::BadNumber`] was told with. For a report that waited for its answer, of which the word alone is kept.
    #[must_use]
    pub fn calls_number_dead(self, stat: &str) -> bool {
        match self {
            // Its words are the carrier's own: no table says which of them are about the number.
            Self::Cmpp2 | Self::Cmpp3 => false,
            Self::Smgp3 => smgp::calls_number_dead(stat),
            Self::Sgip1 => sgip::calls_number_dead(stat),
        }
    }
}

/// Month, day, hour, minute and second of a moment, as every one of these protocols writes it.
fn stamp(now: Moment) -> [u32; 5] {
    let minute = now.civil_minute();
    let (_, month, day) = minute.date().ymd();
    let of_day = minute.minute_of_day();
    let second = u32::try_from(now.unix_ms().rem_euclid(60_000) / 1000).unwrap_or_default();
    [month, day, of_day / 60, of_day % 60, second]
}

/// YYMMDDHHMM; none where it is no time.
fn minute(time: &Octets<10>) -> CivilMinute {
    let digits = time.as_bytes();
    let pair = |at: usize| -> Option<u32> {
        let pair = digits.get(at..at + 2).filter(|pair| pair.iter().all(u8::is_ascii_digit))?;
        Some(pair.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0')))
    };
    let read = || {
        let (year, month, day) = (pair(0)?, pair(2)?, pair(4)?);
        let (hour, minute) = (pair(6).filter(|hour| *hour < 24)?, pair(8).filter(|minute| *minute < 60)?);
        Some(Date::from_ymd(2000 + i32::try_from(year).ok()?, month, day)?.at(hour, minute))
    };
    read().unwrap_or(CivilMinute::NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reports_time_is_read_or_none() {
        let read = |text: &str| minute(&Octets::new("Done_time", text).unwrap()).to_string();
        assert_eq!(read("2611212359"), "2026-11-21T23:59");
        for text in ["2611212360", "2613212359", "261121", "", "26 1212359", "2602302359"] {
            assert_eq!(read(text), "none", "{text}");
        }
    }

    #[test]
    fn numbers_are_known_with_and_without_the_country_code() {
        for text in ["13812341234", "8613812341234", "+8613812341234"] {
            assert_eq!(phone(&Number::new("n", text).unwrap()).number(), 13_812_341_234, "{text}");
        }
    }
}
