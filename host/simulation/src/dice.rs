//! Draws from a seeded stream, in the few shapes that the simulation needs.

use std::time::Duration;

use gridbell_clock::Seed;
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;

/// A stream of draws.
#[derive(Clone, Debug)]
pub(crate) struct Dice(ChaCha12Rng);

impl Dice {
    pub(crate) fn new(seed: Seed, purpose: &str) -> Self {
        Self(seed.stream(purpose))
    }

    /// From `low` up to and with `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.0.next_u64() % (high - low + 1)
    }

    /// True in `per_mille` of a thousand cases.
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.0.next_u64() % 1000 < per_mille
    }

    pub(crate) fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.between(low, high))
    }

    /// One of `all`; none of nothing.
    pub(crate) fn one<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        if all.is_empty() {
            return None;
        }
        let last = all.len() as u64 - 1;
        usize::try_from(self.between(0, last)).ok().and_then(|at| all.get(at))
    }
}
