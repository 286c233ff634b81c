//! Links to carriers and platforms: pacing, windows, receipts. The only crate that talks to them.
//!
//! What follows is about carriers; platforms that are called over HTTP are in [`http`].
//!
//! A link ([`start`]) takes messages from an [`Outbox`], writes them to a carrier's gateway within its window and its grant, and
//! tells the outbox what became of each part. The order of things is what makes a crash harmless:
//!
//! ```text
//! claim → intend (durable) → pace → write → answer → answered (durable)
//!                                            report → reported (durable) → acknowledge
//! ```
//!
//! It must never decide who gets a message, never write a SUBMIT whose intent is not durable, never acknowledge what is not
//! durable, never go above the grant, and never let a gateway's nonsense reach the rest of the house.

mod backoff;
mod config;
mod connector;
mod core;
mod dialect;
mod dispose;
mod driver;
mod error;
mod fetching;
pub mod http;
mod inbound;
mod intake;
mod link;
mod login;
mod pacer;
mod parts;
mod port;
mod queue;
mod reception;
mod secret;
mod shared;
mod status;

pub use config::{CodeAction, LinkConfig, LinkName, Protocol, ReportAction, Terms, Timers};
pub use connector::{Connector, Tcp};
pub use error::ChannelError;
pub use link::{LinkHandle, start};
pub use pacer::{MAX_GRANT, Pacer, Ticket};
pub use parts::{MAX_PARTS, PartSet};
pub use port::{
    Action, Address, Answer, Body, Inbound, Outbox, OutboxError, Outcome, Outgoing, Report, ReportOutcome,
    TemplateBody, Unsent, Which,
};
pub use reception::Reception;
pub use secret::{Secret, SecretRef};
pub use status::{Alarm, AlarmKind, Anomaly, Counts, LinkState, LinkStatus, Reverse};
