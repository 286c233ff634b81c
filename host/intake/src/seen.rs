//! Which keys a file has given already, in bounded memory.
//!
//! Account numbers of a utility are dense, so that a bit for each of 1024 neighbours costs little: a sorted file of 12.84 million takes a few
//! megabytes. A file of scattered numbers reaches the bound, and from there on repeats go unnoticed; the summary says so.

use std::collections::HashMap;

/// Bits of one block.
const BITS: u64 = 1024;
/// The most blocks; with their keys and the map's slack about 80 MiB.
const MAX_BLOCKS: usize = 1 << 19;

/// An upper bound of what [`Seen`] holds, in bytes.
pub(crate) const MAX_BYTES: usize = MAX_BLOCKS * (BITS as usize / 8) + MAX_BLOCKS * 2 * 24;

/// The keys seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// By key / 1024 and the group (a bill's period, else 0): where in `bits`.
    index: HashMap<(u64, u32), u32>,
    bits: Vec<[u64; BITS as usize / 64]>,
    /// The block of the last key: neighbours come one after another.
    last: Option<((u64, u32), u32)>,
    full: bool,
}

impl Seen {
    /// Notes `key` of `group`; whether it came before.
    pub(crate) fn note(&mut self, key: u64, group: u32) -> bool {
        let name = (key / BITS, group);
        let block = match self.last {
            Some((last, block)) if last == name => block,
            _ => match self.index.get(&name) {
                Some(block) => *block,
                None if self.bits.len() >= MAX_BLOCKS => {
                    self.full = true;
                    return false;
                }
                None => {
                    let block = u32::try_from(self.bits.len()).unwrap_or(u32::MAX);
                    self.bits.push([0; BITS as usize / 64]);
                    self.index.insert(name, block);
                    block
                }
            },
        };
        self.last = Some((name, block));
        let bit = (key % BITS) as usize;
        let word = &mut self.bits[block as usize][bit / 64];
        let before = *word >> (bit % 64) & 1 == 1;
        *word |= 1 << (bit % 64);
        before
    }

    /// Whether every key so far was compared with all before it.
    pub(crate) fn is_complete(&self) -> bool {
        !self.full
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn it_knows_what_came_before(keys in proptest::collection::vec((0u64..5000, 0u32..3), 0..300)) {
            let mut set = HashSet::new();
            let mut seen = Seen::default();
            for (key, group) in keys {
                prop_assert_eq!(seen.note(key, group), !set.insert((key, group)));
            }
            prop_assert!(seen.is_complete());
        }
    }

    #[test]
    fn scattered_keys_do_not_take_all_memory() {
        let mut seen = Seen::default();
        for i in 0..MAX_BLOCKS as u64 + 10 {
            assert!(!seen.note(i * BITS, 0));
        }
        assert!(!seen.is_complete());
        assert_eq!(seen.bits.len(), MAX_BLOCKS);
        assert!(seen.note(0, 0), "what is remembered is still compared");
    }
}
