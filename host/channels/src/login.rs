//! The login on a fresh connection: one question, its answer, within a time.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::dialect::{Dialect, Greeting};
use crate::shared::Shared;

/// PDUs other than the answer that a gateway may send first.
const MAX_BEFORE_ANSWER: usize = 16;

/// A connection that is logged in.
pub(crate) struct Login<D> {
    /// What is spoken on it.
    pub(crate) dialect: D,
    /// Octets that came after the answer.
    pub(crate) input: BytesMut,
    /// Octets that are still to be written.
    pub(crate) output: BytesMut,
}

/// How a login ended that did not fail.
pub(crate) enum Outcome<D: Dialect> {
    /// Logged in.
    In(Login<D>),
    /// The gateway speaks less: offer this.
    Older(D::Offer),
}

/// Why a login failed. Messages carry nothing secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoginError {
    /// The connection.
    #[error("the gateway at `{address}` cannot be reached: {why}")]
    Connection { address: String, why: String },
    /// No answer.
    #[error("the gateway did not answer the login within {}s", .0.as_secs())]
    NoAnswer(Duration),
    /// Not a gateway, or not one of ours.
    #[error("the gateway answered the login with something else: {0}")]
    Nonsense(String),
    /// A status other than 0.
    #[error("the gateway refused the login with status {status}{why}")]
    Refused { status: u32, last: bool, why: &'static str },
    /// Its authenticator is wrong.
    #[error("the gateway could not prove that it knows the secret: check the address and the secret")]
    NotGenuine,
}

impl LoginError {
    /// Whether trying again cannot help.
    pub(crate) const fn is_final(&self) -> bool {
        match self {
            Self::NotGenuine => true,
            Self::Refused { last, .. } => *last,
            Self::Connection { .. } | Self::NoAnswer(_) | Self::Nonsense(_) => false,
        }
    }
}

/// Logs in on a fresh connection.
pub(crate) async fn login<D: Dialect, S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    shared: &Shared,
    offer: D::Offer,
) -> Result<Outcome<D>, LoginError> {
    let limit = shared.config.answer();
    tokio::select! {
        biased;
        outcome = exchange(stream, shared, offer) => outcome,
        () = shared.clock.sleep(limit) => Err(LoginError::NoAnswer(limit)),
    }
}

async fn exchange<D: Dialect, S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    shared: &Shared,
    offer: D::Offer,
) -> Result<Outcome<D>, LoginError> {
    let lost = |why: String| LoginError::Connection { address: shared.config.address.clone(), why };
    let mut output = BytesMut::new();
    let hello = D::hello(&shared.ground(), offer, &mut output).map_err(lost)?;
    stream.write_all(&output).await.map_err(|e| lost(e.to_string()))?;
    output.clear();

    let mut input = BytesMut::with_capacity(4096);
    for _ in 0..MAX_BEFORE_ANSWER {
        let greeting = loop {
            if let Some(greeting) = D::greet(&shared.ground(), &hello, &mut input).map_err(LoginError::Nonsense)? {
                break greeting;
            }
            match stream.read_buf(&mut input).await {
                Ok(0) => return Err(lost("it closed the connection".to_owned())),
                Ok(_) => {}
                Err(error) => return Err(lost(error.to_string())),
            }
        };
        match greeting {
            Greeting::In(dialect) => return Ok(Outcome::In(Login { dialect, input, output })),
            Greeting::Older(offer) => return Ok(Outcome::Older(offer)),
            Greeting::Refused { status, last, why } => return Err(LoginError::Refused { status, last, why }),
            Greeting::NotGenuine => return Err(LoginError::NotGenuine),
            Greeting::Bye => return Err(lost("it ended the connection".to_owned())),
            Greeting::Other => {}
        }
    }
    Err(LoginError::Nonsense(format!("{MAX_BEFORE_ANSWER} other PDUs")))
}
