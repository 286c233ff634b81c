//! The errand for new messages, as every link runs it beside all else: waiting for some, or with full hands for urgent ones, and claiming. It decides
//! nothing about messages, nor how many there is room for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::config::LinkName;
use crate::port::Outbox;

/// Something under way beside a link.
pub(crate) type Errand<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The errand for new messages; `T` is what was claimed.
pub(crate) enum Fetching<T> {
    Idle,
    /// The link's hands are full; waiting until there is something urgent. May be dropped.
    Watching(Errand<()>),
    /// Waiting until there may be something. May be dropped.
    Waiting(Errand<()>),
    /// Under way; runs to its end.
    Taking(Errand<T>),
}

impl<T> Fetching<T> {
    /// Waits until there may be something to take.
    pub(crate) fn wait<O: Outbox>(outbox: &Arc<O>, link: &LinkName) -> Self {
        let (outbox, link) = (Arc::clone(outbox), link.clone());
        Self::Waiting(Box::pin(async move { outbox.ready(&link).await }))
    }

    /// Waits until there is something urgent to take.
    pub(crate) fn watch<O: Outbox>(outbox: &Arc<O>, link: &LinkName) -> Self {
        let (outbox, link) = (Arc::clone(outbox), link.clone());
        Self::Watching(Box::pin(async move { outbox.urgent(&link).await }))
    }

    /// Whether messages may be claimed now, should there be room.
    pub(crate) const fn is_free(&self) -> bool {
        matches!(self, Self::Idle | Self::Watching(_))
    }

    /// What was taken, or none when there may be something to take.
    pub(crate) async fn ended(&mut self) -> Option<T> {
        match self {
            Self::Idle => std::future::pending().await,
            Self::Watching(errand) | Self::Waiting(errand) => {
                errand.await;
                None
            }
            Self::Taking(errand) => Some(errand.await),
        }
    }
}

/// The end of an errand; never where there is none.
pub(crate) async fn errand<T>(errand: &mut Option<Errand<T>>) -> T {
    match errand {
        Some(errand) => errand.await,
        None => std::future::pending().await,
    }
}
