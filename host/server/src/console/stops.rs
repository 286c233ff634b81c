//! The emergency stop, and letting something run out.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use gridbell_conductor::{Extent, StopMode};
use gridbell_model::Topic;
use minijinja::{Value, context};
use serde::Deserialize;

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{StopBody, clear_stop, set_stop, visible_prefectures, visible_stops};
use crate::app::App;
use crate::extract::{Form, Query};
use crate::problem::Problem;

/// Where somebody comes from a run's page.
#[derive(Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    scope: String,
}

pub(super) async fn list(
    State(app): State<App>,
    session: Session,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    page(&app, &session, &asked.scope, None)
}

fn page(app: &App, session: &Session, asked: &str, said: Option<Said>) -> Result<Response, Problem> {
    let stops = visible_stops(app, &session.caller)?;
    let more = context! {
        stops => data(stops), said => data(said), scopes => scopes(app, session, asked),
        may => context! { stop => session.caller.may(Action::StopSet), release => session.caller.may(Action::StopRelease) },
    };
    Ok(app.pages.show(app, session, "stops.html", "/stops", more))
}

/// What the caller may hold: narrowest first, so that nobody holds the province by haste.
fn scopes(app: &App, session: &Session, asked: &str) -> Vec<Value> {
    let org = app.org();
    let scope = session.caller.scope;
    let entry = |word: String, title: String| context! { word, title };
    let whole = visible_prefectures(app, &session.caller)
        .into_iter()
        .filter(|p| scope.covers(&org, gridbell_model::OrgCode(p.prefecture.code)));
    let mut out = Vec::new();
    if let Ok(extent @ Extent::Run(run)) = &asked.parse() {
        out.push(entry(extent.to_string(), format!("批次：{run}")));
    }
    out.extend(
        whole.map(|p| entry(format!("prefecture:{}", p.prefecture.code), format!("地市：{}", p.prefecture.name))),
    );
    if scope.covers_province(&org) {
        out.extend(Topic::ALL.iter().map(|t| entry(format!("topic:{t}"), format!("主题：{}", t.chinese()))));
        out.extend(app.conduct.links().into_iter().map(|l| {
            entry(format!("link:{}", l.name), format!("通道：{}", if l.title.is_empty() { &l.name } else { &l.title }))
        }));
        out.push(entry("province".to_owned(), "全省".to_owned()));
    }
    out
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    csrf: String,
    scope: String,
    #[serde(default)]
    mode: StopMode,
    #[serde(default)]
    why: String,
}

pub(super) async fn set(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Wanted>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    match set_stop(&app, &session.caller, StopBody { scope: form.scope, mode: form.mode, why: form.why }).await {
        Ok(_) => Ok(Redirect::to("/stops").into_response()),
        Err(problem) => page(&app, &session, "", Some(Said::problem(&problem))),
    }
}

pub(super) async fn release(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Wanted>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    match clear_stop(&app, &session.caller, &form.scope).await {
        Ok(()) => Ok(Redirect::to("/stops").into_response()),
        Err(problem) => page(&app, &session, "", Some(Said::problem(&problem))),
    }
}
