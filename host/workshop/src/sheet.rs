//! A file of customers for a trial run: CSV whose headers are names of the registry's columns, and `account`, which the plugin never sees.

use std::io::Read;

use gridbell_contract::{ColumnDef, Registry};
use gridbell_model::ColumnId;

use crate::cases::blank;
use crate::error::WorkshopError;
use crate::rows::Rows;
use crate::value::parse_value;

/// Most customers of one trial: a large prefecture, and some.
const MAX_ROWS: usize = 5_000_000;
/// Rows that are named one by one; the others are counted.
const MAX_REJECTS: usize = 1000;

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Its line, from 1.
    pub line: u64,
    /// Its column's header.
    pub column: String,
    /// What is wrong.
    pub reason: String,
}

/// Customers read from a file.
#[derive(Debug)]
pub struct Sheet {
    /// Their values.
    pub rows: Rows,
    /// Their account numbers, where the file has them.
    pub accounts: Vec<String>,
    /// Rows that were left out, the first thousand of them.
    pub rejected: Vec<RejectedRow>,
    /// How many were left out.
    pub rejected_count: u64,
}

impl Sheet {
    /// Reads the columns that a plugin asks for; others may be in the file.
    ///
    /// # Errors
    /// No header that fits, no CSV, too many rows. A row that is wrong is in [`Sheet::rejected`].
    pub fn read(document: &str, input: impl Read, columns: &[ColumnId]) -> Result<Self, WorkshopError> {
        let file = |line: u64, problem: String| WorkshopError::File {
            document: document.to_owned(),
            place: format!("line {line}"),
            problem,
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(input);
        let header = reader.headers().map_err(|e| file(1, e.to_string()))?.clone();
        let clean = |name: &str| name.trim().trim_start_matches('\u{feff}').to_owned();
        let place = |name: &str| header.iter().position(|h| clean(h) == name);
        let account = ["account", "户号"].iter().find_map(|name| place(name));
        let defs: Vec<&'static ColumnDef> = columns.iter().filter_map(|id| Registry::get().column(*id)).collect();
        let found: Vec<(&ColumnDef, usize)> =
            defs.iter().filter_map(|def| place(&def.name).map(|at| (*def, at))).collect();
        if found.is_empty() {
            let wanted: Vec<&str> = defs.iter().map(|d| &*d.name).collect();
            return Err(file(1, format!("no header is a column that the plugin asks for: {}", wanted.join(", "))));
        }
        let mut sheet =
            Self { rows: Rows::new(columns), accounts: Vec::new(), rejected: Vec::new(), rejected_count: 0 };
        let mut record = csv::StringRecord::new();
        loop {
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(false) => return Ok(sheet),
                Ok(true) => sheet.take(line, &record, &found, account),
                Err(e) => return Err(file(line, e.to_string())),
            }
            if sheet.rows.len() > MAX_ROWS {
                return Err(file(line, format!("more than {MAX_ROWS} customers; cut the file")));
            }
        }
    }

    fn take(&mut self, line: u64, record: &csv::StringRecord, found: &[(&ColumnDef, usize)], account: Option<usize>) {
        let mut values = Vec::with_capacity(found.len());
        for (def, at) in found {
            match parse_value(def, record.get(*at).unwrap_or_default()) {
                Ok(value) => values.push((def.id, value)),
                // An empty field of a column without "none" is its 0.
                Err(_) if record.get(*at).unwrap_or_default().trim().is_empty() => values.push((def.id, 0)),
                Err(reason) => {
                    self.rejected_count += 1;
                    if self.rejected.len() < MAX_REJECTS {
                        self.rejected.push(RejectedRow { line, column: def.name.clone(), reason });
                    }
                    return;
                }
            }
        }
        let value = |id| values.iter().find(|(own, _)| *own == id).map_or_else(|| blank(id), |(_, v)| *v);
        self.rows.push(value);
        self.accounts.push(account.and_then(|at| record.get(at)).unwrap_or_default().trim().to_owned());
    }
}
