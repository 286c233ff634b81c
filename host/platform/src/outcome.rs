//! What a platform's answer asks of us, in the same words for all of them.

use std::fmt;

/// The most octets kept of a platform's code.
pub const MAX_CODE: usize = 64;

/// The most octets of a platform's message number; none documents a longer one.
pub const MAX_ID: usize = 128;

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The platform has the message. That is not yet a delivery: see each platform's receipts.
    Accepted {
        /// Its number for the message, by which receipt and recall name it; none where the platform gives none.
        id: Option<PlatformId>,
    },
    /// The platform does not take it.
    Refused {
        /// What to do.
        act: Act,
        /// The platform's own code, kept to be explained.
        code: Code,
    },
}

impl Outcome {
    /// A refusal.
    #[must_use]
    pub fn refused(act: Act, code: impl AsRef<str>) -> Self {
        Self::Refused { act, code: Code::new(code) }
    }
}

/// What a refusal asks of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// Nothing is wrong with the message: back off, then send it again.
    Retry,
    /// The access token is not valid any more: refresh it once, then send again. A second time it is [`Act::Configuration`].
    Refresh,
    /// Asking too fast for this account or this recipient: retry, no sooner than the platform's own window.
    SlowDown,
    /// This customer cannot be reached here: the route's next channel.
    NextChannel,
    /// The address will never take a message, here or elsewhere: mark it.
    BadAddress,
    /// Nobody can be reached here before midnight in Shanghai, because the day's quota is used: the route's next channel for all until then.
    NextChannelUntilMidnight,
    /// The account, a template or a key is wrong: nothing of its kind will go through. Keep the messages, stop, raise an alarm.
    Configuration,
    /// We wrote a request that the platform cannot read: give this message up, raise an alarm, never repeat it as it is.
    OurBug,
    /// The platform may have the message: ask for its receipt before sending it again.
    Uncertain,
    /// A code outside of the tables: the operator's configuration says what it means.
    Unlisted,
}

/// What an HTTP status alone says, for an answer whose body need not be read. `None` for 200: the body says it.
///
/// A redirection is never followed: a platform's address is configuration, and a body signed for one host belongs to no other.
#[must_use]
pub const fn of_status(status: u16) -> Option<Act> {
    match status {
        200 => None,
        429 => Some(Act::SlowDown),
        408 | 502 | 504 => Some(Act::Uncertain),
        500..=599 => Some(Act::Retry),
        _ => Some(Act::Configuration),
    }
}

/// A platform's code: ASCII letters, digits and `.` `_` `-` `:` up to [`MAX_CODE`]; whatever else a platform writes there becomes `?`, so
/// that neither a log nor a page can be forged with it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Code(Box<str>);

impl Code {
    /// Keeps what is fit of `code`.
    #[must_use]
    pub fn new(code: impl AsRef<str>) -> Self {
        let fit = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':') { c } else { '?' };
        Self(code.as_ref().chars().take(MAX_CODE).map(fit).collect::<String>().into())
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A platform's number for a message.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PlatformId(Box<str>);

impl PlatformId {
    /// Keeps an id of printable ASCII without spaces; `None` for an empty one, or one that is longer than [`MAX_ID`].
    #[must_use]
    pub fn new(id: &str) -> Option<Self> {
        let fit = !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|byte| byte.is_ascii_graphic());
        fit.then(|| Self(id.into()))
    }

    /// The number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
