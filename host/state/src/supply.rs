//! Which transformers each customer hangs on, and who hangs on a transformer (变 → 户). Two bytes a customer: a chunk's rows name the few transformers
//! of that chunk by their place in a list of its own, and a set says in which chunks a transformer comes up. Further sources, which few have, lie by
//! row beside. Knows the grid by numbers alone.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use gridbell_model::{AccountNumber, CHUNK_ROWS, PrefectureCode, Traits};
use gridbell_topology::{Grid, TransformerSet};
use serde::{Deserialize, Serialize};

use crate::facts::{FactOutcome, FactReject, FactWarning};
use crate::prefecture::{Applied, Prefecture};
use crate::state::State;

/// Sources of one customer at most.
pub const MAX_SOURCES: u8 = 8;

/// A customer hangs on a transformer, or does not any more (户变关系).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SupplyFact {
    /// 户号
    pub account: AccountNumber,
    /// The transformer, by its number in the grid.
    pub transformer: u32,
    /// Which of the customer's sources it is, from 1 to [`MAX_SOURCES`]; 1 is the main one.
    pub source: u8,
    /// It is so no more. Says nothing where that source is another transformer.
    pub ended: bool,
}

/// Some sources of one customer.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Hash)]
pub struct Sources(u8);

impl Sources {
    /// These, from 1 on; others count for nothing.
    #[must_use]
    pub fn of(sources: impl IntoIterator<Item = u8>) -> Self {
        Self(sources.into_iter().fold(0, |bits, source| bits | bit(source)))
    }

    /// Whether `source` is one of them.
    #[must_use]
    pub fn has(self, source: u8) -> bool {
        self.0 & bit(source) != 0
    }

    /// How many.
    #[must_use]
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }
}

fn bit(source: u8) -> u8 {
    if (1..=MAX_SOURCES).contains(&source) { 1 << (source - 1) } else { 0 }
}

/// A customer who loses power, or a part of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Affected {
    /// The customer's row in its prefecture.
    pub row: u32,
    /// Which sources are lost; at least one.
    pub lost: Sources,
    /// All that the customer has.
    pub sources: Sources,
}

impl Affected {
    /// Whether nothing is left. Otherwise one source is lost and another feeds on.
    #[must_use]
    pub fn is_out(self) -> bool {
        self.lost == self.sources
    }
}

/// Rows behind each other on one transformer: row, how many, which.
pub(crate) type Run = (u32, u16, u32);

/// The main sources of a chunk's rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChunkSupply {
    /// By row: 0 for none, or a place in `names` plus one.
    of: Vec<u16>,
    /// The transformers of this chunk.
    names: Vec<u32>,
    /// How many rows have each; a place with none is taken by the next newcomer.
    used: Vec<u16>,
}

impl ChunkSupply {
    fn get(&self, at: usize) -> Option<u32> {
        let place = self.of.get(at).copied().filter(|place| *place > 0)?;
        self.names.get(usize::from(place) - 1).copied()
    }

    /// The place of `transformer`, made where there is none.
    fn place(&mut self, transformer: u32, near: Option<u16>) -> u16 {
        // Rows of one transformer mostly follow each other.
        if let Some(near) = near.filter(|n| *n > 0 && self.names[usize::from(*n) - 1] == transformer) {
            return near - 1;
        }
        let known = self.names.iter().position(|n| *n == transformer);
        let place = known.or_else(|| self.used.iter().position(|n| *n == 0)).unwrap_or_else(|| {
            self.names.push(transformer);
            self.used.push(0);
            self.names.len() - 1
        });
        self.names[place] = transformer;
        // A chunk has no more transformers than rows.
        u16::try_from(place).unwrap_or(u16::MAX)
    }

    /// Sets the main source of the row at `at`: which transformer came into the chunk by it, and which left it.
    fn set(&mut self, at: usize, transformer: Option<u32>) -> (Option<u32>, Option<u32>) {
        if self.of.len() <= at {
            if self.of.capacity() == 0 {
                // At full size at once, as the columns are.
                self.of.reserve_exact(CHUNK_ROWS);
            }
            self.of.resize(at + 1, 0);
        }
        let before = self.of[at];
        let mut left = None;
        if before > 0 {
            let place = usize::from(before) - 1;
            self.used[place] -= 1;
            left = (self.used[place] == 0).then(|| self.names[place]);
        }
        let mut came = None;
        self.of[at] = match transformer {
            None => 0,
            Some(transformer) => {
                let place = self.place(transformer, at.checked_sub(1).map(|n| self.of[n]));
                let used = &mut self.used[usize::from(place)];
                came = (*used == 0).then_some(transformer);
                *used += 1;
                place + 1
            }
        };
        (came, left)
    }

