//! What a gateway keeps for one account, whatever its connections do.

use gridbell_clock::Seed;
use gridbell_cmpp::{Octets, Query, QueryResp};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::config::{Account, Config};
use super::fate::Dice;
use super::outgoing::Queue;
use super::rate::SlidingWindow;
use super::stats::AccountStats;

/// Rows of counts for QUERY, one a day and service; the oldest goes first.
const MAX_DAY_ROWS: usize = 366;

pub(super) struct AccountShared {
    pub(super) config: Account,
    pub(super) sp_id: Octets<6>,
    pub(super) state: Mutex<State>,
    /// Rung when the queue has something that no connection may know of.
    pub(super) wake: Notify,
}

/// What changes, under one lock that is never held across a wait.
pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) dice: Dice,
    pub(super) stats: AccountStats,
    pub(super) offered: SlidingWindow,
    pub(super) accepted: SlidingWindow,
    /// DELIVERs under way on some connection.
    pub(super) in_flight: u64,
    days: Vec<QueryResp>,
}

impl AccountShared {
    pub(super) fn new(account: &Account, config: &Config) -> Self {
        Self {
            config: account.clone(),
            // Its length was checked with the configuration.
            sp_id: Octets::new("sp_id", &account.sp_id).unwrap_or_default(),
            state: Mutex::new(State {
                queue: Queue::new(config.max_queued_delivers),
                dice: Dice::new(Seed(config.seed), &account.sp_id),
                stats: AccountStats::default(),
                offered: SlidingWindow::default(),
                accepted: SlidingWindow::default(),
                in_flight: 0,
                days: Vec::new(),
            }),
            wake: Notify::new(),
        }
    }

    pub(super) fn stats(&self) -> AccountStats {
        let state = self.state.lock();
        AccountStats {
            peak_offered: state.offered.peak(),
            peak_accepted: state.accepted.peak(),
            delivers_queued: state.queue.len() as u64 + state.in_flight,
            ..state.stats.clone()
        }
    }
}

impl State {
    /// The counts of a day and a service.
    pub(super) fn day(&mut self, day: Octets<8>, service: Octets<10>) -> &mut QueryResp {
        let known = self.days.iter().rposition(|row| row.day == day && row.query_code == service);
        let row = known.unwrap_or_else(|| {
            if self.days.len() >= MAX_DAY_ROWS {
                self.days.remove(0);
            }
            self.days.push(QueryResp { day, query_code: service, ..QueryResp::default() });
            self.days.len() - 1
        });
        &mut self.days[row]
    }

    /// The answer to a QUERY: type 0 sums a day's services, type 1 gives one.
    pub(super) fn query(&self, query: &Query) -> QueryResp {
        let asked =
            |row: &&QueryResp| row.day == query.day && (query.query_type == 0 || row.query_code == query.query_code);
        let start = QueryResp {
            day: query.day,
            query_type: query.query_type,
            query_code: query.query_code,
            ..QueryResp::default()
        };
        self.days.iter().filter(asked).fold(start, |sum, row| QueryResp {
            mt_messages: sum.mt_messages.saturating_add(row.mt_messages),
            mt_users: sum.mt_users.saturating_add(row.mt_users),
            mt_succeeded: sum.mt_succeeded.saturating_add(row.mt_succeeded),
            mt_waiting: sum.mt_waiting.saturating_add(row.mt_waiting),
            mt_failed: sum.mt_failed.saturating_add(row.mt_failed),
            mo_succeeded: sum.mo_succeeded.saturating_add(row.mo_succeeded),
            mo_waiting: sum.mo_waiting.saturating_add(row.mo_waiting),
            mo_failed: sum.mo_failed.saturating_add(row.mo_failed),
            ..sum
        })
    }
}
