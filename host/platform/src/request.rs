//! A request as values: what to send where, for whoever owns the sockets.

use std::fmt;

/// The most octets of a platform's answer that are read; a longer one is refused unread. The longest that any of them documents is below 4 KiB.
pub const MAX_ANSWER: usize = 64 * 1024;

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Asks.
    Get,
    /// Sends.
    Post,
}

impl Method {
    /// As it stands in the request line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// One HTTP request. The scheme and the host are the configuration's; `Content-Length` is the client's to add, and `Host` where the
/// headers have none: one that is there is signed and is sent as it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// How.
    pub method: Method,
    /// Path and query, already percent-encoded. It may hold an access token or a signature: it belongs into no log.
    pub path: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(&'static str, String)>,
    /// The body, empty for none.
    pub body: Vec<u8>,
}

impl Request {
    /// The path without its query: what a log or a metric may name.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

impl fmt::Debug for Request {
    /// Without query, header values and body: they hold secrets and personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("endpoint", &self.endpoint())
            .field("headers", &self.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}
