//! A trial: asks the plugin, judges every answer, keeps what was found and counts what was tried. What is asked, the modules of `checks` say.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_contract::Registry;
use gridbell_engine::{Call, Engine, GuestError, GuestFault, Plugin, Variant, constants};
use gridbell_model::ColumnId;
use serde_json::json;

use crate::certificate::{Certificate, Check, CheckResult, Counterexample};
use crate::checks::{self, Cast};
use crate::customer::Customer;
use crate::error::CertifyError;
use crate::parameters;
use crate::probe::{Input, Probe, responsible};
use crate::request::{Cancel, Progress, Terms};
use crate::shrink;
use crate::subject::{Answer, Scene, Subject, inside};

/// Fuel that the whole trial is planned with, some ten seconds of an interpreter's. Counted in fuel, the plan is the same on every machine.
const FUEL_PLAN: f64 = 15e9;
/// What a full trial asks: calls, and customers over all of them (counted over the reference plugins).
const PLANNED_CALLS: f64 = 2_500.0;
const PLANNED_CUSTOMERS: f64 = 700_000.0;
/// A trial is never smaller than this part of the full one.
const LEAST_EFFORT: f64 = 1.0 / 16.0;
/// Batches of which the dearest customer is looked for.
const DEAR: usize = 8;
/// Words of a refusal that are kept.
const MAX_REFUSALS: usize = 3;

/// Certifies `plugin` in this very process: for tests, and inside the certifier's process. `upload` are the bytes that it was compiled from.
///
/// # Errors
/// [`CertifyError`]; a plugin that fails a check is no error, but a certificate that has not passed.
pub fn certify(
    engine: &Engine,
    plugin: &Plugin,
    upload: &[u8],
    terms: &Terms,
    progress: &mut dyn FnMut(Progress),
    cancel: &Cancel,
) -> Result<Certificate, CertifyError> {
    let mut trial = Trial::new(engine, plugin, upload, terms);
    let mut failures = Vec::new();
    for check in Check::ALL {
        let done = Check::ALL.iter().position(|c| *c == check).unwrap_or_default();
        progress(Progress { check, done, of: Check::ALL.len(), tried: trial.subject.tried() });
        if cancel.is_cancelled() {
            return Err(CertifyError::Cancelled);
        }
        trial.check(check)?;
        for (check, (input, probe)) in std::mem::take(&mut trial.found) {
            trial.failed.insert(check);
            failures.extend(trial.shrunk(check, probe, input)?);
        }
    }
    Ok(trial.certificate(engine, plugin, failures))
}

/// One trial under way.
pub(crate) struct Trial<'a> {
    pub(crate) subject: Subject<'a>,
    pub(crate) terms: &'a Terms,
    clock: Clock,
    began: Duration,
    /// Part of the full trial that is done.
    effort: f64,
    cut_short: bool,
    /// Ordinary: the plugin's first trigger, its least parameters, the day of the certificate.
    pub(crate) base: Scene,
    /// Numbers in the plugin's code.
    pub(crate) constants: Vec<i64>,
    /// Customers by what the plugin says of them, in ordinary scenes.
    pub(crate) casts: Vec<Cast>,
    /// Found and not shrunk yet.
    found: BTreeMap<Check, (Input, Probe)>,
    failed: BTreeSet<Check>,
    tried: BTreeMap<Check, u64>,
    /// Questions of a check that another check's fault kept from being answered.
    spoiled: BTreeMap<Check, u64>,
    /// What a check has to say when it passes.
    pub(crate) said: BTreeMap<Check, String>,
    refused: usize,
    refusals: BTreeSet<String>,
    /// Batches by their fuel for each customer, the dearest first.
    pub(crate) dear: Vec<(u64, Scene, Vec<Customer>)>,
    reasons: BTreeSet<u16>,
    notices: BTreeSet<u16>,
    pub(crate) generated: u64,
    pub(crate) real: u64,
    /// Units for each customer in a full batch of the dearest; cost of it; CPU time of an ordinary one.
    pub(crate) cost: (u64, Duration, Duration),
}

