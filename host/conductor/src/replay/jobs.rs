//! Replays that the API starts: one at a time, their progress and the last results. In memory only; a replay writes nothing.

use std::collections::VecDeque;

use gridbell_model::RunId;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{ReplayReport, ReplayStep};
use crate::error::HostError;
use crate::host::Host;

/// Results that are remembered.
const MAX_RESULTS: usize = 32;

/// How a replay stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ReplayState {
    /// It goes on.
    Running {
        /// What it does; none before its first step.
        progress: Option<ReplayStep>,
    },
    /// It is done.
    Done {
        /// What it found.
        report: Box<ReplayReport>,
    },
    /// It could not be done.
    Failed {
        /// Why.
        error: String,
    },
}

/// The replays of a host.
#[derive(Default)]
pub struct Replays(Mutex<Jobs>);

#[derive(Default)]
struct Jobs {
    running: Option<(RunId, CancellationToken)>,
    states: VecDeque<(RunId, ReplayState)>,
}

impl Replays {
    /// How the replay of `run` stands; none when none was started, or it was long ago.
    #[must_use]
    pub fn state(&self, run: RunId) -> Option<ReplayState> {
        self.0.lock().states.iter().rev().find(|(r, _)| *r == run).map(|(_, s)| s.clone())
    }

    fn begin(&self, run: RunId) -> Result<CancellationToken, HostError> {
        let mut jobs = self.0.lock();
        if let Some((other, _)) = &jobs.running {
            return Err(HostError::Busy(format!(
                "{other} is being replayed; wait for it or cancel it (正在重放 {other})"
            )));
        }
        let stop = CancellationToken::new();
        jobs.running = Some((run, stop.clone()));
        jobs.states.retain(|(r, _)| *r != run);
        jobs.states.push_back((run, ReplayState::Running { progress: None }));
        if jobs.states.len() > MAX_RESULTS {
            jobs.states.pop_front();
        }
        Ok(stop)
    }

    fn set(&self, run: RunId, state: ReplayState) {
        let mut jobs = self.0.lock();
        if !matches!(state, ReplayState::Running { .. }) {
            jobs.running = None;
        }
        if let Some((_, its)) = jobs.states.iter_mut().rev().find(|(r, _)| *r == run) {
            *its = state;
        }
    }

    /// Ends the replay of `run`; whether one was going on.
    pub fn cancel(&self, run: RunId) -> bool {
        let jobs = self.0.lock();
        let running = jobs.running.as_ref().filter(|(r, _)| *r == run);
        if let Some((_, stop)) = running {
            stop.cancel();
        }
        running.is_some()
    }
}

impl Host {
    /// Begins a replay of `run` beside everything that goes on; [`Replays::state`] tells how it stands.
    ///
    /// # Errors
    /// When there is no such run, or another is being replayed.
    pub fn start_replay(&self, run: RunId) -> Result<ReplayState, HostError> {
        self.state().run(run).ok_or(gridbell_state::StateError::NoRun(run))?;
        let stop = self.replays().begin(run)?;
        let host = self.clone();
        tokio::spawn(async move {
            let telling = host.clone();
            let told = move |step| telling.replays().set(run, ReplayState::Running { progress: Some(step) });
            let ended = match host.replay(run, std::sync::Arc::new(told), &stop).await {
                Ok(report) => ReplayState::Done { report: Box::new(report) },
                Err(_) if stop.is_cancelled() => {
                    ReplayState::Failed { error: "it was cancelled (已取消)".to_owned() }
                }
                Err(e) => ReplayState::Failed { error: e.to_string() },
            };
            host.replays().set(run, ended);
        });
        Ok(ReplayState::Running { progress: None })
    }
}
