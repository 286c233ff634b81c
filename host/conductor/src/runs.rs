//! A run: snapshot, policy, guardrails, blast radius, publication. It fails as a whole or is published as a whole.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gridbell_clock::Seed;
use gridbell_contract::{Fact, Run, fact, trigger};
use gridbell_engine::{EvalOptions, Evaluation, OutsideSample, Plugin, RunError};
use gridbell_model::{CivilMinute, CustomerView, Decision, Initiator, OrgCode, OrgTree, PrefectureCode, RunId, Table};
use gridbell_planner::{BlastVerdict, Guard, GuardSetup, Policy, RunScope, Verdict, blast};
use gridbell_state::{Outcome, Payments, RunRecord, RunStatus, Snapshot, State};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::deployment::{Arm, KeptShare, is_share};
use crate::error::HostError;
use crate::host::Host;
use crate::preview::PreviewRow;
use crate::publication::Begun;
use crate::settings::Settings;
use crate::settle::{Context, settle};
use crate::stops::Stop;

/// Decisions judged side by side before they go to the outbox: bounds the texts in memory.
const BLOCK: usize = 32_768;
/// Rows outside the interest that each run decides all the same, to catch a plugin whose interest leaves somebody out.
pub(crate) const INTEREST_SAMPLE: usize = 256;

/// Why a run happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunTrigger {
    /// An occurrence of a schedule is due.
    Schedule {
        /// Its name.
        name: String,
        /// Which occurrence.
        scheduled_at: CivilMinute,
        /// How late.
        late_minutes: u32,
    },
    /// Payments arrived.
    Payments,
    /// A person asked for it.
    Person,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// Where.
    pub prefecture: PrefectureCode,
    /// Which policy.
    pub policy: String,
    /// Why.
    pub trigger: RunTrigger,
    /// Whom it may reach within the policy's own scope.
    pub scope: RunScope,
    /// Who started it.
    pub initiator: Initiator,
    /// Show whom it would reach; write nothing.
    pub dry_run: bool,
    /// The waiting run that a person released: the blast-radius guard lets this one pass.
    pub release_of: Option<RunId>,
}

impl RunRequest {
    /// A run of `policy` in `prefecture` by `who`.
    #[must_use]
    pub fn by_person(prefecture: PrefectureCode, policy: &str, who: &str) -> Self {
        Self {
            prefecture,
            policy: policy.to_owned(),
            trigger: RunTrigger::Person,
            scope: RunScope::default(),
            initiator: Initiator::Person(who.to_owned()),
            dry_run: false,
            release_of: None,
        }
    }
}

/// What became of a run.
#[derive(Clone, Debug)]
pub struct RunSummary {
    /// The record: as kept, or for a dry run as it would be.
    pub record: RunRecord,
    /// For a dry run the first [`crate::MAX_PREVIEW`] decisions.
    pub preview: Vec<PreviewRow>,
    /// What the operator should know.
    pub warnings: Vec<String>,
}

/// What decides a run besides the customers.
pub(crate) struct Basis {
    pub(crate) policy: Policy,
    pub(crate) plugin: Plugin,
    pub(crate) settings: Settings,
    pub(crate) now: CivilMinute,
}

/// Everything that a run is made from, taken at its begin.
pub(crate) struct Prepared {
    pub(crate) policy: Policy,
    pub(crate) plugin: Plugin,
    pub(crate) settings: Settings,
    pub(crate) guard: Guard,
    pub(crate) run: Run,
    pub(crate) org: Arc<OrgTree>,
    pub(crate) rows: Option<Vec<u32>>,
    /// Of a run of payments: its rows are these and not the customers.
    pub(crate) payments: Option<Payments>,
    /// The customers whom the version decides for; none for all.
    pub(crate) share: Option<KeptShare>,
    /// Set when it is to end before its next batch.
    stop: Option<Arc<AtomicBool>>,
}

/// What a run knows of the world besides its basis and its customers.
#[derive(Clone)]
pub(crate) struct Ground {
    pub(crate) org: Arc<OrgTree>,
    /// Numbers about the trigger.
    pub(crate) facts: Vec<Fact>,
    /// The customers whom the version decides for; none for all.
    pub(crate) share: Option<KeptShare>,
}

