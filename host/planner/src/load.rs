//! How long links take for what is queued for them: parts, minute by minute, against the carriers' grants and within the hours in which a policy
//! sends. A forecast: it holds back nothing and reads no clock.
//!
//! What it leaves out it must not be asked for: answers that come late, throttling, and messages that other runs will queue.

use std::collections::BTreeMap;

use gridbell_model::{CivilMinute, Date, Lane};
use serde::{Deserialize, Serialize};

use crate::guard::SendTimes;

/// A link as a forecast sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCapacity {
    /// Its name.
    pub name: String,
    /// Queues that it takes messages from.
    pub serves: Vec<u8>,
    /// Parts a second that the carrier granted; 0 for no limit.
    pub parts_per_s: u32,
}

/// Parts that may go from the same minute on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wave {
    /// Which queue they wait in.
    pub queue: u8,
    /// Who goes first.
    pub lane: Lane,
    /// The first minute at which they may go.
    pub from: CivilMinute,
    /// From this minute on they are worthless.
    pub expires: CivilMinute,
    /// How many.
    pub parts: u64,
    /// Whether they go within the policy's send times only; those of others are taken as they are due.
    pub windowed: bool,
}

/// An hour of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourLoad {
    /// Its first minute.
    pub hour: CivilMinute,
    /// Parts that the link carries in it.
    pub parts: u64,
}

/// A day of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayLoad {
    /// The day.
    pub day: Date,
    /// Parts that the link carries on it.
    pub parts: u64,
    /// The hour with most parts.
    pub peak_hour: CivilMinute,
    /// Parts in that hour.
    pub peak_parts: u64,
    /// When nothing waits for the link any more on this day; none where something is left for the next.
    pub clears_at: Option<CivilMinute>,
}

/// What a link will carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkLoad {
    /// Its name.
    pub link: String,
    /// Parts a second that the carrier granted; 0 for no limit.
    pub grant: u32,
    /// Parts in all.
    pub parts: u64,
    /// By day, days without any left out.
    pub days: Vec<DayLoad>,
    /// By hour, hours without any left out.
    pub hours: Vec<HourLoad>,
}

/// What all links will carry, and what they will not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadForecast {
    /// In the order of the links.
    pub links: Vec<LinkLoad>,
    /// Parts that expire before their turn.
    pub expired_parts: u64,
    /// Parts that still wait at the end of the time looked at.
    pub waiting_parts: u64,
}

/// Who goes first: lane, then the time from which they may go; in one minute those that expire first.
type Place = (Lane, CivilMinute, CivilMinute, bool);

/// What waits in one queue.
#[derive(Default)]
struct Waiting(BTreeMap<Place, u64>);

impl Waiting {
    fn drop_expired(&mut self, now: CivilMinute) -> u64 {
        let mut dropped = 0;
        self.0.retain(|(_, _, expires, _), parts| {
            let keep = *expires > now;
            dropped += if keep { 0 } else { *parts };
            keep
        });
        dropped
    }

    fn parts(&self) -> u64 {
        self.0.values().sum()
    }

    fn ready(&self, lane: Lane, open: bool) -> u64 {
        self.0.iter().filter(|((l, _, _, windowed), _)| *l == lane && (open || !windowed)).map(|(_, n)| n).sum()
    }

    /// Takes up to `most` parts of `lane`, the first ones first.
    fn take(&mut self, lane: Lane, open: bool, most: u64) {
        let mut left = most;
        self.0.retain(|(l, _, _, windowed), parts| {
            if *l == lane && (open || !*windowed) {
                let taken = left.min(*parts);
                left -= taken;
                *parts -= taken;
            }
            *parts > 0
        });
    }
}

struct Link<'a> {
    capacity: &'a LinkCapacity,
    hours: BTreeMap<i64, u64>,
    clears: BTreeMap<Date, Option<CivilMinute>>,
}

