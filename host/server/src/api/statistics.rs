//! Statistics: org unit × topic × day, as JSON and as a table for a spreadsheet.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gridbell_model::{Date, OrgCode, OrgLevel, OrgTree, Topic};
use gridbell_state::StatCounts;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::view::{UnitRef, WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{Query, given, named};
use crate::problem::{Problem, ProblemBody};

/// Most days of one question.
pub(super) const MAX_DAYS: i32 = 366;
/// Most lines of one answer.
pub(super) const MAX_LINES: usize = 100_000;

/// Which statistics.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatQuery {
    /// First day; today if left out.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// Last day, included; the first if left out.
    #[serde(default)]
    pub(crate) to: Option<String>,
    /// Only under this unit; the caller's scope if left out.
    #[serde(default)]
    pub(crate) org: Option<String>,
    /// Only this topic.
    #[serde(default)]
    pub(crate) topic: Option<String>,
    /// Units of which level are told apart: `province`, `prefecture`, `county`, `station`; the level below `org` if left out.
    #[serde(default)]
    pub(crate) level: Option<String>,
    /// `json` or `csv`.
    #[serde(default)]
    pub(crate) format: Option<String>,
}

/// Messages of one unit, topic and day.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StatLine {
    /// The day on which they were to be sent.
    pub(crate) day: String,
    /// The unit.
    pub(crate) unit: UnitRef,
    /// What they were about.
    pub(crate) topic: WordView,
    /// Ever queued.
    pub(crate) queued: u64,
    /// Accepted by the carrier.
    pub(crate) submitted: u64,
    /// Reported delivered.
    pub(crate) delivered: u64,
    /// Refused or reported failed.
    pub(crate) failed: u64,
    /// Expired.
    pub(crate) expired: u64,
    /// Cancelled.
    pub(crate) cancelled: u64,
    /// Parts accepted.
    pub(crate) parts: u64,
    /// Cost of those in 1/1000 fen.
    pub(crate) cost_milli_fen: u64,
}

fn level_below(org: &OrgTree, unit: Option<OrgCode>) -> OrgLevel {
    match unit.and_then(|u| org.get(u)).map(|u| u.level) {
        None | Some(OrgLevel::Province) => OrgLevel::Prefecture,
        Some(OrgLevel::Prefecture) => OrgLevel::County,
        Some(OrgLevel::County | OrgLevel::Station) => OrgLevel::Station,
    }
}

fn level_of(word: &str) -> Result<OrgLevel, Problem> {
    match word {
        "province" => Ok(OrgLevel::Province),
        "prefecture" => Ok(OrgLevel::Prefecture),
        "county" => Ok(OrgLevel::County),
        "station" => Ok(OrgLevel::Station),
        _ => Err(Problem::field("level", "use province, prefecture, county or station")),
    }
}

/// Empty fields of a form are the same as fields left out.
fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|t| !t.is_empty())
}

/// The lines that `query` asks for, within the caller's scope.
pub(crate) fn rows(app: &App, caller: &Caller, query: &StatQuery) -> Result<Vec<StatLine>, Problem> {
    let org = app.org();
    let unit: Option<OrgCode> = match said(&query.org) {
        Some(code) => Some(OrgCode(named(code)?)),
        None => caller.scope.into(),
    };
    if let Some(unit) = unit {
        org.get(unit).ok_or_else(Problem::not_found)?;
        caller.at(&org, unit, Action::StatsRead)?;
    }
    caller.require(Action::StatsRead)?;
    let from: Date = said(&query.from).map_or_else(|| Ok(app.clock().today()), |d| given("from", d))?;
    let to: Date = said(&query.to).map_or(Ok(from), |d| given("to", d))?;
    if to < from || to.0 - from.0 >= MAX_DAYS {
        return Err(Problem::field("to", format!("1 to {MAX_DAYS} days, the first not after the last")));
    }
    let topic = said(&query.topic).map(|t| given::<Topic, _>("topic", t)).transpose()?;
    let level = said(&query.level).map_or_else(|| Ok(level_below(&org, unit)), level_of)?;
    let mut sums: BTreeMap<(Date, OrgCode, Topic), StatCounts> = BTreeMap::new();
    for (key, counts) in app.state().stats(from, to) {
        if topic.is_some_and(|t| t != key.topic) || !unit.is_none_or(|u| org.is_within(key.station, u)) {
            continue;
        }
        let at = org.chain(key.station).find(|u| u.level == level).map_or(key.station, |u| u.code);
        add(sums.entry((key.day, at, key.topic)).or_default(), &counts);
    }
    if sums.len() > MAX_LINES {
        return Err(Problem::field(
            "level",
            format!("the answer has more than {MAX_LINES} lines; ask for fewer days or a higher level"),
        ));
    }
    Ok(sums.into_iter().map(|((day, unit, topic), c)| line(&org, day, unit, topic, &c)).collect())
}

