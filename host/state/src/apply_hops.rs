//! How ops about hops change the state: what awaits one, the next hop's publication, and what a late report ends. Deterministic, as all that ops do.

use gridbell_model::{HoldReason, Lane, MessageId, MessageState, Moment, PrefectureCode, RunId};

use crate::core_state::{Context, Core};
use crate::hops::{self, Awaiting, Hopped, Standing, standing};
use crate::outbox::{MessageEvent, Outbox, Step};
use crate::runs::{Publication, RunRecord};

impl Core {
    pub(crate) fn await_hops(&self, run: RunId, prefecture: PrefectureCode, waits: &[(u32, u32)]) {
        let mut outbox = self.outbox.write();
        for (number, wait_minutes) in waits {
            let id = MessageId::new(prefecture, *number);
            let urgent = outbox.live.get(&id).is_some_and(|l| l.data.lane == Lane::Urgent);
            outbox.hops.await_hop(id, Awaiting { run, wait_minutes: *wait_minutes, urgent, due: None });
        }
    }

    /// The next hops of messages. One whose message came, or was taken back, between the decision and this commit does not go.
    pub(crate) fn publish_hops(
        &self,
        record: &RunRecord,
        publications: &[Publication],
        hopped: &[Hopped],
        ctx: &Context<'_>,
    ) {
        self.publish(record, publications, hopped, ctx);
        for hop in hopped {
            let mut outbox = self.outbox.write();
            let before = outbox.live.get(&hop.from).map(standing);
            let to = hop.to.map(|number| MessageId::new(record.prefecture, number));
            if let Some(to) = to {
                let on_disk = if hop.unsure { Standing::Unsure } else { Standing::Gone };
                outbox.hops.link(hop.from, before.unwrap_or(on_disk), to, hop.counted);
            }
            let awaited = outbox.hops.end(hop.from);
            drop(outbox);
            if let Some(to) = to.filter(|_| !awaited) {
                let came = before == Some(Standing::Came);
                self.take_back(to, if came { HoldReason::DeliveredMeanwhile } else { HoldReason::Recalled }, ctx);
            }
        }
    }

    /// What a step means for the other messages of its telling.
    pub(crate) fn follow(&self, step: Step, ctx: &Context<'_>) {
        if step.from == step.to {
            return;
        }
        let came = self.outbox.write().follow(step, ctx.at);
        for id in came {
            self.take_back(id, HoldReason::DeliveredMeanwhile, ctx);
        }
    }

    fn take_back(&self, id: MessageId, reason: HoldReason, ctx: &Context<'_>) {
        let event = MessageEvent::Cancelled { reason };
        let step = self.outbox.write().apply(id, &event, ctx.at);
        if let Some(step) = step {
            self.after(step, &event, ctx);
            let more = self.outbox.write().follow(step, ctx.at);
            debug_assert!(more.is_empty() && step.to == MessageState::Cancelled, "only what came ends others");
        }
    }
}

impl Outbox {
    /// Messages of `queue` that no carrier has a part of, whose route goes on, and that `overdue` takes.
    pub(crate) fn stuck(&self, queue: u8, limit: usize, overdue: impl Fn(Moment, u32) -> bool) -> Vec<MessageId> {
        let waits = |(after, id): &(Moment, MessageId)| {
            let untried = self.live.get(id).is_some_and(|l| !l.status.is_begun());
            untried && self.hops.awaits(*id).is_some_and(|a| overdue(*after, a.wait_minutes))
        };
        self.waiting.of_queue(queue).filter(waits).map(|(_, id)| id).take(limit).collect()
    }

    /// What `step` means for the other messages of its telling: marks what may come twice; gives what is to be taken back.
    pub(crate) fn follow(&mut self, step: Step, at: Moment) -> Vec<MessageId> {
        if step.from == step.to || self.hops.is_quiet() {
            return Vec::new();
        }
        if step.to == MessageState::Submitting {
            self.mark_chain(step.id);
        }
        let Some(live) = self.live.get(&step.id) else { return Vec::new() };
        let told = self.hops.settle(step.id, live, at);
        let waits = |id: &MessageId| {
            let live = self.live.get(id);
            live.is_some_and(|l| l.status.state == MessageState::Queued && !l.status.is_begun())
        };
        told.into_iter().filter(waits).collect()
    }

    /// `id` goes, and another message of its telling may have come: both are marked.
    fn mark_chain(&mut self, id: MessageId) {
        let others = self.hops.chain(id).iter().filter(|m| m.id != id);
        let come: Vec<MessageId> =
            others.filter(|m| hops::may_have_come(m, self.live.get(&m.id))).map(|m| m.id).collect();
        for marked in come.iter().chain(Some(&id).filter(|_| !come.is_empty())) {
            if let Some(live) = self.live.get_mut(marked) {
                live.status.maybe_twice = true;
                self.dirty.insert(*marked);
            }
        }
    }

    /// Whether another message of the telling of `id` may have come.
    pub(crate) fn is_told_otherwise(&self, id: MessageId) -> bool {
        self.hops.chain(id).iter().any(|m| m.id != id && hops::may_have_come(m, self.live.get(&m.id)))
    }
}
