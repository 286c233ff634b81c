//! A handful of seeds through several days each; more with `GRIDBELL_SIMULATION_SEEDS=N`, or with the example `simulate`.

use gridbell_simulation::{Options, Report, simulate};

/// Seeds that every run of the tests simulates.
const SEEDS: u64 = 4;

fn options(seed: u64) -> Options {
    // Every third with two connections on each link.
    Options { seed, customers: 600, days: 3, connections: 1 + u64::from(seed.is_multiple_of(3)), keep_trace: false }
}

fn run(options: Options) -> Report {
    simulate(options).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_host_keeps_its_word_through_days_of_faults() {
    let more = std::env::var("GRIDBELL_SIMULATION_SEEDS").ok().map(|seeds| seeds.parse::<u64>().unwrap());
    let mut sum = Report::default();
    for seed in 1..=more.unwrap_or(SEEDS) {
        let report = run(options(seed));
        sum.messages += report.messages;
        sum.lives += report.lives;
        sum.cut_off += report.cut_off;
        sum.marked += report.marked;
        sum.together += report.together;
        sum.replies += report.replies;
        sum.submits += report.submits - report.accepted;
        for (end, count) in report.ends {
            *sum.ends.entry(end).or_default() += count;
        }
    }
    // Days on which nothing goes wrong prove nothing: every kind of trouble and of end must have come.
    assert!(sum.messages > 1_000 && sum.lives > 2 * SEEDS, "{sum:?}");
    assert!(sum.cut_off > 0 && sum.marked > 0 && sum.replies > 0 && sum.submits > 0, "{sum:?}");
    assert!(sum.together > 0, "{sum:?}");
    let ends: Vec<&str> = sum.ends.keys().copied().collect();
    assert_eq!(ends, ["cancelled", "delivered", "expired", "failed"], "{sum:?}");
}

#[test]
fn the_same_seed_is_the_same_days() {
    let options = Options { days: 2, keep_trace: true, ..options(7) };
    let (first, second) = (run(options), run(options));
    let differs = first.words.iter().zip(&second.words).find(|(a, b)| a != b);
    assert_eq!(differs, None, "the first difference between two runs of one seed");
    assert_eq!(first, second);
    assert_ne!(first.trace, run(Options { seed: 8, ..options }).trace);
}
