//! Rollback: the version before decides from the next batch on, and what the bad one queued and has not left is taken back. Killed in the middle, it
//! goes on at the next start; done twice, it changes nothing.

use std::collections::BTreeSet;

use gridbell_model::{Moment, PrefectureCode, RunId};
use gridbell_state::{RunRecord, RunStatus};
use serde::{Deserialize, Serialize};

use super::{Deployment, fits, key};
use crate::documents::{self, DEPLOYMENT, ROLLBACK, note};
use crate::error::HostError;
use crate::host::Host;
use crate::runs::RunRequest;

/// Runs that a rollback looks back on: a message is valid for 31 days at most, and policies run a few times a day.
const MAX_RUNS: usize = 4_096;

/// A rollback that somebody wants.
#[derive(Clone, Debug)]
pub struct RollbackOrder {
    /// Where.
    pub prefecture: PrefectureCode,
    /// The policy's name.
    pub policy: String,
    /// The version to go to; none for the one before: the live one where a canary or pilot is under way, else the last good one.
    pub to: Option<String>,
    /// Why.
    pub why: String,
    /// Who.
    pub who: String,
}

/// A rollback as it is kept until the next one: what is still to be taken back, and what was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecallRecord {
    /// Where.
    pub prefecture: PrefectureCode,
    /// The policy's name.
    pub policy: String,
    /// Digests of the versions whose messages are taken back.
    pub bad: Vec<String>,
    /// Digest of the version that decides now.
    pub to: String,
    /// Why.
    pub why: String,
    /// Who.
    pub who: String,
    /// When.
    pub at: Moment,
    /// Whether everything was taken back.
    pub done: bool,
    /// Messages that were taken back.
    pub recalled: u64,
    /// Messages that had left: with a carrier, or in a link's hands.
    pub left: u64,
    /// Samples to test numbers that were taken back: no customer's messages, and counted in neither.
    #[serde(default)]
    pub samples: u64,
}

/// Runs of which a rollback takes back what waits.
#[derive(Clone, Default)]
struct Recalled {
    /// Whose messages go to customers.
    customers: BTreeSet<RunId>,
    /// Whose messages go to test numbers.
    samples: BTreeSet<RunId>,
}

impl Recalled {
    fn all(&self) -> BTreeSet<RunId> {
        self.customers.union(&self.samples).copied().collect()
    }
}

/// What a rollback came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// Versions that no longer decide.
    pub from: Vec<String>,
    /// The version that decides now.
    pub to: String,
    /// Messages that were taken back.
    pub recalled: u64,
    /// Messages that had left.
    pub left: u64,
    /// Samples to test numbers that were taken back, in neither of the other counts.
    #[serde(default)]
    pub samples: u64,
}

impl Host {
    /// Goes back to a version: it decides from the next batch of a run under way on, and what the others queued and has not left never goes. Less
    /// goes out by it, so nobody else is asked.
    ///
    /// # Errors
    /// When there is no version to go to.
    pub async fn rollback(&self, order: &RollbackOrder) -> Result<RolledBack, HostError> {
        let policy = self.policy(order.prefecture, &order.policy)?;
        let key = key(order.prefecture, &order.policy);
        let Some((expected, old)) = self.deployment(order.prefecture, &order.policy)? else {
            return Err(HostError::Refused(format!(
                "policy `{key}` has had one version only: there is nothing to go back to"
            )));
        };
        let catalog = self.catalog();
        let usable = |digest: &str| catalog.usable(digest).is_some_and(|p| fits(&policy, p));
        let to = match &order.to {
            Some(reference) => self.version(reference)?.digest,
            None if old.canary.is_some() || old.pilot.is_some() => old.live.clone(),
            None => old.last_good.clone().ok_or_else(|| {
                HostError::Refused(format!("policy `{key}` has no version before the live one; name one with `to`"))
            })?,
        };
        if !usable(&to) {
            let label = self.version(&to).map_or(to.clone(), |r| format!("{} ({})", r.label(), r.stage.word()));
            return Err(HostError::NotUsable { policy: order.policy.clone(), version: label });
        }
        let now = self.clock().now();
        let sending = [Some(&old.live), old.canary.as_ref().map(|c| &c.digest), old.pilot.as_ref().map(|p| &p.digest)];
        let bad: BTreeSet<String> = sending.into_iter().flatten().filter(|d| **d != to).cloned().collect();
        let mut new = Deployment {
            live: to.clone(),
            last_good: old.last_good.clone().filter(|d| *d != to),
            canary: None,
            pilot: None,
            by: order.who.clone(),
            at: now,
            why: order.why.clone(),
            ..old.clone()
        };
        new.remember_numbers(&old, now);
        let job = RecallRecord {
            prefecture: order.prefecture,
            policy: order.policy.clone(),
            bad: bad.iter().cloned().collect(),
            to: to.clone(),
            why: order.why.clone(),
            who: order.who.clone(),
            at: now,
            done: false,
            recalled: 0,
            left: 0,
            samples: 0,
        };
        let mut docs =
            vec![documents::put(DEPLOYMENT, &key, &new, Some(expected))?, documents::put(ROLLBACK, &key, &job, None)?];
        docs.extend(self.stages_of(&key, &old, &new, &order.who, &order.why)?);
        let detail = serde_json::json!({ "bad": bad, "to": to, "why": order.why });
        self.state().put_docs(docs, vec![note(&order.who, "policy.rollback", &key, detail)]).await?;
        // From here on it holds, whatever happens to this process.
        self.under_way().stop(order.prefecture, &order.policy);
        let done = self.recall_job(job).await?;
        let label = |digest: &String| self.version(digest).map_or_else(|_| digest.clone(), |r| r.label());
        Ok(RolledBack {
            from: done.bad.iter().map(label).collect(),
            to: label(&done.to),
            recalled: done.recalled,
            left: done.left,
            samples: done.samples,
        })
    }

