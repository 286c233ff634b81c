//! Message numbers and the times that reports carry.

use gridbell_cmpp::{MsgId, Octets, Stamp};
use gridbell_model::Moment;

/// Numbers in one second: the sequence has 16 bits.
const PER_SECOND: u32 = 1 << 16;

/// Gives message numbers that never repeat within a year. Above 65 536 in one second it borrows from the next.
pub(super) struct Mint {
    gateway: u32,
    second: i64,
    sequence: u32,
    stamp: Option<Stamp>,
}

impl Mint {
    pub(super) const fn new(gateway: u32) -> Self {
        Self { gateway, second: i64::MIN, sequence: 0, stamp: None }
    }

    /// The first of `count` consecutive numbers. `count` is at most a submit's 99 terminals.
    pub(super) fn mint(&mut self, now: Moment, count: u32) -> MsgId {
        let second = now.unix_ms().div_euclid(1000);
        if second > self.second {
            self.turn(second);
        } else if self.sequence + count > PER_SECOND {
            self.turn(self.second + 1);
        }
        let first = self.sequence as u16;
        self.sequence += count;
        self.stamp.map_or(MsgId(u64::from(first)), |stamp| MsgId::pack(stamp, self.gateway, first))
    }

    fn turn(&mut self, second: i64) {
        self.second = second;
        self.sequence = 0;
        self.stamp = stamp(Moment::from_unix_ms(second * 1000));
    }
}

fn stamp(moment: Moment) -> Option<Stamp> {
    let (_, month, day) = moment.date().ymd();
    let minute = moment.civil_minute().minute_of_day();
    let second = moment.unix_ms().div_euclid(1000).rem_euclid(60);
    let octet = |part: u32| u8::try_from(part).ok();
    Stamp::new(octet(month)?, octet(day)?, octet(minute / 60)?, octet(minute % 60)?, u8::try_from(second).ok()?)
}

/// Writes times, remembering the last: nearly all reports fall into the same minute.
#[derive(Default)]
pub(super) struct Calendar {
    minute: Option<i64>,
    time: Octets<10>,
    day: Octets<8>,
}

impl Calendar {
    /// YYMMDDHHMM and YYYYMMDD of `moment`.
    pub(super) fn write(&mut self, moment: Moment) -> (Octets<10>, Octets<8>) {
        let minute = moment.unix_ms().div_euclid(60_000);
        if self.minute != Some(minute) {
            let (year, month, day) = moment.date().ymd();
            let of_day = moment.civil_minute().minute_of_day();
            let (hour, of_hour) = (of_day / 60, of_day % 60);
            let time = format!("{:02}{month:02}{day:02}{hour:02}{of_hour:02}", year.rem_euclid(100));
            self.time = Octets::new("time", time).unwrap_or_default();
            self.day = Octets::new("day", format!("{year:04}{month:02}{day:02}")).unwrap_or_default();
            self.minute = Some(minute);
        }
        (self.time, self.day)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use gridbell_model::Date;

    use super::*;

    #[test]
    fn numbers_never_repeat_even_when_a_second_is_full_or_the_clock_goes_back() {
        let mut mint = Mint::new(1001);
        let start = Date::from_ymd(2026, 11, 22).unwrap().at(20, 1).moment();
        let mut seen = HashSet::new();
        for round in 0..3_000_i64 {
            let now = start.plus_ms(if round % 3 == 0 { -5_000 } else { round / 10 });
            let first = mint.mint(now, 99);
            assert!((0..99).all(|index| seen.insert(first.nth(index))));
            assert_eq!(first.gateway(), 1001);
        }
        assert_eq!(Mint::new(1).mint(start, 1).stamp(), Stamp::new(11, 22, 20, 1, 0));
    }

    #[test]
    fn times_are_shanghais() {
        let moment = Date::from_ymd(2026, 1, 2).unwrap().at(0, 5).moment();
        let (time, day) = Calendar::default().write(moment);
        assert_eq!((&*time.text(), &*day.text()), ("2601020005", "20260102"));
    }
}
