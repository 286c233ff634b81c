//! The grid (站 → 线 → 变 → 户): what feeds something now and what hangs on it, what of it should be looked at, and feeding for a while (转供电).
//!
//! The grid is the province's and shows no customer; whoever sees customers sees it. Who looks after a transformer is shown where the transformer is the
//! caller's to see. Changes are the province's.

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_model::{CivilMinute, Moment};
use gridbell_topology::{
    Code as ThingCode, EndFeed, Fed, Feed, FeedFact, Finding, Grid, GridFact, Hangs, Kind, Removal, Scope, Spot,
    Transformer, TransformerSet, Whom,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::stops::why;
use super::view::{UnitRef, WordView, word};
use crate::access::{Action, Caller, note};
use crate::app::App;
use crate::extract::{Json, Query, given};
use crate::problem::{Problem, ProblemBody};

/// Things that are listed by name at most; counts are of all.
const MAX_LISTED: usize = 50;

/// A thing of the grid, by name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ThingRef {
    /// `substation`, `line`, `section`, `switch`, `transformer`.
    kind: WordView,
    /// Its code; of a line's first section that nobody named, the line's.
    code: String,
    /// Its name; empty for a section.
    name: String,
}

/// How much of the grid there is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TopologyView {
    /// Rises with each change.
    version: u64,
    /// 变电站
    substations: u32,
    /// 线路
    lines: u32,
    /// Sections, lines' first ones included.
    sections: u32,
    /// 变压器
    transformers: u32,
    /// Things that are fed otherwise now.
    fed_otherwise: usize,
}

/// Which thing.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ThingQuery {
    /// Its code.
    code: String,
}

/// Who looks after a transformer's district.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ManagerView {
    /// 台区经理
    name: String,
    /// The office's number.
    phone: String,
}

/// A thing of the grid.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ThingView {
    /// What it is.
    #[serde(flatten)]
    thing: ThingRef,
    /// Whose it is; none of a section or switch.
    prefecture: Option<UnitRef>,
    /// What feeds it now, the nearest first, up to the substation.
    fed_by: Vec<ThingRef>,
    /// Whether that is otherwise than normally.
    fed_otherwise: Option<FeedView>,
    /// The switch through which a section is fed normally.
    switch: Option<ThingRef>,
    /// The community or place that a transformer feeds.
    place: Option<String>,
    /// Longitude and latitude of a transformer in degrees.
    position: Option<(f64, f64)>,
    /// `public` (公变) or `private` (专变).
    ownership: Option<WordView>,
    /// 台区经理, where the transformer is the caller's to see.
    manager: Option<ManagerView>,
    /// What hangs on it directly and normally, the first of them.
    below: Vec<ThingRef>,
    /// How many hang on it so.
    below_count: usize,
    /// Transformers that are dead without it, as everything is fed now.
    transformers: usize,
    /// Customers who have no power then.
    customers_out: u64,
    /// Customers who lose one of several sources then.
    customers_one_source: u64,
}

/// Something is fed otherwise than normally.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FeedView {
    /// What.
    what: ThingRef,
    /// What feeds it meanwhile.
    from: ThingRef,
    /// Since when.
    since: String,
    /// Until when; none until it is taken back.
    until: Option<String>,
    /// Whether it does so now.
    now: bool,
    /// Why.
    why: String,
    /// Who said so.
    by: String,
}

/// Things that should be looked at, counted, the first of them by name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct FindingView {
    /// `empty-substation`, `empty-line`, `other-prefecture`, `without-customers`, `without-transformer`.
    what: WordView,
    /// Of which prefecture, where customers are meant.
    prefecture: Option<UnitRef>,
    /// How many.
    count: u64,
    /// The first codes or account numbers; none where they are not the caller's to see.
    first: Vec<String>,
}

/// Something to feed otherwise.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FeedBody {
    /// The section that is fed otherwise, with all that it feeds; it or `transformer`.
    #[serde(default)]
    section: Option<String>,
    /// The transformer that is.
    #[serde(default)]
    transformer: Option<String>,
    /// The section that feeds it meanwhile; it or `from_line`.
    #[serde(default)]
    from_section: Option<String>,
    /// The line whose first section does.
    #[serde(default)]
    from_line: Option<String>,
    /// From this minute on, as 2026-11-21T09:00; now where it is left out.
    #[serde(default)]
    since: Option<String>,
    /// Up to this minute; until it is taken back where it is left out.
    #[serde(default)]
    until: Option<String>,
    /// Why: 2 to 40 characters.
    why: String,
}

