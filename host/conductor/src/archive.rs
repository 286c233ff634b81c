//! Retention: what is older than the province says leaves the online store for the archives, file by file.
//!
//! The order of the state holds here too: a file is durable before anything is dropped, and what it holds is dropped in one commit that names the
//! file. A host that is killed between the two finds a file that the store does not know; the file says itself what was to leave, and the next
//! pass completes it. Decides nothing about a customer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_archive::{Archive, Finished, Kind};
use gridbell_clock::Clock;
use gridbell_model::{AccountNumber, MessageId};
use gridbell_state::{ArchiveHead, Cutoffs, Ended, Leaving, LeavingRun, Outcome, RunRecord, State};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::archived;
use crate::basis::{basis_of, hash_of};
use crate::documents::note;
use crate::error::HostError;

/// Records of one file, about; one run is never divided, so that a large run makes a large file. What one commit drops.
pub const MAX_FILE_RECORDS: u64 = 65_536;
/// Files of one pass; a backlog of years goes on the next day.
const MAX_PASS_FILES: usize = 256;

/// What a plugin calls its notices and reasons; decisions hold indexes into these.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Titles {
    /// Notices.
    pub notices: Vec<String>,
    /// Reasons.
    pub reasons: Vec<String>,
}

impl Titles {
    /// As `manifest` has them.
    pub(crate) fn of(manifest: &gridbell_contract::Manifest) -> Self {
        Self {
            notices: manifest.notices().iter().map(|n| n.title.clone()).collect(),
            reasons: manifest.reasons().iter().map(|r| r.title.clone()).collect(),
        }
    }
}

/// What one pass did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArchivePass {
    /// Files that a killed pass had left and that were completed.
    pub completed: u64,
    /// Files that were written.
    pub files: Vec<Finished>,
    /// Entries by kind, of the files that were written.
    pub entries: BTreeMap<Kind, u64>,
}

/// A file that is durable and not yet acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file.
    pub file: Finished,
    /// What may leave the store now.
    pub leaving: Leaving,
}

/// Moves records from a state to its archives. One at a time for each state.
#[derive(Clone)]
pub struct Archiver {
    state: State,
    archive: Archive,
    clock: Clock,
    titles: Arc<dyn Fn(&RunRecord) -> Titles + Send + Sync>,
}

impl Archiver {
    /// An archiver that asks `titles` what the plugin of a run calls things.
    pub fn new(
        state: State,
        archive: Archive,
        clock: Clock,
        titles: impl Fn(&RunRecord) -> Titles + Send + Sync + 'static,
    ) -> Self {
        Self { state, archive, clock, titles: Arc::new(titles) }
    }

    /// Moves everything that is due by `cutoffs`, file by file, until nothing is or `stop`.
    ///
    /// # Errors
    /// When a file cannot be written or believed, or the state refuses: what is in earlier files has left, the rest is where it was.
    pub async fn pass(&self, cutoffs: &Cutoffs, who: &str, stop: &CancellationToken) -> Result<ArchivePass, HostError> {
        let mut pass = ArchivePass { completed: self.complete(who).await?, ..ArchivePass::default() };
        let state = self.state.clone();
        let newest = blocking(&self.clock, move || Ok(state.newest_audit()?)).await?;
        let cutoffs = &Cutoffs { audit_end: newest.min(cutoffs.audit_end), ..*cutoffs };
        while pass.files.len() < MAX_PASS_FILES && !stop.is_cancelled() {
            let Some(written) = self.write_next(cutoffs).await? else { break };
            self.settle(&written.leaving, written.file.number, written.file.head, who).await?;
            for (kind, n) in &written.file.entries {
                *pass.entries.entry(*kind).or_default() += n;
            }
            pass.files.push(written.file);
        }
        Ok(pass)
    }

    /// Completes what killed passes have begun: files behind the one that the store knows. How many.
    ///
    /// # Errors
    /// When such a file is damaged or tells of another history: the error names it.
    pub async fn complete(&self, who: &str) -> Result<u64, HostError> {
        let mut completed = 0;
        loop {
            let (archive, head) = (self.archive.clone(), self.state.archive_head());
            let number = head.file + 1;
            let read = move || -> Result<Option<_>, HostError> {
                if !archive.path(number).exists() {
                    return Ok(None);
                }
                let (note, hash) = archive.note_of(number, &head.hash)?;
                let leaving: Leaving = serde_json::from_slice(&note)
                    .map_err(|source| HostError::Document { name: format!("archive {number}"), source })?;
                Ok(Some((leaving, hash)))
            };
            let Some((leaving, hash)) = blocking(&self.clock, read).await? else { return Ok(completed) };
            tracing::warn!(file = number, "archive.completed: a pass was killed after its file was written");
            self.settle(&leaving, number, hash, who).await?;
            completed += 1;
        }
    }

    /// Writes the next file; none when nothing is due. Nothing has left the store when this returns.
    ///
    /// # Errors
    /// When the file cannot be made durable or a record cannot be read: then there is no file.
    pub async fn write_next(&self, cutoffs: &Cutoffs) -> Result<Option<Written>, HostError> {
        let due = self.due(cutoffs, MAX_FILE_RECORDS, Ended::Known).await?;
        if due.is_empty() {
            return Ok(None);
        }
        // The end of a message is in the journal until a checkpoint writes it: it leaves after that.
        self.state.checkpoint().await?;
        let leaving = self.due(cutoffs, MAX_FILE_RECORDS, Ended::OnDisk).await?;
        if leaving.is_empty() {
            return Ok(None);
        }
        let this = self.clone();
        blocking(&self.clock, move || {
            let file = this.write(&leaving)?;
            Ok(Some(Written { file, leaving }))
        })
        .await
    }

