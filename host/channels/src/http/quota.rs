//! The day's quota of one account, by Shanghai's calendar. Pure: it is told the time.

use gridbell_model::{Date, Moment};

/// Counts a day's messages, and knows when the platform itself said that there are no more. It starts at nothing with the process: the platform's own
/// word, which comes with the first refusal, sets it right.
#[derive(Debug)]
pub struct Quota {
    limit: Option<u64>,
    day: Option<Date>,
    used: u64,
    told: Option<Moment>,
}

impl Quota {
    /// `limit` messages a day; none for no limit of ours.
    #[must_use]
    pub const fn new(limit: Option<u64>) -> Self {
        Self { limit, day: None, used: 0, told: None }
    }

    fn turn(&mut self, now: Moment) {
        if self.day != Some(now.date()) {
            (self.day, self.used) = (Some(now.date()), 0);
        }
        if self.told.is_some_and(|until| until <= now) {
            self.told = None;
        }
    }

    /// A message was accepted, or may have been.
    pub fn used(&mut self, now: Moment) {
        self.turn(now);
        self.used = self.used.saturating_add(1);
    }

    /// The platform says that there are no more before `until`.
    pub fn told(&mut self, until: Moment) {
        self.told = self.told.max(Some(until));
    }

    /// A person lets it be tried again.
    pub const fn forget(&mut self) {
        self.told = None;
    }

    /// Whether one more may go while `under_way` are not answered.
    pub fn has_room(&mut self, under_way: usize, now: Moment) -> bool {
        self.turn(now);
        let under_way = u64::try_from(under_way).unwrap_or(u64::MAX);
        self.told.is_none() && self.limit.is_none_or(|limit| self.used.saturating_add(under_way) < limit)
    }

    /// Until when there are no more, if that is so.
    pub fn over_until(&mut self, now: Moment) -> Option<Moment> {
        self.turn(now);
        let midnight = now.date().plus_days(1).at(0, 0).moment();
        self.told.or(self.limit.is_some_and(|limit| self.used >= limit).then_some(midnight))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_by_the_day_and_believes_the_platform() {
        let noon = Date::from_ymd(2026, 11, 22).unwrap().at(12, 0).moment();
        let midnight = Date::from_ymd(2026, 11, 23).unwrap().at(0, 0).moment();
        let mut quota = Quota::new(Some(2));
        assert!(quota.has_room(1, noon) && !quota.has_room(2, noon));
        quota.used(noon);
        assert_eq!((quota.has_room(1, noon), quota.over_until(noon)), (false, None), "it depends on the one under way");
        quota.used(noon);
        assert_eq!(quota.over_until(noon), Some(midnight));
        assert!(quota.has_room(0, midnight));
        quota.told(midnight.plus_ms(1000));
        assert_eq!(quota.over_until(midnight), Some(midnight.plus_ms(1000)));
        assert!(quota.has_room(0, midnight.plus_ms(1000)));
    }
}
