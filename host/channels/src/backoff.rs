//! How long to wait before the next try: doubling, bounded, with seeded jitter so that a province's links do not come back in step.

use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;

/// Waits that double from `min` to `max`, each spread by a fifth to either side.
#[derive(Debug)]
pub(crate) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
    random: ChaCha12Rng,
}

impl Backoff {
    pub(crate) fn new(min: Duration, max: Duration, random: ChaCha12Rng) -> Self {
        Self { min, max, next: min, random }
    }

    /// The next wait.
    pub(crate) fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = self.next.saturating_mul(2).min(self.max);
        // 0.8 to 1.2 in steps of 1/1000.
        let permille = 800 + self.random.next_u32() % 401;
        wait.saturating_mul(permille) / 1000
    }

    /// Starts over.
    pub(crate) fn reset(&mut self) {
        self.next = self.min;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridbell_clock::Seed;

    #[test]
    fn waits_double_within_bounds_and_repeat_with_the_seed() {
        let (min, max) = (Duration::from_secs(1), Duration::from_secs(30));
        let waits = |seed| {
            let mut backoff = Backoff::new(min, max, Seed(seed).stream("link"));
            (0..10).map(|_| backoff.wait()).collect::<Vec<_>>()
        };
        assert_eq!(waits(1), waits(1));
        assert_ne!(waits(1), waits(2));
        for (n, wait) in waits(1).into_iter().enumerate() {
            let middle = min.saturating_mul(1 << n.min(5)).min(max);
            assert!(wait >= middle * 8 / 10 && wait <= middle * 12 / 10, "{n}: {wait:?}");
        }
        let mut backoff = Backoff::new(min, max, Seed(1).stream("link"));
        for _ in 0..5 {
            backoff.wait();
        }
        backoff.reset();
        assert!(backoff.wait() <= min * 12 / 10);
    }
}