impl Prepared {
    /// What the plugin reads: customers, or payments.
    pub(crate) fn table<'a>(&'a self, snapshot: &'a Snapshot) -> &'a dyn Table {
        match &self.payments {
            Some(payments) => payments,
            None => snapshot,
        }
    }

    /// The rows of the plugin's table that are about the customer at `row`: itself, or its payments.
    pub(crate) fn rows_of(&self, snapshot: &Snapshot, row: u32) -> Vec<u32> {
        let of_customer = |n: &u32| self.view(snapshot, *n).is_some_and(|v| v.row == row);
        match &self.payments {
            Some(payments) => (0..u32::try_from(payments.len()).unwrap_or(u32::MAX)).filter(of_customer).collect(),
            None => Some(row).filter(of_customer).into_iter().collect(),
        }
    }

    /// Whether the run's selection has the customer at `row`.
    pub(crate) fn reaches(&self, row: u32) -> bool {
        self.rows.as_ref().is_none_or(|rows| rows.binary_search(&row).is_ok())
    }

    /// What the plugin's row `row` is about: the customer, and for a payment what the payment says.
    pub(crate) fn view(&self, snapshot: &Snapshot, row: u32) -> Option<CustomerView> {
        match &self.payments {
            Some(payments) => payments.view(row),
            None => snapshot.view(row),
        }
    }
}

impl Host {
    /// Runs a policy. One run at a time for each prefecture; a second waits.
    ///
    /// # Errors
    /// When there is no such policy or plugin, the plugin fails, or the state refuses. A plugin's failure is recorded as a failed run.
    pub async fn run_policy(&self, request: RunRequest) -> Result<RunSummary, HostError> {
        let lock = self.run_lock(request.prefecture);
        let _one_at_a_time = lock.lock().await;
        if request.dry_run {
            return self.dry_run(&request).await;
        }
        self.begins(&request)?;
        self.run_deployed(&request).await
    }

    /// Refuses what would begin where everything runs out.
    fn begins(&self, request: &RunRequest) -> Result<(), HostError> {
        let policies = self.policies(request.prefecture);
        let topic =
            policies.and_then(|(_, set)| set.policies.iter().find(|p| p.name == request.policy).map(|p| p.topic));
        match topic.and_then(|topic| self.stops_now().closes_runs(request.prefecture, topic).cloned()) {
            Some(Stop { scope, by, why, .. }) => Err(HostError::Refused(format!(
                "nothing new begins within `{scope}`, which {by} lets run out ({why}): release that first (正在收尾，不开始新的批次)"
            ))),
            None => Ok(()),
        }
    }

    /// The run of one version over the customers that it decides for.
    pub(crate) async fn run_arm(&self, request: &RunRequest, arm: &Arm) -> Result<RunSummary, HostError> {
        let mut writer = self.state().begin_run(request.prefecture).await?;
        let started = self.clock().now();
        let prepared = Arc::new(self.prepare_arm(request, arm, writer.snapshot()).await?);
        let sample = writer.id();
        self.keep(&mut writer, request, &prepared, sample)?;
        let mut record = self.record(request, &prepared, started);
        record.scope = arm.scope_words(record.scope);
        let evaluation = match self.evaluate(&prepared, writer.snapshot(), writer.id()).await {
            Ok(evaluation) => evaluation,
            // Nobody's fault: whoever stopped it says so in the audit log, and what is live now decides.
            Err(e @ HostError::Run(RunError::Stopped)) => return Err(e),
            Err(e) => {
                self.isolate(request, &prepared, writer.snapshot(), writer.id(), &e).await;
                self.record_failure(request, arm, writer, record, &e).await?;
                return Err(e);
            }
        };
        self.did_well(&prepared.plugin).await;
        writer.follow(prepared.guard.waits());
        record.passed = evaluation.passed as u64;
        record.interest_misses = evaluation.interest_misses.len() as u64;
        let limit = self.reach_limit(request, &prepared, &record.scope);
        let snapshot = writer.snapshot().clone();
        let decisions = Arc::new(evaluation.decisions);
        let mut caps = prepared.guard.day_caps();
        let mut reach = 0u64;
        let mut over = None;
        for block in blocks(decisions.len()) {
            let seen = self.seen(&prepared, &snapshot, &decisions, block.clone()).await?;
            let verdicts = self.consider(&prepared, &snapshot, &decisions, block).await?;
            let records = settle(self, &prepared, &snapshot, verdicts, &mut caps);
            reach += records.iter().filter(|r| matches!(r.outcome, Outcome::Queued(_))).count() as u64;
            if let BlastVerdict::Hold { limit, .. } = limit
                && reach > limit
            {
                over = Some(limit);
                break;
            }
            writer.push_seen(records, seen).await?;
        }
        if arm.stop.load(Ordering::Relaxed) {
            return Err(RunError::Stopped.into());
        }
        let (record, warnings) = match over {
            None => (self.publish(request, arm, writer, record).await?, prepared.guard.warnings().to_vec()),
            Some(_) => {
                let begun = Begun { snapshot, sample };
                drop(writer);
                self.hold(request, arm, &prepared, record, &decisions, limit, begun).await?
            }
        };
        self.after(&record, &prepared);
        Ok(RunSummary { record, preview: Vec::new(), warnings })
    }

