//! Outages on a real grid: whom a scope takes, what a part that is back leaves, reports that become a fault, and all of it after a start.

#![expect(clippy::unwrap_used, reason = "a test stops where it fails")]

#[expect(dead_code, reason = "each test takes its part of the world")]
#[path = "forecast/world.rs"]
mod world;

use gridbell_conductor::*;
use gridbell_model::*;
use gridbell_outages::{
    Change, Class, Content, Crew, DraftOrder, Error, Kind, OutageId, Phase, ReportOrder, SYSTEM, Scope, ShortNotice,
    StepOrder, Via,
};
use gridbell_state::{Facts, SupplyFact};
use gridbell_topology::{GridFact, LineFact, Spot, SubstationFact, TransformerFact};
use world::{TAIYUAN, World, account};

/// Transformers 0 and 1 hang on line 0, 2 and 3 on line 1; ten customers on each, and customer 0 on transformer 2 as well.
async fn grid(world: &World) {
    let state = world.host.state();
    let substation = SubstationFact { code: "A0".parse().unwrap(), name: "城西站".into(), prefecture: TAIYUAN };
    let mut facts = vec![GridFact::Substation(substation)];
    for line in 0..2 {
        let code = format!("L{line}").parse().unwrap();
        facts.push(GridFact::Line(LineFact { code, name: "城南线".into(), substation: "A0".parse().unwrap() }));
    }
    facts.extend((0..4).map(|t| {
        GridFact::Transformer(Box::new(TransformerFact {
            code: format!("T{t}").parse().unwrap(),
            name: format!("公变{t}"),
            prefecture: TAIYUAN,
            hangs_on: Spot::Line(format!("L{}", t / 2).parse().unwrap()),
            place: None,
            position: None,
            private: None,
            manager: None,
        }))
    }));
    state.facts(Facts::Grid(facts), false, vec![]).await.unwrap();
    let number = |t: u64| state.grid().find_transformer(&format!("T{t}")).unwrap();
    let main = |n: u64| SupplyFact { account: account(n), transformer: number(n / 10), source: 1, ended: false };
    let mut supply: Vec<SupplyFact> = (0..40).map(main).collect();
    supply.push(SupplyFact { account: account(0), transformer: number(2), source: 2, ended: false });
    assert!(state.facts(Facts::Supply(supply), false, vec![]).await.unwrap().facts.rejected.is_empty());
}

/// How many of these customers have not left.
fn living(world: &World, who: std::ops::Range<u64>) -> usize {
    let state = world.host.state();
    let stays = |n: &u64| {
        let (code, row) = state.find(account(*n)).unwrap();
        !state.snapshot(code).unwrap().view(row).unwrap().traits.has(Traits::CLOSED)
    };
    who.filter(stays).count()
}

fn order(world: &World, kind: Kind, scope: Scope, from: i64, until: Option<i64>) -> DraftOrder {
    let now = world.clock.now().unix_ms() / 60_000 * 60_000;
    let at = |hours: i64| Moment::from_unix_ms(now + hours * 3_600_000);
    let (from, until, reason) = (at(from), until.map(at), "10kV城南线检修".to_owned());
    let content = Content { scope, from, until, reason, class: Class::Minor };
    DraftOrder { prefecture: TAIYUAN, kind, content, by: String::new(), why: String::new() }
}

fn step(id: OutageId) -> StepOrder {
    StepOrder { id, expected: None, by: String::new(), why: "现场情况".into() }
}

fn line(code: &str) -> Scope {
    Scope { lines: [code.to_owned()].into(), ..Scope::default() }
}

/// Customers whom an outage concerns, and of them those without any power.
fn counts(outcome: &OutageOutcome) -> (usize, usize) {
    let customers = outcome.affected.customers();
    (customers.len(), customers.iter().filter(|c| u32::from(c.sources) == c.lost.count_ones()).count())
}

