//! What one platform says, behind a trait that is told the time and does nothing itself.

use std::fmt;

use gridbell_model::{CarrierKey, Moment};
use gridbell_platform::{Answer, CallError, Code, Method, Request};

use crate::port::{Inbound, Outgoing, Report};

/// A platform's account. Its methods compute and return: calls, waits and what must be durable are the link's.
pub trait Provider: Send + Sync + 'static {
    /// The request for a message. The same message makes a request that the platform knows again, where it knows any.
    fn prepare(&self, message: &Outgoing, now: Moment) -> Prepared;

    /// Whether preparing takes the processor so long (a millisecond, as signing with RSA does) that it must not be done on the async runtime.
    fn is_costly(&self) -> bool {
        false
    }

    /// What an answer to the request says. `token` is what [`Prepared::Go`] gave.
    fn read(&self, message: &Outgoing, token: u64, answer: &Answer, now: Moment) -> Verdict;

    /// What to do about a message whose answer did not come.
    fn repeat(&self, message: &Outgoing) -> Repeat;

    /// The request that asks what became of a message that left at `since`; none where the platform cannot be asked.
    fn inquire(&self, _message: &Outgoing, _since: Moment, _now: Moment) -> Option<Request> {
        None
    }

    /// What an answer to [`Provider::inquire`] says.
    fn found(&self, _message: &Outgoing, _answer: &Answer) -> Found {
        Found::Unknown
    }

    /// What must be called beside messages, such as for a token.
    fn chore(&self, _now: Moment) -> Chore {
        Chore::Nothing
    }

    /// How a chore went.
    ///
    /// # Errors
    /// The platform's code where it refuses the account itself: a person must know, and it is tried again later.
    fn did(&self, _ticket: u64, _result: &Result<Answer, CallError>, _now: Moment) -> Result<(), Code> {
        Ok(())
    }

    /// Whether messages may be prepared now.
    fn is_ready(&self, _now: Moment) -> bool {
        true
    }

    /// The request that takes a message back; none where the platform takes none back.
    fn recall(&self, _key: &CarrierKey, _now: Moment) -> Option<Request> {
        None
    }

    /// Whether an answer to [`Provider::recall`] says that it was taken back.
    fn recalled(&self, _answer: &Answer) -> bool {
        false
    }

    /// Verifies and reads what came to the account's callback address.
    ///
    /// # Errors
    /// Where it is not the platform's, or cannot be read.
    fn callback(&self, callback: &Callback<'_>, now: Moment) -> Result<Told, Turned>;
}

/// A message as a request.
#[derive(Debug)]
pub enum Prepared {
    /// It can go.
    Go {
        /// The request.
        request: Request,
        /// Which credentials it was made with, for [`Provider::read`].
        token: u64,
    },
    /// There are no credentials now.
    NotYet,
    /// It never can go.
    Never {
        /// Why, for people.
        reason: &'static str,
    },
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The platform has it.
    Accepted {
        /// Its number for the message.
        key: CarrierKey,
    },
    /// It does not take it.
    Declined {
        /// Its code.
        code: Code,
        /// What to do.
        means: Meaning,
    },
    /// It does not take the credentials, and did not take the message: once more with newer ones, for which the provider has asked.
    Refresh {
        /// Its code.
        code: Code,
    },
    /// It may have it.
    Uncertain {
        /// What happened, without anything personal.
        why: String,
    },
}

/// What a refusal asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// Back off, then again.
    Retry,
    /// Too fast: the whole link waits until then, at least.
    SlowDown {
        /// None where the platform names no time.
        until: Option<Moment>,
    },
    /// The route's next channel.
    NextChannel,
    /// The route's next channel, for all until then.
    NextChannelUntil {
        /// When the account may be used again.
        until: Moment,
    },
    /// The address will never take it.
    BadAddress,
    /// The account, a template or a key is wrong: stop the link, alarm.
    Configuration,
    /// We wrote what it cannot read: give this message up, alarm.
    OurBug,
    /// The message fails.
    GiveUp,
}

/// What may be done about a message whose answer did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// The platform knows repetitions of the same request: it goes again at once.
    Same,
    /// The platform can be asked what became of it.
    Ask,
    /// Neither: it may go twice, and is marked.
    Marked,
}

/// What the platform says when asked about a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// It has it.
    Has(CarrierKey),
    /// It knows nothing of it, which may change: receipts lag.
    Not,
    /// It does not say.
    Unknown,
}

/// What must be called beside messages.
#[derive(Debug)]
pub enum Chore {
    /// This, now; [`Provider::did`] is told how it went.
    Call {
        /// Which.
        ticket: u64,
        /// The request.
        request: Request,
    },
    /// Nothing before then.
    At(Moment),
    /// Nothing.
    Nothing,
}

/// A request to the account's callback address, as it came. At most [`MAX_CALLBACK`](super::MAX_CALLBACK) octets of it are read.
#[derive(Clone, Copy)]
pub struct Callback<'a> {
    /// How.
    pub method: Method,
    /// The query without its `?`.
    pub query: &'a str,
    /// Headers with their values, names in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    /// The body.
    pub body: &'a [u8],
}

impl Callback<'_> {
    /// A header's value; its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

impl fmt::Debug for Callback<'_> {
    /// Without query, headers and body: they hold signatures and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// What a callback says, and what acknowledges it once that is durable.
#[derive(Debug, Default)]
pub struct Told {
    /// What became of messages.
    pub reports: Vec<Report>,
    /// Customers' messages from numbers.
    pub inbound: Vec<Inbound>,
    /// What followers did.
    pub said: Vec<Said>,
    /// The body that acknowledges it.
    pub acknowledge: String,
}

/// What a follower did.
#[derive(Clone, PartialEq, Eq)]
pub enum Said {
    /// Follows the account from now on.
    Followed {
        /// Who.
        id: String,
        /// By which code, where one was scanned.
        scene: Option<String>,
        /// When.
        at: Moment,
    },
    /// Follows it no longer.
    Left {
        /// Who.
        id: String,
        /// When.
        at: Moment,
    },
    /// Wrote a text.
    Wrote {
        /// Who.
        id: String,
        /// The platform's number for it; the same again is a repetition.
        key: CarrierKey,
        /// What.
        text: String,
        /// When.
        at: Moment,
    },
}

impl fmt::Debug for Said {
    /// Without ids and texts, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Followed { .. } => "Followed(***)",
            Self::Left { .. } => "Left(***)",
            Self::Wrote { .. } => "Wrote(***)",
        })
    }
}

/// Why a callback was turned away, and with which status.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a callback was turned away with {status}: {why}")]
pub struct Turned {
    /// HTTP's status: 403 for a stranger, 400 for what cannot be read, 413 for what is too long, 429 for a flood.
    pub status: u16,
    /// Why, without anything personal.
    pub why: String,
}

impl Turned {
    /// The status for whoever is not the platform: there is nothing that he could sign in with.
    pub const STRANGER: u16 = 403;

    /// Not the platform.
    #[must_use]
    pub fn stranger(why: impl fmt::Display) -> Self {
        Self { status: Self::STRANGER, why: why.to_string() }
    }

    /// The platform, and not readable.
    #[must_use]
    pub fn unreadable(why: impl fmt::Display) -> Self {
        Self { status: 400, why: why.to_string() }
    }
}
