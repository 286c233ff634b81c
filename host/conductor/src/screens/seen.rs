//! What screens say that they showed, and when they were last heard of. An acknowledgement is durable before it is answered; when a screen was last
//! heard of is written now and then, and a kill may lose the last minutes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gridbell_model::{Moment, PrefectureCode};
use gridbell_screens::{NoticeId, Screen, ScreenId};
use gridbell_state::{DocChange, State};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Screens;
use super::record::{self, ALIVE, SHOWN};
use crate::documents::{delete, parse};
use crate::error::HostError;

/// The most notices of which a screen's acknowledgements are kept; of more, those of the latest.
pub const MAX_SHOWN: usize = 100;
/// How often it is written when screens were last heard of. Not more often: each time is a document in the journal and, for weeks, in the history.
pub const SEEN_EVERY: Duration = Duration::from_secs(300);
/// Acknowledgements that are written at the same time: screens share these locks.
const LOCKS: usize = 64;

/// What one screen showed: by notice, from when it showed each revision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct ShownBy(BTreeMap<NoticeId, BTreeMap<u32, Moment>>);

/// That a screen showed a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which screen.
    pub screen: ScreenId,
    /// Which revision.
    pub revision: u32,
    /// From when on.
    pub from: Moment,
}

#[derive(Default)]
struct Alive {
    last: BTreeMap<ScreenId, Moment>,
    changed: BTreeSet<PrefectureCode>,
}

/// All that screens said.
pub(super) struct Seen {
    shown: Mutex<BTreeMap<ScreenId, ShownBy>>,
    alive: Mutex<Alive>,
    /// A screen's acknowledgements are written one after another, those of others beside it.
    locks: Vec<tokio::sync::Mutex<()>>,
}

impl Seen {
    pub(super) fn load(state: &State) -> Result<Self, HostError> {
        let mut shown = BTreeMap::new();
        for (key, doc) in state.docs(SHOWN) {
            if let Ok(id) = key.parse() {
                shown.insert(id, parse(SHOWN, &key, &doc.value)?);
            }
        }
        let mut alive = Alive::default();
        for (key, doc) in state.docs(ALIVE) {
            alive.last.extend(parse::<BTreeMap<ScreenId, Moment>>(ALIVE, &key, &doc.value)?);
        }
        let locks = (0..LOCKS).map(|_| tokio::sync::Mutex::default()).collect();
        Ok(Self { shown: Mutex::new(shown), alive: Mutex::new(alive), locks })
    }

    pub(super) fn forget(&self, id: ScreenId) {
        self.shown.lock().remove(&id);
        self.alive.lock().last.remove(&id);
    }
}

pub(super) fn forgotten(id: ScreenId) -> DocChange {
    delete(SHOWN, &id.to_string())
}

impl Screens {
    /// A screen was heard of.
    pub fn heard(&self, screen: &Screen) {
        let now = self.now();
        let mut alive = self.0.seen.alive.lock();
        alive.last.insert(screen.id, now);
        alive.changed.insert(screen.community.prefecture());
    }

    /// When a screen was last heard of.
    #[must_use]
    pub fn last_heard(&self, id: ScreenId) -> Option<Moment> {
        self.0.seen.alive.lock().last.get(&id).copied()
    }

    /// Keeps that `screen` shows these revisions; durable when this returns. Those that it cannot have are passed over. How many are new.
    ///
    /// # Errors
    /// When the store refuses.
    pub async fn acknowledge(&self, screen: &Screen, shown: &[(NoticeId, u32)]) -> Result<usize, HostError> {
        self.heard(screen);
        let seen = &self.0.seen;
        let at = usize::try_from(screen.id.0 % LOCKS as u64).unwrap_or(0);
        let Some(lock) = seen.locks.get(at) else { return Ok(0) };
        let _held = lock.lock().await;
        let mut by = seen.shown.lock().get(&screen.id).cloned().unwrap_or_default();
        let now = self.now();
        let mut new = 0;
        for (id, number) in shown {
            let real = self.book(|book| {
                let of = book.notice(*id).and_then(|n| n.revisions.iter().find(|r| r.number == *number));
                of.is_some_and(|r| r.is_at(&screen.community))
            });
            if real && !by.0.get(id).is_some_and(|known| known.contains_key(number)) {
                by.0.entry(*id).or_default().insert(*number, now);
                new += 1;
            }
        }
        if new == 0 {
            return Ok(0);
        }
        while by.0.len() > MAX_SHOWN {
            by.0.pop_first();
        }
        let doc = record::put(SHOWN, &screen.id.to_string(), &by)?;
        self.0.state.put_docs(vec![doc], Vec::new()).await?;
        seen.shown.lock().insert(screen.id, by);
        Ok(new)
    }

    /// Which screens said that they showed a notice, each with every revision that it showed.
    #[must_use]
    pub fn acknowledged(&self, id: NoticeId) -> Vec<Acknowledged> {
        let shown = self.0.seen.shown.lock();
        let of = |(screen, by): (&ScreenId, &ShownBy)| {
            let revisions = by.0.get(&id).cloned().unwrap_or_default();
            let screen = *screen;
            revisions.into_iter().map(move |(revision, from)| Acknowledged { screen, revision, from })
        };
        shown.iter().flat_map(of).collect()
    }

    /// Writes when screens were last heard of, where that changed.
    ///
    /// # Errors
    /// When the store refuses: then it is written the next time.
    pub async fn write_seen(&self) -> Result<(), HostError> {
        let changed = std::mem::take(&mut self.0.seen.alive.lock().changed);
        if changed.is_empty() {
            return Ok(());
        }
        let last = self.0.seen.alive.lock().last.clone();
        let mut of: BTreeMap<PrefectureCode, BTreeMap<ScreenId, Moment>> =
            changed.iter().map(|prefecture| (*prefecture, BTreeMap::new())).collect();
        self.book(|book| {
            for (id, at) in last {
                let its = book.screen(id).and_then(|s| of.get_mut(&s.community.prefecture()));
                its.map(|its| its.insert(id, at));
            }
        });
        let docs = of.iter().map(|(prefecture, last)| record::put(ALIVE, &prefecture.to_string(), last));
        let docs = docs.collect::<Result<Vec<_>, HostError>>()?;
        let written = self.0.state.put_docs(docs, Vec::new()).await;
        if written.is_err() {
            self.0.seen.alive.lock().changed.extend(changed);
        }
        Ok(written.map(|_| ())?)
    }

    /// Keeps house until `stop`: writes now and then, and at the end, when screens were last heard of.
    pub async fn keep_house(&self, stop: CancellationToken) {
        let mut going = true;
        while going {
            tokio::select! {
                () = stop.cancelled() => going = false,
                () = self.0.clock.sleep(SEEN_EVERY) => {}
            }
            if let Err(error) = self.write_seen().await {
                tracing::warn!(%error, "screens.seen_not_written: {error}");
            }
        }
    }
}
