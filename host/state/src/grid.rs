//! The grid in the state: facts about it are an op, its records parts of the checkpoint. What they mean is the topology's.

use gridbell_topology::{Done, Grid, GridFact, Kind, Refusal, Removal, TransformerSet, Warning};

use crate::core_state::{Context, Core};
use crate::error::StateError;
use crate::ops::{Applied, AuditNote, Facts};
use crate::state::State;

/// What became of each of some facts about the grid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GridOutcome {
    /// Facts that made something.
    pub created: u64,
    /// Facts that changed something.
    pub changed: u64,
    /// Facts that were known.
    pub unchanged: u64,
    /// Facts that were not taken: index within those that were told, and why.
    pub refused: Vec<(u32, Refusal)>,
    /// Facts that were taken and should be looked at.
    pub warned: Vec<(u32, Warning)>,
}

impl GridOutcome {
    /// Adds what became of other facts of the same change.
    pub(crate) fn merge(&mut self, other: Self) {
        self.created += other.created;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.refused.extend(other.refused);
        self.warned.extend(other.warned);
    }
}

impl Core {
    pub(crate) fn apply_grid(&self, facts: &[GridFact], ctx: &Context<'_>) -> GridOutcome {
        // Whoever asks meanwhile gets the grid from before: all of them become visible at once.
        let mut grid = self.grid.read().clone();
        let mut outcome = GridOutcome::default();
        for (n, fact) in (0u32..).zip(facts) {
            let warning = match grid.apply(fact, ctx.at) {
                Ok(Done::Created(warning)) => {
                    outcome.created += 1;
                    warning
                }
                Ok(Done::Changed(warning)) => {
                    outcome.changed += 1;
                    warning
                }
                Ok(Done::Unchanged) => {
                    outcome.unchanged += 1;
                    None
                }
                Err(refusal) => {
                    outcome.refused.push((n, refusal));
                    None
                }
            };
            outcome.warned.extend(warning.map(|w| (n, w)));
        }
        *self.grid.write() = grid;
        outcome
    }
}

impl State {
    /// The grid as it is now; cheap.
    #[must_use]
    pub fn grid(&self) -> Grid {
        self.shared().core.grid.read().clone()
    }

    /// Takes one fact about the grid in, with audit notes in the same commit. A transformer on which customers hang is not removed.
    ///
    /// # Errors
    /// [`StateError::Grid`] with what is wrong; then nothing is changed. When the store refuses.
    pub async fn change_grid(&self, fact: GridFact, audit: Vec<AuditNote>) -> Result<Applied, StateError> {
        // Whether customers hang on it is asked before and not where it is applied: customers are in pages that may be newer than the grid
        // when the journal is replayed. One who comes in between hangs on nothing, and is found with those.
        let grid = self.grid();
        if let GridFact::Remove(Removal { kind: Kind::Transformer, code }) = &fact
            && let Some(number) = grid.find_transformer(code.as_str())
        {
            let customers: usize = self.fed_by(&TransformerSet::from_iter([number])).values().map(Vec::len).sum();
            if customers > 0 {
                let by = format!("the supply of {customers} customers");
                return Err(Refusal::InUse { kind: Kind::Transformer, code: code.clone(), by }.into());
            }
        }
        // What would be refused is not even written down.
        grid.clone().apply(&fact, self.shared().clock.now())?;
        let applied = self.facts(Facts::Grid(vec![fact]), false, audit).await?;
        match applied.grid.refused.first() {
            Some((_, refusal)) => Err(refusal.clone().into()),
            None => Ok(applied),
        }
    }
}
