//! The interest of a policy as filters over whole columns. What a bound means is said by `gridbell_contract::Bound::matches`; this is the same,
//! fast, and a test holds the two together.

use gridbell_contract::{Bound, InterestSet, Registry, Test};
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, Table};

use crate::abi;
use crate::batch::column;
use crate::error::RunError;
use crate::fault::{GuestFault, sanitise};

/// The contract's set for what a guest answered.
pub(crate) fn accept(answer: abi::InterestSet) -> Result<InterestSet, GuestFault> {
    let test = |t| match t {
        abi::Test::Between => Test::Between,
        abi::Test::AllBits => Test::AllBits,
        abi::Test::AnyBit => Test::AnyBit,
        abi::Test::NoBits => Test::NoBits,
    };
    let bound = |b: abi::Bound| Bound { column: ColumnId(b.column), test: test(b.test), low: b.low, high: b.high };
    let set = match answer {
        abi::InterestSet::Everyone => InterestSet::Everyone,
        abi::InterestSet::AnyOf(clauses) => {
            InterestSet::AnyOf(clauses.into_iter().map(|c| c.into_iter().map(bound).collect()).collect())
        }
    };
    set.check().map_err(|e| GuestFault::BadInterest { detail: sanitise(&e.to_string()) })?;
    Ok(set)
}

/// The clauses of an interest, ready to run over chunks.
#[derive(Debug)]
pub(crate) struct Filter {
    clauses: Vec<Vec<Condition>>,
}

#[derive(Debug, Clone, Copy)]
struct Condition {
    bound: Bound,
    none: Option<i64>,
}

/// One byte for each row of a chunk: 1 where it matches.
type Lanes = [u8; CHUNK_ROWS];

/// As long as more than one row in this many is left, whole columns are looked at; after that only the rows that are left, which touches
/// fewer cache lines than there are.
const FEW: usize = 4;
/// Chunks on which the sharpness of bounds is tried.
const TRIED_CHUNKS: usize = 4;

/// What a thread needs to filter; reused from chunk to chunk.
#[derive(Debug)]
pub(crate) struct Scratch {
    lanes: Box<Lanes>,
    /// Rows of the chunk that are left.
    left: Vec<u16>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { lanes: Box::new([0; CHUNK_ROWS]), left: Vec::with_capacity(CHUNK_ROWS) }
    }
}

impl Filter {
    /// The filter of `clauses`. The bounds of a clause are tried on a few chunks of `table` and put in order, the sharpest first; that changes the
    /// time they take and nothing else.
    pub(crate) fn new(clauses: &[Vec<Bound>], plugin: &str, table: &dyn Table) -> Result<Self, RunError> {
        let none = |b: &Bound| Registry::get().column(b.column).and_then(|c| c.none);
        let mut filter = Self { clauses: Vec::new() };
        let (chunks, mut lanes) = (table.chunks(), [0; CHUNK_ROWS]);
        for clause in clauses {
            let mut tried = Vec::new();
            for bound in clause {
                let condition = Condition { bound: *bound, none: none(bound) };
                let mut passed = 0_usize;
                for chunk in (0..chunks).step_by(chunks.div_ceil(TRIED_CHUNKS).max(1)) {
                    let lanes = &mut lanes[..table.rows(chunk).min(CHUNK_ROWS)];
                    lanes.fill(1);
                    condition.apply(column(plugin, table, chunk, bound.column, None)?, lanes);
                    passed += lanes.iter().map(|lane| usize::from(*lane)).sum::<usize>();
                }
                tried.push((passed, condition));
            }
            tried.sort_by_key(|(passed, _)| *passed);
            filter.clauses.push(tried.into_iter().map(|(_, condition)| condition).collect());
        }
        Ok(filter)
    }

