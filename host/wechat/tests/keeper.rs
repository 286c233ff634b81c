//! The token's keeper: the ordinary day, a rejected token, and any order of events within the platform's limits.

use gridbell_model::Moment;
use gridbell_platform::{Act, Secret};
use gridbell_wechat::{FORCED_APART_MS, FORCED_PER_DAY, Next, Rejection, TokenKeeper};
use proptest::prelude::*;

/// A Sunday noon in Shanghai.
const NOON: i64 = 1_795_320_000_000;

fn at(ms: i64) -> Moment {
    Moment::from_unix_ms(NOON + ms)
}

fn fetch(keeper: &mut TokenKeeper, ms: i64) -> (u64, bool) {
    match keeper.next(at(ms)) {
        Next::Fetch { ticket, force } => (ticket, force),
        Next::At(moment) => panic!("nothing before {moment}"),
    }
}

fn give(keeper: &mut TokenKeeper, ms: i64, token: &str, life_s: u32) {
    let (ticket, _) = fetch(keeper, ms);
    keeper.fetched(ticket, Secret::new(token), life_s, at(ms));
}

fn current(keeper: &TokenKeeper, ms: i64) -> Option<(String, u64)> {
    keeper.token(at(ms)).map(|token| (token.secret.expose().to_owned(), token.generation))
}

#[test]
fn one_token_for_all_refreshed_before_it_ends() {
    let mut keeper = TokenKeeper::new();
    assert_eq!(current(&keeper, 0), None);
    let (ticket, force) = fetch(&mut keeper, 0);
    assert!(!force);
    // While it is under way nobody else fetches.
    assert_eq!(keeper.next(at(10)), Next::At(at(60_000)));
    keeper.fetched(ticket, Secret::new("T1"), 7200, at(200));
    assert_eq!(current(&keeper, 300), Some(("T1".into(), 1)));
    assert_eq!(keeper.next(at(300)), Next::At(at(200 + 6_900_000)));
    // Five minutes before its end; the old one goes on being used until the new one is there.
    let (ticket, force) = fetch(&mut keeper, 6_900_200);
    assert!(!force);
    assert_eq!(current(&keeper, 6_900_300), Some(("T1".into(), 1)));
    keeper.fetched(ticket, Secret::new("T2"), 7200, at(6_900_400));
    assert_eq!(current(&keeper, 6_900_400), Some(("T2".into(), 2)));
    assert_eq!(current(&keeper, 6_900_400 + 7_200_000), None);
}

#[test]
fn the_same_token_again_is_asked_for_again_in_time() {
    let mut keeper = TokenKeeper::new();
    give(&mut keeper, 0, "T1", 7200);
    give(&mut keeper, 6_900_000, "T1", 300);
    assert_eq!(keeper.next(at(6_900_000)), Next::At(at(6_900_000 + 150_000)));
    assert_eq!(current(&keeper, 7_199_999), Some(("T1".into(), 1)));
}

#[test]
fn a_rejected_token_is_forced_only_if_it_comes_again() {
    let mut keeper = TokenKeeper::new();
    give(&mut keeper, 0, "T1", 7200);
    // Three tasks hear 40001 with the same token; it is fetched once, first without force.
    for _ in 0..3 {
        assert_eq!(keeper.rejected(1), Rejection::Refreshing);
    }
    assert_eq!(current(&keeper, 1000), None);
    let (ticket, force) = fetch(&mut keeper, 1000);
    assert!(!force);
    keeper.fetched(ticket, Secret::new("T1"), 7000, at(1100));
    assert_eq!(current(&keeper, 1100), None);
    let (ticket, force) = fetch(&mut keeper, 1100);
    assert!(force);
    keeper.fetched(ticket, Secret::new("T2"), 7200, at(1200));
    // A late task with the old one: there is a newer.
    assert_eq!(keeper.rejected(1), Rejection::Newer);
    assert_eq!(current(&keeper, 1300), Some(("T2".into(), 2)));
    // Rejected at once again: a second later, without force; and then not before thirty seconds have passed.
    assert_eq!(keeper.rejected(2), Rejection::Refreshing);
    assert_eq!(keeper.next(at(1400)), Next::At(at(2200)));
    give(&mut keeper, 2200, "T2", 7200);
    assert_eq!(keeper.next(at(2300)), Next::At(at(1100 + FORCED_APART_MS)));
    assert!(fetch(&mut keeper, 1100 + FORCED_APART_MS).1);
}

