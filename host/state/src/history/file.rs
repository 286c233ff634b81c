//! One file of the history: records in blocks, compressed, sealed with the data key, checksummed. Knows nothing of what they say.
//!
//! All numbers little-endian:
//!
//! ```text
//! header   "GRIDHIST"  format: u16  kind: u8  first: u64  last: u64  made: i64 (Unix ms)
//! block    'B'  length: u32  crc32 of the sealed bytes: u32  sealed bytes
//!          opened: unpacked length: u32  zstd of  records × [key length: u16  value length: u32  key  value]
//! trailer  'E'  blocks: u32  records: u64  SHA-256 of everything before it
//! ```
//!
//! A block is sealed to its file's header and its own number, so that one that was moved, left out or repeated does not open.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use gridbell_model::Moment;
use gridbell_store::Sealer;
use sha2::{Digest, Sha256};

use super::{FileRef, Kind};
use crate::error::StateError;

/// Is handed each record, key and value, in order; an error ends the reading.
pub(super) type TakeRecord<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), StateError> + 'a;

const MAGIC: &[u8; 8] = b"GRIDHIST";
const FORMAT: u16 = 1;
const BLOCK: u8 = b'B';
const END: u8 = b'E';
const HEADER_BYTES: usize = 8 + 2 + 1 + 8 + 8 + 8;
/// Unpacked bytes at which a block is written.
const BLOCK_BYTES: usize = 1 << 20;
/// Largest block before and after unpacking; one that claims more is refused before memory is taken. A group of the journal, the largest record,
/// stays far below.
const MAX_BLOCK_BYTES: usize = 128 << 20;
/// zstd's level: the fast one, since a checkpoint waits for it.
const LEVEL: i32 = 1;

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let file = path.display().to_string();
    move |source| StateError::HistoryFile { file, why: format!("{what}: {source}") }
}

/// Writes a file under a name of its own and gives it its name once it is durable.
pub(crate) struct FileWriter<'a> {
    out: BufWriter<File>,
    path: PathBuf,
    unfinished: PathBuf,
    sealer: &'a Sealer,
    header: Vec<u8>,
    digest: Sha256,
    pending: Vec<u8>,
    blocks: u32,
    records: u64,
    bytes: u64,
    made: Moment,
    kind: Kind,
}

impl<'a> FileWriter<'a> {
    pub(crate) fn create(
        directory: &Path,
        sealer: &'a Sealer,
        kind: Kind,
        (first, last): (u64, u64),
        made: Moment,
    ) -> Result<Self, StateError> {
        fs::create_dir_all(directory).map_err(failed("its directory cannot be made", directory))?;
        let path = directory.join(kind.file_name(first, last));
        let unfinished = path.with_extension("unfinished");
        let file = File::create(&unfinished).map_err(failed("it cannot be made", &unfinished))?;
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&FORMAT.to_le_bytes());
        header.push(kind as u8);
        header.extend([first, last].iter().flat_map(|n| n.to_le_bytes()));
        header.extend_from_slice(&made.unix_ms().to_le_bytes());
        let mut this = Self {
            out: BufWriter::new(file),
            path,
            unfinished,
            sealer,
            header: header.clone(),
            digest: Sha256::new(),
            pending: Vec::new(),
            blocks: 0,
            records: 0,
            bytes: 0,
            made,
            kind,
        };
        this.write(&header)?;
        Ok(this)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), StateError> {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(failed("it cannot be written", &self.unfinished))
    }

    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> Result<(), StateError> {
        let long =
            |_| StateError::HistoryFile { file: self.path.display().to_string(), why: "a record is too long".into() };
        let (key_length, value_length) =
            (u16::try_from(key.len()).map_err(long)?, u32::try_from(value.len()).map_err(long)?);
        self.pending.extend_from_slice(&key_length.to_le_bytes());
        self.pending.extend_from_slice(&value_length.to_le_bytes());
        self.pending.extend_from_slice(key);
        self.pending.extend_from_slice(value);
        self.records += 1;
        if self.pending.len() >= BLOCK_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StateError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let file = || self.path.display().to_string();
        let unpacked = std::mem::take(&mut self.pending);
        let mut plain = u32::try_from(unpacked.len()).unwrap_or(u32::MAX).to_le_bytes().to_vec();
        let packed = zstd::bulk::compress(&unpacked, LEVEL);
        plain.extend(packed.map_err(|e| StateError::HistoryFile { file: file(), why: e.to_string() })?);
        let sealed = self.sealer.seal(&place(&self.header, self.blocks), &plain);
        let sealed = sealed.map_err(|e| StateError::HistoryFile { file: file(), why: e.to_string() })?;
        let mut head = vec![BLOCK];
        head.extend_from_slice(&u32::try_from(sealed.len()).unwrap_or(u32::MAX).to_le_bytes());
        head.extend_from_slice(&crc32fast::hash(&sealed).to_le_bytes());
        self.write(&head)?;
        self.write(&sealed)?;
        self.blocks += 1;
        Ok(())
    }

    /// Makes the file durable under its name.
    pub(crate) fn finish(mut self) -> Result<FileRef, StateError> {
        self.flush()?;
        let mut trailer = vec![END];
        trailer.extend_from_slice(&self.blocks.to_le_bytes());
        trailer.extend_from_slice(&self.records.to_le_bytes());
        self.write(&trailer)?;
        let digest: [u8; 32] = self.digest.clone().finalize().into();
        self.out.write_all(&digest).map_err(failed("it cannot be written", &self.unfinished))?;
        self.bytes += digest.len() as u64;
        self.out.flush().map_err(failed("it cannot be written", &self.unfinished))?;
        self.out.get_ref().sync_all().map_err(failed("it cannot be made durable", &self.unfinished))?;
        fs::rename(&self.unfinished, &self.path).map_err(failed("it cannot be given its name", &self.path))?;
        if let Some(directory) = self.path.parent() {
            let synced = File::open(directory).and_then(|d| d.sync_all());
            synced.map_err(failed("its directory cannot be made durable", directory))?;
        }
        let number =
            |at: usize| self.header.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes);
        let (first, last) = (number(11), number(19));
        Ok(FileRef { kind: self.kind, first, last, made: self.made, bytes: self.bytes, digest })
    }
}

