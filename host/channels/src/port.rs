//! What a link needs of the outbox, and the words in which both speak. Nothing here knows a protocol's PDUs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gridbell_model::{CarrierKey, CivilMinute, MessageId, Moment, Phone};

use crate::config::LinkName;
use crate::parts::PartSet;

/// What a link needs of the outbox.
///
/// Every method but [`Outbox::claim`], [`Outbox::ready`] and [`Outbox::urgent`] returns only when what it says is durable. A link never drops one
/// of these futures half-way except those of the last two, and except after its drain deadline.
///
/// **One part's life.** A claimed message's open parts are in the link's hands. Each leaves them exactly once: by an [`Answer`] or as
/// [`Unsent`]. When all have left, the outbox alone decides what is next: the message goes back to the queue where parts are still open
/// and its time has not run out. Between [`Outbox::intend`] and a durable answer a part may go twice if the host dies; a link keeps that
/// to its windows plus one commit group and a quarter of one for urgent messages (plus, where the last message claimed is a long one, its further
/// parts).
///
/// **At least once.** A report or an inbound message comes again if the connection breaks before its acknowledgement: know them by
/// their `key`. A report may come before the answer that names its `key`: park it.
///
/// **Errors.** An error means "not durable, ask again": the link raises an alarm, waits a second and repeats the call.
pub trait Outbox: Send + Sync + 'static {
    /// Up to `max_parts` open parts of messages whose time has come for this link, urgent first, or urgent ones alone. Where the first message
    /// alone has more parts, it alone. Never one that has expired, is held, or is in a link's hands. A claim lives in memory: it ends with the
    /// process.
    fn claim(
        &self,
        link: &LinkName,
        max_parts: usize,
        which: Which,
    ) -> impl Future<Output = Result<Vec<Outgoing>, OutboxError>> + Send;

    /// Resolves when something may be claimable for the link, or after a bounded time. What became claimable between a claim that gave
    /// nothing and this call resolves it at once. May be dropped at any time.
    fn ready(&self, link: &LinkName) -> impl Future<Output = ()> + Send;

    /// Resolves when an urgent message is claimable for the link: one that has its hands full of others takes it all the same. May be dropped at
    /// any time. An outbox that never has urgent messages need not say so.
    fn urgent(&self, _link: &LinkName) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }

    /// Makes the intent to submit durable: only after this may an octet reach the socket. The facts are checked one last time here; gives those
    /// still to be sent. The others (paid, opted out, held) are no longer in the link's hands.
    fn intend(
        &self,
        link: &LinkName,
        messages: &[MessageId],
    ) -> impl Future<Output = Result<Vec<MessageId>, OutboxError>> + Send;

    /// What became of parts.
    fn answered(&self, link: &LinkName, answers: &[Answer]) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Delivery reports, in the order in which they came; acknowledged to the gateway after this.
    fn reported(&self, link: &LinkName, reports: &[Report]) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Customers' messages; acknowledged to the gateway after this.
    fn inbound(&self, link: &LinkName, messages: &[Inbound]) -> impl Future<Output = Result<(), OutboxError>> + Send;

    /// Parts that were claimed or intended and that the gateway cannot have: back to the queue, with no mark that they may go twice.
    fn release(&self, link: &LinkName, parts: &[Unsent]) -> impl Future<Output = Result<(), OutboxError>> + Send;
}

/// Which messages are claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those whose turn it is, urgent ones first.
    Any,
    /// Urgent ones alone.
    Urgent,
}

/// Why the outbox could not make something durable.
#[derive(Debug, thiserror::Error)]
#[error("the outbox did not take it: {0}")]
pub struct OutboxError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// To whom a message goes, in the words of its channel.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// A terminal.
    Phone(Phone),
    /// A follower of a WeChat service account, or of an application that Alipay gives such ids.
    OpenId(Arc<str>),
    /// A customer's id at a platform: Alipay's 2088…
    UserId(Arc<str>),
}

impl Address {
    /// The number, where it is one.
    #[must_use]
    pub const fn phone(&self) -> Option<Phone> {
        match self {
            Self::Phone(phone) => Some(*phone),
            Self::OpenId(_) | Self::UserId(_) => None,
        }
    }
}

impl From<Phone> for Address {
    fn from(phone: Phone) -> Self {
        Self::Phone(phone)
    }
}

impl fmt::Debug for Address {
    /// A number masked, ids not at all: they are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone(phone) => phone.fmt(f),
            Self::OpenId(_) => f.write_str("OpenId(***)"),
            Self::UserId(_) => f.write_str("UserId(***)"),
        }
    }
}

/// What a message says. Its `Debug` leaves all of it out that is personal.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// The whole text, signature included.
    Text(String),
    /// A template that the platform keeps, with the values to fill in.
    Template(TemplateBody),
}

impl Body {
    /// The text, where it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Template(_) => None,
        }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(***)"),
            Self::Template(template) => {
                let names = template.values.iter().map(|(name, _)| name).collect::<Vec<_>>();
                f.debug_struct("Template").field("id", &template.id).field("names", &names).finish_non_exhaustive()
            }
        }
    }
}

