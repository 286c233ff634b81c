//! A directory of archives: one file after another, each chained to the one before.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridbell_model::{AccountNumber, Date, Moment, Phone};
use gridbell_store::Sealer;

use crate::entry::{Found, Kind, Query};
use crate::error::ArchiveError;
use crate::format::Hash;
use crate::reader::{Reader, broken};
use crate::writer::ArchiveWriter;

const PREFIX: &str = "archive-";
const SUFFIX: &str = ".gba";

/// A series of archives. Cheap to clone; the directory need not be there before the first file is written.
#[derive(Clone, Debug)]
pub struct Archive {
    directory: PathBuf,
    sealer: Arc<Sealer>,
}

/// A file as its own index tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileInfo {
    /// Its number, from 1.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// When it was made.
    pub made: Moment,
    /// Its length.
    pub bytes: u64,
    /// Blocks.
    pub blocks: usize,
    /// Entries of all kinds.
    pub entries: u64,
    /// The first civil day that it tells of; [`Date::NONE`] when it holds no entry.
    pub from: Date,
    /// The last.
    pub to: Date,
    /// The head of its chain.
    pub head: Hash,
}

/// What [`Archive::verify`] went through.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verified {
    /// Files.
    pub files: u64,
    /// The number of the first; more than 1 when earlier ones were taken elsewhere.
    pub first: u64,
    /// The number of the last; 0 for none.
    pub last: u64,
    /// Blocks.
    pub blocks: u64,
    /// Entries by kind.
    pub entries: BTreeMap<Kind, u64>,
    /// The head of the last file; zeros for none.
    pub head: Hash,
}

