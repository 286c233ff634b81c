//! What waits for each link, and when it will have left: a forecast for people, from what is granted or, without a grant, from what goes. It must never
//! decide anything.

use std::collections::BTreeMap;

use gridbell_channels::{LinkName, LinkState, LinkStatus};
use gridbell_model::Moment;

use crate::host::Host;

/// What waits in the queues that a link takes from. Links of one carrier share it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkBacklog {
    /// Urgent messages.
    pub urgent: u64,
    /// All others, those whose time has not come too.
    pub bulk: u64,
    /// Parts of all of them.
    pub parts: u64,
    /// When the last of them will have left at the pace of the links that take from the same queues; none where nothing waits, or nothing goes.
    pub clears_at: Option<Moment>,
}

impl Host {
    /// The backlog of each of these links.
    #[must_use]
    pub fn backlogs(&self, links: &[LinkStatus]) -> BTreeMap<LinkName, LinkBacklog> {
        let (queues, now) = (self.state().backlogs(), self.clock().now());
        let mut paces: BTreeMap<u8, u64> = BTreeMap::new();
        for link in links.iter().filter(|link| link.state == LinkState::Up) {
            let pace = if link.grant > 0 { u64::from(link.grant) } else { link.rate };
            self.queues_of(&link.name).into_iter().for_each(|queue| *paces.entry(queue).or_default() += pace);
        }
        let backlog = |link: &LinkStatus| {
            let its: Vec<_> =
                self.queues_of(&link.name).into_iter().filter_map(|q| Some((q, queues.get(&q)?))).collect();
            let sum = |of: fn(&gridbell_state::QueueBacklog) -> u64| its.iter().map(|(_, b)| of(b)).sum();
            let first = its.iter().filter_map(|(_, b)| b.first).min();
            let took = its.iter().map(|(queue, b)| {
                let pace = paces.get(queue).copied().filter(|pace| *pace > 0)?;
                i64::try_from(b.parts.saturating_mul(1_000) / pace).ok()
            });
            let clears_at = first.zip(took.sum::<Option<i64>>()).map(|(first, ms)| first.max(now).plus_ms(ms));
            LinkBacklog { urgent: sum(|b| b.urgent), bulk: sum(|b| b.bulk), parts: sum(|b| b.parts), clears_at }
        };
        links.iter().map(|link| (link.name.clone(), backlog(link))).collect()
    }
}