    /// Reads policy, plugin, parameters and settings once; the run uses nothing that changes after this.
    pub(crate) fn prepare(&self, request: &RunRequest, snapshot: &Snapshot) -> Result<Prepared, HostError> {
        let policy = self.policy(request.prefecture, &request.policy)?;
        let plugin = self.live_plugin(request.prefecture, &policy)?;
        let basis = Basis { policy, plugin, settings: self.settings()?, now: self.clock().civil_minute() };
        self.prepare_from(basis, request, snapshot)
    }

    /// The same for one version and the customers that it decides for. Looks over columns where it has a share.
    async fn prepare_arm(&self, request: &RunRequest, arm: &Arm, snapshot: &Snapshot) -> Result<Prepared, HostError> {
        let policy = self.policy(request.prefecture, &request.policy)?;
        let (plugin, now) = (arm.plugin.clone(), self.clock().civil_minute());
        let basis = Basis { policy, plugin, settings: self.settings()?, now };
        let ground = Ground { share: arm.share.clone(), ..self.ground(request) };
        let (request, snapshot, stop) = (request.clone(), snapshot.clone(), Arc::clone(&arm.stop));
        let work = move || Self::prepare_on(ground, basis, &request, &snapshot);
        let mut prepared = self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??;
        prepared.stop = Some(stop);
        Ok(prepared)
    }

    /// The same from what the caller chose: a candidate, another moment, what was true then.
    pub(crate) fn prepare_from(
        &self,
        basis: Basis,
        request: &RunRequest,
        snapshot: &Snapshot,
    ) -> Result<Prepared, HostError> {
        Self::prepare_on(self.ground(request), basis, request, snapshot)
    }

    /// What a run that begins now knows of the world.
    pub(crate) fn ground(&self, request: &RunRequest) -> Ground {
        Ground { org: self.state().org(), facts: self.trigger_facts(request), share: None }
    }

    /// The same with nothing of the present in it.
    pub(crate) fn prepare_on(
        ground: Ground,
        basis: Basis,
        request: &RunRequest,
        snapshot: &Snapshot,
    ) -> Result<Prepared, HostError> {
        let Basis { policy, plugin, settings, now } = basis;
        let Ground { org, facts, share } = ground;
        let guard = Guard::new(&GuardSetup {
            rules: &settings.rules,
            policy: &policy,
            manifest: plugin.manifest(),
            templates: &settings.templates,
            calendar: &settings.calendar,
            org: &org,
            prefecture: request.prefecture,
            scope: &request.scope,
            now,
        })?;
        let params = plugin
            .manifest()
            .check_parameters(&serde_json::Value::Object(policy.parameters.clone()))
            .map_err(|errors| HostError::Invalid(joined(&errors)))?;
        let (trigger, schedule) = match &request.trigger {
            RunTrigger::Schedule { name, .. } => (trigger::SCHEDULE, name.clone()),
            RunTrigger::Payments => (trigger::PAYMENT_RECEIVED, String::new()),
            RunTrigger::Person => (trigger::SCHEDULE, String::new()),
        };
        let run = Run {
            prefecture: request.prefecture,
            now,
            trigger,
            schedule,
            facts,
            params: params.to_string(),
            workdays: settings.calendar.workdays(now.date())?,
        };
        let (rows, payments) = match &request.trigger {
            RunTrigger::Payments => (None, Some(snapshot.payments())),
            _ => (selection(&org, &request.scope, snapshot), None),
        };
        let rows = match &share {
            Some(share) => Some(share.rows(&org, snapshot, rows)),
            None => rows,
        };
        Ok(Prepared { policy, plugin, settings, guard, run, org, rows, payments, share, stop: None })
    }

