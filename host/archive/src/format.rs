//! The bytes of a file: header, sections, trailer, and the chain through them. No I/O.

use gridbell_model::{Date, Moment};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::entry::{Entry, Query};

/// SHA-256.
pub type Hash = [u8; 32];

/// Version of the files that this program writes.
pub(crate) const FORMAT: u16 = 1;
/// Largest block after decompression; one that claims more is refused before memory is taken. An entry alone is far smaller.
pub const MAX_BLOCK_BYTES: usize = 16 << 20;

pub(crate) const MAGIC: &[u8; 8] = b"GRIDARCH";
pub(crate) const END_MAGIC: &[u8; 8] = b"GRIDARCE";
pub(crate) const BLOCK: u8 = b'B';
pub(crate) const NOTE: u8 = b'L';
pub(crate) const INDEX: u8 = b'X';
pub(crate) const END: u8 = b'E';

pub(crate) const HEADER_BYTES: usize = 8 + 2 + 8 + 8 + 32;
pub(crate) const SECTION_BYTES: usize = 1 + 4 + 32;
pub(crate) const TRAILER_BYTES: usize = 1 + 8 + 32 + 32 + 8;

/// The beginning of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) made: Moment,
    pub(crate) before: Hash,
}

impl Header {
    pub(crate) fn bytes(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..10].copy_from_slice(&FORMAT.to_le_bytes());
        out[10..18].copy_from_slice(&self.number.to_le_bytes());
        out[18..26].copy_from_slice(&self.made.unix_ms().to_le_bytes());
        out[26..].copy_from_slice(&self.before);
        out
    }

    /// The header, or the format of another program (0 when it is none at all).
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, u16> {
        let (magic, rest) = bytes.split_at(8);
        let format = u16::from_le_bytes([rest[0], rest[1]]);
        if magic != MAGIC {
            return Err(0);
        }
        if format != FORMAT {
            return Err(format.max(1));
        }
        let number = u64::from_le_bytes(eight(&rest[2..10]));
        let made = Moment::from_unix_ms(i64::from_le_bytes(eight(&rest[10..18])));
        let mut before = [0; 32];
        before.copy_from_slice(&rest[18..]);
        Ok(Self { number, made, before })
    }

    /// Where the chain of the file begins.
    pub(crate) fn chain(&self) -> Hash {
        Sha256::digest(self.bytes()).into()
    }
}

/// The end of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trailer {
    pub(crate) index_at: u64,
    pub(crate) before_index: Hash,
    pub(crate) head: Hash,
}

impl Trailer {
    pub(crate) fn bytes(&self) -> [u8; TRAILER_BYTES] {
        let mut out = [0; TRAILER_BYTES];
        out[0] = END;
        out[1..9].copy_from_slice(&self.index_at.to_le_bytes());
        out[9..41].copy_from_slice(&self.before_index);
        out[41..73].copy_from_slice(&self.head);
        out[73..].copy_from_slice(END_MAGIC);
        out
    }

    pub(crate) fn parse(bytes: &[u8; TRAILER_BYTES]) -> Option<Self> {
        if bytes[0] != END || &bytes[73..] != END_MAGIC {
            return None;
        }
        let (mut before_index, mut head) = ([0; 32], [0; 32]);
        before_index.copy_from_slice(&bytes[9..41]);
        head.copy_from_slice(&bytes[41..73]);
        Some(Self { index_at: u64::from_le_bytes(eight(&bytes[1..9])), before_index, head })
    }
}

/// The hash of a section that follows `before`.
pub(crate) fn chain(before: &Hash, tag: u8, bytes: &[u8]) -> Hash {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update([tag]);
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
    hash.finalize().into()
}

/// To what a block is sealed: its file and its place in it, so that it opens nowhere else. Place 0 is the maker's note.
pub(crate) fn place(file: u64, block: usize) -> Vec<u8> {
    let mut place = b"archive".to_vec();
    place.extend_from_slice(&file.to_be_bytes());
    place.extend_from_slice(&(block as u64).to_be_bytes());
    place
}

/// What is known of a block without opening it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct BlockIndex {
    pub(crate) at: u64,
    pub(crate) kinds: u8,
    pub(crate) from: i32,
    pub(crate) to: i32,
    pub(crate) entries: u32,
    /// Sorted, each once.
    pub(crate) keys: Vec<u64>,
}

impl BlockIndex {
    pub(crate) fn of(entries: &[Entry], at: u64) -> Self {
        let day = |e: &Entry| e.at.date().0;
        let mut keys: Vec<u64> = entries.iter().flat_map(|e| e.keys.iter().copied()).collect();
        keys.sort_unstable();
        keys.dedup();
        Self {
            at,
            kinds: entries.iter().fold(0, |bits, e| bits | e.kind.bit()),
            from: entries.iter().map(day).min().unwrap_or(i32::MAX),
            to: entries.iter().map(day).max().unwrap_or(i32::MIN),
            entries: u32::try_from(entries.len()).unwrap_or(u32::MAX),
            keys,
        }
    }

    /// Whether the block may hold what is asked for.
    pub(crate) fn may_answer(&self, query: &Query) -> bool {
        let kinds = query.kinds.iter().fold(0, |bits, k| bits | k.bit());
        (query.keys.is_empty() || query.keys.iter().any(|k| self.keys.binary_search(k).is_ok()))
            && (kinds == 0 || kinds & self.kinds != 0)
            && query.from.some().is_none_or(|from| from <= Date(self.to))
            && query.to.some().is_none_or(|to| Date(self.from) <= to)
    }
}

fn eight(bytes: &[u8]) -> [u8; 8] {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[..8]);
    out
}
