//! A pilot's samples: of what it would tell customers outside its stations, a few of each run go to the office's test numbers, with the customer's real
//! text and a mark in front. The customer is told nothing by them. What goes wrong here disturbs no run.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_engine::Digest;
use gridbell_model::{AccountNumber, Channel, Decision, PrefectureCode, RunId};
use gridbell_planner::Verdict;
use gridbell_state::{DecisionRecord, Outcome, RunRecord, RunStatus};

use super::shadow::{Instant, Would};
use super::{Deployment, Pilot, test_number};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::RunRequest;
use crate::settle::message;
use crate::ways::Ways;

/// Samples of one run at most: what a person reads with a cup of tea.
pub const SAMPLES_PER_RUN: usize = 20;
/// In front of every sample's text, before the signature.
pub const SAMPLE_MARK: &str = "【试点样张】";
/// In the records of samples, in the place of a run's scope.
pub(crate) const SAMPLES: &str = "pilot samples";
/// Records of samples that an end of a pilot looks back on: a message is valid for 31 days at most.
const MAX_RECORDS: usize = 4_096;

impl Host {
    /// Queues what `would` has outside the pilot's stations to its test numbers, in turn.
    pub(super) async fn queue_samples(
        &self,
        request: &RunRequest,
        pilot: &Pilot,
        instant: &Instant,
        would: &Would,
    ) -> Result<(), HostError> {
        if pilot.test_numbers.is_empty() || would.sends.is_empty() {
            return Ok(());
        }
        let started = self.clock().now();
        let mut writer = self.state().begin_samples(request.prefecture).await?;
        let decisions = Arc::new(drawn(writer.id(), would));
        let judged = self.consider(&would.prepared, &instant.snapshot, &decisions, 0..decisions.len()).await?;
        let (queues, prepared) = (self.queues(), &would.prepared);
        let ways = Ways::new(&prepared.settings.segments, instant.snapshot.ported(), &queues);
        let mut numbers = pilot.test_numbers.iter().cycle();
        let mut records = Vec::new();
        for (decision, view, verdict) in judged {
            let Verdict::Queue(mut planned) = verdict else { continue };
            let marked = planned.text.marked(SAMPLE_MARK).filter(|_| planned.channel == Channel::Sms);
            let Some((text, number)) = marked.and_then(|text| Some((text, numbers.next()?))) else { continue };
            (planned.text, planned.phone) = (text, number.phone());
            let outcome = match ways.of(&planned, decision.row) {
                Ok(queue) => Outcome::Queued(Box::new(message(*planned, &view, prepared.policy.topic, queue))),
                Err(why) => Outcome::Held(why),
            };
            records.push(DecisionRecord::new(&decision, view.account, outcome));
        }
        if records.is_empty() {
            return Ok(());
        }
        writer.push(records).await?;
        let mut record = self.record(request, prepared, started);
        SAMPLES.clone_into(&mut record.scope);
        writer.publish(record, Vec::new(), Vec::new()).await?;
        Ok(())
    }

    /// Takes back samples that wait, of a pilot that is `old`'s and not `new`'s. What a crash leaves is cancelled at the last look.
    pub(super) async fn recall_samples(
        &self,
        prefecture: PrefectureCode,
        policy: &str,
        old: &Deployment,
        new: &Deployment,
    ) -> Result<(), HostError> {
        if old.pilot == new.pilot || old.pilot.is_none() {
            return Ok(());
        }
        let of = |r: &RunRecord| {
            r.is_samples() && r.prefecture == prefecture && r.policy == policy && r.status == RunStatus::Published
        };
        self.recall_of(&self.state().runs(None, MAX_RECORDS, of).iter().map(|r| r.id).collect()).await
    }

    /// Whether a sample of `run` to `number` may still go: the pilot is the one that it was made for, and the number its test number.
    pub(crate) fn sample_goes(&self, run: &RunRecord, number: u64) -> bool {
        let Ok(Some((_, deployment))) = self.deployment(run.prefecture, &run.policy) else { return false };
        let pilot = deployment.pilot.filter(|pilot| pilot.digest == run.digest);
        pilot.is_some_and(|pilot| pilot.test_numbers.iter().any(|n| n.phone().number() == number))
    }

    /// Whether `number` is a test number of some pilot, or was one not long ago: what it answers is about samples and changes no account.
    pub(crate) fn is_test_number(&self, number: u64) -> bool {
        let now = self.clock().now();
        self.deployments().iter().any(|(_, deployment)| test_number::answers(deployment, number, now))
    }
}

/// The decisions that are sampled in the run of this number, in order of row: those whose hash with it is least.
fn drawn(run: RunId, would: &Would) -> Vec<Decision> {
    let rank = |account: AccountNumber| {
        let mut bytes = run.0.to_le_bytes().to_vec();
        bytes.extend_from_slice(&account.packed().to_le_bytes());
        *Digest::of(&bytes).as_bytes()
    };
    let mut least: BTreeMap<[u8; 32], u32> = BTreeMap::new();
    for (row, sends) in would.sends.iter().filter(|(_, s)| s.is_sms()) {
        least.insert(rank(sends.account()), *row);
        if least.len() > SAMPLES_PER_RUN {
            least.pop_last();
        }
    }
    let mut rows: Vec<u32> = least.into_values().collect();
    rows.sort_unstable();
    rows.iter().filter_map(|row| would.decisions.get(row).copied()).collect()
}
