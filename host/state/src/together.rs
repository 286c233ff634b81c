//! Messages of several accounts of one number that leave as one: which may, which wait for it, and which one bears which others. Deterministic; reads
//! no clock, touches no store, decides nothing: who composes the text is the conductor.
//!
//! Each account keeps its own message. The **bearer** is handed to a link with the text of all; those that it **carries** are in nobody's hands and
//! stand where it stands, by the events of the bearer alone and in the same commit. They part where it comes back with no part at a carrier: then
//! each waits by itself again. Once a carrier has a part they stay together until their end.

use std::collections::{BTreeMap, BTreeSet};

use gridbell_model::{Channel, CivilMinute, MessageId, MessageState, Moment, Phone, Sharing};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::accepted::{AcceptedPart, is_stray};
use crate::outbox::{Live, MessageEvent, Outbox, Step};

/// Messages that one bears at most.
pub const MAX_CARRIED: usize = 64;

/// What a link is handed for several messages at once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Telling {
    /// The message that leaves.
    pub bearer: MessageId,
    /// Those that it tells as well, at most [`MAX_CARRIED`].
    pub carried: Vec<MessageId>,
    /// The link that it is handed to.
    pub link: String,
    /// The text of all of them, signature included; personal.
    pub text: String,
    /// Its parts as the carrier counts them.
    pub parts: u8,
    /// Their cost in 1/1000 fen.
    pub cost_milli_fen: u32,
}

/// What is kept of a message that left together with others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ToldTogether {
    /// The message that left for all of them.
    pub bearer: MessageId,
    /// How many accounts it told.
    pub accounts: u16,
    /// The messages that it told besides itself; kept with the bearer alone.
    pub carried: Vec<MessageId>,
    /// The exact text, signature included; personal.
    pub text: String,
    /// Its parts as the carrier counts them.
    pub parts: u8,
    /// Their cost in 1/1000 fen.
    pub cost_milli_fen: u32,
}

/// What a message bears.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Bears {
    /// None where it bore some once and goes by itself now.
    carried: Vec<MessageId>,
    text: String,
    /// Its own parts and their cost, which count again when it parts from the others.
    own: (u8, u32),
    /// An earlier text for several may be with the carrier: a late answer is about that.
    stale: bool,
}

/// Which messages may leave together, and which do. Takes some fifty bytes for each message that may and is not at its end, none for others.
#[derive(Debug, Default)]
pub(crate) struct Together {
    allowed: FxHashMap<MessageId, Sharing>,
    /// Those that wait with no part at a carrier, by number.
    waiting: BTreeSet<(u64, MessageId)>,
    /// Those that count for no number as long as another does, by number.
    riders: BTreeSet<(u64, MessageId)>,
    bears: FxHashMap<MessageId, Bears>,
    borne: FxHashMap<MessageId, MessageId>,
}

impl Together {
    /// Says of a message, before it is published or restored, that it may share one.
    pub(crate) fn allow(&mut self, id: MessageId, sharing: Sharing) {
        self.allowed.insert(id, sharing);
    }

    /// As a checkpoint keeps it of `id`.
    pub(crate) fn sharing(&self, id: MessageId) -> Option<Sharing> {
        self.allowed.get(&id).copied()
    }

    /// The same of all.
    pub(crate) fn sharing_all(&self) -> impl Iterator<Item = (MessageId, Sharing)> {
        self.allowed.iter().map(|(id, sharing)| (*id, *sharing))
    }

    /// Whether `id` counts for its number where messages a day are counted.
    pub(crate) fn counts(&self, id: MessageId) -> bool {
        self.sharing(id) != Some(Sharing::Rides)
    }

    /// Whether `id` is carried: its end is its bearer's.
    pub(crate) fn is_borne(&self, id: MessageId) -> bool {
        self.borne.contains_key(&id)
    }

    /// Whether a late answer about `id` is about a text that is no more.
    pub(crate) fn is_stale(&self, id: MessageId) -> bool {
        self.bears.get(&id).is_some_and(|b| b.stale)
    }

    pub(crate) fn any_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(crate) fn bears_any(&self) -> bool {
        !self.borne.is_empty()
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&MessageId, &Bears)> {
        self.bears.iter()
    }

    /// Puts back what a checkpoint knew, before the messages themselves.
    pub(crate) fn restore(&mut self, bearer: MessageId, bears: Bears) {
        self.borne.extend(bears.carried.iter().map(|id| (*id, bearer)));
        self.bears.insert(bearer, bears);
    }

    fn carried(&self, bearer: MessageId) -> &[MessageId] {
        self.bears.get(&bearer).map_or(&[], |b| &b.carried)
    }

