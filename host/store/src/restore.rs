//! Reads a backup and puts it back. Nothing becomes visible before the whole file has been checked; never touches what is there already.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use gridbell_model::Moment;
use ring::digest::{Context, SHA256};

use crate::backup::{BACKUP_BLOCK_BYTES, BLOCK, BackupSummary, END, FORMAT, MAGIC};
use crate::error::{BackupError, StoreError, hex};
use crate::sled_store::{SledOptions, SledStore};
use crate::store::{Batch, Durability, MAX_KEY_BYTES, MAX_VALUE_BYTES, Store};

/// Longest unpacked block: one that was just below its bound when the longest record came.
const MAX_BLOCK_BYTES: usize = BACKUP_BLOCK_BYTES + 6 + MAX_KEY_BYTES + MAX_VALUE_BYTES + BACKUP_BLOCK_BYTES / 2;

/// What the unfinished target is called: its name and this.
const UNFINISHED: &str = ".restoring";

/// Puts the backup from `reader` into a new store in `target`: beside it first, and under its name only when everything fits. What an earlier,
/// killed restore of the same target has left is removed.
///
/// # Errors
/// [`BackupError::TargetNotEmpty`] when `target` holds anything; [`BackupError::NotABackup`], [`BackupError::NewerFormat`],
/// [`BackupError::Damaged`] when the file is not to be trusted; the rest when reading or writing fails. `target` is untouched then.
pub fn restore(
    reader: &mut dyn Read,
    target: &Path,
    options: SledOptions,
    progress: &mut dyn FnMut(&BackupSummary),
) -> Result<BackupSummary, BackupError> {
    let failed = |source| BackupError::Target { path: target.to_owned(), source };
    match fs::read_dir(target).map(|mut entries| entries.next().is_some()) {
        Ok(true) => return Err(BackupError::TargetNotEmpty { path: target.to_owned() }),
        Ok(false) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    let unfinished = beside(target).map_err(failed)?;
    remove(&unfinished).map_err(failed)?;
    let restored = fill(reader, &unfinished, options, progress);
    if restored.is_err() {
        let _ = remove(&unfinished);
    }
    let summary = restored?;
    // Over an empty directory a rename is allowed, over anything else it fails.
    fs::rename(&unfinished, target).map_err(failed)?;
    if let Some(parent) = target.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::File::open(parent).and_then(|d| d.sync_all()).map_err(failed)?;
    }
    Ok(summary)
}

/// Reads the whole backup and checks everything that can be checked without restoring it.
///
/// # Errors
/// As [`restore`], without those about the target.
pub fn verify_backup(reader: &mut dyn Read) -> Result<BackupSummary, BackupError> {
    read_backup(reader, &mut |_, _| Ok(()))
}

