//! The grid against a plain model of it: names instead of numbers, no lists of children, everything looked for from the bottom up.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod plain;

use gridbell_model::{Moment, PrefectureCode};
use gridbell_topology::{
    Code, Done, EndFeed, FeedFact, Grid, GridFact, Kind, LineFact, Removal, Restored, Scope, SectionFact, Spot,
    SubstationFact, Switch, TransformerFact, Whom,
};
use plain::Plain;
use proptest::prelude::*;

const DAY: i64 = 86_400_000;

fn code(letter: char, n: u8) -> Code {
    format!("{letter}{n}").parse().unwrap()
}

fn moment(day: i64) -> Moment {
    Moment::from_unix_ms(day * DAY)
}

fn prefecture(n: u8) -> PrefectureCode {
    PrefectureCode(140_100 + 100 * u32::from(n))
}

fn spot() -> impl Strategy<Value = Spot> {
    prop_oneof![
        3 => (0u8..8).prop_map(|n| Spot::Section(code('S', n))),
        1 => (0u8..3).prop_map(|n| Spot::Line(code('L', n))),
    ]
}

fn whom() -> impl Strategy<Value = Whom> {
    prop_oneof![
        3 => (0u8..8).prop_map(|n| Whom::Section(code('S', n))),
        1 => (0u8..8).prop_map(|n| Whom::Transformer(code('T', n))),
    ]
}

fn section() -> impl Strategy<Value = GridFact> {
    let upstream = prop_oneof![
        2 => Just(None),
        6 => (0u8..8).prop_map(|n| Some(code('S', n))),
        1 => (0u8..3).prop_map(|n| Some(code('L', n))),
    ];
    let switch = proptest::option::of((0u8..8, 0u8..2));
    (0u8..8, 0u8..3, upstream, switch).prop_map(|(n, line, upstream, switch)| {
        let switch = switch.map(|(n, name)| Switch { code: code('K', n), name: format!("{name}") });
        GridFact::Section(SectionFact { code: code('S', n), line: code('L', line), upstream, switch })
    })
}

fn blank(n: u8, name: String, prefecture: PrefectureCode, hangs_on: Spot) -> TransformerFact {
    let code = code('T', n);
    TransformerFact { code, name, prefecture, hangs_on, place: None, position: None, private: None, manager: None }
}

fn transformer() -> impl Strategy<Value = GridFact> {
    (0u8..8, 0u8..2, 0u8..2, spot()).prop_map(|(n, name, p, hangs_on)| {
        GridFact::Transformer(Box::new(blank(n, format!("变{name}"), prefecture(p), hangs_on)))
    })
}

/// A grid to begin with: two lines in trees of sections, one whose first section nobody named.
fn begun() -> Vec<GridFact> {
    let mut facts = Vec::new();
    for n in 0..2 {
        facts.push(GridFact::Substation(SubstationFact {
            code: code('A', n),
            name: "站".into(),
            prefecture: prefecture(n),
        }));
    }
    for n in 0..3 {
        facts.push(GridFact::Line(LineFact { code: code('L', n), name: "线".into(), substation: code('A', n % 2) }));
    }
    let upstreams = [None, Some('S'), Some('S'), None, Some('S'), Some('L')];
    for (n, upstream) in (0u8..).zip(upstreams) {
        let upstream = upstream.map(|letter| if letter == 'S' { code('S', n - 1) } else { code('L', 2) });
        let switch = Some(Switch { code: code('K', n), name: String::new() });
        facts.push(GridFact::Section(SectionFact {
            code: code('S', n),
            line: code('L', n / 3 + n / 5),
            upstream,
            switch,
        }));
    }
    for n in 0..6 {
        let hangs_on = if n == 5 { Spot::Line(code('L', 2)) } else { Spot::Section(code('S', n)) };
        facts.push(GridFact::Transformer(Box::new(blank(n, "变".into(), prefecture(0), hangs_on))));
    }
    facts
}

/// A fact, its moments counted in days from the present one.
fn fact() -> impl Strategy<Value = GridFact> {
    let kind = prop::sample::select(&Kind::ALL[..]);
    let letter = |kind| match kind {
        Kind::Substation => 'A',
        Kind::Line => 'L',
        Kind::Section => 'S',
        Kind::Switch => 'K',
        Kind::Transformer => 'T',
    };
    prop_oneof![
        2 => (0u8..3, 0u8..2, 0u8..2).prop_map(|(n, name, p)| {
            GridFact::Substation(SubstationFact { code: code('A', n), name: format!("{name}"), prefecture: prefecture(p) })
        }),
        4 => (0u8..3, 0u8..2, 0u8..2).prop_map(|(n, name, s)| {
            GridFact::Line(LineFact { code: code('L', n), name: format!("{name}"), substation: code('A', s) })
        }),
        12 => section(),
        6 => transformer(),
        2 => (kind, 0u8..8).prop_map(move |(kind, n)| GridFact::Remove(Removal { kind, code: code(letter(kind), n) })),
        9 => (whom(), spot(), -2i64..6, proptest::option::of(0i64..6)).prop_map(|(what, from, day, days)| {
            let (since, until) = (moment(day), days.map(|days| moment(day + days)));
            GridFact::Feed(Box::new(FeedFact { what, from, since, until, why: "检修".into(), by: String::new() }))
        }),
        4 => (whom(), -1i64..4).prop_map(|(what, at)| GridFact::EndFeed(EndFeed { what, at: moment(at) })),
    ]
}

