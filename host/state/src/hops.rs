//! What follows a message whose route has a further hop: when the next one is due, and which messages are one telling over several channels.
//! Deterministic; reads no clock, touches no store, decides nothing: who publishes the next hop is the conductor.
//!
//! A message **awaits** from its publication until it is delivered, hopped or taken back. It becomes due where it failed, or when its wait after the
//! submit is over without a report. A **chain** holds the messages of one telling, from the first hop on, until all of them are settled: a late
//! report about one of them ends the later ones, and what may have come twice is marked.

use gridbell_model::{HoldReason, MessageId, MessageState, Moment, RunId};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::outbox::{Live, MessageStatus};

/// The code of a message that a platform never answered about and that cannot be asked for: it may be there.
pub const NO_ANSWER: &str = "no answer";

/// A message whose route goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Awaiting {
    pub(crate) run: RunId,
    /// From the submit on.
    pub(crate) wait_minutes: u32,
    /// Whether its lane is the urgent one.
    pub(crate) urgent: bool,
    /// When the next hop is due; none before the submit.
    pub(crate) due: Option<Moment>,
}

/// What is known of one message of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Standing {
    /// Not at its end.
    Open,
    /// It did not come.
    Gone,
    /// At its end, and nobody knows whether it came.
    Unsure,
    /// It came.
    Came,
}

/// A message of a chain.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) id: MessageId,
    pub(crate) standing: Standing,
    /// Whether caps count it beside those before it.
    pub(crate) counted: bool,
}

/// The next hop of a message, as it is published.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Hopped {
    pub(crate) from: MessageId,
    /// Number of the message that follows; none where the guardrails held it.
    pub(crate) to: Option<u32>,
    /// Whether caps count it: on another day than the one before it.
    pub(crate) counted: bool,
    /// Whether the one before it may have come, as far as its end on disk tells.
    pub(crate) unsure: bool,
}

/// A message whose next hop is due.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DueHop {
    /// The message before it.
    pub id: MessageId,
    /// The run that queued that.
    pub run: RunId,
    /// Whether its lane is the urgent one.
    pub urgent: bool,
    /// Since when.
    pub since: Moment,
}

#[derive(Debug, Default)]
pub(crate) struct Hops {
    awaiting: FxHashMap<MessageId, Awaiting>,
    due: BTreeSet<(Moment, MessageId)>,
    /// By the first message of each.
    chains: FxHashMap<MessageId, Vec<Member>>,
    first_of: FxHashMap<MessageId, MessageId>,
}

impl Hops {
    /// Whether nothing awaits and no chain is open, as where no route has a further hop.
    pub(crate) fn is_quiet(&self) -> bool {
        self.awaiting.is_empty() && self.chains.is_empty()
    }

    pub(crate) fn await_hop(&mut self, id: MessageId, awaiting: Awaiting) {
        self.due.extend(awaiting.due.map(|at| (at, id)));
        self.awaiting.insert(id, awaiting);
    }

    pub(crate) fn awaiting(&self) -> impl ExactSizeIterator<Item = (&MessageId, &Awaiting)> {
        self.awaiting.iter()
    }

    pub(crate) fn awaits(&self, id: MessageId) -> Option<&Awaiting> {
        self.awaiting.get(&id)
    }

    /// Those whose next hop is due at `now`, the longest first, without those of runs that `skip` leaves alone.
    pub(crate) fn due(&self, now: Moment, limit: usize, skip: impl Fn(RunId) -> bool) -> Vec<DueHop> {
        let due = self.due.iter().take_while(|(at, _)| *at <= now);
        let hop = |(since, id): &(Moment, MessageId)| {
            let awaiting = self.awaiting.get(id).filter(|a| !skip(a.run))?;
            Some(DueHop { id: *id, run: awaiting.run, urgent: awaiting.urgent, since: *since })
        };
        due.filter_map(hop).take(limit).collect()
    }

