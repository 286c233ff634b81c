//! To whom a wrong message went: of each customer the message that came, or else the last that may have. Reads runs and messages; changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_contract::Manifest;
use gridbell_engine::Plugin;
use gridbell_model::{AccountNumber, MessageId, MessageState, Moment, PrefectureCode, RunId};
use gridbell_planner::WrongMessage;
use gridbell_state::{DecisionRecord, MessageStatus, Outcome, QueuedMessage, RunRecord};
use rustc_hash::FxHashSet;

use super::record::MAX_CORRECTED;
use super::scope::{CorrectionScope, Wording, Wrong};
use crate::error::HostError;
use crate::host::Host;

/// What one run of a correction is about: prefecture, policy, digest of the plugin.
pub(super) type PartKey = (PrefectureCode, String, String);

/// Whether the customer has the message, or may have it. Of one that was taken back after a submit that nobody answered, nobody knows.
pub(super) fn may_have(status: &MessageStatus) -> bool {
    let unknown = status.state == MessageState::Cancelled && status.maybe_twice && status.reports.is_empty();
    status.may_have_come() || unknown
}

/// A customer who may have the wrong message.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) row: u32,
    pub(super) account: AccountNumber,
    pub(super) message: MessageId,
    pub(super) run: RunId,
    pub(super) wrong: WrongMessage,
    pub(super) reason: u16,
    pub(super) state: MessageState,
    pub(super) queued_at: Moment,
    /// Parts, and what they cost: what a part costs where the policy is gone.
    pub(super) paid: (u8, u32),
    /// The version of its template.
    template: u32,
    submitted: Moment,
}

impl Told {
    /// From a message that may have come.
    pub(super) fn new(
        id: MessageId,
        run: RunId,
        decision: &DecisionRecord,
        message: &QueuedMessage,
        status: &MessageStatus,
    ) -> Self {
        Self {
            row: decision.row,
            account: decision.account,
            message: id,
            run,
            wrong: WrongMessage {
                channel: message.channel,
                phone: message.phone,
                address_lost: None,
                decision: (decision.notice, decision.route, decision.step),
            },
            reason: decision.reason,
            state: status.state,
            queued_at: status.queued_at,
            paid: (message.parts, message.cost_milli_fen),
            template: message.template,
            submitted: status.submitted_at.unwrap_or(status.queued_at),
        }
    }

    /// Which text it had.
    pub(super) fn wording(&self) -> Wording {
        Wording { notice: self.wrong.decision.0, channel: self.wrong.channel, version: self.template }
    }

    /// Which of a customer's messages is corrected: the one that came, else the last that may have.
    fn rank(&self) -> (bool, Moment, MessageId) {
        (self.state == MessageState::Delivered, self.submitted, self.message)
    }
}

/// Everybody who may have a wrong message, and what of it has not left.
#[derive(Default)]
pub(super) struct Gathered {
    /// By part, in order of row.
    pub(super) parts: BTreeMap<PartKey, Vec<Told>>,
    /// Messages that can be taken back.
    pub(super) waiting: FxHashSet<MessageId>,
}

impl Gathered {
    pub(super) fn customers(&self) -> usize {
        self.parts.values().map(Vec::len).sum()
    }
}

impl Host {
    /// The manifest of the plugin of `run`, where `scope` asks what it calls its notices.
    pub(super) fn manifest_for(&self, scope: &CorrectionScope, run: &RunRecord) -> Result<Option<Plugin>, HostError> {
        match scope.wrong {
            Wrong::Template { .. } => self.plugin_of_digest(&run.digest).map(Some),
            Wrong::Run(_) | Wrong::Campaign(_) => Ok(None),
        }
    }

    /// Looks through `runs`. Blocks: offload it.
    ///
    /// # Errors
    /// With more customers than a correction may have, or when something cannot be read.
    pub(super) fn gather(&self, scope: &CorrectionScope, runs: &[Arc<RunRecord>]) -> Result<Gathered, HostError> {
        let mut best: BTreeMap<(PrefectureCode, u32), Told> = BTreeMap::new();
        let mut gathered = Gathered::default();
        for run in runs {
            let plugin = self.manifest_for(scope, run)?;
            let manifest = plugin.as_ref().map(Plugin::manifest);
            for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
                self.gather_segment(scope, manifest, (run, segment), &mut best, &mut gathered.waiting)?;
            }
            if best.len() > MAX_CORRECTED {
                let text = format!(
                    "more than {MAX_CORRECTED} customers: narrow it with `prefecture`, `from` and `to`, and correct one after another"
                );
                return Err(HostError::Invalid(text));
            }
        }
        let by_id: BTreeMap<RunId, &Arc<RunRecord>> = runs.iter().map(|r| (r.id, r)).collect();
        for ((prefecture, _), told) in best {
            let Some(run) = by_id.get(&told.run) else { continue };
            gathered.parts.entry((prefecture, run.policy.clone(), run.digest.clone())).or_default().push(told);
        }
        Ok(gathered)
    }

    fn gather_segment(
        &self,
        scope: &CorrectionScope,
        manifest: Option<&Manifest>,
        (run, segment): (&RunRecord, u32),
        best: &mut BTreeMap<(PrefectureCode, u32), Told>,
        waiting: &mut FxHashSet<MessageId>,
    ) -> Result<(), HostError> {
        for (decision, status) in self.state().decisions_and_states(run, segment)? {
            let (Outcome::Queued(message), Some(status)) = (&decision.outcome, status) else { continue };
            let wording = Wording { notice: decision.notice, channel: message.channel, version: message.template };
            if !scope.takes(manifest, wording) {
                continue;
            }
            let id = MessageId::new(run.prefecture, message.number);
            if status.state == MessageState::Queued && !status.is_begun() {
                waiting.insert(id);
            }
            if !may_have(&status) {
                continue;
            }
            let told = Told::new(id, run.id, &decision, message, &status);
            match best.entry((run.prefecture, decision.row)) {
                std::collections::btree_map::Entry::Vacant(e) => drop(e.insert(told)),
                std::collections::btree_map::Entry::Occupied(mut e) if e.get().rank() < told.rank() => {
                    e.insert(told);
                }
                std::collections::btree_map::Entry::Occupied(_) => {}
            }
        }
        Ok(())
    }
}
