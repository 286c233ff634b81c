//! A file as it comes in over the network: into a file of its own that nobody else reads, within its bound, removed when it is dropped.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::OwnedSemaphorePermit;

use super::make_file;
use crate::error::HostError;

/// How the names of received files end.
pub(super) const SUFFIX: &str = ".upload";
/// Tells files apart that are received by one process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A file that is being received, or was.
#[derive(Debug)]
pub struct Upload {
    path: PathBuf,
    file: Arc<File>,
    len: u64,
    bound: u64,
    _slot: OwnedSemaphorePermit,
}

impl Upload {
    pub(super) fn begin(dir: &Path, bound: u64, slot: OwnedSemaphorePermit) -> Result<Self, HostError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = dir.join(format!("{}-{number}{SUFFIX}", std::process::id()));
        let file = make_file(&path).map_err(|source| HostError::File { what: "keep the file", source })?;
        Ok(Self { path, file: Arc::new(file), len: 0, bound, _slot: slot })
    }

    /// Adds what came. Large pieces cost less than small ones: each goes to a thread that may block.
    ///
    /// # Errors
    /// [`HostError::TooLarge`] beyond the bound; when the disk is full.
    pub async fn write(&mut self, bytes: Vec<u8>) -> Result<(), HostError> {
        self.len += bytes.len() as u64;
        if self.len > self.bound {
            return Err(HostError::TooLarge { bound: self.bound });
        }
        let file = Arc::clone(&self.file);
        let written = tokio::task::spawn_blocking(move || (&*file).write_all(&bytes)).await;
        let written = written.map_err(|e| HostError::Task(e.to_string()))?;
        written.map_err(|source| HostError::File { what: "keep the file", source })
    }

    /// Bytes so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // What cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}
