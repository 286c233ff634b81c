//! Reads one file: index, blocks, and the whole chain. Believes nothing that it has not checked, whatever the bytes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use gridbell_model::{Date, Moment};
use gridbell_store::Sealer;

use crate::entry::{Entry, Found, Kind, Query};
use crate::error::ArchiveError;
use crate::format::{
    BLOCK, BlockIndex, FORMAT, HEADER_BYTES, Hash, Header, INDEX, MAX_BLOCK_BYTES, NOTE, SECTION_BYTES, TRAILER_BYTES,
    Trailer, chain, place,
};

/// A file that is open for reading.
pub(crate) struct Reader {
    file: File,
    path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) header: Header,
    trailer: Trailer,
}

/// What a walk over a whole file found.
pub(crate) struct Walked {
    pub(crate) blocks: u64,
    pub(crate) entries: BTreeMap<Kind, u64>,
    pub(crate) from: Date,
    pub(crate) to: Date,
    pub(crate) head: Hash,
}

impl Reader {
    pub(crate) fn open(path: &Path) -> Result<Self, ArchiveError> {
        let mut file = File::open(path).map_err(ArchiveError::io("read", path))?;
        let bytes = file.metadata().map_err(ArchiveError::io("read", path))?.len();
        let mut head = [0; HEADER_BYTES];
        let mut tail = [0; TRAILER_BYTES];
        if bytes < (HEADER_BYTES + TRAILER_BYTES) as u64 {
            return Err(broken(path, "its end", "it is shorter than any archive"));
        }
        file.read_exact(&mut head).map_err(ArchiveError::io("read", path))?;
        let header = Header::parse(&head).map_err(|format| match format {
            0 => ArchiveError::NotAnArchive { path: path.to_owned() },
            found => ArchiveError::Format { path: path.to_owned(), found, known: FORMAT },
        })?;
        file.seek(SeekFrom::End(-(TRAILER_BYTES as i64))).map_err(ArchiveError::io("read", path))?;
        file.read_exact(&mut tail).map_err(ArchiveError::io("read", path))?;
        let trailer = Trailer::parse(&tail).ok_or_else(|| broken(path, "its end", "it is cut off or changed"))?;
        Ok(Self { file, path: path.to_owned(), bytes, header, trailer })
    }

    pub(crate) fn made(&self) -> Moment {
        self.header.made
    }

    pub(crate) fn head(&self) -> Hash {
        self.trailer.head
    }

