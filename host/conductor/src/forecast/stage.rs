//! One policy made ready for a horizon: when it runs, by what, and with which guardrails.

use gridbell_contract::{Fact, Run, fact};
use gridbell_engine::Plugin;
use gridbell_model::{CivilMinute, Date, Initiator, PrefectureCode};
use gridbell_planner::{BlastVerdict, Event, Guard, Policy, RunScope};
use gridbell_state::Snapshot;

use super::simulation::MAX_PREVIEW_RUNS;
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{Basis, Prepared, RunRequest, RunTrigger};
use crate::settings::Settings;

/// The time that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Horizon {
    /// Its first minute.
    pub(crate) from: CivilMinute,
    /// The minute behind its last; as `from` for one run at that moment.
    pub(crate) until: CivilMinute,
    /// The day for which the snapshot's facts are those of "today".
    pub(crate) today: Date,
}

impl Horizon {
    /// `days` from `from` on, none for the moment alone.
    pub(crate) fn new(from: CivilMinute, days: Option<u8>, today: Date) -> Self {
        Self { from, until: from.plus_minutes(i64::from(days.unwrap_or(0)) * 1440), today }
    }

    fn is_moment(self) -> bool {
        self.from == self.until
    }

    /// By how many days facts of a run at `at` are later than the snapshot's.
    pub(crate) fn shift(self, at: CivilMinute) -> i32 {
        at.date().0.saturating_sub(self.today.0).max(0)
    }
}

/// A run of the horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Occurrence {
    /// When.
    pub(crate) at: CivilMinute,
    /// Which of [`Stage::bases`].
    pub(crate) base: usize,
}

/// What a trigger's runs have in common.
pub(crate) struct Base {
    pub(crate) prepared: Prepared,
    /// How many messages it may queue before a person must look.
    pub(crate) limit: BlastVerdict,
}

/// A policy with all its runs in a horizon, in order.
pub(crate) struct Stage {
    pub(crate) policy: Policy,
    pub(crate) plugin: Plugin,
    pub(crate) settings: Settings,
    pub(crate) horizon: Horizon,
    pub(crate) bases: Vec<Base>,
    pub(crate) occurrences: Vec<Occurrence>,
}

/// What a stage is made from.
pub(crate) struct Setting<'a> {
    pub(crate) prefecture: PrefectureCode,
    pub(crate) scope: &'a RunScope,
    pub(crate) settings: &'a Settings,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) horizon: Horizon,
}

impl Stage {
    pub(crate) fn new(host: &Host, policy: Policy, plugin: Plugin, setting: &Setting<'_>) -> Result<Self, HostError> {
        let mut stage = Self {
            policy,
            plugin,
            settings: setting.settings.clone(),
            horizon: setting.horizon,
            bases: Vec::new(),
            occurrences: Vec::new(),
        };
        for (n, (trigger, times)) in stage.triggers(host, setting)?.into_iter().enumerate() {
            stage.bases.push(stage.base(host, setting, trigger)?);
            stage.occurrences.extend(times.into_iter().map(|at| Occurrence { at, base: n }));
        }
        if stage.occurrences.len() > MAX_PREVIEW_RUNS {
            return Err(too_many(&stage.policy));
        }
        // Of one minute the schedules go in the policy's order and payments last, as the host serves them.
        stage.occurrences.sort_by_key(|o| (o.at, o.base));
        Ok(stage)
    }

    /// What makes the policy run, with the minutes of each.
    fn triggers(&self, host: &Host, setting: &Setting<'_>) -> Result<Vec<(RunTrigger, Vec<CivilMinute>)>, HostError> {
        let Horizon { from, until, .. } = self.horizon;
        let policy = &self.policy;
        let payments = policy.events.contains(&Event::PaymentReceived) && setting.snapshot.last_payment() != 0;
        let mut all = Vec::new();
        if self.horizon.is_moment() {
            let trigger =
                if payments && policy.schedules.is_empty() { RunTrigger::Payments } else { RunTrigger::Person };
            return Ok(vec![(trigger, vec![from])]);
        }
        for schedule in &policy.schedules {
            let served = host.last_served(setting.prefecture, &policy.name, &schedule.name);
            let mut times = Vec::new();
            let mut next = schedule.cron.at_or_after(from.max(served.plus_minutes(1)));
            while let Some(at) = next.filter(|at| *at < until) {
                times.push(at);
                if times.len() > MAX_PREVIEW_RUNS {
                    return Err(too_many(policy));
                }
                next = schedule.cron.at_or_after(at.plus_minutes(1));
            }
            let trigger =
                RunTrigger::Schedule { name: schedule.name.clone(), scheduled_at: CivilMinute::NONE, late_minutes: 0 };
            all.push((trigger, times));
        }
        if payments {
            all.push((RunTrigger::Payments, vec![from]));
        }
        Ok(all)
    }

    fn base(&self, host: &Host, setting: &Setting<'_>, trigger: RunTrigger) -> Result<Base, HostError> {
        let request = RunRequest {
            prefecture: setting.prefecture,
            policy: self.policy.name.clone(),
            trigger,
            scope: setting.scope.clone(),
            initiator: Initiator::System,
            dry_run: true,
            release_of: None,
        };
        let basis = Basis {
            policy: self.policy.clone(),
            plugin: self.plugin.clone(),
            settings: self.settings.clone(),
            now: self.horizon.from,
        };
        let prepared = host.prepare_from(basis, &request, setting.snapshot)?;
        let limit = host.reach_limit(&request, &prepared, &crate::runs::scope_words(&request.scope));
        Ok(Base { prepared, limit })
    }

    /// The guardrails of run `n`.
    pub(crate) fn guard(&self, n: usize) -> Guard {
        let Occurrence { at, base } = self.occurrences[n];
        self.bases[base].prepared.guard.at(at)
    }

    /// Run `n` as the plugin is told of it; `previous` is the simulated run before it.
    pub(crate) fn run(&self, n: usize, previous: Option<CivilMinute>) -> Result<Run, HostError> {
        let Occurrence { at, base } = self.occurrences[n];
        let like = &self.bases[base].prepared.run;
        let facts = match previous {
            Some(previous) => vec![Fact { id: fact::PREVIOUS_RUN, value: previous.0 }],
            None => like.facts.clone(),
        };
        let workdays = self.settings.calendar.workdays(at.date())?;
        Ok(Run { now: at, facts, workdays, ..like.clone() })
    }

    /// Below which balance the policy warns: what the state keeps when a warning is said.
    pub(crate) fn threshold(&self) -> u32 {
        let fen = self.bases.first().and_then(|b| {
            let params: serde_json::Value = serde_json::from_str(&b.prepared.run.params).ok()?;
            params.get("threshold")?.as_i64()
        });
        fen.map_or(gridbell_state::DEFAULT_THRESHOLD, |fen| u32::try_from(fen.max(0)).unwrap_or(u32::MAX))
    }
}

fn too_many(policy: &Policy) -> HostError {
    HostError::Invalid(format!(
        "policy `{}` runs more than {MAX_PREVIEW_RUNS} times in this time: preview fewer days (运行次数过多，请减少天数)",
        policy.name
    ))
}