/// Something to feed normally again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndFeedBody {
    /// The section that was fed otherwise; it or `transformer`.
    #[serde(default)]
    section: Option<String>,
    /// The transformer that was.
    #[serde(default)]
    transformer: Option<String>,
    /// From this minute on; now where it is left out.
    #[serde(default)]
    at: Option<String>,
    /// Why, for the audit log: 2 to 500 characters.
    why: String,
}

/// A thing that is no more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RemoveBody {
    /// `substation`, `line`, `section`, `switch`, `transformer`.
    kind: String,
    /// Its code.
    code: String,
    /// Why, for the audit log: 2 to 500 characters.
    why: String,
}

fn reference(grid: &Grid, kind: Kind, number: u32) -> Option<ThingRef> {
    let (code, name) = match kind {
        Kind::Substation => grid.substation(number).map(|s| (s.code.to_string(), s.name.clone())),
        Kind::Line => grid.line(number).map(|l| (l.code.to_string(), l.name.clone())),
        Kind::Section => grid.called(number).map(|code| (code.to_string(), String::new())),
        Kind::Switch => grid.section(number)?.switch.as_ref().map(|s| (s.code.to_string(), s.name.clone())),
        Kind::Transformer => grid.transformer(number).map(|t| (t.code.to_string(), t.name.clone())),
    }?;
    Some(ThingRef { kind: word!(kind), code, name })
}

fn feed_view(grid: &Grid, feed: &Feed, now: Moment) -> Option<FeedView> {
    let what = match feed.what {
        Fed::Section(n) => reference(grid, Kind::Section, n),
        Fed::Transformer(n) => reference(grid, Kind::Transformer, n),
    }?;
    Some(FeedView {
        what,
        from: reference(grid, Kind::Section, feed.from)?,
        since: feed.since.to_string(),
        until: feed.until.map(|at| at.to_string()),
        now: feed.holds(now),
        why: feed.why.clone(),
        by: feed.by.clone(),
    })
}

/// Sections from the nearest on, their line and its substation.
fn up_from(grid: &Grid, sections: &[u32]) -> Vec<ThingRef> {
    let mut path: Vec<ThingRef> = sections.iter().filter_map(|s| reference(grid, Kind::Section, *s)).collect();
    let line = sections.last().and_then(|s| match grid.section(*s)?.hangs {
        Hangs::Line(line) => Some(line),
        Hangs::Section(_) => None,
    });
    if let Some(number) = line {
        path.extend(reference(grid, Kind::Line, number));
        path.extend(grid.line(number).and_then(|l| reference(grid, Kind::Substation, l.substation)));
    }
    path
}

/// What feeds something now.
fn fed_by(grid: &Grid, kind: Kind, number: u32, now: Moment) -> Vec<ThingRef> {
    match kind {
        Kind::Substation => Vec::new(),
        Kind::Line => {
            grid.line(number).and_then(|l| reference(grid, Kind::Substation, l.substation)).into_iter().collect()
        }
        Kind::Section | Kind::Switch => {
            let mut path = grid.fed_through(Fed::Section(number), now);
            path.insert(0, number);
            let own = usize::from(kind == Kind::Section);
            up_from(grid, &path).split_off(own)
        }
        Kind::Transformer => up_from(grid, &grid.fed_through(Fed::Transformer(number), now)),
    }
}

/// What hangs on something directly and normally.
fn below(grid: &Grid, kind: Kind, number: u32) -> Vec<(Kind, u32)> {
    match kind {
        Kind::Substation => {
            grid.substation(number).map_or_else(Vec::new, |s| s.lines.iter().map(|l| (Kind::Line, *l)).collect())
        }
        Kind::Line => grid.line(number).map_or_else(Vec::new, |l| vec![(Kind::Section, l.first)]),
        Kind::Section | Kind::Switch => grid.section(number).map_or_else(Vec::new, |s| {
            let sections = s.downstream.iter().map(|n| (Kind::Section, *n));
            sections.chain(s.transformers.iter().map(|n| (Kind::Transformer, *n))).collect()
        }),
        Kind::Transformer => Vec::new(),
    }
}

