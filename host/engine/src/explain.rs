//! Why a policy chose or did not choose a row; and the questions besides `decide`, counted in fuel.

use gridbell_contract::{InterestSet, Run};
use gridbell_model::Table;

use crate::engine::Engine;
use crate::error::RunError;
use crate::evaluate::{Job, NoRows};
use crate::plugin::Plugin;

impl Engine {
    /// For each of `rows`, in their order: an index into the manifest's reasons. Blocks until done.
    ///
    /// # Errors
    /// As [`Engine::evaluate`].
    pub fn explain(&self, plugin: &Plugin, run: &Run, table: &dyn Table, rows: &[u32]) -> Result<Vec<u16>, RunError> {
        self.explained(plugin, run, table, rows, None)
    }

    /// The same with at most `fuel` for each batch, as [`crate::EvalOptions::fuel`] gives it to `decide`: a bound that is no wall-clock time.
    ///
    /// # Errors
    /// As [`Engine::evaluate`].
    pub fn explain_counted(
        &self,
        plugin: &Plugin,
        run: &Run,
        table: &dyn Table,
        rows: &[u32],
        fuel: u64,
    ) -> Result<Vec<u16>, RunError> {
        self.explained(plugin, run, table, rows, Some(fuel))
    }

    /// [`Engine::interest`] with at most `fuel`.
    ///
    /// # Errors
    /// As [`Engine::evaluate`].
    pub fn interest_counted(&self, plugin: &Plugin, run: &Run, fuel: u64) -> Result<InterestSet, RunError> {
        Job::new(self, plugin, run, &NoRows, Some(fuel), None)?.interest()
    }

    fn explained(
        &self,
        plugin: &Plugin,
        run: &Run,
        table: &dyn Table,
        rows: &[u32],
        fuel: Option<u64>,
    ) -> Result<Vec<u16>, RunError> {
        let job = Job::new(self, plugin, run, table, fuel, None)?;
        let sorted = job.selection(rows)?;
        let reasons = job.explain(&sorted)?;
        let reason = |row| sorted.binary_search(row).ok().and_then(|n| reasons.get(n)).copied();
        // Every row of `rows` is in `sorted`, and there is one reason for each.
        Ok(rows.iter().filter_map(reason).collect())
    }
}