    /// Appends to `out` the rows of `chunk` that match, counted over the whole table.
    pub(crate) fn rows(
        &self,
        plugin: &str,
        table: &dyn Table,
        chunk: usize,
        scratch: &mut Scratch,
        out: &mut Vec<u32>,
    ) -> Result<(), RunError> {
        let rows = table.rows(chunk).min(CHUNK_ROWS);
        // Rows are numbered in 32 bits by the contract; no prefecture has 4 billion customers.
        let first = u32::try_from(chunk * CHUNK_ROWS).unwrap_or(u32::MAX - CHUNK_ROWS as u32);
        let begin = out.len();
        for clause in &self.clauses {
            self.clause(clause, plugin, table, chunk, rows, scratch)?;
            out.extend(scratch.left.iter().map(|row| first + u32::from(*row)));
        }
        if self.clauses.len() > 1 {
            // Each clause gave its rows in order: few runs, which the sort merges.
            let mut union = out.split_off(begin);
            union.sort();
            union.dedup();
            out.append(&mut union);
        }
        Ok(())
    }

    /// Leaves in `scratch.left` the rows of `chunk` that match all of `clause`.
    fn clause(
        &self,
        clause: &[Condition],
        plugin: &str,
        table: &dyn Table,
        chunk: usize,
        rows: usize,
        scratch: &mut Scratch,
    ) -> Result<(), RunError> {
        let Scratch { lanes, left } = scratch;
        let lanes = &mut lanes[..rows];
        lanes.fill(1);
        let mut conditions = clause.iter();
        let mut few = false;
        for condition in conditions.by_ref() {
            condition.apply(column(plugin, table, chunk, condition.bound.column, None)?, lanes);
            let passed: usize = lanes.as_chunks::<64>().0.iter().map(|l| usize::from(l.iter().sum::<u8>())).sum();
            if passed * FEW < rows {
                few = true;
                break;
            }
        }
        collect(lanes, left);
        if few {
            for condition in conditions {
                condition.narrow(column(plugin, table, chunk, condition.bound.column, None)?, left);
            }
        }
        Ok(())
    }
}

/// For each byte, where its ones are, the lowest first; what lies behind them does not count.
const ONES: [[u16; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut n) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][n] = bit;
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

/// The numbers of the lanes that are 1. Eight at a time and without a branch: which lanes are 1 cannot be guessed, and guessing wrong took
/// longer than all the rest.
fn collect(lanes: &[u8], left: &mut Vec<u16>) {
    let (eights, rest) = lanes.as_chunks::<8>();
    left.clear();
    left.resize(lanes.len() + 8, 0);
    let mut found = 0;
    for (n, eight) in eights.iter().enumerate() {
        // Gathers the lowest bit of each byte in the highest byte.
        let mask = (u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56) as usize;
        let base = (n * 8) as u16;
        if let Some(room) = left.get_mut(found..).and_then(|l| l.first_chunk_mut::<8>()) {
            *room = ONES[mask].map(|at| base + at);
        }
        found += mask.count_ones() as usize;
    }
    left.truncate(found);
    let done = eights.len() * 8;
    left.extend(rest.iter().enumerate().filter(|(_, lane)| **lane != 0).map(|(n, _)| (done + n) as u16));
}

impl Condition {
    /// Clears the lanes of the rows that do not match.
    fn apply(&self, slice: ColumnSlice<'_>, lanes: &mut [u8]) {
        match slice {
            ColumnSlice::U8(v) => self.over(v, lanes),
            ColumnSlice::U16(v) => self.over(v, lanes),
            ColumnSlice::U32(v) => self.over(v, lanes),
            ColumnSlice::S32(v) => self.over(v, lanes),
            ColumnSlice::S64(v) => self.over(v, lanes),
        }
    }

    /// Drops the rows of `left` that do not match.
    fn narrow(&self, slice: ColumnSlice<'_>, left: &mut Vec<u16>) {
        match slice {
            ColumnSlice::U8(v) => self.among(v, left),
            ColumnSlice::U16(v) => self.among(v, left),
            ColumnSlice::U32(v) => self.among(v, left),
            ColumnSlice::S32(v) => self.among(v, left),
            ColumnSlice::S64(v) => self.among(v, left),
        }
    }

