//! What the errand for new messages brings: claimed, and their intent durable, before the link has them. It decides nothing about them.

use std::sync::Arc;

use rustc_hash::FxHashSet;

use super::deliver::Common;
use crate::intake::failing;
use crate::port::{Outbox, Outgoing, Unsent, Which};
use crate::status::AlarmKind;

/// What was claimed and intended.
#[derive(Default)]
pub(super) struct Taken {
    pub(super) messages: Vec<Outgoing>,
    pub(super) unsent: Vec<Unsent>,
    pub(super) nothing: bool,
}

/// Claims up to `most` messages and makes their intent durable.
pub(super) async fn take<O: Outbox, P, E>(common: Arc<Common<O, P, E>>, most: usize, which: Which) -> Taken {
    let (shared, outbox, name) = (&common.shared, &common.outbox, &common.shared.config.name);
    let claimed = match outbox.claim(name, most, which).await {
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

/// All of a message that was claimed and not sent.
pub(super) fn unsent(message: &Outgoing) -> Unsent {
    Unsent { message: message.id, parts: message.open }
}
