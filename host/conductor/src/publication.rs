//! How a run ends: published, failed, or waiting for a person, each in one commit with its schedule's occurrence and the audit note.

use std::sync::Arc;

use gridbell_model::{Decision, HoldReason, Initiator, RunId};
use gridbell_planner::BlastVerdict;
use gridbell_state::{AuditNote, DocChange, Outcome, RunRecord, RunStatus, RunWriter, Snapshot};

use crate::deployment::Arm;
use crate::documents::{self, SCHEDULE, note};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{INTEREST_SAMPLE, Prepared, RunRequest, RunTrigger, blocks, schedule_key};
use crate::settle::settle;

/// What a run that reached too far had begun with.
pub(crate) struct Begun {
    pub(crate) snapshot: Snapshot,
    pub(crate) sample: RunId,
}

impl Host {
    pub(crate) async fn publish(
        &self,
        request: &RunRequest,
        arm: &Arm,
        writer: RunWriter,
        record: RunRecord,
    ) -> Result<RunRecord, HostError> {
        let (docs, audit) = self.side_effects(request, arm.serves, writer.id(), "run.publish")?;
        Ok(writer.publish(record, docs, audit).await?.0)
    }

    /// What goes into the same commit as a run: that its schedule's occurrence is served, and who did it.
    fn side_effects(
        &self,
        request: &RunRequest,
        serves: bool,
        run: RunId,
        action: &str,
    ) -> Result<(Vec<DocChange>, Vec<AuditNote>), HostError> {
        let mut docs = Vec::new();
        if serves && let RunTrigger::Schedule { name, scheduled_at, .. } = &request.trigger {
            let key = schedule_key(request.prefecture, &request.policy, name);
            docs.push(documents::put(SCHEDULE, &key, scheduled_at, None)?);
        }
        let audit = match &request.initiator {
            Initiator::System => Vec::new(),
            Initiator::Person(who) => {
                let what = format!("{}/{}", request.prefecture, request.policy);
                vec![note(who, action, &run.to_string(), what)]
            }
        };
        Ok((docs, audit))
    }

    /// Records that a run failed: it sent nothing, and its occurrence is not tried again by itself.
    pub(crate) async fn record_failure(
        &self,
        request: &RunRequest,
        arm: &Arm,
        writer: RunWriter,
        mut record: RunRecord,
        error: &HostError,
    ) -> Result<(), HostError> {
        let id = writer.id();
        record.status = RunStatus::Failed { error: error.to_string() };
        let (docs, audit) = self.side_effects(request, arm.last, id, "run.fail")?;
        writer.publish(record, docs, audit).await?;
        self.raise("run.failed", &format!("{}/{}", request.prefecture, request.policy), format!("{id}: {error}"));
        Ok(())
    }

    /// Records a run that reached too far: every decision is held, and a person decides.
    #[expect(clippy::too_many_arguments, reason = "what a run is made from, each of its own kind and used once")]
    pub(crate) async fn hold(
        &self,
        request: &RunRequest,
        arm: &Arm,
        prepared: &Arc<Prepared>,
        mut record: RunRecord,
        decisions: &Arc<Vec<Decision>>,
        limit: BlastVerdict,
        begun: Begun,
    ) -> Result<(RunRecord, Vec<String>), HostError> {
        // The customers as they were when it was decided: what it is replayed from.
        let Begun { snapshot, sample } = begun;
        let mut writer = self.state().begin_run_on(snapshot.clone()).await?;
        self.keep(&mut writer, request, prepared, sample)?;
        let mut caps = prepared.guard.day_caps();
        for block in blocks(decisions.len()) {
            let seen = self.seen(prepared, &snapshot, decisions, block.clone()).await?;
            let verdicts = self.consider(prepared, &snapshot, decisions, block).await?;
            let mut records = settle(self, prepared, &snapshot, verdicts, &mut caps);
            for record in &mut records {
                if matches!(record.outcome, Outcome::Queued(_)) {
                    record.outcome = Outcome::Held(HoldReason::BlastRadius);
                }
            }
            writer.push_seen(records, seen).await?;
        }
        let why = limit.to_string();
        record.status = RunStatus::Waiting { why: why.clone() };
        let id = writer.id();
        let (docs, audit) = self.side_effects(request, arm.serves, id, "run.hold")?;
        let record = writer.publish(record, docs, audit).await?.0;
        self.raise("run.blast-radius", &id.to_string(), format!("{}/{}: {why}", request.prefecture, request.policy));
        Ok((record, vec![why]))
    }

    pub(crate) fn after(&self, record: &RunRecord, prepared: &Prepared) {
        let subject = format!("{}/{}", record.prefecture, record.policy);
        if record.interest_misses > 0 {
            let text = format!(
                "{}: {} of {INTEREST_SAMPLE} sampled customers outside the interest of {} would have been chosen; retire this version",
                record.id,
                record.interest_misses,
                prepared.plugin.label()
            );
            self.raise("plugin.interest", &subject, text);
        }
        for warning in prepared.guard.warnings() {
            self.raise("template.unfit", &subject, warning.clone());
        }
        tracing::info!(
            run = %record.id, prefecture = %record.prefecture, policy = %record.policy, customers = record.customers,
            passed = record.passed, decided = record.decided, queued = record.queued, "run.published"
        );
    }
}