    fn trigger_facts(&self, request: &RunRequest) -> Vec<Fact> {
        let like = |r: &RunRecord| {
            r.prefecture == request.prefecture
                && r.policy == request.policy
                && r.status == RunStatus::Published
                // A canary's or pilot's run is part of an occurrence; the live version's says when that was.
                && !is_share(&r.scope)
                && r.is_occurrence()
        };
        let mut facts = Vec::new();
        if let Some(last) = self.state().runs(None, 1, like).first() {
            facts.push(Fact { id: fact::PREVIOUS_RUN, value: last.now.0 });
        }
        if let RunTrigger::Schedule { late_minutes, .. } = &request.trigger
            && *late_minutes > 0
        {
            facts.push(Fact { id: fact::CATCH_UP_MINUTES, value: i64::from(*late_minutes) });
        }
        facts
    }

    pub(crate) async fn evaluate(
        &self,
        prepared: &Arc<Prepared>,
        snapshot: &Snapshot,
        run: RunId,
    ) -> Result<Evaluation, HostError> {
        let (host, prepared, snapshot) = (self.clone(), Arc::clone(prepared), snapshot.clone());
        let options = EvalOptions {
            use_interest: true,
            rows: prepared.rows.clone(),
            sample_outside: Some(OutsideSample { seed: Seed(run.0), rows: INTEREST_SAMPLE }),
            stop: prepared.stop.clone(),
            ..EvalOptions::default()
        };
        let work = move || host.engine().evaluate(&prepared.plugin, &prepared.run, prepared.table(&snapshot), &options);
        Ok(self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))??)
    }

    /// The guardrails that look at one customer alone, over a block of decisions, side by side.
    pub(crate) async fn consider(
        &self,
        prepared: &Arc<Prepared>,
        snapshot: &Snapshot,
        decisions: &Arc<Vec<Decision>>,
        block: std::ops::Range<usize>,
    ) -> Result<Vec<(Decision, CustomerView, Verdict)>, HostError> {
        self.consider_in(self.state(), &self.queues(), prepared, snapshot, decisions, block).await
    }

    /// The same, asking `state` what was said on the day, with links for the queues `served`.
    pub(crate) async fn consider_in(
        &self,
        state: &State,
        served: &FxHashSet<u8>,
        prepared: &Arc<Prepared>,
        snapshot: &Snapshot,
        decisions: &Arc<Vec<Decision>>,
        block: std::ops::Range<usize>,
    ) -> Result<Vec<(Decision, CustomerView, Verdict)>, HostError> {
        let (prepared, snapshot, decisions) = (Arc::clone(prepared), snapshot.clone(), Arc::clone(decisions));
        let context = Context::new(state, &prepared, &snapshot, served);
        let work = move || -> Vec<(Decision, CustomerView, Verdict)> {
            decisions[block]
                .par_iter()
                .with_min_len(256)
                .filter_map(|d| {
                    let view = prepared.view(&snapshot, d.row)?;
                    let decision = Decision { row: view.row, ..*d };
                    Some((decision, view, prepared.guard.consider(&decision, &view, &context)))
                })
                .collect()
        };
        self.clock().offload(work).await.map_err(|e| HostError::Task(e.to_string()))
    }

    /// How many messages the run may queue, by the policy's ceiling and its like runs.
    pub(crate) fn reach_limit(&self, request: &RunRequest, prepared: &Prepared, scope: &str) -> BlastVerdict {
        if request.release_of.is_some() {
            return BlastVerdict::Pass;
        }
        let like = |r: &RunRecord| {
            r.prefecture == request.prefecture
                && r.policy == request.policy
                && r.schedule == prepared.run.schedule
                && r.trigger == prepared.run.trigger.0
                && r.scope == scope
                && r.status == RunStatus::Published
        };
        let rules = &prepared.settings.rules.blast_radius;
        // Runs that reached nobody are passed over by the guard, so more than it counts are offered.
        let history: Vec<u64> = self.state().runs(None, like_runs(rules), like).iter().map(|r| r.queued).collect();
        // Asked with a reach beyond all measure, each rule names its limit; the lower one holds.
        let by = |ceiling, history: &[u64]| blast(history, ceiling, u64::MAX, rules);
        match (by(prepared.policy.ceiling, &[]), by(None, &history)) {
            (BlastVerdict::Hold { limit: ceiling, .. }, median @ BlastVerdict::Hold { limit, .. })
                if limit < ceiling =>
            {
                median
            }
            (BlastVerdict::Pass, median) => median,
            (ceiling, _) => ceiling,
        }
    }

    pub(crate) fn record(
        &self,
        request: &RunRequest,
        prepared: &Prepared,
        started: gridbell_model::Moment,
    ) -> RunRecord {
        let manifest = prepared.plugin.manifest();
        let scheduled_at = match &request.trigger {
            RunTrigger::Schedule { scheduled_at, .. } => *scheduled_at,
            _ => CivilMinute::NONE,
        };
        RunRecord {
            plugin: manifest.name().to_owned(),
            plugin_version: manifest.version().to_owned(),
            digest: prepared.plugin.digest().to_string(),
            params: prepared.run.params.clone(),
            trigger: prepared.run.trigger.0,
            schedule: prepared.run.schedule.clone(),
            scheduled_at,
            initiator: request.initiator.clone(),
            scope: scope_words(&request.scope),
            ..RunRecord::blank(
                request.prefecture,
                request.policy.clone(),
                prepared.policy.topic,
                prepared.run.now,
                started,
            )
        }
    }
}

