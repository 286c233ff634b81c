//! Money, dates and the other units of the contract.

/// 1/100 yuan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
#[repr(transparent)]
pub struct Fen(pub i64);

impl From<i64> for Fen {
    fn from(fen: i64) -> Self {
        Self(fen)
    }
}

/// A civil date: days since 1970-01-01.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct Date(pub i32);

impl Date {
    /// "None" as the contract spells it; earlier than every date.
    pub const NONE: Self = Self(i32::MIN);

    /// Whether there is no date.
    #[must_use]
    #[inline]
    pub const fn is_none(self) -> bool {
        self.0 == i32::MIN
    }

    /// The date of `year`-`month`-`day`; the caller vouches that there is one. After Howard Hinnant's `days_from_civil`.
    #[must_use]
    pub const fn of(year: i32, month: u32, day: u32) -> Self {
        let y = if month <= 2 { year - 1 } else { year };
        let era = y.div_euclid(400);
        let year_of_era = y.rem_euclid(400);
        let month_from_march = (month as i32 + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + day as i32 - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self(era * 146_097 + day_of_era - 719_468)
    }

    /// Year, month, day. After Howard Hinnant's `civil_from_days`.
    #[must_use]
    pub const fn ymd(self) -> (i32, u32, u32) {
        let z = self.0 as i64 + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
        let month = if mp < 10 { mp + 3 } else { mp - 9 } as u32;
        let year = yoe + era * 400 + if month <= 2 { 1 } else { 0 };
        (year as i32, month, day)
    }

    /// Monday is 0, Sunday is 6.
    #[must_use]
    pub const fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday.
        (self.0 as i64 + 3).rem_euclid(7) as u32
    }

    /// The date `days` later (earlier when negative); "none" stays none.
    #[must_use]
    #[inline]
    pub const fn plus(self, days: i32) -> Self {
        if self.is_none() { self } else { Self(self.0.saturating_add(days)) }
    }

    /// Days from `earlier` to this date; negative if that is later.
    #[must_use]
    #[inline]
    pub const fn since(self, earlier: Self) -> i64 {
        self.0 as i64 - earlier.0 as i64
    }

    /// `hour`:`minute` on this date.
    #[must_use]
    #[inline]
    pub const fn at(self, hour: u32, minute: u32) -> CivilMinute {
        CivilMinute(self.0 as i64 * 1440 + hour as i64 * 60 + minute as i64)
    }
}

/// A civil minute: minutes since 1970-01-01T00:00, prefecture's time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(transparent)]
pub struct CivilMinute(pub i64);

impl CivilMinute {
    /// "None" as the contract spells it.
    pub const NONE: Self = Self(i64::MIN);

    /// The date it lies on.
    #[must_use]
    pub const fn date(self) -> Date {
        if self.0 == i64::MIN { Date::NONE } else { Date(self.0.div_euclid(1440) as i32) }
    }
}

/// What is known of a customer, as bits; [`crate::traits`] lists them.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[repr(transparent)]
pub struct Traits(pub u32);

impl Traits {
    /// Whether all of `bits` are set.
    #[must_use]
    #[inline]
    pub const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 == bits.0
    }

    /// Whether any of `bits` is set.
    #[must_use]
    #[inline]
    pub const fn has_any(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn and(self, bits: Self) -> Self {
        Self(self.0 | bits.0)
    }
}

/// Energy.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
#[repr(transparent)]
pub struct Kwh(pub u32);

/// A plain number in a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Count(pub i64);

/// A number of days in a text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Days(pub i64);

/// A number that a notice can carry for its template.
pub trait Arg {
    /// Its unit in the manifest.
    const UNIT: &'static str;
    /// The number that crosses.
    fn number(self) -> i64;
}

macro_rules! arg {
    ($($ty:ident, $unit:literal;)*) => {
        $(impl Arg for $ty {
            const UNIT: &'static str = $unit;
            #[inline]
            fn number(self) -> i64 {
                self.0.into()
            }
        })*
    };
}

arg! {
    Fen, "fen";
    Date, "date";
    Days, "days";
    Kwh, "kwh";
    Count, "count";
    CivilMinute, "civil-minute";
}
