//! Doing a run again: the state of its sequence from the history, everyone decided again with the recorded plugin, parameters, calendar, rules and
//! texts, and every decision and every silence compared. Where the history is gone, what the plugin saw of the decided customers is kept with the
//! decisions: those are decided again, and it is said that silences cannot be. Writes nothing.

mod again;
mod compare;
mod decided;
mod diff;
mod jobs;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use gridbell_engine::Plugin;
use gridbell_model::{AccountNumber, CivilMinute, RunId};
use gridbell_state::{RebuildStep, RunRecord, RunStatus, State, StateError};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

pub use diff::{DiffSample, MAX_DIFF_SAMPLES, RunDiff, RunSide};
pub use jobs::{ReplayState, Replays};

use crate::archive::blocking;
use crate::basis::Recorded;
use crate::error::HostError;
use crate::host::Host;

/// Differences that a report names; all are counted.
pub const MAX_DIFFERENCES: usize = 20;

/// Told how far a replay is: what is being done, and how much of it.
pub type ReplayTold = Arc<dyn Fn(ReplayStep) + Send + Sync>;

/// How far a replay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "doing")]
pub enum ReplayStep {
    /// A base is read.
    ReadingBase {
        /// Its sequence.
        sequence: u64,
    },
    /// The journal is applied.
    ApplyingJournal {
        /// The sequence reached.
        sequence: u64,
        /// The sequence wanted.
        of: u64,
    },
    /// Customers are decided.
    Deciding,
    /// Decisions are compared.
    Comparing {
        /// How many were.
        decisions: u64,
        /// How many there are.
        of: u64,
    },
}

/// What a replay found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReplayReport {
    /// The run.
    pub run: String,
    /// `everyone`, or `decided` where the state of then cannot be rebuilt: silences are not proved then.
    pub proved: Cow<'static, str>,
    /// Why not everyone; empty for everyone.
    pub why: String,
    /// Whether everything that was compared is the same.
    pub same: bool,
    /// The plugin that decided again, and its SHA-256.
    pub plugin: String,
    /// SHA-256 of it.
    pub digest: String,
    /// The sequence of the state.
    pub snapshot: u64,
    /// Customers, or payments, that the run looked at.
    pub customers: u64,
    /// Decisions that were recorded.
    pub decided: u64,
    /// Customers of whom it is proved that they got none.
    pub silent: u64,
    /// Differences.
    pub differences: u64,
    /// The same by kind.
    pub kinds: BTreeMap<Cow<'static, str>, u64>,
    /// The first of them.
    pub first: Vec<ReplayDifference>,
    /// Decisions whose caps came out otherwise: caps count what other runs publish at the same time, so these are no differences.
    pub caps_otherwise: u64,
}

/// Where recorded and replayed differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayDifference {
    /// Whose; none for the run as a whole.
    pub account: Option<AccountNumber>,
    /// The row.
    pub row: u32,
    /// `only-recorded`, `only-replayed`, `decision`, `outcome`, `facts` or `run`.
    pub kind: Cow<'static, str>,
    /// Which fields differ.
    pub fields: Vec<Cow<'static, str>>,
    /// What was recorded.
    pub recorded: Option<Side>,
    /// What came out.
    pub replayed: Option<Side>,
}

/// A decision and its outcome, without anything personal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// The notice's name; its number where the plugin is not there.
    pub notice: String,
    /// Step of the escalation.
    pub step: u8,
    /// The reason, as an office reads it.
    pub reason: String,
    /// First number of the template.
    pub arg0: i64,
    /// Second number of the template.
    pub arg1: i64,
    /// Not before, as the plugin said.
    pub not_before: Option<CivilMinute>,
    /// Worthless after, as the plugin said.
    pub expires: Option<CivilMinute>,
    /// Why it was held, for an office; empty for a message.
    pub held: String,
    /// The message's channel; empty where held.
    pub channel: String,
    /// When the message could go.
    pub send_after: Option<CivilMinute>,
}

