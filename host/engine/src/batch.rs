//! Rows as a guest sees them: a chunk's own slices, or rows gathered from many chunks into full batches. Never changes a table.

use std::ops::Range;

use gridbell_contract::{ColumnType, Registry, Run};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Table};

use crate::abi;
use crate::error::RunError;

/// Column `id` of `chunk`, checked against what the registry and the table promise.
pub(crate) fn column<'t>(
    plugin: &str,
    table: &'t dyn Table,
    chunk: usize,
    id: ColumnId,
    ty: Option<ColumnType>,
) -> Result<ColumnSlice<'t>, RunError> {
    let slice = table.column(chunk, id).ok_or_else(|| RunError::NoColumn { plugin: plugin.to_owned(), column: id })?;
    let bad = |detail: String| Err(RunError::BadColumn { column: id, detail });
    match ty.or_else(|| Registry::get().column(id).map(|c| c.ty)) {
        Some(ty) if !ty.fits(&slice) => return bad(format!("its values are not of type {}", ty.word())),
        _ => {}
    }
    let rows = table.rows(chunk);
    if slice.len() != rows {
        return bad(format!("it has {} values in a chunk of {rows} rows", slice.len()));
    }
    Ok(slice)
}

/// Rows of `table`, after checking its promise that every chunk but the last is full.
pub(crate) fn total_rows(table: &dyn Table) -> Result<usize, RunError> {
    let chunks = table.chunks();
    for chunk in 0..chunks {
        let rows = table.rows(chunk);
        let fits = if chunk + 1 == chunks { rows <= CHUNK_ROWS } else { rows == CHUNK_ROWS };
        if !fits {
            return Err(RunError::BadTable { chunk, rows });
        }
    }
    Ok(chunks.checked_sub(1).map_or(0, |last| last * CHUNK_ROWS + table.rows(last)))
}

fn values(slice: ColumnSlice<'_>) -> abi::Values<'_> {
    match slice {
        ColumnSlice::U8(v) => abi::Values::U8s(v),
        ColumnSlice::U16(v) => abi::Values::U16s(v),
        ColumnSlice::U32(v) => abi::Values::U32s(v),
        ColumnSlice::S32(v) => abi::Values::S32s(v),
        ColumnSlice::S64(v) => abi::Values::S64s(v),
    }
}

/// The columns of a whole chunk, borrowed.
pub(crate) fn whole<'t>(
    plugin: &str,
    table: &'t dyn Table,
    chunk: usize,
    columns: &[(ColumnId, ColumnType)],
) -> Result<Vec<abi::Column<'t>>, RunError> {
    columns
        .iter()
        .map(|(id, ty)| Ok(abi::Column { id: id.0, values: values(column(plugin, table, chunk, *id, Some(*ty))?) }))
        .collect()
}

/// Values of one column, gathered.
#[derive(Debug)]
enum Buffer {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    S32(Vec<i32>),
    S64(Vec<i64>),
}

impl Buffer {
    const fn new(ty: ColumnType) -> Self {
        match ty {
            ColumnType::U8 => Self::U8(Vec::new()),
            ColumnType::U16 => Self::U16(Vec::new()),
            ColumnType::U32 => Self::U32(Vec::new()),
            ColumnType::S32 => Self::S32(Vec::new()),
            ColumnType::S64 => Self::S64(Vec::new()),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::U8(b) => b.clear(),
            Self::U16(b) => b.clear(),
            Self::U32(b) => b.clear(),
            Self::S32(b) => b.clear(),
            Self::S64(b) => b.clear(),
        }
    }

    /// Appends the values of `rows`, which all lie in the chunk that begins at row `first`.
    fn append(&mut self, slice: ColumnSlice<'_>, first: usize, rows: &[u32]) {
        fn pick<T: Copy>(into: &mut Vec<T>, from: &[T], first: usize, rows: &[u32]) {
            into.extend(rows.iter().map(|row| from[*row as usize - first]));
        }
        match (self, slice) {
            (Self::U8(b), ColumnSlice::U8(v)) => pick(b, v, first, rows),
            (Self::U16(b), ColumnSlice::U16(v)) => pick(b, v, first, rows),
            (Self::U32(b), ColumnSlice::U32(v)) => pick(b, v, first, rows),
            (Self::S32(b), ColumnSlice::S32(v)) => pick(b, v, first, rows),
            (Self::S64(b), ColumnSlice::S64(v)) => pick(b, v, first, rows),
            // `column` has checked the type of every slice that comes here.
            _ => {}
        }
    }

