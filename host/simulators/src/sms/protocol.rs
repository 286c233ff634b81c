//! What a gateway needs to know of a protocol: PDUs as what they mean to it, and its answers as octets.

use std::fmt;
use std::hash::Hash;

use bytes::BytesMut;
use gridbell_model::Moment;
use gridbell_sgip::{Content, FieldError, MsgFmt, Number, Octets};

/// A protocol, as a gateway sees it.
pub trait Protocol: Sized + Send + Sync + 'static {
    /// By which an answer finds its question.
    type Sequence: Copy + Ord + Hash + fmt::Display + Send + Sync + 'static;
    /// By which a report finds its message.
    type Id: Copy + Ord + fmt::Display + Send + Sync + 'static;
    /// What a login must prove.
    type Login: Send + Sync + 'static;

    /// The results with which it refuses.
    const CODES: Codes;
    /// Octets of an account's name.
    const LONGEST_ID: usize;

    /// The next PDU, taken off `input`.
    ///
    /// # Errors
    /// Where it is not as its table says.
    fn decode(input: &mut BytesMut) -> Read<Self>;
    /// Whether a login proves the secret.
    fn proves(login: &Self::Login, secret: &str) -> bool;
    /// A sequence of the gateway's own.
    fn sequence(gateway: u32, counter: u32, now: &Civil) -> Self::Sequence;
    /// The number of an accepted message, the `counter`-th since the start.
    fn id(gateway: u32, counter: u32, submit: Self::Sequence, now: &Civil) -> Self::Id;
    /// Answers a login.
    fn login_answer(
        sequence: Self::Sequence,
        login: &Self::Login,
        secret: &str,
        code: u32,
        out: &mut BytesMut,
    ) -> Wrote;
    /// Answers a submit; without a number where it was refused.
    fn submit_answer(sequence: Self::Sequence, id: Option<Self::Id>, code: u32, out: &mut BytesMut) -> Wrote;
    /// Sends a heartbeat; false where the protocol has none.
    fn heartbeat(sequence: Self::Sequence, out: &mut BytesMut) -> bool;
    /// Answers a heartbeat.
    fn heartbeat_answer(sequence: Self::Sequence, out: &mut BytesMut) -> Wrote;
    /// Says goodbye.
    fn goodbye(sequence: Self::Sequence, out: &mut BytesMut) -> Wrote;
    /// Answers a goodbye.
    fn goodbye_answer(sequence: Self::Sequence, out: &mut BytesMut) -> Wrote;
    /// Logs in on a connection that the gateway opened; none where the protocol has no such connection.
    fn reverse_login(sequence: Self::Sequence, id: &str, secret: &str, out: &mut BytesMut) -> Option<Wrote>;
    /// Sends a report or an inbound message.
    fn deliver(sequence: Self::Sequence, outgoing: &Outgoing<Self>, now: &Civil, out: &mut BytesMut) -> Wrote;
}

/// A PDU with its sequence, or none while it is not there whole.
pub type Read<P> = Result<Option<(<P as Protocol>::Sequence, Incoming<P>)>, Broken<P>>;

/// Whether an answer could be written.
pub type Wrote = Result<(), FieldError>;

/// The results with which a protocol refuses.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    /// A login that does not prove its secret.
    pub authentication: u32,
    /// One connection too many.
    pub connections: u32,
    /// Faster than granted, or more unanswered than the window.
    pub busy: u32,
    /// A terminal that takes nothing.
    pub bad_number: u32,
    /// A sequence that was there before.
    pub repeated: u32,
    /// A sender's number that the account does not have.
    pub source: u32,
    /// A submit on a connection that is not for submits.
    pub direction: u32,
}

/// What came.
pub enum Incoming<P: Protocol> {
    /// A login.
    Login(LoginRequest<P>),
    /// The answer to the gateway's own login: its result.
    LoginAnswer(u32),
    /// A message.
    Submit(Box<Offer>),
    /// The answer to a report or inbound message: whether it was taken.
    DeliverAnswer(bool),
    /// A heartbeat.
    Heartbeat,
    /// The answer to a heartbeat.
    HeartbeatAnswer,
    /// A polite end.
    Goodbye,
    /// The answer to one.
    GoodbyeAnswer,
    /// What only a gateway sends.
    Unexpected,
}

