//! Money: integer fen, never a float.

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// 1/100 yuan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(pub i64);

impl Fen {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest amount that an import accepts, 10 billion yuan: larger is a slipped column, not a bill.
    pub const MAX_PLAUSIBLE: Self = Self(1_000_000_000_000);

    /// In yuan with two decimals, as customers read it.
    #[must_use]
    pub fn yuan(self) -> String {
        let sign = if self.0 < 0 { "-" } else { "" };
        let abs = self.0.unsigned_abs();
        format!("{sign}{}.{:02}", abs / 100, abs % 100)
    }
}

impl FromStr for Fen {
    type Err = ModelError;

    /// Yuan with at most two decimals, an optional sign, and thousands commas as spreadsheets write them: `1,234.50`.
    fn from_str(s: &str) -> Result<Self, ModelError> {
        let bad = || ModelError::Amount { value: s.chars().take(40).collect() };
        let t = s.trim();
        let t = t.strip_prefix(['¥', '￥']).unwrap_or(t);
        let (negative, t) = match t.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, t.strip_prefix('+').unwrap_or(t)),
        };
        let (whole, cents) = t.split_once('.').unwrap_or((t, ""));
        // Commas only where thousands are: 1,2 is a slipped delimiter, not twelve yuan.
        let mut groups = whole.split(',');
        let first = groups.next().unwrap_or("");
        let rest: Vec<&str> = groups.collect();
        if !rest.is_empty() && (first.len() > 3 || rest.iter().any(|g| g.len() != 3)) {
            return Err(bad());
        }
        let digits: String = whole.chars().filter(|c| *c != ',').collect();
        if digits.is_empty() || digits.len() > 12 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        // Trailing zeros beyond the second decimal are how databases print decimals; anything else would lose money.
        let significant = cents.trim_end_matches('0');
        if significant.len() > 2 || !cents.bytes().all(|b| b.is_ascii_digit()) {
            return Err(bad());
        }
        let mut value = digits.parse::<i64>().map_err(|_| bad())? * 100;
        for (i, b) in significant.bytes().enumerate() {
            value += i64::from(b - b'0') * if i == 0 { 10 } else { 1 };
        }
        if value > Self::MAX_PLAUSIBLE.0 {
            return Err(bad());
        }
        Ok(Self(if negative { -value } else { value }))
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.yuan())
    }
}

impl fmt::Debug for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} yuan", self.yuan())
    }
}

impl Add for Fen {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Self(self.0.saturating_add(o.0))
    }
}
impl Sub for Fen {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self(self.0.saturating_sub(o.0))
    }
}
impl Neg for Fen {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}
impl AddAssign for Fen {
    fn add_assign(&mut self, o: Self) {
        *self = *self + o;
    }
}
impl SubAssign for Fen {
    fn sub_assign(&mut self, o: Self) {
        *self = *self - o;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn yuan_round_trips(fen in -1_000_000_000_000i64..=1_000_000_000_000) {
            prop_assert_eq!(Fen(fen).yuan().parse::<Fen>().unwrap(), Fen(fen));
        }
    }

    #[test]
    fn only_whole_fen_are_money() {
        assert_eq!("19.5".parse::<Fen>().unwrap(), Fen(1950));
        assert_eq!("1,234.5000".parse::<Fen>().unwrap(), Fen(123_450));
        assert_eq!("-0.07".parse::<Fen>().unwrap(), Fen(-7));
        for bad in ["", "1.234", "1.2E+3", "1,2", "--1", "1.-2", "yuan", "99999999999999", "0x10", "1 2"] {
            assert!(bad.parse::<Fen>().is_err(), "{bad}");
        }
    }
}
