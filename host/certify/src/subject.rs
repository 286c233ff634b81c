//! The plugin under trial, and how it is asked: in counted code, with fuel for so many customers as it is asked about, never by wall-clock time.

use std::cell::Cell;
use std::time::Duration;

use gridbell_contract::{Fact, InterestSet, Manifest, Run, TriggerId};
use gridbell_engine::{Engine, EvalOptions, GuestError, Plugin, RunError};
use gridbell_model::{CHUNK_ROWS, CivilMinute, ColumnId, Decision, PrefectureCode, Table};
use gridbell_planner::Calendar;
use serde_json::Value;

use crate::certificate::Check;
use crate::customer::{Customer, Nobody, columns, table};
use crate::error::CertifyError;

/// Whose customers the trial pretends to ask about: any prefecture will do, and this one is real.
const PREFECTURE: PrefectureCode = PrefectureCode(140_100);
/// Fuel for what a call costs before its first customer: an instance, the parameters. An interpreter takes some millions.
pub(crate) const FUEL_TO_START: u64 = 100_000_000;
/// Cost from which the deadline of a call is made: so long that fuel ends first on the slowest machine.
const GENEROUS: Duration = Duration::from_secs(3);

/// When and why the plugin is asked, and with which parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    /// Which check made it: a guest that breaks in it fails that check.
    pub(crate) kind: Check,
    pub(crate) now: CivilMinute,
    pub(crate) trigger: TriggerId,
    pub(crate) schedule: String,
    pub(crate) facts: Vec<Fact>,
    /// As a policy's file has them, without the defaults.
    pub(crate) given: Value,
}

/// What the plugin answers about one customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Its decision, as if the customer stood in row 0.
    pub(crate) decision: Option<Decision>,
    /// Why.
    pub(crate) reason: u16,
}

/// A guest's own failure, or what it said.
pub(crate) type Said<T> = Result<T, Box<GuestError>>;
/// What it said, or why the host could not ask.
pub(crate) type Asked<T> = Result<Said<T>, CertifyError>;

/// Decisions about a list of customers.
#[derive(Debug)]
pub(crate) struct Decided {
    /// One for each customer, as if it stood in row 0.
    pub(crate) decisions: Vec<Option<Decision>>,
    /// Fuel used over all batches.
    pub(crate) fuel: u64,
    /// CPU time of the calls.
    pub(crate) cpu: Duration,
}

/// The plugin under trial.
pub(crate) struct Subject<'a> {
    engine: &'a Engine,
    plugin: Plugin,
    calendar: &'a Calendar,
    fuel_per_customer: u64,
    tried: Cell<u64>,
    memory: Cell<usize>,
}

impl<'a> Subject<'a> {
    pub(crate) fn new(engine: &'a Engine, plugin: &Plugin, calendar: &'a Calendar, fuel_per_customer: u64) -> Self {
        let plugin = plugin.with_cost(GENEROUS);
        Self { engine, plugin, calendar, fuel_per_customer, tried: Cell::new(0), memory: Cell::new(0) }
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        self.plugin.manifest()
    }

    /// The columns that it asks for.
    pub(crate) fn columns(&self) -> &[ColumnId] {
        self.manifest().columns()
    }

    /// Customers asked about so far.
    pub(crate) fn tried(&self) -> u64 {
        self.tried.get()
    }

    /// Bytes of the instance that needed most so far.
    pub(crate) fn memory(&self) -> usize {
        self.memory.get()
    }

    /// Units of fuel that a customer may cost.
    pub(crate) fn fuel_per_customer(&self) -> u64 {
        self.fuel_per_customer
    }

    pub(crate) fn fuel_for(&self, rows: usize) -> u64 {
        FUEL_TO_START.saturating_add(self.fuel_per_customer.saturating_mul(rows.min(CHUNK_ROWS) as u64))
    }