/// What may come on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directions {
    /// Submits.
    pub submits: bool,
    /// Reports and inbound messages.
    pub delivers: bool,
}

/// A login.
pub struct LoginRequest<P: Protocol> {
    /// Whose.
    pub id: Vec<u8>,
    /// Its proof.
    pub login: P::Login,
    /// What the connection is for.
    pub directions: Directions,
    /// The result that refuses it, whatever its proof.
    pub refusal: Option<u32>,
}

/// When a message is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportWish {
    /// Always.
    Always,
    /// Where it failed.
    OnFailure,
    /// Never.
    Never,
}

/// A message on offer.
pub struct Offer {
    /// The terminals.
    pub destinations: Vec<Number>,
    /// The sender's number.
    pub src: Octets<21>,
    /// The service.
    pub service: Octets<10>,
    /// Whether the content begins with a user data header.
    pub udhi: bool,
    /// How the content is coded.
    pub format: MsgFmt,
    /// The content.
    pub content: Content,
    /// When it is reported.
    pub report: ReportWish,
    /// The result that refuses it by the protocol's own rules.
    pub refusal: Option<u32>,
}

/// What was read and is no PDU.
pub enum Broken<P: Protocol> {
    /// The stream is out of step.
    Framing,
    /// One PDU is malformed; a submit or an unknown command is answered with the code.
    Malformed {
        /// Its sequence.
        sequence: P::Sequence,
        /// Whether it is to be answered as a submit.
        answer: bool,
        /// With which result.
        code: u32,
    },
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrives.
    Delivered,
    /// It waits; another report follows.
    Pending,
    /// It fails with this code.
    Failed(u8),
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("delivered"),
            Self::Pending => f.write_str("pending"),
            Self::Failed(code) => write!(f, "failed {code}"),
        }
    }
}

/// What waits to be delivered.
#[derive(Clone)]
pub enum Outgoing<P: Protocol> {
    /// A report.
    Report {
        /// About which message.
        id: P::Id,
        /// To which terminal.
        destination: Number,
        /// From which of the sender's numbers.
        src: Octets<21>,
        /// What it says.
        fate: Fate,
        /// When the message came.
        submitted: Moment,
        /// Which of the protocol's spellings of a report, where it has several.
        spelling: u32,
    },
    /// An inbound message.
    Inbound(Inbound),
}

/// One part of an inbound message.
#[derive(Clone)]
pub struct Inbound {
    /// Who wrote.
    pub from: Number,
    /// To which of the sender's numbers.
    pub to: Octets<21>,
    /// How many parts there are, and which this is.
    pub part: (u8, u8),
    /// Whether the content begins with a user data header.
    pub udhi: u8,
    /// UTF-16BE.
    pub content: Content,
}

/// A moment as protocols write it, in Asia/Shanghai.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Civil {
    /// The year.
    pub year: u32,
    /// 1 to 12.
    pub month: u32,
    /// 1 to 31.
    pub day: u32,
    /// 0 to 23.
    pub hour: u32,
    /// 0 to 59.
    pub minute: u32,
    /// 0 to 59.
    pub second: u32,
}

impl Civil {
    /// Of `moment`.
    #[must_use]
    pub fn of(moment: Moment) -> Self {
        let (year, month, day) = moment.date().ymd();
        let of_day = moment.civil_minute().minute_of_day();
        let second = moment.unix_ms().div_euclid(1000).rem_euclid(60);
        Self {
            year: u32::try_from(year).unwrap_or_default(),
            month,
            day,
            hour: of_day / 60,
            minute: of_day % 60,
            second: u32::try_from(second).unwrap_or_default(),
        }
    }

    /// YYMMDDhhmm.
    #[must_use]
    pub fn minute_text(&self) -> Octets<10> {
        let Self { year, month, day, hour, minute, .. } = self;
        let text = format!("{:02}{month:02}{day:02}{hour:02}{minute:02}", year % 100);
        Octets::new("time", text).unwrap_or_default()
    }
}
