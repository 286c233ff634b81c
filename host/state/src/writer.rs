//! The one writer: drains two lanes of changes, makes a group durable, applies it, and only then acknowledges. Nothing else writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use gridbell_model::Moment;
use gridbell_store::{Batch, Durability, StoreError};
use tokio::sync::{mpsc, oneshot};

use crate::audit::AuditEntry;
use crate::core_state::Context;
use crate::docs::{Doc, MAX_DOC_BYTES, MAX_DOC_NAME};
use crate::error::StateError;
use crate::kept::{ContentHash, Counts, Keep, Staged};
use crate::ops::{Applied, AuditNote, DocChange, Group, Op};
use crate::shared::Shared;
use crate::{checkpoint, keys, records};

/// Single changes that may wait for the writer; beyond it callers wait.
pub const SINGLE_QUEUE: usize = 8_192;
/// Bulk changes that may wait for the writer: few, since each is large.
pub const BULK_QUEUE: usize = 4;
/// Single changes of one group: what one flush is shared by.
pub const MAX_GROUP_CHANGES: usize = 2_048;
/// Bytes of ops after which a group takes no further change in; one change may be larger.
const MAX_GROUP_BYTES: usize = 4 << 20;
/// A group is cut into pieces of so many bytes, since a store's value is bounded; all pieces are in one batch.
/// 256 KiB is where bulk records were fastest (measured by the store's bench).
const JOURNAL_PIECE_BYTES: usize = 256 << 10;
/// Journal bytes after which the writer starts a checkpoint.
pub const CHECKPOINT_JOURNAL_BYTES: u64 = 192 << 20;

/// Bytes of written records that the store may keep in memory before a checkpoint has it give them back.
const TRIM_BYTES: u64 = 64 << 20;

/// What is asked of the writer in one piece: all of it or nothing.
pub(crate) struct Change {
    pub(crate) ops: Vec<(Op, Vec<u8>)>,
    pub(crate) docs: Vec<DocChange>,
    pub(crate) audit: Vec<AuditNote>,
    /// Records of other tables, written in the same batch.
    pub(crate) puts: Batch,
    /// What a run was made from.
    pub(crate) keep: Option<Keep>,
    /// Documents that a run named which leaves, once for each.
    pub(crate) release: Vec<ContentHash>,
    pub(crate) reply: Option<oneshot::Sender<Result<Applied, StateError>>>,
}

impl Change {
    pub(crate) fn new(ops: Vec<Op>) -> Self {
        let ops = ops.into_iter().map(|op| {
            let bytes = op.encode();
            (op, bytes)
        });
        Self {
            ops: ops.collect(),
            docs: Vec::new(),
            audit: Vec::new(),
            puts: Batch::new(),
            keep: None,
            release: Vec::new(),
            reply: None,
        }
    }

    fn bytes(&self) -> usize {
        self.ops.iter().map(|(_, b)| b.len()).sum::<usize>() + self.puts.bytes()
    }

    fn answer(self, result: Result<Applied, StateError>) {
        if let Some(reply) = self.reply {
            // Nobody waiting is no failure: the change is made all the same.
            let _ = reply.send(result);
        }
    }
}

/// What the writer is told.
pub(crate) enum Command {
    Change(Box<Change>),
    /// Start a checkpoint now, if none is running; the reply comes when it is complete.
    Checkpoint(oneshot::Sender<Result<(), StateError>>),
    /// A checkpoint's marker is durable.
    Checkpointed(Box<checkpoint::Done>),
    Close(oneshot::Sender<()>),
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    seq: u64,
    journal_bytes: u64,
    checkpointing: bool,
    waiting_checkpoints: Vec<oneshot::Sender<Result<(), StateError>>>,
    audit_head: Option<AuditEntry>,
    kept: Counts,
    bulk_sender: mpsc::WeakSender<Command>,
}

impl Writer {
    pub(crate) fn new(
        shared: Arc<Shared>,
        seq: u64,
        audit_head: Option<AuditEntry>,
        kept: Counts,
        bulk: &mpsc::Sender<Command>,
    ) -> Self {
        Self {
            shared,
            seq,
            journal_bytes: 0,
            checkpointing: false,
            waiting_checkpoints: Vec::new(),
            audit_head,
            kept,
            bulk_sender: bulk.downgrade(),
        }
    }

    /// Makes one change durable before anything else is taken: at start-up.
    pub(crate) fn commit_first(&mut self, mut change: Change) -> Result<Applied, StateError> {
        let (reply, mut answer) = oneshot::channel();
        change.reply = Some(reply);
        self.commit(vec![change]);
        answer.try_recv().map_err(|_| StateError::Closed)?
    }