    /// When the next hop is due.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.due.first().map(|(at, _)| *at)
    }

    /// The wait of `id` ends at `at`, unless it ends before.
    fn due_at(&mut self, id: MessageId, at: Moment) {
        let Some(awaiting) = self.awaiting.get_mut(&id) else { return };
        if let Some(before) = awaiting.due {
            self.due.remove(&(before, id));
        }
        let at = awaiting.due.map_or(at, |before| before.min(at));
        awaiting.due = Some(at);
        self.due.insert((at, id));
    }

    /// No further hop follows `id`. Whether one was awaited.
    pub(crate) fn end(&mut self, id: MessageId) -> bool {
        let Some(awaiting) = self.awaiting.remove(&id) else { return false };
        if let Some(at) = awaiting.due {
            self.due.remove(&(at, id));
        }
        self.drop_settled(id);
        true
    }

    /// No further hop follows any message of `runs`.
    pub(crate) fn end_runs(&mut self, runs: &[RunId]) {
        let runs: FxHashSet<RunId> = runs.iter().copied().collect();
        let ended: Vec<MessageId> =
            self.awaiting.iter().filter(|(_, a)| runs.contains(&a.run)).map(|(id, _)| *id).collect();
        for id in ended {
            self.end(id);
        }
    }

    /// Makes `to` the next message of the telling that `from` belongs to, which stands as `standing` says.
    pub(crate) fn link(&mut self, from: MessageId, standing: Standing, to: MessageId, counted: bool) {
        let first = *self.first_of.entry(from).or_insert(from);
        let chain = self.chains.entry(first).or_insert_with(|| vec![Member { id: from, standing, counted: true }]);
        chain.push(Member { id: to, standing: Standing::Open, counted });
        self.first_of.insert(to, first);
    }

    /// The messages of the telling that `id` belongs to, in order; none where it is the only one.
    pub(crate) fn chain(&self, id: MessageId) -> &[Member] {
        let chain = self.first_of.get(&id).and_then(|first| self.chains.get(first));
        chain.map_or(&[], Vec::as_slice)
    }

    pub(crate) fn chains(&self) -> impl Iterator<Item = &Vec<Member>> {
        self.chains.values()
    }

    /// Puts a chain back as a checkpoint knew it.
    pub(crate) fn restore(&mut self, chain: Vec<Member>) {
        let Some(first) = chain.first().map(|m| m.id) else { return };
        self.first_of.extend(chain.iter().map(|m| (m.id, first)));
        self.chains.insert(first, chain);
    }

    /// Whether caps count `id`.
    pub(crate) fn is_counted(&self, id: MessageId) -> bool {
        self.chain(id).iter().find(|m| m.id == id).is_none_or(|m| m.counted)
    }

    /// What the new state of `live` means for its hops. Gives what is to be taken back because it came already.
    pub(crate) fn settle(&mut self, id: MessageId, live: &Live, at: Moment) -> Vec<MessageId> {
        match live.status.state {
            MessageState::Submitted => {
                let wait = self.awaits(id).map(|a| i64::from(a.wait_minutes) * 60_000);
                if let (Some(wait), Some(submitted)) = (wait, live.status.submitted_at) {
                    self.due_at(id, submitted.plus_ms(wait));
                }
            }
            MessageState::Delivered => return self.came(id),
            MessageState::Failed | MessageState::Expired => {
                self.stands(id, standing(live));
                self.due_at(id, at);
            }
            MessageState::Cancelled => {
                self.stands(id, Standing::Gone);
                match live.status.reason {
                    Some(why) if is_of_channel(why) => self.due_at(id, at),
                    _ => drop(self.end(id)),
                }
            }
            MessageState::Queued | MessageState::Submitting => {}
        }
        self.drop_settled(id);
        Vec::new()
    }

    /// `id` came: nothing follows it nor any other of its telling.
    fn came(&mut self, id: MessageId) -> Vec<MessageId> {
        self.stands(id, Standing::Came);
        let told: Vec<MessageId> = self.chain(id).iter().map(|m| m.id).collect();
        for member in told.iter().filter(|m| **m != id) {
            self.end(*member);
        }
        self.end(id);
        self.drop_settled(id);
        told.into_iter().filter(|m| *m != id).collect()
    }

    fn stands(&mut self, id: MessageId, standing: Standing) {
        let Some(chain) = self.first_of.get(&id).and_then(|first| self.chains.get_mut(first)) else { return };
        chain.iter_mut().filter(|m| m.id == id).for_each(|m| m.standing = standing);
    }

    /// Forgets the chain of `id` when all of it is settled.
    fn drop_settled(&mut self, id: MessageId) {
        let open = |m: &Member| m.standing == Standing::Open || self.awaiting.contains_key(&m.id);
        let chain = self.chain(id);
        if chain.is_empty() || chain.iter().any(open) {
            return;
        }
        let members: Vec<MessageId> = chain.iter().map(|m| m.id).collect();
        if let Some(first) = members.first() {
            self.chains.remove(first);
        }
        for member in members {
            self.first_of.remove(&member);
        }
    }
}

/// How a message stands that a later hop follows.
pub(crate) fn standing(live: &Live) -> Standing {
    match live.status.state {
        MessageState::Delivered => Standing::Came,
        MessageState::Queued | MessageState::Submitting | MessageState::Submitted => Standing::Open,
        _ if live.status.may_have_come() => Standing::Unsure,
        _ => Standing::Gone,
    }
}

impl MessageStatus {
    /// Whether the customer has the message, or may have it: what follows it may come on top.
    #[must_use]
    pub fn may_have_come(&self) -> bool {
        match self.state {
            MessageState::Cancelled => false,
            MessageState::Queued | MessageState::Expired => !self.accepted.is_empty() || self.maybe_twice,
            // What an earlier submit left unknown, no report has settled.
            MessageState::Failed => self.code == NO_ANSWER || self.maybe_twice && self.reports.is_empty(),
            MessageState::Submitting | MessageState::Submitted | MessageState::Delivered => true,
        }
    }
}

/// Whether a customer may have a message that stands so.
pub(crate) fn may_have_come(member: &Member, live: Option<&Live>) -> bool {
    match member.standing {
        Standing::Gone => false,
        Standing::Unsure | Standing::Came => true,
        Standing::Open => live.is_some_and(|live| live.status.may_have_come()),
    }
}

/// Whether a message was taken back because of its channel: then another may do.
fn is_of_channel(why: HoldReason) -> bool {
    use HoldReason as R;
    matches!(
        why,
        R::NoAddress
            | R::BadAddress
            | R::SuspendedAddress
            | R::AddressChanged
            | R::OptedOut
            | R::NoLink
            | R::NoTemplate
    )
}
