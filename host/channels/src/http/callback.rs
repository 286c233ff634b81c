//! What comes to an account's callback address: verified, made durable, and only then acknowledged.

use std::future::Future;
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_platform::Method;

use super::config::HttpTerms;
use super::link::HttpHandle;
use super::provider::{Callback, Provider, Said, Turned};
use crate::config::LinkName;
use crate::port::{Outbox, OutboxError};
use crate::shared::Shared;
use crate::status::{Anomaly, Counters};

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
    provider: Arc<P>,
    outbox: Arc<O>,
    followers: Arc<F>,
    /// The link's: what comes in is counted where what goes out is.
    shared: Arc<Shared<HttpTerms>>,
}

impl<P: Provider, O: Outbox, F: Followers> CallbackDesk<P, O, F> {
    /// For the account of a running link, whose status counts what comes in.
    #[must_use]
    pub fn of(link: &HttpHandle, provider: Arc<P>, outbox: Arc<O>, followers: Arc<F>) -> Self {
        Self { provider, outbox, followers, shared: Arc::clone(link.shared()) }
    }

    /// For the account of `link`, without the link itself.
    #[must_use]
    pub fn new(link: LinkName, provider: Arc<P>, outbox: Arc<O>, followers: Arc<F>, clock: Clock) -> Self {
        let shared = Arc::new(Shared::new(HttpTerms::named(link), clock));
        Self { provider, outbox, followers, shared }
    }

    /// The account's link.
    #[must_use]
    pub fn link(&self) -> &LinkName {
        &self.shared.config.name
    }

    /// Takes one: 200 only when all that it says is durable; 503 where it could not be made so, and the platform tells it again.
    pub async fn take(&self, callback: &Callback<'_>) -> CallbackReply {
        let text =
            |status, body: &str| CallbackReply { status, kind: "text/plain; charset=utf-8", body: body.to_owned() };
        if callback.body.len() > MAX_CALLBACK {
            self.shared.anomaly(Anomaly::Malformed, &"a callback is longer than 1 MiB");
            return text(413, "too long");
        }
        let (shared, link) = (&self.shared, self.link());
        let told = match self.provider.callback(callback, shared.clock.now()) {
            Ok(told) => told,
            Err(turned) => {
                let kind = if turned.status == Turned::STRANGER { Anomaly::CallRefused } else { Anomaly::Malformed };
                shared.anomaly(kind, &turned);
                // Strangers learn nothing.
                return text(turned.status, "refused");
            }
        };
        let kept = async {
            if !told.reports.is_empty() {
                self.outbox.reported(link, &told.reports).await?;
                Counters::add(&shared.counters.reports, told.reports.len());
            }
            if !told.inbound.is_empty() {
                self.outbox.inbound(link, &told.inbound).await?;
                Counters::add(&shared.counters.inbound, told.inbound.len());
            }
            if !told.said.is_empty() {
                self.followers.said(link, &told.said).await?;
                let wrote = told.said.iter().filter(|said| matches!(said, Said::Wrote { .. })).count();
                Counters::add(&shared.counters.inbound, wrote);
            }
            Ok::<(), OutboxError>(())
        };
        if let Err(error) = kept.await {
            tracing::error!(link = %link, error = %error, "callback.not_durable: the platform is asked to tell it again");
            return text(503, "again");
        }
        let json = callback.method == Method::Post && told.acknowledge.starts_with('{');
        let kind = if json { "application/json" } else { "text/plain; charset=utf-8" };
        CallbackReply { status: 200, kind, body: told.acknowledge }
    }
}
