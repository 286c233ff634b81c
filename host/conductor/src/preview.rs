//! A dry run: whom a policy would reach now, with the exact texts. Writes nothing.

use std::sync::Arc;

use gridbell_contract::Manifest;
use gridbell_model::{AccountNumber, CivilMinute, HoldReason, RunId};
use gridbell_planner::BlastVerdict;
use gridbell_state::{DecisionRecord, Outcome, RunStatus};
use serde::Serialize;

use crate::error::HostError;
use crate::host::Host;
use crate::runs::{RunRequest, RunSummary, blocks};
use crate::settle::settle;

/// Customers that a dry run lists.
pub const MAX_PREVIEW: usize = 1_000;

/// One customer that a dry run would reach or hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PreviewRow {
    /// 户号
    pub account: AccountNumber,
    /// Name of the notice.
    pub notice: String,
    /// Step of the escalation.
    pub step: u8,
    /// The policy's reason, as an office reads it.
    pub reason: String,
    /// Why it would be held; none when it would be sent.
    pub held: Option<HoldReason>,
    /// The exact text; none when held.
    pub text: Option<String>,
    /// When it would go; none when held.
    pub send_after: Option<CivilMinute>,
}

impl Host {
    pub(crate) async fn dry_run(&self, request: &RunRequest) -> Result<RunSummary, HostError> {
        let started = self.clock().now();
        let snapshot = self
            .state()
            .snapshot(request.prefecture)
            .ok_or(gridbell_state::StateError::NoPrefecture(request.prefecture))?;
        let prepared = Arc::new(self.prepare(request, &snapshot)?);
        let mut record = self.record(request, &prepared, started);
        let evaluation = self.evaluate(&prepared, &snapshot, RunId(snapshot.seq())).await?;
        let decisions = Arc::new(evaluation.decisions);
        let mut caps = prepared.guard.day_caps();
        let mut preview = Vec::new();
        (record.passed, record.customers) = (evaluation.passed as u64, u64::from(snapshot.rows()));
        record.snapshot = snapshot.seq();
        for block in blocks(decisions.len()) {
            let verdicts = self.consider(&prepared, &snapshot, &decisions, block).await?;
            for d in settle(self, &prepared, &snapshot, verdicts, &mut caps) {
                record.decided += 1;
                if let Outcome::Held(why) = &d.outcome {
                    *record.held.entry(*why).or_default() += 1;
                }
                if let Outcome::Queued(m) = &d.outcome {
                    record.queued += 1;
                    record.parts += u64::from(m.parts);
                    record.cost_milli_fen += u64::from(m.cost_milli_fen);
                }
                if preview.len() < MAX_PREVIEW {
                    preview.push(preview_row(prepared.plugin.manifest(), d));
                }
            }
        }
        let mut warnings = prepared.guard.warnings().to_vec();
        if let hold @ BlastVerdict::Hold { limit, .. } = self.reach_limit(request, &prepared, &record.scope)
            && record.queued > limit
        {
            warnings.push(hold.to_string());
            record.status = RunStatus::Waiting { why: hold.to_string() };
        }
        Ok(RunSummary { record, preview, warnings })
    }
}

fn preview_row(manifest: &Manifest, d: DecisionRecord) -> PreviewRow {
    let (held, text, send_after) = match d.outcome {
        Outcome::Held(why) => (Some(why), None, None),
        Outcome::Queued(m) => (None, Some(m.text), Some(m.send_after)),
    };
    PreviewRow {
        account: d.account,
        notice: manifest.notices().get(usize::from(d.notice)).map(|n| n.name.clone()).unwrap_or_default(),
        step: d.step,
        reason: manifest.reasons().get(usize::from(d.reason)).map(|r| r.title.clone()).unwrap_or_default(),
        held,
        text,
        send_after,
    }
}
