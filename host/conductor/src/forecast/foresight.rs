//! What a policy will say to one account in the days to come, and why it will be silent: the same simulation over one row.

use gridbell_model::{AccountNumber, Channel, CivilMinute, HoldReason, PrefectureCode};
use gridbell_planner::RunScope;
use serde::{Deserialize, Serialize};

use super::ask::{Candidate, MAX_PREVIEW_DAYS};
use super::candidate::Deciding;
use super::gate::Control;
use super::preview::text_of;
use super::simulation::Simulation;
use super::stage::{Setting, Stage};
use crate::error::HostError;
use crate::host::Host;

/// A question about one account.
#[derive(Clone, Debug)]
pub struct ForeseeRequest {
    /// Where.
    pub prefecture: PrefectureCode,
    /// Name of the policy.
    pub policy: String,
    /// What would be live instead; nothing for the live policy.
    pub candidate: Candidate,
    /// Who.
    pub account: AccountNumber,
    /// From when on; now if left out.
    pub at: Option<CivilMinute>,
    /// How many days, 1 to 31.
    pub days: u8,
}

/// A message that will go, if nothing is paid, billed or computed otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeseenMessage {
    /// The run that decides it.
    pub decided_at: CivilMinute,
    /// When it may first go.
    pub send_after: CivilMinute,
    /// From when on it is worthless.
    pub expires: CivilMinute,
    /// Name of the notice.
    pub notice: String,
    /// Step of the escalation.
    pub step: u8,
    /// The policy's reason, as an office reads it.
    pub reason: String,
    /// Where it goes.
    pub channel: Channel,
    /// Parts.
    pub parts: u8,
    /// Cost in 1/1000 fen.
    pub cost_milli_fen: u32,
    /// The exact text.
    pub text: String,
}

/// Runs one after another that say nothing for the same reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// The first of them.
    pub from: CivilMinute,
    /// The last of them.
    pub to: CivilMinute,
    /// How many.
    pub runs: u32,
    /// The policy's reason, as an office reads it.
    pub reason: String,
    /// The guardrail that would hold what the policy wants to say; none where the policy is silent.
    pub held: Option<HoldReason>,
}

/// What a policy will say to one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foresight {
    /// Messages, in order.
    pub messages: Vec<ForeseenMessage>,
    /// Why it is silent in between, in order.
    pub silences: Vec<Silence>,
}

impl Host {
    /// What `request`'s policy will say to its account and when, or why nothing: as [`Host::preview_policy`] would have it, for one row.
    ///
    /// # Errors
    /// When there is no such account in the prefecture, no such policy, or the plugin fails.
    pub async fn foresee(&self, request: ForeseeRequest) -> Result<Foresight, HostError> {
        let host = self.clone();
        let work = move || host.foresee_now(&request);
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
    }

    fn foresee_now(&self, request: &ForeseeRequest) -> Result<Foresight, HostError> {
        let prefecture = request.prefecture;
        let row = match self.state().find(request.account) {
            Some((found, row)) if found == prefecture => row,
            _ => {
                let text = format!("prefecture `{prefecture}` has no account `{}`", request.account);
                return Err(HostError::Invalid(text));
            }
        };
        debug_assert!(request.days <= MAX_PREVIEW_DAYS, "`horizon` refuses more");
        let (settings, horizon) = (self.settings()?, self.horizon(request.at, Some(request.days))?);
        let snapshot = self.state().snapshot(prefecture).ok_or(gridbell_state::StateError::NoPrefecture(prefecture))?;
        let Deciding { policy, plugin } = self.compared(prefecture, &request.policy, &request.candidate)?.candidate;
        let scope = RunScope::default();
        let setting = Setting { prefecture, scope: &scope, settings: &settings, snapshot: &snapshot, horizon };
        let stage = Stage::new(self, policy, plugin, &setting)?;
        let (control, mut foresight) = (Control::default(), Foresight::default());
        let mut simulation = Simulation::new(self, &stage, &snapshot);
        for n in 0..stage.occurrences.len() {
            let occurrence = stage.occurrences[n];
            // Rows of payments are others than the customers'; a run of them is not about one account's future.
            if stage.bases[occurrence.base].prepared.payments.is_some() {
                continue;
            }
            let (before, mut held) = (simulation.side.messages.len(), None);
            let run = stage.run(n, simulation.previous())?;
            let silent = self.engine().explain(&stage.plugin, &run, simulation.at(n), &[row])?;
            simulation.step(n, Some(vec![row]), &control, &mut |m, why| held = Some((m.reason, why)))?;
            let title = |reason: u16| {
                stage.plugin.manifest().reasons().get(usize::from(reason)).map(|r| r.title.clone()).unwrap_or_default()
            };
            match simulation.side.messages.get(before) {
                Some(message) => {
                    let manifest = stage.plugin.manifest();
                    let notice = manifest.notices().get(usize::from(message.notice)).map(|n| n.name.clone());
                    foresight.messages.push(ForeseenMessage {
                        decided_at: occurrence.at,
                        send_after: message.send_after(),
                        expires: message.expires(),
                        notice: notice.unwrap_or_default(),
                        step: message.step,
                        reason: title(message.reason),
                        channel: message.channel,
                        parts: message.parts,
                        cost_milli_fen: message.cost_milli_fen,
                        text: text_of(self, &stage, &snapshot, &settings, message).unwrap_or_default(),
                    });
                }
                None => {
                    let reason = held.map_or_else(|| silent.first().copied().unwrap_or(0), |(reason, _)| reason);
                    foresight.silent(occurrence.at, title(reason), held.map(|(_, why)| why));
                }
            }
        }
        Ok(foresight)
    }
}

impl Foresight {
    fn silent(&mut self, at: CivilMinute, reason: String, held: Option<HoldReason>) {
        let after_message = self.messages.last().map(|m| m.decided_at);
        match self.silences.last_mut() {
            Some(s) if s.reason == reason && s.held == held && after_message.is_none_or(|m| m < s.from) => {
                (s.to, s.runs) = (at, s.runs + 1);
            }
            _ => self.silences.push(Silence { from: at, to: at, runs: 1, reason, held }),
        }
    }
}
