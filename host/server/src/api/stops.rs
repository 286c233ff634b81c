//! Emergency stops: hold everything within a scope at once, lose nothing, released by a person.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::conduct::{Stop, StopScope};
use crate::extract::{At, Json, named};
use crate::problem::{Problem, ProblemBody};

/// Longest reason, in characters.
const MAX_WHY_CHARS: usize = 500;

/// A stop in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StopView {
    /// What it holds: `province`, `prefecture:140100`, `topic:outage`, `link:mobile`. Also its id.
    pub(crate) scope: String,
    /// The same in Chinese.
    pub(crate) title: String,
    /// Why.
    pub(crate) why: String,
    /// Who set it.
    pub(crate) by: String,
    /// Since when.
    pub(crate) since: String,
}

/// A stop of a prefecture belongs to it; the others to the province.
pub(super) fn at(app: &App, caller: &Caller, scope: &StopScope, action: Action) -> Result<(), Problem> {
    let org = app.org();
    match scope {
        StopScope::Prefecture(code) => {
            org.get(code.org()).ok_or_else(Problem::not_found)?;
            caller.at(&org, code.org(), action)
        }
        StopScope::Province | StopScope::Topic(_) | StopScope::Link(_) => caller.at_province(&org, action),
    }
}

fn view(app: &App, stop: &Stop) -> StopView {
    let title = match &stop.scope {
        StopScope::Province => "全省".to_owned(),
        StopScope::Prefecture(code) => app.org().get(code.org()).map_or_else(|| code.to_string(), |u| u.name.clone()),
        StopScope::Topic(topic) => format!("主题：{}", topic.chinese()),
        StopScope::Link(link) => format!("通道：{link}"),
    };
    StopView {
        scope: stop.scope.to_string(),
        title,
        why: stop.why.clone(),
        by: stop.by.clone(),
        since: stop.since.to_string(),
    }
}

/// The stops that hold something within the caller's scope.
pub(crate) fn visible(app: &App, caller: &Caller) -> Result<Vec<StopView>, Problem> {
    caller.require(Action::LinkRead)?;
    let org = app.org();
    // A city must know that the whole province, or its topic, is held: only other cities' stops are not its business.
    let seen = |s: &Stop| match &s.scope {
        StopScope::Prefecture(code) => caller.scope.touches(&org, *code),
        _ => true,
    };
    Ok(app.conduct.stops().iter().filter(|s| seen(s)).map(|s| view(app, s)).collect())
}

/// The emergency stops in force.
#[utoipa::path(get, path = "/v1/stops", tag = "stops", responses((status = 200, body = Page<StopView>)))]
pub(crate) async fn list_stops(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page<StopView>>, Problem> {
    Ok(axum::Json(Page::whole(visible(&app, &caller)?)))
}

/// A stop to set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopBody {
    /// `province`, `prefecture:140100`, `topic:outage`, `link:mobile`.
    pub(crate) scope: String,
    /// Why: 2 to 500 characters.
    pub(crate) why: String,
}

/// Why a person holds something or takes it back.
pub(super) fn why(given: &str) -> Result<String, Problem> {
    let why = given.trim();
    if (2..=MAX_WHY_CHARS).contains(&why.chars().count()) {
        return Ok(why.to_owned());
    }
    Err(Problem::field("why", format!("say why, in 2 to {MAX_WHY_CHARS} characters (须填写原因)")))
}

/// Sets a stop.
pub(crate) async fn set(app: &App, caller: &Caller, body: StopBody) -> Result<StopView, Problem> {
    let scope: StopScope = body.scope.parse().map_err(|e: String| Problem::field("scope", e))?;
    at(app, caller, &scope, Action::StopSet)?;
    let why = why(&body.why)?;
    let stop = app.conduct.stop(scope, why, caller.name.clone()).await?;
    Ok(view(app, &stop))
}

/// Holds everything within a scope; in force when this is answered.
#[utoipa::path(post, path = "/v1/stops", tag = "stops", request_body = StopBody,
    responses((status = 201, body = StopView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_stop(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<StopBody>,
) -> Result<(StatusCode, axum::Json<StopView>), Problem> {
    let stop = set(&app, &caller, body).await?;
    Ok((StatusCode::CREATED, axum::Json(stop)))
}

/// Releases a stop.
pub(crate) async fn clear(app: &App, caller: &Caller, scope: &str) -> Result<(), Problem> {
    let scope: StopScope = named(scope)?;
    at(app, caller, &scope, Action::StopRelease)?;
    app.conduct.release_stop(scope, caller.name.clone()).await?;
    Ok(())
}

/// Releases a stop: what it held goes on.
#[utoipa::path(delete, path = "/v1/stops/{scope}", tag = "stops", params(("scope" = String, Path, description = "such as prefecture:140100")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn delete_stop(
    State(app): State<App>,
    caller: Caller,
    At(scope): At<String>,
) -> Result<StatusCode, Problem> {
    clear(&app, &caller, &scope).await.map(|()| StatusCode::NO_CONTENT)
}