/// A platform's template with its values.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TemplateBody {
    /// The platform's name for the template.
    pub id: Arc<str>,
    /// Its fields with their values, in their order.
    pub values: Vec<(Arc<str>, String)>,
    /// Where a tap leads; empty for nowhere.
    pub url: String,
}

/// A message to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Which message.
    pub id: MessageId,
    /// To whom.
    pub to: Address,
    /// The number that the terminal shows, `Src_Id`: one of the link's or one of them with digits added. Empty for the link's first.
    pub sender: Arc<str>,
    /// What.
    pub body: Body,
    /// The parts to send: all of them at first, after a break or a refusal those still open.
    pub open: PartSet,
    /// How often it was handed out before and came back with [`Action::Retry`] or [`Outcome::Unanswered`]. The link spaces and bounds
    /// its retries by it.
    pub attempt: u8,
    /// Overtakes what is not.
    pub urgent: bool,
    /// Its validity ends at this moment: it is written before it, never at it or after; told to the carrier too.
    pub valid_until: Option<Moment>,
}

impl fmt::Debug for Outgoing {
    /// Without the text, which is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("id", &self.id)
            .field("to", &self.to)
            .field("open", &self.open)
            .field("attempt", &self.attempt)
            .field("urgent", &self.urgent)
            .finish_non_exhaustive()
    }
}

/// What became of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which message.
    pub message: MessageId,
    /// Which of its parts, from 1.
    pub part: u8,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The carrier has it.
    Accepted {
        /// The carrier's number for the part, by which its report will name it. Unique enough within a link.
        key: CarrierKey,
    },
    /// The carrier refused it.
    Refused {
        /// The carrier's code, kept to be explained.
        code: u32,
        /// What to do.
        action: Action,
    },
    /// A platform refused it whose codes are words.
    Declined {
        /// Its code, kept to be explained: at most 64 characters of ASCII.
        code: Box<str>,
        /// What to do.
        action: Action,
    },
    /// It was written, and the connection broke or the time for an answer ran out: the carrier may have it. Sending it again may send it
    /// twice, so mark it. `again` is false where it has been tried as often as the link may.
    Unanswered {
        /// Whether it may be tried again.
        again: bool,
    },
    /// It was told as unanswered, and the carrier has it after all: its answer came late. The part is not in the link's hands, or is there
    /// again as a second copy.
    Late {
        /// As in [`Outcome::Accepted`].
        key: CarrierKey,
    },
    /// It was never written and never can be; `part` is 0, for all its parts.
    Unsendable {
        /// Why, for people.
        reason: &'static str,
    },
}

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing is wrong with the message: try again, not before this much time has passed.
    Retry {
        /// How long to wait.
        after: Duration,
    },
    /// Nothing is wrong with the message and this was no attempt: the link has stopped, keep it queued.
    Requeue,
    /// The number will never take it: the message fails and the contact is flagged.
    BadNumber,
    /// The number is not this carrier's: the message goes on to another's links.
    OtherCarrier,
    /// The message fails.
    GiveUp,
    /// This customer cannot be reached on this channel: the message fails here, its route goes on with the next.
    NextChannel,
    /// Nobody can be reached on this channel before this moment, because the day's quota is used: the message fails here, its route goes
    /// on with the next, and so would others.
    NextChannelUntil {
        /// When the channel may be used again.
        until: Moment,
    },
}

/// Parts that the gateway cannot have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// Which message.
    pub message: MessageId,
    /// Which of its parts.
    pub parts: PartSet,
}

/// A delivery report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The part's number as the answer gave it.
    pub key: CarrierKey,
    /// To whom the part went; [`Phone::NONE`] or bad where the gateway leaves it out.
    pub phone: Phone,
    /// The carrier's word, verbatim, at most seven characters.
    pub stat: String,
    /// What the word means.
    pub outcome: ReportOutcome,

    /// When the carrier took it, by its own clock; none where unreadable.
    pub submitted: CivilMinute,
    /// When it was settled, by the carrier's clock; none where unreadable.
    pub done: CivilMinute,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// Final: on the terminal.
    Delivered,
    /// Final: not delivered in the time there was.
    Expired,
    /// Final: not delivered.
    Failed,
    /// Final: not delivered, and the number will never take a message: the contact is flagged.
    BadNumber,
    /// Final: not delivered, because the number is another carrier's: the message goes on to another's links.
    OtherCarrier,
    /// Not final.
    Pending,
}

/// A customer's message, put together from its parts.
#[derive(Clone, PartialEq, Eq)]
pub struct Inbound {
    /// The carrier's number for it, of a long one the least of its parts' numbers; the same again is a repetition.
    pub key: CarrierKey,
    /// Who wrote.
    pub from: Phone,
    /// To which of our numbers.
    pub to: String,
    /// What.
    pub text: String,
    /// Whether all of it came and could be read.
    pub exact: bool,
}

impl fmt::Debug for Inbound {
    /// Without the text, which is personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("key", &self.key)
            .field("from", &self.from)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}