/// How many like runs the blast-radius guard looks at: more than it counts, since it passes over those that reached nobody.
pub(crate) fn like_runs(rules: &gridbell_planner::BlastRules) -> usize {
    4 * usize::from(rules.history)
}

/// The rows that a run by hand may reach; none for all.
fn selection(org: &OrgTree, scope: &RunScope, snapshot: &Snapshot) -> Option<Vec<u32>> {
    if scope.orgs.is_empty() && scope.sections.is_empty() && scope.exclude.is_empty() {
        return None;
    }
    let in_orgs = |station: OrgCode| scope.orgs.is_empty() || scope.orgs.iter().any(|o| org.is_within(station, *o));
    let in_sections = |section: u32| scope.sections.is_empty() || scope.sections.contains(&section);
    let mut rows = snapshot.select(|station, section| in_orgs(station) && in_sections(section));
    if !scope.exclude.is_empty() {
        rows.retain(|row| snapshot.account(*row).is_none_or(|a| !scope.exclude.contains(&a)));
    }
    Some(rows)
}

/// A scope in words that are the same for the same scope.
pub(crate) fn scope_words(scope: &RunScope) -> String {
    let mut words = Vec::new();
    let mut orgs: Vec<u32> = scope.orgs.iter().map(|o| o.0).collect();
    orgs.sort_unstable();
    words.extend(orgs.iter().map(|o| format!("org {o}")));
    let mut sections: Vec<u32> = scope.sections.iter().copied().collect();
    sections.sort_unstable();
    words.extend(sections.iter().map(|s| format!("section {s}")));
    if !scope.exclude.is_empty() {
        words.push(format!("without {} accounts", scope.exclude.len()));
    }
    words.join(", ")
}

pub(crate) fn blocks(len: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..len).step_by(BLOCK).map(move |from| from..(from + BLOCK).min(len))
}

pub(crate) fn schedule_key(prefecture: PrefectureCode, policy: &str, schedule: &str) -> String {
    format!("{prefecture}/{policy}/{schedule}")
}

fn joined(errors: &[gridbell_contract::ParameterError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
