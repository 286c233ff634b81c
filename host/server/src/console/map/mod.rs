//! The live map: the grid of a prefecture, drawn from its own topology, with what is without power; one line; one transformer with its count. Drawn
//! here as SVG, from no other service, and shows no customer.

mod plot;

use std::collections::HashMap;

use axum::extract::State;
use axum::response::Response;
use gridbell_model::{Moment, PrefectureCode};
use gridbell_outages::{Book, Outage};
use gridbell_topology::{Grid, TransformerSet};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::page::data;
use crate::access::{Action, Session};
use crate::api::visible_prefectures;
use crate::app::App;
use crate::extract::Query;
use crate::problem::{Code, Problem};
use plot::{Plot, Power};

/// Lines that are listed beside the map at most, those with most transformers off first.
const MAX_LINES: usize = 200;
/// Outages that are listed at most.
const MAX_OUTAGES: usize = 50;

/// What to draw.
#[derive(Debug, Default, Deserialize)]
pub(super) struct MapQuery {
    #[serde(default)]
    prefecture: String,
    #[serde(default)]
    line: String,
    #[serde(default)]
    transformer: String,
}

/// A line in the list.
#[derive(Serialize)]
struct LineRow {
    code: String,
    name: String,
    substation: String,
    transformers: usize,
    off: usize,
    soon: usize,
}

/// An outage as the map's reader needs it.
#[derive(Serialize)]
struct OutageRow {
    id: String,
    kind: &'static str,
    phase: &'static str,
    reason: String,
    from: String,
    until: String,
    transformers: usize,
    customers: usize,
}

pub(super) async fn show(
    State(app): State<App>,
    session: Session,
    Query(query): Query<MapQuery>,
) -> Result<Response, Problem> {
    session.caller.require(Action::CustomerRead)?;
    session.caller.require(Action::OutageRead)?;
    let seen = visible_prefectures(&app, &session.caller);
    let (grid, org) = (app.state().grid(), app.org());
    let choice = Choice::of(&grid, &query)?;
    let first = || seen.first().map(|p| PrefectureCode(p.prefecture.code));
    let prefecture = choice.prefecture(&grid, &query)?.or_else(first).ok_or_else(Problem::not_found)?;
    if !session.caller.scope.touches(&org, prefecture) {
        return Err(Problem::not_found());
    }
    let work = app.clone();
    // Thousands of dots, and a look at the customers of a transformer: not for the runtime's threads.
    let drawn = app.clock().offload(move || draw(&work, &grid, prefecture, &choice)).await;
    let drawn = drawn.map_err(|e| Problem::internal(&e))?;
    let more = context! { prefectures => data(&seen), prefecture => prefecture.0, ..drawn };
    Ok(app.pages.show(&app, &session, "map.html", "/map", more))
}

/// What of the grid was asked for, by number.
#[derive(Clone, Copy)]
struct Choice {
    line: Option<u32>,
    transformer: Option<u32>,
}

impl Choice {
    fn of(grid: &Grid, query: &MapQuery) -> Result<Self, Problem> {
        let known = |field: &'static str, code: &str, found: Option<u32>| match (code.trim().is_empty(), found) {
            (true, _) => Ok(None),
            (false, Some(number)) => Ok(Some(number)),
            (false, None) => Err(Problem {
                detail: Some(format!("没有这个{field}：{}", code.trim())),
                ..Problem::new(Code::NotFound)
            }),
        };
        let transformer = known("配变", &query.transformer, grid.find_transformer(query.transformer.trim()))?;
        let line = known("线路", &query.line, grid.find_line(query.line.trim()))?;
        let of_transformer = || grid.line_of(grid.transformer(transformer?)?.section);
        Ok(Self { line: line.or_else(of_transformer), transformer })
    }

    /// Whose map: what was asked for is drawn where it belongs.
    fn prefecture(self, grid: &Grid, query: &MapQuery) -> Result<Option<PrefectureCode>, Problem> {
        let of_line = || Some(grid.substation(grid.line(self.line?)?.substation)?.prefecture);
        let own = self.transformer.and_then(|t| Some(grid.transformer(t)?.prefecture)).or_else(of_line);
        let asked = match query.prefecture.trim() {
            "" => None,
            text => Some(PrefectureCode(text.parse().map_err(|_| Problem::not_found())?)),
        };
        Ok(own.or(asked))
    }
}

