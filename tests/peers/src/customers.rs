//! The customers of the comparison: made from a seed, in columns as the host has them.

use std::ops::Range;

use gridbell_contract::column;
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Date, Table, Traits};

/// The columns that the rule asks for, one value a customer.
pub(crate) struct Customers {
    pub(crate) traits: Vec<u32>,
    pub(crate) arrears: Vec<i64>,
    pub(crate) due: Vec<i32>,
    pub(crate) said: Vec<u8>,
}

/// One customer as a peer is told it. Bit masks become two booleans, since not every language has operators for bits.
#[derive(Clone, Copy)]
pub(crate) struct Customer {
    pub(crate) prepaid: bool,
    pub(crate) important: bool,
    /// Fen.
    pub(crate) arrears: i64,
    /// First day of the late fee, in days since 1970-01-01; [`Date::NONE`] for none.
    pub(crate) due: i64,
    /// The last step that was said.
    pub(crate) said: i64,
}

impl Customers {
    /// One in eight owes something; of those about half are in reach of a reminder, and some were reminded before: as `gridbell bench` has them.
    pub(crate) fn generate(rows: usize, today: Date) -> Self {
        let mut state = 20_261_121_u64;
        let mut draw = || {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = state;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ (mixed >> 31)
        };
        let mut made = Self { traits: Vec::new(), arrears: Vec::new(), due: Vec::new(), said: Vec::new() };
        for _ in 0..rows {
            let r = draw();
            let important = if r.is_multiple_of(100) { Traits::IMPORTANT.0 } else { 0 };
            let prepaid = if (r >> 8) % 10 < 3 { Traits::PREPAID.0 } else { 0 };
            let owes = (r >> 16).is_multiple_of(8);
            made.traits.push(1 | important | prepaid);
            made.arrears.push(if owes { 20 + ((r >> 24) % 40_000) as i64 } else { 0 });
            made.due.push(if owes { today.0 - 15 + ((r >> 40) % 40) as i32 } else { Date::NONE.0 });
            made.said.push(if owes { ((r >> 50) % 4) as u8 } else { 0 });
        }
        made
    }

    /// Those of `rows`, one after another.
    pub(crate) fn each(&self, rows: Range<usize>) -> impl Iterator<Item = Customer> + '_ {
        let columns = self.traits[rows.clone()].iter().zip(&self.arrears[rows.clone()]);
        columns.zip(&self.due[rows.clone()]).zip(&self.said[rows]).map(|(((traits, arrears), due), said)| Customer {
            prepaid: traits & Traits::PREPAID.0 != 0,
            important: traits & Traits::IMPORTANT.0 != 0,
            arrears: *arrears,
            due: i64::from(*due),
            said: i64::from(*said),
        })
    }
}

impl Table for Customers {
    fn chunks(&self) -> usize {
        self.traits.len().div_ceil(CHUNK_ROWS)
    }

    fn rows(&self, chunk: usize) -> usize {
        self.traits.chunks(CHUNK_ROWS).nth(chunk).map_or(0, <[u32]>::len)
    }

    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        match id {
            column::TRAITS => self.traits.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::U32),
            column::ARREARS => self.arrears.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::S64),
            column::LATE_FEE_FROM => self.due.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::S32),
            column::REMINDED_STEP => self.said.chunks(CHUNK_ROWS).nth(chunk).map(ColumnSlice::U8),
            _ => None,
        }
    }
}