impl<'a> Trial<'a> {
    fn new(engine: &'a Engine, plugin: &Plugin, upload: &[u8], terms: &'a Terms) -> Self {
        let subject = Subject::new(engine, plugin, &terms.calendar, terms.budget.fuel_per_customer);
        let manifest = plugin.manifest();
        let least = parameters::least(manifest, &mut terms.seed.stream("certify/least"));
        let trigger = manifest.triggers().first().copied().unwrap_or(gridbell_contract::TriggerId(1));
        let base = Scene {
            kind: Check::Decisions,
            now: terms.now.date().at(9, 0),
            trigger,
            schedule: checks::schedule_of(trigger),
            facts: Vec::new(),
            given: least,
        };
        let clock = Clock::system();
        Self {
            subject,
            terms,
            began: clock.monotonic(),
            clock,
            effort: 1.0,
            cut_short: false,
            base,
            constants: constants(upload),
            casts: Vec::new(),
            found: BTreeMap::new(),
            failed: BTreeSet::new(),
            tried: BTreeMap::new(),
            spoiled: BTreeMap::new(),
            said: BTreeMap::new(),
            refused: 0,
            refusals: BTreeSet::new(),
            dear: Vec::new(),
            reasons: BTreeSet::new(),
            notices: BTreeSet::new(),
            generated: 0,
            real: 0,
            cost: (0, plugin.cost(), Duration::ZERO),
        }
    }

    /// Does one check. Those that compare answers need ordinary customers to be decided about.
    fn check(&mut self, check: Check) -> Result<(), CertifyError> {
        let before = self.subject.tried();
        let skipped = self.terms.without.contains(&check);
        let ordinary = matches!(check, Check::Decisions | Check::Interest | Check::Explain);
        if !ordinary && (skipped || self.casts.is_empty()) {
            return Ok(());
        }
        match check {
            Check::Decisions => checks::ordinary::ordinary(self)?,
            // Judged with every answer.
            Check::Interest | Check::Explain => return Ok(()),
            Check::SameTwice | Check::BatchSize | Check::RowOrder | Check::Neighbours => {
                checks::independence::independence(self, check)?;
            }
            Check::EmptyBatch => checks::scenes::empty_batch(self)?,
            Check::Days => checks::scenes::days(self)?,
            Check::Extremes => checks::scenes::extremes(self)?,
            Check::NoneValues => checks::scenes::none_values(self)?,
            Check::Triggers => checks::scenes::triggers(self)?,
            Check::Parameters => checks::scenes::parameters(self)?,
            Check::Gap => checks::gap::gap(self)?,
            Check::Memory => checks::cost::memory(self)?,
            Check::Fuel => checks::cost::fuel(self)?,
        }
        *self.tried.entry(check).or_default() = self.subject.tried() - before;
        Ok(())
    }

    pub(crate) fn stream(&self, purpose: &str) -> impl rand_core::RngCore + use<> {
        Seed(self.terms.seed.0).stream(&format!("certify/{purpose}"))
    }

    /// `n` as far as the effort goes, and never fewer than `least`.
    pub(crate) fn share(&self, n: usize, least: usize) -> usize {
        ((n as f64 * self.effort) as usize).clamp(least.min(n), n)
    }

    /// Plans the effort by what a call and a customer cost in fuel.
    pub(crate) fn plan(&mut self, call: u64, customer: u64) {
        let full = call as f64 * PLANNED_CALLS + customer as f64 * PLANNED_CUSTOMERS;
        self.effort = (FUEL_PLAN / full.max(1.0)).clamp(LEAST_EFFORT, 1.0);
    }

    /// Whether half of the time is over: what is beyond a check's minimum is then left out.
    pub(crate) fn is_late(&mut self) -> bool {
        let late = self.used() > self.terms.budget.wall / 2;
        if late {
            (self.effort, self.cut_short) = (LEAST_EFFORT, true);
        }
        late
    }

    fn used(&self) -> Duration {
        self.clock.monotonic().saturating_sub(self.began)
    }

    /// Keeps the first fault of each check.
    pub(crate) fn find(&mut self, check: Check, input: Input, probe: Probe) {
        if !self.terms.without.contains(&check) && !self.failed.contains(&check) {
            self.found.entry(check).or_insert((input, probe));
        }
    }

