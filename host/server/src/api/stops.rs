//! Stops: hold everything within a scope at once, or let it run out; nothing is lost, and a person releases it.

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_conductor::{Extent, NoExtent, StopMode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::conduct::Stop;
use crate::extract::{At, Json, named};
use crate::problem::{Problem, ProblemBody};

/// Longest reason, in characters.
const MAX_WHY_CHARS: usize = 500;

/// A stop in force.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StopView {
    /// What it holds: `province`, `prefecture:140100`, `topic:outage`, `link:mobile`, `run:R9`. Also its id.
    pub(crate) scope: String,
    /// The same in Chinese.
    pub(crate) title: String,
    /// `hold`: nothing leaves, decisions go on and wait. `drain`: nothing new begins, what waits leaves; a link claims no more.
    pub(crate) mode: String,
    /// Messages within it that have not come to their end; none where its link or run is gone.
    pub(crate) unsettled: Option<u64>,
    /// Why.
    pub(crate) why: String,
    /// Who set it.
    pub(crate) by: String,
    /// Since when.
    pub(crate) since: String,
}

/// A stop of a prefecture or of its run belongs to it; the others to the province.
pub(super) fn at(app: &App, caller: &Caller, scope: &Extent, action: Action) -> Result<(), Problem> {
    let org = app.org();
    match scope {
        Extent::Prefecture(code) => {
            org.get(code.org()).ok_or_else(Problem::not_found)?;
            caller.at(&org, code.org(), action)
        }
        Extent::Run(run) => {
            caller.require(action)?;
            let record = app.state().run(*run).ok_or_else(Problem::not_found)?;
            caller.at(&org, record.prefecture.org(), action)
        }
        Extent::Province | Extent::Topic(_) | Extent::Link(_) => caller.at_province(&org, action),
    }
}

fn view(app: &App, stop: &Stop) -> StopView {
    let title = match &stop.scope {
        Extent::Province => "全省".to_owned(),
        Extent::Prefecture(code) => app.org().get(code.org()).map_or_else(|| code.to_string(), |u| u.name.clone()),
        Extent::Topic(topic) => format!("主题：{}", topic.chinese()),
        Extent::Link(link) => format!("通道：{link}"),
        Extent::Run(run) => format!("批次：{run}"),
    };
    StopView {
        scope: stop.scope.to_string(),
        title,
        mode: stop.mode.word().to_owned(),
        unsettled: app.conduct.unsettled(&stop.scope),
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
        Extent::Prefecture(code) => caller.scope.touches(&org, *code),
        Extent::Run(run) => app.state().run(*run).is_none_or(|r| caller.scope.touches(&org, r.prefecture)),
        _ => true,
    };
    Ok(app.conduct.stops().iter().filter(|s| seen(s)).map(|s| view(app, s)).collect())
}

/// The stops in force.
#[utoipa::path(get, path = "/v1/stops", tag = "stops", responses((status = 200, body = Page<StopView>)))]
pub(crate) async fn list_stops(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page<StopView>>, Problem> {
    Ok(axum::Json(Page::whole(visible(&app, &caller)?)))
}

/// A stop to set.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StopBody {
    /// `province`, `prefecture:140100`, `topic:outage`, `link:mobile`, `run:R9`.
    pub(crate) scope: String,
    /// `hold`: nothing leaves. `drain`: nothing new begins, what waits leaves; of a link, of topics and of prefectures, not of a run.
    #[serde(default)]
    #[schema(value_type = String, example = "hold")]
    pub(crate) mode: StopMode,
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
    let scope: Extent = body.scope.parse().map_err(|e: NoExtent| Problem::field("scope", e.to_string()))?;
    at(app, caller, &scope, Action::StopSet)?;
    let why = why(&body.why)?;
    let stop = app.conduct.stop(scope, body.mode, why, caller.name.clone()).await?;
    Ok(view(app, &stop))
}

/// Holds everything within a scope, or lets it run out; in force when this is answered.
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
    let scope: Extent = named(scope)?;
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