impl Archive {
    /// The series in `directory`, sealed and opened by `sealer`.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, sealer: Arc<Sealer>) -> Self {
        Self { directory: directory.into(), sealer }
    }

    /// Where the files are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file of this number.
    #[must_use]
    pub fn path(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{PREFIX}{number:06}{SUFFIX}"))
    }

    /// The fingerprint under which entries about `account` are written.
    #[must_use]
    pub fn account_key(&self, account: AccountNumber) -> u64 {
        self.account_keys(account)[0]
    }

    /// The fingerprint under which entries about the number of `phone` are written; none where there is no number.
    #[must_use]
    pub fn phone_key(&self, phone: Phone) -> Option<u64> {
        self.phone_keys(phone).first().copied()
    }

    /// The fingerprints under which entries about `account` may be found: one for each key that was ever in use.
    #[must_use]
    pub fn account_keys(&self, account: AccountNumber) -> Vec<u64> {
        self.sealer.fingerprints("account", &account.packed().to_be_bytes())
    }

    /// The same for the number of `phone`; empty where there is none.
    #[must_use]
    pub fn phone_keys(&self, phone: Phone) -> Vec<u64> {
        match phone.number() {
            0 => Vec::new(),
            number => self.sealer.fingerprints("phone", &number.to_be_bytes()),
        }
    }

    /// The fingerprint under which the document with the SHA-256 `hash`, hex, is written; several, one for each key that was ever in use.
    #[must_use]
    pub fn document_keys(&self, hash: &str) -> Vec<u64> {
        self.sealer.fingerprints("document", hash.as_bytes())
    }

    /// The same for the run `run`, by its name.
    #[must_use]
    pub fn run_keys(&self, run: &str) -> Vec<u64> {
        self.sealer.fingerprints("run", run.as_bytes())
    }

    /// Begins file `number` behind the one whose head is `before`. What an earlier, killed writer of the same file left is replaced.
    ///
    /// # Errors
    /// When the directory or the file cannot be made.
    pub fn begin(&self, number: u64, before: Hash, made: Moment) -> Result<ArchiveWriter, ArchiveError> {
        fs::create_dir_all(&self.directory).map_err(ArchiveError::io("create", &self.directory))?;
        ArchiveWriter::create(self.path(number), number, before, made, Arc::clone(&self.sealer))
    }

    /// Numbers of the files that are there, ascending.
    ///
    /// # Errors
    /// When the directory cannot be read; one that is not there holds none.
    pub fn numbers(&self) -> Result<Vec<u64>, ArchiveError> {
        let entries = match fs::read_dir(&self.directory) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(ArchiveError::io("read", &self.directory))?,
        };
        let mut numbers = Vec::new();
        for entry in entries {
            let name = entry.map_err(ArchiveError::io("read", &self.directory))?.file_name();
            numbers.extend(name.to_str().and_then(number_of));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// What each file's index says of it.
    ///
    /// # Errors
    /// When a file cannot be read or its index was changed.
    pub fn list(&self) -> Result<Vec<FileInfo>, ArchiveError> {
        self.numbers()?.into_iter().map(|number| self.info(number)).collect()
    }

    fn info(&self, number: u64) -> Result<FileInfo, ArchiveError> {
        let mut reader = self.reader(number)?;
        let index = reader.index()?;
        Ok(FileInfo {
            number,
            path: self.path(number),
            made: reader.made(),
            bytes: reader.bytes,
            blocks: index.len(),
            entries: index.iter().map(|b| u64::from(b.entries)).sum(),
            from: index.iter().map(|b| Date(b.from)).min().unwrap_or(Date::NONE),
            to: index.iter().map(|b| Date(b.to)).max().unwrap_or(Date::NONE),
            head: reader.head(),
        })
    }

    fn reader(&self, number: u64) -> Result<Reader, ArchiveError> {
        let path = self.path(number);
        if !path.exists() {
            return Err(ArchiveError::Missing { path });
        }
        let reader = Reader::open(&path)?;
        if reader.header.number != number {
            return Err(broken(&path, "its header", "it is another file of the series under this name"));
        }
        Ok(reader)
    }

    /// Entries that answer `query`, the newest files first, of the files up to number `through`: a later one is not finished as a whole.
    ///
    /// # Errors
    /// When a file cannot be read, was changed, or is sealed with a key that is not at hand.
    pub fn search(&self, through: u64, query: &Query) -> Result<Vec<Found>, ArchiveError> {
        let mut found = Vec::new();
        for number in self.numbers()?.into_iter().rev().filter(|n| *n <= through) {
            if found.len() >= query.limit {
                break;
            }
            self.reader(number)?.search(&self.sealer, query, &mut found)?;
        }
        Ok(found)
    }

    /// Checks file `number` from end to end, and that it follows the one whose head is `before`. What its maker left in it, and its head.
    ///
    /// # Errors
    /// When it is not there, was changed, does not follow, or cannot be opened.
    pub fn note_of(&self, number: u64, before: &Hash) -> Result<(Vec<u8>, Hash), ArchiveError> {
        let mut reader = self.reader(number)?;
        if reader.header.before != *before {
            return Err(self.unchained(number));
        }
        let walked = reader.walk(&self.sealer)?;
        Ok((reader.note(&self.sealer)?, walked.head))
    }

    /// Verifies the whole series: every hash and seal of every file, and that each follows the one before. Files before the first that is there
    /// may have been taken elsewhere; a gap may not be. With `last`, number and head of the file that the store knows as the last one, files
    /// missing at the end show too; a file behind it is one whose pass was killed, and is checked like the others.
    ///
    /// # Errors
    /// The first thing that is wrong, by file and block.
    pub fn verify(&self, last: Option<(u64, Hash)>) -> Result<Verified, ArchiveError> {
        let mut verified = Verified::default();
        for number in self.numbers()? {
            if verified.files > 0 && number != verified.last + 1 {
                return Err(ArchiveError::Missing { path: self.path(verified.last + 1) });
            }
            let mut reader = self.reader(number)?;
            let walked = reader.walk(&self.sealer)?;
            let first = if verified.files > 0 { Some(verified.head) } else { (number == 1).then_some([0; 32]) };
            if first.is_some_and(|before| before != reader.header.before) {
                return Err(self.unchained(number));
            }
            if last.is_some_and(|(n, head)| n == number && head != walked.head) {
                return Err(broken(&self.path(number), "its head", "the store knows another file of this number"));
            }
            if verified.files == 0 {
                verified.first = number;
            }
            verified.files += 1;
            verified.blocks += walked.blocks;
            (verified.last, verified.head) = (number, walked.head);
            for (kind, n) in walked.entries {
                *verified.entries.entry(kind).or_default() += n;
            }
        }
        match last {
            Some((number, _)) if number > verified.last => Err(ArchiveError::Missing { path: self.path(number) }),
            _ => Ok(verified),
        }
    }

    fn unchained(&self, number: u64) -> ArchiveError {
        ArchiveError::Unchained { path: self.path(number), before: self.path(number.saturating_sub(1)) }
    }
}

/// The number of a file by its name; none for any other file.
fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok()
}
