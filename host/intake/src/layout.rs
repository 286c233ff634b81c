//! Which column of a file holds which field: found once, in the header, and looked up by index from then on.

use std::collections::HashMap;

use gridbell_model::Traits;

use crate::error::IntakeError;
use crate::field::{FieldSpec, Kind, MAX_FIELDS, normal};
use crate::mapping::Mapping;
use crate::mask::{shown, shown_header};

/// A header is looked for in so many rows: offices put a title above it.
pub(crate) const MAX_HEADER_ROWS: usize = 10;
/// The most columns; a header with more is none.
pub(crate) const MAX_COLUMNS: usize = 1024;
const ABSENT: u16 = u16::MAX;

/// The columns of a file.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    kind: Kind,
    /// By field: the index of its column.
    columns: [u16; MAX_FIELDS],
    /// As the file writes them.
    headers: Vec<String>,
    /// The yes/no columns that the file has, with the trait that each sets.
    flags: Vec<(usize, Traits)>,
    /// Columns in the header, blank ones at its end included.
    width: usize,
    ignored: Vec<String>,
}

/// A row that may be the header.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Its line or row, from 1.
    pub(crate) line: u64,
    /// Its fields.
    pub(crate) cells: Vec<String>,
}

impl Layout {
    /// The first of `rows` that has every required field, and which of them it is.
    pub(crate) fn find(
        kind: Kind,
        rows: &[Candidate],
        mapping: Option<&Mapping>,
        file: &str,
    ) -> Result<(Self, usize), IntakeError> {
        let names = names(kind, mapping);
        let mut best: Option<(&Candidate, Vec<&'static FieldSpec>)> = None;
        for (index, row) in rows.iter().enumerate() {
            let (missing, claims) = missing(kind, &names, row);
            if missing.is_empty() {
                return Self::build(kind, row, &claims, mapping, file).map(|layout| (layout, index));
            }
            if best.as_ref().is_none_or(|(_, least)| missing.len() < least.len()) {
                best = Some((row, missing));
            }
        }
        let Some((row, missing)) = best else { return Err(IntakeError::Empty { file: file.to_owned() }) };
        Err(header_error(kind, row, &missing, mapping, file))
    }

    fn build(
        kind: Kind,
        row: &Candidate,
        claims: &[(usize, usize)],
        mapping: Option<&Mapping>,
        file: &str,
    ) -> Result<Self, IntakeError> {
        let mut columns = [ABSENT; MAX_FIELDS];
        let mut ranks = [usize::MAX; MAX_FIELDS];
        let mut taken = vec![false; row.cells.len()];
        for (column, rank_and_field) in claims.iter().map(|(c, f)| (*c, *f)) {
            let (field, rank) = (rank_and_field % MAX_FIELDS, rank_and_field / MAX_FIELDS);
            taken[column] = true;
            if columns[field] != ABSENT && ranks[field] == rank {
                return Err(IntakeError::Twice {
                    file: file.to_owned(),
                    line: row.line,
                    field: kind.fields()[field].name,
                    first: row.cells[columns[field] as usize].clone(),
                    second: row.cells[column].clone(),
                });
            }
            if rank < ranks[field] {
                columns[field] = u16::try_from(column).unwrap_or(ABSENT);
                ranks[field] = rank;
            }
        }
        // A mapped field that is not required must be there too: the operator said so.
        for (field, spec) in kind.fields().iter().enumerate() {
            if let Some(header) = mapping.and_then(|m| m.headers(kind, spec.name)).and_then(|h| h.first())
                && columns[field] == ABSENT
            {
                return Err(IntakeError::MappedHeader {
                    file: file.to_owned(),
                    line: row.line,
                    field: spec.name,
                    header: header.clone(),
                    seen: seen(row),
                });
            }
        }
        let flags = kind
            .fields()
            .iter()
            .enumerate()
            .filter_map(|(i, f)| f.flag.filter(|_| columns[i] != ABSENT).map(|bit| (i, bit)))
            .collect();
        let ignored = (row.cells.iter().zip(&taken))
            .filter(|(cell, taken)| !**taken && !cell.trim().is_empty())
            .map(|(cell, _)| cell.trim().to_owned())
            .collect();
        Ok(Self { kind, columns, headers: row.cells.clone(), flags, width: row.cells.len(), ignored })
    }

    /// The column of a field.
    pub(crate) fn column(&self, field: usize) -> Option<usize> {
        self.columns.get(field).filter(|c| **c != ABSENT).map(|c| *c as usize)
    }

    /// The field that a column holds.
    pub(crate) fn field_of(&self, column: usize) -> Option<usize> {
        self.columns.iter().position(|c| *c != ABSENT && *c as usize == column)
    }

    /// The field with our name `name`, and its column.
    pub(crate) fn by_name(&self, name: &str) -> Option<(usize, Option<usize>)> {
        let field = self.kind.fields().iter().position(|f| f.name == name)?;
        Some((field, self.column(field)))
    }

    /// The header of a field's column as the file writes it; where the file has no such column, our name.
    pub(crate) fn header(&self, field: usize) -> String {
        let written = self.column(field).and_then(|c| self.headers.get(c)).map(|h| h.trim().to_owned());
        written.or_else(|| self.kind.fields().get(field).map(|f| f.name.to_owned())).unwrap_or_default()
    }

    /// The yes/no columns that the file has.
    pub(crate) fn flags(&self) -> &[(usize, Traits)] {
        &self.flags
    }

    /// Columns of the header.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Headers that mean nothing to us.
    pub(crate) fn ignored(&self) -> &[String] {
        &self.ignored
    }
}

/// How many fields of `kind` a row names: the right delimiter makes it most.
pub(crate) fn recognised(kind: Kind, rows: &[Candidate], mapping: Option<&Mapping>) -> usize {
    let names = names(kind, mapping);
    rows.iter().map(|row| row.cells.iter().filter(|c| names.contains_key(&normal(c))).count()).max().unwrap_or(0)
}

/// Every header that is understood, compared form: field + rank × [`MAX_FIELDS`]; a lower rank takes precedence (the order in a mapping file).
fn names(kind: Kind, mapping: Option<&Mapping>) -> HashMap<String, usize> {
    let mut names = HashMap::new();
    for (field, spec) in kind.fields().iter().enumerate() {
        if mapping.and_then(|m| m.headers(kind, spec.name)).is_none() {
            for header in std::iter::once(&spec.name).chain(spec.headers) {
                names.insert(normal(header), field);
            }
        }
    }
    // A mapped header is the mapped field's, whatever else it might have meant.
    for (field, spec) in kind.fields().iter().enumerate() {
        for (rank, header) in mapping.and_then(|m| m.headers(kind, spec.name)).unwrap_or_default().iter().enumerate() {
            names.insert(normal(header), field + rank * MAX_FIELDS);
        }
    }
    names
}

/// The required fields that `row` lacks, and for each column that is understood, its field and rank.
fn missing(
    kind: Kind,
    names: &HashMap<String, usize>,
    row: &Candidate,
) -> (Vec<&'static FieldSpec>, Vec<(usize, usize)>) {
    let claims: Vec<(usize, usize)> = (row.cells.iter().enumerate().take(MAX_COLUMNS))
        .filter_map(|(column, cell)| names.get(&normal(cell)).map(|f| (column, *f)))
        .collect();
    let has = |field: usize| claims.iter().any(|(_, f)| f % MAX_FIELDS == field);
    let missing = kind.fields().iter().enumerate().filter(|(i, f)| f.required && !has(*i)).map(|(_, f)| f).collect();
    (missing, claims)
}

fn header_error(
    kind: Kind,
    row: &Candidate,
    missing: &[&'static FieldSpec],
    mapping: Option<&Mapping>,
    file: &str,
) -> IntakeError {
    if let Some((spec, header)) =
        missing.iter().find_map(|f| Some((f, mapping?.headers(kind, f.name)?.first()?.clone())))
    {
        return IntakeError::MappedHeader {
            file: file.to_owned(),
            line: row.line,
            field: spec.name,
            header,
            seen: seen(row),
        };
    }
    let expected = |f: &&FieldSpec| {
        let headers: Vec<&str> = f.headers.iter().take(3).copied().collect();
        format!("{} ({})", f.name, headers.join(", "))
    };
    IntakeError::Header {
        file: file.to_owned(),
        line: row.line,
        seen: seen(row),
        missing: missing.iter().map(expected).collect::<Vec<_>>().join(" and for "),
        example: format!("[{kind}] {} = \"…\"", missing.first().map_or("account", |f| f.name)),
    }
}

/// What a row says, shortened. A file without a header has a person in its first line: where numbers stand, names are masked.
fn seen(row: &Candidate) -> String {
    const MAX_CELLS: usize = 12;
    let is_data = row.cells.iter().any(|c| c.bytes().filter(u8::is_ascii_digit).count() >= 6);
    let shown = |c: &String| if is_data { shown(c, None) } else { shown_header(c) };
    let cells: Vec<String> = row.cells.iter().take(MAX_CELLS).map(shown).collect();
    cells.join(", ") + if row.cells.len() > MAX_CELLS { ", …" } else { "" }
}
