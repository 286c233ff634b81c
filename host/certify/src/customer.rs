//! Customers as values of the registry's columns: what a trial asks about. Never anything by which a customer could be known.

use std::sync::LazyLock;

use gridbell_contract::{ColumnDef, Registry};
use gridbell_model::{ColumnId, ColumnSlice, Table};
use gridbell_workshop::Rows;

use crate::real::RealCustomers;

/// The columns that a host passes, in the order of the registry.
static COLUMNS: LazyLock<Vec<&'static ColumnDef>> =
    LazyLock::new(|| Registry::get().columns().iter().filter(|def| !def.reserved).collect());

/// Place of a column, by its id, in a customer's values.
static PLACES: LazyLock<Vec<Option<usize>>> = LazyLock::new(|| {
    let most = COLUMNS.iter().map(|def| usize::from(def.id.0)).max().unwrap_or_default();
    (0..=most).map(|id| COLUMNS.iter().position(|def| usize::from(def.id.0) == id)).collect()
});

/// The columns that a host passes.
pub(crate) fn columns() -> &'static [&'static ColumnDef] {
    &COLUMNS
}

fn place(id: ColumnId) -> Option<usize> {
    PLACES.get(usize::from(id.0)).copied().flatten()
}

/// What a column holds about a customer of whom nothing is known.
pub(crate) fn blank(def: &ColumnDef) -> i64 {
    def.none.unwrap_or(0)
}

/// Whether a column can hold `value`.
pub(crate) fn holds(def: &ColumnDef, value: i64) -> bool {
    def.none == Some(value) || (def.range.0..=def.range.1).contains(&value)
}

/// One customer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Customer(Vec<i64>);

impl Customer {
    /// Of whom nothing is known.
    pub(crate) fn unknown() -> Self {
        Self(COLUMNS.iter().map(|def| blank(def)).collect())
    }

    /// Row `row` of a sample; what it lacks is not known.
    pub(crate) fn real(sample: &RealCustomers, row: usize) -> Self {
        Self(COLUMNS.iter().map(|def| sample.get(row, def.id).unwrap_or_else(|| blank(def))).collect())
    }

    pub(crate) fn get(&self, id: ColumnId) -> i64 {
        place(id).and_then(|at| self.0.get(at)).copied().unwrap_or_default()
    }

    /// Sets a column to the value nearest to `value` that it can hold.
    pub(crate) fn set(&mut self, id: ColumnId, value: i64) {
        let Some(at) = place(id) else { return };
        let def = COLUMNS[at];
        self.0[at] = if def.none == Some(value) { value } else { value.clamp(def.range.0, def.range.1) };
    }

    /// The same with another value in one column.
    pub(crate) fn with(&self, id: ColumnId, value: i64) -> Self {
        let mut other = self.clone();
        other.set(id, value);
        other
    }

    /// Whether the column says anything.
    pub(crate) fn knows(&self, id: ColumnId) -> bool {
        Registry::get().column(id).is_some_and(|def| self.get(id) != blank(def))
    }

    /// Its values of `ids`: what a plugin sees of it.
    pub(crate) fn seen_as(&self, ids: &[ColumnId]) -> Vec<i64> {
        ids.iter().map(|id| self.get(*id)).collect()
    }
}

/// `customers` as an evaluation reads them, with every column, so that an interest may bound any.
pub(crate) fn table<'c>(customers: impl IntoIterator<Item = &'c Customer>) -> Rows {
    let ids: Vec<ColumnId> = COLUMNS.iter().map(|def| def.id).collect();
    let mut rows = Rows::new(&ids);
    for customer in customers {
        rows.push(|id| customer.get(id));
    }
    rows
}

/// A table of one chunk without rows.
pub(crate) struct Nobody;

impl Table for Nobody {
    fn chunks(&self) -> usize {
        1
    }

    fn rows(&self, _chunk: usize) -> usize {
        0
    }

    fn column(&self, _chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        use gridbell_contract::ColumnType as T;
        Registry::get().column(id).map(|def| match def.ty {
            T::U8 => ColumnSlice::U8(&[]),
            T::U16 => ColumnSlice::U16(&[]),
            T::U32 => ColumnSlice::U32(&[]),
            T::S32 => ColumnSlice::S32(&[]),
            T::S64 => ColumnSlice::S64(&[]),
        })
    }
}