fn thing(app: &App, caller: &Caller, grid: &Grid, kind: Kind, code: &ThingCode) -> Option<ThingView> {
    let (number, now, org) = (grid.find(kind, code.as_str())?, app.clock().now(), app.org());
    let mut scope = Scope::default();
    match kind {
        Kind::Substation => scope.substations.push(code.clone()),
        Kind::Line => scope.lines.push(code.clone()),
        Kind::Section => scope.sections.push(code.clone()),
        Kind::Switch => scope.switches.push(code.clone()),
        Kind::Transformer => scope.transformers.push(code.clone()),
    }
    let dead = grid.dead(&scope, now);
    let fed = app.state().fed_by(&dead);
    let affected = || fed.values().flatten();
    let out = affected().filter(|a| a.is_out()).count();
    let transformer: Option<&Transformer> = if kind == Kind::Transformer { grid.transformer(number) } else { None };
    let prefecture = match kind {
        Kind::Substation => grid.substation(number).map(|s| s.prefecture),
        Kind::Line => grid.line(number).and_then(|l| grid.substation(l.substation)).map(|s| s.prefecture),
        _ => transformer.map(|t| t.prefecture),
    };
    let mine = prefecture.is_some_and(|p| caller.scope.touches(&org, p));
    let what = match kind {
        Kind::Section => Some(Fed::Section(number)),
        Kind::Transformer => Some(Fed::Transformer(number)),
        _ => None,
    };
    let otherwise = grid.feeds().find(|f| Some(f.what) == what && f.holds(now));
    let below = below(grid, kind, number);
    let degrees = |millionths: i32| f64::from(millionths) / 1e6;
    Some(ThingView {
        thing: reference(grid, kind, number)?,
        prefecture: prefecture.map(|p| UnitRef::prefecture(&org, p)),
        fed_by: fed_by(grid, kind, number, now),
        fed_otherwise: otherwise.and_then(|f| feed_view(grid, f, now)),
        switch: if kind == Kind::Section { reference(grid, Kind::Switch, number) } else { None },
        place: transformer.map(|t| t.place.clone()).filter(|place| !place.is_empty()),
        position: transformer.and_then(|t| t.position).map(|p| (degrees(p.longitude), degrees(p.latitude))),
        ownership: transformer.map(|t| ownership(t.private)),
        manager: transformer
            .and_then(|t| t.manager.as_ref())
            .filter(|_| mine)
            .map(|m| ManagerView { name: m.name.clone(), phone: m.phone.clone() }),
        below_count: below.len(),
        below: below.into_iter().take(MAX_LISTED).filter_map(|(kind, n)| reference(grid, kind, n)).collect(),
        transformers: dead.len(),
        customers_out: out as u64,
        customers_one_source: (affected().count() - out) as u64,
    })
}

fn ownership(private: bool) -> WordView {
    let (word, chinese) = if private { ("private", "专变") } else { ("public", "公变") };
    WordView { word: word.to_owned(), chinese: chinese.to_owned() }
}

/// How much of the grid there is.
#[utoipa::path(get, path = "/v1/topology", tag = "topology", responses((status = 200, body = TopologyView), (status = 403, body = ProblemBody)))]
pub(crate) async fn get_topology(State(app): State<App>, caller: Caller) -> Result<axum::Json<TopologyView>, Problem> {
    caller.require(Action::CustomerRead)?;
    let (grid, now) = (app.state().grid(), app.clock().now());
    let [substations, lines, sections, transformers] = grid.counts();
    let fed_otherwise = grid.feeds().filter(|f| f.holds(now)).count();
    let version = grid.version();
    Ok(axum::Json(TopologyView { version, substations, lines, sections, transformers, fed_otherwise }))
}

