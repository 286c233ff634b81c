//! Backups of a running host: one file of one instant, under another name until it is whole.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridbell_state::{BackupSummary, State};
use tokio::sync::Semaphore;

use crate::documents::note;
use crate::error::HostError;

/// How backups are called: `gridbell-` and the milliseconds of the moment since 1970.
const PREFIX: &str = "gridbell-";
const SUFFIX: &str = ".backup";
/// Backups that a list names: the newest.
pub const MAX_LISTED_BACKUPS: usize = 200;

/// A backup in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFile {
    /// The file's name in the directory of backups.
    pub name: String,
    /// When it was begun, in milliseconds since 1970.
    pub at_ms: i64,
    /// The file's size.
    pub bytes: u64,
    /// Whether it is still being written.
    pub writing: bool,
}

/// The backups of a host; clones share it.
#[derive(Clone)]
pub struct Backups {
    state: State,
    dir: Option<PathBuf>,
    one: Arc<Semaphore>,
}

impl Backups {
    /// Backups of `state` in `dir`; without one none are made.
    #[must_use]
    pub fn new(state: State, dir: Option<PathBuf>) -> Self {
        Self { state, dir, one: Arc::new(Semaphore::new(1)) }
    }

    fn dir(&self) -> Result<&Path, HostError> {
        self.dir.as_deref().ok_or_else(|| {
            HostError::Refused(
                "no directory of backups is configured: name one with `backups` in the configuration".to_owned(),
            )
        })
    }

    /// Where `file` is.
    #[must_use]
    pub fn path(&self, file: &BackupFile) -> Option<PathBuf> {
        Some(self.dir.as_deref()?.join(&file.name))
    }

    /// Begins a backup; the answer says what it will be called, and the second value tells when it is whole. It goes on when nobody waits.
    ///
    /// # Errors
    /// Without a directory, and while another backup is written.
    pub fn start(
        &self,
        at_ms: i64,
        who: &str,
    ) -> Result<(BackupFile, impl Future<Output = Result<(), HostError>> + use<>), HostError> {
        let name = format!("{PREFIX}{at_ms}{SUFFIX}");
        let path = self.dir()?.join(&name);
        let one = Arc::clone(&self.one).try_acquire_owned();
        let one = one.map_err(|_| HostError::Refused("another backup is being written; wait for it".to_owned()))?;
        let (state, who, called) = (self.state.clone(), who.to_owned(), name.clone());
        let written = tokio::spawn(async move {
            let _one = one;
            let its = state.clone();
            let work = move || {
                sweep(&path);
                write_backup(&its, &path)
            };
            let written = tokio::task::spawn_blocking(work).await;
            let summary = written.map_err(|e| HostError::Task(e.to_string()))??;
            let said =
                serde_json::json!({ "records": summary.records, "bytes": summary.bytes, "sha256": summary.digest });
            state.put_docs(Vec::new(), vec![note(&who, "backup.write", &called, said)]).await?;
            Ok(())
        });
        let whole = async move { written.await.map_err(|e| HostError::Task(e.to_string()))? };
        Ok((BackupFile { name, at_ms, bytes: 0, writing: true }, whole))
    }

    /// The backups that are there, newest first.
    ///
    /// # Errors
    /// Without a directory, or when it cannot be read.
    pub async fn list(&self) -> Result<Vec<BackupFile>, HostError> {
        let (dir, idle) = (self.dir()?.to_owned(), self.one.available_permits() > 0);
        let read = tokio::task::spawn_blocking(move || listed(&dir)).await;
        // While none is written, half a one is what a crash left; the next backup removes it.
        let read = read.map(|r| r.map(|all| all.into_iter().filter(|b| !(idle && b.writing)).collect::<Vec<_>>()));
        read.map_err(|e| HostError::Task(e.to_string()))?
            .map_err(|source| HostError::File { what: "read the directory of backups", source })
    }
}

fn listed(dir: &Path) -> std::io::Result<Vec<BackupFile>> {
    let entries = match std::fs::read_dir(dir) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (whole, writing) = name.strip_suffix(PART).map_or((name.as_str(), false), |whole| (whole, true));
        let at = whole.strip_prefix(PREFIX).and_then(|n| n.strip_suffix(SUFFIX)).and_then(|n| n.parse().ok());
        if let Some(at_ms) = at {
            found.push(BackupFile { name: whole.to_owned(), at_ms, bytes: entry.metadata()?.len(), writing });
        }
    }
    found.sort_by_key(|b| std::cmp::Reverse(b.at_ms));
    found.truncate(MAX_LISTED_BACKUPS);
    Ok(found)
}

/// Removes halves of backups that a crash left beside `path`.
fn sweep(path: &Path) {
    let entries = path.parent().and_then(|dir| std::fs::read_dir(dir).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) && name.ends_with(PART) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// What half a backup is called.
const PART: &str = ".part";

/// Writes a backup of this instant to `path`. A file that is there is never overwritten; half a backup has another name and is removed. Blocks.
///
/// # Errors
/// When there is a file of that name, or it cannot be written.
pub fn write_backup(state: &State, path: &Path) -> Result<BackupSummary, HostError> {
    let failed = |source| HostError::File { what: "write the backup", source };
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::create_dir_all(dir).map_err(failed)?;
    }
    let there = |path: &Path| HostError::Refused(format!("`{}` is there already; name another file", path.display()));
    if path.exists() {
        return Err(there(path));
    }
    let mut part = path.as_os_str().to_owned();
    part.push(PART);
    let part = PathBuf::from(part);
    let written = write_part(state, &part).and_then(|summary| {
        // A link fails where the name is taken, a rename would replace it.
        match std::fs::hard_link(&part, path) {
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Err(there(path)),
            Err(_) => std::fs::rename(&part, path).map_err(failed).map(|()| summary),
            Ok(()) => Ok(summary),
        }
    });
    // Gone where it was renamed; else half a backup, or the second name of a whole one.
    let _ = std::fs::remove_file(&part);
    written
}

fn write_part(state: &State, part: &Path) -> Result<BackupSummary, HostError> {
    let failed = |source| HostError::File { what: "write the backup", source };
    let file = crate::imports::make_file(part).map_err(failed)?;
    let mut out = std::io::BufWriter::new(file);
    let summary = state.back_up(&mut out)?;
    out.flush().map_err(failed)?;
    out.get_ref().sync_all().map_err(failed)?;
    Ok(summary)
}