fn scope() -> impl Strategy<Value = Scope> {
    let some = |letter: char, of: u8| prop::collection::vec((0..of).prop_map(move |n| code(letter, n)), 0..2);
    (some('A', 3), some('L', 3), some('K', 8), some('S', 8), some('T', 8), some('T', 8)).prop_map(
        |(substations, lines, switches, sections, transformers, except)| Scope {
            substations,
            lines,
            switches,
            sections,
            transformers,
            except,
        },
    )
}

#[derive(Clone, Debug)]
enum Step {
    Fact(GridFact),
    Days(i64),
    /// Through the records of a checkpoint.
    Records,
    /// Somebody keeps what is.
    Keep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => fact().prop_map(Step::Fact),
        2 => (1i64..4).prop_map(Step::Days),
        1 => Just(Step::Records),
        1 => Just(Step::Keep),
    ]
}

/// The same with its moments counted from `now`.
fn since(fact: &GridFact, now: i64) -> GridFact {
    let later = |at: Moment| at.plus_ms(now * DAY);
    let mut fact = fact.clone();
    match &mut fact {
        GridFact::Feed(feed) => {
            feed.since = later(feed.since);
            feed.until = feed.until.map(later);
        }
        GridFact::EndFeed(end) => end.at = later(end.at),
        _ => {}
    }
    fact
}

fn restored(grid: &Grid) -> Grid {
    let mut restored = Restored::default();
    for record in grid.records() {
        let bytes = postcard::to_stdvec(&record).unwrap();
        restored.take(postcard::from_bytes(&bytes).unwrap());
    }
    restored.finish().unwrap()
}

/// All that can be asked of a grid, as text.
fn told(grid: &Grid) -> String {
    let all = [
        format!("{:?}", grid.substations().collect::<Vec<_>>()),
        format!("{:?}", grid.lines().collect::<Vec<_>>()),
        format!("{:?}", grid.sections().collect::<Vec<_>>()),
        format!("{:?}", grid.transformers().collect::<Vec<_>>()),
        format!("{:?}", grid.feeds().collect::<Vec<_>>()),
        format!("{:?} {}", grid.counts(), grid.version()),
    ];
    all.join("\n")
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 20_000, ..ProptestConfig::with_cases(3_000) })]
    /// Whatever is said of a grid, and however it goes through checkpoints, it takes and refuses what the plain model does, for the same reason, and
    /// leaves the same transformers dead, now, before and later; who keeps a clone keeps what was.
    #[test]
    fn it_is_what_a_plain_model_is(
        steps in prop::collection::vec(step(), 1..160),
        scopes in prop::collection::vec((scope(), -3i64..8), 1..6),
    ) {
        let (mut grid, mut plain, mut now) = (Grid::default(), Plain::default(), 100i64);
        let mut kept: Vec<(Grid, String)> = Vec::new();
        for fact in begun() {
            prop_assert!(matches!(grid.apply(&fact, moment(now)), Ok(Done::Created(_))), "{:?}", fact);
            plain.apply(&fact, moment(now));
        }
        for step in &steps {
            match step {
                Step::Days(days) => now += days,
                Step::Keep => kept.push((grid.clone(), told(&grid))),
                Step::Records => {
                    let again = restored(&grid);
                    prop_assert_eq!(told(&again), told(&grid));
                    grid = again;
                }
                Step::Fact(fact) => {
                    let fact = since(fact, now);
                    let version = grid.version();
                    let is = grid.apply(&fact, moment(now));
                    let should = plain.apply(&fact, moment(now));
                    let is_word = match &is {
                        Ok(Done::Created(warning)) => ("created", warning.is_some()),
                        Ok(Done::Changed(warning)) => ("changed", warning.is_some()),
                        Ok(Done::Unchanged) => ("unchanged", false),
                        Err(refusal) => (refusal.code(), false),
                    };
                    prop_assert_eq!(is_word, should, "{:?}: {:?}", fact, is);
                    let rises = matches!(is, Ok(Done::Created(_) | Done::Changed(_)));
                    prop_assert_eq!(grid.version(), version + u64::from(rises));
                }
            }
        }
        for (scope, day) in &scopes {
            let at = moment(now + day);
            let dead: Vec<String> =
                grid.dead(scope, at).iter().map(|t| grid.transformer(t).unwrap().code.to_string()).collect();
            let mut sorted = dead.clone();
            sorted.sort();
            prop_assert_eq!(sorted, plain.dead(scope, at), "{:?} at {}", scope, at);
            prop_assert_eq!(grid.check_scope(scope).is_ok(), scope.named().all(|(kind, code)| plain.knows(kind, code.as_str())));
        }
        for (was, told_then) in &kept {
            prop_assert_eq!(&told(was), told_then);
        }
    }
}
