//! Chance. What becomes of a number is drawn from the seed and the number; everything else from a stream in order of arrival.

use gridbell_clock::Seed;
use gridbell_cmpp::{Number, Stat};
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore as _;

use super::config::Faults;

/// One account's stream of choices.
pub(crate) struct Dice(ChaCha12Rng);

impl Dice {
    pub(crate) fn new(seed: Seed, sp_id: &str) -> Self {
        Self(seed.stream(&format!("cmpp gateway {sp_id}")))
    }

    /// True with `probability`; a certain answer draws nothing.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && (probability >= 1.0 || fraction(self.0.next_u64()) < probability)
    }

    /// A number from `least` to `most`, both possible.
    pub(crate) fn between(&mut self, (least, most): (u64, u64)) -> u64 {
        if most <= least {
            return least;
        }
        // The bias of the remainder over spans of milliseconds is below 10⁻¹².
        match (most - least).checked_add(1) {
            Some(span) => least + self.0.next_u64() % span,
            None => self.0.next_u64(),
        }
    }
}

/// Whether `number` is among a share of all numbers, another one for each purpose.
pub(crate) fn lies_below(seed: Seed, purpose: &[u8], number: &Number, share: f64) -> bool {
    share > 0.0 && fraction(hash(seed, purpose, number)) < share
}

/// Whether `number` is among those that a gateway refuses as bad.
pub(super) fn is_bad(seed: Seed, faults: &Faults, number: &Number) -> bool {
    lies_below(seed, b"bad", number, faults.bad_number)
}

/// What a message to `number` comes to.
pub(super) fn final_stat(seed: Seed, faults: &Faults, number: &Number) -> Stat {
    let word = if let Some(word) = faults.not_theirs.reported(seed, number) {
        word
    } else if lies_below(seed, b"fails", number, faults.failure_share) {
        failure_word(hash(seed, b"word", number), faults)
    } else {
        "DELIVRD"
    };
    // The words were checked with the configuration.
    Stat::new(word).unwrap_or_default()
}

fn failure_word(drawn: u64, faults: &Faults) -> &str {
    let total: u64 = faults.failure_stats.iter().map(|stat| u64::from(stat.weight)).sum();
    let mut left = drawn % total.max(1);
    for stat in &faults.failure_stats {
        match left.checked_sub(u64::from(stat.weight)) {
            Some(rest) => left = rest,
            None => return &stat.stat,
        }
    }
    "UNDELIV"
}

/// FNV-1a, finished with SplitMix64's mixer so that near numbers fall far apart. The country code does not count.
pub(crate) fn hash(seed: Seed, purpose: &[u8], number: &Number) -> u64 {
    let digits = bare(number.expose());
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ seed.0;
    for octet in purpose.iter().chain(digits) {
        hash = (hash ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// A number without `+86` or `86`.
pub(crate) fn bare(number: &[u8]) -> &[u8] {
    let digits = number.strip_prefix(b"+").unwrap_or(number);
    match digits.strip_prefix(b"86") {
        Some(rest) if rest.len() == 11 => rest,
        _ => number,
    }
}

/// From 0 up to and without 1.
fn fraction(drawn: u64) -> f64 {
    (drawn >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(index: u64) -> Number {
        Number::new("test", (13_800_000_000 + index).to_string()).unwrap()
    }

    #[test]
    fn a_numbers_fate_is_its_own_and_the_shares_are_met() {
        let faults = Faults { failure_share: 0.1, bad_number: 0.02, ..Faults::default() };
        let failed = |seed, index| final_stat(Seed(seed), &faults, &number(index)).text() != "DELIVRD";
        let failures = (0..20_000).filter(|&index| failed(7, index)).count();
        assert!((1_800..2_200).contains(&failures), "{failures}");
        let bad = (0..20_000).filter(|&index| is_bad(Seed(7), &faults, &number(index))).count();
        assert!((320..480).contains(&bad), "{bad}");
        assert!((0..100).any(|index| failed(7, index) != failed(8, index)), "another seed, other numbers");
        let expired =
            (0..20_000).filter(|&index| final_stat(Seed(7), &faults, &number(index)).text() == "EXPIRED").count();
        assert!((300..500).contains(&expired), "two tenths of the failures: {expired}");
        let plain = Number::new("test", "13800000007").unwrap();
        let international = Number::new("test", "8613800000007").unwrap();
        assert_eq!(hash(Seed(1), b"x", &plain), hash(Seed(1), b"x", &international));
    }

    #[test]
    fn dice_keep_to_their_bounds() {
        let mut dice = Dice::new(Seed(1), "901234");
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between((3, 5)))));
        assert_eq!(dice.between((4, 4)), 4);
        assert!(!dice.chance(0.0) && dice.chance(1.0));
        let hits = (0..10_000).filter(|_| dice.chance(0.25)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
    }
}