/// How transformers are by the outages that count; those that are not in it have power.
fn powers(book: &Book, grid: &Grid, now: Moment) -> HashMap<u32, Power> {
    let mut powers: HashMap<u32, Power> = HashMap::new();
    for outage in book.open() {
        let power = if outage.covers(now) { Power::Off } else { Power::Soon };
        let codes = book.affected(outage.id()).map(|a| a.transformers()).unwrap_or_default();
        for number in codes.iter().filter_map(|code| grid.find_transformer(code)) {
            let known = powers.entry(number).or_default();
            *known = (*known).max(power);
        }
    }
    powers
}

fn draw(app: &App, grid: &Grid, prefecture: PrefectureCode, choice: &Choice) -> Value {
    let now = app.clock().now();
    let outages = app.conduct.outages();
    let powers = outages.book(|book| powers(book, grid, now));
    let power = |t: u32| powers.get(&t).copied().unwrap_or_default();
    let here = |substation: u32| grid.substation(substation).is_some_and(|s| s.prefecture == prefecture);
    let all: Vec<u32> = grid.lines().filter(|(_, l)| here(l.substation)).map(|(n, _)| n).collect();
    let lines = choice.line.map_or_else(|| all.clone(), |line| vec![line]);
    let plot = Plot::of(grid, &lines, power);
    let rows = line_rows(grid, &lines, &powers);
    let found = choice.transformer.and_then(|t| grid.transformer(t));
    let (listed, more) = outages.book(|book| {
        let of_map = |o: &&std::sync::Arc<Outage>| match found {
            Some(t) => book.affected(o.id()).is_some_and(|a| a.has_transformer(t.code.as_str())),
            None => o.head.prefecture == prefecture,
        };
        let rows: Vec<OutageRow> = book.open().filter(of_map).map(|o| outage_row(book, o)).collect();
        let more = rows.len().saturating_sub(MAX_OUTAGES);
        (rows.into_iter().take(MAX_OUTAGES).collect::<Vec<_>>(), more)
    });
    let line = choice.line.and_then(|n| grid.line(n));
    let detail = choice.transformer.zip(found).map(|(number, t)| {
        let hang = app.state().fed_by(&TransformerSet::from_iter([number]));
        let customers: usize = hang.values().map(Vec::len).sum();
        let twice = hang.values().flatten().filter(|a| !a.is_out()).count();
        context! {
            code => t.code.to_string(), name => &t.name, place => &t.place, private => t.private, customers, twice,
            power => data(power(number)), said => power(number).chinese(),
        }
    });
    context! {
        plot => data(&plot), lines => data(&rows), more_lines => lines.len().saturating_sub(rows.len()),
        outages => data(&listed), more_outages => more, transformer => detail,
        line => line.map(|l| context! { code => l.code.to_string(), name => &l.name }),
        off => powers.values().filter(|p| **p == Power::Off).count(),
        is_empty => grid.is_empty(), now => now.civil_minute().to_string(),
    }
}

fn outage_row(book: &Book, outage: &Outage) -> OutageRow {
    let content = &outage.latest().content;
    let affected = book.affected(outage.id());
    OutageRow {
        id: outage.id().to_string(),
        kind: outage.head.kind.chinese(),
        phase: outage.phase().chinese(),
        reason: content.reason.clone(),
        from: content.from.civil_minute().to_string(),
        until: content.until.map(|u| u.civil_minute().to_string()).unwrap_or_default(),
        transformers: affected.map_or(0, |a| a.transformers().len()),
        customers: affected.map_or(0, |a| a.customers().len()),
    }
}

fn line_rows(grid: &Grid, lines: &[u32], powers: &HashMap<u32, Power>) -> Vec<LineRow> {
    let mut rows: Vec<LineRow> = lines.iter().filter_map(|n| line_row(grid, *n, powers)).collect();
    rows.sort_by(|a, b| (b.off, b.soon).cmp(&(a.off, a.soon)).then_with(|| a.code.cmp(&b.code)));
    rows.truncate(MAX_LINES);
    rows
}

fn line_row(grid: &Grid, number: u32, powers: &HashMap<u32, Power>) -> Option<LineRow> {
    let line = grid.line(number)?;
    let (mut counts, mut ahead) = ([0usize; 3], vec![line.first]);
    while let Some(section) = ahead.pop().and_then(|n| grid.section(n)) {
        ahead.extend(&section.downstream);
        for t in &section.transformers {
            counts[powers.get(t).copied().unwrap_or_default() as usize] += 1;
        }
    }
    Some(LineRow {
        code: line.code.to_string(),
        name: line.name.clone(),
        substation: grid.substation(line.substation).map(|s| s.name.clone()).unwrap_or_default(),
        transformers: counts.iter().sum(),
        off: counts[Power::Off as usize],
        soon: counts[Power::Soon as usize],
    })
}