    /// Keeps a guest's failure as a fault of the check that it belongs to.
    pub(crate) fn blame(
        &mut self,
        scene: &Scene,
        customers: Vec<Customer>,
        fault: &GuestError,
    ) -> Result<(), CertifyError> {
        *self.spoiled.entry(scene.kind).or_default() += 1;
        if let GuestFault::Refused { message } = &fault.fault
            && scene.kind == Check::Parameters
            && self.refuses_parameters(scene)?
        {
            self.refused += 1;
            if self.refusals.len() < MAX_REFUSALS {
                self.refusals.insert(message.clone());
            }
            return Ok(());
        }
        let check = responsible(scene.kind, fault);
        if check == scene.kind {
            *self.spoiled.entry(check).or_default() -= 1;
        }
        let customers = if fault.call == Call::Interest { Vec::new() } else { customers };
        self.find(check, Input::new(scene, customers), Probe::of(scene.kind, fault));
        Ok(())
    }

    /// Whether the plugin refuses the parameters as such: whoever is asked about. A schema cannot say everything, so that is allowed, and told.
    fn refuses_parameters(&self, scene: &Scene) -> Result<bool, CertifyError> {
        let Some(run) = self.subject.run(scene)? else { return Ok(false) };
        let refused = |fault: Box<GuestError>| matches!(fault.fault, GuestFault::Refused { .. });
        Ok(self.subject.decide(&run, [&Customer::unknown()])?.is_err_and(refused)
            && self.subject.interest(&run)?.is_err_and(refused))
    }

    /// Asks everything about `customers` and judges it: range, reasons, interest. None where the guest failed.
    pub(crate) fn sweep(
        &mut self,
        scene: &Scene,
        customers: Vec<Customer>,
    ) -> Result<Option<Vec<Answer>>, CertifyError> {
        let Some(run) = self.subject.run(scene)? else { return Ok(None) };
        let decided = match self.subject.decide(&run, &customers)? {
            Ok(decided) => decided,
            Err(fault) => return self.blame(scene, customers, &fault).map(|()| None),
        };
        self.remember_fuel(decided.fuel, scene, &customers);
        let reasons = match self.subject.explain(&run, &customers)? {
            Ok(reasons) => reasons,
            Err(fault) => return self.blame(scene, customers, &fault).map(|()| None),
        };
        let answers: Vec<Answer> =
            decided.decisions.into_iter().zip(reasons).map(|(decision, reason)| Answer { decision, reason }).collect();
        self.notices.extend(answers.iter().filter_map(|a| a.decision).map(|d| d.notice));
        self.reasons.extend(answers.iter().map(|a| a.decision.map_or(a.reason, |d| d.reason)));
        let n = customers.len() as u64;
        *self.tried.entry(Check::Explain).or_default() += n;
        if let Some(at) = answers.iter().position(|a| a.decision.is_some_and(|d| d.reason != a.reason)) {
            self.find(Check::Explain, Input::new(scene, vec![customers[at].clone()]), Probe::Explain);
        }
        let interest = match self.subject.interest(&run)? {
            Ok(interest) => interest,
            Err(fault) => return self.blame(scene, customers, &fault).map(|()| None),
        };
        *self.tried.entry(Check::Interest).or_default() += n;
        let chosen = answers.iter().zip(&customers).position(|(a, c)| a.decision.is_some() && !inside(&interest, c));
        if let Some(at) = chosen {
            self.find(Check::Interest, Input::new(scene, vec![customers[at].clone()]), Probe::Interest);
        }
        Ok(Some(answers))
    }

    fn remember_fuel(&mut self, fuel: u64, scene: &Scene, customers: &[Customer]) {
        let each = fuel / customers.len().max(1) as u64;
        let at = self.dear.partition_point(|(dear, ..)| *dear >= each);
        if at < DEAR {
            self.dear.insert(at, (each, scene.clone(), customers.to_vec()));
            self.dear.truncate(DEAR);
        }
    }