impl Link<'_> {
    /// Carries what fits into one minute: urgent first, and of several queues each by its share of what waits.
    fn carry(&mut self, waiting: &mut BTreeMap<u8, Waiting>, open: bool) -> u64 {
        let mut room = match self.capacity.parts_per_s {
            0 => u64::MAX,
            rate => u64::from(rate) * 60,
        };
        let mut carried = 0;
        for lane in [Lane::Urgent, Lane::Bulk] {
            let serves = self.capacity.serves.iter();
            let ready: Vec<(u8, u64)> = serves
                .map(|q| (*q, waiting.get(q).map_or(0, |w| w.ready(lane, open))))
                .filter(|(_, n)| *n > 0)
                .collect();
            let all: u64 = ready.iter().map(|(_, n)| n).sum();
            let lane_room = room.min(all);
            let mut given = 0;
            for (i, (queue, n)) in ready.iter().enumerate() {
                let last = i + 1 == ready.len();
                let part = u128::from(lane_room) * u128::from(*n) / u128::from(all.max(1));
                let share = if last { lane_room - given } else { u64::try_from(part).unwrap_or(0) };
                if let Some(w) = waiting.get_mut(queue) {
                    w.take(lane, open, share);
                }
                given += share;
            }
            room -= lane_room;
            carried += lane_room;
        }
        carried
    }

    fn note(&mut self, minute: CivilMinute, carried: u64, left: u64) {
        if carried > 0 {
            *self.hours.entry(minute.0.div_euclid(60) * 60).or_default() += carried;
        }
        if carried > 0 || left > 0 {
            self.clears.insert(minute.date(), (left == 0).then(|| minute.plus_minutes(1)));
        }
    }

    fn load(self) -> LinkLoad {
        let hours: Vec<HourLoad> =
            self.hours.iter().map(|(hour, parts)| HourLoad { hour: CivilMinute(*hour), parts: *parts }).collect();
        let mut days: Vec<DayLoad> = Vec::new();
        for hour in &hours {
            let day = hour.hour.date();
            match days.last_mut().filter(|d| d.day == day) {
                Some(d) => {
                    d.parts += hour.parts;
                    if hour.parts > d.peak_parts {
                        (d.peak_hour, d.peak_parts) = (hour.hour, hour.parts);
                    }
                }
                None => days.push(DayLoad {
                    day,
                    parts: hour.parts,
                    peak_hour: hour.hour,
                    peak_parts: hour.parts,
                    clears_at: self.clears.get(&day).copied().flatten(),
                }),
            }
        }
        LinkLoad {
            link: self.capacity.name.clone(),
            grant: self.capacity.parts_per_s,
            parts: hours.iter().map(|h| h.parts).sum(),
            days,
            hours,
        }
    }
}

/// What `links` carry of `waves` until `until`: windowed ones within `times` only.
#[must_use]
pub fn forecast_load(links: &[LinkCapacity], waves: &[Wave], times: &SendTimes, until: CivilMinute) -> LoadForecast {
    let mut waves: Vec<&Wave> = waves.iter().filter(|w| w.parts > 0).collect();
    waves.sort_by_key(|w| w.from);
    let mut working: Vec<Link<'_>> =
        links.iter().map(|capacity| Link { capacity, hours: BTreeMap::new(), clears: BTreeMap::new() }).collect();
    // Links that serve one carrier alone take first: what they leave is for those that serve several.
    let mut order: Vec<usize> = (0..working.len()).collect();
    order.sort_by_key(|i| links[*i].serves.len());
    let (mut waiting, mut expired) = (BTreeMap::<u8, Waiting>::new(), 0);
    let mut coming = waves.into_iter().peekable();
    let mut now = coming.peek().map_or(until, |w| w.from);
    while now < until {
        while let Some(wave) = coming.next_if(|w| w.from <= now) {
            let place = (wave.lane, wave.from, wave.expires, wave.windowed);
            *waiting.entry(wave.queue).or_default().0.entry(place).or_default() += wave.parts;
        }
        expired += waiting.values_mut().map(|w| w.drop_expired(now)).sum::<u64>();
        let open = times.allows(now);
        let mut carried = vec![0; links.len()];
        for i in &order {
            carried[*i] = working[*i].carry(&mut waiting, open);
        }
        for (link, carried) in working.iter_mut().zip(&carried) {
            let left = link.capacity.serves.iter().filter_map(|q| waiting.get(q)).map(Waiting::parts).sum();
            link.note(now, *carried, left);
        }
        let all: u64 = carried.iter().sum();
        waiting.retain(|_, w| !w.0.is_empty());
        let next_wave = coming.peek().map_or(until, |w| w.from);
        // Where nothing can go, nothing changes before the next wave or window.
        now = match (waiting.is_empty(), all) {
            (true, _) => next_wave,
            (false, 0) => next_wave.min(times.next(now.plus_minutes(1), until).unwrap_or(until)),
            (false, _) => now.plus_minutes(1),
        };
    }
    let left = waiting.values().map(Waiting::parts).sum::<u64>() + coming.map(|w| w.parts).sum::<u64>();
    LoadForecast { links: working.into_iter().map(Link::load).collect(), expired_parts: expired, waiting_parts: left }
}
