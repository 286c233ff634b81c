//! Cheap draws about one customer. Quality is that of SplitMix64 (Steele, Lea, Flood 2014); the key it starts from is a [`gridbell_clock::Seed`]'s.

/// SplitMix64's finaliser.
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A stream of draws.
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(key: u64) -> Self {
        Self(key)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// 0 to `n` − 1; the bias of the multiplication is beyond what anybody counts here.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// True in `n` of 10 000 cases.
    pub(super) fn chance(&mut self, n: u64) -> bool {
        self.below(10_000) < n
    }

    /// One of `all`, which is not empty.
    pub(super) fn one<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// `median` times a power of two around 1, bell-shaped: most within a factor of two, a few at ten times. All in integers, so that every machine draws
    /// the same.
    pub(super) fn skewed(&mut self, median: u64) -> u64 {
        // The sum of four even draws is nearly normal; in 64ths of a doubling, with a standard deviation of one doubling.
        let z = (0..4).map(|_| self.below(111) as i64).sum::<i64>() - 220;
        let (whole, part) = (z.div_euclid(64), z.rem_euclid(64) as u64);
        // 2^(part/64) by its chord; off by 6 % at most.
        let scaled = median * (64 + part);
        (if whole >= 0 { scaled << whole } else { scaled >> -whole }) / 64
    }
}
