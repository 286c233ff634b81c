//! Payments that no run has seen, as a run of them reads them: a row for each payment, with the columns of the customer who paid.

use std::sync::Arc;

use gridbell_model::{ColumnId, ColumnSlice, CustomerView, Table};

use crate::columns::{Chunk, PAYMENT_SAID};
use crate::snapshot::Snapshot;

/// Waiting payments in the order of customers, and of each the oldest first. Rows are payments: two of one customer are two rows, which differ in
/// what they say of the payment.
#[derive(Clone, Debug)]
pub struct Payments {
    table: Snapshot,
    customers: Vec<u32>,
}

impl Payments {
    pub(crate) fn of(snapshot: &Snapshot) -> Self {
        let mut chunks: Vec<Chunk> = Vec::new();
        let mut customers = Vec::with_capacity(snapshot.waiting.len());
        for (row, key, payment) in snapshot.waiting.iter() {
            let Some((from, at)) = snapshot.chunk(*row) else { continue };
            if chunks.last().is_none_or(Chunk::is_full) {
                chunks.push(Chunk::new());
            }
            let Some(chunk) = chunks.last_mut() else { continue };
            chunk.push_copy(from, at);
            let last = chunk.len() - 1;
            // Of the latest payment it is known whether something else than a run of payments told of it.
            if chunk.payment_key[last] != *key {
                chunk.flags[last] &= !PAYMENT_SAID;
            }
            chunk.payment_key[last] = *key;
            chunk.paid_amount[last] = payment.amount;
            chunk.paid_on[last] = payment.paid_on;
            customers.push(*row);
        }
        let chunks = chunks.into_iter().map(Arc::new).collect();
        Self { table: Snapshot { chunks, ..snapshot.clone() }, customers }
    }

    /// How many payments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.customers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.customers.is_empty()
    }

    /// The customer who made payment `row`, with what is said of payments being that one's. The view's row is the customer's.
    #[must_use]
    pub fn view(&self, row: u32) -> Option<CustomerView> {
        let customer = self.customers.get(row as usize)?;
        self.table.view(row).map(|view| CustomerView { row: *customer, ..view })
    }
}

impl Table for Payments {
    fn chunks(&self) -> usize {
        self.table.chunks()
    }

    fn rows(&self, chunk: usize) -> usize {
        Table::rows(&self.table, chunk)
    }

    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        self.table.column(chunk, id)
    }
}
