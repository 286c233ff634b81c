//! Counting to a limit: in a window of time, and in a day of Shanghai's.

use std::collections::HashMap;

use gridbell_model::{Date, Moment};

/// At most so many in each window, windows side by side as the platforms count them.
#[derive(Debug)]
pub(crate) struct Window {
    length_ms: i64,
    most: u32,
    at: i64,
    count: u32,
}

impl Window {
    /// `most` 0 is no limit.
    pub(crate) const fn new(length_ms: i64, most: u32) -> Self {
        Self { length_ms, most, at: i64::MIN, count: 0 }
    }

    pub(crate) fn take(&mut self, now: Moment) -> bool {
        let at = now.unix_ms().div_euclid(self.length_ms);
        if at != self.at {
            (self.at, self.count) = (at, 0);
        }
        self.count = self.count.saturating_add(1);
        self.most == 0 || self.count <= self.most
    }
}

/// At most so many a day, for each key.
#[derive(Debug)]
pub(crate) struct Daily<K> {
    most: u64,
    day: Option<Date>,
    counts: HashMap<K, u64>,
}

impl<K: std::hash::Hash + Eq> Daily<K> {
    /// `most` 0 is no limit.
    pub(crate) fn new(most: u64) -> Self {
        Self { most, day: None, counts: HashMap::new() }
    }

    pub(crate) fn take(&mut self, key: K, now: Moment) -> bool {
        if self.day != Some(now.date()) {
            self.day = Some(now.date());
            self.counts.clear();
        }
        if self.most == 0 {
            return true;
        }
        let count = self.counts.entry(key).or_default();
        let fits = *count < self.most;
        *count += u64::from(fits);
        fits
    }
}
