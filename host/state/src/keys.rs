//! Keys of the store: one byte for the table, then big-endian numbers, so that a range is a scan in order. A table's letter is never reused.

use gridbell_model::{PrefectureCode, RunId};

/// Journal groups: sequence, piece.
pub(crate) const JOURNAL: u8 = b'J';
/// Pages of customers: prefecture, page.
pub(crate) const PAGE: u8 = b'P';
/// What few customers of a page have: prefecture, page.
pub(crate) const EXTRA: u8 = b'X';
/// Names of a page's customers: prefecture, page.
pub(crate) const NAMES: u8 = b'N';
/// Parts of a checkpoint that have no pages: generation, part.
pub(crate) const CHECKPOINT: u8 = b'K';
/// The marker that says which checkpoint counts.
pub(crate) const MARKER: u8 = b'M';
/// Run records: run.
pub(crate) const RUN: u8 = b'R';
/// Stations and reading sections that a prefecture's pages index: prefecture.
pub(crate) const UNITS: u8 = b'U';
/// Runs begun and not published: run.
pub(crate) const RUN_BEGUN: u8 = b'B';
/// Segments of decisions: run, segment.
pub(crate) const SEGMENT: u8 = b'G';
/// Addresses at platforms of a page's customers: prefecture, page.
pub(crate) const CONTACTS: u8 = b'T';
/// Final states of messages: prefecture, block of [`STATUS_BLOCK`] numbers.
pub(crate) const STATUS: u8 = b'S';
/// Documents: kind, zero byte, key.
pub(crate) const DOC: u8 = b'D';
/// The audit log: number.
pub(crate) const AUDIT: u8 = b'A';
/// Inbound messages: number.
pub(crate) const INBOUND: u8 = b'I';
/// What has left for the archives, one record.
pub(crate) const ARCHIVED: u8 = b'H';

/// What the plugin saw of the decisions of a segment: run, segment.
pub(crate) const SEEN: u8 = b'F';
/// What a run was made from: run.
pub(crate) const KEPT_RUN: u8 = b'E';
/// Documents that runs were made from: SHA-256.
pub(crate) const KEPT_DOCUMENT: u8 = b'C';
/// How many runs name a document: SHA-256.
pub(crate) const KEPT_COUNT: u8 = b'L';

/// What the store knows of the history's files, one record.
pub(crate) const HISTORY: u8 = b'Y';

/// With which others a message left that came to its end: prefecture, number.
pub(crate) const TOGETHER: u8 = b'O';

/// Messages of one status record.
pub(crate) const STATUS_BLOCK: u32 = 512;

/// The first piece of a journal group; later ones follow in order.
pub(crate) fn journal(seq: u64) -> Vec<u8> {
    journal_piece(seq, 0)
}

pub(crate) fn journal_piece(seq: u64, piece: u32) -> Vec<u8> {
    let mut key = long(JOURNAL, seq);
    key.extend_from_slice(&piece.to_be_bytes());
    key
}

pub(crate) fn paged(table: u8, prefecture: PrefectureCode, page: u32) -> Vec<u8> {
    let mut key = prefix32(table, prefecture.0);
    key.extend_from_slice(&page.to_be_bytes());
    key
}

pub(crate) fn run(table: u8, run: RunId) -> Vec<u8> {
    long(table, run.0)
}

pub(crate) fn segment(run: RunId, segment: u32) -> Vec<u8> {
    numbered(SEGMENT, run, segment)
}

pub(crate) fn numbered(table: u8, run: RunId, segment: u32) -> Vec<u8> {
    let mut key = long(table, run.0);
    key.extend_from_slice(&segment.to_be_bytes());
    key
}

pub(crate) fn content(table: u8, hash: &[u8; 32]) -> Vec<u8> {
    let mut key = Vec::with_capacity(33);
    key.push(table);
    key.extend_from_slice(hash);
    key
}

pub(crate) fn checkpoint(generation: u64, part: u32) -> Vec<u8> {
    let mut key = long(CHECKPOINT, generation);
    key.extend_from_slice(&part.to_be_bytes());
    key
}

pub(crate) fn doc(kind: &str, key: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + kind.len() + key.len());
    out.push(DOC);
    out.extend_from_slice(kind.as_bytes());
    out.push(0);
    out.extend_from_slice(key.as_bytes());
    out
}

pub(crate) fn long(table: u8, n: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(13);
    key.push(table);
    key.extend_from_slice(&n.to_be_bytes());
    key
}

pub(crate) fn prefix32(table: u8, n: u32) -> Vec<u8> {
    let mut key = Vec::with_capacity(9);
    key.push(table);
    key.extend_from_slice(&n.to_be_bytes());
    key
}

/// The number after the table byte of a key made by [`long`].
pub(crate) fn long_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?))
}

/// The number of a key made by [`prefix32`].
pub(crate) fn prefix32_of(key: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(1..5)?.try_into().ok()?))
}

/// Prefecture and page of a key made by [`paged`].
pub(crate) fn paged_of(key: &[u8]) -> Option<(PrefectureCode, u32)> {
    let prefecture = u32::from_be_bytes(key.get(1..5)?.try_into().ok()?);
    let page = u32::from_be_bytes(key.get(5..9)?.try_into().ok()?);
    Some((PrefectureCode(prefecture), page))
}
