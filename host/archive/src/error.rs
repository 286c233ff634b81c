//! What can be wrong with archives.

use std::path::PathBuf;

use gridbell_store::SealError;

/// Why an archive was not written, read or believed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// A file or directory cannot be used.
    #[error("cannot {what} `{}`: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file is none of ours.
    #[error("`{}` is no archive of gridbell; move it out of the directory", path.display())]
    NotAnArchive {
        /// The file.
        path: PathBuf,
    },
    /// A file was written by a later program.
    #[error("`{}` is of format {found}, this program knows up to {known}; use the newer program", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it is of.
        found: u16,
        /// What is known.
        known: u16,
    },
    /// A file was changed or damaged.
    #[error("`{}` is broken at {place}: {why}; put back a copy of this file", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where: the header, block 3, the index.
        place: String,
        /// What does not fit.
        why: &'static str,
    },
    /// A file of the series is not there.
    #[error("`{}` is missing from the series of archives; put back a copy of it", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file is whole, but of another series.
    #[error("`{}` does not follow `{}`: it belongs to another series of archives; put back the right file", path.display(), before.display())]
    Unchained {
        /// The file.
        path: PathBuf,
        /// What should be before it.
        before: PathBuf,
    },
    /// A block cannot be opened with the key at hand.
    #[error("block {block} of `{}` cannot be opened: {source}", path.display())]
    Sealed {
        /// The file.
        path: PathBuf,
        /// Which block, from 1; 0 for the maker's note.
        block: usize,
        /// Why not.
        #[source]
        source: SealError,
    },
    /// An entry or the index is larger than a file can hold.
    #[error("{what} of `{}` is larger than a file can hold", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What.
        what: &'static str,
    },
}

impl ArchiveError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// Whether this says that a file was changed, damaged, taken away or exchanged, and not that the disk or the key is missing.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        matches!(self, Self::Broken { .. } | Self::Missing { .. } | Self::Unchained { .. } | Self::NotAnArchive { .. })
            || matches!(self, Self::Sealed { source: SealError::Broken | SealError::Malformed, .. })
    }
}