    /// What is due by `cutoffs`, about `limit` records of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due(&self, cutoffs: &Cutoffs, limit: u64, ended: Ended) -> Result<Leaving, HostError> {
        let (state, cutoffs) = (self.state.clone(), *cutoffs);
        blocking(&self.clock, move || Ok(state.leaving(&cutoffs, limit, ended)?)).await
    }

    /// Lets what is in the durable file leave the store.
    ///
    /// # Errors
    /// When the state refuses: then nothing has left, and the next pass completes it.
    pub async fn settle(&self, leaving: &Leaving, file: u64, hash: [u8; 32], who: &str) -> Result<(), HostError> {
        let decisions: u64 = leaving.decisions.iter().map(|r| r.decided).sum();
        let detail = json!({
            "head": archived::hex(&hash), "decisions": decisions, "runs": leaving.runs.len(), "replies": leaving.replies,
            "audit_entries": leaving.audit_entries,
        });
        let audit = vec![note(who, "archive.run", &format!("archive {file}"), detail)];
        self.state.leave(leaving, file, hash, audit).await?;
        Ok(())
    }

    fn write(&self, leaving: &Leaving) -> Result<Finished, HostError> {
        let head = self.state.archive_head();
        let mut out = self.archive.begin(head.file + 1, head.hash, self.clock.now())?;
        for leaving in &leaving.decisions {
            let run = self.run_of(leaving)?;
            let titles = (self.titles)(&run);
            for segment in 0..u32::try_from(run.segments.len()).unwrap_or(u32::MAX) {
                let seen = self.state.seen_facts(run.id, segment)?.unwrap_or_default();
                for (at, (decision, status)) in self.state.decisions_and_ends(&run, segment)?.into_iter().enumerate() {
                    let together = match &decision.outcome {
                        Outcome::Queued(m) => self.state.told_together(MessageId::new(run.prefecture, m.number))?,
                        Outcome::Held(_) => None,
                    };
                    let decided = archived::Decided {
                        run: &run,
                        titles: &titles,
                        decision: &decision,
                        status: status.as_ref(),
                        together: together.as_ref(),
                        known: self.has_contact(decision.account),
                        seen: seen.row(at),
                    };
                    out.push(archived::decision(&self.archive, &decided))?;
                }
            }
        }
        let mut documents = BTreeSet::new();
        for leaving in &leaving.runs {
            self.write_run(&*self.run_of(leaving)?, &mut documents, &mut out)?;
        }
        self.write_replies(&head, leaving, &mut out)?;
        self.write_audit(&head, leaving, &mut out)?;
        let note =
            serde_json::to_vec(leaving).map_err(|source| HostError::Document { name: "archive".to_owned(), source })?;
        Ok(out.finish(&note)?)
    }

    /// A run, before it the documents that it names and that the file does not have yet.
    fn write_run(
        &self,
        run: &RunRecord,
        written: &mut BTreeSet<String>,
        out: &mut gridbell_archive::ArchiveWriter,
    ) -> Result<(), HostError> {
        let kept = self.state.kept_run(run.id)?;
        let basis = kept.as_ref().map(|kept| basis_of(run.id, kept)).transpose()?;
        for (what, hash) in basis.iter().flat_map(|b| &b.documents) {
            if written.contains(hash) {
                continue;
            }
            let content = hash_of(hash).map(|hash| self.state.kept_document(&hash)).transpose()?.flatten();
            if let Some(content) = content {
                out.push(archived::document(&self.archive, run.ended, what, hash, &content))?;
                written.insert(hash.clone());
            }
        }
        Ok(out.push(archived::run(&self.archive, run, basis.as_ref()))?)
    }

    fn run_of(&self, leaving: &LeavingRun) -> Result<Arc<RunRecord>, HostError> {
        self.state.run(leaving.id).ok_or(HostError::State(gridbell_state::StateError::NoRun(leaving.id)))
    }

    /// Whether the customer has a contact: one who was erased has none, and no number of theirs enters.
    fn has_contact(&self, account: AccountNumber) -> bool {
        self.state.customer(account).is_some_and(|(_, view)| view.phone.number() != 0)
    }

    fn write_replies(
        &self,
        head: &ArchiveHead,
        leaving: &Leaving,
        out: &mut gridbell_archive::ArchiveWriter,
    ) -> Result<(), HostError> {
        if leaving.replies == 0 {
            return Ok(());
        }
        let replies = self.state.replies(head.inbound + 1, leaving.replies)?;
        let numbers: BTreeSet<u64> = replies.iter().map(|r| r.from.number()).filter(|n| *n != 0).collect();
        let known = self.state.known_numbers(&numbers);
        for reply in &replies {
            out.push(archived::reply(&self.archive, reply, known.contains(&reply.from.number())))?;
        }
        Ok(())
    }

    fn write_audit(
        &self,
        head: &ArchiveHead,
        leaving: &Leaving,
        out: &mut gridbell_archive::ArchiveWriter,
    ) -> Result<(), HostError> {
        let count = usize::try_from(leaving.audit_entries).unwrap_or(usize::MAX);
        for entry in self.state.audit(head.audit.map_or(1, |m| m.number + 1), count.max(1))?.iter().take(count) {
            out.push(archived::audit(&self.archive, entry))?;
        }
        Ok(())
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    clock: &Clock,
    work: impl FnOnce() -> Result<T, HostError> + Send + 'static,
) -> Result<T, HostError> {
    clock.offload(work).await.map_err(|e| HostError::Task(e.to_string()))?
}
