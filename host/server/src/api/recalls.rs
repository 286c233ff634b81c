//! Recalls: taking back what has not left. Unlike a stop it cannot be undone, so it is asked for what it would do first.

use axum::extract::State;
use gridbell_conductor::{Extent, NoExtent};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::stops;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::Json;
use crate::problem::{Problem, ProblemBody};

/// What to take back.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RecallBody {
    /// `run:R9` with its next channels, `prefecture:140100`, `topic:outage`, `link:mobile` (all that waits in the queues that it takes from), `province`.
    pub(crate) scope: String,
    /// Why: 2 to 500 characters.
    pub(crate) why: String,
    /// Only count.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// What a recall came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RecallView {
    /// What it took back.
    pub(crate) scope: String,
    /// Messages that nobody gets; of a dry run those that nobody would get.
    pub(crate) taken_back: u64,
    /// Messages that are out already and of which no end is known: somebody got them or may get them.
    pub(crate) left: u64,
    /// Whether nothing was changed.
    pub(crate) dry_run: bool,
}

/// Takes back.
pub(crate) async fn recall(app: &App, caller: &Caller, body: RecallBody) -> Result<RecallView, Problem> {
    let scope: Extent = body.scope.parse().map_err(|e: NoExtent| Problem::field("scope", e.to_string()))?;
    stops::at(app, caller, &scope, Action::Recall)?;
    let why = stops::why(&body.why)?;
    let name = scope.to_string();
    let done = app.conduct.recall(scope, why, caller.name.clone(), body.dry_run).await?;
    Ok(RecallView { scope: name, taken_back: done.taken_back, left: done.left, dry_run: body.dry_run })
}

/// Takes back what waits within a scope, for good; what is out already is counted. Ask with `dry_run` first. A stop holds without loss.
#[utoipa::path(post, path = "/v1/recalls", tag = "stops", request_body = RecallBody,
    responses((status = 200, body = RecallView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_recall(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<RecallBody>,
) -> Result<axum::Json<RecallView>, Problem> {
    recall(&app, &caller, body).await.map(axum::Json)
}
