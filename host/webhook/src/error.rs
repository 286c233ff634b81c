//! What can be wrong with a secret, a webhook to send or one that came.

/// Every failure of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A secret cannot be read.
    #[error(
        "the webhook's secret is not `whsec_` and the base64 of 24 to 64 octets: make one with `openssl rand -base64 32`"
    )]
    Secret,
    /// A delivery's number is none.
    #[error("header `webhook-id` is not 1 to 64 letters, digits, `-` and `_`")]
    Id,
    /// The body is too long.
    #[error("the body is longer than 256 KiB")]
    TooLong,
    /// A header is missing or cannot be read.
    #[error("header `{header}` {why}")]
    Header {
        /// Which.
        header: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// None of the signatures is of this body with this secret.
    #[error("no signature fits: the secret is another, or the body, the id or the time was changed")]
    Signature,
    /// The time is too far from ours.
    #[error("header `webhook-timestamp` is more than 5 minutes from our clock")]
    Time,
    /// It came before.
    #[error("a webhook with this `webhook-id` came before: answer 200 and do nothing")]
    Replay,
    /// So many came within the window that no more can be remembered.
    #[error("more webhooks came within 10 minutes than can be remembered: answer 429, it comes again")]
    Full,
}
