//! Live counters, as a snapshot.

use std::collections::BTreeMap;

use serde::Serialize;

/// What a gateway has seen since it started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Connections taken.
    pub connections: u64,
    /// Refused logins by status.
    pub logins_refused: BTreeMap<u32, u64>,
    /// Connections closed because a length was out of bounds, something came before the login or too much was malformed.
    pub protocol_errors: u64,
    /// Accepted parts that the log no longer holds because of its capacity.
    pub log_forgotten: u64,
    /// By SP_Id.
    pub accounts: BTreeMap<String, AccountStats>,
}

impl Stats {
    /// One account's counters; zeros for a stranger.
    #[must_use]
    pub fn account(&self, sp_id: &str) -> AccountStats {
        self.accounts.get(sp_id).cloned().unwrap_or_default()
    }
}

/// What one account did. Parts are counted once per terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountStats {
    /// Connections open now.
    pub open: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// SUBMITs received, whatever became of them.
    pub submits: u64,
    /// Parts in them.
    pub parts_offered: u64,
    /// Parts accepted and in the log.
    pub parts_accepted: u64,
    /// SUBMIT_RESPs by result, the lost ones included.
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
    /// The most parts accepted in any one second.
    pub peak_accepted: u64,
    /// Final reports made, by what they say; lost ones included, repetitions not.
    pub reports: BTreeMap<String, u64>,
    /// Reports lost on purpose.
    pub reports_lost: u64,
    /// Reports repeated on purpose.
    pub reports_repeated: u64,
    /// Inbound messages put in, in parts.
    pub inbound: u64,
    /// DELIVERs written, repetitions included.
    pub delivers_sent: u64,
    /// DELIVERs acknowledged.
    pub delivers_acknowledged: u64,
    /// DELIVERs written again because no acknowledgement came or it was lost with its connection.
    pub delivers_resent: u64,
    /// DELIVERs given up because they were refused too often.
    pub delivers_given_up: u64,
    /// DELIVERs dropped because the queue was full.
    pub delivers_overflowed: u64,
    /// DELIVERs waiting, delayed or under way now.
    pub delivers_queued: u64,
    /// Heartbeats received.
    pub heartbeats: u64,
}
