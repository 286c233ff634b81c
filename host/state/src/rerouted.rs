//! Messages that a carrier refused because their number is not, or not any more, one of its own: which carriers did, and in whose queue what is open
//! of them waits next. Who that is was decided before; here it is done, in the commit of the answer or report that says so.

use gridbell_model::{CarrierKey, MessageId, MessageState, Moment, Phone};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::accepted::is_stray;
use crate::outbox::Outbox;
use crate::ported::Carriers;
use crate::state::State;

/// What is kept of such a message.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub(crate) struct Rerouted {
    /// Carriers that refused it: none is asked twice.
    not: Carriers,
    /// The queue in which it waits next, once no part is in a link's hands; 0 for the one that it has.
    next: u8,
    /// A report sent it on after every part had been accepted: statistics count it once.
    submitted: bool,
}

/// Those that are live, by number.
#[derive(Debug, Default)]
pub(crate) struct Reroutes(FxHashMap<MessageId, Rerouted>);

impl Reroutes {
    /// What is kept of each that a carrier refused.
    pub(crate) fn all(&self) -> impl Iterator<Item = (MessageId, Rerouted)> {
        self.0.iter().map(|(id, rerouted)| (*id, *rerouted))
    }

    pub(crate) fn restore(&mut self, id: MessageId, rerouted: Rerouted) {
        self.0.insert(id, rerouted);
    }

    pub(crate) fn forget(&mut self, id: MessageId) {
        self.0.remove(&id);
    }

    /// `not` refused `id`, which goes on to `next`.
    pub(crate) fn send_on(&mut self, id: MessageId, not: Carriers, next: u8) {
        let rerouted = self.0.entry(id).or_default();
        rerouted.not = rerouted.not.and(not);
        rerouted.next = next;
    }

    /// Where `id` is to wait now; none for where it waited before.
    pub(crate) fn take_next(&mut self, id: MessageId) -> Option<u8> {
        let next = &mut self.0.get_mut(&id)?.next;
        Some(std::mem::take(next)).filter(|queue| *queue != 0)
    }

    /// Whether statistics have counted the submit of `id` already.
    pub(crate) fn is_counted(&self, id: MessageId) -> bool {
        self.0.get(&id).is_some_and(|r| r.submitted)
    }

    /// Who refused `bearer` refused `carried`, whose text it was too; `submitted` where statistics have counted that.
    pub(crate) fn share(&mut self, bearer: MessageId, carried: MessageId, submitted: bool) {
        if let Some(not) = self.0.get(&bearer).map(|r| r.not) {
            self.send_on(carried, not, 0);
            self.0.entry(carried).and_modify(|r| r.submitted |= submitted);
        }
    }

    fn refused(&self, id: MessageId) -> Carriers {
        self.0.get(&id).map_or_else(Carriers::default, |r| r.not)
    }
}

/// Where a message to a number is, and who refused it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Routing {
    /// To whom it goes. Personal.
    pub phone: Phone,
    /// The queue that it is in, or was taken from.
    pub queue: u8,
    /// Carriers that refused it because the number is not theirs.
    pub not: Carriers,
}

impl Outbox {
    /// A report says of part `part`, which `link` had accepted, that the number is not the carrier's: the part is open again. None where it does not
    /// fit.
    pub(crate) fn reported_not_theirs(
        &mut self,
        id: MessageId,
        (part, link, code): (u8, &str, &str),
        (not, next): (Carriers, u8),
        at: Moment,
    ) -> Option<()> {
        let live = self.live.get_mut(&id)?;
        let from = live.status.state;
        let its = |p: u8, l: &str| p == part && l == link;
        if from.is_final() || is_stray(part) || !live.status.accepted.iter().any(|a| its(a.part, &a.link)) {
            return None;
        }
        let place = live.place(id);
        let day = live.status.submitted_at.unwrap_or(at).date();
        self.link_days.of(day, link).reported(&live.status.reports, part, code);
        for gone in live.status.accepted.extract_if(.., |a| its(a.part, &a.link)) {
            self.by_carrier_id.remove(&(gone.link, gone.key));
        }
        live.status.reports.retain(|(p, _)| *p != part);
        code.clone_into(&mut live.status.code);
        self.rerouted.send_on(id, not, next);
        match from {
            MessageState::Submitted => {
                if let Some(rerouted) = self.rerouted.0.get_mut(&id) {
                    rerouted.submitted = true;
                }
                live.status.state = MessageState::Queued;
                live.status.submitted_at = None;
            }
            MessageState::Queued => self.waiting.remove(place, live.send_after, id),
            // What is out decides when it goes on.
            _ => return Some(()),
        }
        live.data.queue = self.rerouted.take_next(id).unwrap_or(live.data.queue);
        self.waiting.insert(live.place(id), live.send_after, id, live.open().len());
        Some(())
    }
}

impl State {
    /// Where the live message `id` is; none for one that goes to no number.
    #[must_use]
    pub fn routing(&self, id: MessageId) -> Option<Routing> {
        let outbox = self.shared().core.outbox.read();
        let live = outbox.live.get(&id).filter(|l| l.channel() == gridbell_model::Channel::Sms)?;
        let phone = Phone::from_packed(live.data.phone);
        Some(Routing { phone, queue: live.data.queue, not: outbox.rerouted.refused(id) })
    }

    /// Parts of `id` that are in a link's hands, from 1.
    #[must_use]
    pub fn parts_out(&self, id: MessageId) -> Vec<u8> {
        self.shared().core.outbox.read().live.get(&id).map_or_else(Vec::new, |l| l.out.clone())
    }

    /// The message and the part that `link`'s carrier knows as `key`; none where its end is on disk already.
    #[must_use]
    pub fn part_known_as(&self, link: &str, key: &CarrierKey) -> Option<(MessageId, u8)> {
        self.shared().core.outbox.read().part_known_as(link, key)
    }
}
