//! Dates and times as policies and people mean them: civil, Asia/Shanghai. Reads no clock.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::error::ModelError;

/// Asia/Shanghai is UTC+8 without daylight saving since 1991 (IANA tzdata); every date the house handles is later.
pub const SHANGHAI_OFFSET_MINUTES: i64 = 8 * 60;
/// Minutes in a day.
pub const MINUTES_PER_DAY: i64 = 24 * 60;
const MS_PER_MINUTE: i64 = 60_000;

/// A civil date: days since 1970-01-01. [`Date::NONE`] stands for "none" in columns.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(pub i32);

impl Date {
    /// "None" as the contract spells it.
    pub const NONE: Self = Self(i32::MIN);

    /// The date of `year`-`month`-`day`, if there is one.
    #[must_use]
    pub fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        NaiveDate::from_ymd_opt(year, month, day).map(Self::from_naive)
    }

    fn from_naive(date: NaiveDate) -> Self {
        Self(date.num_days_from_ce() - 719_163)
    }

    /// The same as a chrono date; none for [`Date::NONE`] and beyond chrono's range.
    #[must_use]
    pub fn naive(self) -> Option<NaiveDate> {
        NaiveDate::from_num_days_from_ce_opt(self.0.checked_add(719_163)?)
    }

    /// Whether this is a real date.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// `Some` unless [`Date::NONE`].
    #[must_use]
    pub fn some(self) -> Option<Self> {
        self.is_some().then_some(self)
    }

    /// The date `days` later (earlier when negative).
    #[must_use]
    pub fn plus_days(self, days: i32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// `hour`:`minute` on this date.
    #[must_use]
    pub fn at(self, hour: u32, minute: u32) -> CivilMinute {
        CivilMinute(i64::from(self.0) * MINUTES_PER_DAY + i64::from(hour) * 60 + i64::from(minute))
    }

    /// Monday is 0, Sunday is 6.
    #[must_use]
    pub fn weekday(self) -> u32 {
        // 1970-01-01 was a Thursday.
        u32::try_from((i64::from(self.0) + 3).rem_euclid(7)).unwrap_or(0)
    }

    /// Year, month, day; zeros for "none".
    #[must_use]
    pub fn ymd(self) -> (i32, u32, u32) {
        self.naive().map_or((0, 0, 0), |d| (d.year(), d.month(), d.day()))
    }

    /// As customers read it: 2月13日.
    #[must_use]
    pub fn chinese(self) -> String {
        let (_, m, d) = self.ymd();
        format!("{m}月{d}日")
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.naive() {
            Some(d) if self.is_some() => write!(f, "{}", d.format("%Y-%m-%d")),
            _ => f.write_str("none"),
        }
    }
}

impl fmt::Debug for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Date {
    type Err = ModelError;

    /// `2026-11-21`, `2026/11/21`, `20261121` or `2026年11月21日`.
    fn from_str(s: &str) -> Result<Self, ModelError> {
        let bad = || ModelError::Date { value: s.to_owned() };
        let t = s.trim();
        let parts: Vec<&str> = if t.len() == 8 && t.bytes().all(|b| b.is_ascii_digit()) {
            vec![&t[..4], &t[4..6], &t[6..]]
        } else {
            t.split(['-', '/', '.', '年', '月', '日']).filter(|p| !p.is_empty()).collect()
        };
        let [y, m, d] = parts[..] else { return Err(bad()) };
        let year = y.parse().map_err(|_| bad())?;
        if !(1990..=2200).contains(&year) {
            return Err(bad());
        }
        Self::from_ymd(year, m.parse().map_err(|_| bad())?, d.parse().map_err(|_| bad())?).ok_or_else(bad)
    }
}

/// A civil minute: minutes since 1970-01-01T00:00 in the prefecture's time. [`CivilMinute::NONE`] stands for "none".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CivilMinute(pub i64);

impl CivilMinute {
    /// "None" as the contract spells it.
    pub const NONE: Self = Self(i64::MIN);

    /// Whether this is a real minute.
    #[must_use]
    pub fn is_some(self) -> bool {
        self != Self::NONE
    }

    /// `Some` unless [`CivilMinute::NONE`].
    #[must_use]
    pub fn some(self) -> Option<Self> {
        self.is_some().then_some(self)
    }

    /// The date it lies on.
    #[must_use]
    pub fn date(self) -> Date {
        if !self.is_some() {
            return Date::NONE;
        }
        Date(i32::try_from(self.0.div_euclid(MINUTES_PER_DAY)).unwrap_or(i32::MAX))
    }

