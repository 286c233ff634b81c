//! Some rows of a file, handed on together.

use crate::reject::Reject;
use crate::summary::Warnings;

/// Rows in the order of the file, and what was refused among them. A batch is what one block of the file holds, at most
/// [`crate::Import::MAX_BATCH_ROWS`] rows.
#[derive(Clone, Debug)]
pub struct Batch<T> {
    /// The rows.
    pub rows: Vec<T>,
    /// For each row its line (or row of the sheet), from 1.
    pub lines: Vec<u64>,
    /// What was refused.
    pub rejects: Vec<Reject>,
    pub(crate) blank: u64,
    pub(crate) last_line: u64,
    pub(crate) warnings: Warnings,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            lines: Vec::new(),
            rejects: Vec::new(),
            blank: 0,
            last_line: 0,
            warnings: Warnings::default(),
        }
    }
}
