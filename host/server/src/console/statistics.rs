//! The table of statistics.

use axum::extract::State;
use axum::response::Response;
use gridbell_model::Topic;
use minijinja::{Value, context};

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{StatQuery, statistics_csv, statistics_rows};
use crate::app::App;
use crate::extract::Query;
use crate::problem::Problem;

/// Lines shown on the page; the download has them all.
const MAX_SHOWN: usize = 500;

pub(super) async fn show(
    State(app): State<App>,
    session: Session,
    Query(mut query): Query<StatQuery>,
) -> Result<Response, Problem> {
    session.caller.require(Action::StatsRead)?;
    let today = app.clock().today();
    let empty = |t: &Option<String>| t.as_deref().is_none_or(|t| t.trim().is_empty());
    if empty(&query.from) {
        query.from = Some(today.plus_days(-6).to_string());
    }
    if empty(&query.to) {
        query.to = Some(today.to_string());
    }
    let (caller, asked) = (session.caller.clone(), query.clone());
    let found = app.read(move |app| statistics_rows(app, &caller, &asked)).await;
    let (mut lines, said) = match found {
        Ok(lines) if query.format.as_deref() == Some("csv") => return Ok(statistics_csv(&lines)),
        Ok(lines) => (lines, None),
        Err(problem) => (Vec::new(), Some(Said::problem(&problem))),
    };
    let cut = lines.len() > MAX_SHOWN;
    lines.truncate(MAX_SHOWN);
    let topics: Vec<Value> = Topic::ALL.iter().map(|t| context! { word => t.word(), chinese => t.chinese() }).collect();
    Ok(app.pages.show(
        &app,
        &session,
        "statistics.html",
        "/statistics",
        context! { lines => data(&lines), cut, topics, said => data(said), q => data(&query) },
    ))
}