fn beside(target: &Path) -> io::Result<PathBuf> {
    let mut name = target.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(UNFINISHED);
    Ok(target.with_file_name(name))
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn fill(
    reader: &mut dyn Read,
    directory: &Path,
    options: SledOptions,
    progress: &mut dyn FnMut(&BackupSummary),
) -> Result<BackupSummary, BackupError> {
    let store = SledStore::open(directory, options)?;
    let summary = read_backup(reader, &mut |batch, summary| {
        store.commit(batch, Durability::Buffered)?;
        progress(summary);
        Ok(())
    })?;
    store.sync()?;
    Ok(summary)
}

/// Reads a backup, handing each block on as a batch; the last check, of the digest, comes after all of them.
fn read_backup(
    reader: &mut dyn Read,
    take: &mut dyn FnMut(Batch, &BackupSummary) -> Result<(), StoreError>,
) -> Result<BackupSummary, BackupError> {
    let mut input = Input { reader, digest: Context::new(&SHA256), offset: 0 };
    let mut summary = BackupSummary::starting(header(&mut input)?);
    let mut last_key = Vec::new();
    loop {
        match input.take::<1>()?[0] {
            BLOCK => {
                let batch = block(&mut input, &mut last_key)?;
                batch.operations().for_each(|(key, value)| summary.count(key, value.unwrap_or_default()));
                take(batch, &summary)?;
            }
            END => {
                trailer(&mut input, &mut summary)?;
                return Ok(summary);
            }
            _ => return Err(input.damaged("neither a block nor the end")),
        }
    }
}

fn header(input: &mut Input<'_>) -> Result<Moment, BackupError> {
    match input.take::<8>() {
        Ok(magic) if magic == *MAGIC => {}
        Ok(_) | Err(BackupError::Damaged { .. }) => return Err(BackupError::NotABackup),
        Err(e) => return Err(e),
    }
    match u16::from_le_bytes(input.take()?) {
        FORMAT => Ok(Moment::from_unix_ms(i64::from_le_bytes(input.take()?))),
        format => Err(BackupError::NewerFormat { format }),
    }
}

fn block(input: &mut Input<'_>, last_key: &mut Vec<u8>) -> Result<Batch, BackupError> {
    let (records, length, packed_length) = (input.number()?, input.number()?, input.number()?);
    let crc = u32::from_le_bytes(input.take()?);
    if length > MAX_BLOCK_BYTES || packed_length > lz4_flex::block::get_maximum_output_size(MAX_BLOCK_BYTES) {
        return Err(input.damaged("a block is longer than any can be"));
    }
    let mut packed = vec![0; packed_length];
    input.fill(&mut packed)?;
    if crc32fast::hash(&packed) != crc {
        return Err(input.damaged("the checksum of a block does not fit"));
    }
    let unpacked =
        lz4_flex::block::decompress(&packed, length).map_err(|_| input.damaged("a block cannot be uncompressed"))?;
    let mut batch = Batch::new();
    let mut rest = unpacked.as_slice();
    while let Some((key, value, after)) = record(rest) {
        if key <= last_key.as_slice() || key.len() > MAX_KEY_BYTES || value.len() > MAX_VALUE_BYTES {
            return Err(input.damaged("a record is out of order or out of bounds"));
        }
        last_key.clear();
        last_key.extend_from_slice(key);
        batch.put(key, value);
        rest = after;
    }
    if !rest.is_empty() || batch.len() != records || unpacked.len() != length {
        return Err(input.damaged("a block does not hold what it says"));
    }
    Ok(batch)
}

/// The first record of `bytes`, and what is behind it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (key_length, rest) = bytes.split_first_chunk::<2>()?;
    let (value_length, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_length)))?;
    let (value, rest) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*value_length)).ok()?)?;
    Some((key, value, rest))
}

fn trailer(input: &mut Input<'_>, summary: &mut BackupSummary) -> Result<(), BackupError> {
    let (records, bytes) = (u64::from_le_bytes(input.take()?), u64::from_le_bytes(input.take()?));
    if (records, bytes) != (summary.records, summary.bytes) {
        return Err(input.damaged("the number of records does not fit"));
    }
    let expected = input.digest.clone().finish();
    if input.take::<32>()? != expected.as_ref() {
        return Err(input.damaged("the digest does not fit"));
    }
    if input.reader.read(&mut [0]).map_err(BackupError::Read)? != 0 {
        return Err(input.damaged("something follows its end"));
    }
    summary.digest = hex(expected.as_ref());
    Ok(())
}

/// A reader that digests and counts what goes through it.
struct Input<'a> {
    reader: &'a mut dyn Read,
    digest: Context,
    offset: u64,
}

impl Input<'_> {
    fn damaged(&self, what: &'static str) -> BackupError {
        BackupError::Damaged { offset: self.offset, what }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), BackupError> {
        self.reader.read_exact(bytes).map_err(|e| match e.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
            _ => BackupError::Read(e),
        })?;
        self.digest.update(bytes);
        self.offset += bytes.len() as u64;
        Ok(())
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], BackupError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Result<usize, BackupError> {
        usize::try_from(u32::from_le_bytes(self.take()?)).map_err(|_| self.damaged("a number is out of range"))
    }
}
