//! Times of day: send windows, quiet hours, and their intersection. Knows nothing of dates but the minutes of one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::PlannerError;

/// Minutes of one day; a window may end at 24:00, which is this.
pub(crate) const DAY: u16 = 1440;

/// From a minute of the day (included) to another (not included); `from` is later than `to` where the span passes midnight.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct TimeSpan {
    /// Minute of the day, 0 to 1439.
    pub from: u16,
    /// Minute of the day, 1 to 1440; not included.
    pub to: u16,
}

impl TimeSpan {
    /// Whether minute `minute` of the day lies in it.
    #[must_use]
    pub fn contains(self, minute: u16) -> bool {
        if self.from < self.to {
            (self.from..self.to).contains(&minute)
        } else {
            minute >= self.from || minute < self.to
        }
    }

    /// Whether it passes midnight.
    #[must_use]
    pub fn wraps(self) -> bool {
        self.from >= self.to
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}-{:02}:{:02}", self.from / 60, self.from % 60, self.to / 60, self.to % 60)
    }
}

impl FromStr for TimeSpan {
    type Err = PlannerError;

    /// `08:30-11:30`; the end may be `24:00`. A span of no minutes is refused.
    fn from_str(s: &str) -> Result<Self, PlannerError> {
        let bad =
            || PlannerError::Time { value: s.chars().take(40).collect(), what: "time span", example: "08:30-11:30" };
        let minute = |t: &str| -> Option<u16> {
            let (h, m) = t.trim().split_once([':', '：'])?;
            let two = |x: &str| (x.len() <= 2).then(|| x.parse::<u16>().ok()).flatten();
            let (h, m) = (two(h)?, two(m)?);
            (m < 60 && h * 60 + m <= DAY).then_some(h * 60 + m)
        };
        let (from, to) = s.split_once(['-', '–', '—', '~']).ok_or_else(bad)?;
        let (from, to) = (minute(from).ok_or_else(bad)?, minute(to).ok_or_else(bad)?);
        if from == DAY || from == to || to == 0 {
            return Err(bad());
        }
        Ok(Self { from, to })
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The minutes of a day at which something may be sent, as ascending spans that do not touch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenMinutes(Vec<(u16, u16)>);

impl OpenMinutes {
    /// Inside one of `windows` (all day if there are none) and outside `quiet`.
    #[must_use]
    pub fn new(windows: &[TimeSpan], quiet: Option<TimeSpan>) -> Self {
        // A day has 1440 minutes: marking them is simpler than an algebra of spans, and this runs once for a run.
        let open = |m: u16| {
            (windows.is_empty() || windows.iter().any(|w| w.contains(m))) && !quiet.is_some_and(|q| q.contains(m))
        };
        let mut spans: Vec<(u16, u16)> = Vec::new();
        for m in (0..DAY).filter(|m| open(*m)) {
            match spans.last_mut() {
                Some((_, to)) if *to == m => *to = m + 1,
                _ => spans.push((m, m + 1)),
            }
        }
        Self(spans)
    }

    /// The first open minute of the day at or after `minute`.
    #[must_use]
    pub fn at_or_after(&self, minute: u16) -> Option<u16> {
        self.0.iter().find(|(_, to)| minute < *to).map(|(from, _)| minute.max(*from))
    }

    /// Whether no minute is open.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_clerks_write_them() {
        let span: TimeSpan = "8:30–11:30".parse().unwrap();
        assert_eq!(span.to_string(), "08:30-11:30");
        assert!("21:00-08:00".parse::<TimeSpan>().unwrap().wraps());
        assert_eq!("00:00-24:00".parse::<TimeSpan>().unwrap(), TimeSpan { from: 0, to: DAY });
        for bad in ["", "8-9", "08:60-09:00", "24:00-25:00", "09:00-09:00", "09:00", "009:00-10:00", "10:00-00:00"] {
            let e = bad.parse::<TimeSpan>().unwrap_err().to_string();
            assert!(e.contains("08:30-11:30"), "{bad}: {e}");
        }
    }

    #[test]
    fn windows_and_quiet_hours_intersect() {
        let spans = |list: &[&str]| list.iter().map(|s| s.parse().unwrap()).collect::<Vec<TimeSpan>>();
        let open = OpenMinutes::new(&spans(&["07:00-11:30", "20:00-22:00"]), Some("21:00-08:00".parse().unwrap()));
        assert_eq!(open, OpenMinutes(vec![(480, 690), (1200, 1260)]));
        assert_eq!(open.at_or_after(0), Some(480));
        assert_eq!(open.at_or_after(689), Some(689));
        assert_eq!(open.at_or_after(690), Some(1200));
        assert_eq!(open.at_or_after(1260), None);
        assert!(OpenMinutes::new(&spans(&["22:00-23:00"]), Some("21:00-08:00".parse().unwrap())).is_never());
    }
}
