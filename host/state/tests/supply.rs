//! The grid and who hangs on it: through checkpoints and crashes what plain maps hold, in few bytes.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

mod common;

use std::collections::BTreeMap;

use common::*;
use gridbell_model::Moment;
use gridbell_state::*;
use gridbell_topology::*;
use proptest::prelude::*;

fn code(letter: char, n: u32) -> Code {
    format!("{letter}{n}").parse().unwrap()
}

fn transformer(n: u32, on: u32) -> GridFact {
    GridFact::Transformer(Box::new(TransformerFact {
        code: code('T', n),
        name: format!("公变{n}"),
        prefecture: TAIYUAN,
        hangs_on: Spot::Line(code('L', on)),
        place: None,
        position: None,
        private: None,
        manager: None,
    }))
}

/// A substation and `lines` lines of `of` transformers each, numbered one line after another.
fn grid(lines: u32, of: u32) -> Vec<GridFact> {
    let substation = SubstationFact { code: code('A', 0), name: "城西站".into(), prefecture: TAIYUAN };
    let mut facts = vec![GridFact::Substation(substation)];
    for l in 0..lines {
        facts.push(GridFact::Line(LineFact { code: code('L', l), name: "线".into(), substation: code('A', 0) }));
        facts.extend((l * of..(l + 1) * of).map(|t| transformer(t, l)));
    }
    facts
}

fn fact(n: u64, transformer: u32, source: u8, ended: bool) -> SupplyFact {
    SupplyFact { account: account(n), transformer, source, ended }
}

async fn tell(world: &World, facts: Vec<GridFact>) -> GridOutcome {
    world.state.facts(Facts::Grid(facts), false, vec![]).await.unwrap().grid
}

fn remove(kind: Kind, code: Code) -> GridFact {
    GridFact::Remove(Removal { kind, code })
}

#[tokio::test(flavor = "multi_thread")]
async fn losing_one_of_two_sources_is_not_losing_power() {
    let mut w = World::new().await;
    w.facts(Facts::Customers((0..20).map(customer).collect())).await;
    assert_eq!(tell(&w, grid(2, 5)).await.created, 13);
    let mut facts: Vec<SupplyFact> =
        (0..20).filter(|n| n % 5 != 4).map(|n| fact(n, (n / 5) as u32, 1, false)).collect();
    facts.push(fact(0, 7, 2, false));
    // Of the other prefecture, and with a second source alone.
    facts.push(fact(4, 7, 3, false));
    let outcome = w.facts(Facts::Supply(facts)).await;
    assert_eq!((outcome.created, outcome.rejected.len()), (18, 0));
    assert_eq!(
        outcome.flagged,
        [(17, FactWarning::OtherPrefecture)],
        "customer 4 is Datong's, the transformer Taiyuan's"
    );
    for round in 0..3 {
        let grid = w.state.grid();
        let scope = |line| Scope { lines: vec![code('L', line)], ..Scope::default() };
        let dead = |line| w.state.fed_by(&grid.dead(&scope(line), Moment::from_unix_ms(0)));
        let rows = |found: &BTreeMap<_, Vec<Affected>>, at| -> Vec<(u32, bool, u32)> {
            found.get(&at).into_iter().flatten().map(|a| (a.row, a.is_out(), a.sources.count())).collect()
        };
        let first = dead(0);
        assert_eq!(rows(&first, TAIYUAN).len(), 16);
        assert_eq!(rows(&first, TAIYUAN)[..2], [(0, false, 2), (1, true, 1)], "round {round}");
        assert_eq!(rows(&first, DATONG), []);
        let second = dead(1);
        assert_eq!((rows(&second, TAIYUAN), rows(&second, DATONG)), (vec![(0, false, 2)], vec![(0, true, 1)]));
        assert!(second[&DATONG][0].lost.has(3) && !second[&DATONG][0].lost.has(1));
        let both = w.state.fed_by(
            &grid.dead(&Scope { substations: vec![code('A', 0)], ..Scope::default() }, Moment::from_unix_ms(0)),
        );
        assert_eq!(rows(&both, TAIYUAN)[0], (0, true, 2));
        assert_eq!(w.state.supply_of(account(0)).unwrap(), [(1, 0), (2, 7)]);
        assert_eq!(w.state.without_supply(TAIYUAN, 9), (0, vec![]));
        assert_eq!(w.state.without_supply(DATONG, 2), (3, vec![account(9), account(14)]));
        if round == 1 {
            w.state.checkpoint().await.unwrap();
        }
        w.crash();
    }
    let refused = w.state.change_grid(remove(Kind::Transformer, code('T', 7)), vec![]).await.unwrap_err();
    assert!(refused.to_string().contains("the supply of 2 customers hangs on it"), "{refused}");
    w.facts(Facts::Supply(vec![fact(0, 7, 2, true), fact(4, 6, 3, true), fact(4, 7, 3, true)])).await;
    w.state.change_grid(remove(Kind::Transformer, code('T', 7)), vec![]).await.unwrap();
    let outcome = w.facts(Facts::Supply(vec![fact(0, 7, 2, false), fact(0, 1, 9, false), fact(99, 1, 1, false)])).await;
    let why = [FactReject::UnknownTransformer, FactReject::NoSource, FactReject::UnknownAccount];
    let mut rejected = outcome.rejected.clone();
    rejected.sort_unstable_by_key(|(n, _)| *n);
    assert_eq!(rejected, (0..).zip(why).collect::<Vec<_>>());
    // Another holder of the contract, and its end: the wires stay.
    w.state.change_customer(account(0), vec![CustomerChange::Erase], vec![], vec![]).await.unwrap();
    assert_eq!(w.state.supply_of(account(0)).unwrap(), [(1, 0)]);
}

