//! Links to platforms that are called over HTTP: one request for one message, and callbacks for what becomes of it.
//!
//! ```text
//! claim → intend (durable) → pace → call → answer → answered (durable)
//!                                          callback → verified → reported (durable) → acknowledged
//! ```
//!
//! What one platform says is behind [`Provider`], which is pure; the network is behind [`Exchange`]. A link
//! ([`start_http`]) is ruled by the same [`LinkHandle`](crate::LinkHandle) and speaks with the same [`Outbox`](crate::Outbox) as a carrier's.
//!
//! **Uncertain.** A call that broke off after the request may have left is no refusal. Where the platform knows repetitions the same request
//! goes again, where it can be asked it is asked, and what stays unknown is told as unanswered, so that the message is marked.
//!
//! **Circuit breaker.** After some failures in a row nothing is claimed and the operator is told; one message at a time probes whether
//! the platform is back. What was claimed goes back to the outbox, where another link may take it.
//!
//! It must never call without a durable intent, never repeat unmarked what the platform may have taken twice, never acknowledge a callback that
//! is not durable, and never know a platform.

mod breaker;
mod callback;
mod config;
mod deliver;
mod desks;
mod fetch;
mod link;
mod provider;
mod quota;
mod recall;
mod verdict;

pub use breaker::{Breaker, Permit};
pub use callback::{CallbackDesk, CallbackReply, Followers, MAX_CALLBACK};
pub use config::{HttpTerms, HttpTimers, PlatformAction};
pub use desks::Desks;
pub use gridbell_platform::{Answer, CallError, Exchange, Method, Request};
pub use link::{HttpHandle, start_http};
pub use provider::{Callback, Chore, Found, Meaning, Prepared, Provider, Repeat, Said, Told, Turned, Verdict};
pub use quota::Quota;
pub use recall::recall;
pub use verdict::{key_of, verdict_of};

/// What a link's status shows as its protocol's version.
const VERSION: &str = "HTTP/1.1";
