//! Seeded randomness. Never used for secrets.

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};

/// The seed from which every random stream of a process descends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// An independent stream for `purpose`: the same seed and purpose give the same stream, and asking for one stream never shifts another.
    #[must_use]
    pub fn stream(self, purpose: &str) -> ChaCha12Rng {
        // FNV-1a over the purpose keeps streams apart without pulling in a hash crate; quality comes from ChaCha, not from here.
        let mut h: u64 = 0xcbf2_9ce4_8422_2325;
        for b in purpose.bytes() {
            h = (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
        ChaCha12Rng::seed_from_u64(self.0 ^ h)
    }

    /// A seed drawn from `purpose`'s stream, to hand to a part that makes its own streams.
    #[must_use]
    pub fn child(self, purpose: &str) -> Self {
        Self(self.stream(purpose).next_u64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_stable_and_apart() {
        let a = Seed(7).stream("names").next_u64();
        assert_eq!(a, Seed(7).stream("names").next_u64());
        assert_ne!(a, Seed(7).stream("phones").next_u64());
        assert_ne!(a, Seed(8).stream("names").next_u64());
    }
}
