//! One preview at a time for each office in a prefecture, few at once on a host, each of which can be watched and ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use gridbell_model::PrefectureCode;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::seen::{MAX_SEEN_PREVIEWS, Remembered};
use crate::error::HostError;
use crate::host::Host;

/// Previews that run at once on a host: each takes every core that is free, and the memory of its messages.
pub const MAX_PREVIEWS_AT_ONCE: usize = 4;

type Key = (PrefectureCode, String);

/// The previews under way, and those that were made lately.
#[derive(Debug, Default)]
pub(crate) struct Previews {
    under_way: Mutex<FxHashMap<Key, Arc<Control>>>,
    made: Mutex<VecDeque<Remembered>>,
}

impl Previews {
    /// Remembers a preview, once, as the latest.
    pub(super) fn remember(&self, preview: Remembered) {
        let mut made = self.made.lock();
        made.retain(|m| m.digest() != preview.digest());
        if made.len() >= MAX_SEEN_PREVIEWS {
            made.pop_front();
        }
        made.push_back(preview);
    }

    /// The preview of this digest, while it is remembered.
    pub(super) fn remembered(&self, digest: &str) -> Option<Remembered> {
        self.made.lock().iter().find(|m| m.digest() == digest).cloned()
    }
}

/// How far a preview is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PreviewProgress {
    /// Runs simulated, of candidate and live policy together.
    pub done: u32,
    /// Of how many.
    pub of: u32,
}

/// What a preview looks at between batches.
#[derive(Debug, Default)]
pub(crate) struct Control {
    pub(crate) stop: Arc<AtomicBool>,
    done: AtomicU32,
    of: AtomicU32,
}

impl Control {
    pub(crate) fn check(&self) -> Result<(), HostError> {
        if self.stop.load(Ordering::Relaxed) { Err(HostError::Stopped) } else { Ok(()) }
    }

    pub(crate) fn expect(&self, runs: usize) {
        self.of.store(u32::try_from(runs).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(crate) fn step(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn progress(&self) -> PreviewProgress {
        PreviewProgress { done: self.done.load(Ordering::Relaxed), of: self.of.load(Ordering::Relaxed) }
    }
}

/// A preview's place; whoever holds it works on it. The place is free again when the work has ended, not when nobody waits for it any more.
pub(crate) struct Pass {
    host: Host,
    key: Key,
    pub(crate) control: Arc<Control>,
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.host.previews().under_way.lock().remove(&self.key);
    }
}

/// Ends the work when nobody waits for its answer any more.
pub(crate) struct Waiter(pub(crate) Arc<AtomicBool>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Host {
    /// A place for a preview of `office`.
    pub(crate) fn begin_preview(&self, prefecture: PrefectureCode, office: &str) -> Result<Pass, HostError> {
        let key = (prefecture, office.to_owned());
        let mut under_way = self.previews().under_way.lock();
        if under_way.contains_key(&key) {
            let text =
                "a preview of this office is under way: wait for it or end it (本单位已有预览正在进行，请等待或取消)";
            return Err(HostError::Busy(text.to_owned()));
        }
        if under_way.len() >= MAX_PREVIEWS_AT_ONCE {
            let text = format!(
                "{MAX_PREVIEWS_AT_ONCE} previews are under way on this host: try again in some seconds (预览较多，请稍后再试)"
            );
            return Err(HostError::Busy(text));
        }
        let control = Arc::new(Control::default());
        under_way.insert(key.clone(), Arc::clone(&control));
        Ok(Pass { host: self.clone(), key, control })
    }

    /// Ends the preview of `office` before its next batch. Whether there was one.
    pub fn cancel_preview(&self, prefecture: PrefectureCode, office: &str) -> bool {
        let under_way = self.previews().under_way.lock();
        let found = under_way.get(&(prefecture, office.to_owned()));
        found.inspect(|control| control.stop.store(true, Ordering::Relaxed)).is_some()
    }

    /// How far the preview of `office` is; none when there is none.
    #[must_use]
    pub fn preview_progress(&self, prefecture: PrefectureCode, office: &str) -> Option<PreviewProgress> {
        self.previews().under_way.lock().get(&(prefecture, office.to_owned())).map(|c| c.progress())
    }
}
