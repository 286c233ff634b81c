//! Screens: where they hang, the secret address of each, and whether they are there.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use gridbell_screens::{CommunityKey, Screen, ScreenId, ScreenKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::communities::{community_at, prefecture_at};
use super::page::{self, Page};
use super::view::{WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Json, Query, given, named};
use crate::idempotency::Secret;
use crate::problem::{Problem, ProblemBody};
use crate::screens::{address, issue, reissue};

/// A screen that was not heard of for so long is not there: it asks every half minute.
const GONE_AFTER_MS: i64 = 5 * 60_000;

/// A screen.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ScreenView {
    /// `S00000012`
    pub(crate) screen: String,
    /// Where it hangs.
    pub(crate) community: String,
    /// Where exactly.
    pub(crate) place: String,
    /// `kiosk`, `cap`, `mqtt`.
    pub(crate) kind: WordView,
    /// When it was last heard of; none for never. A player of the feed or the broker is heard of only when it acknowledges.
    pub(crate) last_heard: Option<String>,
    /// Whether that was within the last five minutes.
    pub(crate) online: bool,
    /// Who entered it.
    by: String,
    /// When.
    at: String,
    /// Its address with the secret in it: only in the answer to its making and rotation, and never again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    url: Option<String>,
}

pub(super) fn view(app: &App, screen: &Screen) -> ScreenView {
    let last = app.conduct.screens().last_heard(screen.id);
    ScreenView {
        screen: screen.id.to_string(),
        community: screen.community.to_string(),
        place: screen.place.clone(),
        kind: word!(screen.kind),
        last_heard: last.map(|m| m.to_string()),
        online: last.is_some_and(|m| app.clock().now().unix_ms() - m.unix_ms() < GONE_AFTER_MS),
        by: screen.by.clone(),
        at: screen.at.to_string(),
        url: None,
    }
}

/// The screen `text`, if the caller may do `action` with it.
fn screen_at(app: &App, caller: &Caller, text: &str, action: Action) -> Result<Screen, Problem> {
    let id: ScreenId = named(text)?;
    let screen = app.conduct.screens().book(|book| book.screen(id).cloned()).ok_or_else(Problem::not_found)?;
    prefecture_at(app, caller, screen.community.prefecture(), action)?;
    Ok(screen)
}

/// Which screens.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ScreenQuery {
    /// Only of this community.
    #[serde(default)]
    community: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// The screens within the caller's scope.
#[utoipa::path(get, path = "/v1/screens", tag = "screens", params(ScreenQuery),
    responses((status = 200, body = Page<ScreenView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_screens(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ScreenQuery>,
) -> Result<axum::Json<Page<ScreenView>>, Problem> {
    screens(&app, &caller, &query).map(axum::Json)
}

/// The screens that the caller may see.
pub(crate) fn screens(app: &App, caller: &Caller, query: &ScreenQuery) -> Result<Page<ScreenView>, Problem> {
    caller.require(Action::ScreenRead)?;
    let (limit, after) = (page::limit(query.limit)?, page::cursor::<ScreenId>(query.cursor.as_deref())?);
    let community: Option<CommunityKey> = query.community.as_deref().map(|c| given("community", c)).transpose()?;
    let org = app.org();
    let wanted = |s: &&Screen| {
        after.is_none_or(|a| s.id > a)
            && community.as_ref().is_none_or(|c| s.community == *c)
            && caller.scope.touches(&org, s.community.prefecture())
    };
    let some: Vec<Screen> =
        app.conduct.screens().book(|book| book.screens().filter(wanted).take(limit + 1).cloned().collect());
    Ok(Page::cut(some, limit, |s| s.id.to_string()).map(|s| view(app, &s)))
}

/// A screen to enter.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScreenBody {
    /// Where it hangs: 140100-jinxiu.
    community: String,
    /// Where exactly: 南门门厅.
    place: String,
    /// `kiosk` if left out; `cap`, `mqtt`.
    #[serde(default)]
    kind: Option<String>,
}

/// The screen with its address. The answer holds a secret: no idempotency key keeps it.
fn told(app: &App, headers: &HeaderMap, status: StatusCode, screen: &Screen, secret: &str) -> Response {
    let url = address(app, headers, &format!("/screens/{secret}"));
    let view = ScreenView { url: Some(url), ..view(app, screen) };
    let mut response = (status, axum::Json(view)).into_response();
    response.extensions_mut().insert(Secret);
    response
}

/// Enters a screen. The answer has its address, which is told this once: whoever knows it sees what the screen shows, and nothing else.
#[utoipa::path(post, path = "/v1/screens", tag = "screens", request_body = ScreenBody,
    responses((status = 201, body = ScreenView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_screen(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(body): Json<ScreenBody>,
) -> Result<Response, Problem> {
    let community = community_at(&app, &caller, &body.community, Action::ScreenWrite)?;
    let kind = body.kind.as_deref().map_or(Ok(ScreenKind::Kiosk), |k| given("kind", k))?;
    let screens = app.conduct.screens();
    let (screen, secret) = issue(screens, community.key, body.place, kind, &caller.name).await?;
    Ok(told(&app, &headers, StatusCode::CREATED, &screen, &secret))
}

/// One screen.
#[utoipa::path(get, path = "/v1/screens/{screen}", tag = "screens", params(("screen" = String, Path, description = "such as S00000012")),
    responses((status = 200, body = ScreenView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_screen(
    State(app): State<App>,
    caller: Caller,
    At(screen): At<String>,
) -> Result<axum::Json<ScreenView>, Problem> {
    let screen = screen_at(&app, &caller, &screen, Action::ScreenRead)?;
    Ok(axum::Json(view(&app, &screen)))
}

/// Gives a screen a new address; the old one is worth nothing any more.
#[utoipa::path(post, path = "/v1/screens/{screen}/rotate", tag = "screens", params(("screen" = String, Path, description = "such as S00000012")),
    responses((status = 200, body = ScreenView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn rotate_screen(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    At(screen): At<String>,
) -> Result<Response, Problem> {
    let screen = screen_at(&app, &caller, &screen, Action::ScreenWrite)?;
    let (screen, secret) = reissue(app.conduct.screens(), screen.id, &caller.name).await?;
    Ok(told(&app, &headers, StatusCode::OK, &screen, &secret))
}

/// Removes a screen; its address is worth nothing any more, and what it acknowledged is forgotten.
#[utoipa::path(delete, path = "/v1/screens/{screen}", tag = "screens", params(("screen" = String, Path, description = "such as S00000012")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn delete_screen(
    State(app): State<App>,
    caller: Caller,
    At(screen): At<String>,
) -> Result<StatusCode, Problem> {
    let screen = screen_at(&app, &caller, &screen, Action::ScreenWrite)?;
    app.conduct.screens().remove_screen(screen.id, &caller.name).await?;
    Ok(StatusCode::NO_CONTENT)
}