    fn among<T: Lane>(&self, values: &[T], left: &mut Vec<u16>) {
        let Bound { test, low, high, .. } = self.bound;
        match (test, self.none) {
            (Test::Between, None) => narrow(values, left, |v| low <= v && v <= high),
            (Test::Between, Some(none)) => narrow(values, left, |v| low <= v && v <= high && v != none),
            (Test::AllBits, _) => narrow(values, left, |v| v & low == low),
            (Test::AnyBit, _) => narrow(values, left, |v| v & low != 0),
            (Test::NoBits, _) => narrow(values, left, |v| v & low == 0),
        }
    }

    fn over<T: Lane>(&self, values: &[T], lanes: &mut [u8]) {
        let Bound { test, low, high, .. } = self.bound;
        match test {
            Test::Between => {
                let (low, high) = (low.max(T::MIN), high.min(T::MAX));
                if low > high {
                    return lanes.fill(0);
                }
                keep(values, lanes, Op::Range(T::of(low), T::of(high)));
                if let Some(none) = self.none.filter(|n| (low..=high).contains(n)) {
                    keep(values, lanes, Op::Not(T::of(none)));
                }
            }
            // A mask with bits that the type lacks: rare, and the slow way is right for it.
            _ if T::of(low).wide() != low => {
                for (lane, v) in lanes.iter_mut().zip(values) {
                    *lane &= u8::from(self.bound.matches(v.wide(), self.none));
                }
            }
            Test::AllBits => keep(values, lanes, Op::All(T::of(low))),
            Test::AnyBit => keep(values, lanes, Op::Any(T::of(low))),
            Test::NoBits => keep(values, lanes, Op::None(T::of(low))),
        }
    }
}

/// Drops the rows whose value does not pass. With a branch on the outcome: few rows are left, and a processor that guesses goes on to fetch the
/// next values while it waits for this one (without the branch an evaluation with interest took a tenth longer).
fn narrow<T: Lane>(values: &[T], left: &mut Vec<u16>, passes: impl Fn(i64) -> bool) {
    left.retain(|row| passes(values[usize::from(*row)].wide()));
}

/// A test on values of one type.
#[derive(Clone, Copy)]
enum Op<T> {
    Range(T, T),
    Not(T),
    All(T),
    Any(T),
    None(T),
}

/// A column's type, with the few operations that a filter needs, each of which compiles to vector instructions.
trait Lane: Copy {
    const MIN: i64;
    const MAX: i64;
    /// The value cut to this type.
    fn of(wide: i64) -> Self;
    /// The value widened.
    fn wide(self) -> i64;
    fn within(self, low: Self, high: Self) -> bool;
    fn is(self, other: Self) -> bool;
    fn and(self, mask: Self) -> Self;
    fn zero(self) -> bool;
}

macro_rules! lane {
    ($($t:ty, $unsigned:ty;)*) => {$(
        impl Lane for $t {
            const MIN: i64 = <$t>::MIN as i64;
            const MAX: i64 = <$t>::MAX as i64;
            #[inline(always)]
            fn of(wide: i64) -> Self {
                wide as $t
            }
            #[inline(always)]
            fn wide(self) -> i64 {
                self as i64
            }
            #[inline(always)]
            fn within(self, low: Self, high: Self) -> bool {
                // One comparison instead of two: what lies below `low` wraps to the top.
                (self.wrapping_sub(low) as $unsigned) <= (high.wrapping_sub(low) as $unsigned)
            }
            #[inline(always)]
            fn is(self, other: Self) -> bool {
                self == other
            }
            #[inline(always)]
            fn and(self, mask: Self) -> Self {
                self & mask
            }
            #[inline(always)]
            fn zero(self) -> bool {
                self == 0
            }
        }
    )*};
}
lane! { u8, u8; u16, u16; u32, u32; i32, u32; i64, u64; }

/// Clears the lanes whose value does not pass `op`, with the widest vectors that this machine has.
fn keep<T: Lane>(values: &[T], lanes: &mut [u8], op: Op<T>) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2, as was just asked.
        unsafe { keep_avx2(values, lanes, op) };
        return;
    }
    keep_any(values, lanes, op);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn keep_avx2<T: Lane>(values: &[T], lanes: &mut [u8], op: Op<T>) {
    keep_any(values, lanes, op);
}

