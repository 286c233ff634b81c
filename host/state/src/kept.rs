//! What a decision was made from, kept for as long as the decision is: the values that the plugin saw, and per run whatever else decided.
//!
//! Values lie in columns, one record for each segment of decisions. What a run was made from is a small record of its own that names documents
//! (rules, texts, calendars, policies) by their SHA-256; a document is stored once and leaves with the last run that names it. What documents say
//! is not this module's to know. Runs of earlier programs have neither, and are read as such.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_model::{ColumnId, RunId};
use gridbell_store::{Batch, KeyRange, Sealer};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::StateError;
use crate::shared::Shared;
use crate::state::State;
use crate::{keys, load, records};

/// The SHA-256 of a document's bytes: its name.
pub type ContentHash = [u8; 32];
/// Documents that one run may name: policy, rules, texts, calendar, segments, and room.
pub const MAX_RUN_DOCUMENTS: usize = 32;
/// Layout of [`SeenFacts::encode`].
const SEEN_FORMAT: u8 = 1;

/// The name of a document.
#[must_use]
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    Sha256::digest(bytes).into()
}

/// What a plugin saw of some decisions' rows: the values of its columns, column by column, in the order of its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SeenFacts {
    columns: Vec<ColumnId>,
    values: Vec<Vec<i64>>,
    rows: usize,
}

impl SeenFacts {
    /// `values` of `rows` rows, one list for each of `columns`; none when a list has another length.
    #[must_use]
    pub fn new(columns: Vec<ColumnId>, values: Vec<Vec<i64>>, rows: usize) -> Option<Self> {
        let fits = columns.len() == values.len() && values.iter().all(|v| v.len() == rows);
        fits.then_some(Self { columns, values, rows })
    }

    /// How many rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns, in the manifest's order.
    #[must_use]
    pub fn columns(&self) -> &[ColumnId] {
        &self.columns
    }

    /// The values of the `n`-th column.
    #[must_use]
    pub fn column(&self, n: usize) -> &[i64] {
        self.values.get(n).map_or(&[], Vec::as_slice)
    }

    /// What was seen of the row at `at`.
    #[must_use]
    pub fn row(&self, at: usize) -> Vec<(ColumnId, i64)> {
        self.columns.iter().zip(&self.values).filter_map(|(id, v)| Some((*id, *v.get(at)?))).collect()
    }

    /// Appends rows of the same columns; without rows it takes the other's columns. Whether they were the same.
    pub(crate) fn append(&mut self, mut other: Self) -> bool {
        if self.rows == 0 {
            *self = other;
            return true;
        }
        if self.columns != other.columns {
            return false;
        }
        self.values.iter_mut().zip(&mut other.values).for_each(|(mine, theirs)| mine.append(theirs));
        self.rows += other.rows;
        true
    }

    /// Takes off the rows from `at` on.
    pub(crate) fn split_off(&mut self, at: usize) -> Self {
        let at = at.min(self.rows);
        let values = self.values.iter_mut().map(|v| v.split_off(at)).collect();
        let rest = Self { columns: self.columns.clone(), values, rows: self.rows - at };
        self.rows = at;
        rest
    }

    /// Rows `from..to` as bytes: for each column its least value and what is above it, as planes of bytes of the width that it takes; planes are
    /// what compresses best.
    pub(crate) fn encode(&self, from: usize, to: usize) -> Vec<u8> {
        let rows = to - from;
        let mut out = Vec::with_capacity(16 + rows * self.columns.len() * 2);
        out.push(SEEN_FORMAT);
        out.extend_from_slice(&u32::try_from(rows).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&u16::try_from(self.columns.len()).unwrap_or(u16::MAX).to_le_bytes());
        for (id, values) in self.columns.iter().zip(&self.values) {
            let values = &values[from..to];
            let least = values.iter().copied().min().unwrap_or(0);
            let above = |v: i64| v.wrapping_sub(least) as u64;
            let most = values.iter().map(|v| above(*v)).max().unwrap_or(0);
            let width = (64 - most.leading_zeros()).div_ceil(8);
            out.extend_from_slice(&id.0.to_le_bytes());
            out.extend_from_slice(&least.to_le_bytes());
            out.push(width as u8);
            for plane in 0..width {
                out.extend(values.iter().map(|v| (above(*v) >> (8 * plane)) as u8));
            }
        }
        out
    }

