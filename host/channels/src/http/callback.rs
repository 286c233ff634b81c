//! What comes to an account's callback address: verified, made durable, and only then acknowledged.

use std::future::Future;
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_platform::Method;

use super::provider::{Callback, Provider, Said};
use crate::config::LinkName;
use crate::port::{Outbox, OutboxError};
use crate::status::{Anomalies, Anomaly};

/// The most octets of a callback's body that are read; whoever owns the socket answers 413 to a longer one.
pub const MAX_CALLBACK: usize = 1024 * 1024;

/// Who keeps what followers do: bindings, opt-outs, texts.
pub trait Followers: Send + Sync + 'static {
    /// Makes it durable; a repetition comes with the same key, or the same id and time.
    ///
    /// # Errors
    /// Where it is not durable: the platform is not acknowledged and tells it again.
    fn said(&self, link: &LinkName, said: &[Said]) -> impl Future<Output = Result<(), OutboxError>> + Send;
}

/// What to answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackReply {
    /// HTTP's status.
    pub status: u16,
    /// `Content-Type`.
    pub kind: &'static str,
    /// The body.
    pub body: String,
}

/// Takes the callbacks of one account.
pub struct CallbackDesk<P, O, F> {
    link: LinkName,
    provider: Arc<P>,
    outbox: Arc<O>,
    followers: Arc<F>,
    clock: Clock,
    anomalies: Anomalies,
}

impl<P: Provider, O: Outbox, F: Followers> CallbackDesk<P, O, F> {
    /// For the account of `link`.
    #[must_use]
    pub fn new(link: LinkName, provider: Arc<P>, outbox: Arc<O>, followers: Arc<F>, clock: Clock) -> Self {
        Self { link, provider, outbox, followers, clock, anomalies: Anomalies::default() }
    }

    /// The account's link.
    #[must_use]
    pub const fn link(&self) -> &LinkName {
        &self.link
    }

    /// Takes one: 200 only when all that it says is durable; 503 where it could not be made so, and the platform tells it again.
    pub async fn take(&self, callback: &Callback<'_>) -> CallbackReply {
        let text =
            |status, body: &str| CallbackReply { status, kind: "text/plain; charset=utf-8", body: body.to_owned() };
        if callback.body.len() > MAX_CALLBACK {
            return text(413, "too long");
        }
        let told = match self.provider.callback(callback, self.clock.now()) {
            Ok(told) => told,
            Err(turned) => {
                let kind = if turned.status == 401 { Anomaly::Unexpected } else { Anomaly::Malformed };
                self.anomalies.note(&self.link, kind, self.clock.monotonic(), &turned);
                // Strangers learn nothing.
                return text(turned.status, "refused");
            }
        };
        let kept = async {
            if !told.reports.is_empty() {
                self.outbox.reported(&self.link, &told.reports).await?;
            }
            if !told.inbound.is_empty() {
                self.outbox.inbound(&self.link, &told.inbound).await?;
            }
            if !told.said.is_empty() {
                self.followers.said(&self.link, &told.said).await?;
            }
            Ok::<(), OutboxError>(())
        };
        if let Err(error) = kept.await {
            tracing::error!(link = %self.link, error = %error, "callback.not_durable: the platform is asked to tell it again");
            return text(503, "again");
        }
        let json = callback.method == Method::Post && told.acknowledge.starts_with('{');
        let kind = if json { "application/json" } else { "text/plain; charset=utf-8" };
        CallbackReply { status: 200, kind, body: told.acknowledge }
    }
}