    /// Drops what is on disk.
    pub(crate) fn forget(&mut self, id: MessageId, live: Option<&Live>) {
        if self.allowed.remove(&id).is_some()
            && let Some(live) = live
        {
            self.riders.remove(&(number(live), id));
            self.waiting.remove(&(number(live), id));
        }
        self.bears.remove(&id);
        self.borne.remove(&id);
    }
}

impl Outbox {
    /// Puts `id` among those that wait to share a message, or takes it out, as it stands.
    pub(crate) fn index_shared(&mut self, id: MessageId) {
        let Some(sharing) = self.together.sharing(id) else { return };
        let Some(live) = self.live.get(&id) else { return };
        let key = (number(live), id);
        let untried = live.status.state == MessageState::Queued && !live.status.is_begun();
        if untried && live.data.channel == Channel::Sms && !self.together.is_borne(id) {
            self.together.waiting.insert(key);
        } else {
            self.together.waiting.remove(&key);
        }
        if sharing == Sharing::Rides {
            self.together.riders.insert(key);
        }
    }

    /// Messages that may leave now as `id` may, to the same number, about the same, from the same queue and lane: up to `limit`, without those that
    /// `skip` leaves alone. None where `id` itself may share no message.
    pub(crate) fn companions(
        &self,
        id: MessageId,
        now: Moment,
        limit: usize,
        skip: impl Fn(MessageId) -> bool,
    ) -> Vec<MessageId> {
        let Some(live) = self.live.get(&id).filter(|l| self.together.waiting.contains(&(number(l), id))) else {
            return Vec::new();
        };
        let of = |n| (number(live), MessageId::new(id.prefecture(), n));
        let goes_along = |other: &MessageId| {
            let same = |l: &Live| (l.topic, l.data.queue, l.data.lane) == (live.topic, live.data.queue, live.data.lane);
            let is_due = |l: &&Live| l.send_after <= now && l.expires > now;
            *other != id && !skip(*other) && self.live.get(other).filter(is_due).is_some_and(same)
        };
        let theirs = self.together.waiting.range(of(0)..=of(u32::MAX)).map(|(_, other)| *other);
        theirs.filter(goes_along).take(limit.min(MAX_CARRIED)).collect()
    }

    /// Binds the messages of `telling` together and hands the bearer out; nothing where any of them does not wait any more. The bearer's step first.
    pub(crate) fn tell(&mut self, telling: &Telling, at: Moment) -> Vec<Step> {
        let Telling { bearer, carried, link, text, parts, cost_milli_fen } = telling;
        let key = |id: &MessageId| self.live.get(id).map(|l| (number(l), *id));
        let waits = |id: &MessageId| key(id).is_some_and(|key| self.together.waiting.contains(&key));
        let distinct: BTreeSet<&MessageId> = carried.iter().chain([bearer]).collect();
        let fits = (1..=MAX_CARRIED).contains(&carried.len()) && distinct.len() == carried.len() + 1;
        let one_number = key(bearer).is_some_and(|(n, _)| carried.iter().all(|c| key(c).is_some_and(|(m, _)| m == n)));
        if !fits || !one_number || !distinct.into_iter().all(waits) {
            return Vec::new();
        }
        let Some(live) = self.live.get_mut(bearer) else { return Vec::new() };
        let own = (live.data.parts, live.data.cost_milli_fen);
        (live.data.parts, live.data.cost_milli_fen) = (*parts, *cost_milli_fen);
        // What went before, of this account alone or of others, was another text.
        let stale = self.together.is_stale(*bearer) || live.status.maybe_twice;
        self.together.restore(*bearer, Bears { carried: carried.clone(), text: text.clone(), own, stale });
        let step = self.apply(*bearer, &MessageEvent::Submitting { link: link.clone() }, at);
        step.into_iter().chain(self.carry(*bearer, false)).collect()
    }