#[derive(Clone, Debug)]
enum Step {
    Customers(u64, u64),
    /// Customers from here on, how many, transformer, each so many the next one.
    Supply(u64, u64, u32, u8),
    End(u64, u32, u8),
    Transformer(u32, u32),
    Remove(u32),
    Feed(u32, i64, i64),
    Checkpoint,
    CutCheckpoint(u8),
    Crash,
}

const TRANSFORMERS: u32 = 12;

fn step() -> impl Strategy<Value = Step> {
    let source = || prop_oneof![6 => Just(1u8), 1 => Just(2u8), 1 => Just(3u8)];
    prop_oneof![
        2 => (0u64..5_500, 1u64..600).prop_map(|(a, n)| Step::Customers(a, n)),
        8 => (0u64..6_000, 1u64..900, 0..TRANSFORMERS, source()).prop_map(|(a, n, t, s)| Step::Supply(a, n, t, s)),
        3 => (0u64..6_000, 0..TRANSFORMERS, source()).prop_map(|(a, t, s)| Step::End(a, t, s)),
        2 => (0..TRANSFORMERS + 4, 0u32..2).prop_map(|(t, l)| Step::Transformer(t, l)),
        2 => (0..TRANSFORMERS).prop_map(Step::Remove),
        1 => (0..TRANSFORMERS, 0i64..3, 1i64..3).prop_map(|(t, since, days)| Step::Feed(t, since, days)),
        2 => Just(Step::Checkpoint),
        2 => (0u8..60).prop_map(Step::CutCheckpoint),
        2 => Just(Step::Crash),
    ]
}

/// The plain maps: customers, and by customer and source the transformer's number.
#[derive(Default)]
struct Plain {
    customers: std::collections::BTreeSet<u64>,
    supply: BTreeMap<(u64, u8), u32>,
}

