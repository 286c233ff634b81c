//! The audit log, for auditors and operators of the province.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageQuery};
use crate::access::{Action, Caller, hex};
use crate::app::App;
use crate::extract::Query;
use crate::problem::{Problem, ProblemBody};

/// One entry; `hash` covers it and `previous`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct AuditView {
    /// From 1, without gaps.
    number: u64,
    /// When.
    at: String,
    /// Who.
    who: String,
    /// What, dotted.
    action: String,
    /// To what.
    subject: String,
    /// More.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
    /// Hash of the entry before, hex.
    previous: String,
    /// Hash of this one, hex.
    hash: String,
}

/// The audit log from the oldest entry on, in pages.
#[utoipa::path(get, path = "/v1/audit", tag = "audit", params(PageQuery), responses((status = 200, body = Page<AuditView>), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn list_audit(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<AuditView>>, Problem> {
    caller.at_province(&app.org(), Action::AuditRead)?;
    let (limit, from) = (page.limit()?, page.cursor::<u64>()?.unwrap_or(0));
    let entries = app.read(move |app| Ok(app.state().audit(from + 1, limit + 1)?)).await?;
    let page = Page::cut(entries, limit, |e| e.number.to_string()).map(|e| AuditView {
        number: e.number,
        at: e.at.to_string(),
        who: e.note.who,
        action: e.note.action,
        subject: e.note.subject,
        detail: serde_json::from_str(&e.note.detail).unwrap_or_default(),
        previous: hex(&e.previous),
        hash: hex(&e.hash),
    });
    Ok(axum::Json(page))
}
