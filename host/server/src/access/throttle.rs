//! Slows down whoever guesses passwords: after a few free tries each further failure doubles the wait, by user name and by address.

use std::collections::BTreeMap;
use std::time::Duration;

use parking_lot::Mutex;

/// Failures in a row that cost nothing.
pub const FREE_TRIES: u32 = 5;
/// The longest wait; the count of failures is forgotten after twice as long without one.
pub const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// Names and addresses watched at most; beyond it the one whose last failure is oldest is forgotten.
pub const MAX_WATCHED: usize = 10_000;

#[derive(Default)]
pub(crate) struct Throttle(Mutex<BTreeMap<String, Failures>>);

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    last: Duration,
}

impl Failures {
    fn wait(self) -> Duration {
        match self.count.checked_sub(FREE_TRIES) {
            None => Duration::ZERO,
            Some(over) => Duration::from_secs(1 << over.min(20)).min(LONGEST_WAIT),
        }
    }
}

impl Throttle {
    /// How long `key` must wait at `now` before the next try; zero for not at all.
    pub(crate) fn wait(&self, key: &str, now: Duration) -> Duration {
        self.0.lock().get(key).map_or(Duration::ZERO, |f| (f.last + f.wait()).saturating_sub(now))
    }

    /// A try of `key` is about to be made. Counted as a failure before it is known, so that tries beside each other do not all pass;
    /// [`Throttle::passed`] takes it back.
    pub(crate) fn try_made(&self, key: &str, now: Duration) {
        let mut all = self.0.lock();
        if all.len() >= MAX_WATCHED && !all.contains_key(key) {
            all.retain(|_, f| now.saturating_sub(f.last) < LONGEST_WAIT * 2);
            if all.len() >= MAX_WATCHED
                && let Some(oldest) = all.iter().min_by_key(|(_, f)| f.last).map(|(k, _)| k.clone())
            {
                all.remove(&oldest);
            }
        }
        let failures = all.entry(key.to_owned()).or_insert(Failures { count: 0, last: now });
        if now.saturating_sub(failures.last) >= LONGEST_WAIT * 2 {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// The try of `key` was right: its failures are forgotten.
    pub(crate) fn passed(&self, key: &str) {
        self.0.lock().remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_end() {
        let throttle = Throttle::default();
        let mut now = Duration::from_secs(100);
        for _ in 0..FREE_TRIES - 1 {
            throttle.try_made("li", now);
            assert_eq!(throttle.wait("li", now), Duration::ZERO);
        }
        for expected in [1, 2, 4, 8] {
            throttle.try_made("li", now);
            assert_eq!(throttle.wait("li", now), Duration::from_secs(expected));
            now += Duration::from_secs(expected);
            assert_eq!(throttle.wait("li", now), Duration::ZERO);
        }
        for _ in 0..40 {
            throttle.try_made("li", now);
        }
        assert_eq!(throttle.wait("li", now), LONGEST_WAIT);
        throttle.try_made("li", now + LONGEST_WAIT * 2);
        assert_eq!(throttle.wait("li", now + LONGEST_WAIT * 2), Duration::ZERO, "forgotten");
        throttle.passed("li");
        assert_eq!(throttle.wait("wang", now), Duration::ZERO);
    }

    #[test]
    fn the_watched_are_bounded() {
        let throttle = Throttle::default();
        for n in 0..MAX_WATCHED + 10 {
            throttle.try_made(&n.to_string(), Duration::from_millis(n as u64));
        }
        assert_eq!(throttle.0.lock().len(), MAX_WATCHED);
        assert!(!throttle.0.lock().contains_key("0"));
    }
}
