//! A plugin on the desk: checked, compiled and loaded as an upload would be, and asked under production's limits.

use gridbell_clock::{Clock, Seed};
use gridbell_contract::{Fact, Manifest, ParameterError, Registry, Run, TriggerId};
use gridbell_engine::{
    Checked, CompileLimits, CompilerCommand, Engine, EngineConfig, EvalOptions, Evaluation, OutsideSample, Plugin,
    check, compile_in_child,
};
use gridbell_model::{CivilMinute, ColumnId, PrefectureCode, Table};
use gridbell_planner::Calendar;
use serde_json::Value;

use crate::error::WorkshopError;
use crate::shelf::Shelf;

/// Whose customers a trial pretends to decide about: any prefecture will do, and this one is real.
const PREFECTURE: PrefectureCode = PrefectureCode(140_100);
/// Rows outside the interest that a trial decides about as well, as each run does in production.
const SAMPLE: usize = 256;

/// What a trial is told beside the customers.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Civil time of the decision.
    pub now: CivilMinute,
    /// Name of the trigger; the manifest's first if none.
    pub trigger: Option<String>,
    /// Name of the schedule.
    pub schedule: String,
    /// Parameters as the policy's file has them; defaults are filled in.
    pub parameters: Value,
    /// Numbers about the trigger, by name.
    pub numbers: Vec<(String, i64)>,
}

/// Compiles `upload` and lays it on the shelf.
fn compiled(
    engine: &Engine,
    upload: &[u8],
    compiler: &CompilerCommand,
    shelf: Option<&Shelf>,
) -> Result<Plugin, WorkshopError> {
    let memory = engine.config().guest_memory_bytes;
    let compiled = compile_in_child(compiler, upload, memory, CompileLimits::default())?;
    let plugin = engine.adopt(&compiled)?;
    if let Some(shelf) = shelf {
        shelf.put(upload, &compiled);
    }
    Ok(plugin)
}

/// A plugin, loaded.
pub struct Desk {
    engine: Engine,
    plugin: Plugin,
    checked: Checked,
    calendar: Calendar,
    upload_bytes: usize,
}

impl Desk {
    /// Checks and compiles `upload` as the host would, in a process of its own; what the same compiler made of the same upload before is taken
    /// from `shelf`.
    ///
    /// # Errors
    /// What the host would say at upload.
    pub fn open(
        upload: &[u8],
        compiler: &CompilerCommand,
        shelf: Option<&Shelf>,
        calendar: Calendar,
    ) -> Result<Self, WorkshopError> {
        let checked = check(upload).map_err(gridbell_engine::EngineError::from)?;
        let engine = Engine::new(EngineConfig::default(), Clock::system())?;
        let kept = shelf.and_then(|shelf| shelf.take(&engine, checked.digest()));
        let plugin = kept.map_or_else(|| compiled(&engine, upload, compiler, shelf), Ok)?;
        Ok(Self { engine, plugin, checked, calendar, upload_bytes: upload.len() })
    }

    /// The engine that it runs on.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The plugin.
    #[must_use]
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.plugin.manifest()
    }

    /// What the upload is.
    #[must_use]
    pub fn checked(&self) -> &Checked {
        &self.checked
    }

    /// Bytes of the upload.
    #[must_use]
    pub fn upload_bytes(&self) -> usize {
        self.upload_bytes
    }

    /// A run as the host would make it.
    ///
    /// # Errors
    /// Parameters that do not fit, a trigger or fact that the registry or the manifest does not know, a time without a calendar.
    pub fn run(&self, facts: &Facts) -> Result<Run, WorkshopError> {
        let params = self
            .manifest()
            .check_parameters(&facts.parameters)
            .map_err(|e: Vec<ParameterError>| WorkshopError::Parameters(e))?;
        let numbers = facts.numbers.iter().map(|(name, value)| {
            let known = || Registry::get().facts().iter().map(|f| &*f.name).collect::<Vec<_>>().join(", ");
            let def = Registry::get().fact_named(name);
            let unknown = || WorkshopError::Unknown { what: "fact", name: name.clone(), known: known() };
            def.map(|def| Fact { id: def.id, value: *value }).ok_or_else(unknown)
        });
        Ok(Run {
            prefecture: PREFECTURE,
            now: facts.now,
            trigger: self.trigger(facts.trigger.as_deref())?,
            schedule: facts.schedule.clone(),
            facts: numbers.collect::<Result<_, _>>()?,
            params: params.to_string(),
            workdays: self.calendar.workdays(facts.now.date()).map_err(|e| WorkshopError::Time(e.to_string()))?,
        })
    }

    fn trigger(&self, name: Option<&str>) -> Result<TriggerId, WorkshopError> {
        let own = self.manifest().triggers();
        let def = |id: &TriggerId| Registry::get().trigger(*id);
        let found = match name {
            None => own.first().copied(),
            Some(name) => own.iter().copied().find(|id| def(id).is_some_and(|d| d.name == name)),
        };
        found.ok_or_else(|| WorkshopError::Unknown {
            what: "trigger",
            name: name.unwrap_or_default().to_owned(),
            known: own.iter().filter_map(|id| def(id).map(|d| d.name.clone())).collect::<Vec<_>>().join(", "),
        })
    }

    /// Decides as a run in production does: rows inside the interest, and a sample of those outside.
    ///
    /// # Errors
    /// The guest's failure, in the words that production has for it.
    pub fn decide(&self, run: &Run, table: &dyn Table) -> Result<Evaluation, WorkshopError> {
        let sample = OutsideSample { seed: Seed(u64::from(self.plugin.digest().as_bytes()[0])), rows: SAMPLE };
        let options = EvalOptions { use_interest: true, sample_outside: Some(sample), ..EvalOptions::default() };
        Ok(self.engine.evaluate(&self.plugin, run, table, &options)?)
    }

    /// Decides about all rows, whether or not they are inside the interest.
    ///
    /// # Errors
    /// As [`Desk::decide`].
    pub fn decide_all(&self, run: &Run, table: &dyn Table) -> Result<Evaluation, WorkshopError> {
        Ok(self.engine.evaluate(&self.plugin, run, table, &EvalOptions::default())?)
    }

    /// The reason for each of `rows`: indexes into the manifest's list.
    ///
    /// # Errors
    /// As [`Desk::decide`].
    pub fn explain(&self, run: &Run, table: &dyn Table, rows: &[u32]) -> Result<Vec<u16>, WorkshopError> {
        Ok(self.engine.explain(&self.plugin, run, table, rows)?)
    }

    /// The columns that the plugin asks for.
    #[must_use]
    pub fn columns(&self) -> &[ColumnId] {
        self.manifest().columns()
    }
}