    /// What [`SeenFacts::encode`] wrote; none when it is nothing of that kind.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (format, rest) = bytes.split_first()?;
        let (rows, rest) = rest.split_first_chunk::<4>()?;
        let (columns, mut rest) = rest.split_first_chunk::<2>()?;
        let rows = u32::from_le_bytes(*rows) as usize;
        if *format != SEEN_FORMAT || rows > bytes.len().max(MAX_CONSTANT_ROWS) {
            return None;
        }
        let mut seen = Self { rows, ..Self::default() };
        for _ in 0..u16::from_le_bytes(*columns) {
            let (id, after) = rest.split_first_chunk::<2>()?;
            let (least, after) = after.split_first_chunk::<8>()?;
            let (width, after) = after.split_first()?;
            let (planes, after) = after.split_at_checked(rows * usize::from(*width))?;
            let mut above = vec![0_u64; rows];
            for (plane, bytes) in planes.chunks_exact(rows.max(1)).enumerate() {
                above.iter_mut().zip(bytes).for_each(|(v, b)| *v |= u64::from(*b).wrapping_shl(8 * plane as u32));
            }
            let least = i64::from_le_bytes(*least);
            seen.columns.push(ColumnId(u16::from_le_bytes(*id)));
            seen.values.push(above.into_iter().map(|v| least.wrapping_add(v as i64)).collect());
            rest = after;
        }
        rest.is_empty().then_some(seen)
    }
}

/// Rows that columns of one value each may claim without bytes of their own: bounds what a damaged record can make us allocate.
const MAX_CONSTANT_ROWS: usize = 1 << 16;

/// What a run was made from, as its owner wrote it, and the documents that it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptRun {
    /// In its owner's words, usually JSON.
    pub basis: Vec<u8>,
    /// Each once.
    pub documents: Vec<ContentHash>,
}

/// What a run wants kept, in its own commit.
pub(crate) struct Keep {
    pub(crate) run: RunId,
    pub(crate) basis: Vec<u8>,
    pub(crate) documents: BTreeMap<ContentHash, Arc<[u8]>>,
}

/// How many runs name each document. The writer alone has it, so that a document never leaves beside a run that takes it up.
#[derive(Debug, Default)]
pub(crate) struct Counts(BTreeMap<ContentHash, u64>);

/// New counts, to be taken over once they are durable.
pub(crate) type Staged = BTreeMap<ContentHash, u64>;

impl Counts {
    pub(crate) fn load(shared: &Shared) -> Result<Self, StateError> {
        let mut counts = BTreeMap::new();
        load::collect(shared, &KeyRange::prefix(&[keys::KEPT_COUNT]), |key, value| {
            if let Ok(hash) = key[1..].try_into() {
                counts.insert(hash, records::read::<u64>(&shared.sealer, key, value)?);
            }
            Ok(())
        })?;
        Ok(Self(counts))
    }

