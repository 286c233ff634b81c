//! Imports: files of customers, bills, balances, payments, addresses at platforms, ported numbers and the grid become typed rows and a report of
//! what was refused.
//!
//! CSV (UTF-8, GB18030, UTF-16 with its mark) and XLSX, Chinese or English headers or a mapping file, streaming: memory stays the same however
//! long the file is. A row whose identity or money is wrong is refused with its line, column and reason and the import goes on; anything else that
//! is wrong is a warning. The rules for a row are the same for a file and for the API (see [`CustomerInput`], [`BillRow::check`] and their like).
//!
//! Must never change state, and never show a name or a number of a person: rows go to whoever asked for them, refused values are masked.

mod batch;
mod block;
mod cell;
mod codes;
mod decode;
mod error;
mod field;
mod grid;
mod import;
mod input;
mod layout;
mod mapping;
mod mask;
mod parse;
mod reject;
mod rows;
mod seen;
mod segments;
mod summary;
mod token;
mod xlsx;

pub use batch::Batch;
pub use decode::Encoding;
pub use error::IntakeError;
pub use field::{FieldSpec, Kind};
pub use grid::SupplyRow;
pub use import::{Import, Options, Places, Progress};
pub use input::CustomerInput;
pub use mapping::Mapping;
pub use parse::Row;
pub use reject::{Place, Reason, Reject, RejectFile};
pub use rows::{BalanceRow, BillRow, ContactRow, CustomerRow, PaymentRow, PortedRow, Refusal};
pub use segments::read_segments;
pub use summary::{Summary, Warning, WarningCount};