    /// Minute of the day, 0 to 1439.
    #[must_use]
    pub fn minute_of_day(self) -> u32 {
        u32::try_from(self.0.rem_euclid(MINUTES_PER_DAY)).unwrap_or(0)
    }

    /// `minutes` later (earlier when negative).
    #[must_use]
    pub fn plus_minutes(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes))
    }

    /// The moment at which this minute begins.
    #[must_use]
    pub fn moment(self) -> Moment {
        Moment((self.0.saturating_sub(SHANGHAI_OFFSET_MINUTES)).saturating_mul(MS_PER_MINUTE))
    }
}

impl fmt::Display for CivilMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_some() {
            return f.write_str("none");
        }
        let m = self.minute_of_day();
        write!(f, "{}T{:02}:{:02}", self.date(), m / 60, m % 60)
    }
}

impl fmt::Debug for CivilMinute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CivilMinute {
    type Err = ModelError;

    /// `2026-11-21T09:30` or with a space; seconds are accepted and dropped.
    fn from_str(s: &str) -> Result<Self, ModelError> {
        let bad = || ModelError::Minute { value: s.to_owned() };
        let t = s.trim();
        let (date, time) = t.split_once(['T', ' ']).ok_or_else(bad)?;
        let mut parts = time.trim().trim_end_matches("+08:00").split(':');
        let hour: u32 = parts.next().and_then(|p| p.parse().ok()).ok_or_else(bad)?;
        let minute: u32 = parts.next().and_then(|p| p.parse().ok()).ok_or_else(bad)?;
        if hour > 23 || minute > 59 {
            return Err(bad());
        }
        Ok(date.parse::<Date>().map_err(|_| bad())?.at(hour, minute))
    }
}

/// A moment on the world's time line, milliseconds since the Unix epoch: for records of what happened when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Moment(i64);

impl Moment {
    /// From milliseconds since 1970-01-01T00:00Z.
    #[must_use]
    pub fn from_unix_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970-01-01T00:00Z.
    #[must_use]
    pub fn unix_ms(self) -> i64 {
        self.0
    }

    /// The civil minute in which it lies.
    #[must_use]
    pub fn civil_minute(self) -> CivilMinute {
        CivilMinute(self.0.div_euclid(MS_PER_MINUTE) + SHANGHAI_OFFSET_MINUTES)
    }

    /// The civil date on which it lies.
    #[must_use]
    pub fn date(self) -> Date {
        self.civil_minute().date()
    }

    /// `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

impl fmt::Display for Moment {
    /// RFC 3339 in the prefecture's time, to the millisecond.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.rem_euclid(MS_PER_MINUTE);
        write!(f, "{}:{:02}.{:03}+08:00", self.civil_minute(), ms / 1000, ms % 1000)
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Dates and minutes travel as ISO text in JSON and TOML and as integers in binary records.
macro_rules! serde_as_text {
    ($t:ident, $int:ty) => {
        impl Serialize for $t {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() {
                    if self.is_some() { s.collect_str(self) } else { s.serialize_none() }
                } else {
                    self.0.serialize(s)
                }
            }
        }
        impl<'de> Deserialize<'de> for $t {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                if d.is_human_readable() {
                    match Option::<String>::deserialize(d)? {
                        Some(text) => text.parse().map_err(serde::de::Error::custom),
                        None => Ok(Self::NONE),
                    }
                } else {
                    <$int>::deserialize(d).map(Self)
                }
            }
        }
    };
}
serde_as_text!(Date, i32);
serde_as_text!(CivilMinute, i64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_round_trip_and_know_their_weekday() {
        let d: Date = "2026-11-21".parse().unwrap();
        assert_eq!(d.to_string(), "2026-11-21");
        assert_eq!(d.weekday(), 5, "a Saturday");
        for text in ["2026/11/21", "20261121", "2026年11月21日"] {
            assert_eq!(text.parse::<Date>().unwrap(), d);
        }
        for text in ["2026-02-30", "26-1-1", "", "2026-1", "1.2E+12"] {
            assert!(text.parse::<Date>().is_err(), "{text}");
        }
    }

    #[test]
    fn shanghai_midnight_is_four_in_the_afternoon_before_in_utc() {
        let d: Date = "2026-01-01".parse().unwrap();
        assert_eq!(d.at(0, 0).moment().to_string(), "2026-01-01T00:00:00.000+08:00");
        assert_eq!(d.at(0, 0).moment().unix_ms() % 86_400_000, 16 * 3_600_000);
        assert_eq!(d.at(9, 30).to_string().parse::<CivilMinute>().unwrap(), d.at(9, 30));
    }
}