    /// What the rows at `range` have, `first` being the row of the first of them.
    pub(crate) fn runs(&self, first: u32, range: Range<usize>) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for (row, at) in (first..).zip(range) {
            let Some(transformer) = self.get(at) else { continue };
            match runs.last_mut() {
                Some((from, rows, of)) if *of == transformer && *from + u32::from(*rows) == row => *rows += 1,
                _ => runs.push((row, 1, transformer)),
            }
        }
        runs
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.of.capacity() * 2 + self.names.capacity() * 4 + self.used.capacity() * 2
    }
}

/// What is looked at outside of the lock: a chunk, the further sources of its rows.
struct Piece {
    chunk: u32,
    main: Option<Arc<ChunkSupply>>,
    further: Vec<(u32, u8, u32)>,
}

/// A prefecture's customers and their transformers.
#[derive(Debug, Default)]
pub(crate) struct Supply {
    chunks: Vec<Option<Arc<ChunkSupply>>>,
    /// Transformer and chunk: where it is somebody's main source.
    holders: BTreeSet<(u32, u32)>,
    /// By row and source, from the second on: transformer.
    further: BTreeMap<(u32, u8), u32>,
    /// Transformer, row and source: the same the other way round.
    further_of: BTreeSet<(u32, u32, u8)>,
}

fn place(row: u32) -> (usize, usize) {
    (row as usize / CHUNK_ROWS, row as usize % CHUNK_ROWS)
}

fn rows_of(chunk: u32) -> Range<u32> {
    let rows = CHUNK_ROWS as u32;
    chunk * rows..(chunk + 1) * rows
}

impl Supply {
    /// The transformer that is `source` of `row`.
    pub(crate) fn get(&self, row: u32, source: u8) -> Option<u32> {
        if source != 1 {
            return self.further.get(&(row, source)).copied();
        }
        let (chunk, at) = place(row);
        self.chunks.get(chunk)?.as_ref()?.get(at)
    }

    /// All sources of `row`, by number.
    pub(crate) fn of(&self, row: u32) -> Vec<(u8, u32)> {
        let main = self.get(row, 1).map(|t| (1, t));
        let further = self.further.range((row, 0)..=(row, u8::MAX)).map(|((_, source), t)| (*source, *t));
        main.into_iter().chain(further).collect()
    }

    /// Sets, or with none takes away, a source of `row`.
    pub(crate) fn set(&mut self, row: u32, source: u8, transformer: Option<u32>) {
        if source == 1 {
            return self.set_main(row, transformer);
        }
        let before = match transformer {
            Some(t) => self.further.insert((row, source), t),
            None => self.further.remove(&(row, source)),
        };
        before.map(|t| self.further_of.remove(&(t, row, source)));
        transformer.map(|t| self.further_of.insert((t, row, source)));
    }

    fn set_main(&mut self, row: u32, transformer: Option<u32>) {
        let (chunk, at) = place(row);
        if self.chunks.len() <= chunk {
            self.chunks.resize(chunk + 1, None);
        }
        let its = Arc::make_mut(self.chunks[chunk].get_or_insert_default());
        let (came, left) = its.set(at, transformer);
        let number = row / CHUNK_ROWS as u32;
        // Who left comes first: it may be the one who came.
        left.map(|t| self.holders.remove(&(t, number)));
        came.map(|t| self.holders.insert((t, number)));
    }

    /// The chunks, for a checkpoint.
    pub(crate) fn chunks(&self) -> Vec<Option<Arc<ChunkSupply>>> {
        self.chunks.clone()
    }

    /// Further sources of some rows.
    pub(crate) fn further(&self, rows: Range<u32>) -> Vec<(u32, u8, u32)> {
        self.further.range((rows.start, 0)..(rows.end, 0)).map(|((row, source), t)| (*row, *source, *t)).collect()
    }

