//! A province's grid: what it takes, how quickly it answers. Prints figures; judges none of them by the clock.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

use gridbell_model::{Moment, PrefectureCode};
use gridbell_topology::{Code, Done, Grid, GridFact, LineFact, Refusal, Scope, Spot, SubstationFact, TransformerFact};

fn code(text: String) -> Code {
    text.parse().unwrap()
}

/// 50 substations with 50 lines each, 40 transformers on each line.
fn province() -> Grid {
    let mut grid = Grid::default();
    let at = Moment::from_unix_ms(0);
    let mut take = |fact: GridFact| assert!(matches!(grid.apply(&fact, at), Ok(Done::Created(None))));
    let prefecture = PrefectureCode(140_100);
    for s in 0..50 {
        let substation = code(format!("S{s:03}"));
        take(GridFact::Substation(SubstationFact {
            code: substation.clone(), name: format!("变电站{s}"), prefecture
        }));
        for l in 0..50 {
            let line = code(format!("L{s:03}{l:03}"));
            let fact = LineFact { code: line.clone(), name: format!("线路{l}"), substation: substation.clone() };
            take(GridFact::Line(fact));
            for t in 0..40 {
                take(GridFact::Transformer(Box::new(TransformerFact {
                    code: code(format!("T{s:03}{l:03}{t:03}")),
                    name: format!("公变{t}"),
                    prefecture,
                    hangs_on: Spot::Line(line.clone()),
                    place: Some("锦绣花园".to_owned()),
                    position: None,
                    private: Some(false),
                    manager: None,
                })));
            }
        }
    }
    grid
}

#[test]
fn a_line_of_a_province_is_its_own_transformers_and_no_others() {
    let grid = province();
    assert_eq!(grid.counts(), [50, 2_500, 2_500, 100_000]);
    let scope = Scope { lines: vec![code("L007013".to_owned())], ..Scope::default() };
    let dead = grid.dead(&scope, Moment::from_unix_ms(5));
    assert_eq!(dead.len(), 40);
    let of_it = |t: u32| grid.transformer(t).unwrap().code.as_str().starts_with("T007013");
    assert!(dead.iter().all(of_it));
    let scope = Scope { substations: vec![code("S007".to_owned())], ..Scope::default() };
    assert_eq!(grid.dead(&scope, Moment::from_unix_ms(5)).len(), 2_000);
    assert_eq!(grid.findings().count(), 0);
}

#[test]
fn codes_have_their_rules_and_what_is_wrong_is_said() {
    for bad in ["", "a/b", "一", "a b", &"x".repeat(41)] {
        assert!(bad.parse::<Code>().is_err(), "{bad}");
    }
    assert!("x".repeat(40).parse::<Code>().is_ok());
    let mut grid = Grid::default();
    let line = LineFact { code: code("L1".to_owned()), name: "线".to_owned(), substation: code("S1".to_owned()) };
    let refusal = grid.apply(&GridFact::Line(line), Moment::from_unix_ms(0)).unwrap_err();
    assert_eq!(refusal.to_string(), "there is no substation `S1`; enter it first");
    assert_eq!((refusal.chinese().as_str(), refusal.at_fault()), ("没有变电站 S1，请先录入", "substation"));
    let path = vec![code("A".to_owned()), code("B".to_owned()), code("A".to_owned())];
    assert_eq!(Refusal::Cycle { path, at: None }.to_string(), "it would feed itself: `A` ← `B` ← `A`");
}