    /// Goes on with rollbacks that a restart cut off. Call it once, when the host serves.
    ///
    /// # Errors
    /// When the state refuses.
    pub async fn resume_rollbacks(&self) -> Result<(), HostError> {
        for (key, doc) in self.state().docs(ROLLBACK) {
            let job: RecallRecord = documents::parse(ROLLBACK, &key, &doc.value)?;
            if !job.done {
                self.recall_job(job).await?;
            }
        }
        Ok(())
    }

    /// The last rollback of a policy; none if there was none.
    ///
    /// # Errors
    /// When what is stored cannot be read.
    pub fn last_rollback(&self, prefecture: PrefectureCode, policy: &str) -> Result<Option<RecallRecord>, HostError> {
        Ok(documents::read(self.state(), ROLLBACK, &key(prefecture, policy))?.map(|(_, job)| job))
    }

    /// Takes back what the version before a rollback queued, where that is not done yet: whom a run that begins now would find told was not.
    pub(super) async fn take_back_before(&self, request: &RunRequest) -> Result<(), HostError> {
        match self.last_rollback(request.prefecture, &request.policy)?.filter(|job| !job.done) {
            Some(job) => self.recall_of(&self.recalled_runs(&job).all()).await,
            None => Ok(()),
        }
    }

    /// Takes back what the bad versions queued: at once, and again when the run under way, which may have been publishing, has ended.
    async fn recall_job(&self, mut job: RecallRecord) -> Result<RecallRecord, HostError> {
        self.recall_of(&self.recalled_runs(&job).all()).await?;
        {
            let lock = self.run_lock(job.prefecture);
            let _none_under_way = lock.lock().await;
        }
        let runs = self.recalled_runs(&job);
        self.recall_of(&runs.all()).await?;
        let (host, counted) = (self.clone(), runs.clone());
        // Samples that an earlier end of a pilot took back are not this rollback's.
        let since = job.at;
        let work =
            move || Ok((host.count_recalled(&counted.customers)?, host.samples_recalled(&counted.samples, since)?));
        let counted: Result<_, HostError> =
            self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?;
        ((job.recalled, job.left), job.samples) = counted?;
        job.done = true;
        let key = key(job.prefecture, &job.policy);
        let doc = documents::put(ROLLBACK, &key, &job, None)?;
        let detail = serde_json::json!({
            "recalled": job.recalled, "left": job.left, "samples": job.samples, "runs": runs.customers.len(),
        });
        self.state().put_docs(vec![doc], vec![note(&job.who, "policy.recalled", &key, detail)]).await?;
        Ok(job)
    }

    /// What is to be taken back: everything that a bad version decided for the policy, before the rollback and since, and the samples of its
    /// pilots, of whichever version: there is none after a rollback.
    fn recalled_runs(&self, job: &RecallRecord) -> Recalled {
        let bad = |r: &RunRecord| {
            r.prefecture == job.prefecture
                && r.policy == job.policy
                && r.status == RunStatus::Published
                && r.queued > 0
                // Apologies for what it sent are right, whoever decided what they correct.
                && !r.is_correction()
                && (r.is_samples() || job.bad.contains(&r.digest))
        };
        let mut runs = Recalled::default();
        for run in self.state().runs(None, MAX_RUNS, bad) {
            if run.is_samples() { &mut runs.samples } else { &mut runs.customers }.insert(run.id);
        }
        runs
    }

    /// Takes back what waits of these runs and of their messages' next channels.
    pub(super) async fn recall_of(&self, runs: &BTreeSet<RunId>) -> Result<(), HostError> {
        let runs = self.end_hops(runs.clone()).await?;
        self.take_back(&|m| runs.contains(&m.run)).await?;
        Ok(())
    }

    /// How many messages of these runs were taken back, and how many had left.
    fn count_recalled(&self, runs: &BTreeSet<RunId>) -> Result<(u64, u64), HostError> {
        let (mut recalled, mut left) = (0, 0);
        for run in runs {
            let states = self.state().recall_states(*run)?;
            recalled += states.recalled;
            left += states.left;
        }
        Ok((recalled, left))
    }

    /// How many of these samples were taken back at `since` or after.
    fn samples_recalled(&self, runs: &BTreeSet<RunId>, since: Moment) -> Result<u64, HostError> {
        let of = |run: &RunId| Ok(self.state().recall_states_since(*run, since)?.recalled);
        runs.iter().map(of).sum()
    }
}
