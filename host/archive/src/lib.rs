//! What left the online store, in files that can be searched and verified: compressed, sealed, and chained by SHA-256 across blocks and files.
//!
//! It knows what an entry is found by (kind, day, keyed fingerprints of accounts and numbers) and never what it says: a body is JSON that its
//! maker wrote, so that it can be read years later by a program that knows none of today's types. It never changes a file that is finished,
//! and it knows no store: whoever drops records there does so after [`ArchiveWriter::finish`] has returned.
//!
//! A file, all numbers little-endian:
//!
//! ```text
//! header   "GRIDARCH"  format: u16  number: u64  made: i64 (Unix ms)  head of the file before (zeros for the first)
//! section  tag: u8  length: u32  hash: 32 bytes  bytes
//!          'B' a block: postcard list of entries, zstd, sealed to its file and place      as many as there are
//!          'L' what its maker wants back if it was killed before it acted on the file: sealed
//!          'X' the index: of each block its place, kinds, days, entries and sorted fingerprints
//! trailer  'E'  place of the index: u64  hash before the index: 32 bytes  head: 32 bytes  "GRIDARCE"
//! ```
//!
//! The hash of a section is SHA-256 over the hash before it, tag, length and bytes; the first is over the header, which holds the head of the
//! file before; the head is the hash of the index. So each byte of each file is under the head of the last one.

mod entry;
mod error;
mod format;
mod reader;
mod series;
mod writer;

pub use entry::{Entry, Found, Kind, Query};
pub use error::ArchiveError;
pub use format::{Hash, MAX_BLOCK_BYTES};
pub use series::{Archive, FileInfo, Verified};
pub use writer::{ArchiveWriter, BLOCK_BYTES, Finished};