impl Drop for FileWriter<'_> {
    fn drop(&mut self) {
        // Gone already where it got its name; what is left over counts for nothing.
        let _ = fs::remove_file(&self.unfinished);
    }
}

fn place(header: &[u8], block: u32) -> Vec<u8> {
    [header, &block.to_le_bytes()].concat()
}

/// Calls `take` with every record of the file that `wanted` tells of, checked from its first byte to its last: what is damaged or another file is
/// named, and nothing of a block is told before the block is whole.
pub(crate) fn read(
    directory: &Path,
    sealer: &Sealer,
    wanted: &FileRef,
    take: &mut TakeRecord<'_>,
) -> Result<(), StateError> {
    let path = directory.join(wanted.kind.file_name(wanted.first, wanted.last));
    let bad = |why: &str| StateError::HistoryFile { file: path.display().to_string(), why: why.to_owned() };
    let file = File::open(&path).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => bad("it is missing"),
        _ => bad(&e.to_string()),
    })?;
    let mut input = Input { reader: BufReader::new(file), digest: Sha256::new() };
    let mut next =
        |bytes: &mut [u8]| input.fill(bytes).map_err(|e| bad(&format!("it ends too early or cannot be read: {e}")));
    let mut header = [0; HEADER_BYTES];
    next(&mut header)?;
    if header[..8] != *MAGIC || header[8..10] != FORMAT.to_le_bytes() || header[10] != wanted.kind as u8 {
        return Err(bad("it is no history file of a format that this program knows"));
    }
    let mut blocks = 0;
    let mut records = 0;
    loop {
        let mut tag = [0];
        next(&mut tag)?;
        if tag[0] == END {
            break;
        }
        let mut head = [0; 8];
        next(&mut head)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]) as usize;
        if tag[0] != BLOCK || length > MAX_BLOCK_BYTES {
            return Err(bad("something in it is neither a block nor its end"));
        }
        let mut sealed = vec![0; length];
        next(&mut sealed)?;
        if crc32fast::hash(&sealed).to_le_bytes() != head[4..] {
            return Err(bad(&format!("block {blocks} is damaged")));
        }
        let plain = sealer.open(&place(&header, blocks), &sealed);
        let plain = plain.map_err(|e| bad(&format!("block {blocks} does not open: {e}")))?;
        let unpacked = unpack(&plain).ok_or_else(|| bad(&format!("block {blocks} cannot be unpacked")))?;
        let mut rest = unpacked.as_slice();
        while !rest.is_empty() {
            let (key, value, after) = record(rest).ok_or_else(|| bad("a record is cut"))?;
            take(key, value)?;
            records += 1;
            rest = after;
        }
        blocks += 1;
    }
    let mut counts = [0; 12];
    next(&mut counts)?;
    let digest: [u8; 32] = input.digest.clone().finalize().into();
    let mut kept = [0; 32];
    input.reader.read_exact(&mut kept).map_err(|_| bad("it ends too early"))?;
    let counted = [&u32::to_le_bytes(blocks)[..], &u64::to_le_bytes(records)[..]].concat();
    if kept != digest || counts[..] != counted[..] {
        return Err(bad("its digest does not fit"));
    }
    if digest != wanted.digest {
        return Err(bad("it is another file than the one that the store knows"));
    }
    Ok(())
}

fn unpack(plain: &[u8]) -> Option<Vec<u8>> {
    let (length, packed) = plain.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > MAX_BLOCK_BYTES {
        return None;
    }
    zstd::bulk::decompress(packed, length).ok().filter(|u| u.len() == length)
}

/// The first record of `bytes`, and what is behind it.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (key_length, rest) = bytes.split_first_chunk::<2>()?;
    let (value_length, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*key_length)))?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value_length) as usize)?;
    Some((key, value, rest))
}

struct Input {
    reader: BufReader<File>,
    digest: Sha256,
}

impl Input {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.reader.read_exact(bytes)?;
        self.digest.update(&*bytes);
        Ok(())
    }
}
