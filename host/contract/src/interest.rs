//! Whom a policy could choose at all: the host filters its columns by this before it calls `decide`.

use gridbell_model::ColumnId;

use crate::error::ContractError;
use crate::registry::Registry;

/// Most clauses of an interest set. A policy that needs more is better served by `everyone`: each clause costs a pass over columns.
pub const MAX_CLAUSES: usize = 64;
/// Most bounds of one clause.
pub const MAX_BOUNDS: usize = 16;

/// How a bound looks at a value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Test {
    /// `low` ≤ value ≤ `high`, and the value is not the column's "none".
    Between,
    /// Every bit of the mask `low` is set.
    AllBits,
    /// Some bit of the mask `low` is set.
    AnyBit,
    /// No bit of the mask `low` is set.
    NoBits,
}

/// A condition on one column.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bound {
    /// The column looked at.
    pub column: ColumnId,
    /// How.
    pub test: Test,
    /// Lowest value, or the mask of a bit test.
    pub low: i64,
    /// Highest value; ignored by bit tests.
    pub high: i64,
}

impl Bound {
    /// Whether `value`, a value of the bound's column, passes. `none` is that column's "none" in the registry.
    #[must_use]
    pub fn matches(&self, value: i64, none: Option<i64>) -> bool {
        match self.test {
            Test::Between => self.low <= value && value <= self.high && Some(value) != none,
            Test::AllBits => value & self.low == self.low,
            Test::AnyBit => value & self.low != 0,
            Test::NoBits => value & self.low == 0,
        }
    }
}

/// Everyone, or whoever matches any of the clauses: each clause all of its bounds.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum InterestSet {
    /// No row is left out.
    Everyone,
    /// Any of the clauses; no clause is nobody.
    AnyOf(Vec<Vec<Bound>>),
}

impl InterestSet {
    /// Checks that the set can be used with this registry and is not larger than the bounds of this module.
    ///
    /// # Errors
    /// [`ContractError::Interest`] for an unknown or reserved column, an empty clause, or too many clauses or bounds.
    pub fn check(&self) -> Result<(), ContractError> {
        let Self::AnyOf(clauses) = self else { return Ok(()) };
        let wrong = |problem: String| Err(ContractError::Interest { problem });
        if clauses.len() > MAX_CLAUSES {
            return wrong(format!("{} clauses; at most {MAX_CLAUSES}, or say everyone", clauses.len()));
        }
        for (n, clause) in clauses.iter().enumerate() {
            if clause.is_empty() {
                return wrong(format!("clause {n} is empty; say everyone instead"));
            }
            if clause.len() > MAX_BOUNDS {
                return wrong(format!("clause {n} has {} bounds; at most {MAX_BOUNDS}", clause.len()));
            }
            for bound in clause {
                match Registry::get().column(bound.column) {
                    Some(def) if !def.reserved => {}
                    Some(def) => {
                        return wrong(format!("clause {n} uses the reserved column `{}`; leave it out", def.name));
                    }
                    None => {
                        return wrong(format!(
                            "clause {n} uses column {}, which the registry does not list",
                            bound.column.0
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a row is in the set; `value` gives the row's value of a column. A row that lacks a column matches no bound on it.
    pub fn contains(&self, mut value: impl FnMut(ColumnId) -> Option<i64>) -> bool {
        match self {
            Self::Everyone => true,
            Self::AnyOf(clauses) => clauses.iter().any(|clause| {
                clause.iter().all(|bound| {
                    let none = Registry::get().column(bound.column).and_then(|c| c.none);
                    value(bound.column).is_some_and(|v| bound.matches(v, none))
                })
            }),
        }
    }

    /// The columns that the bounds look at, each once, by id.
    #[must_use]
    pub fn columns(&self) -> Vec<ColumnId> {
        let Self::AnyOf(clauses) = self else { return Vec::new() };
        let mut ids: Vec<ColumnId> = clauses.iter().flatten().map(|b| b.column).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}
