//! The pacer against its two promises: never above the grant in any one second, here and at the gateway; at least 98 % of it used.

use std::collections::VecDeque;
use std::time::Duration;

use gridbell_channels::Pacer;
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The most instants in any half-open second.
fn peak(times: &[Duration]) -> usize {
    let mut window = VecDeque::new();
    let mut peak = 0;
    for &time in times {
        window.push_back(time);
        while window.front().is_some_and(|&first| first + SECOND <= time) {
            window.pop_front();
        }
        peak = peak.max(window.len());
    }
    peak
}

/// A gateway at the end of a line that takes `line` each way, reads nothing while it stalls, and answers after `delay`.
struct Gateway<'a> {
    line: Duration,
    stalls: &'a [(Duration, Duration)],
    seen: Vec<Duration>,
}

impl Gateway<'_> {
    /// When it sees what was sent at `at`.
    fn see(&mut self, at: Duration) -> Duration {
        let mut seen = (at + self.line).max(self.seen.last().copied().unwrap_or_default());
        for &(from, to) in self.stalls {
            if (from..to).contains(&seen) {
                seen = to;
            }
        }
        self.seen.push(seen);
        seen
    }
}

/// Sends with a backlog until `until`, woken `late` after each wait; `delays` are the answers'.
fn backlog(grant: u32, until: Duration, late: &[u64], delays: &[u64], gateway: &mut Gateway<'_>) -> Vec<Duration> {
    let mut pacer = Pacer::new(grant, Duration::ZERO);
    let mut answers = VecDeque::new();
    let (mut now, mut sent, mut wakes) = (Duration::ZERO, Vec::new(), 0);
    while now < until {
        while answers.front().is_some_and(|&(due, _)| due <= now) {
            if let Some((_, ticket)) = answers.pop_front() {
                pacer.answered(ticket, now);
            }
        }
        match pacer.take(now) {
            Ok(ticket) => {
                let seen = gateway.see(now);
                let delay = Duration::from_micros(delays[sent.len() % delays.len()]);
                // Answers come in order, as on one connection.
                let due = (seen + gateway.line + delay).max(answers.back().map_or(Duration::ZERO, |&(due, _)| due));
                answers.push_back((due, ticket));
                sent.push(now);
            }
            Err(when) => {
                assert!(when > now, "a wait that is over");
                wakes += 1;
                let woken = when + Duration::from_micros(late[wakes % late.len()]);
                now = answers.front().map_or(woken, |&(due, _)| woken.min(due.max(now)));
            }
        }
    }
    sent
}

fn used(sent: &[Duration], grant: u32, until: Duration) -> f64 {
    // The first second and its guard belong to the process before.
    let seconds = (until - ms(1108)).as_secs_f64();
    sent.len() as f64 / (f64::from(grant) * seconds)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_above_the_grant_however_it_is_asked(
        grant in 1_u32..300,
        steps in prop::collection::vec((0_u64..40_000, 0_usize..30, any::<bool>()), 1..600),
    ) {
        let mut pacer = Pacer::new(grant, SECOND);
        let (mut now, mut sent, mut open) = (SECOND, Vec::new(), Vec::new());
        for (micros, asks, answered) in steps {
            now += Duration::from_micros(micros);
            for _ in 0..asks {
                if let Ok(ticket) = pacer.take(now) {
                    sent.push(now);
                    open.push(ticket);
                }
            }
            if answered {
                open.drain(..).for_each(|ticket| pacer.answered(ticket, now));
            }
        }
        prop_assert!(peak(&sent) <= grant as usize);
        // The process before may have used the whole grant until this one began.
        prop_assert!(sent.first().is_none_or(|&first| first >= SECOND + SECOND));
    }

    #[test]
    fn a_backlog_uses_98_percent_whatever_the_answers_do(
        grant in 5_u32..400,
        late in prop::collection::vec(0_u64..2_000, 1..50),
        delays in prop::collection::vec(0_u64..150_000, 1..50),
    ) {
        let until = ms(40_000);
        let mut gateway = Gateway { line: ms(3), stalls: &[], seen: Vec::new() };
        let sent = backlog(grant, until, &late, &delays, &mut gateway);
        prop_assert!(peak(&sent) <= grant as usize);
        // Up to four seconds' worth of waits were saved up at the start, and one part may be under way at the end.
        let floor = 0.98 - (4.0 * 0.005 + 1.0 / f64::from(grant)) / 38.0;
        let used = used(&sent, grant, until);
        prop_assert!(used >= floor, "{used}");
    }

    #[test]
    fn nobody_waits_long_for_a_turn_on_a_link_with_a_backlog(
        grant in 5_u32..400,
        late in prop::collection::vec(0_u64..2_000, 1..50),
        delay in 0_u64..20_000,
    ) {
        let mut gateway = Gateway { line: ms(3), stalls: &[], seen: Vec::new() };
        let sent = backlog(grant, ms(30_000), &late, &[delay], &mut gateway);
        let pause = sent.windows(2).map(|w| w[1] - w[0]).max().unwrap_or_default();
        // A part's share of the second, what may go at once and so is missing after, and what wake-ups add.
        prop_assert!(pause <= SECOND / grant + ms(20) + ms(40), "{pause:?}");
    }

    #[test]
    fn the_gateways_clock_sees_no_more_through_stalls(
        grant in 5_u32..400,
        late in prop::collection::vec(0_u64..3_000, 1..50),
        stalls in prop::collection::vec((2_000_u64..19_000, 1_u64..120), 0..4),
    ) {
        let mut stalls: Vec<_> = stalls.into_iter().map(|(from, long)| (ms(from), ms(from + long))).collect();
        stalls.sort();
        let mut gateway = Gateway { line: ms(5), stalls: &stalls, seen: Vec::new() };
        backlog(grant, ms(20_000), &late, &[0], &mut gateway);
        prop_assert!(peak(&gateway.seen) <= grant as usize, "{} of {grant}", peak(&gateway.seen));
    }
}

#[test]
fn parts_are_spread_over_the_second_and_idle_time_saves_no_burst() {
    let mut pacer = Pacer::new(100, Duration::ZERO);
    // Long idle: a fiftieth of a second's worth may go at once, no more.
    let now = ms(60_000);
    let burst = (0..100).take_while(|_| pacer.take(now).is_ok()).count();
    assert_eq!(burst, 3);
    assert!(pacer.take(now + ms(10)).is_ok());
    assert!(pacer.take(now + ms(10)).is_err());
}

#[test]
fn an_answer_that_never_comes_costs_half_a_second_at_most() {
    let mut pacer = Pacer::new(10, Duration::ZERO);
    let mut now = ms(1_200);
    let mut tickets = Vec::new();
    while tickets.len() < 10 {
        match pacer.take(now) {
            Ok(ticket) => tickets.push((ticket, now)),
            Err(when) => now = when,
        }
    }
    // All but the first are answered at once.
    let first = tickets[0].1;
    for (ticket, at) in tickets.drain(..).skip(1) {
        pacer.answered(ticket, at + ms(1));
    }
    let next = loop {
        match pacer.take(now) {
            Ok(_) => break now,
            Err(when) => now = when,
        }
    };
    assert!(next >= first + ms(1_008) && next <= first + ms(1_508), "{next:?} after {first:?}");
}
