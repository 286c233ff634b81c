//! The state as the conductor sees it that publishes next hops: which are due, and their publication.

use gridbell_model::{MessageId, Moment, PrefectureCode, RunId};

use crate::error::StateError;
use crate::hops::DueHop;
use crate::ops::{Applied, Op};
use crate::run_writer::RunWriter;
use crate::state::State;
use crate::writer::Change;

impl State {
    /// Begins the publication of the next hops of messages, each with its decision made again by the guardrails of now.
    ///
    /// # Errors
    /// As [`State::begin_run`].
    pub async fn begin_hops(&self, prefecture: PrefectureCode) -> Result<RunWriter, StateError> {
        RunWriter::begin_hops(self, prefecture).await
    }

    /// No further hop follows messages of these runs: what they queued was taken back.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn end_hops(&self, runs: Vec<RunId>) -> Result<Applied, StateError> {
        self.submit(Change::new(vec![Op::EndHops(runs)])).await
    }

    /// Messages whose next hop is due at `now`, the longest first, up to `limit`, without those of runs that `skip` leaves alone.
    #[must_use]
    pub fn hops_due(&self, now: Moment, limit: usize, skip: impl Fn(RunId) -> bool) -> Vec<DueHop> {
        self.shared().core.outbox.read().hops.due(now, limit, skip)
    }

    /// When the next hop of any message is due; none when none is known.
    #[must_use]
    pub fn next_hop_due(&self) -> Option<Moment> {
        self.shared().core.outbox.read().hops.next_due()
    }

    /// How many messages have a route that goes on where they do not come.
    #[must_use]
    pub fn awaiting_hops(&self) -> usize {
        self.shared().core.outbox.read().hops.awaiting().len()
    }

    /// Queues in which something waits.
    #[must_use]
    pub fn queues_waiting(&self) -> Vec<u8> {
        self.shared().core.outbox.read().backlogs().into_keys().collect()
    }

    /// Messages of `queue` that wait with no part at a carrier, whose route goes on, and that `overdue` takes by the moment from which they could go and
    /// the minutes that their hop waits, up to `limit`.
    #[must_use]
    pub fn stuck(&self, queue: u8, limit: usize, overdue: impl Fn(Moment, u32) -> bool) -> Vec<MessageId> {
        self.shared().core.outbox.read().stuck(queue, limit, overdue)
    }
}