    /// The section at `at`: tag, hash, bytes. Its length is checked against the file's before memory is taken.
    fn section(&mut self, at: u64, place: &dyn Fn() -> String) -> Result<(u8, Hash, Vec<u8>), ArchiveError> {
        let end = self.bytes - TRAILER_BYTES as u64;
        let fits = |length: u64| at.checked_add(SECTION_BYTES as u64 + length).is_some_and(|to| to <= end);
        if !fits(0) {
            return Err(broken(&self.path, place(), "it lies outside the file"));
        }
        let mut head = [0; SECTION_BYTES];
        self.file.seek(SeekFrom::Start(at)).map_err(ArchiveError::io("read", &self.path))?;
        self.file.read_exact(&mut head).map_err(ArchiveError::io("read", &self.path))?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        if !fits(u64::from(length)) {
            return Err(broken(&self.path, place(), "its length does not fit"));
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact(&mut bytes).map_err(ArchiveError::io("read", &self.path))?;
        let mut hash = [0; 32];
        hash.copy_from_slice(&head[5..]);
        Ok((head[0], hash, bytes))
    }

    /// The index, checked against the head.
    pub(crate) fn index(&mut self) -> Result<Vec<BlockIndex>, ArchiveError> {
        let place = || "the index".to_owned();
        let (tag, _, bytes) = self.section(self.trailer.index_at, &place)?;
        if tag != INDEX || chain(&self.trailer.before_index, INDEX, &bytes) != self.trailer.head {
            return Err(broken(&self.path, place(), "its hash does not fit"));
        }
        postcard::from_bytes(&bytes).map_err(|_| broken(&self.path, place(), "it cannot be read"))
    }

    /// The entries of block `number`, from 1.
    pub(crate) fn block(&mut self, sealer: &Sealer, number: usize, at: u64) -> Result<Vec<Entry>, ArchiveError> {
        let (tag, _, sealed) = self.section(at, &|| format!("block {number}"))?;
        if tag != BLOCK {
            return Err(broken(&self.path, format!("block {number}"), "something else is there"));
        }
        self.unpack(sealer, number, &sealed)
    }

    fn unpack(&self, sealer: &Sealer, number: usize, sealed: &[u8]) -> Result<Vec<Entry>, ArchiveError> {
        let packed = sealer
            .open(&place(self.header.number, number), sealed)
            .map_err(|source| ArchiveError::Sealed { path: self.path.clone(), block: number, source })?;
        let cannot = || broken(&self.path, format!("block {number}"), "it cannot be unpacked");
        let plain = zstd::bulk::decompress(&packed, MAX_BLOCK_BYTES).map_err(|_| cannot())?;
        postcard::from_bytes(&plain).map_err(|_| cannot())
    }

    /// What its maker left in it.
    pub(crate) fn note(&mut self, sealer: &Sealer) -> Result<Vec<u8>, ArchiveError> {
        let mut at = HEADER_BYTES as u64;
        loop {
            let (tag, _, bytes) = self.section(at, &|| "its sections".to_owned())?;
            at += (SECTION_BYTES + bytes.len()) as u64;
            match tag {
                NOTE => {
                    return sealer.open(&place(self.header.number, 0), &bytes).map_err(|source| ArchiveError::Sealed {
                        path: self.path.clone(),
                        block: 0,
                        source,
                    });
                }
                BLOCK => {}
                _ => return Err(broken(&self.path, "its sections", "the maker's note is missing")),
            }
        }
    }

    /// Entries that answer `query`, the last first, until `found` holds as many as it asks for.
    pub(crate) fn search(
        &mut self,
        sealer: &Sealer,
        query: &Query,
        found: &mut Vec<Found>,
    ) -> Result<(), ArchiveError> {
        let index = self.index()?;
        for (i, block) in index.iter().enumerate().rev().filter(|(_, b)| b.may_answer(query)) {
            for entry in self.block(sealer, i + 1, block.at)?.into_iter().rev().filter(|e| query.wants(e)) {
                if found.len() >= query.limit {
                    return Ok(());
                }
                found.push(Found { file: self.header.number, entry });
            }
        }
        Ok(())
    }

    /// Walks the whole file: each hash, each seal, and whether the index tells the truth.
    pub(crate) fn walk(&mut self, sealer: &Sealer) -> Result<Walked, ArchiveError> {
        let index = self.index()?;
        let mut hash = self.header.chain();
        let mut at = HEADER_BYTES as u64;
        let mut walked =
            Walked { blocks: 0, entries: BTreeMap::new(), from: Date::NONE, to: Date::NONE, head: self.trailer.head };
        for (i, expected) in index.iter().enumerate() {
            let place = || format!("block {}", i + 1);
            let bytes = self.chained(&mut hash, &mut at, BLOCK, &place)?;
            let entries = self.unpack(sealer, i + 1, &bytes)?;
            if BlockIndex::of(&entries, at - (SECTION_BYTES + bytes.len()) as u64) != *expected {
                return Err(broken(&self.path, place(), "the index says something else of it"));
            }
            walked.blocks += 1;
            for entry in &entries {
                *walked.entries.entry(entry.kind).or_default() += 1;
            }
            let earliest = walked.from.some().map_or(expected.from, |f| f.0.min(expected.from));
            (walked.from, walked.to) = (Date(earliest), walked.to.max(Date(expected.to)));
        }
        self.chained(&mut hash, &mut at, NOTE, &|| "the maker's note".to_owned())?;
        if (at, hash) != (self.trailer.index_at, self.trailer.before_index) {
            return Err(broken(&self.path, "the index", "it is not where the file ends"));
        }
        self.chained(&mut hash, &mut at, INDEX, &|| "the index".to_owned())?;
        if hash != self.trailer.head || at != self.bytes - TRAILER_BYTES as u64 {
            return Err(broken(&self.path, "its end", "the head of the chain does not fit"));
        }
        Ok(walked)
    }

    /// The next section of the walk, which must be a `tag` and continue the chain.
    fn chained(
        &mut self,
        hash: &mut Hash,
        at: &mut u64,
        tag: u8,
        place: &dyn Fn() -> String,
    ) -> Result<Vec<u8>, ArchiveError> {
        let (found, stored, bytes) = self.section(*at, place)?;
        *hash = chain(hash, tag, &bytes);
        if found != tag || stored != *hash {
            // A header that was changed shows here too: the chain begins with it.
            return Err(broken(&self.path, place(), "its hash does not fit what is before it"));
        }
        *at += (SECTION_BYTES + bytes.len()) as u64;
        Ok(bytes)
    }
}

pub(crate) fn broken(path: &Path, place: impl Into<String>, why: &'static str) -> ArchiveError {
    ArchiveError::Broken { path: path.to_owned(), place: place.into(), why }
}