    /// Columns that the plugin can see: those that it asks for, and those that its interest bounds.
    pub(crate) fn seen(&self) -> Result<Vec<ColumnId>, CertifyError> {
        let mut ids = self.subject.columns().to_vec();
        if let Some(run) = self.subject.run(&self.base)?
            && let Ok(interest) = self.subject.interest(&run)?
        {
            ids.extend(interest.columns());
        }
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    fn shrunk(&self, check: Check, probe: Probe, input: Input) -> Result<Option<Counterexample>, CertifyError> {
        let end = self.terms.budget.wall * 3 / 4;
        let late = || self.used() > end;
        shrink::smallest(&self.subject, check, probe, input, &self.base, &late)
    }

    fn certificate(mut self, engine: &Engine, plugin: &Plugin, failures: Vec<Counterexample>) -> Certificate {
        let results = Check::ALL.map(|check| self.result(check, &failures)).to_vec();
        let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
        let (fuel_per_customer, batch_cost, batch_cpu) = self.cost;
        Certificate {
            digest: plugin.digest(),
            plugin: plugin.manifest().name().to_owned(),
            version: plugin.manifest().version().to_owned(),
            passed: results.iter().all(|c| c.passed),
            checks: results,
            failures,
            fuel_per_customer,
            fuel_budget: self.terms.budget.fuel_per_customer,
            batch_cost_us: micros(batch_cost).max(1),
            batch_cpu_us: micros(batch_cpu),
            memory_bytes: self.subject.memory() as u64,
            generated: self.generated,
            real: self.real,
            cut_short: self.cut_short,
            seed: self.terms.seed.0,
            engine: engine.compatibility(Variant::Metered),
        }
    }

    fn result(&mut self, check: Check, failures: &[Counterexample]) -> CheckResult {
        let tried = self.tried.get(&check).copied().unwrap_or_default();
        let failure = failures.iter().find(|f| f.check == check);
        let spoiled = self.spoiled.get(&check).copied().unwrap_or_default();
        let (passed, detail) = if self.terms.without.contains(&check) {
            (false, "left out by whoever asked for the certificate".to_owned())
        } else if let Some(failure) = failure {
            (false, failure.explanation.clone())
        } else if self.failed.contains(&check) {
            (false, "a fault was seen, and it did not show itself again".to_owned())
        } else if self.casts.is_empty() {
            (false, "not tried: ordinary customers cannot be decided about".to_owned())
        } else {
            let mut said = self.passed_detail(check);
            if spoiled > 0 && check != Check::Parameters {
                said.push_str(&format!("; {spoiled} questions failed otherwise"));
            }
            (true, said)
        };
        CheckResult { name: check, title: check.title().to_owned(), passed, tried, detail }
    }

    fn passed_detail(&mut self, check: Check) -> String {
        let manifest = self.subject.manifest();
        match check {
            Check::Decisions => {
                let missed: Vec<&str> = (0_u16..)
                    .zip(manifest.reasons())
                    .filter(|(n, _)| !self.reasons.contains(n))
                    .map(|(_, r)| &*r.name)
                    .collect();
                let all = (manifest.notices().len(), manifest.reasons().len());
                let reached = format!(
                    "{} of {} notices and {} of {} reasons came up",
                    self.notices.len(),
                    all.0,
                    self.reasons.len(),
                    all.1
                );
                if missed.is_empty() { reached } else { format!("{reached}, not {}", missed.join(", ")) }
            }
            Check::Explain => "a valid reason for everybody, and the decision's own where there is one".to_owned(),
            Check::Interest => "nobody whom `decide` chose lies outside".to_owned(),
            Check::Parameters if self.refused > 0 => {
                let words: Vec<String> = self.refusals.iter().map(|w| format!("`{w}`")).collect();
                let own = self.said.remove(&check).unwrap_or_default();
                format!("{own}; the plugin refuses {} sets that its schema allows: {}", self.refused, words.join(", "))
            }
            Check::Triggers => {
                let names = manifest.triggers().iter().filter_map(|id| Registry::get().trigger(*id)).map(|t| &*t.name);
                names.collect::<Vec<_>>().join(", ")
            }
            _ => self.said.remove(&check).unwrap_or_default(),
        }
    }
}

/// The parameters of `scene` as the plugin gets them, and their numbers.
pub(crate) fn numbers_of(trial: &Trial<'_>, scene: &Scene) -> Vec<i64> {
    let filled = trial.subject.manifest().check_parameters(&scene.given).unwrap_or_else(|_| json!({}));
    let mut numbers = parameters::numbers(&filled);
    numbers.extend(&trial.constants);
    numbers
}
