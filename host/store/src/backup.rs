//! Writes one instant of a running store to one file. Never stops the writer for longer than a slice, and knows no engine.
//!
//! The file, all numbers little-endian:
//!
//! ```text
//! header   "GRIDBKUP"  format: u16  created: i64 (Unix ms)
//! block    'B'  records: u32  length: u32  packed: u32  crc32 of the packed bytes: u32  packed bytes (one lz4 block)
//!          unpacked: records × [key length: u16  value length: u32  key  value], by ascending key across all blocks
//! trailer  'E'  records: u64  bytes of keys and values: u64  SHA-256 of everything before it
//! ```
//!
//! Values are what the store's callers put: sealed ones stay sealed, and the key is not in the file.

use std::io::Write;

use gridbell_model::Moment;
use ring::digest::{Context, SHA256};

use crate::error::{BackupError, hex};
use crate::store::{Record, Store};

/// Unpacked bytes at which a block is written; also what a snapshot hands over at a time, while commits wait.
pub const BACKUP_BLOCK_BYTES: usize = 1 << 20;

pub(crate) const MAGIC: &[u8; 8] = b"GRIDBKUP";
pub(crate) const FORMAT: u16 = 1;
pub(crate) const BLOCK: u8 = b'B';
pub(crate) const END: u8 = b'E';

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// When it was made, as its maker said.
    pub created: Moment,
    /// Records so far, or in all.
    pub records: u64,
    /// Bytes of keys and values so far, or in all.
    pub bytes: u64,
    /// SHA-256 of the file up to the digest itself, in hex; empty until the end.
    pub digest: String,
}

impl BackupSummary {
    pub(crate) fn starting(created: Moment) -> Self {
        Self { created, records: 0, bytes: 0, digest: String::new() }
    }

    pub(crate) fn count(&mut self, key: &[u8], value: &[u8]) {
        self.records += 1;
        self.bytes += (key.len() + value.len()) as u64;
    }
}

/// Writes what `store` holds at this instant to `writer`, beside whatever is committed meanwhile; `progress` hears of every block. The caller
/// makes the file durable, and writes it under another name until this has returned.
///
/// # Errors
/// [`BackupError::Write`] when `writer` fails, [`BackupError::Store`] when the store cannot be read or another backup runs.
pub fn backup(
    store: &dyn Store,
    created: Moment,
    writer: &mut dyn Write,
    progress: &mut dyn FnMut(&BackupSummary),
) -> Result<BackupSummary, BackupError> {
    let mut snapshot = store.snapshot()?;
    let mut out = Hashed { writer, digest: Context::new(&SHA256) };
    let mut summary = BackupSummary::starting(created);
    out.write(&[MAGIC.as_slice(), &FORMAT.to_le_bytes(), &created.unix_ms().to_le_bytes()])?;
    loop {
        let records = snapshot.next_slice(BACKUP_BLOCK_BYTES)?;
        if records.is_empty() {
            break;
        }
        write_block(&mut out, &records)?;
        records.iter().for_each(|(key, value)| summary.count(key, value));
        progress(&summary);
    }
    drop(snapshot);
    out.write(&[&[END], &summary.records.to_le_bytes(), &summary.bytes.to_le_bytes()])?;
    let digest = out.digest.finish();
    writer.write_all(digest.as_ref()).and_then(|()| writer.flush()).map_err(BackupError::Write)?;
    summary.digest = hex(digest.as_ref());
    Ok(summary)
}

fn write_block(out: &mut Hashed<'_>, records: &[Record]) -> Result<(), BackupError> {
    let mut unpacked = Vec::with_capacity(BACKUP_BLOCK_BYTES + BACKUP_BLOCK_BYTES / 8);
    for (key, value) in records {
        unpacked.extend_from_slice(&length::<u16>(key.len())?.to_le_bytes());
        unpacked.extend_from_slice(&length::<u32>(value.len())?.to_le_bytes());
        unpacked.extend_from_slice(key);
        unpacked.extend_from_slice(value);
    }
    let packed = lz4_flex::block::compress(&unpacked);
    let numbers =
        [length::<u32>(records.len())?, length(unpacked.len())?, length(packed.len())?, crc32fast::hash(&packed)];
    let numbers: Vec<u8> = numbers.iter().flat_map(|n| n.to_le_bytes()).collect();
    out.write(&[&[BLOCK], &numbers, &packed])
}

/// A length as the file has it. The store's bounds keep all of them in range; another store's might not.
fn length<T: TryFrom<usize>>(bytes: usize) -> Result<T, BackupError> {
    T::try_from(bytes).map_err(|_| BackupError::Write(std::io::ErrorKind::InvalidInput.into()))
}

/// A writer that digests what goes through it.
struct Hashed<'a> {
    writer: &'a mut dyn Write,
    digest: Context,
}

impl Hashed<'_> {
    fn write(&mut self, parts: &[&[u8]]) -> Result<(), BackupError> {
        for part in parts {
            self.digest.update(part);
            self.writer.write_all(part).map_err(BackupError::Write)?;
        }
        Ok(())
    }
}
