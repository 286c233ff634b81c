//! The log on disk: a line of JSON per accepted part, written before the part is answered, so that whoever compares it with a
//! killed host's books finds every part that the host may have an answer for. Written on a thread of its own.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use tokio::sync::{mpsc, oneshot};

use super::log::Stored;

/// Batches waiting for the disk; more make their connections wait.
const MAX_WAITING: usize = 64;

struct Batch {
    lines: Vec<u8>,
    written: oneshot::Sender<()>,
}

/// The way to the writing thread, which ends with the last of these.
#[derive(Clone)]
pub(super) struct Journal(mpsc::Sender<Batch>);

impl Journal {
    /// Opens `path` for appending.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        std::thread::Builder::new().name("cmpp-journal".into()).spawn(move || write_all(file, receiver))?;
        Ok(Self(sender))
    }

    /// Writes `entries`; false where that failed, and then nothing may be answered.
    pub(super) async fn write(&self, entries: &[Stored]) -> bool {
        let mut lines = Vec::new();
        for entry in entries {
            if serde_json::to_writer(&mut lines, &entry.entry()).is_err() {
                return false;
            }
            lines.push(b'\n');
        }
        let (written, done) = oneshot::channel();
        self.0.send(Batch { lines, written }).await.is_ok() && done.await.is_ok()
    }
}

/// Writes what waits in one go, then tells everyone who waited. A failed write drops their senders, which tells them too.
fn write_all(mut file: File, mut batches: mpsc::Receiver<Batch>) {
    while let Some(Batch { mut lines, written }) = batches.blocking_recv() {
        let mut waiting = vec![written];
        while let Ok(batch) = batches.try_recv() {
            lines.extend(batch.lines);
            waiting.push(batch.written);
        }
        if let Err(error) = file.write_all(&lines) {
            tracing::error!(%error, "the gateway's log file cannot be written, nothing more is accepted");
            return;
        }
        for written in waiting {
            // Whoever no longer waits has lost its connection.
            let _ = written.send(());
        }
    }
}
