//! Backups of the running host, for whoever runs it.

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_conductor::BackupFile;
use gridbell_model::Moment;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::problem::{Problem, ProblemBody};

/// A backup in the directory of backups.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BackupView {
    /// The file's name.
    name: String,
    /// When it was begun.
    at: String,
    /// The file's size so far.
    bytes: u64,
    /// Whether it is still being written.
    writing: bool,
}

fn view(file: BackupFile) -> BackupView {
    let at = Moment::from_unix_ms(file.at_ms).to_string();
    BackupView { name: file.name, at, bytes: file.bytes, writing: file.writing }
}

/// The backups that are there, newest first.
#[utoipa::path(get, path = "/v1/backups", tag = "backups",
    responses((status = 200, body = Page<BackupView>), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn list_backups(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<BackupView>>, Problem> {
    caller.at_province(&app.org(), Action::Backup)?;
    let all = app.conduct.backups().list().await.map_err(crate::conduct::ConductError::from)?;
    Ok(axum::Json(Page::whole(all.into_iter().map(view).collect())))
}

/// Begins a backup of this instant into the configured directory, beside everything that goes on; one that fails raises the alarm `backup.failed`.
#[utoipa::path(post, path = "/v1/backups", tag = "backups",
    responses((status = 202, body = BackupView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn post_backup(
    State(app): State<App>,
    caller: Caller,
) -> Result<(StatusCode, axum::Json<BackupView>), Problem> {
    caller.at_province(&app.org(), Action::Backup)?;
    let begun = app.conduct.start_backup(caller.name)?;
    Ok((StatusCode::ACCEPTED, axum::Json(view(begun))))
}