    /// Runs until closed. Wants a thread for itself: the store's commits block it.
    pub(crate) async fn run(mut self, mut single: mpsc::Receiver<Command>, mut bulk: mpsc::Receiver<Command>) {
        loop {
            let first = tokio::select! {
                biased;
                c = single.recv() => c,
                c = bulk.recv() => c,
                else => None,
            };
            let Some(first) = first else { break };
            let mut group = Vec::new();
            let mut bytes = 0;
            let mut next = Some(first);
            while let Some(command) = next.take() {
                match command {
                    Command::Change(change) => {
                        bytes += change.bytes();
                        group.push(*change);
                    }
                    Command::Checkpoint(reply) => {
                        self.waiting_checkpoints.push(reply);
                        self.start_checkpoint();
                    }
                    Command::Checkpointed(done) => self.finish_checkpoint(*done),
                    Command::Close(reply) => {
                        self.commit(std::mem::take(&mut group));
                        let _ = reply.send(());
                        return;
                    }
                }
                if group.len() < MAX_GROUP_CHANGES && bytes < MAX_GROUP_BYTES {
                    next = single.try_recv().ok();
                }
            }
            self.commit(group);
            if self.journal_bytes > CHECKPOINT_JOURNAL_BYTES {
                self.start_checkpoint();
            }
        }
    }

    fn commit(&mut self, group: Vec<Change>) {
        let (group, docs) = self.admit(group);
        if group.is_empty() {
            return;
        }
        let at = self.shared.clock.now();
        let (batch, audit_head, kept, journal_bytes) = match self.batch(&group, &docs, at) {
            Ok(made) => made,
            Err(e) => {
                let why = e.to_string();
                group.into_iter().for_each(|c| c.answer(Err(StateError::Refused(why.clone()))));
                return;
            }
        };
        match self.shared.store.commit(batch, Durability::Durable) {
            Ok(()) => {}
            Err(e) => return self.refuse(group, &e),
        }
        self.audit_head = audit_head;
        self.kept.settle(kept);
        self.journal_bytes += journal_bytes;
        if journal_bytes > 0 {
            self.seq += 1;
        }
        let ctx = Context { seq: self.seq, at, replay: None };
        let applying = self.shared.applying.write();
        {
            let mut all = self.shared.docs.write();
            for ((kind, key), doc) in docs {
                all.set(&kind, &key, doc);
            }
        }
        let mut answers = Vec::with_capacity(group.len());
        for change in group {
            let mut applied = Applied { seq: self.seq, ..Applied::default() };
            for (op, _) in &change.ops {
                let one = self.shared.core.apply(op, &ctx);
                applied.facts.merge(&one.facts, 0);
                applied.grid.merge(one.grid);
                applied.stale_events += one.stale_events;
            }
            answers.push((change, applied));
        }
        self.shared.visible.store(self.seq, Ordering::Release);
        drop(applying);
        for (change, applied) in answers {
            change.answer(Ok(applied));
        }
        self.shared.changed.send_replace(self.seq);
        self.shared.next_change.notify_waiters();
    }

