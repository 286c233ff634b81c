//! Small draws from a seeded stream.

use rand_core::RngCore;

/// Draws of whole numbers.
pub(crate) trait Draw {
    /// From 0 to `n` - 1; 0 where `n` is 0.
    fn below(&mut self, n: usize) -> usize;

    /// From `low` to `high`, both included.
    fn between(&mut self, low: i64, high: i64) -> i64;

    /// True in `share` of a hundred cases.
    fn chance(&mut self, share: usize) -> bool {
        self.below(100) < share
    }

    /// One of `list`.
    fn pick<'l, T>(&mut self, list: &'l [T]) -> Option<&'l T> {
        list.get(self.below(list.len()))
    }

    /// `list` in another order.
    fn shuffle<T>(&mut self, list: &mut [T]) {
        for n in (1..list.len()).rev() {
            list.swap(n, self.below(n + 1));
        }
    }
}

impl<R: RngCore> Draw for R {
    fn below(&mut self, n: usize) -> usize {
        // The high half of the product: even enough over numbers this small, and without a division.
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }

    fn between(&mut self, low: i64, high: i64) -> i64 {
        let span = (i128::from(high) - i128::from(low) + 1).max(1);
        let off = (i128::from(self.next_u64()) * span) >> 64;
        i64::try_from(i128::from(low) + off).unwrap_or(low)
    }
}
