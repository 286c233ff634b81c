//! What a codec's request needs of whoever owns the sockets. A driver is written against [`Exchange`], so that a test or a simulation may stand
//! in for the network.

use std::fmt;
use std::future::Future;

use crate::request::Request;

/// Makes calls to one platform.
///
/// A call is bounded in time and its answer in octets, a redirection is an answer like others, and nothing is repeated that may have left.
pub trait Exchange: Send + Sync + 'static {
    /// Sends a request and reads the whole answer. Dropping the future gives the call up; the platform may have the request then.
    fn call(&self, request: &Request) -> impl Future<Output = Result<Answer, CallError>> + Send;
}

/// A platform's answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP's status.
    pub status: u16,
    /// The body, at most [`MAX_ANSWER`](crate::MAX_ANSWER).
    pub body: Vec<u8>,
}

impl fmt::Debug for Answer {
    /// Without the body, which may hold personal data or a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).field("body_bytes", &self.body.len()).finish()
    }
}

/// Why there is no answer. Neither says anything of the request's contents.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// Nothing of the request left: the platform cannot have it.
    #[error("the platform was not reached: {why}")]
    Unsent {
        /// What happened.
        why: String,
    },
    /// The request may have left: the platform may have it.
    #[error("the platform gave no answer that can be read: {why}")]
    Uncertain {
        /// What happened.
        why: String,
    },
}