impl Host {
    /// Does `run` again and compares. `told` hears how far it is; `stop` ends it.
    ///
    /// # Errors
    /// When there is no such run, it failed or its decisions left for the archives, its plugin is gone, or an earlier program did not keep what it
    /// was made from: the error says which.
    pub async fn replay(
        &self,
        run: RunId,
        told: ReplayTold,
        stop: &CancellationToken,
    ) -> Result<ReplayReport, HostError> {
        let record = self.state().run(run).ok_or(StateError::NoRun(run))?;
        check(&record)?;
        let none = || {
            let text = format!("{run} was made by an earlier program, which did not keep what it was made from");
            HostError::Refused(text)
        };
        let recorded = Recorded::read(self.state(), run)?.ok_or_else(none)?;
        let (host, digest) = (self.clone(), record.digest.clone());
        let plugin = blocking(self.clock(), move || host.plugin_of_digest(&digest)).await?;
        let (host, its, telling, stopping) = (self.clone(), Arc::clone(&record), Arc::clone(&told), stop.clone());
        let then = blocking(self.clock(), move || host.rebuilt(&its, &*telling, &stopping)).await?;
        let mut report = start(&record, &plugin);
        match then {
            Ok(then) => again::everyone(self, &record, &recorded, plugin, then, &told, &mut report).await?,
            Err(why) => {
                (report.proved, report.why) = ("decided".into(), why);
                let (host, its) = (self.clone(), Arc::clone(&record));
                let work =
                    move || again::decided(&host, &its, &recorded, &plugin, &*told, &mut report).map(|()| report);
                report = blocking(self.clock(), work).await?;
            }
        }
        report.same = report.differences == 0;
        Ok(report)
    }

    /// The state that `run` read; or why it cannot be had.
    fn rebuilt(
        &self,
        run: &RunRecord,
        told: &(dyn Fn(ReplayStep) + Send + Sync),
        stop: &CancellationToken,
    ) -> Result<Result<State, String>, HostError> {
        let mut progress = |step| {
            told(match step {
                RebuildStep::Base(sequence) => ReplayStep::ReadingBase { sequence },
                RebuildStep::Groups(sequence) => ReplayStep::ApplyingJournal { sequence, of: run.snapshot },
            });
            if stop.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        match self.state().rebuild(run.prefecture, run.snapshot, &mut progress) {
            Ok(state) => Ok(Ok(state)),
            Err(e @ (StateError::HistoryGone { .. } | StateError::HistoryFile { .. })) => Ok(Err(e.to_string())),
            Err(e) => Err(e.into()),
        }
    }

    /// The state that `run` read, where the history has it.
    pub(crate) fn state_then(&self, run: &RunRecord) -> Result<Option<State>, HostError> {
        Ok(self.rebuilt(run, &|_| (), &CancellationToken::new())?.ok())
    }
}

fn check(record: &RunRecord) -> Result<(), HostError> {
    if let RunStatus::Failed { error } = &record.status {
        return Err(HostError::Refused(format!("{} failed and decided nothing: {error}", record.id)));
    }
    if record.is_samples() {
        let text = format!("{} is a pilot's samples, which decided for nobody: there is no run to do again", record.id);
        return Err(HostError::Refused(text));
    }
    if record.is_answers() {
        let text =
            format!("{} is answers to what customers wrote: no policy decided, there is no run to do again", record.id);
        return Err(HostError::Refused(text));
    }
    if let Some(first) = record.hop_of() {
        let text = format!("{} is next hops of messages that {first} decided: do that run again instead", record.id);
        return Err(HostError::Refused(text));
    }
    if record.is_correction() {
        let text = format!("{} is a correction, which people decided: there is no plugin's run to do again", record.id);
        return Err(HostError::Refused(text));
    }
    if record.is_archived() {
        let text = format!(
            "the decisions of {} left for the archives: find them with `gridbell archive search`, with what the plugin saw",
            record.id
        );
        return Err(HostError::Refused(text));
    }
    Ok(())
}

fn start(record: &RunRecord, plugin: &Plugin) -> ReplayReport {
    ReplayReport {
        run: record.id.to_string(),
        proved: "everyone".into(),
        why: String::new(),
        same: false,
        plugin: plugin.label().to_owned(),
        digest: record.digest.clone(),
        snapshot: record.snapshot,
        customers: record.customers,
        decided: record.decided,
        silent: 0,
        differences: 0,
        kinds: BTreeMap::new(),
        first: Vec::new(),
        caps_otherwise: 0,
    }
}