#[tokio::test]
async fn a_line_takes_exactly_those_who_hang_on_it_through_a_start() {
    let world = World::new().await;
    grid(&world).await;
    let outages = world.host.outages();
    let refused = outages.enter(order(&world, Kind::Planned, line("L9"), 200, Some(204)), false, "wang", false).await;
    assert!(refused.unwrap_err().to_string().contains("L9"), "a code that is not there concerns nobody");
    let unknown = Scope { customers: ["9999999999".parse().unwrap()].into(), ..Scope::default() };
    assert!(outages.enter(order(&world, Kind::Planned, unknown, 200, Some(204)), false, "wang", false).await.is_err());
    let wanted = || order(&world, Kind::Planned, line("L0"), 200, Some(204));
    let (first, all) = (living(&world, 0..20), living(&world, 0..40));
    let trial = outages.enter(wanted(), false, "wang", true).await.unwrap();
    assert_eq!(
        (counts(&trial), outages.book(|b| b.outages().count())),
        ((first, first - 1), 0),
        "a trial enters nothing"
    );
    let id = outages.enter(wanted(), false, "wang/night-job", false).await.unwrap().outage.id();
    assert_eq!(outages.book(|b| b.on_customer(account(1)).count()), 0, "a draft concerns nobody");
    let own = outages.step(step(id), OutageStep::Approve(None), "wang", false).await;
    assert!(matches!(own, Err(HostError::Outages(Error::OwnWork { .. }))), "he wrote it by his token");
    outages.step(step(id), OutageStep::Approve(None), "li", false).await.unwrap();
    let made = outages.step(step(id), OutageStep::Publish, "wang", false).await.unwrap();
    assert_eq!((made.outage.phase(), counts(&made)), (Phase::Published, (first, first - 1)));
    assert_eq!(made.affected.transformers(), ["T0", "T1"]);
    let wider = Content {
        scope: Scope { lines: ["L0".into(), "L1".into()].into(), ..Scope::default() },
        ..made.outage.latest().content.clone()
    };
    let short = Some(ShortNotice { approved_by: "li".into(), why: "设备缺陷".into() });
    let made = outages.step(step(id), OutageStep::Change(wider, short), "wang", false).await.unwrap();
    assert_eq!((counts(&made), made.outage.latest().changes.contains(&Change::Widened)), ((all, all), true));
    outages.told(id, 2).await.unwrap();
    assert!(outages.step(step(id), OutageStep::Begin, "crew", false).await.is_err(), "not before its time");
    world.clock.advance_to(world.clock.now().plus_ms(201 * 3_600_000));
    outages.step(step(id), OutageStep::Begin, "crew", false).await.unwrap();
    let part = OutageStep::RestorePart(Scope::transformer("T2"));
    let made = outages.step(step(id), part, "crew", false).await.unwrap();
    let left = all - living(&world, 20..30);
    assert_eq!(counts(&made), (left, left - 1), "customer 0 has his second source again");

    let before =
        outages.book(|b| (b.outage(id).cloned(), b.affected(id).cloned(), b.due(Moment::from_unix_ms(i64::MAX))));
    let world = world.restarted();
    let outages = world.host.outages();
    let after =
        outages.book(|b| (b.outage(id).cloned(), b.affected(id).cloned(), b.due(Moment::from_unix_ms(i64::MAX))));
    assert_eq!(before, after, "as it was before the start");
    assert_eq!(after.2, [id], "and still to be told");
    assert_eq!(outages.book(|b| b.listeners(id).count()), all, "before or now");
    let over = outages.step(step(id), OutageStep::Restore(world.clock.now()), "crew", false).await.unwrap();
    assert_eq!((over.outage.phase(), counts(&over)), (Phase::Restored, (0, 0)));
}

#[tokio::test]
async fn reports_at_one_transformer_propose_a_fault_and_belong_to_it() {
    let world = World::new().await;
    grid(&world).await;
    let outages = world.host.outages();
    let report = |n: u64| ReportOrder {
        prefecture: TAIYUAN,
        account: Some(account(n)),
        transformer: None,
        via: Via::Agent,
        what: "家里没电".into(),
    };
    assert!(outages.report(report(11), "agent").await.unwrap().1.is_none());
    assert!(outages.report(report(12), "agent").await.unwrap().1.is_none());
    let (last, proposed) = outages.report(report(13), "agent").await.unwrap();
    let proposed = proposed.unwrap();
    assert_eq!((last.transformer.as_deref(), last.outage), (Some("T1"), None));
    assert_eq!((proposed.phase(), proposed.latest().by.as_str()), (Phase::Draft, SYSTEM));
    let id = proposed.id();
    let made = outages.step(step(id), OutageStep::Publish, "wang", false).await.unwrap();
    let fed = living(&world, 10..20);
    assert_eq!((made.outage.phase(), counts(&made)), (Phase::InProgress, (fed, fed)));
    assert_eq!(outages.book(|b| b.reports_of(id).count()), 3);
    assert_eq!(outages.report(report(14), "agent").await.unwrap().0.outage, Some(id));
    outages.crew(id, Crew::Arrived, "crew").await.unwrap();
    let world = world.restarted();
    let (reports, events) = world.host.outages().book(|b| {
        (b.reports_of(id).count(), b.outage(id).unwrap().head.events.iter().map(|e| e.what).collect::<Vec<_>>())
    });
    assert_eq!((reports, events), (4, vec![Crew::Arrived]));
}