    /// Makes what `bearer` carries stand where it stands, `twice` where its text may be with the carrier though it goes again. They part where it waits
    /// with no part at a carrier.
    pub(crate) fn carry(&mut self, bearer: MessageId, twice: bool) -> Vec<Step> {
        let carried = self.together.carried(bearer).to_vec();
        let Some(its) = self.live.get(&bearer).filter(|_| !carried.is_empty()) else { return Vec::new() };
        let (mut status, send_after, queue) = (its.status.clone(), its.send_after, its.data.queue);
        // What went astray of the bearer's is the bearer's alone.
        status.accepted.retain(|a| !a.is_stray());
        status.reports.retain(|(part, _)| !is_stray(*part));
        let parts = status.state == MessageState::Queued && !status.is_begun();
        if parts {
            self.part(bearer);
        }
        let mut steps = Vec::with_capacity(carried.len());
        for id in carried {
            let Some(live) = self.live.get_mut(&id) else { continue };
            let (from, place) = (live.status.state, live.place(id));
            self.waiting.remove(place, live.send_after, id);
            let own = std::mem::replace(&mut live.status, status.clone());
            live.status.queued_at = own.queued_at;
            live.status.accepted.extend(own.accepted.into_iter().filter(AcceptedPart::is_stray));
            live.status.reports.extend(own.reports.into_iter().filter(|(part, _)| is_stray(*part)));
            live.status.maybe_twice = own.maybe_twice || twice;
            live.status.attempts = own.attempts.max(status.attempts);
            if parts {
                // Whose number it is not is known of all of them.
                (live.send_after, live.data.queue) = (live.send_after.max(send_after), queue);
                self.rerouted.share(bearer, id, from == MessageState::Submitted);
                self.waiting.insert(live.place(id), live.send_after, id, live.open().len());
            }
            let to = live.status.state;
            self.dirty.insert(id);
            self.index_shared(id);
            steps.push(Step { id, from, to });
        }
        steps
    }

    /// Ends what `bearer` bears: its own text is its again.
    fn part(&mut self, bearer: MessageId) {
        let Some(bears) = self.together.bears.remove(&bearer) else { return };
        for id in &bears.carried {
            self.together.borne.remove(id);
        }
        let Some(live) = self.live.get_mut(&bearer) else { return };
        (live.data.parts, live.data.cost_milli_fen) = bears.own;
        let (place, after, open) = (live.place(bearer), live.send_after, live.open().len());
        let stale = bears.stale || live.status.maybe_twice;
        self.waiting.insert(place, after, bearer, open);
        if stale {
            self.together.bears.insert(bearer, Bears { stale, ..Bears::default() });
        }
        self.index_shared(bearer);
    }

    /// `id`, which goes to nobody, counts for its number no more: whether that is one message less. It is not where one that rode with it counts now.
    pub(crate) fn uncount(&mut self, id: MessageId) -> bool {
        let Some(live) = self.live.get(&id) else { return true };
        let key = (number(live), id);
        match self.together.sharing(id) {
            None | Some(Sharing::Alone) => true,
            Some(Sharing::Rides) => {
                self.together.riders.remove(&key);
                false
            }
            Some(Sharing::Counted) => {
                let day = |l: &Live| CivilMinute(l.data.send_after).date();
                let of = |n| (key.0, MessageId::new(id.prefecture(), n));
                let same = |other: &MessageId| {
                    self.live.get(other).is_some_and(|l| l.topic == live.topic && day(l) == day(live))
                };
                let mut riders = self.together.riders.range(of(0)..=of(u32::MAX)).map(|(_, other)| *other);
                let Some(heir) = riders.find(same) else { return true };
                self.together.riders.remove(&(key.0, heir));
                self.together.allow(heir, Sharing::Counted);
                false
            }
        }
    }

    /// With which others `id` left; none where it goes or went by itself, or its end is on disk.
    pub(crate) fn told_together(&self, id: MessageId) -> Option<ToldTogether> {
        let bearer = self.together.borne.get(&id).copied().unwrap_or(id);
        let bears = self.together.bears.get(&bearer).filter(|b| !b.carried.is_empty())?;
        let data = &self.live.get(&bearer)?.data;
        Some(ToldTogether {
            bearer,
            accounts: u16::try_from(bears.carried.len() + 1).unwrap_or(u16::MAX),
            carried: if id == bearer { bears.carried.clone() } else { Vec::new() },
            text: bears.text.clone(),
            parts: data.parts,
            cost_milli_fen: data.cost_milli_fen,
        })
    }

    /// The text with which `bearer` goes on: that of all whom it bears.
    pub(crate) fn text_of(&self, bearer: MessageId) -> Option<&str> {
        self.together.bears.get(&bearer).filter(|b| !b.carried.is_empty()).map(|b| b.text.as_str())
    }

    /// The same of all that left together with others and that `wanted` takes.
    pub(crate) fn all_told_together(&self, wanted: impl Fn(&MessageId) -> bool) -> BTreeMap<MessageId, ToldTogether> {
        let ids = self.together.all().flat_map(|(bearer, bears)| std::iter::once(bearer).chain(&bears.carried));
        ids.filter(|id| wanted(id)).filter_map(|id| Some((*id, self.told_together(*id)?))).collect()
    }
}

/// The number that a message goes to.
fn number(live: &Live) -> u64 {
    Phone::from_packed(live.data.phone).number()
}
