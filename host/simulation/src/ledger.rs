//! What the host has acknowledged to the world, and when: against it the gateways' logs are judged. Independent of the host's own state.

use std::time::Duration;

use gridbell_conductor::Extent;

use crate::province::Terms;

/// What is known of one customer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Since when the bill is paid.
    pub(crate) paid: Option<Duration>,
    /// Since when it must not be reminded.
    pub(crate) exempt: Option<Duration>,
    /// Since when it has opted out.
    pub(crate) opted_out: Option<Duration>,
    /// The number before, and since when another holds.
    pub(crate) corrected: Vec<(Duration, String)>,
}

/// Terms of a prefecture: tried first at one moment, acknowledged at another; in between either may hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) tried: Duration,
    pub(crate) acknowledged: Duration,
    pub(crate) terms: Terms,
}

/// An emergency stop.
#[derive(Clone, Debug)]
pub(crate) struct Stopped {
    pub(crate) scope: Extent,
    pub(crate) from: Duration,
    /// When its release was tried first.
    pub(crate) to: Option<Duration>,
}

/// Everything acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) customers: Vec<Known>,
    pub(crate) terms: Vec<Vec<Held>>,
    pub(crate) stops: Vec<Stopped>,
    /// Ends of processes.
    pub(crate) deaths: Vec<Duration>,
    /// Times at which the disk was full, from and to.
    pub(crate) full: Vec<(Duration, Duration)>,
}

impl Ledger {
    /// The terms that may hold at some moment of `from..=to`.
    pub(crate) fn terms(&self, prefecture: usize, from: Duration, to: Duration) -> Vec<Terms> {
        let all = &self.terms[prefecture];
        let over = |at: usize| all.get(at + 1).is_some_and(|next| next.acknowledged < from);
        let held = all.iter().enumerate().filter(|(at, held)| held.tried <= to && !over(*at));
        held.map(|(_, held)| held.terms).collect()
    }

    /// Whether a process died or the disk was full within `from..=to`.
    pub(crate) fn disturbed(&self, from: Duration, to: Duration) -> bool {
        self.deaths.iter().any(|at| (from..=to).contains(at))
            || self.full.iter().any(|(since, until)| *since <= to && *until >= from)
    }
}
