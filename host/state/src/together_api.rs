//! Messages that leave as one, as ops change them and as the conductor sees them.

use std::ops::ControlFlow;

use gridbell_model::{MessageId, PrefectureCode};
use gridbell_store::KeyRange;

use crate::core_state::{Context, Core};
use crate::error::StateError;
use crate::ops::{Applied, Op};
use crate::outbox::MessageEvent;
use crate::state::State;
use crate::together::{Telling, ToldTogether};
use crate::writer::Change;
use crate::{keys, records};

impl Core {
    /// Hands bearers out, each with those that it carries. How many did not fit: nothing of those is changed.
    pub(crate) fn tell(&self, tellings: &[Telling], ctx: &Context<'_>) -> u64 {
        let mut stale = 0;
        for telling in tellings {
            let event = MessageEvent::Submitting { link: telling.link.clone() };
            let steps = self.outbox.write().tell(telling, ctx.at);
            stale += u64::from(steps.is_empty());
            for step in steps {
                self.after(step, &event, ctx);
                self.follow(step, ctx);
            }
        }
        stale
    }

    /// What `event` of a message means for those that it carries.
    pub(crate) fn carry(&self, bearer: MessageId, event: &MessageEvent, ctx: &Context<'_>) {
        if !self.outbox.read().together.bears_any() {
            return;
        }
        let twice = matches!(event, MessageEvent::PartBack { may_go_twice: true, .. });
        let steps = self.outbox.write().carry(bearer, twice);
        for step in steps {
            self.after(step, event, ctx);
            self.follow(step, ctx);
        }
    }

    /// What a carrier's report on a message means for those that it carries.
    pub(crate) fn carry_reported(&self, bearer: MessageId, ctx: &Context<'_>) {
        if !self.outbox.read().together.bears_any() {
            return;
        }
        let steps = self.outbox.write().carry(bearer, false);
        for step in steps {
            self.count(step);
            self.follow(step, ctx);
        }
    }
}

impl State {
    /// Whether anything waits that may leave together with others.
    #[must_use]
    pub fn may_share(&self) -> bool {
        self.shared().core.outbox.read().together.any_waits()
    }

    /// Messages that may leave now together with `id`: to the same number, about the same topic, from the same queue and lane, up to `limit`, without
    /// those that `skip` leaves alone. What their texts say is not looked at.
    #[must_use]
    pub fn companions(&self, id: MessageId, limit: usize, skip: impl Fn(MessageId) -> bool) -> Vec<MessageId> {
        self.shared().core.outbox.read().companions(id, self.shared().clock.now(), limit, skip)
    }

    /// Takes message events, then hands bearers out with those that they carry, in one commit. A telling of which some message does not wait any more
    /// changes nothing.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn submitting(
        &self,
        events: Vec<(MessageId, MessageEvent)>,
        tellings: Vec<Telling>,
    ) -> Result<Applied, StateError> {
        let mut ops = vec![Op::Messages(events)];
        if !tellings.is_empty() {
            ops.push(Op::Tell(tellings));
        }
        self.submit(Change::new(ops)).await
    }

    /// With which others message `id` left, and what they were told; none where it goes or went by itself.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn told_together(&self, id: MessageId) -> Result<Option<ToldTogether>, StateError> {
        {
            let outbox = self.shared().core.outbox.read();
            if outbox.live.contains_key(&id) {
                return Ok(outbox.told_together(id));
            }
        }
        let key = keys::paged(keys::TOGETHER, id.prefecture(), id.number());
        let value = self.shared().store.get(&key)?;
        value.map(|value| records::read(&self.shared().sealer, &key, &value)).transpose()
    }

    /// The deletes of what is kept of messages from number `first` up to `end` that left together with others.
    pub(crate) fn drop_together(
        &self,
        prefecture: PrefectureCode,
        first: u32,
        end: u32,
        change: &mut Change,
    ) -> Result<(), StateError> {
        let key = |number| keys::paged(keys::TOGETHER, prefecture, number);
        let range = KeyRange::between(&key(first), &key(end));
        self.shared().store.scan(&range, &mut |key, _| {
            change.puts.delete(key.to_vec());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(())
    }
}
