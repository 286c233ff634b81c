//! Why a policy chose or did not choose a row.

use gridbell_contract::Run;
use gridbell_model::Table;

use crate::engine::Engine;
use crate::error::RunError;
use crate::evaluate::Job;
use crate::plugin::Plugin;

impl Engine {
    /// For each of `rows`, in their order: an index into the manifest's reasons. Blocks until done.
    ///
    /// # Errors
    /// As [`Engine::evaluate`].
    pub fn explain(&self, plugin: &Plugin, run: &Run, table: &dyn Table, rows: &[u32]) -> Result<Vec<u16>, RunError> {
        let job = Job::new(self, plugin, run, table, None, None)?;
        let sorted = job.selection(rows)?;
        let reasons = job.explain(&sorted)?;
        let reason = |row| sorted.binary_search(row).ok().and_then(|n| reasons.get(n)).copied();
        // Every row of `rows` is in `sorted`, and there is one reason for each.
        Ok(rows.iter().filter_map(reason).collect())
    }
}
