//! Columns as an author sees them: a field of the customer, and something to bound in `interest`.

use crate::abi::Raw;
use crate::interest::{Bound, Test};
use crate::value::{Date, Fen, Kwh, Traits};

/// What an author reads in a column whose values cross as `R`.
pub trait Reading<R>: Copy {
    /// What a bound on the column is written in.
    type Limit: Limit;
    /// The value that `raw` stands for.
    fn read(raw: R) -> Self;
    /// The number that crosses for it.
    fn number(self) -> i64;
}

/// Something that a bound can be written in.
pub trait Limit: Copy {
    /// The number that crosses.
    fn number(self) -> i64;
}

/// A column of the registry.
pub trait Column: Copy {
    /// What crosses for each row.
    type Raw: Raw;
    /// What an author reads.
    type Value: Reading<Self::Raw>;
    /// Its id in the registry.
    const ID: u16;
    /// Its name in the registry.
    const NAME: &'static str;
    /// The value of a customer of whom nothing is known.
    const UNKNOWN: Self::Raw;

    /// Passes rows whose value lies between `low` and `high`, both included; "none" never passes.
    fn between(self, low: LimitOf<Self>, high: LimitOf<Self>) -> Bound {
        Bound { column: Self::ID, test: Test::Between, low: low.number(), high: high.number() }
    }

    /// Passes rows whose value is `low` or more; "none" never passes.
    fn at_least(self, low: LimitOf<Self>) -> Bound {
        Bound { column: Self::ID, test: Test::Between, low: low.number(), high: i64::MAX }
    }

    /// Passes rows whose value is `high` or less; "none" never passes.
    fn at_most(self, high: LimitOf<Self>) -> Bound {
        Bound { column: Self::ID, test: Test::Between, low: i64::MIN, high: high.number() }
    }

    /// Passes rows that have all of `bits`.
    fn all_of(self, bits: Traits) -> Bound
    where
        Self: Column<Value = Traits>,
    {
        Bound { column: Self::ID, test: Test::AllBits, low: bits.0.into(), high: 0 }
    }

    /// Passes rows that have any of `bits`.
    fn any_of(self, bits: Traits) -> Bound
    where
        Self: Column<Value = Traits>,
    {
        Bound { column: Self::ID, test: Test::AnyBit, low: bits.0.into(), high: 0 }
    }

    /// Passes rows that have none of `bits`.
    fn none_of(self, bits: Traits) -> Bound
    where
        Self: Column<Value = Traits>,
    {
        Bound { column: Self::ID, test: Test::NoBits, low: bits.0.into(), high: 0 }
    }
}

/// What a bound on column `C` is written in.
type LimitOf<C> = <<C as Column>::Value as Reading<<C as Column>::Raw>>::Limit;

macro_rules! column {
    ($(#[$doc:meta])* $name:ident = $id:literal, $text:literal, $raw:ty => $value:ty, $unknown:literal;) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl crate::Column for $name {
            type Raw = $raw;
            type Value = $value;
            const ID: u16 = $id;
            const NAME: &'static str = $text;
            const UNKNOWN: $raw = $unknown;
        }
    };
}
pub(crate) use column;

macro_rules! plain {
    ($($int:ty),*) => {
        $(
            impl Reading<$int> for $int {
                type Limit = $int;
                #[inline]
                fn read(raw: $int) -> Self {
                    raw
                }
                fn number(self) -> i64 {
                    self.into()
                }
            }
            impl Limit for $int {
                fn number(self) -> i64 {
                    self.into()
                }
            }
        )*
    };
}
plain!(u8, u16, u32, i32, i64);

macro_rules! wrapped {
    ($($name:ident($raw:ty)),*) => {
        $(
            impl Reading<$raw> for $name {
                type Limit = $name;
                #[inline]
                fn read(raw: $raw) -> Self {
                    Self(raw)
                }
                fn number(self) -> i64 {
                    self.0.into()
                }
            }
            impl Limit for $name {
                fn number(self) -> i64 {
                    self.0.into()
                }
            }
        )*
    };
}
wrapped!(Fen(i64), Date(i32), Traits(u32), Kwh(u32));

/// An amount in 32 bits, of which the largest value stands for "none".
impl Reading<u32> for Option<Fen> {
    type Limit = Fen;
    #[inline]
    fn read(raw: u32) -> Self {
        if raw == u32::MAX { None } else { Some(Fen(raw.into())) }
    }
    fn number(self) -> i64 {
        self.map_or(u32::MAX.into(), |fen| fen.0)
    }
}
