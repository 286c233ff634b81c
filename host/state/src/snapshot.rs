//! A prefecture's columns at one instant: what a run reads. Updates beside it copy the chunks that they change.

use std::sync::Arc;

use gridbell_model::{
    AccountNumber, CHUNK_ROWS, Channel, ColumnId, ColumnSlice, CustomerView, OrgCode, PrefectureCode, Table,
};

use rustc_hash::FxHashMap;

use crate::beside::Waiting;
use crate::columns::Chunk;
use crate::payments::Payments;
use crate::ported::Ported;
use crate::prefecture;

/// A prefecture at one sequence. Cheap to clone; keeps its chunks alive.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(crate) prefecture: PrefectureCode,
    pub(crate) seq: u64,
    pub(crate) chunks: Vec<Arc<Chunk>>,
    pub(crate) stations: Arc<Vec<OrgCode>>,
    pub(crate) sections: Arc<Vec<u32>>,
    /// Payments that no published run has seen: row, key and what was paid, in order of row, then of day and arrival.
    pub(crate) waiting: Arc<Vec<(u32, u64, Waiting)>>,
    pub(crate) next_message: u32,
    pub(crate) ported: Ported,
}

impl Snapshot {
    /// Whose customers these are.
    #[must_use]
    pub fn prefecture(&self) -> PrefectureCode {
        self.prefecture
    }

    /// The sequence of the last change that it holds.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whose numbers are that are not their segment's, of the whole province.
    #[must_use]
    pub fn ported(&self) -> &Ported {
        &self.ported
    }

    /// How many customers.
    #[must_use]
    pub fn rows(&self) -> u32 {
        match self.chunks.split_last() {
            None => 0,
            Some((last, full)) => u32::try_from(full.len() * CHUNK_ROWS + last.len()).unwrap_or(u32::MAX),
        }
    }

    /// The customer at `row`.
    #[must_use]
    pub fn view(&self, row: u32) -> Option<CustomerView> {
        let (chunk, at) = self.chunk(row)?;
        Some(prefecture::view(chunk, at, row, &self.stations, &self.sections))
    }

    /// The account at `row`.
    #[must_use]
    pub fn account(&self, row: u32) -> Option<AccountNumber> {
        let chunk = self.chunks.get(row as usize / CHUNK_ROWS)?;
        AccountNumber::from_packed(*chunk.account.get(row as usize % CHUNK_ROWS)?)
    }

    /// Whether the customer at `row` has an address for `channel` beside the number.
    #[must_use]
    pub fn has_contact(&self, row: u32, channel: Channel) -> bool {
        self.chunk(row).is_some_and(|(chunk, at)| chunk.has_contact(at, channel))
    }

    /// Rows whose station and reading section satisfy `wanted`, in order: the selection of a run by hand.
    pub fn select(&self, mut wanted: impl FnMut(OrgCode, u32) -> bool) -> Vec<u32> {
        // The answer is asked once for each pair of station and section, then looked up.
        let mut verdicts: FxHashMap<(u16, u16), bool> = FxHashMap::default();
        let mut rows = Vec::new();
        for (c, chunk) in self.chunks.iter().enumerate() {
            for at in 0..chunk.len() {
                let pair = (chunk.station[at], chunk.section[at]);
                let verdict = verdicts.entry(pair).or_insert_with(|| {
                    let station = self.stations.get(usize::from(pair.0)).copied().unwrap_or(OrgCode(0));
                    wanted(station, self.sections.get(usize::from(pair.1)).copied().unwrap_or(0))
                });
                if *verdict {
                    rows.push(u32::try_from(c * CHUNK_ROWS + at).unwrap_or(u32::MAX));
                }
            }
        }
        rows
    }

    /// The sequence of the latest payment that no published run has seen; 0 for none.
    #[must_use]
    pub fn last_payment(&self) -> u64 {
        self.waiting.iter().map(|(_, _, w)| w.seq).max().unwrap_or(0)
    }

    /// Payments that no published run has seen.
    #[must_use]
    pub fn payments(&self) -> Payments {
        Payments::of(self)
    }

    /// The chunk of `row` and its place there.
    pub(crate) fn chunk(&self, row: u32) -> Option<(&Chunk, usize)> {
        let chunk = self.chunks.get(row as usize / CHUNK_ROWS)?;
        let at = row as usize % CHUNK_ROWS;
        (at < chunk.len()).then_some((&**chunk, at))
    }
}

impl Table for Snapshot {
    fn chunks(&self) -> usize {
        self.chunks.len()
    }

    fn rows(&self, chunk: usize) -> usize {
        self.chunks.get(chunk).map_or(0, |c| c.len())
    }

    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        use ColumnSlice as S;
        let c = self.chunks.get(chunk)?;
        // Ids as in wit/registry.toml; a test in the conductor holds the two together.
        Some(match id.0 {
            1 => S::U32(&c.traits),
            2 => S::S64(&c.arrears),
            3 => S::U32(&c.arrears_period),
            4 => S::S32(&c.late_fee_from),
            5 => S::U8(&c.months_owed),
            6 => S::U8(&c.reminded_step),
            7 => S::U32(&c.bill_period),
            8 => S::S32(&c.bill_issued),
            9 => S::S64(&c.bill_amount),
            10 => S::U32(&c.bill_kwh),
            11 => S::U8(&c.bill_said),
            12 => S::S64(&c.balance),
            13 => S::S32(&c.balance_as_of),
            14 => S::U32(&c.threshold),
            15 => S::U16(&c.balance_episode),
            16 => S::U8(&c.balance_said),
            17 => S::S64(&c.paid_amount),
            18 => S::S32(&c.paid_on),
            19 => S::S32(&c.arrears_as_of),
            _ => return None,
        })
    }
}
