//! Which parts of one message are meant.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most parts of one message that a link sends: 4288 characters. Carriers take far fewer; templates are bounded long before.
pub const MAX_PARTS: u8 = 64;

/// A set of part numbers, 1 to [`MAX_PARTS`], in eight bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartSet(u64);

impl PartSet {
    /// No part.
    pub const NONE: Self = Self(0);

    /// Parts 1 to `count`; no more than [`MAX_PARTS`].
    #[must_use]
    pub const fn all(count: u8) -> Self {
        if count == 0 {
            return Self::NONE;
        }
        let count = if count > MAX_PARTS { MAX_PARTS } else { count };
        Self(u64::MAX >> (MAX_PARTS - count))
    }

    /// Only `part`; empty where there is no such part number.
    #[must_use]
    pub const fn one(part: u8) -> Self {
        if part == 0 || part > MAX_PARTS { Self::NONE } else { Self(1 << (part - 1)) }
    }

    /// Whether `part` is in it.
    #[must_use]
    pub const fn contains(self, part: u8) -> bool {
        self.0 & Self::one(part).0 != 0
    }

    /// With `part`.
    #[must_use]
    pub const fn with(self, part: u8) -> Self {
        Self(self.0 | Self::one(part).0)
    }

    /// Without `part`.
    #[must_use]
    pub const fn without(self, part: u8) -> Self {
        Self(self.0 & !Self::one(part).0)
    }

    /// Those in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The part numbers, lowest first.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (1..=MAX_PARTS).filter(move |part| self.contains(*part))
    }

    /// The bits, part 1 lowest: for records.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Back from [`PartSet::bits`].
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl fmt::Debug for PartSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        assert_eq!(PartSet::all(3).iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(PartSet::all(64).len(), 64);
        assert_eq!(PartSet::all(200), PartSet::all(64));
        assert!(PartSet::all(0).is_empty() && PartSet::one(0).is_empty() && PartSet::one(65).is_empty());
        let set = PartSet::all(3).without(2).with(5);
        assert_eq!(format!("{set:?}"), "{1, 3, 5}");
        assert!(!set.contains(2) && !set.contains(0) && !set.contains(65));
        assert_eq!(PartSet::from_bits(set.bits()), set);
    }
}
