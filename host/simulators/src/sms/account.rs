//! What a gateway keeps for one account, whatever its connections do: counters, the grant's window, and the queue of reports and
//! inbound messages.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use gridbell_clock::Seed;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::config::{Account, Config};
use super::log::AccountStats;
use super::protocol::{Outgoing, Protocol};
use crate::cmpp::SlidingWindow;
use crate::cmpp::fate::Dice;

pub(super) struct AccountShared<P: Protocol> {
    pub(super) config: Account,
    pub(super) state: Mutex<State<P>>,
    /// Rung when the queue has something that no connection may know of.
    pub(super) wake: Notify,
}

/// What changes, under one lock that is never held across a wait.
pub(super) struct State<P: Protocol> {
    pub(super) queue: Queue<P>,
    pub(super) dice: Dice,
    pub(super) stats: AccountStats,
    pub(super) offered: SlidingWindow,
    pub(super) accepted: SlidingWindow,
    /// Reports and inbound messages under way on some connection.
    pub(super) in_flight: u64,
    /// Which spelling the next report has.
    pub(super) spelling: u32,
}

impl<P: Protocol> AccountShared<P> {
    pub(super) fn new(account: &Account, config: &Config) -> Self {
        Self {
            config: account.clone(),
            state: Mutex::new(State {
                queue: Queue {
                    ready: VecDeque::new(),
                    delayed: BTreeMap::new(),
                    order: 0,
                    capacity: config.max_queued_delivers,
                },
                dice: Dice::new(Seed(config.seed), &account.id),
                stats: AccountStats::default(),
                offered: SlidingWindow::default(),
                accepted: SlidingWindow::default(),
                in_flight: 0,
                spelling: 0,
            }),
            wake: Notify::new(),
        }
    }

    pub(super) fn stats(&self) -> AccountStats {
        let state = self.state.lock();
        AccountStats {
            peak_offered: state.offered.peak(),
            delivers_queued: state.queue.len() as u64 + state.in_flight,
            ..state.stats.clone()
        }
    }
}

/// One in the queue.
pub(super) struct Waiting<P: Protocol> {
    pub(super) outgoing: Outgoing<P>,
    /// Times it was written on the connection that has it now.
    pub(super) tries: u32,
    /// Times the client answered that it does not take it.
    pub(super) refusals: u32,
}

/// Due at once or later, kept across reconnects. It holds at most `capacity`.
pub(super) struct Queue<P: Protocol> {
    ready: VecDeque<Waiting<P>>,
    delayed: BTreeMap<(Duration, u64), Waiting<P>>,
    order: u64,
    capacity: usize,
}

impl<P: Protocol> Queue<P> {
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.delayed.len()
    }

    /// Puts one in for `due`, or drops it and says so where the queue is full.
    #[must_use]
    pub(super) fn push(&mut self, waiting: Waiting<P>, due: Duration) -> bool {
        if self.len() >= self.capacity {
            return false;
        }
        self.order += 1;
        self.delayed.insert((due, self.order), waiting);
        true
    }

    /// Puts back what was sent and not acknowledged, before everything else. It was in here once, so it may overfill.
    pub(super) fn put_back(&mut self, waiting: impl DoubleEndedIterator<Item = Waiting<P>>) {
        waiting.rev().for_each(|waiting| self.ready.push_front(Waiting { tries: 0, ..waiting }));
    }

    /// The next that is due at `now`.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Waiting<P>> {
        if let Some(waiting) = self.ready.pop_front() {
            return Some(waiting);
        }
        let first = self.delayed.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When there is something to do at the earliest.
    pub(super) fn next_due(&self) -> Option<Duration> {
        if self.ready.is_empty() { self.delayed.keys().next().map(|(due, _)| *due) } else { Some(Duration::ZERO) }
    }
}
