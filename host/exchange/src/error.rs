//! What can be wrong with a client before it calls.

/// Every failure of setting up a client.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The address is none.
    #[error("`{origin}` is no address of a platform: {why}")]
    Origin {
        /// As given.
        origin: String,
        /// What to write.
        why: &'static str,
    },
    /// A file of certificates cannot be used.
    #[error("the certificates in `{file}` cannot be used: {why}")]
    Certificates {
        /// Which file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The machine believes nobody.
    #[error("no certificate authority is known: install the system's `ca-certificates`, or name a file of your own")]
    NoAuthority,
    /// TLS cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Tls(#[from] rustls::Error),
}
