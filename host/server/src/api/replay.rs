//! Runs done again, and where two of them differ.

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::runs::record;
use crate::access::Caller;
use crate::app::App;
use crate::extract::At;
use crate::problem::{Problem, ProblemBody};

/// How a replay stands.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReplayView {
    /// `state` is running with its `progress`, done with its `report`, or failed with its `error`. A report says whether everything is the `same`,
    /// what was `proved` (everyone, or the decided alone where the history is gone, and `why`), how many `differences` there are, and names the
    /// first customers with both sides.
    #[schema(value_type = Object)]
    #[serde(flatten)]
    state: serde_json::Value,
}

/// Where two runs differ.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunDiffView {
    /// Counts of messages that only the one or the other had, and of both with another channel, time, notice or reason, or held by one; some
    /// customers of each kind with both sides.
    #[schema(value_type = Object)]
    #[serde(flatten)]
    diff: serde_json::Value,
}

fn view(state: &impl Serialize) -> axum::Json<ReplayView> {
    axum::Json(ReplayView { state: serde_json::to_value(state).unwrap_or_default() })
}

/// Does a run again: rebuilds the state of its sequence, decides everyone with what the run was made from, and compares every decision and every
/// silence. One at a time; ask how it stands with GET.
#[utoipa::path(post, path = "/v1/runs/{id}/replay", tag = "runs", params(("id" = String, Path, description = "such as R9")),
    responses((status = 202, body = ReplayView), (status = 404, body = ProblemBody), (status = 429, body = ProblemBody)))]
pub(crate) async fn start_replay(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<(StatusCode, axum::Json<ReplayView>), Problem> {
    let run = record(&app, &caller, &id)?.id;
    Ok((StatusCode::ACCEPTED, view(&app.conduct.start_replay(run)?)))
}

/// How the replay of a run stands.
#[utoipa::path(get, path = "/v1/runs/{id}/replay", tag = "runs", params(("id" = String, Path, description = "such as R9")),
    responses((status = 200, body = ReplayView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_replay(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<axum::Json<ReplayView>, Problem> {
    let run = record(&app, &caller, &id)?.id;
    Ok(view(&app.conduct.replay_state(run).ok_or_else(Problem::not_found)?))
}

/// Ends the replay of a run.
#[utoipa::path(delete, path = "/v1/runs/{id}/replay", tag = "runs", params(("id" = String, Path, description = "such as R9")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn cancel_replay(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<StatusCode, Problem> {
    let run = record(&app, &caller, &id)?.id;
    if app.conduct.cancel_replay(run) { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}

/// Where two runs of a prefecture differ: in recipients, channel, time and reason.
#[utoipa::path(get, path = "/v1/runs/{id}/diff/{other}", tag = "runs",
    params(("id" = String, Path, description = "such as R9"), ("other" = String, Path, description = "such as R10")),
    responses((status = 200, body = RunDiffView), (status = 404, body = ProblemBody)))]
pub(crate) async fn diff_runs(
    State(app): State<App>,
    caller: Caller,
    At((id, other)): At<(String, String)>,
) -> Result<axum::Json<RunDiffView>, Problem> {
    let (a, b) = (record(&app, &caller, &id)?.id, record(&app, &caller, &other)?.id);
    let diff = app.conduct.diff_runs(a, b).await?;
    Ok(axum::Json(RunDiffView { diff: serde_json::to_value(&diff).unwrap_or_default() }))
}
