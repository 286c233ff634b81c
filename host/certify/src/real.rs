//! A bounded sample of real customers: values of the registry's columns and nothing else. Never a name, a number, or which customer a row was.

use std::io::{self, Read, Write};

use gridbell_clock::Seed;
use gridbell_contract::{ColumnType, Registry};
use gridbell_model::{CHUNK_ROWS, ColumnId, Table};
use rand_core::RngCore as _;
use serde::{Deserialize, Serialize};

/// Most real customers of one certification: 8 MB on their way to the process.
pub const MAX_REAL: usize = 100_000;

/// Real customers as columns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RealCustomers {
    rows: usize,
    columns: Vec<(ColumnId, Vec<i64>)>,
}

/// What is written before the columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RealHeader {
    rows: usize,
    columns: Vec<u16>,
}

impl RealCustomers {
    /// Draws `rows` rows of `table`, at most [`MAX_REAL`] and each at most once, with all columns of the registry that the table has. The draw is
    /// in order of rows: it says nothing about who they are.
    ///
    /// Meant for a run's snapshot; reads a row's chunk once and copies only what was drawn.
    #[must_use]
    pub fn draw(table: &dyn Table, rows: usize, seed: Seed) -> Self {
        let total: usize = (0..table.chunks()).map(|chunk| table.rows(chunk)).sum();
        let wanted = rows.min(MAX_REAL).min(total);
        let drawn = draw(total, wanted, seed);
        let defs = Registry::get().columns().iter().filter(|def| !def.reserved);
        let column = |id: ColumnId| -> Option<Vec<i64>> {
            let value = |row: &usize| table.column(row / CHUNK_ROWS, id)?.get(row % CHUNK_ROWS);
            drawn.iter().map(value).collect()
        };
        let columns = defs.filter_map(|def| column(def.id).map(|values| (def.id, values))).collect();
        Self { rows: wanted, columns }
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

    /// The value of `row` in column `id`; none where the table that they were drawn from has no such column.
    #[must_use]
    pub fn get(&self, row: usize, id: ColumnId) -> Option<i64> {
        self.columns.iter().find(|(own, _)| *own == id)?.1.get(row).copied()
    }

    pub(crate) fn header(&self) -> RealHeader {
        RealHeader { rows: self.rows, columns: self.columns.iter().map(|(id, _)| id.0).collect() }
    }

    /// The columns one after another, each value in the bytes of its type.
    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        for (id, values) in &self.columns {
            let width = width(*id)?;
            let mut bytes = Vec::with_capacity(values.len() * width);
            values.iter().for_each(|v| bytes.extend_from_slice(&v.to_le_bytes()[..width]));
            to.write_all(&bytes)?;
        }
        Ok(())
    }

    /// What [`RealCustomers::write`] wrote.
    pub(crate) fn read(header: &RealHeader, from: &mut impl Read) -> io::Result<Self> {
        if header.rows > MAX_REAL || header.columns.len() > Registry::get().columns().len() {
            return Err(io::Error::other("more real customers or columns than there may be"));
        }
        let mut columns = Vec::new();
        for id in &header.columns {
            let id = ColumnId(*id);
            let width = width(id)?;
            let mut bytes = vec![0; header.rows * width];
            from.read_exact(&mut bytes)?;
            let signed = Registry::get().column(id).is_some_and(|d| matches!(d.ty, ColumnType::S32 | ColumnType::S64));
            let value = |chunk: &[u8]| {
                let fill = if signed && chunk.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
                let mut wide = [fill; 8];
                wide[..width].copy_from_slice(chunk);
                i64::from_le_bytes(wide)
            };
            columns.push((id, bytes.chunks_exact(width).map(value).collect()));
        }
        Ok(Self { rows: header.rows, columns })
    }
}

fn width(id: ColumnId) -> io::Result<usize> {
    let unknown = || io::Error::other(format!("column {} is not in the registry", id.0));
    Registry::get().column(id).map(|def| def.ty.bytes()).ok_or_else(unknown)
}

/// `wanted` of `total` rows, ascending, each set of rows as likely as any other (Knuth's selection sampling).
fn draw(total: usize, wanted: usize, seed: Seed) -> Vec<usize> {
    let mut rng = seed.stream("certify/real");
    let mut drawn = Vec::with_capacity(wanted);
    for row in 0..total {
        let (left, missing) = ((total - row) as u128, (wanted - drawn.len()) as u128);
        if missing == 0 {
            break;
        }
        if (u128::from(rng.next_u64()) * left) >> 64 < missing {
            drawn.push(row);
        }
    }
    drawn
}

#[cfg(test)]
mod tests {
    use gridbell_model::ColumnSlice;

    use super::*;

    struct People(Vec<i64>, Vec<i32>, Vec<u8>);

    impl Table for People {
        fn chunks(&self) -> usize {
            self.0.len().div_ceil(CHUNK_ROWS)
        }
        fn rows(&self, chunk: usize) -> usize {
            self.0.chunks(CHUNK_ROWS).nth(chunk).map_or(0, <[i64]>::len)
        }
        fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
            match id {
                ColumnId(2) => self.0.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::S64),
                ColumnId(4) => self.1.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::S32),
                ColumnId(6) => self.2.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::U8),
                _ => None,
            }
        }
    }

    fn people(n: i32) -> People {
        let dates = (0..n).map(|i| if i % 3 == 0 { i32::MIN } else { 20_000 - i });
        People(
            (0..i64::from(n)).map(|i| -i * 1_000_000_007).collect(),
            dates.collect(),
            (0..n).map(|i| i as u8).collect(),
        )
    }

    #[test]
    fn a_draw_takes_each_row_once_and_the_same_for_the_same_seed() {
        let table = people(10_000);
        let drawn = RealCustomers::draw(&table, 700, Seed(3));
        assert_eq!(drawn.len(), 700);
        let first: Vec<i64> = (0..700).filter_map(|row| drawn.get(row, ColumnId(2))).collect();
        assert!(first.windows(2).all(|w| w[0] > w[1]), "each once, in order of rows");
        assert!(first.iter().any(|v| *v < -9_000_000_007_000), "from the last chunk too");
        assert_eq!(drawn, RealCustomers::draw(&table, 700, Seed(3)));
        assert_ne!(drawn, RealCustomers::draw(&table, 700, Seed(4)));
        assert_eq!(drawn.get(0, ColumnId(12)), None, "the table has no balance");
        assert_eq!(RealCustomers::draw(&table, 20_000, Seed(3)).len(), 10_000);
        assert!(RealCustomers::draw(&people(0), 10, Seed(3)).is_empty());
    }

    #[test]
    fn what_is_written_is_read_again_with_its_signs_and_nones() {
        let drawn = RealCustomers::draw(&people(5_000), 4_100, Seed(1));
        let mut bytes = Vec::new();
        drawn.write(&mut bytes).unwrap();
        assert_eq!(bytes.len(), 4_100 * (8 + 4 + 1));
        assert_eq!(RealCustomers::read(&drawn.header(), &mut &*bytes).unwrap(), drawn);
        assert!(RealCustomers::read(&drawn.header(), &mut &bytes[1..]).is_err(), "broken off");
        let many = RealHeader { rows: MAX_REAL + 1, columns: vec![2] };
        assert!(RealCustomers::read(&many, &mut &*bytes).is_err());
        let unknown = RealHeader { rows: 1, columns: vec![999] };
        assert!(RealCustomers::read(&unknown, &mut &*bytes).is_err());
    }
}