#[inline(always)]
fn keep_any<T: Lane>(values: &[T], lanes: &mut [u8], op: Op<T>) {
    match op {
        Op::Range(low, high) => each(values, lanes, |v| v.within(low, high)),
        Op::Not(other) => each(values, lanes, |v| !v.is(other)),
        Op::All(mask) => each(values, lanes, |v| v.and(mask).is(mask)),
        Op::Any(mask) => each(values, lanes, |v| !v.and(mask).zero()),
        Op::None(mask) => each(values, lanes, |v| v.and(mask).zero()),
    }
}

#[inline(always)]
fn each<T: Lane>(values: &[T], lanes: &mut [u8], passes: impl Fn(T) -> bool) {
    for (lane, v) in lanes.iter_mut().zip(values) {
        *lane &= u8::from(passes(*v));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One chunk with a column of each type, under ids of the registry that have these types.
    struct Chunk {
        u8s: Vec<u8>,
        u16s: Vec<u16>,
        u32s: Vec<u32>,
        s32s: Vec<i32>,
        s64s: Vec<i64>,
    }

    const U8: ColumnId = ColumnId(6);
    const U16: ColumnId = ColumnId(15);
    const U32: ColumnId = ColumnId(14);
    const S32: ColumnId = ColumnId(4);
    const S64: ColumnId = ColumnId(12);

    impl Table for Chunk {
        fn chunks(&self) -> usize {
            1
        }
        fn rows(&self, _chunk: usize) -> usize {
            self.u8s.len()
        }
        fn column(&self, _chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
            match id {
                U8 => Some(ColumnSlice::U8(&self.u8s)),
                U16 => Some(ColumnSlice::U16(&self.u16s)),
                U32 => Some(ColumnSlice::U32(&self.u32s)),
                S32 => Some(ColumnSlice::S32(&self.s32s)),
                S64 => Some(ColumnSlice::S64(&self.s64s)),
                _ => None,
            }
        }
    }

    /// Values where things change: small, at the ends of the types, and anywhere.
    fn value() -> impl Strategy<Value = i64> {
        let ends =
            [i64::MIN, i64::MAX, i32::MIN.into(), i32::MAX.into(), u32::MAX.into(), u8::MAX.into(), u16::MAX.into()];
        prop_oneof![-3..4_i64, prop::sample::select(ends.to_vec()), any::<i64>(), 0..70_000_i64]
    }

    fn bound() -> impl Strategy<Value = Bound> {
        let column = prop::sample::select(vec![U8, U16, U32, S32, S64]);
        let test = prop::sample::select(vec![Test::Between, Test::AllBits, Test::AnyBit, Test::NoBits]);
        (column, test, value(), value()).prop_map(|(column, test, low, high)| Bound { column, test, low, high })
    }

    proptest! {
        #[test]
        fn the_filter_is_the_contracts_own_test(
            values in prop::collection::vec(value(), 0..300),
            clauses in prop::collection::vec(prop::collection::vec(bound(), 1..4), 0..4),
        ) {
            let chunk = Chunk {
                u8s: values.iter().map(|v| *v as u8).collect(),
                u16s: values.iter().map(|v| *v as u16).collect(),
                u32s: values.iter().map(|v| *v as u32).collect(),
                s32s: values.iter().map(|v| *v as i32).collect(),
                s64s: values.clone(),
            };
            let mut found = Vec::new();
            let filter = Filter::new(&clauses, "test", &chunk).unwrap();
            filter.rows("test", &chunk, 0, &mut Scratch::default(), &mut found).unwrap();
            let set = InterestSet::AnyOf(clauses);
            let expected: Vec<u32> = (0..values.len())
                .filter(|n| set.contains(|id| chunk.column(0, id).and_then(|c| c.get(*n))))
                .map(|n| n as u32)
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
