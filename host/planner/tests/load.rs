//! What links carry of waves: within grants, windows and validity, and when they are done.

#![expect(clippy::unwrap_used, reason = "a panic is the failure")]

mod common;

use common::{calendar, minute};
use gridbell_model::{CivilMinute, Lane};
use gridbell_planner::{LinkCapacity, LoadForecast, SendDays, SendTimes, Wave, forecast_load};
use proptest::prelude::*;

fn times(windows: &[&str]) -> SendTimes {
    let windows: Vec<_> = windows.iter().map(|w| w.parse().unwrap()).collect();
    SendTimes::new(&windows, None, SendDays::All, calendar())
}

fn link(name: &str, serves: &[u8], parts_per_s: u32) -> LinkCapacity {
    LinkCapacity { name: name.into(), serves: serves.to_vec(), parts_per_s }
}

fn wave(queue: u8, from: &str, expires: &str, parts: u64) -> Wave {
    Wave { queue, lane: Lane::Bulk, from: minute(from), expires: minute(expires), parts, windowed: true }
}

fn until() -> CivilMinute {
    minute("2026-11-25T00:00")
}

#[test]
fn a_backlog_clears_when_the_grant_has_carried_it() {
    let links = [link("mobile", &[1], 10), link("unicom", &[2], 10)];
    let waves =
        [wave(1, "2026-11-20T09:00", "2026-11-21T09:00", 36_000), wave(2, "2026-11-20T09:00", "2026-11-21T09:00", 601)];
    let load = forecast_load(&links, &waves, &times(&["09:00-11:30"]), until());
    assert_eq!((load.expired_parts, load.waiting_parts), (0, 0));
    let (mobile, unicom) = (&load.links[0], &load.links[1]);
    assert_eq!((mobile.parts, unicom.parts), (36_000, 601));
    assert_eq!(mobile.days[0].clears_at, Some(minute("2026-11-20T10:00")), "600 a minute for an hour");
    assert_eq!((mobile.days[0].peak_parts, mobile.days[0].peak_hour), (36_000, minute("2026-11-20T09:00")));
    assert_eq!(unicom.days[0].clears_at, Some(minute("2026-11-20T09:02")));
}

#[test]
fn what_does_not_fit_into_todays_windows_goes_tomorrow_or_never() {
    let links = [link("mobile", &[1], 1)];
    // 60 a minute: 30 minutes carry 1800; 700 of one wave are worthless before the next window.
    let waves = [
        wave(1, "2026-11-20T09:00", "2026-11-23T00:00", 1_500),
        wave(1, "2026-11-20T09:10", "2026-11-20T22:00", 1_000),
    ];
    let load = forecast_load(&links, &waves, &times(&["09:00-09:30"]), until());
    assert_eq!((load.links[0].parts, load.expired_parts), (1_800, 700));
    assert_eq!(load.links[0].days.len(), 1);
    assert_eq!(load.links[0].days[0].clears_at, None, "something was left");
    let waves = [wave(1, "2026-11-20T09:00", "2026-11-23T00:00", 2_400)];
    let load = forecast_load(&links, &waves, &times(&["09:00-09:30"]), until());
    let days: Vec<_> = load.links[0].days.iter().map(|d| (d.parts, d.clears_at)).collect();
    assert_eq!(days, [(1_800, None), (600, Some(minute("2026-11-21T09:10")))]);
}

#[test]
fn urgent_goes_first_and_others_keep_no_window() {
    let links = [link("one", &[1, 2], 1)];
    let urgent = Wave { lane: Lane::Urgent, windowed: false, ..wave(2, "2026-11-20T08:59", "2026-11-20T10:00", 120) };
    let waves = [wave(1, "2026-11-20T08:00", "2026-11-21T08:00", 60), urgent];
    let load = forecast_load(&links, &waves, &times(&["09:00-09:30"]), until());
    let hours: Vec<_> = load.links[0].hours.iter().map(|h| (h.hour, h.parts)).collect();
    assert_eq!(hours, [(minute("2026-11-20T08:00"), 60), (minute("2026-11-20T09:00"), 120)]);
    assert_eq!(load.links[0].days[0].clears_at, Some(minute("2026-11-20T09:02")));
}

#[test]
fn a_queue_that_no_link_serves_waits() {
    let waves = [wave(3, "2026-11-20T09:00", "2026-11-30T09:00", 5)];
    let load = forecast_load(&[link("mobile", &[1], 0)], &waves, &times(&[]), until());
    assert_eq!((load.links[0].parts, load.waiting_parts, load.expired_parts), (0, 5, 0));
    assert_eq!(forecast_load(&[], &[], &times(&[]), until()), LoadForecast::default());
}

proptest! {
    #[test]
    fn no_part_is_lost_and_no_minute_above_the_grants(
        rates in proptest::collection::vec(1u32..40, 1..4),
        waves in proptest::collection::vec((0u8..3, 0i64..3_000, 1i64..2_000, 0u64..4_000, any::<bool>(), any::<bool>()), 0..12),
    ) {
        let start = minute("2026-11-20T00:00");
        let links: Vec<_> =
            rates.iter().enumerate().map(|(n, rate)| link(&n.to_string(), &[n as u8, (n + 1) as u8 % 3], *rate)).collect();
        let waves: Vec<Wave> = waves
            .into_iter()
            .map(|(queue, from, lasts, parts, urgent, windowed)| Wave {
                queue,
                lane: if urgent { Lane::Urgent } else { Lane::Bulk },
                from: start.plus_minutes(from),
                expires: start.plus_minutes(from + lasts),
                parts,
                windowed,
            })
            .collect();
        let load = forecast_load(&links, &waves, &times(&["08:30-11:30", "15:00-17:30"]), until());
        let carried: u64 = load.links.iter().map(|l| l.parts).sum();
        prop_assert_eq!(carried + load.expired_parts + load.waiting_parts, waves.iter().map(|w| w.parts).sum::<u64>());
        for (l, capacity) in load.links.iter().zip(&links) {
            prop_assert_eq!(l.hours.iter().map(|h| h.parts).sum::<u64>(), l.parts);
            prop_assert_eq!(l.days.iter().map(|d| d.parts).sum::<u64>(), l.parts);
            prop_assert!(l.hours.iter().all(|h| h.parts <= u64::from(capacity.parts_per_s) * 3600));
        }
    }
}