    /// Everything in which customers on some of `transformers` are, by chunk: shared, so that it is looked at outside of the lock.
    fn pieces(&self, transformers: &TransformerSet) -> Vec<Piece> {
        let mut chunks = BTreeSet::new();
        for t in transformers.iter() {
            chunks.extend(self.holders.range((t, 0)..=(t, u32::MAX)).map(|(_, chunk)| *chunk));
            let further = self.further_of.range((t, 0, 0)..=(t, u32::MAX, u8::MAX));
            chunks.extend(further.map(|(_, row, _)| *row / CHUNK_ROWS as u32));
        }
        chunks.into_iter().map(|chunk| self.piece(chunk)).collect()
    }

    fn piece(&self, chunk: u32) -> Piece {
        let main = self.chunks.get(chunk as usize).cloned().flatten();
        Piece { chunk, main, further: self.further(rows_of(chunk)) }
    }

    /// The transformers on which somebody hangs, some of them more than once.
    fn transformers(&self) -> Vec<u32> {
        let further = self.further_of.iter().map(|(t, _, _)| *t);
        let mut all: Vec<u32> = self.holders.iter().map(|(t, _)| *t).chain(further).collect();
        all.dedup();
        all
    }

    /// Bytes that it takes in memory, by allocation; nodes of trees as full as they come.
    pub(crate) fn bytes(&self) -> usize {
        /// A tree's entry of 8 to 16 bytes, with its node's slack.
        const ENTRY: usize = 20;
        let chunks: usize = self.chunks.iter().flatten().map(|c| c.bytes() + 2 * size_of::<usize>()).sum();
        let entries = self.holders.len() + self.further.len() + self.further_of.len();
        chunks + self.chunks.capacity() * size_of::<usize>() + entries * ENTRY
    }
}

impl Piece {
    fn main_of(&self, row: u32) -> Option<u32> {
        self.main.as_ref()?.get(place(row).1)
    }

    /// The customers of this chunk who hang on some of `transformers`, by row.
    fn affected(&self, transformers: &TransformerSet, out: &mut Vec<Affected>) {
        let main = Sources::of([1]);
        let begin = out.len();
        if let Some(its) = &self.main {
            let wanted: Vec<bool> = its.names.iter().map(|t| transformers.contains(*t)).collect();
            if wanted.contains(&true) {
                let hit = |place: u16| place > 0 && wanted[usize::from(place) - 1];
                let rows = rows_of(self.chunk).zip(&its.of).filter(|(_, place)| hit(**place));
                out.extend(rows.map(|(row, _)| Affected { row, lost: main, sources: main }));
            }
        }
        let mut more = Vec::new();
        for some in self.further.chunk_by(|a, b| a.0 == b.0) {
            let row = some[0].0;
            let sources = Sources(Sources::of(some.iter().map(|f| f.1)).0 | self.main_of(row).map_or(0, |_| main.0));
            let lost = Sources::of(some.iter().filter(|f| transformers.contains(f.2)).map(|f| f.1));
            match out[begin..].binary_search_by_key(&row, |a| a.row) {
                Ok(at) => {
                    let known = &mut out[begin + at];
                    (known.lost, known.sources) = (Sources(known.lost.0 | lost.0), sources);
                }
                Err(_) if lost != Sources::default() => more.push(Affected { row, lost, sources }),
                Err(_) => {}
            }
        }
        if !more.is_empty() {
            out.extend(more);
            out[begin..].sort_unstable_by_key(|a| a.row);
        }
    }
}

impl Prefecture {
    pub(crate) fn apply_supply(&mut self, fact: &SupplyFact, grid: &Grid) -> Result<Applied, FactReject> {
        let row = self.row_of(fact.account).ok_or(FactReject::UnknownAccount)?;
        if !(1..=MAX_SOURCES).contains(&fact.source) {
            return Err(FactReject::NoSource);
        }
        if grid.transformer(fact.transformer).is_none() {
            return Err(FactReject::UnknownTransformer);
        }
        let before = self.beside.supply.get(row, fact.source);
        let same = before == Some(fact.transformer);
        if same != fact.ended {
            return Ok(Applied::Unchanged);
        }
        self.beside.supply.set(row, fact.source, (!fact.ended).then_some(fact.transformer));
        self.dirty.insert(row / crate::columns::PAGE_ROWS as u32);
        Ok(if before.is_none() { Applied::Created } else { Applied::Changed })
    }
}

