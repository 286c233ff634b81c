//! The state of a prefecture as it was at a sequence, rebuilt from a base and the groups behind it through the functions of start-up.
//!
//! Only that prefecture's customers are rebuilt. An account never moves, so where it is now says where a fact about it went then.

use std::ops::ControlFlow;
use std::sync::Arc;

use gridbell_model::{MessageId, PrefectureCode};
use gridbell_store::{Batch, Durability, MemStore, Store};

use super::keep::groups;
use super::{FileRef, History, HistoryHead};
use crate::core_state::{Context, PageSeqs};
use crate::error::StateError;
use crate::ops::{Group, Op};
use crate::shared::Shared;
use crate::state::State;
use crate::{keys, load, records};

/// Final messages that a rebuild keeps at most before it forgets them, as checkpoints do.
const FINALS_KEPT: usize = 200_000;
/// Bytes of a base that go to the store in memory in one piece.
const PIECE_BYTES: usize = 8 << 20;

/// How far a rebuild is; whoever is told may end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildStep {
    /// The base is being read: its sequence.
    Base(u64),
    /// Groups are being applied: the sequence reached.
    Groups(u64),
}

/// Told of every step; ends the rebuild by breaking.
pub type Rebuild<'a> = dyn FnMut(RebuildStep) -> ControlFlow<()> + 'a;

impl State {
    /// `prefecture` as it was at `seq`: a state of its own that takes no changes. Its other prefectures have no customers. Blocks; tells `progress`
    /// of each step.
    ///
    /// # Errors
    /// [`StateError::HistoryGone`] when the history does not reach back to it; [`StateError::HistoryFile`] names a file that is missing or damaged.
    /// [`StateError::Closed`] when `progress` broke it off.
    pub fn rebuild(
        &self,
        prefecture: PrefectureCode,
        seq: u64,
        progress: &mut Rebuild<'_>,
    ) -> Result<Self, StateError> {
        let shared = self.shared();
        // The head may move on beside this, when a checkpoint puts what was in the journal into a file: then the new head has it.
        let mut tries = 3;
        loop {
            tries -= 1;
            let before = self.history().map(|h| h.head).unwrap_or_default();
            match rebuild_with(shared, &before, prefecture, seq, progress) {
                Err(StateError::HistoryGone { .. } | StateError::HistoryFile { .. })
                    if tries > 0 && self.history().map(|h| h.head).unwrap_or_default() != before => {}
                other => return other,
            }
        }
    }
}

fn rebuild_with(
    shared: &Arc<Shared>,
    head: &HistoryHead,
    prefecture: PrefectureCode,
    seq: u64,
    progress: &mut Rebuild<'_>,
) -> Result<State, StateError> {
    let base = head.bases.iter().rfind(|b| b.last <= seq);
    let from = base.map_or(0, |b| b.last);
    let store = MemStore::new();
    if let (Some(base), Some(history)) = (base, &shared.history) {
        told(progress(RebuildStep::Base(from)))?;
        load_base(shared, history, base, prefecture, &store)?;
    }
    let then = Shared::of(Arc::new(store), Arc::clone(&shared.sealer), shared.clock.clone(), None);
    let then = Arc::new(then);
    let (_, mut pages) = load::load_checkpoint(&then)?;
    pages.only(prefecture);
    let mut groups = Groups { live: shared, then: &then, pages, prefecture, next: from + 1, to: seq };
    if let Some(history) = &shared.history {
        for file in head.journals.iter().filter(|f| f.last > from && f.first <= seq) {
            told(progress(RebuildStep::Groups(groups.next)))?;
            history.read(shared, file, &mut |key, value| {
                let of = key.try_into().map_or(0, u64::from_be_bytes);
                groups.take(of, value, progress)
            })?;
        }
    }
    groups_of_store(&mut groups, progress)?;
    if groups.next <= seq {
        return Err(gone(head, seq));
    }
    then.visible.store(seq, std::sync::atomic::Ordering::Release);
    Ok(State::frozen(then))
}

fn groups_of_store(groups_: &mut Groups<'_>, progress: &mut Rebuild<'_>) -> Result<(), StateError> {
    let (live, from, to) = (Arc::clone(groups_.live), groups_.next, groups_.to);
    if from > to {
        return Ok(());
    }
    groups(&live, from, to, &mut |seq, group| groups_.take(seq, group, progress))
}

fn gone(head: &HistoryHead, wanted: u64) -> StateError {
    let from_the_first = head.journals.first().is_none_or(|f| f.first == 1);
    let oldest = if from_the_first { None } else { head.bases.first().map(|b| b.last) };
    StateError::HistoryGone { wanted, oldest }
}

fn told(answer: ControlFlow<()>) -> Result<(), StateError> {
    if answer.is_break() { Err(StateError::Closed) } else { Ok(()) }
}

/// Puts what `prefecture` needs of `base` into `store`.
fn load_base(
    shared: &Shared,
    history: &History,
    base: &FileRef,
    prefecture: PrefectureCode,
    store: &MemStore,
) -> Result<(), StateError> {
    let mut batch = Batch::new();
    history.read(shared, base, &mut |key, value| {
        let paged = matches!(key.first(), Some(&(keys::PAGE | keys::EXTRA)));
        if paged && keys::paged_of(key).is_none_or(|(code, _)| code != prefecture) {
            return Ok(());
        }
        batch.put(key, records::seal(&shared.sealer, key, value)?);
        if batch.bytes() >= PIECE_BYTES {
            store.commit(std::mem::take(&mut batch), Durability::Buffered)?;
        }
        Ok(())
    })?;
    Ok(store.commit(batch, Durability::Durable)?)
}

/// Applies groups one after another.
struct Groups<'a> {
    live: &'a Arc<Shared>,
    then: &'a Shared,
    pages: PageSeqs,
    prefecture: PrefectureCode,
    next: u64,
    to: u64,
}

impl Groups<'_> {
    fn take(&mut self, seq: u64, group: &[u8], progress: &mut Rebuild<'_>) -> Result<(), StateError> {
        // Files may overlap after a kill; what is behind the wanted instant is not looked at, nor is what follows a gap.
        if seq != self.next || seq > self.to {
            return Ok(());
        }
        let bad = |e: postcard::Error| StateError::Record { table: 'J', why: e.to_string() };
        let group: Group = postcard::from_bytes(group).map_err(bad)?;
        let context = Context { seq, at: group.at, replay: Some(&self.pages) };
        for bytes in &group.ops {
            let mut op = Op::decode(bytes).map_err(bad)?;
            if let Op::Customers(rows) = &mut op {
                let here = |account| self.live.core.find(account, Some(self.prefecture));
                rows.retain(|row| here(row.account).is_some_and(|(code, _)| code == self.prefecture));
            }
            // Whose numbers were is no part of it: a recorded message names the queue in which it waited.
            if !matches!(op, Op::Ported(_)) {
                self.then.core.apply(&op, &context);
            }
        }
        self.next += 1;
        if seq.is_multiple_of(64) {
            self.forget_finals();
            told(progress(RebuildStep::Groups(seq)))?;
        }
        Ok(())
    }

    fn forget_finals(&self) {
        let mut outbox = self.then.core.outbox.write();
        if outbox.live.len() > FINALS_KEPT {
            let finals: Vec<MessageId> =
                outbox.live.iter().filter(|(_, l)| l.status.state.is_final()).map(|(id, _)| id).collect();
            outbox.forget(&finals);
        }
    }
}