fn add(sum: &mut StatCounts, c: &StatCounts) {
    sum.queued += c.queued;
    sum.submitted += c.submitted;
    sum.delivered += c.delivered;
    sum.failed += c.failed;
    sum.expired += c.expired;
    sum.cancelled += c.cancelled;
    sum.parts += c.parts;
    sum.cost_milli_fen += c.cost_milli_fen;
}

fn line(org: &OrgTree, day: Date, unit: OrgCode, topic: Topic, c: &StatCounts) -> StatLine {
    StatLine {
        day: day.to_string(),
        unit: UnitRef::of(org, unit),
        topic: word!(topic),
        queued: c.queued,
        submitted: c.submitted,
        delivered: c.delivered,
        failed: c.failed,
        expired: c.expired,
        cancelled: c.cancelled,
        parts: c.parts,
        cost_milli_fen: c.cost_milli_fen,
    }
}

/// The lines as a table: UTF-8 with its mark, so that an office's spreadsheet shows the Chinese.
pub(crate) fn csv(lines: &[StatLine]) -> Response {
    let mut text =
        String::from("\u{feff}日期,单位编码,单位,主题,生成,已提交,送达,失败,过期,取消,计费条数,费用（元）\r\n");
    for l in lines {
        // 1/1000 fen are 1/100000 yuan.
        let (yuan, rest) = (l.cost_milli_fen / 100_000, l.cost_milli_fen % 100_000);
        text.push_str(&format!(
            "{},{},{},{},{},{},{},{},{},{},{},{yuan}.{rest:05}\r\n",
            l.day,
            l.unit.code,
            quoted(&l.unit.name),
            l.topic.chinese,
            l.queued,
            l.submitted,
            l.delivered,
            l.failed,
            l.expired,
            l.cancelled,
            l.parts
        ));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"gridbell-statistics.csv\""),
    ];
    (headers, text).into_response()
}

/// A unit's name as a cell: quoted where needed, and never the start of a formula.
pub(super) fn quoted(name: &str) -> String {
    let safe = name.trim_start_matches(['=', '+', '-', '@', '\t', '\r']);
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe.to_owned() }
}

/// Messages by org unit, topic and day. `format=csv` gives a table for a spreadsheet.
#[utoipa::path(get, path = "/v1/statistics", tag = "statistics", params(StatQuery),
    responses((status = 200, body = Page<StatLine>), (status = 200, description = "with `format=csv`", content_type = "text/csv", body = String), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_statistics(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<StatQuery>,
) -> Result<Response, Problem> {
    let format = said(&query.format).unwrap_or("json").to_owned();
    let lines = app.read(move |app| rows(app, &caller, &query)).await?;
    match format.as_str() {
        "json" => Ok(axum::Json(Page::whole(lines)).into_response()),
        "csv" => Ok(csv(&lines)),
        _ => Err(Problem::field("format", "use json or csv")),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cell_is_never_a_formula() {
        assert_eq!(super::quoted("=1+1"), "1+1");
        assert_eq!(super::quoted("城西,\"东\"所"), "\"城西,\"\"东\"\"所\"");
    }
}