impl crate::core_state::Core {
    pub(crate) fn apply_supply(&self, facts: &[SupplyFact], ctx: &crate::core_state::Context<'_>) -> FactOutcome {
        let grid = self.grid.read().clone();
        let mut outcome = self.each(facts, ctx, |f| f.account, |p, f| p.apply_supply(f, &grid));
        if ctx.replay.is_some() {
            return outcome;
        }
        let mut hint = None;
        for (n, fact) in (0u32..).zip(facts).filter(|(_, f)| !f.ended) {
            let Some(its) = grid.transformer(fact.transformer).map(|t| t.prefecture) else { continue };
            // Mostly the customer is there where the transformer is.
            let here = self.prefecture(its).is_some_and(|p| p.read().row_of(fact.account).is_some());
            if !here && let Some((code, _)) = self.find(fact.account, hint) {
                hint = Some(code);
                outcome.flagged.push((n, FactWarning::OtherPrefecture));
            }
        }
        outcome
    }
}

impl State {
    /// The customers who hang on some of `transformers`, by prefecture and row, with which of their sources those are. A row whose customer has left
    /// is among them: see its traits.
    #[must_use]
    pub fn fed_by(&self, transformers: &TransformerSet) -> BTreeMap<PrefectureCode, Vec<Affected>> {
        let all: Vec<_> = self.shared().core.prefectures.read().iter().map(|(c, p)| (*c, Arc::clone(p))).collect();
        let mut fed = BTreeMap::new();
        for (code, prefecture) in all {
            let pieces = prefecture.read().beside.supply.pieces(transformers);
            let mut affected = Vec::new();
            pieces.iter().for_each(|piece| piece.affected(transformers, &mut affected));
            if !affected.is_empty() {
                fed.insert(code, affected);
            }
        }
        fed
    }

    /// The sources of `account`: which, and by which transformer of the grid; none for an account that there is not. What hung on a transformer that
    /// is no more is left out.
    #[must_use]
    pub fn supply_of(&self, account: AccountNumber) -> Option<Vec<(u8, u32)>> {
        let (code, row) = self.find(account)?;
        let grid = self.grid();
        let mut sources = self.shared().core.prefecture(code)?.read().beside.supply.of(row);
        sources.retain(|(_, t)| grid.transformer(*t).is_some());
        Some(sources)
    }

    /// Customers of `prefecture` of whom no transformer is known, those who left apart: how many, and the first `limit` of them.
    #[must_use]
    pub fn without_supply(&self, prefecture: PrefectureCode, limit: usize) -> (u64, Vec<AccountNumber>) {
        let (mut count, mut first) = (0, Vec::new());
        let (Some(p), grid) = (self.shared().core.prefecture(prefecture), self.grid()) else { return (count, first) };
        let (columns, pieces) = {
            let p = p.read();
            let pieces: Vec<Piece> = (0u32..).zip(&p.chunks).map(|(chunk, _)| p.beside.supply.piece(chunk)).collect();
            (p.chunks.clone(), pieces)
        };
        for (chunk, piece) in columns.iter().zip(pieces) {
            let names = piece.main.as_ref().map_or(&[][..], |m| &m.names);
            let there: Vec<bool> = names.iter().map(|t| grid.transformer(*t).is_some()).collect();
            let main = |at: usize| piece.main.as_ref().and_then(|m| m.of.get(at)).copied().unwrap_or(0);
            let further = |row: u32| {
                let from = piece.further.partition_point(|f| f.0 < row);
                piece.further[from..].iter().take_while(|f| f.0 == row).any(|f| grid.transformer(f.2).is_some())
            };
            for (row, at) in rows_of(piece.chunk).zip(0..chunk.len()) {
                let has = main(at) > 0 && there[usize::from(main(at)) - 1];
                if has || Traits(chunk.traits[at]).has(Traits::CLOSED) || further(row) {
                    continue;
                }
                count += 1;
                if first.len() < limit {
                    first.extend(AccountNumber::from_packed(chunk.account[at]));
                }
            }
        }
        (count, first)
    }

    /// The transformers on which some customer hangs.
    #[must_use]
    pub fn transformers_in_use(&self) -> TransformerSet {
        let all: Vec<_> = self.shared().core.prefectures.read().values().map(Arc::clone).collect();
        let used = all.iter().flat_map(|p| p.read().beside.supply.transformers());
        used.collect()
    }

    /// Bytes that customers' transformers take in memory.
    #[must_use]
    pub fn supply_bytes(&self) -> u64 {
        self.shared().core.prefectures.read().values().map(|p| p.read().beside.supply.bytes() as u64).sum()
    }
}
