//! What stops an import as a whole. A single wrong row never does: it becomes a [`crate::Reject`].

use crate::field::Kind;

/// Why a file cannot be imported at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IntakeError {
    /// The file cannot be opened or read.
    #[error("cannot read `{file}`")]
    Read {
        /// The file's name.
        file: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("`{file}` is empty: the first line must name the columns")]
    Empty {
        /// The file's name.
        file: String,
    },
    /// The columns that this kind of file must have were not found.
    #[error(
        "`{file}`, line {line}: no column for {missing}; the line says `{seen}`; rename the columns, or give a mapping file with {example}"
    )]
    Header {
        /// The file's name.
        file: String,
        /// The line that looked most like a header, from 1.
        line: u64,
        /// What the line says, shortened.
        seen: String,
        /// The fields without a column, each with the headers that would be understood.
        missing: String,
        /// A line for the mapping file.
        example: String,
    },
    /// Two columns claim the same field.
    #[error(
        "`{file}`, line {line}: both `{first}` and `{second}` are {field}; remove one, or name the right one in a mapping file"
    )]
    Twice {
        /// The file's name.
        file: String,
        /// The header's line, from 1.
        line: u64,
        /// Our field.
        field: &'static str,
        /// One header.
        first: String,
        /// The other header.
        second: String,
    },
    /// The mapping file names a header that the file has not.
    #[error(
        "`{file}`, line {line}: the mapping file expects a column `{header}` for {field}, but the line says `{seen}`"
    )]
    MappedHeader {
        /// The file's name.
        file: String,
        /// The header's line, from 1.
        line: u64,
        /// Our field.
        field: &'static str,
        /// The header that was expected.
        header: String,
        /// What the line says, shortened.
        seen: String,
    },
    /// The mapping file is not TOML of the right shape.
    #[error("the mapping file is not understood: {reason}")]
    Mapping {
        /// What is wrong, and where.
        reason: String,
    },
    /// The mapping file maps a field that there is not.
    #[error("the mapping file maps `{field}`, but {kind} have no such field: use one of {known}")]
    MappingField {
        /// The table in the mapping file.
        kind: Kind,
        /// What was given.
        field: String,
        /// The fields that there are.
        known: String,
    },
    /// The segments file is not understood.
    #[error("the segments file is not understood: {reason}")]
    Segments {
        /// What is wrong, and where.
        reason: String,
    },
    /// An old binary workbook.
    #[error("`{file}` is a workbook of the old .xls kind: save it as .xlsx or as CSV")]
    OldWorkbook {
        /// The file's name.
        file: String,
    },
    /// A workbook that cannot be read.
    #[error("`{file}` is not a readable workbook: {reason}")]
    Workbook {
        /// The file's name.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A workbook too large to unpack.
    #[error(
        "`{file}` unpacks to {mib} MiB, more than the {limit_mib} MiB that a workbook may: save it as CSV, which may have any size"
    )]
    WorkbookTooLarge {
        /// The file's name.
        file: String,
        /// What it says it unpacks to.
        mib: u64,
        /// What it may.
        limit_mib: u64,
    },
    /// No sheet of that name.
    #[error("`{file}` has no sheet `{sheet}`: it has {known}")]
    Sheet {
        /// The file's name.
        file: String,
        /// What was asked for.
        sheet: String,
        /// The sheets that there are.
        known: String,
    },
    /// The reject file cannot be written.
    #[error("cannot write the reject file")]
    Reject(#[source] std::io::Error),
    /// A part of the importer stopped without saying why.
    #[error(
        "reading `{file}` stopped after line {line}: this is a defect of the importer; import the rest of the file, and report it"
    )]
    Stopped {
        /// The file's name.
        file: String,
        /// The last line that was handed on.
        line: u64,
    },
}