#[test]
fn twenty_forced_refreshes_a_day_and_no_more() {
    let mut keeper = TokenKeeper::new();
    give(&mut keeper, 0, "T", 7200);
    // The platform rejects every token, and gives the same again unless it is forced.
    let (mut now, mut forced, mut token) = (0, Vec::new(), 0);
    while now < 86_401_000 {
        if let Some(current) = keeper.token(at(now)) {
            let _ = keeper.rejected(current.generation);
        }
        match keeper.next(at(now)) {
            Next::At(moment) => now = moment.unix_ms() - NOON,
            Next::Fetch { ticket, force } => {
                if force {
                    forced.push(now);
                    token += 1;
                }
                let secret = if token == 0 { "T".to_owned() } else { format!("T{token}") };
                keeper.fetched(ticket, Secret::new(secret), 7200, at(now));
            }
        }
    }
    let expected: Vec<i64> = (0..20).map(|count| 1000 + count * FORCED_APART_MS).collect();
    assert_eq!(forced, expected);
    assert_eq!(now, 86_401_000);
    assert!(matches!(keeper.next(at(now)), Next::Fetch { force: true, .. }));
}

#[test]
fn failures_wait_longer_each_time_and_by_their_kind() {
    let mut keeper = TokenKeeper::new();
    let mut now = 0;
    for wait in [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000] {
        let (ticket, _) = fetch(&mut keeper, now);
        keeper.failed(ticket, Act::Retry, at(now));
        assert_eq!(keeper.next(at(now)), Next::At(at(now + wait)));
        now += wait;
    }
    let (ticket, _) = fetch(&mut keeper, now);
    keeper.failed(ticket, Act::Configuration, at(now));
    assert_eq!(keeper.next(at(now)), Next::At(at(now + 300_000)));
    now += 300_000;
    let (ticket, _) = fetch(&mut keeper, now);
    keeper.failed(ticket, Act::NextChannelUntilMidnight, at(now));
    let midnight = at(0).date().plus_days(1).at(0, 0).moment();
    assert_eq!(keeper.next(at(now)), Next::At(midnight));
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_changes_nothing() {
    let mut keeper = TokenKeeper::new();
    let (lost, _) = fetch(&mut keeper, 0);
    assert_eq!(keeper.next(at(60_000)), Next::At(at(61_000)));
    give(&mut keeper, 61_000, "T2", 7200);
    keeper.fetched(lost, Secret::new("T1"), 7200, at(62_000));
    keeper.failed(lost, Act::Retry, at(62_000));
    assert_eq!(current(&keeper, 62_000), Some(("T2".into(), 1)));
}

#[derive(Clone, Debug)]
enum Event {
    Pass(i64),
    Answer(u8, u32),
    Fail(u8),
    Reject(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0_i64..400_000).prop_map(Event::Pass),
        (0_i64..9_000_000).prop_map(Event::Pass),
        (0_u8..4, 1_u32..7201).prop_map(|(token, life)| Event::Answer(token, life)),
        (0_u8..4).prop_map(Event::Fail),
        (0_u64..3).prop_map(Event::Reject),
    ]
}

proptest! {
    #[test]
    fn no_order_of_events_breaks_a_limit(events in proptest::collection::vec(event(), 0..400)) {
        let mut keeper = TokenKeeper::new();
        let (mut now, mut forced, mut last) = (0_i64, Vec::new(), None);
        let mut given: Option<(String, i64)> = None;
        for event in events {
            match (event, last) {
                (Event::Pass(ms), _) => now += ms,
                (Event::Answer(token, life), Some((ticket, since))) => {
                    let under_way = now - since < 60_000;
                    keeper.fetched(ticket, Secret::new(format!("T{token}")), life, at(now));
                    if under_way {
                        given = Some((format!("T{token}"), now + i64::from(life) * 1000));
                        last = None;
                    }
                }
                (Event::Fail(kind), Some((ticket, _))) => {
                    let acts = [Act::Retry, Act::SlowDown, Act::Configuration, Act::NextChannelUntilMidnight];
                    keeper.failed(ticket, acts[usize::from(kind)], at(now));
                    last = None;
                }
                (Event::Reject(back), _) => {
                    let generation = keeper.token(at(now)).map_or(0, |token| token.generation).saturating_sub(back);
                    let _ = keeper.rejected(generation);
                }
                _ => {}
            }
            match keeper.next(at(now)) {
                Next::At(moment) => prop_assert!(moment > at(now), "a wait into the past"),
                Next::Fetch { ticket, force } => {
                    let under_way = last.is_some_and(|(_, since)| now - since < 60_000);
                    prop_assert!(!under_way, "two fetches at once");
                    last = Some((ticket, now));
                    if force {
                        let day = forced.iter().filter(|earlier| now - **earlier < 86_400_000).count();
                        prop_assert!(day < FORCED_PER_DAY);
                        prop_assert!(forced.last().is_none_or(|earlier| now - earlier >= FORCED_APART_MS));
                        forced.push(now);
                    }
                }
            }
            if let Some(token) = keeper.token(at(now)) {
                let (secret, until) = given.as_ref().expect("one was given");
                prop_assert_eq!(token.secret.expose(), secret.as_str());
                prop_assert!(now < *until);
            }
        }
    }
}
