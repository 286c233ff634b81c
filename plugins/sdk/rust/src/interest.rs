//! Whom a policy could choose at all.

use alloc::vec::Vec;

/// How a bound looks at a value. The order is the contract's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Test {
    /// `low` ≤ value ≤ `high`.
    Between,
    /// Every bit of `low` is set.
    AllBits,
    /// Some bit of `low` is set.
    AnyBit,
    /// No bit of `low` is set.
    NoBits,
}

/// A condition on one column; made by the functions of [`crate::Column`]. Laid out as the contract's record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Bound {
    /// The column's id.
    pub column: u16,
    /// How.
    pub test: Test,
    /// Lowest value, or the mask.
    pub low: i64,
    /// Highest value.
    pub high: i64,
}

/// Whom a policy could choose at all: everyone, or whoever fits any of the clauses, each all of its bounds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interest(pub(crate) Option<Vec<Vec<Bound>>>);

impl Interest {
    /// The host passes every customer. Correct, and slow: say who cannot be chosen wherever it is known.
    #[must_use]
    pub fn everyone() -> Self {
        Self(None)
    }

    /// Nobody, until [`Interest::or`] adds some.
    #[must_use]
    pub fn nobody() -> Self {
        Self(Some(Vec::new()))
    }

    /// Whoever fits all of `bounds`.
    #[must_use]
    pub fn whoever(bounds: impl IntoIterator<Item = Bound>) -> Self {
        Self::nobody().or(bounds)
    }

    /// And whoever fits all of `bounds`. No bound at all is everyone.
    #[must_use]
    pub fn or(self, bounds: impl IntoIterator<Item = Bound>) -> Self {
        let clause: Vec<Bound> = bounds.into_iter().collect();
        match self.0 {
            Some(mut clauses) if !clause.is_empty() => {
                if !clauses.contains(&clause) {
                    clauses.push(clause);
                }
                Self(Some(clauses))
            }
            _ => Self(None),
        }
    }

    /// Whether a row whose columns `value` gives is among them; "none" is told by `is_none`. For tests.
    pub fn contains(&self, value: impl Fn(u16) -> i64, is_none: impl Fn(u16, i64) -> bool) -> bool {
        let passes = |b: &Bound| {
            let v = value(b.column);
            match b.test {
                Test::Between => b.low <= v && v <= b.high && !is_none(b.column, v),
                Test::AllBits => v & b.low == b.low,
                Test::AnyBit => v & b.low != 0,
                Test::NoBits => v & b.low == 0,
            }
        };
        self.0.as_ref().is_none_or(|clauses| clauses.iter().any(|clause| clause.iter().all(passes)))
    }
}
