//! Account numbers: digits with their leading zeros, never a number to calculate with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// A customer's account number (户号), 10 to 13 digits, leading zeros kept.
///
/// Packed into eight bytes, since millions of them are held in memory: the count of digits in the top byte, their value below. The order of
/// packed values is by length, then by digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNumber(u64);

impl AccountNumber {
    /// Fewest digits (domain words: 10–13 digits).
    pub const MIN_DIGITS: usize = 10;
    /// Most digits.
    pub const MAX_DIGITS: usize = 13;

    /// The packed form, for columns and keys.
    #[must_use]
    pub fn packed(self) -> u64 {
        self.0
    }

    /// Back from [`AccountNumber::packed`]; none if `packed` is no account number.
    #[must_use]
    pub fn from_packed(packed: u64) -> Option<Self> {
        let digits = usize::try_from(packed >> 56).ok()?;
        let value = packed & ((1 << 56) - 1);
        let fits = (Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&digits)
            && value < 10u64.pow(u32::try_from(digits).unwrap_or(0));
        fits.then_some(Self(packed))
    }

    /// A hash of the number that never changes between versions of the house: canaries and samples choose by it.
    #[must_use]
    pub fn stable_hash(self) -> u64 {
        // SplitMix64's finaliser (Steele, Lea, Flood 2014): well mixed, tiny, and fixed for good.
        let mut z = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl FromStr for AccountNumber {
    type Err = ModelError;

    fn from_str(s: &str) -> Result<Self, ModelError> {
        let t = s.trim();
        if (Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit()) {
            let value = t.bytes().fold(0u64, |v, b| v * 10 + u64::from(b - b'0'));
            return Ok(Self((t.len() as u64) << 56 | value));
        }
        let float_like = t.bytes().any(|b| matches!(b, b'e' | b'E' | b'.')) && t.parse::<f64>().is_ok();
        if float_like {
            return Err(ModelError::AccountFloat { value: s.to_owned() });
        }
        Err(ModelError::Account { value: s.chars().take(40).collect() })
    }
}

impl fmt::Display for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = (self.0 >> 56) as usize;
        write!(f, "{:0digits$}", self.0 & ((1 << 56) - 1))
    }
}

impl fmt::Debug for AccountNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for AccountNumber {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.collect_str(self) } else { self.0.serialize(s) }
    }
}

impl<'de> Deserialize<'de> for AccountNumber {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(D::Error::custom)
        } else {
            Self::from_packed(u64::deserialize(d)?).ok_or_else(|| D::Error::custom("not a packed account number"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn digits_round_trip_with_leading_zeros(text in "[0-9]{10,13}") {
            let a: AccountNumber = text.parse().unwrap();
            prop_assert_eq!(a.to_string(), text);
            prop_assert_eq!(AccountNumber::from_packed(a.packed()), Some(a));
        }

        #[test]
        fn other_lengths_are_refused(text in "[0-9]{0,9}|[0-9]{14,20}") {
            prop_assert!(text.parse::<AccountNumber>().is_err());
        }
    }

    #[test]
    fn a_float_is_named_as_such() {
        let e = "1.2E+12".parse::<AccountNumber>().unwrap_err();
        assert!(matches!(e, ModelError::AccountFloat { .. }), "{e}");
        assert!(e.to_string().contains("`1.2E+12`"));
    }
}
