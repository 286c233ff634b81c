//! The two errands to the outbox that a connection runs beside its socket: fetching messages, and telling what became of them.
//! Both run to their end; nothing of what the outbox said gets lost with a connection.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gridbell_model::MessageId;
use rustc_hash::FxHashSet;

use crate::config::Terms;
use crate::parts::PartSet;
use crate::port::{Answer, Inbound, Outbox, OutboxError, Outcome, Report, Unsent, Which};
use crate::queue::Ready;
use crate::shared::Shared;
use crate::status::AlarmKind;

/// How long to leave a failing outbox alone.
const OUTBOX_PAUSE: Duration = Duration::from_secs(1);

/// What was fetched.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Intended and ready to be written.
    pub(crate) ready: Vec<Ready>,
    /// Those that never can be.
    pub(crate) answers: Vec<Answer>,
    /// Those whose intent failed.
    pub(crate) unsent: Vec<Unsent>,
    /// Whether there was nothing.
    pub(crate) nothing: bool,
}

/// Claims up to `max` parts and makes their intent durable.
pub(crate) async fn take<O: Outbox>(outbox: Arc<O>, shared: Arc<Shared>, max: usize, which: Which) -> Taken {
    let link = &shared.config.name;
    let claimed = match outbox.claim(link, max, which).await {
        Ok(claimed) => claimed,
        Err(error) => {
            failing(&shared, &error).await;
            return Taken { nothing: true, ..Taken::default() };
        }
    };
    let mut taken = Taken { nothing: claimed.is_empty(), ..Taken::default() };
    for message in claimed {
        match Ready::new(&message, &shared.config) {
            Ok(ready) => taken.ready.push(ready),
            Err(reason) => {
                let outcome = Outcome::Unsendable { reason };
                taken.answers.push(Answer { message: message.id, part: 0, outcome });
            }
        }
    }
    if taken.ready.is_empty() {
        return taken;
    }
    let ids: Vec<MessageId> = taken.ready.iter().map(|ready| ready.id).collect();
    match outbox.intend(link, &ids).await {
        // The usual case, without a set.
        Ok(left) if left == ids => shared.calm(|kind| kind == AlarmKind::OutboxFailing),
        Ok(left) => {
            shared.calm(|kind| kind == AlarmKind::OutboxFailing);
            let left: FxHashSet<MessageId> = left.into_iter().collect();
            taken.ready.retain(|ready| left.contains(&ready.id));
        }
        Err(error) => {
            taken.unsent.extend(taken.ready.drain(..).map(|ready| ready.unsent()));
            failing(&shared, &error).await;
        }
    }
    let now = shared.clock.monotonic();
    taken.ready.iter_mut().for_each(|ready| ready.since = now);
    taken
}

pub(crate) async fn failing<C: Terms>(shared: &Shared<C>, error: &OutboxError) {
    shared.failed(error.to_string());
    shared.alarm(AlarmKind::OutboxFailing);
    shared.clock.sleep(OUTBOX_PAUSE).await;
}

/// What the outbox must be told; `A` are the answers that the gateway gets once it is durable.
#[derive(Debug)]
pub(crate) struct Batch<A> {
    pub(crate) answers: Vec<Answer>,
    pub(crate) unsent: Vec<Unsent>,
    pub(crate) reports: Vec<Report>,
    pub(crate) inbound: Vec<Inbound>,
    pub(crate) acks: Vec<A>,
}

impl<A> Default for Batch<A> {
    fn default() -> Self {
        Self { answers: Vec::new(), unsent: Vec::new(), reports: Vec::new(), inbound: Vec::new(), acks: Vec::new() }
    }
}

impl<A> Batch<A> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.answers.is_empty() && self.unsent.is_empty() && self.reports.is_empty() && self.inbound.is_empty()
    }

    pub(crate) fn unsent(&mut self, message: MessageId, part: u8) {
        let parts = PartSet::one(part);
        match self.unsent.last_mut() {
            Some(last) if last.message == message => last.parts = last.parts.union(parts),
            _ => self.unsent.push(Unsent { message, parts }),
        }
    }
}

/// Tells the outbox, until it has taken everything. Gives the batch back, now durable.
pub(crate) async fn settle<O: Outbox, A: Send + Sync>(
    outbox: Arc<O>,
    shared: Arc<Shared>,
    batch: Batch<A>,
) -> Batch<A> {
    let link = &shared.config.name;
    // Begun in this order and awaited together, so that one commit group takes them all.
    tokio::join!(
        insist(&shared, batch.answers.is_empty(), || outbox.answered(link, &batch.answers)),
        insist(&shared, batch.reports.is_empty(), || outbox.reported(link, &batch.reports)),
        insist(&shared, batch.inbound.is_empty(), || outbox.inbound(link, &batch.inbound)),
        insist(&shared, batch.unsent.is_empty(), || outbox.release(link, &batch.unsent)),
    );
    batch
}

pub(crate) async fn insist<C: Terms, F: Future<Output = Result<(), OutboxError>>>(
    shared: &Shared<C>,
    nothing: bool,
    tell: impl Fn() -> F,
) {
    if nothing {
        return;
    }
    let mut failed = false;
    while let Err(error) = tell().await {
        failed = true;
        failing(shared, &error).await;
    }
    if failed {
        shared.calm(|kind| kind == AlarmKind::OutboxFailing);
    }
}