    /// The run of `scene`; none if its parameters do not fit the schema.
    pub(crate) fn run(&self, scene: &Scene) -> Result<Option<Run>, CertifyError> {
        let Ok(params) = self.manifest().check_parameters(&scene.given) else { return Ok(None) };
        let workdays = self.calendar.workdays(scene.now.date());
        Ok(Some(Run {
            prefecture: PREFECTURE,
            now: scene.now,
            trigger: scene.trigger,
            schedule: scene.schedule.clone(),
            facts: scene.facts.clone(),
            params: params.to_string(),
            workdays: workdays.map_err(|e| CertifyError::Setup { detail: e.to_string() })?,
        }))
    }

    /// Asks `decide` about `customers`, in their order; more than a batch in several.
    pub(crate) fn decide<'c>(&self, run: &Run, customers: impl IntoIterator<Item = &'c Customer>) -> Asked<Decided> {
        let rows = table(customers);
        self.decided(run, &rows, rows.len(), Some(self.fuel_for(rows.len())))
    }

    /// The same in the code that production runs, which counts nothing.
    pub(crate) fn decide_plain<'c>(
        &self,
        run: &Run,
        customers: impl IntoIterator<Item = &'c Customer>,
    ) -> Asked<Decided> {
        let rows = table(customers);
        self.decided(run, &rows, rows.len(), None)
    }

    /// Asks `decide` about nobody.
    pub(crate) fn decide_nobody(&self, run: &Run) -> Asked<Decided> {
        self.decided(run, &Nobody, 0, Some(self.fuel_for(0)))
    }

    fn decided(&self, run: &Run, rows: &dyn Table, len: usize, fuel: Option<u64>) -> Asked<Decided> {
        self.tried.set(self.tried.get() + len as u64);
        let options = EvalOptions { fuel, ..EvalOptions::default() };
        let done = said(self.engine.evaluate(&self.plugin, run, rows, &options))?;
        Ok(done.map(|done| {
            self.memory.set(self.memory.get().max(done.memory));
            let mut decisions = vec![None; len];
            for mut decision in done.decisions {
                // The engine checked that every row is one of the table's.
                let row = std::mem::take(&mut decision.row) as usize;
                decisions[row] = Some(decision);
            }
            Decided { decisions, fuel: done.fuel.unwrap_or_default(), cpu: done.cpu }
        }))
    }

    /// Asks `explain` about `customers`, in their order.
    pub(crate) fn explain<'c>(&self, run: &Run, customers: impl IntoIterator<Item = &'c Customer>) -> Asked<Vec<u16>> {
        let rows = table(customers);
        let all: Vec<u32> = (0..).take(rows.len()).collect();
        said(self.engine.explain_counted(&self.plugin, run, &rows, &all, self.fuel_for(rows.len())))
    }

    /// Asks for the interest.
    pub(crate) fn interest(&self, run: &Run) -> Asked<InterestSet> {
        said(self.engine.interest_counted(&self.plugin, run, self.fuel_for(0)))
    }

    /// Asks `decide` and `explain` about `customers`.
    pub(crate) fn answers(&self, run: &Run, customers: &[Customer]) -> Asked<Vec<Answer>> {
        let decided = match self.decide(run, customers)? {
            Ok(decided) => decided,
            Err(fault) => return Ok(Err(fault)),
        };
        Ok(self.explain(run, customers)?.map(|reasons| {
            let answers = decided.decisions.into_iter().zip(reasons);
            answers.map(|(decision, reason)| Answer { decision, reason }).collect()
        }))
    }
}

/// Whether a customer lies inside an interest.
pub(crate) fn inside(interest: &InterestSet, customer: &Customer) -> bool {
    interest.contains(|id| columns().iter().any(|def| def.id == id).then(|| customer.get(id)))
}

fn said<T>(result: Result<T, RunError>) -> Asked<T> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(RunError::Guest(fault)) => Ok(Err(fault)),
        Err(other) => Err(other.into()),
    }
}
