//! What the server asks of the conductor in order to understand: why somebody was told something, whether a run can be done again with the same
//! result, where two runs differ. Changes nothing.

use gridbell_conductor::{ExplainRequest, Explanation, Host, ReplayState, RunDiff, Undelivered, UndeliveredQuery};
use gridbell_model::{CustomerView, RunId};

use crate::conduct::{ConductError, Pending};

/// Which customers an asker sees.
pub type Seen = Box<dyn Fn(&CustomerView) -> bool + Send + Sync>;

/// Understanding after.
pub trait Insight: Send + Sync {
    /// Why a customer was told something, was not, or will be.
    fn explain(&self, request: ExplainRequest) -> Pending<'_, Explanation>;
    /// Begins to do a run again; one at a time.
    ///
    /// # Errors
    /// [`ConductError::Busy`] while another goes on.
    fn start_replay(&self, run: RunId) -> Result<ReplayState, ConductError>;
    /// How the replay of a run stands; none when none was started.
    fn replay_state(&self, run: RunId) -> Option<ReplayState>;
    /// Ends the replay of a run; whether one was going on.
    fn cancel_replay(&self, run: RunId) -> bool;
    /// Where two runs differ.
    fn diff_runs(&self, a: RunId, b: RunId) -> Pending<'_, RunDiff>;
    /// Subscribers who should have been told on a day and were not, of those whom `seen` lets through.
    fn undelivered(&self, query: UndeliveredQuery, seen: Seen) -> Pending<'_, Vec<Undelivered>>;
}

impl Insight for Host {
    fn explain(&self, request: ExplainRequest) -> Pending<'_, Explanation> {
        Box::pin(async move { Ok(Self::explain(self, request).await?) })
    }

    fn start_replay(&self, run: RunId) -> Result<ReplayState, ConductError> {
        Ok(Self::start_replay(self, run)?)
    }

    fn replay_state(&self, run: RunId) -> Option<ReplayState> {
        self.replays().state(run)
    }

    fn cancel_replay(&self, run: RunId) -> bool {
        self.replays().cancel(run)
    }

    fn diff_runs(&self, a: RunId, b: RunId) -> Pending<'_, RunDiff> {
        Box::pin(async move { Ok(Self::diff_runs(self, a, b).await?) })
    }

    fn undelivered(&self, query: UndeliveredQuery, seen: Seen) -> Pending<'_, Vec<Undelivered>> {
        Box::pin(async move { Ok(Self::undelivered(self, query, seen).await?) })
    }
}