/// What has a code: each kind has codes of its own. What feeds it now, what hangs on it, and whom it takes along when it is dead.
#[utoipa::path(get, path = "/v1/topology/things", tag = "topology", params(ThingQuery),
    responses((status = 200, body = Page<ThingView>), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn get_things(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ThingQuery>,
) -> Result<axum::Json<Page<ThingView>>, Problem> {
    caller.require(Action::CustomerRead)?;
    let code: ThingCode = given("code", &query.code)?;
    let look = move |app: &App| {
        let grid = app.state().grid();
        Ok(Kind::ALL.iter().filter_map(|kind| thing(app, &caller, &grid, *kind, &code)).collect::<Vec<_>>())
    };
    let found = app.read(look).await?;
    if found.is_empty() { Err(Problem::not_found()) } else { Ok(axum::Json(Page::whole(found))) }
}

fn findings(app: &App, caller: &Caller) -> Vec<FindingView> {
    let (grid, org) = (app.state().grid(), app.org());
    let mut all: Vec<(&str, &str, Vec<String>, u64)> = [
        ("empty-substation", "没有线路的变电站"),
        ("empty-line", "没有变压器的线路"),
        ("other-prefecture", "跨地市供电的变压器"),
        ("without-customers", "没有用户的变压器"),
    ]
    .map(|(word, chinese)| (word, chinese, Vec::new(), 0))
    .into();
    let mut note = |kind: usize, code: &ThingCode| {
        let (_, _, first, count) = &mut all[kind];
        *count += 1;
        if first.len() < MAX_LISTED {
            first.push(code.to_string());
        }
    };
    for finding in grid.findings() {
        let code = match finding {
            Finding::EmptySubstation(n) => grid.substation(n).map(|s| (0, &s.code)),
            Finding::EmptyLine(n) => grid.line(n).map(|l| (1, &l.code)),
            Finding::OtherPrefecture(n) => grid.transformer(n).map(|t| (2, &t.code)),
        };
        if let Some((kind, code)) = code {
            note(kind, code);
        }
    }
    let used: TransformerSet = app.state().transformers_in_use();
    grid.transformers().filter(|(n, _)| !used.contains(*n)).for_each(|(_, t)| note(3, &t.code));
    let word = |word: &str, chinese: &str| WordView { word: word.to_owned(), chinese: chinese.to_owned() };
    let of_the_grid = all.into_iter().filter(|(.., count)| *count > 0);
    let mut views: Vec<FindingView> = of_the_grid
        .map(|(code, chinese, first, count)| FindingView { what: word(code, chinese), prefecture: None, count, first })
        .collect();
    for prefecture in app.state().prefectures().into_keys().filter(|p| caller.scope.touches(&org, *p)) {
        // Whose whole prefecture it is sees accounts; others how many.
        let limit = if caller.scope.covers(&org, prefecture.org()) { MAX_LISTED } else { 0 };
        let (count, first) = app.state().without_supply(prefecture, limit);
        if count > 0 {
            views.push(FindingView {
                what: word("without-transformer", "没有变压器的用户"),
                prefecture: Some(UnitRef::prefecture(&org, prefecture)),
                count,
                first: first.into_iter().map(|a| a.to_string()).collect(),
            });
        }
    }
    views
}

/// What of the grid should be looked at, though nothing of it is wrong: what has nothing hanging on it, supply over borders, customers of whom no
/// transformer is known.
#[utoipa::path(get, path = "/v1/topology/check", tag = "topology", responses((status = 200, body = Page<FindingView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn check_topology(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<FindingView>>, Problem> {
    caller.require(Action::CustomerRead)?;
    app.read(move |app| Ok(axum::Json(Page::whole(findings(app, &caller))))).await
}

/// What is fed otherwise than normally, is to be, or was in the last days.
#[utoipa::path(get, path = "/v1/topology/feeds", tag = "topology", responses((status = 200, body = Page<FeedView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_feeds(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page<FeedView>>, Problem> {
    caller.require(Action::CustomerRead)?;
    let (grid, now) = (app.state().grid(), app.clock().now());
    Ok(axum::Json(Page::whole(grid.feeds().filter_map(|f| feed_view(&grid, f, now)).collect())))
}

