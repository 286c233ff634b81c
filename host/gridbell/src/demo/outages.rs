//! An outage story that one can click through: work on a line that was announced and takes longer, and a cable that broke today, of which customers
//! reported.

use std::collections::BTreeSet;

use gridbell_conductor::{Host, OutageStep};
use gridbell_model::{Date, PrefectureCode};
use gridbell_outages::{Class, Content, Crew, DraftOrder, Kind, ReportOrder, Scope, StepOrder, Via};
use gridbell_topology::{Grid, Line, TransformerSet};

use crate::error::CommandError;

/// 太原.
const TAIYUAN: PrefectureCode = PrefectureCode(140_100);
const WHO: &str = "demo";
/// Who agrees to what `demo` drafted: a second person.
const SECOND: &str = "demo-approver";
/// Days from the announcement to the work: more than the seven that the rules ask for.
const AHEAD_DAYS: i32 = 9;
/// Customers who report the fault: fewer than would propose one.
const REPORTS: usize = 2;

/// Enters the outages, and says where to look.
pub(super) async fn story(host: &Host, base: &str, today: Date, say: &impl Fn(String)) -> Result<(), CommandError> {
    let grid = host.state().grid();
    let here = |line: &Line| grid.substation(line.substation).is_some_and(|s| s.prefecture == TAIYUAN);
    let lines: Vec<&Line> = grid.lines().map(|(_, line)| line).filter(|line| here(line)).collect();
    // A small province has one line, which then has both.
    let (Some(broken), Some(planned)) = (lines.first(), lines.last()) else { return Ok(()) };
    // A data directory that has them keeps them.
    if host.outages().book(|book| book.outages().next().is_none()) {
        announce(host, planned, today).await?;
        break_cable(host, &grid, broken).await?;
    }
    say(format!("  outages: {base}/map?prefecture={TAIYUAN} (work on a line that takes longer, a cable that broke)"));
    Ok(())
}

/// Work on a line: drafted, approved by a second person, published; then its end is moved.
async fn announce(host: &Host, line: &Line, today: Date) -> Result<(), CommandError> {
    let day = today.plus_days(AHEAD_DAYS);
    let content = |until: u32| Content {
        scope: Scope { lines: BTreeSet::from([line.code.to_string()]), ..Scope::default() },
        from: day.at(8, 0).moment(),
        until: Some(day.at(until, 0).moment()),
        reason: format!("{}检修", line.name),
        class: Class::Serious,
    };
    let outages = host.outages();
    let order = order(Kind::Planned, content(12), "年度检修计划");
    let id = outages.enter(order, false, WHO, false).await?.outage.id();
    let step = |why: &str| StepOrder { id, expected: None, by: WHO.to_owned(), why: why.to_owned() };
    outages.step(step(""), OutageStep::Approve(None), SECOND, false).await?;
    outages.step(step(""), OutageStep::Publish, WHO, false).await?;
    outages.step(step("消缺工作增加"), OutageStep::Change(content(14), None), WHO, false).await?;
    Ok(())
}

/// A cable breaks behind the first switch of a line: it counts at once, customers report it, the crew sets out.
async fn break_cable(host: &Host, grid: &Grid, line: &Line) -> Result<(), CommandError> {
    let first = grid.section(line.first);
    let behind = first.and_then(|s| s.downstream.iter().find_map(|n| grid.section(*n)));
    let Some((section, switch)) = behind.and_then(|s| Some((s, s.switch.as_ref()?))) else { return Ok(()) };
    let now = host.clock().civil_minute().moment();
    let content = Content {
        scope: Scope { switches: BTreeSet::from([switch.code.to_string()]), ..Scope::default() },
        from: now,
        until: None,
        reason: "电缆故障".to_owned(),
        class: Class::Minor,
    };
    let outages = host.outages();
    let id = outages.enter(order(Kind::Fault, content, "保护动作"), true, WHO, false).await?.outage.id();
    let dark = TransformerSet::from_iter(section.transformers.iter().copied());
    let fed = host.state().fed_by(&dark);
    let who = fed.get(&TAIYUAN).into_iter().flatten().take(REPORTS);
    for account in who.filter_map(|a| host.state().customer_at(TAIYUAN, a.row)).map(|c| c.account) {
        let report = ReportOrder {
            prefecture: TAIYUAN,
            account: Some(account),
            transformer: None,
            via: Via::Agent,
            what: "家里没电".to_owned(),
        };
        outages.report(report, WHO).await?;
    }
    outages.crew(id, Crew::Dispatched, WHO).await?;
    Ok(())
}

fn order(kind: Kind, content: Content, why: &str) -> DraftOrder {
    DraftOrder { prefecture: TAIYUAN, kind, content, by: WHO.to_owned(), why: why.to_owned() }
}
