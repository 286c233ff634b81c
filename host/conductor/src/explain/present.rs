//! What a policy would do with a customer now, and why it did nothing then: the plugin is asked about one row, and every guardrail about what it
//! says. Writes nothing.

use gridbell_contract::{Run, TriggerId};
use gridbell_engine::{EvalOptions, Plugin};
use gridbell_model::{CivilMinute, Decision, PrefectureCode, Table};
use gridbell_planner::{Event, GuardVerdict, Policy, Verdict};
use gridbell_state::{RunRecord, RunStatus, Snapshot, State};
use serde::{Deserialize, Serialize};

use super::recorded::titles;
use super::{FactShown, NoDecision, Subject, facts};
use crate::archive::blocking;
use crate::basis::{self, Recorded};
use crate::error::HostError;
use crate::forecast::{Candidate, ForeseeRequest, Foresight};
use crate::host::Host;
use crate::runs::{Basis, Ground, Prepared, RunRequest, RunTrigger};
use crate::settle::Context;
use crate::ways::Ways;

/// What a policy would do now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Present {
    /// Whether it is switched on.
    pub enabled: bool,
    /// Whether the plugin would choose the customer now.
    pub chosen: bool,
    /// The plugin's reason for that.
    pub reason: String,
    /// The notice; empty when not chosen.
    pub notice: String,
    /// Every check's verdict; empty when not chosen.
    pub checks: Vec<GuardVerdict>,
    /// Why it would be held; empty otherwise.
    pub held: String,
    /// The minute at which it would go if the policy ran now; none when it would not.
    pub send_after: Option<CivilMinute>,
    /// What the plugin sees of the customer now.
    pub facts: Vec<FactShown>,
    /// When the policy runs next, and what it would say then if nothing new came in.
    pub forecast: Forecast,
}

/// What comes next.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Forecast {
    /// The next times at which the policy runs by the clock; empty where events alone start it.
    pub runs: Vec<CivilMinute>,
    /// Whether payments start it.
    pub on_payment: bool,
    /// What those runs would say to the customer in the coming [`FORESEEN_DAYS`], and why nothing, if nothing new came in; none for a policy that
    /// is switched off.
    pub coming: Option<Foresight>,
}

/// Days that a forecast looks ahead.
pub const FORESEEN_DAYS: u8 = 30;

/// Runs by the clock that a forecast names.
const NEXT_RUNS: usize = 3;

impl Present {
    /// In a sentence for an office.
    #[must_use]
    pub fn sentence(&self) -> String {
        if !self.enabled {
            return "策略已停用".to_owned();
        }
        let when = match (self.forecast.runs.first(), self.forecast.on_payment) {
            (Some(next), _) => format!("下次执行 {next}"),
            (None, true) => "缴费到账时执行".to_owned(),
            (None, false) => "没有计划执行".to_owned(),
        };
        let now = match (self.chosen, self.held.is_empty()) {
            (false, _) => format!("按现在的数据不会选中（{}），{when}", self.reason),
            (true, false) => format!("按现在的数据会选中（{}）但被拦截（{}），{when}", self.reason, self.held),
            (true, true) => format!("按现在的数据会发送（{}：{}），{when}", self.reason, self.notice),
        };
        match self.forecast.coming.as_ref().map(|c| c.messages.first()) {
            Some(Some(next)) => format!("{now}；预计 {} 发送（{}）", next.send_after, next.reason),
            Some(None) if !self.forecast.runs.is_empty() => format!("{now}；{FORESEEN_DAYS} 天内预计不发送"),
            _ => now,
        }
    }
}

/// What the plugin says of the customer's rows.
struct Asked {
    /// The rows of the plugin's table that are the customer's.
    rows: Vec<u32>,
    reasons: Vec<u16>,
    decisions: Vec<Decision>,
    facts: Vec<FactShown>,
}

impl Host {
    /// Asks about the customer's rows, in the plugin's own table: the customer, or payments that wait.
    fn ask(&self, prepared: &Prepared, snapshot: &Snapshot, row: u32) -> Result<Asked, HostError> {
        let table = prepared.table(snapshot);
        let rows = prepared.rows_of(snapshot, row);
        let options = EvalOptions { rows: Some(rows.clone()), threads: Some(1), ..EvalOptions::default() };
        let (mut reasons, mut decisions) = (Vec::new(), Vec::new());
        if !rows.is_empty() {
            reasons = self.engine().explain(&prepared.plugin, &prepared.run, table, &rows)?;
            decisions = self.engine().evaluate(&prepared.plugin, &prepared.run, table, &options)?.decisions;
        }
        let facts = rows.first().map(|row| facts_of(&prepared.plugin, table, *row)).unwrap_or_default();
        Ok(Asked { rows, reasons, decisions, facts })
    }

