//! Imports into a running host: a file is kept until it was read, one is read at a time, and each is a document that says how it went.
//!
//! A file that was cut off by a crash is shown as interrupted; sending it again changes nothing twice, since every row is told under its own key.

mod grid;
mod record;
mod take;
mod upload;

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridbell_clock::Clock;
use gridbell_intake::RejectFile;
use gridbell_state::{AuditNote, DocChange, State};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::documents::{self, IMPORT, note};
use crate::error::HostError;

pub use record::{ImportId, ImportOrder, ImportRecord, ImportState};
pub use take::{ImportFile, ImportTally, take_file};
pub use upload::Upload;

/// The largest file that is taken, where the operator says nothing else: 12.84 million customers are a third of it.
pub const MAX_IMPORT_BYTES: u64 = 4 << 30;
/// Imports that wait or run; beyond it callers are told to come back.
pub const MAX_WAITING_IMPORTS: usize = 16;
/// Files that are received at the same time.
pub const MAX_UPLOADS: usize = 4;
/// Imports that are remembered; the oldest and their reports go first.
pub const MAX_KEPT_IMPORTS: usize = 500;

/// The imports of a host; clones share it.
#[derive(Clone)]
pub struct Imports(Arc<Inner>);

struct Inner {
    state: State,
    clock: Clock,
    dir: PathBuf,
    bound: u64,
    uploads: Arc<Semaphore>,
    /// Whose turn it is: one file is read at a time.
    turn: Semaphore,
    /// Those that wait or run, by number; how far they are is in memory only.
    active: Mutex<BTreeMap<u64, ImportRecord>>,
    /// Held while a number is given out.
    numbering: tokio::sync::Mutex<()>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Imports {
    /// Imports whose files and reports are kept in `dir`, none larger than `bound` bytes. What a crash left behind of files is removed.
    #[must_use]
    pub fn open(state: State, clock: Clock, dir: PathBuf, bound: u64) -> Self {
        let imports = Self(Arc::new(Inner {
            state,
            clock,
            dir,
            bound,
            uploads: Arc::new(Semaphore::new(MAX_UPLOADS)),
            turn: Semaphore::new(1),
            active: Mutex::default(),
            numbering: tokio::sync::Mutex::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }));
        imports.sweep();
        imports
    }

    /// The most bytes of a file.
    #[must_use]
    pub fn bound(&self) -> u64 {
        self.0.bound
    }

    /// Begins to receive a file.
    ///
    /// # Errors
    /// When too many are received or wait already, or the file cannot be made.
    pub async fn upload(&self) -> Result<Upload, HostError> {
        self.has_room()?;
        let slot = Arc::clone(&self.0.uploads)
            .try_acquire_owned()
            .map_err(|_| HostError::Busy(format!("{MAX_UPLOADS} files are being received; send this one later")))?;
        let (dir, bound) = (self.0.dir.clone(), self.0.bound);
        blocking(move || {
            make_dir(&dir)?;
            Upload::begin(&dir, bound, slot)
        })
        .await
    }

    fn has_room(&self) -> Result<(), HostError> {
        if self.0.active.lock().len() < MAX_WAITING_IMPORTS {
            return Ok(());
        }
        Err(HostError::Busy(format!("{MAX_WAITING_IMPORTS} imports wait already; send this one later")))
    }

    /// Begins an import of what was received: it waits for its turn and runs beside everything else.
    ///
    /// # Errors
    /// When too many wait or the state refuses.
    pub async fn start(&self, upload: Upload, order: ImportOrder) -> Result<ImportRecord, HostError> {
        let _one = self.0.numbering.lock().await;
        self.has_room()?;
        let known = self.0.state.docs(IMPORT);
        let last = known.iter().filter_map(|(key, _)| key.parse::<u64>().ok()).max().unwrap_or(0);
        let record = ImportRecord {
            id: ImportId(last + 1),
            kind: order.kind,
            file: order.file.clone(),
            who: order.who.clone(),
            scope: order.scope,
            state: ImportState::Waiting,
            tally: ImportTally { bytes: upload.len(), ..ImportTally::default() },
            queued: self.0.clock.now(),
            ended: None,
            error: None,
        };
        let mut docs = self.forgotten(&known);
        docs.push(documents::put(IMPORT, &record.id.key(), &record, Some(0))?);
        let said = serde_json::json!({ "kind": record.kind, "file": record.file, "bytes": record.tally.bytes });
        let audit = vec![note(&record.who, "import.start", &record.id.to_string(), said)];
        self.0.state.put_docs(docs, audit).await?;
        self.0.active.lock().insert(record.id.0, record.clone());
        let (imports, started) = (self.clone(), record.clone());
        self.0.tasks.spawn(async move { imports.run(started, upload, order).await });
        Ok(record)
    }

    async fn run(&self, record: ImportRecord, upload: Upload, order: ImportOrder) {
        let id = record.id;
        let ended = tokio::select! {
            () = self.0.stop.cancelled() => Ok((ImportTally { bytes: upload.len(), ..ImportTally::default() }, false)),
            turn = self.0.turn.acquire() => match turn {
                Ok(_turn) => self.read(id, &upload, order).await,
                Err(e) => Err(HostError::Task(e.to_string())),
            },
        };
        let mut record = self.0.active.lock().get(&id.0).cloned().unwrap_or(record);
        record.ended = Some(self.0.clock.now());
        match ended {
            Ok((tally, whole)) => {
                record.tally = tally;
                record.state = if whole { ImportState::Done } else { ImportState::Interrupted };
            }
            Err(e) => {
                record.state = ImportState::Failed;
                record.error = Some(e.to_string());
            }
        }
        if let Err(e) = self.finish(&record).await {
            // The state refuses changes: the import is shown as interrupted, which it is.
            tracing::error!(import = %id, cause = %e, "import.not_recorded: {e}");
        }
        self.0.active.lock().remove(&id.0);
        drop(upload);
    }

    /// Reads the file on a thread where it may block.
    async fn read(&self, id: ImportId, upload: &Upload, order: ImportOrder) -> Result<(ImportTally, bool), HostError> {
        self.with(id, |r| r.state = ImportState::Running);
        let file = ImportFile {
            kind: order.kind,
            path: upload.path().to_owned(),
            name: order.file,
            options: order.options,
            scope: order.scope,
        };
        let (imports, report, runtime) = (self.clone(), self.report_path(id), tokio::runtime::Handle::current());
        blocking(move || {
            let report =
                make_file(&report).map_err(|source| HostError::File { what: "write the reject report", source })?;
            let rejects = RejectFile::to(Box::new(BufWriter::new(report)))?;
            let watch = |tally: &ImportTally| {
                imports.with(id, |r| r.tally.clone_from(tally));
                !imports.0.stop.is_cancelled()
            };
            runtime.block_on(take_file(&imports.0.state, &file, rejects, &watch))
        })
        .await
    }

    fn with(&self, id: ImportId, change: impl FnOnce(&mut ImportRecord)) {
        if let Some(record) = self.0.active.lock().get_mut(&id.0) {
            change(record);
        }
    }

    async fn finish(&self, record: &ImportRecord) -> Result<(), HostError> {
        let doc = documents::put(IMPORT, &record.id.key(), record, None)?;
        let audit: AuditNote = note(&record.who, "import", &record.id.to_string(), record);
        self.0.state.put_docs(vec![doc], vec![audit]).await?;
        Ok(())
    }

    /// Every import that is remembered, newest first.
    #[must_use]
    pub fn list(&self) -> Vec<ImportRecord> {
        let docs = self.0.state.docs(IMPORT);
        docs.iter().rev().filter_map(|(key, doc)| self.seen(documents::parse(IMPORT, key, &doc.value).ok()?)).collect()
    }

    /// One import.
    #[must_use]
    pub fn get(&self, id: ImportId) -> Option<ImportRecord> {
        let (_, record) = documents::read::<ImportRecord>(&self.0.state, IMPORT, &id.key()).ok()??;
        self.seen(record)
    }

    /// The record as it is now: what is in memory goes before, and what should be there but is not was cut off.
    fn seen(&self, mut record: ImportRecord) -> Option<ImportRecord> {
        if let Some(active) = self.0.active.lock().get(&record.id.0) {
            return Some(active.clone());
        }
        if !record.state.is_final() {
            record.state = ImportState::Interrupted;
        }
        Some(record)
    }

    /// The reject report of an import, CSV; none while it runs, and where it was cut off before it could be finished.
    #[must_use]
    pub fn report(&self, id: ImportId) -> Option<PathBuf> {
        let record = self.get(id)?;
        let path = self.report_path(id);
        (record.ended.is_some() && path.is_file()).then_some(path)
    }

    fn report_path(&self, id: ImportId) -> PathBuf {
        self.0.dir.join(format!("{id}.rejects.csv"))
    }

    /// Takes no more; what runs ends after the batch that it is at and is marked as interrupted.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// The oldest imports beyond [`MAX_KEPT_IMPORTS`], with their reports.
    fn forgotten(&self, known: &[(String, gridbell_state::Doc)]) -> Vec<DocChange> {
        let over = (known.len() + 1).saturating_sub(MAX_KEPT_IMPORTS);
        let active = self.0.active.lock();
        let mut gone = Vec::new();
        for (key, _) in known.iter().take(over) {
            let Ok(number) = key.parse::<u64>() else { continue };
            if !active.contains_key(&number) {
                // A report that cannot be removed is found by nobody: its import is gone.
                let _ = std::fs::remove_file(self.report_path(ImportId(number)));
                gone.push(documents::delete(IMPORT, key));
            }
        }
        gone
    }

    /// Removes what a crash left behind: files that were received, and reports that were not finished.
    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.0.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let id = name.strip_suffix(".rejects.csv").and_then(|i| i.parse::<ImportId>().ok());
            let cut_off = id.is_some_and(|id| self.get(id).is_none_or(|r| r.ended.is_none()));
            let over = name.ends_with(upload::SUFFIX) || cut_off;
            if let Some(Err(e)) = over.then(|| std::fs::remove_file(entry.path())) {
                tracing::warn!(file = %entry.path().display(), error = %e, "import.not_swept: {e}");
            }
        }
    }
}

/// The directory of files and reports; nobody else reads it.
fn make_dir(dir: &Path) -> Result<(), HostError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| HostError::File { what: "make the directory of imports", source })
}

/// A file that nobody else reads.
pub(crate) fn make_file(path: &Path) -> std::io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
) -> Result<T, HostError> {
    tokio::task::spawn_blocking(work).await.map_err(|e| HostError::Task(e.to_string()))?
}
