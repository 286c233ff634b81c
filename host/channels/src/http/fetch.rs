//! The errand for new messages: claimed, and their intent durable, before the link has them. It decides nothing about them.

use std::pin::Pin;
use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::deliver::Common;
use crate::intake::failing;
use crate::port::{Outbox, Outgoing, Unsent};
use crate::status::AlarmKind;

/// Something under way beside the link.
pub(super) type Errand<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What was claimed and intended.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) messages: Vec<Outgoing>,
    pub(super) unsent: Vec<Unsent>,
    pub(super) nothing: bool,
}

/// The errand for new messages.
pub(super) enum Fetching {
    Idle,
    /// Waiting until there may be some; may be dropped.
    Waiting(Errand<()>),
    /// Under way; runs to its end.
    Taking(Errand<Taken>),
}

/// Claims up to `most` messages and makes their intent durable.
pub(super) async fn take<O: Outbox, P, E>(common: Arc<Common<O, P, E>>, most: usize) -> Taken {
    let (shared, outbox, name) = (&common.shared, &common.outbox, &common.shared.config.name);
    let claimed = match outbox.claim(name, most).await {
        Ok(claimed) => claimed,
        Err(error) => {
            failing(shared, &error).await;
            return Taken { nothing: true, ..Taken::default() };
        }
    };
    if claimed.is_empty() {
        return Taken { nothing: true, ..Taken::default() };
    }
    let ids: Vec<_> = claimed.iter().map(|message| message.id).collect();
    match outbox.intend(name, &ids).await {
        Ok(left) => {
            shared.calm(|kind| kind == AlarmKind::OutboxFailing);
            let left: FxHashSet<_> = left.into_iter().collect();
            let messages = claimed.into_iter().filter(|message| left.contains(&message.id)).collect();
            Taken { messages, ..Taken::default() }
        }
        Err(error) => {
            let taken = Taken { unsent: claimed.iter().map(unsent).collect(), ..Taken::default() };
            failing(shared, &error).await;
            taken
        }
    }
}

/// Waits until there may be something to take.
pub(super) fn wait<O: Outbox, P: Send + Sync + 'static, E: Send + Sync + 'static>(
    common: &Arc<Common<O, P, E>>,
) -> Fetching {
    let common = Arc::clone(common);
    Fetching::Waiting(Box::pin(async move { common.outbox.ready(&common.shared.config.name).await }))
}

/// What was taken, or none when there may be something to take.
pub(super) async fn fetched(fetching: &mut Fetching) -> Option<Taken> {
    match fetching {
        Fetching::Idle => std::future::pending().await,
        Fetching::Waiting(errand) => {
            errand.await;
            None
        }
        Fetching::Taking(errand) => Some(errand.await),
    }
}

/// All of a message that was claimed and not sent.
pub(super) fn unsent(message: &Outgoing) -> Unsent {
    Unsent { message: message.id, parts: message.open }
}
