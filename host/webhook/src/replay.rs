//! The memory against replays: every id for as long as its time would still be let in, and never more than a fixed number.

use std::collections::{BTreeSet, HashMap};

use gridbell_model::Moment;

use crate::error::Error;

/// The most ids that a window remembers, about 10 MiB.
pub const MAX_REMEMBERED: usize = 65_536;

/// Which ids came. What it must forget to stay bounded it refuses instead: a flood makes a receiver slow, never gullible.
#[derive(Debug)]
pub struct ReplayWindow {
    most: usize,
    ids: HashMap<Box<str>, Moment>,
    by_end: BTreeSet<(Moment, Box<str>)>,
}

impl ReplayWindow {
    /// A window for up to `most` ids, at least 1 and at most [`MAX_REMEMBERED`].
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most: most.clamp(1, MAX_REMEMBERED), ids: HashMap::new(), by_end: BTreeSet::new() }
    }

    /// Remembers `id` up to and including `until`.
    ///
    /// # Errors
    /// [`Error::Replay`] where it is remembered; [`Error::Full`] where no more can be.
    pub fn admit(&mut self, id: &str, until: Moment, now: Moment) -> Result<(), Error> {
        while self.by_end.first().is_some_and(|(end, _)| *end < now) {
            if let Some((_, old)) = self.by_end.pop_first() {
                self.ids.remove(&old);
            }
        }
        if let Some(end) = self.ids.get_mut(id) {
            // A repetition with a later time is let in no sooner than that time allows.
            if *end < until {
                self.by_end.remove(&(*end, id.into()));
                self.by_end.insert((until, id.into()));
                *end = until;
            }
            return Err(Error::Replay);
        }
        if self.ids.len() >= self.most {
            return Err(Error::Full);
        }
        self.ids.insert(id.into(), until);
        self.by_end.insert((until, id.into()));
        Ok(())
    }

    /// Forgets one.
    pub fn forget(&mut self, id: &str) {
        if let Some(end) = self.ids.remove(id) {
            self.by_end.remove(&(end, id.into()));
        }
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}