    /// Leaves out changes whose documents are not at the version that they expect, and settles the new versions of the others.
    #[expect(clippy::type_complexity, reason = "a map from name to document, used here only")]
    fn admit(&self, group: Vec<Change>) -> (Vec<Change>, BTreeMap<(String, String), Option<Doc>>) {
        let mut staged: BTreeMap<(String, String), Option<Doc>> = BTreeMap::new();
        let mut admitted = Vec::with_capacity(group.len());
        'changes: for change in group {
            let mut mine = Vec::new();
            for doc in &change.docs {
                let name = (doc.kind.clone(), doc.key.clone());
                let there =
                    staged.get(&name).cloned().unwrap_or_else(|| self.shared.docs.read().get(&doc.kind, &doc.key));
                let found = there.map_or(0, |d| d.version);
                if let Some(refusal) = refuse_doc(doc, found) {
                    change.answer(Err(refusal));
                    continue 'changes;
                }
                mine.push((name, doc.value.as_ref().map(|v| Doc { version: found + 1, value: v.as_slice().into() })));
            }
            staged.extend(mine);
            admitted.push(change);
        }
        (admitted, staged)
    }

    fn batch(
        &self,
        group: &[Change],
        docs: &BTreeMap<(String, String), Option<Doc>>,
        at: Moment,
    ) -> Result<(Batch, Option<AuditEntry>, Staged, u64), StateError> {
        let sealer = &self.shared.sealer;
        let mut batch = Batch::new();
        let mut journal_bytes = 0;
        let ops: Vec<Vec<u8>> = group.iter().flat_map(|c| c.ops.iter().map(|(_, bytes)| bytes.clone())).collect();
        if !ops.is_empty() {
            let group = postcard::to_stdvec(&Group { at, ops }).map_err(|e| StateError::Refused(e.to_string()))?;
            for (piece, bytes) in (0u32..).zip(group.chunks(JOURNAL_PIECE_BYTES)) {
                let key = keys::journal_piece(self.seq + 1, piece);
                let value = records::seal(sealer, &key, bytes)?;
                journal_bytes += value.len() as u64;
                batch.put(key, value);
            }
        }
        for ((kind, name), doc) in docs {
            let key = keys::doc(kind, name);
            match doc {
                Some(doc) => batch.put(key.clone(), records::write(sealer, &key, doc)?),
                None => batch.delete(key),
            };
        }
        let mut head = self.audit_head.clone();
        for note in group.iter().flat_map(|c| &c.audit) {
            let entry = AuditEntry::next(head.as_ref(), at, note.clone());
            let key = keys::long(keys::AUDIT, entry.number);
            batch.put(key.clone(), records::write(sealer, &key, &entry)?);
            head = Some(entry);
        }
        for change in group {
            for (key, value) in change.puts.operations() {
                match value {
                    Some(value) => batch.put(key, value),
                    None => batch.delete(key),
                };
            }
        }
        let keeps = group.iter().filter_map(|c| c.keep.as_ref());
        let kept = self.kept.stage(keeps, group.iter().flat_map(|c| &c.release), sealer, &mut batch)?;
        Ok((batch, head, kept, journal_bytes))
    }

    /// What the store refuses before it writes (a full disk, a record beyond its bounds) is refused, and the writer goes on; any other failure
    /// stops it, since what is durable is no longer known.
    fn refuse(&self, group: Vec<Change>, e: &StoreError) {
        use StoreError as E;
        let full = matches!(e, E::DiskFull { .. });
        let unwritten = full || matches!(e, E::KeyLength { .. } | E::ValueTooLarge { .. } | E::BatchTooLarge { .. });
        let why = e.to_string();
        tracing::error!(error = %why, disk_full = full, "state.commit_failed: a group of changes was refused");
        if !unwritten {
            *self.shared.failed.write() = Some(why.clone());
        }
        for change in group {
            change.answer(Err(if unwritten {
                StateError::Refused(why.clone())
            } else {
                StateError::Failed(why.clone())
            }));
        }
    }

    /// Milliseconds of monotonic time since `began`.
    fn since_ms(&self, began: std::time::Duration) -> u64 {
        u64::try_from((self.shared.clock.monotonic() - began).as_millis()).unwrap_or(u64::MAX)
    }

    fn start_checkpoint(&mut self) {
        if self.checkpointing {
            return;
        }
        let Some(bulk) = self.bulk_sender.upgrade() else { return };
        self.checkpointing = true;
        self.journal_bytes = 0;
        let began = self.shared.clock.monotonic();
        let plan = checkpoint::Plan::take(&self.shared, self.seq);
        let plan_ms = self.since_ms(began);
        tracing::debug!(seq = self.seq, plan_ms, "state.checkpoint_begun: changes waited while the plan was taken");
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new().name("checkpoint".into()).spawn(move || {
            let done = plan.write(&shared, &bulk);
            // The writer outlives this thread unless the process is closing.
            let _ = bulk.blocking_send(Command::Checkpointed(Box::new(done)));
        });
        if let Err(e) = spawned {
            self.finish_checkpoint(checkpoint::Done::failed(e.to_string()));
        }
    }

    fn finish_checkpoint(&mut self, done: checkpoint::Done) {
        self.checkpointing = false;
        let began = self.shared.clock.monotonic();
        // The engine keeps what was written in memory until it is trimmed; commits wait meanwhile, well under a second.
        if self.shared.store.untrimmed_bytes() > TRIM_BYTES
            && let Err(e) = self.shared.store.trim()
        {
            tracing::warn!(error = %e, "state.trim_failed: memory of written records is kept until the next checkpoint");
        }
        let trim_ms = self.since_ms(began);
        let result = done.settle(&self.shared);
        let settle_ms = self.since_ms(began) - trim_ms;
        tracing::debug!(trim_ms, settle_ms, "state.checkpoint_ended: changes waited for both");
        if let Err(e) = &result {
            tracing::error!(error = %e, "state.checkpoint_failed: the journal is kept and grows until the next one succeeds");
        }
        for waiting in self.waiting_checkpoints.drain(..) {
            let _ = waiting.send(result.as_ref().copied().map_err(|e| StateError::Refused(e.to_string())));
        }
    }
}

fn refuse_doc(doc: &DocChange, found: u64) -> Option<StateError> {
    let key = format!("{}/{}", doc.kind, doc.key);
    if doc.kind.len() > MAX_DOC_NAME || doc.key.len() > MAX_DOC_NAME || doc.kind.contains('\0') {
        return Some(StateError::Bound {
            what: format!("the name `{key}`"),
            bound: MAX_DOC_NAME,
            hint: "use a shorter name",
        });
    }
    if doc.value.as_ref().is_some_and(|v| v.len() > MAX_DOC_BYTES) {
        return Some(StateError::Bound { what: format!("document `{key}`"), bound: MAX_DOC_BYTES, hint: "split it" });
    }
    match doc.expected {
        Some(expected) if expected != found => Some(StateError::Conflict { key, expected, found }),
        _ => None,
    }
}
