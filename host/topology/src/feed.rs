//! What is fed otherwise than it normally is (转供电), and when.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_model::Moment;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

/// Feeds that are known at most, those that ended of late included.
pub const MAX_FEEDS: usize = 4_096;
/// How long a feed is kept behind its end: whoever asks what was fed in the last week gets the answer of then.
pub const KEEP_ENDED_MS: i64 = 7 * 86_400_000;

/// What can be fed otherwise, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fed {
    /// A section, with all that it feeds.
    Section(u32),
    /// A transformer.
    Transformer(u32),
}

/// Something is fed otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    /// What.
    pub what: Fed,
    /// The section that feeds it meanwhile.
    pub from: u32,
    /// From this moment on.
    pub since: Moment,
    /// Up to this moment, which is not in it.
    pub until: Option<Moment>,
    /// Why.
    pub why: String,
    /// Who said so.
    pub by: String,
}

impl Feed {
    /// Whether it feeds at `at`.
    #[must_use]
    pub fn holds(&self, at: Moment) -> bool {
        self.since <= at && !self.is_over(at)
    }

    /// Whether it has ended by `at`.
    #[must_use]
    pub fn is_over(&self, at: Moment) -> bool {
        self.until.is_some_and(|until| until <= at)
    }

    pub(crate) fn meets(&self, other: &Self) -> bool {
        let before = |a: &Self, b: &Self| a.until.is_some_and(|until| until <= b.since);
        !before(self, other) && !before(other, self)
    }
}

/// All feeds. Those of one thing never meet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Feeds {
    all: BTreeMap<(Fed, Moment), Arc<Feed>>,
}

impl Feeds {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Feed>> {
        self.all.values()
    }

    /// Those of one thing, by when they begin.
    pub(crate) fn of(&self, what: Fed) -> impl Iterator<Item = &Arc<Feed>> {
        let least = Moment::from_unix_ms(i64::MIN);
        self.all.range((what, least)..=(what, Moment::from_unix_ms(i64::MAX))).map(|(_, feed)| feed)
    }

    pub(crate) fn put(&mut self, feed: Arc<Feed>) {
        self.all.insert((feed.what, feed.since), feed);
    }

    pub(crate) fn remove(&mut self, what: Fed, since: Moment) {
        self.all.remove(&(what, since));
    }

    /// Forgets what ended long before `at`.
    pub(crate) fn forget(&mut self, at: Moment) {
        let oldest = at.plus_ms(-KEEP_ENDED_MS);
        self.all.retain(|_, feed| !feed.is_over(oldest));
    }

    /// Forgets everything about a thing that goes; nothing of it holds any more.
    pub(crate) fn forget_all_of(&mut self, gone: impl Fn(&Feed) -> bool) {
        self.all.retain(|_, feed| !gone(feed));
    }

    /// What feeds `what` at `at` otherwise than normally.
    pub(crate) fn source(&self, what: Fed, at: Moment) -> Option<u32> {
        if self.all.is_empty() {
            return None;
        }
        let last = self.all.range((what, Moment::from_unix_ms(i64::MIN))..=(what, at)).next_back()?;
        last.1.holds(at).then_some(last.1.from)
    }

    /// The moments from `from` on, and before `to`, from which on something is fed by something else than before: `from` itself and each begin and
    /// end of a feed.
    pub(crate) fn turns(&self, from: Moment, to: Option<Moment>) -> BTreeSet<Moment> {
        let ends = self.all.values().flat_map(|f| [Some(f.since), f.until]).flatten();
        let within = ends.filter(|at| *at > from && to.is_none_or(|to| *at < to));
        within.chain([from]).collect()
    }

    /// What is fed otherwise at `at`, by what feeds it.
    pub(crate) fn at(&self, at: Moment) -> Now {
        let mut now = Now::default();
        for feed in self.all.values().filter(|f| f.holds(at)) {
            now.from.insert(feed.what, feed.from);
            now.to.entry(feed.from).or_default().push(feed.what);
        }
        now
    }
}

/// What is fed otherwise at one moment.
#[derive(Debug, Default)]
pub(crate) struct Now {
    from: FxHashMap<Fed, u32>,
    to: FxHashMap<u32, Vec<Fed>>,
}

impl Now {
    /// Whether something else than normally feeds `what`.
    pub(crate) fn is_away(&self, what: Fed) -> bool {
        !self.from.is_empty() && self.from.contains_key(&what)
    }

    /// What `section` feeds that is not normally its own.
    pub(crate) fn guests(&self, section: u32) -> &[Fed] {
        self.to.get(&section).map_or(&[], Vec::as_slice)
    }
}