    /// Puts what runs keep into `batch`, and what nobody names any more out of it.
    pub(crate) fn stage<'a>(
        &self,
        keeps: impl Iterator<Item = &'a Keep>,
        releases: impl Iterator<Item = &'a ContentHash>,
        sealer: &Sealer,
        batch: &mut Batch,
    ) -> Result<Staged, StateError> {
        let mut staged = Staged::new();
        let mut bytes: BTreeMap<ContentHash, &Arc<[u8]>> = BTreeMap::new();
        let now =
            |staged: &Staged, hash: &ContentHash| staged.get(hash).or_else(|| self.0.get(hash)).copied().unwrap_or(0);
        for keep in keeps {
            let key = keys::run(keys::KEPT_RUN, keep.run);
            let kept = KeptRun { basis: keep.basis.clone(), documents: keep.documents.keys().copied().collect() };
            batch.put(key.clone(), records::write(sealer, &key, &kept)?);
            for (hash, document) in &keep.documents {
                let n = now(&staged, hash) + 1;
                staged.insert(*hash, n);
                bytes.insert(*hash, document);
            }
        }
        for hash in releases {
            let n = now(&staged, hash).saturating_sub(1);
            staged.insert(*hash, n);
        }
        for (hash, n) in &staged {
            let (key, count) = (keys::content(keys::KEPT_DOCUMENT, hash), keys::content(keys::KEPT_COUNT, hash));
            if *n == 0 {
                batch.delete(key).delete(count);
                continue;
            }
            if let (false, Some(document)) = (self.0.contains_key(hash), bytes.get(hash)) {
                batch.put(key.clone(), records::seal(sealer, &key, document)?);
            }
            batch.put(count.clone(), records::write(sealer, &count, n)?);
        }
        Ok(staged)
    }

    /// Takes over what became durable.
    pub(crate) fn settle(&mut self, staged: Staged) {
        for (hash, n) in staged {
            if n == 0 {
                self.0.remove(&hash)
            } else {
                self.0.insert(hash, n)
            };
        }
    }
}

impl State {
    /// What the plugin saw of the decisions of a segment, in their order; none of runs of earlier programs.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn seen_facts(&self, run: RunId, segment: u32) -> Result<Option<SeenFacts>, StateError> {
        let key = keys::numbered(keys::SEEN, run, segment);
        let Some(value) = self.shared().store.get(&key)? else { return Ok(None) };
        let bytes = records::open(&self.shared().sealer, &key, &value)?;
        let bad = || StateError::Record { table: char::from(keys::SEEN), why: "it is cut or damaged".to_owned() };
        SeenFacts::decode(&bytes).ok_or_else(bad).map(Some)
    }

    /// What `run` was made from; none of runs of earlier programs, and after the run left for the archives.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kept_run(&self, run: RunId) -> Result<Option<KeptRun>, StateError> {
        let key = keys::run(keys::KEPT_RUN, run);
        let Some(value) = self.shared().store.get(&key)? else { return Ok(None) };
        records::read(&self.shared().sealer, &key, &value).map(Some)
    }

    /// The document `hash` that some run names.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn kept_document(&self, hash: &ContentHash) -> Result<Option<Vec<u8>>, StateError> {
        let key = keys::content(keys::KEPT_DOCUMENT, hash);
        let Some(value) = self.shared().store.get(&key)? else { return Ok(None) };
        let bytes = records::open(&self.shared().sealer, &key, &value)?;
        if content_hash(&bytes) == *hash {
            return Ok(Some(bytes));
        }
        let why = "it is not what its name says".to_owned();
        Err(StateError::Record { table: char::from(keys::KEPT_DOCUMENT), why })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen() -> impl Strategy<Value = SeenFacts> {
        let value = prop_oneof![Just(0), Just(i64::MAX), Just(i64::MIN), -3_i64..3, any::<i64>(), 20_000_i64..21_000];
        (1..40_usize, 0..6_u16).prop_flat_map(move |(rows, columns)| {
            let lists = prop::collection::vec(prop::collection::vec(value.clone(), rows), usize::from(columns));
            lists.prop_map(move |values| SeenFacts::new((0..columns).map(ColumnId).collect(), values, rows).unwrap())
        })
    }

    proptest! {
        #[test]
        fn what_was_seen_round_trips(seen in seen(), at in any::<prop::sample::Index>()) {
            prop_assert_eq!(SeenFacts::decode(&seen.encode(0, seen.len())).unwrap(), seen.clone());
            let at = at.index(seen.len());
            let mut front = seen.clone();
            let back = front.split_off(at);
            prop_assert_eq!(SeenFacts::decode(&seen.encode(at, seen.len())).unwrap(), back.clone());
            prop_assert!(front.append(back));
            prop_assert_eq!(front, seen);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = SeenFacts::decode(&bytes);
            let mut own = vec![SEEN_FORMAT];
            own.extend(bytes);
            let _ = SeenFacts::decode(&own);
        }
    }
}