    /// Appends all of `other`, which is of the same type.
    fn join(&mut self, other: &Self) {
        match (self, other) {
            (Self::U8(b), Self::U8(v)) => b.extend_from_slice(v),
            (Self::U16(b), Self::U16(v)) => b.extend_from_slice(v),
            (Self::U32(b), Self::U32(v)) => b.extend_from_slice(v),
            (Self::S32(b), Self::S32(v)) => b.extend_from_slice(v),
            (Self::S64(b), Self::S64(v)) => b.extend_from_slice(v),
            // Buffers of the same column of the same plugin.
            _ => {}
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::U8(b) => b.len(),
            Self::U16(b) => b.len(),
            Self::U32(b) => b.len(),
            Self::S32(b) => b.len(),
            Self::S64(b) => b.len(),
        }
    }

    fn values(&self, part: Range<usize>) -> abi::Values<'_> {
        match self {
            Self::U8(b) => abi::Values::U8s(&b[part]),
            Self::U16(b) => abi::Values::U16s(&b[part]),
            Self::U32(b) => abi::Values::U32s(&b[part]),
            Self::S32(b) => abi::Values::S32s(&b[part]),
            Self::S64(b) => abi::Values::S64s(&b[part]),
        }
    }
}

/// Rows gathered column by column: a batch of them, or the rests of many.
#[derive(Debug)]
pub(crate) struct Gather<'p> {
    columns: &'p [(ColumnId, ColumnType)],
    buffers: Vec<Buffer>,
}

impl<'p> Gather<'p> {
    pub(crate) fn new(columns: &'p [(ColumnId, ColumnType)]) -> Self {
        Self { columns, buffers: columns.iter().map(|(_, ty)| Buffer::new(*ty)).collect() }
    }

    /// The values of `rows`, which ascend and lie in the table.
    pub(crate) fn fill(
        &mut self,
        plugin: &str,
        table: &dyn Table,
        rows: &[u32],
    ) -> Result<Vec<abi::Column<'_>>, RunError> {
        self.clear();
        for run in rows.chunk_by(|a, b| a / CHUNK_ROWS as u32 == b / CHUNK_ROWS as u32) {
            self.append(plugin, table, run.first().map_or(0, |row| *row as usize / CHUNK_ROWS), run)?;
        }
        Ok(self.columns())
    }

    /// Forgets what was gathered.
    pub(crate) fn clear(&mut self) {
        self.buffers.iter_mut().for_each(Buffer::clear);
    }

    /// Gathers the values of `rows` too, which ascend, all lie in `chunk`, and lie behind those that are here.
    pub(crate) fn append(
        &mut self,
        plugin: &str,
        table: &dyn Table,
        chunk: usize,
        rows: &[u32],
    ) -> Result<(), RunError> {
        for ((id, ty), buffer) in self.columns.iter().zip(&mut self.buffers) {
            buffer.append(column(plugin, table, chunk, *id, Some(*ty))?, chunk * CHUNK_ROWS, rows);
        }
        Ok(())
    }

    /// Appends what `later` gathered for the same plugin.
    pub(crate) fn join(&mut self, later: &Self) {
        for (buffer, other) in self.buffers.iter_mut().zip(&later.buffers) {
            buffer.join(other);
        }
    }

    /// What was gathered.
    pub(crate) fn columns(&self) -> Vec<abi::Column<'_>> {
        self.columns_of(0..self.buffers.first().map_or(0, Buffer::len))
    }

    /// What was gathered for a `part` of the rows, counted from the first.
    pub(crate) fn columns_of(&self, part: Range<usize>) -> Vec<abi::Column<'_>> {
        let columns = self.columns.iter().zip(&self.buffers);
        columns.map(|((id, _), b)| abi::Column { id: id.0, values: b.values(part.clone()) }).collect()
    }
}

/// A run as the guest reads it.
pub(crate) struct Shared<'r> {
    run: &'r Run,
    facts: Vec<abi::Fact>,
}

impl<'r> Shared<'r> {
    pub(crate) fn new(run: &'r Run) -> Self {
        let facts = run.facts.iter().map(|f| abi::Fact { id: f.id.0, value: f.value }).collect();
        Self { run, facts }
    }

    pub(crate) fn abi(&self) -> abi::Run<'_> {
        let run = self.run;
        abi::Run {
            prefecture: run.prefecture.0,
            now: run.now.0,
            trigger: run.trigger.0,
            schedule: &run.schedule,
            facts: &self.facts,
            params: &run.params,
            workdays: abi::Workdays {
                first: run.workdays.first().0,
                known_until: run.workdays.known_until().0,
                bits: run.workdays.bits(),
            },
        }
    }
}