fn told(grid: &Grid) -> String {
    format!("{:?}", grid.records().collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    /// With crashes and checkpoints anywhere, who hangs on what is what plain maps of the same facts hold, and the grid is the one without crashes.
    #[test]
    fn crashes_and_checkpoints_change_nobodys_supply(steps in proptest::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        runtime.block_on(async {
            let mut tried = World::new().await;
            let (mut plain, mut other) = (Plain::default(), Grid::default());
            let begun = grid(2, TRANSFORMERS / 2);
            // In two prefectures, of one chunk and of two.
            let customers: Vec<u64> = (0..5_000).collect();
            tried.facts(Facts::Customers(customers.iter().copied().map(customer).collect())).await;
            plain.customers.extend(customers);
            for fact in &begun { other.apply(fact, tried.clock.now()).unwrap(); }
            tell(&tried, begun).await;
            for step in &steps {
                match *step {
                    Step::Customers(a, n) => {
                        tried.facts(Facts::Customers((a..a + n).map(customer).collect())).await;
                        plain.customers.extend(a..a + n);
                    }
                    Step::Supply(a, n, t, s) => {
                        let number = |n: u64| (t + (n - a) as u32 / 200) % TRANSFORMERS;
                        let facts: Vec<_> = (a..a + n).map(|n| fact(n, number(n), s, false)).collect();
                        let outcome = tried.facts(Facts::Supply(facts.clone())).await;
                        let good = (a..a + n).filter(|n| plain.customers.contains(n) && other.transformer(number(*n)).is_some());
                        let good: Vec<u64> = good.collect();
                        assert_eq!(outcome.rejected.len() as u64, n - good.len() as u64);
                        plain.supply.extend(good.iter().map(|n| ((*n, s), number(*n))));
                    }
                    Step::End(n, t, s) => {
                        tried.facts(Facts::Supply(vec![fact(n, t, s, true)])).await;
                        if plain.supply.get(&(n, s)) == Some(&t) && other.transformer(t).is_some() { plain.supply.remove(&(n, s)); }
                    }
                    Step::Transformer(..) | Step::Remove(_) | Step::Feed(..) => {
                        let said = match *step {
                            Step::Transformer(t, l) => transformer(t, l),
                            Step::Remove(t) => remove(Kind::Transformer, code('T', t)),
                            Step::Feed(t, since, days) => {
                                let since = tried.clock.now().plus_ms(since * 86_400_000);
                                let until = Some(since.plus_ms(days * 86_400_000));
                                let (what, from) = (Whom::Transformer(code('T', t)), Spot::Line(code('L', 1)));
                                GridFact::Feed(Box::new(FeedFact { what, from, since, until, why: "检修".into(), by: "li".into() }))
                            }
                            _ => continue,
                        };
                        let hang = |t: u32| plain.supply.values().any(|its| *its == t);
                        let used = matches!(*step, Step::Remove(t) if other.find_transformer(code('T', t).as_str()).is_some_and(hang));
                        let taken = tried.state.change_grid(said.clone(), vec![]).await;
                        let should = if used { Err(()) } else { other.apply(&said, tried.clock.now()).map_err(drop) };
                        assert_eq!(taken.is_ok(), should.is_ok(), "{said:?}: {taken:?}");
                    }
                    Step::Checkpoint => tried.state.checkpoint().await.unwrap(),
                    Step::CutCheckpoint(commits) => {
                        let before = tried.store.commits();
                        let state = tried.state.clone();
                        let checkpoint = tokio::spawn(async move { state.checkpoint().await });
                        while !checkpoint.is_finished() && tried.store.commits() < before + u64::from(commits) {
                            tokio::task::yield_now().await;
                        }
                        tried.crash();
                    }
                    Step::Crash => drop(tried.crash()),
                }
            }
            tried.crash();
            let numbered = |grid: &Grid| grid.transformers().map(|(n, t)| (n, t.code.clone())).collect::<Vec<_>>();
            assert_eq!(numbered(&tried.state.grid()), numbered(&other));
            assert_eq!(told(&tried.state.grid()).len(), told(&other).len());
            for some in [vec![0], vec![3, 4], vec![1, 5, 6, 11], (0..20).collect::<Vec<u32>>()] {
                let set: TransformerSet = some.iter().copied().collect();
                let mut found = BTreeMap::new();
                for (code, affected) in tried.state.fed_by(&set) {
                    assert!(affected.is_sorted_by(|a, b| a.row < b.row));
                    for a in affected {
                        let account = tried.state.customer_at(code, a.row).unwrap().account;
                        found.insert(account, (a.lost, a.sources));
                    }
                }
                let mut should = BTreeMap::new();
                for n in &plain.customers {
                    let its = || plain.supply.range((*n, 0)..=(*n, 9)).map(|((_, s), t)| (*s, *t));
                    let lost = Sources::of(its().filter(|(_, t)| set.contains(*t)).map(|(s, _)| s));
                    if lost.count() > 0 {
                        should.insert(account(*n), (lost, Sources::of(its().map(|(s, _)| s))));
                    }
                }
                assert_eq!(found, should, "on {some:?}");
            }
            let without = |n: &&u64| !plain.supply.range((**n, 0)..=(**n, 9)).any(|(_, t)| other.transformer(*t).is_some());
            let should = plain.customers.iter().filter(without).count() as u64;
            let is: u64 = [TAIYUAN, DATONG].iter().map(|p| tried.state.without_supply(*p, 0).0).sum();
            assert_eq!(is, should);
        });
    }
}

/// Transformers of some 130 customers who mostly follow each other, one in a hundred of them elsewhere. Prints what a customer takes.
#[tokio::test]
async fn a_customers_supply_takes_few_bytes_of_memory() {
    const CUSTOMERS: u64 = 200_000;
    let mut w = World::new().await;
    for from in (0..CUSTOMERS).step_by(20_000) {
        w.facts(Facts::Customers((from..from + 20_000).map(customer).collect())).await;
    }
    assert_eq!(w.state.supply_bytes(), 0, "without a grid it costs nothing");
    tell(&w, grid(40, 40)).await;
    let on = |n: u64| if n % 100 == 57 { (n * 7_919 % 1_600) as u32 } else { (n / 130) as u32 };
    for from in (0..CUSTOMERS).step_by(20_000) {
        let facts = (from..from + 20_000).map(|n| fact(n, on(n), 1, false)).collect();
        assert_eq!(w.facts(Facts::Supply(facts)).await.created, 20_000);
    }
    let each = w.state.supply_bytes() as f64 / CUSTOMERS as f64;
    println!("a customer's transformer: {each:.2} bytes");
    assert!(each < 3.0, "{each}");
    w.state.checkpoint().await.unwrap();
    w.crash();
    let again = w.state.supply_bytes() as f64 / CUSTOMERS as f64;
    assert!(again <= each, "{again}");
    for n in (0..CUSTOMERS).step_by(999) {
        assert_eq!(w.state.supply_of(account(n)).unwrap(), [(1, on(n))], "{n}");
    }
}
