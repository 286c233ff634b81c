//! Rows of the registry's columns in memory, as an evaluation reads them.

use gridbell_contract::{ColumnType, Registry};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Table};

#[derive(Debug)]
enum Values {
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    S32(Vec<i32>),
    S64(Vec<i64>),
}

/// Customers as the values of some columns.
#[derive(Debug)]
pub struct Rows {
    columns: Vec<(ColumnId, Values)>,
    rows: usize,
}

impl Rows {
    /// No rows yet, with these columns of the registry; others are left out.
    #[must_use]
    pub fn new(columns: &[ColumnId]) -> Self {
        let values = |id: &ColumnId| {
            let def = Registry::get().column(*id)?;
            let values = match def.ty {
                ColumnType::U8 => Values::U8(Vec::new()),
                ColumnType::U16 => Values::U16(Vec::new()),
                ColumnType::U32 => Values::U32(Vec::new()),
                ColumnType::S32 => Values::S32(Vec::new()),
                ColumnType::S64 => Values::S64(Vec::new()),
            };
            Some((*id, values))
        };
        Self { columns: columns.iter().filter_map(values).collect(), rows: 0 }
    }

    /// Appends a row; `value` is asked for each column. A value beyond its column's type is cut to the type's nearest.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the type just before")]
    pub fn push(&mut self, value: impl Fn(ColumnId) -> i64) {
        for (id, values) in &mut self.columns {
            let v = value(*id);
            match values {
                Values::U8(list) => list.push(v.clamp(0, u8::MAX.into()) as u8),
                Values::U16(list) => list.push(v.clamp(0, u16::MAX.into()) as u16),
                Values::U32(list) => list.push(v.clamp(0, u32::MAX.into()) as u32),
                Values::S32(list) => list.push(v.clamp(i32::MIN.into(), i32::MAX.into()) as i32),
                Values::S64(list) => list.push(v),
            }
        }
        self.rows += 1;
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The value of `row` in column `id`.
    #[must_use]
    pub fn get(&self, row: usize, id: ColumnId) -> Option<i64> {
        self.column(row / CHUNK_ROWS, id)?.get(row % CHUNK_ROWS)
    }
}

impl Table for Rows {
    fn chunks(&self) -> usize {
        self.rows.div_ceil(CHUNK_ROWS)
    }

    fn rows(&self, chunk: usize) -> usize {
        self.rows.saturating_sub(chunk * CHUNK_ROWS).min(CHUNK_ROWS)
    }

    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        let (_, values) = self.columns.iter().find(|(own, _)| *own == id)?;
        let range = chunk * CHUNK_ROWS..self.rows.min((chunk + 1) * CHUNK_ROWS);
        Some(match values {
            Values::U8(list) => ColumnSlice::U8(list.get(range)?),
            Values::U16(list) => ColumnSlice::U16(list.get(range)?),
            Values::U32(list) => ColumnSlice::U32(list.get(range)?),
            Values::S32(list) => ColumnSlice::S32(list.get(range)?),
            Values::S64(list) => ColumnSlice::S64(list.get(range)?),
        })
    }
}