/// One of two codes.
fn either<T>(
    (one, make_one): (&Option<String>, fn(ThingCode) -> T),
    (other, make_other): (&Option<String>, fn(ThingCode) -> T),
    names: [&'static str; 2],
) -> Result<T, Problem> {
    match (one, other) {
        (Some(code), None) => Ok(make_one(given(names[0], code)?)),
        (None, Some(code)) => Ok(make_other(given(names[1], code)?)),
        _ => Err(Problem::field(names[0], format!("give it or `{}`, one of both (两者填其一)", names[1]))),
    }
}

fn moment(field: &'static str, text: Option<&String>) -> Result<Option<Moment>, Problem> {
    Ok(text.map(|t| given::<CivilMinute, _>(field, t)).transpose()?.map(CivilMinute::moment))
}

/// Feeds a section or a transformer otherwise for a while (转供电). What is affected by an outage is what is fed at the moment.
#[utoipa::path(post, path = "/v1/topology/feeds", tag = "topology", request_body = FeedBody,
    responses((status = 201, body = FeedView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_feed(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<FeedBody>,
) -> Result<(StatusCode, axum::Json<FeedView>), Problem> {
    caller.at_province(&app.org(), Action::ProvinceWrite)?;
    let what =
        either((&body.section, Whom::Section), (&body.transformer, Whom::Transformer), ["section", "transformer"])?;
    let from =
        either((&body.from_section, Spot::Section), (&body.from_line, Spot::Line), ["from_section", "from_line"])?;
    let now = app.clock().now();
    let since = moment("since", body.since.as_ref())?.unwrap_or(now);
    let until = moment("until", body.until.as_ref())?;
    let why = why(&body.why)?;
    let audit = note(&caller.name, "topology.feed", subject(&what), serde_json::json!(body));
    let fact = FeedFact { what: what.clone(), from, since, until, why, by: caller.name.clone() };
    app.state().change_grid(GridFact::Feed(Box::new(fact)), vec![audit]).await?;
    let grid = app.state().grid();
    let its = |f: &&Feed| f.since == since && Some(f.what) == fed(&grid, &what);
    let view = grid.feeds().find(its).and_then(|f| feed_view(&grid, f, now)).ok_or_else(Problem::not_found)?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

fn subject(what: &Whom) -> String {
    match what {
        Whom::Section(code) => format!("section {code}"),
        Whom::Transformer(code) => format!("transformer {code}"),
    }
}

fn fed(grid: &Grid, what: &Whom) -> Option<Fed> {
    match what {
        Whom::Section(code) => grid.find_section(code.as_str()).map(Fed::Section),
        Whom::Transformer(code) => grid.find_transformer(code.as_str()).map(Fed::Transformer),
    }
}

/// Feeds a section or a transformer normally again; where it is not fed otherwise yet, it will not be.
#[utoipa::path(post, path = "/v1/topology/feeds/end", tag = "topology", request_body = EndFeedBody,
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn end_feed(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<EndFeedBody>,
) -> Result<StatusCode, Problem> {
    caller.at_province(&app.org(), Action::ProvinceWrite)?;
    let what =
        either((&body.section, Whom::Section), (&body.transformer, Whom::Transformer), ["section", "transformer"])?;
    let at = moment("at", body.at.as_ref())?.unwrap_or_else(|| app.clock().now());
    why(&body.why)?;
    let audit = note(&caller.name, "topology.feed-end", subject(&what), serde_json::json!(body));
    app.state().change_grid(GridFact::EndFeed(EndFeed { what, at }), vec![audit]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a thing out of the grid, where nothing hangs on it.
#[utoipa::path(post, path = "/v1/topology/remove", tag = "topology", request_body = RemoveBody,
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn remove_thing(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<RemoveBody>,
) -> Result<StatusCode, Problem> {
    caller.at_province(&app.org(), Action::ProvinceWrite)?;
    let kind = Kind::ALL.into_iter().find(|k| k.word() == body.kind).ok_or_else(|| {
        let known: Vec<&str> = Kind::ALL.iter().map(|k| k.word()).collect();
        Problem::field("kind", format!("use one of {}", known.join(", ")))
    })?;
    let code: ThingCode = given("code", &body.code)?;
    why(&body.why)?;
    let audit = note(&caller.name, "topology.remove", format!("{kind} {code}"), serde_json::json!(body));
    app.state().change_grid(GridFact::Remove(Removal { kind, code }), vec![audit]).await?;
    Ok(StatusCode::NO_CONTENT)
}
