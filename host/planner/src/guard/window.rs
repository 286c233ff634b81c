//! When a message may go: the city's send windows within the province's quiet hours, on the days that the city sends.

use std::sync::Arc;

use gridbell_model::CivilMinute;

use crate::calendar::Calendar;
use crate::policy::SendDays;
use crate::times::{OpenMinutes, TimeSpan};

/// Days ahead that are searched: longer than any holiday and than any validity.
const DAYS_AHEAD: i32 = 32;

/// The minutes at which messages of a policy may go.
#[derive(Clone, Debug)]
pub struct SendTimes {
    open: OpenMinutes,
    days: SendDays,
    calendar: Arc<Calendar>,
}

impl SendTimes {
    /// Inside one of `windows` (all day if there are none), outside `quiet`, on `days`.
    #[must_use]
    pub fn new(windows: &[TimeSpan], quiet: Option<TimeSpan>, days: SendDays, calendar: Arc<Calendar>) -> Self {
        Self { open: OpenMinutes::new(windows, quiet), days, calendar }
    }

    /// The first allowed minute at or after `from` and before `until`.
    #[must_use]
    pub fn next(&self, from: CivilMinute, until: CivilMinute) -> Option<CivilMinute> {
        let today = from.date();
        for ahead in 0..=DAYS_AHEAD {
            let date = today.plus_days(ahead);
            if date.at(0, 0) >= until {
                return None;
            }
            if self.days == SendDays::Working && !self.calendar.is_working(date) {
                continue;
            }
            let earliest = if ahead == 0 { u16::try_from(from.minute_of_day()).unwrap_or(0) } else { 0 };
            if let Some(minute) = self.open.at_or_after(earliest) {
                return Some(date.at(0, u32::from(minute))).filter(|at| *at < until);
            }
        }
        None
    }

    /// Whether `at` is allowed.
    #[must_use]
    pub fn allows(&self, at: CivilMinute) -> bool {
        self.next(at, at.plus_minutes(1)).is_some()
    }
}
