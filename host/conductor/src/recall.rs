//! Taking back what has not left: of a run with all its next channels, of a link's queue, a topic, a prefecture or the province. What left is counted,
//! and nothing follows it by another channel. It cannot be undone: whoever is not sure sets a stop, which loses nothing.

use std::collections::BTreeSet;

use gridbell_model::{HoldReason, MessageId, MessageState, RunId};
use gridbell_state::{LiveMessage, MAX_EVENTS_PER_OP, MessageEvent, RunRecord};
use serde_json::json;

use crate::documents::note;
use crate::error::HostError;
use crate::extent::Extent;
use crate::host::Host;

/// Runs whose messages' next channels a recall ends at most.
const MAX_RUNS: usize = 65_536;

/// What a recall came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct RecallOutcome {
    /// Messages that were taken back; of a dry run those that would be.
    pub taken_back: u64,
    /// Messages that are with a carrier or a platform, or in a link's hands, and of which no end is known.
    pub left: u64,
}

impl Host {
    /// Takes back what waits within `scope`; a dry run only counts it. What is published while it goes on stays: set a stop first.
    ///
    /// # Errors
    /// When there is no such run or link, or the state refuses.
    pub async fn recall(
        &self,
        scope: &Extent,
        why: &str,
        who: &str,
        dry_run: bool,
    ) -> Result<RecallOutcome, HostError> {
        let mut runs = self.runs_within(scope)?;
        if !dry_run {
            runs = self.end_hops(runs).await?;
        }
        let within = self.within(scope, &runs);
        let waits = |m: &LiveMessage| can_be_taken_back(m) && within(m);
        let is_out = |m: &LiveMessage| !can_be_taken_back(m) && within(m);
        if dry_run {
            let (taken_back, left) = (self.state().count_live(waits), self.state().count_live(is_out));
            return Ok(RecallOutcome { taken_back, left });
        }
        let taken_back = self.take_back(&within).await?;
        let outcome = RecallOutcome { taken_back, left: self.state().count_live(is_out) };
        let detail = json!({ "why": why, "taken_back": outcome.taken_back, "left": outcome.left });
        self.state().put_docs(Vec::new(), vec![note(who, "message.recall", &scope.to_string(), detail)]).await?;
        Ok(outcome)
    }

    /// Takes back queued messages of a run and of their next channels, as [`Host::recall`]. Returns how many.
    ///
    /// # Errors
    /// As there.
    pub async fn recall_run(&self, run: RunId, who: &str) -> Result<usize, HostError> {
        let outcome = self.recall(&Extent::Run(run), "", who, false).await?;
        Ok(usize::try_from(outcome.taken_back).unwrap_or(usize::MAX))
    }

    /// The runs after whose messages nothing may follow. Of a link none: what it has sent goes on by its route.
    pub(crate) fn runs_within(&self, scope: &Extent) -> Result<BTreeSet<RunId>, HostError> {
        let of = |wanted: &dyn Fn(&RunRecord) -> bool| -> BTreeSet<RunId> {
            self.state().runs(None, MAX_RUNS, wanted).iter().map(|r| r.id).collect()
        };
        Ok(match scope {
            Extent::Run(run) => {
                self.state().run(*run).ok_or(gridbell_state::StateError::NoRun(*run))?;
                [*run].into()
            }
            Extent::Province => of(&|_| true),
            Extent::Prefecture(code) => of(&|r| r.prefecture == *code),
            Extent::Topic(topic) => of(&|r| r.topic == *topic),
            Extent::Link(name) => {
                self.link(name)?;
                BTreeSet::new()
            }
        })
    }

    pub(crate) fn within(&self, scope: &Extent, runs: &BTreeSet<RunId>) -> impl Fn(&LiveMessage) -> bool + use<> {
        let (scope, runs) = (scope.clone(), runs.clone());
        let queues: Vec<u8> = match &scope {
            Extent::Link(name) => {
                let link = self.link_handles().into_iter().find(|l| l.name().as_str() == name);
                link.map(|l| self.queues_of(l.name())).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        move |m: &LiveMessage| match &scope {
            Extent::Run(_) => runs.contains(&m.run),
            Extent::Province => true,
            Extent::Prefecture(code) => m.id.prefecture() == *code,
            Extent::Topic(topic) => m.topic == *topic,
            Extent::Link(_) => queues.contains(&m.queue),
        }
    }

    /// Takes back piece by piece until nothing waits that `within` takes. Returns how many.
    pub(crate) async fn take_back(&self, within: &impl Fn(&LiveMessage) -> bool) -> Result<u64, HostError> {
        let mut taken = 0;
        loop {
            let waits = |m: &LiveMessage| can_be_taken_back(m) && within(m);
            let ids: Vec<MessageId> = self.state().live(MAX_EVENTS_PER_OP, waits).into_iter().map(|m| m.id).collect();
            if ids.is_empty() {
                return Ok(taken);
            }
            let count = ids.len() as u64;
            let cancel = |id| (id, MessageEvent::Cancelled { reason: HoldReason::Recalled });
            let stale = self.state().message_events(ids.into_iter().map(cancel).collect()).await?.stale_events;
            taken += count - stale.min(count);
        }
    }
}

/// What is with a carrier, even in part, goes on.
fn can_be_taken_back(message: &LiveMessage) -> bool {
    message.state == MessageState::Queued && !message.begun
}
