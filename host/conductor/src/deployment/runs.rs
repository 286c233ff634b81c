//! A policy's run over the versions that are deployed: pilot and canary for their customers, the live version for everybody else, each a run of its
//! own so that its record says which version decided. The live one comes last and serves the schedule's occurrence: cut off before it, the
//! occurrence is run again, and nobody is told twice.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gridbell_engine::RunError;
use gridbell_model::PrefectureCode;
use gridbell_planner::{OnFailure, Policy};
use gridbell_state::RunStatus;

use super::{Arm, Deployment, KeptShare, Part, key};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{RunRequest, RunSummary, RunTrigger};

/// How often a run begins again because the deployment changed under it.
const MAX_SWITCHES: usize = 4;
/// How the records of their runs begin.
const CANARY: &str = "canary";
const PILOT: &str = "pilot";

/// Removes a run from those under way, however it ends.
struct Running<'a>(&'a Host, PrefectureCode);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.under_way().end(self.1);
    }
}

impl Host {
    /// Runs a policy by every version that sends for it. The summary is the live version's.
    pub(crate) async fn run_deployed(&self, request: &RunRequest) -> Result<RunSummary, HostError> {
        for _ in 0..MAX_SWITCHES {
            let stop = self.under_way().begin(request.prefecture, &request.policy);
            let _running = Running(self, request.prefecture);
            let policy = self.policy(request.prefecture, &request.policy)?;
            match self.run_arms(request, &policy, stop).await {
                // Somebody rolled it back: what is live now decides, over customers to whom the bad version has said nothing any more.
                Err(HostError::Run(RunError::Stopped)) => self.take_back_before(request).await?,
                done => return done,
            }
        }
        let text = format!("the version of policy `{}` changed {MAX_SWITCHES} times under this run", request.policy);
        Err(HostError::Refused(text))
    }

    async fn run_arms(
        &self,
        request: &RunRequest,
        policy: &Policy,
        stop: Arc<AtomicBool>,
    ) -> Result<RunSummary, HostError> {
        let deployment = self.deployment(request.prefecture, &policy.name)?.map(|(_, d)| d);
        let key = key(request.prefecture, &policy.name);
        // A run that waited is released alone: the others of its occurrence had theirs.
        let waited = request.release_of.and_then(|id| self.state().run(id));
        let only = waited.as_ref().map(|r| r.digest.clone());
        let instant = self.shadow_instant(request, deployment.as_ref());
        let (mut taken, mut released) = (Vec::new(), None);
        // Samples go with the pilot's own run, once: not while that waits for a person, and not again when another one is released.
        let mut sampled = false;
        if let Some(d) = deployment.as_ref().filter(|d| d.divides() && request.trigger != RunTrigger::Payments) {
            for (digest, words, part) in shares(d) {
                let Ok(plugin) = self.usable_plugin(policy, &digest) else { continue };
                if only.as_ref().is_some_and(|only| *only != digest) {
                    taken.push(part);
                    continue;
                }
                let share = KeptShare { key: key.clone(), only: Some(part.clone()), but: Vec::new() };
                let stop = Arc::clone(&stop);
                let of_pilot = words == PILOT && waited.as_ref().is_none_or(|waited| waited.scope == PILOT);
                let arm = Arm { plugin, share: Some(share), words, serves: false, last: false, stop };
                match self.run_arm(request, &arm).await {
                    Ok(summary) => {
                        sampled |= of_pilot && summary.record.status == RunStatus::Published;
                        taken.push(part);
                        released = only.is_some().then_some(summary);
                    }
                    // Its customers are the live version's; the author is told.
                    Err(HostError::Run(RunError::Guest(_))) if only.is_none() => {}
                    Err(e) => return Err(e),
                }
            }
        }
        if let Some(summary) = released {
            if let (true, Some(instant), Some(d)) = (sampled, instant, &deployment) {
                self.sample_released(request, policy, d, instant).await;
            }
            return Ok(summary);
        }
        if let (Some(only), Some(d)) = (&only, &deployment)
            && d.live != *only
        {
            let text = "the version that this run was decided by decides no more: refuse it and start it again";
            return Err(HostError::Refused(text.to_owned()));
        }
        let done = self.run_live(request, policy, deployment.as_ref(), taken, stop).await?;
        if let (Some(instant), Some(d)) = (instant, &deployment) {
            self.let_shadows_decide(request, policy, d, instant, sampled).await;
        }
        Ok(done)
    }

    /// The live version for everybody but `taken`; where it fails and the policy says so, the one before it.
    async fn run_live(
        &self,
        request: &RunRequest,
        policy: &Policy,
        deployment: Option<&Deployment>,
        taken: Vec<Part>,
        stop: Arc<AtomicBool>,
    ) -> Result<RunSummary, HostError> {
        let key = key(request.prefecture, &policy.name);
        let share = (!taken.is_empty()).then(|| KeptShare { key: key.clone(), only: None, but: taken });
        let before = deployment.filter(|_| policy.on_failure == OnFailure::LastGood).and_then(|d| {
            let digest = d.last_good.as_ref()?;
            self.usable_plugin(policy, digest).ok()
        });
        let live = match self.live_plugin(request.prefecture, policy) {
            Ok(live) => live,
            // Retired, most likely: the one before decides, and an alarm said so.
            Err(e) => before.clone().ok_or(e)?,
        };
        let next = before.filter(|p| p.digest() != live.digest());
        let arm = Arm { plugin: live, share, words: String::new(), serves: true, last: next.is_none(), stop };
        match (self.run_arm(request, &arm).await, next) {
            (Err(HostError::Run(RunError::Guest(_))), Some(next)) => {
                let text = format!("{} failed; {} decided instead", arm.plugin.label(), next.label());
                self.raise("plugin.fell-back", &key, text);
                self.run_arm(request, &Arm { plugin: next, last: true, ..arm }).await
            }
            (done, _) => done,
        }
    }
}

/// The parts of pilot and canary: digest, words for the run's record, customers.
fn shares(deployment: &Deployment) -> Vec<(String, String, Part)> {
    let pilot = deployment.pilot.as_ref().map(|p| (p.digest.clone(), PILOT.to_owned(), Part::pilot(p)));
    let canary = deployment.canary.as_ref().map(|c| {
        let part = Part::canary(c, deployment.pilot.as_ref());
        (c.digest.clone(), format!("{CANARY} {} %", c.percent), part)
    });
    pilot.into_iter().chain(canary).collect()
}

/// Whether these words of a run's scope are those of a canary's or pilot's whole share, so that it can be released.
pub(crate) fn is_share(scope: &str) -> bool {
    !scope.contains(',') && (scope == PILOT || scope.starts_with(CANARY))
}
