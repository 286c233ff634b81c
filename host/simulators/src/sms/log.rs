//! What was accepted, in memory and bounded, and the live counters.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// One accepted part to one terminal. Holds the whole number and text: gateways are simulated for invented customers only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Microseconds from the gateway's start, on the monotonic clock.
    pub at_us: u64,
    /// Whose account.
    pub account: String,
    /// Which connection since the start, from 1.
    pub connection: u64,
    /// What a report names it by.
    pub msg_id: String,
    /// The terminal.
    pub destination: String,
    /// The sender's number.
    pub src_id: String,
    /// The service.
    pub service: String,
    /// Parts of the message, and which this is, where its content says so.
    pub part: Option<(u8, u8)>,
    /// The reference in the header of a long message.
    pub reference: Option<u16>,
    /// The text of this part.
    pub text: String,
    /// The submit's sequence.
    pub sequence: String,
    /// What its report says or would say.
    pub fate: String,
}

/// The newest accepted parts.
pub(super) struct Log {
    entries: VecDeque<LogEntry>,
    capacity: usize,
    forgotten: u64,
}

impl Log {
    pub(super) const fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity, forgotten: 0 }
    }

    pub(super) fn push(&mut self, entry: LogEntry) {
        self.entries.push_back(entry);
        if self.entries.len() > self.capacity {
            self.entries.pop_front();
            self.forgotten += 1;
        }
    }

    pub(super) const fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Those after the first `skip` that were ever accepted.
    pub(super) fn since(&self, skip: u64) -> Vec<LogEntry> {
        let skip = usize::try_from(skip.saturating_sub(self.forgotten)).unwrap_or(usize::MAX);
        self.entries.iter().skip(skip).cloned().collect()
    }
}

/// What a gateway has seen since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections taken.
    pub connections: u64,
    /// Refused logins by result.
    pub logins_refused: BTreeMap<u32, u64>,
    /// Connections closed because a length was out of bounds, something came before the login or too much was malformed.
    pub protocol_errors: u64,
    /// Accepted parts that the log no longer holds because of its capacity.
    pub log_forgotten: u64,
    /// By account.
    pub accounts: BTreeMap<String, AccountStats>,
}

impl Stats {
    /// One account's counters; zeros for a stranger.
    #[must_use]
    pub fn account(&self, id: &str) -> AccountStats {
        self.accounts.get(id).cloned().unwrap_or_default()
    }

    /// Parts accepted of all accounts.
    #[must_use]
    pub fn parts_accepted(&self) -> u64 {
        self.accounts.values().map(|account| account.parts_accepted).sum()
    }
}

/// What one account did. Parts are counted once per terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountStats {
    /// Connections open now, those that the gateway opened apart.
    pub open: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Reverse connections that were opened and taken.
    pub reverse_logins: u64,
    /// Reverse connections that could not be opened or were refused.
    pub reverse_failed: u64,
    /// Submits received, whatever became of them.
    pub submits: u64,
    /// Parts in them.
    pub parts_offered: u64,
    /// Parts accepted and in the log.
    pub parts_accepted: u64,
    /// Answers to submits by result, the lost ones included.
    pub results: BTreeMap<u32, u64>,
    /// Submits refused because the grant of the second was used up.
    pub rate_violations: u64,
    /// Submits refused because too many were unanswered.
    pub window_violations: u64,
    /// PDUs that were not as their table says.
    pub malformed: u64,
    /// Answers lost on purpose.
    pub responses_lost: u64,
    /// Connections broken on purpose.
    pub connections_dropped: u64,
    /// The most parts offered in any one second, the refused ones included: what the sender's pacing must keep under the grant.
    pub peak_offered: u64,
    /// Final reports made, by what they say; lost ones included, repetitions not.
    pub reports: BTreeMap<String, u64>,
    /// Reports lost on purpose.
    pub reports_lost: u64,
    /// Reports repeated on purpose.
    pub reports_repeated: u64,
    /// Inbound messages put in, in parts.
    pub inbound: u64,
    /// Reports and inbound messages written, repetitions included.
    pub delivers_sent: u64,
    /// Of these, acknowledged.
    pub delivers_acknowledged: u64,
    /// Given up because they were refused too often.
    pub delivers_given_up: u64,
    /// Dropped because the queue was full.
    pub delivers_overflowed: u64,
    /// Waiting, delayed or under way now.
    pub delivers_queued: u64,
    /// Heartbeats received.
    pub heartbeats: u64,
}
