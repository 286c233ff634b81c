//! Which of its queues a link may take from now: none of a carrier whose other links can send while it stands by, and none of which it has had
//! more than its weight. It decides about links only, never about messages, and keeps nothing that is not made anew at a start.

use std::collections::BTreeMap;
use std::time::Duration;

use gridbell_channels::LinkName;
use gridbell_model::{Lane, MessageId};
use gridbell_state::{Room, Shares};

use crate::any_link::AnyLink;
use crate::host::Host;

/// A message that has waited for so long goes by any link: weights share what links keep up with, and hold up nothing.
pub const WEIGHTS_GIVE_WAY: Duration = Duration::from_secs(1);
/// What one message counts, divided by its link's weight.
const ONE: u64 = 1 << 20;

/// How much each link with a weight has taken, in turns: messages divided by weight.
#[derive(Debug, Default)]
pub(crate) struct Turns(BTreeMap<LinkName, u64>);

impl Turns {
    /// Whether `link` has had no more than any of `others`.
    fn may(&self, link: &LinkName, others: &[&LinkName]) -> bool {
        let of = |name: &LinkName| self.0.get(name).copied().unwrap_or(0);
        let least = others.iter().map(|name| of(name)).min();
        least.is_none_or(|least| of(link) <= least)
    }

    /// `link` took `messages`. Those that are `away` go along: who comes back begins where the others are, and does not catch up.
    fn took(&mut self, link: &LinkName, weight: u32, messages: usize, away: &[&LinkName]) {
        let turn = self.0.entry(link.clone()).or_default();
        *turn += messages as u64 * ONE / u64::from(weight);
        let now = *turn;
        for name in away {
            let turn = self.0.entry((*name).clone()).or_default();
            *turn = now.max(*turn);
        }
    }
}

impl Host {
    /// The queues that `name` may take from now.
    pub(crate) fn open_queues(&self, name: &LinkName) -> Vec<u8> {
        let (queues, links) = (self.queues_of(name), self.link_handles());
        let Some(link) = links.iter().find(|l| l.name() == name) else { return queues };
        let mut open = queues;
        if let Some(standby) = link.stands_by() {
            open.retain(|queue| !self.others_send(*queue, standby, &links));
        }
        if link.weight().is_some() {
            open.retain(|queue| self.is_its_turn(link, *queue, &links));
        }
        open
    }

    /// Whether another link takes from `queue` that does not stand by and could send within the last `standby`.
    fn others_send(&self, queue: u8, standby: Duration, links: &[AnyLink]) -> bool {
        let stops = self.stops_now();
        // A link that was held may go on in a moment; one that runs out will not.
        let takes = |l: &&AnyLink| l.stands_by().is_none() && !stops.drains_link(l.name().as_str());
        let others = links.iter().filter(takes).filter(|l| self.queues_of(l.name()).contains(&queue));
        others.map(AnyLink::unable_for).any(|unable| unable.is_none_or(|d| d < standby))
    }

    fn is_its_turn(&self, link: &AnyLink, queue: u8, links: &[AnyLink]) -> bool {
        if self.waits_long(queue) {
            return true;
        }
        let others = self.weighed_against(link, &[queue], links, true);
        self.turns().lock().may(link.name(), &others)
    }

    /// Whether what is next in `queue`, and in no link's hands, has waited for longer than weights may make it wait.
    fn waits_long(&self, queue: u8) -> bool {
        let Some(due) = self.state().next_due(queue) else { return false };
        let next = {
            let claimed = self.claimed().lock();
            let room = Room { queues: &[queue], lanes: &[Lane::Urgent, Lane::Bulk], parts: 1 };
            let is_claimed = |id: MessageId, _| claimed.contains_key(&id);
            self.state().ready_of(room, &mut Shares::default(), |_, _| (1, 1), is_claimed)
        };
        // It may have been due before it was published.
        let Some(run) = next.first().and_then(|id| self.state().run_of(*id)) else { return false };
        let since = due.max(run.ended).unix_ms();
        self.clock().now().unix_ms().saturating_sub(since) >= WEIGHTS_GIVE_WAY.as_millis() as i64
    }

    /// The other links with a weight that take from one of `queues`: those that can now, or those that cannot.
    fn weighed_against<'a>(
        &self,
        link: &AnyLink,
        queues: &[u8],
        links: &'a [AnyLink],
        able: bool,
    ) -> Vec<&'a LinkName> {
        let stops = self.stops_now();
        let can_take = |l: &AnyLink| l.unable_for().is_none() && !stops.closes_link(l.name().as_str());
        let takes = |l: &&AnyLink| {
            l.name() != link.name()
                && l.weight().is_some()
                && can_take(l) == able
                && self.queues_of(l.name()).iter().any(|q| queues.contains(q))
        };
        links.iter().filter(takes).map(AnyLink::name).collect()
    }

    /// Notes that `name` took so many messages.
    pub(crate) fn took(&self, name: &LinkName, messages: usize) {
        let links = self.link_handles();
        let Some((link, weight)) = links.iter().find(|l| l.name() == name).and_then(|l| Some((l, l.weight()?))) else {
            return;
        };
        let away = self.weighed_against(link, &self.queues_of(name), &links, false);
        self.turns().lock().took(name, weight, messages, &away);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_take_by_their_weights_and_whoever_was_away_does_not_catch_up() {
        let (a, b): (LinkName, LinkName) = (LinkName::new("a").unwrap(), LinkName::new("b").unwrap());
        let mut turns = Turns::default();
        let mut took = BTreeMap::from([(&a, 0), (&b, 0)]);
        let mut go = |turns: &mut Turns, rounds: usize| {
            for _ in 0..rounds {
                for (link, weight, other) in [(&a, 3, &b), (&b, 1, &a)] {
                    if turns.may(link, &[other]) {
                        turns.took(link, weight, 1, &[]);
                        *took.get_mut(link).unwrap() += 1;
                    }
                }
            }
            (took[&a], took[&b])
        };
        let (of_a, of_b) = go(&mut turns, 4000);
        assert!((i32::abs(of_a - 3 * of_b)) <= 3, "{of_a} and {of_b}");
        // `b` is away: `a` alone takes whatever comes.
        for _ in 0..1000 {
            assert!(turns.may(&a, &[]));
            turns.took(&a, 3, 1, &[&b]);
        }
        let (_, before) = go(&mut turns, 0);
        let (_, after) = go(&mut turns, 40);
        assert!(after - before <= 20, "{} of 40", after - before);
    }
}
