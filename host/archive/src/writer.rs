//! Writes one file of the series: under another name until it is whole and durable. Never touches a file that is there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridbell_model::Moment;
use gridbell_store::Sealer;

use crate::entry::{Entry, Kind};
use crate::error::ArchiveError;
use crate::format::{
    BLOCK, BlockIndex, HEADER_BYTES, Hash, Header, INDEX, MAX_BLOCK_BYTES, NOTE, SECTION_BYTES, Trailer, chain, place,
};

/// Bytes of entries at which a block is written: what a search unpacks to see one entry.
pub const BLOCK_BYTES: usize = 256 << 10;
/// zstd's level: 3 is its default, and JSON of one kind shrinks to a tenth already.
const LEVEL: i32 = 3;

/// A file that is being written. Dropped unfinished, it leaves nothing.
pub struct ArchiveWriter {
    out: BufWriter<File>,
    sealer: Arc<Sealer>,
    number: u64,
    path: PathBuf,
    unfinished: PathBuf,
    chain: Hash,
    at: u64,
    pending: Vec<Entry>,
    pending_bytes: usize,
    index: Vec<BlockIndex>,
    counts: BTreeMap<Kind, u64>,
}

/// A file that is durable under its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// Its number.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// The head of the chain.
    pub head: Hash,
    /// Entries by kind.
    pub entries: BTreeMap<Kind, u64>,
    /// Its length.
    pub bytes: u64,
}

impl ArchiveWriter {
    pub(crate) fn create(
        path: PathBuf,
        number: u64,
        before: Hash,
        made: Moment,
        sealer: Arc<Sealer>,
    ) -> Result<Self, ArchiveError> {
        let unfinished = path.with_extension("unfinished");
        let header = Header { number, made, before };
        let file = File::create(&unfinished).map_err(ArchiveError::io("create", &unfinished))?;
        let mut writer = Self {
            out: BufWriter::new(file),
            sealer,
            number,
            path,
            unfinished,
            chain: header.chain(),
            at: HEADER_BYTES as u64,
            pending: Vec::new(),
            pending_bytes: 0,
            index: Vec::new(),
            counts: BTreeMap::new(),
        };
        writer.write(&header.bytes())?;
        Ok(writer)
    }

    /// Adds an entry. Blocks are written as they fill, so that a file of any length takes the memory of one and of the index.
    ///
    /// # Errors
    /// When the file cannot be written; what was written is removed when the writer is dropped.
    pub fn push(&mut self, entry: Entry) -> Result<(), ArchiveError> {
        self.pending_bytes += entry.body.len() + 16 + 10 * entry.keys.len();
        *self.counts.entry(entry.kind).or_default() += 1;
        self.pending.push(entry);
        if self.pending_bytes >= BLOCK_BYTES { self.flush_block() } else { Ok(()) }
    }

    fn flush_block(&mut self) -> Result<(), ArchiveError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let too_large = |what| ArchiveError::TooLarge { path: self.path.clone(), what };
        let plain = postcard::to_stdvec(&self.pending).map_err(|_| too_large("a block"))?;
        if plain.len() > MAX_BLOCK_BYTES {
            return Err(too_large("an entry"));
        }
        let packed = zstd::bulk::compress(&plain, LEVEL).map_err(ArchiveError::io("pack a block of", &self.path))?;
        let block = self.index.len() + 1;
        let sealed = self.seal(block, &packed)?;
        self.index.push(BlockIndex::of(&self.pending, self.at));
        self.pending.clear();
        self.pending_bytes = 0;
        self.section(BLOCK, &sealed)
    }

    fn seal(&self, block: usize, bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        self.sealer.seal(&place(self.number, block), bytes).map_err(|source| ArchiveError::Sealed {
            path: self.path.clone(),
            block,
            source,
        })
    }

    fn section(&mut self, tag: u8, bytes: &[u8]) -> Result<(), ArchiveError> {
        let length = u32::try_from(bytes.len())
            .map_err(|_| ArchiveError::TooLarge { path: self.path.clone(), what: "a section" })?;
        self.chain = chain(&self.chain, tag, bytes);
        let hash = self.chain;
        self.write(&[tag])?;
        self.write(&length.to_le_bytes())?;
        self.write(&hash)?;
        self.write(bytes)?;
        self.at += (SECTION_BYTES + bytes.len()) as u64;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.out.write_all(bytes).map_err(ArchiveError::io("write", &self.unfinished))
    }

    /// Ends the file with `note` in it, which [`crate::Archive::note_of`] gives back, and makes it durable under its name: file, then name, then
    /// directory.
    ///
    /// # Errors
    /// When it cannot be made durable: then it is not there.
    pub fn finish(mut self, note: &[u8]) -> Result<Finished, ArchiveError> {
        self.flush_block()?;
        let sealed = self.seal(0, note)?;
        self.section(NOTE, &sealed)?;
        let index = postcard::to_stdvec(&self.index)
            .map_err(|_| ArchiveError::TooLarge { path: self.path.clone(), what: "the index" })?;
        let (index_at, before_index) = (self.at, self.chain);
        self.section(INDEX, &index)?;
        let trailer = Trailer { index_at, before_index, head: self.chain };
        self.write(&trailer.bytes())?;
        self.out.flush().map_err(ArchiveError::io("write", &self.unfinished))?;
        self.out.get_ref().sync_all().map_err(ArchiveError::io("make durable", &self.unfinished))?;
        // A link, unlike a rename, never replaces a file that is there.
        fs::hard_link(&self.unfinished, &self.path).map_err(ArchiveError::io("create", &self.path))?;
        sync_directory(&self.path)?;
        let bytes = self.at + trailer.bytes().len() as u64;
        Ok(Finished {
            number: self.number,
            path: self.path.clone(),
            head: self.chain,
            entries: std::mem::take(&mut self.counts),
            bytes,
        })
    }
}

/// Makes the name of `path` durable.
fn sync_directory(path: &Path) -> Result<(), ArchiveError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory).and_then(|d| d.sync_all()).map_err(ArchiveError::io("make durable", directory))
}

impl Drop for ArchiveWriter {
    fn drop(&mut self) {
        // The name under which it was written; a finished file has another. What cannot be removed is removed before the next file.
        let _ = fs::remove_file(&self.unfinished);
    }
}