    /// What `policy` would do with the customer if it ran now.
    pub(crate) async fn present(
        &self,
        subject: &Subject,
        policy: &Policy,
        last: Option<&RunRecord>,
    ) -> Result<Present, HostError> {
        let (host, row, prefecture) = (self.clone(), subject.view.row, subject.prefecture);
        let (its, trigger) = (policy.clone(), trigger_of(policy, last));
        let mut present = blocking(self.clock(), move || host.present_now(prefecture, row, its, trigger)).await?;
        if policy.enabled {
            let request = ForeseeRequest {
                prefecture,
                policy: policy.name.clone(),
                candidate: Candidate::default(),
                account: subject.account,
                at: None,
                days: FORESEEN_DAYS,
            };
            present.forecast.coming = Some(self.foresee(request).await?);
        }
        Ok(present)
    }

    fn present_now(
        &self,
        prefecture: PrefectureCode,
        row: u32,
        policy: Policy,
        trigger: RunTrigger,
    ) -> Result<Present, HostError> {
        let snapshot = self.snapshot_of(prefecture)?;
        let (enabled, forecast) = (policy.enabled, forecast(&policy, self.clock().civil_minute()));
        let request = RunRequest { trigger, ..RunRequest::by_person(prefecture, &policy.name, "explain") };
        let prepared = self.prepare(&request, &snapshot)?;
        let asked = self.ask(&prepared, &snapshot, row)?;
        let mut present = Present {
            enabled,
            chosen: !asked.decisions.is_empty(),
            reason: asked
                .reasons
                .first()
                .map_or_else(|| "没有待通知的缴费".to_owned(), |reason| titles(Some(&prepared.plugin), 0, *reason).1),
            notice: String::new(),
            checks: Vec::new(),
            held: String::new(),
            send_after: None,
            facts: asked.facts,
            forecast,
        };
        if let Some(decision) = asked.decisions.first() {
            self.judge(&prepared, &snapshot, decision, &mut present);
        }
        Ok(present)
    }

    fn judge(&self, prepared: &Prepared, snapshot: &Snapshot, decision: &Decision, present: &mut Present) {
        (present.notice, present.reason) = titles(Some(&prepared.plugin), decision.notice, decision.reason);
        let Some(view) = prepared.view(snapshot, decision.row) else { return };
        let decision = Decision { row: view.row, ..*decision };
        let served = self.queues();
        let ways = Ways::new(&prepared.settings.segments, snapshot.ported(), &served);
        let context = Context::new(self.state(), prepared, snapshot, &served);
        let link = |planned: &_| ways.of(planned, decision.row).map(|_| ());
        let (checks, verdict) = prepared.guard.verdicts(&decision, &view, &context, link);
        present.checks = checks;
        match verdict {
            Verdict::Held(why) => why.chinese().clone_into(&mut present.held),
            Verdict::Queue(planned) => present.send_after = Some(planned.not_before),
        }
    }

    pub(crate) fn snapshot_of(&self, prefecture: PrefectureCode) -> Result<Snapshot, HostError> {
        let none = || HostError::State(gridbell_state::StateError::NoPrefecture(prefecture));
        self.state().snapshot(prefecture).ok_or_else(none)
    }

    /// Why `run` decided nothing about the customer: asked of the state as it was then where it can be rebuilt and that is wished, or else of the
    /// state as it is now, with what the run was made from.
    pub(crate) async fn silence(&self, subject: &Subject, run: &RunRecord) -> Result<NoDecision, HostError> {
        let nobody = |reason: String| NoDecision { asked: "none".into(), reason, facts: Vec::new() };
        if u64::from(subject.view.row) >= run.customers && run.customers > 0 {
            return Ok(nobody("该户在这次执行之后才建档".to_owned()));
        }
        match &run.status {
            RunStatus::Failed { error } => return Ok(nobody(format!("这次执行失败：{error}"))),
            RunStatus::Published | RunStatus::Waiting { .. } | RunStatus::Refused { .. } => {}
        }
        let (host, run, row) = (self.clone(), run.clone(), subject.view.row);
        let rebuild = subject.rebuild;
        blocking(self.clock(), move || {
            let then = if rebuild { host.state_then(&run)? } else { None };
            host.silence_in(&run, row, then)
        })
        .await
    }

