//! What was accepted, in memory and bounded, and the live counters.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// One accepted message to one recipient. Holds the whole address and text: platforms are simulated for invented customers only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Microseconds from the platform's start, on the monotonic clock.
    pub at_us: u64,
    /// The platform's number for it, by which its receipt names it.
    pub msg_id: String,
    /// Which interface took it.
    pub interface: String,
    /// To whom: openid, user id or number.
    pub to: String,
    /// The template; empty where a text was sent.
    pub template: String,
    /// The text, or the template's values as JSON.
    pub text: String,
    /// The sender's own number for it; empty where none was given.
    pub client_id: String,
    /// What its receipt says or would say.
    pub fate: String,
}

/// The newest accepted messages.
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

/// What a platform has seen since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Requests by interface, those that it did not read apart.
    pub calls: BTreeMap<String, u64>,
    /// Answers by code.
    pub codes: BTreeMap<String, u64>,
    /// Messages accepted and in the log; a repetition that it knew is none.
    pub accepted: u64,
    /// Repetitions that it knew.
    pub repeated: u64,
    /// Requests whose signature, token or key was wrong.
    pub strangers: u64,
    /// Accepted messages that the log no longer holds because of its capacity.
    pub log_forgotten: u64,
    /// Answers lost or held back on purpose.
    pub answers_lost: u64,
    /// Requests that it did not read on purpose.
    pub unread: u64,
    /// The most requests under way at once.
    pub peak_calls: u64,
    /// Receipts lost on purpose.
    pub reports_lost: u64,
    /// Receipts posted, repetitions included.
    pub reports_posted: u64,
    /// Receipts that were taken.
    pub reports_taken: u64,
    /// Receipts that nobody took after the last try.
    pub reports_given_up: u64,
}