    fn silence_in(&self, run: &RunRecord, row: u32, then: Option<State>) -> Result<NoDecision, HostError> {
        let asked = if then.is_some() { "then" } else { "now" };
        let nobody =
            |reason: &str| Ok(NoDecision { asked: "none".into(), reason: reason.to_owned(), facts: Vec::new() });
        let Some(recorded) = Recorded::read(self.state(), run.id)? else {
            return nobody("这次执行没有保存依据，无法再问插件");
        };
        let Ok(plugin) = self.plugin_of_digest(&run.digest) else { return nobody("这次执行的插件已不在") };
        let state = then.unwrap_or_else(|| self.state().clone());
        let Some(snapshot) = state.snapshot(run.prefecture) else { return nobody("当时没有这个地市的数据") };
        let prepared = prepare_recorded(&recorded, plugin, run, &snapshot)?;
        if !prepared.reaches(row) {
            return nobody("该户不在这次执行的范围内");
        }
        let answer = self.ask(&prepared, &snapshot, row)?;
        let reason = match answer.reasons.first() {
            None => "当时没有待通知的缴费".to_owned(),
            Some(_) if asked == "now" && !answer.decisions.is_empty() => {
                "数据在那之后有变化，按现在的数据会选中".to_owned()
            }
            Some(reason) => titles(Some(&prepared.plugin), 0, *reason).1,
        };
        debug_assert!(answer.rows.len() >= answer.reasons.len(), "a reason belongs to a row");
        Ok(NoDecision { asked: asked.into(), reason, facts: answer.facts })
    }
}

/// A run as it was prepared then, over `snapshot`.
pub(crate) fn prepare_recorded(
    recorded: &Recorded,
    plugin: Plugin,
    run: &RunRecord,
    snapshot: &Snapshot,
) -> Result<Prepared, HostError> {
    let trigger = if run.trigger == gridbell_contract::trigger::PAYMENT_RECEIVED.0 {
        RunTrigger::Payments
    } else if run.schedule.is_empty() {
        RunTrigger::Person
    } else {
        // How late it was is among the facts that were recorded.
        RunTrigger::Schedule { name: run.schedule.clone(), scheduled_at: run.scheduled_at, late_minutes: 0 }
    };
    let request = RunRequest {
        prefecture: run.prefecture,
        policy: run.policy.clone(),
        trigger,
        scope: recorded.basis.scope.scope(),
        initiator: run.initiator.clone(),
        dry_run: true,
        release_of: None,
    };
    let ground = Ground {
        org: std::sync::Arc::clone(&recorded.org),
        facts: recorded.facts(),
        share: recorded.basis.share.clone(),
    };
    let basis = Basis { policy: recorded.policy.clone(), plugin, settings: recorded.settings.clone(), now: run.now };
    Host::prepare_on(ground, basis, &request, snapshot)
}

/// What the plugin was told in `run`, without any customers.
pub(crate) fn run_of(recorded: &Recorded, plugin: &Plugin, run: &RunRecord) -> Result<Run, HostError> {
    let params = plugin.manifest().check_parameters(&serde_json::Value::Object(recorded.policy.parameters.clone()));
    let words = |errors: Vec<gridbell_contract::ParameterError>| {
        errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    Ok(Run {
        prefecture: run.prefecture,
        now: run.now,
        trigger: TriggerId(run.trigger),
        schedule: run.schedule.clone(),
        facts: recorded.facts(),
        params: params.map_err(|errors| HostError::Invalid(words(errors)))?.to_string(),
        workdays: recorded.settings.calendar.workdays(run.now.date())?,
    })
}

/// Like which of its runs the policy is asked: its last, or its first schedule.
fn trigger_of(policy: &Policy, last: Option<&RunRecord>) -> RunTrigger {
    let by_clock =
        |name: &str| RunTrigger::Schedule { name: name.to_owned(), scheduled_at: CivilMinute::NONE, late_minutes: 0 };
    match (policy.schedules.first(), last) {
        (None, _) if policy.events.contains(&Event::PaymentReceived) => RunTrigger::Payments,
        (Some(_), Some(run)) if policy.schedules.iter().any(|s| s.name == run.schedule) => by_clock(&run.schedule),
        (Some(first), _) => by_clock(&first.name),
        (None, _) => RunTrigger::Person,
    }
}

fn forecast(policy: &Policy, now: CivilMinute) -> Forecast {
    let mut runs = Vec::new();
    if policy.enabled {
        for schedule in &policy.schedules {
            let mut from = now.plus_minutes(1);
            for _ in 0..NEXT_RUNS {
                let Some(at) = schedule.cron.at_or_after(from) else { break };
                runs.push(at);
                from = at.plus_minutes(1);
            }
        }
    }
    runs.sort_unstable();
    runs.dedup();
    runs.truncate(NEXT_RUNS);
    let on_payment = policy.enabled && policy.events.contains(&Event::PaymentReceived);
    Forecast { runs, on_payment, coming: None }
}

/// What `plugin` sees of `row`.
fn facts_of(plugin: &Plugin, table: &dyn Table, row: u32) -> Vec<FactShown> {
    let decision = Decision {
        row,
        notice: 0,
        step: 1,
        reason: 0,
        route: 0,
        arg0: 0,
        arg1: 0,
        not_before: CivilMinute::NONE,
        expires: CivilMinute::NONE,
    };
    facts::shown(&basis::seen(plugin, table, &[decision]).row(0))
}
