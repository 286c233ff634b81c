//! The audit log, for auditors and operators of the province.

use axum::extract::State;
use gridbell_state::AuditEntry;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{DEFAULT_LIMIT, Page, PageQuery};
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
    Ok(axum::Json(Page::cut(entries, limit, |e| e.number.to_string()).map(view)))
}

fn view(e: AuditEntry) -> AuditView {
    AuditView {
        number: e.number,
        at: e.at.to_string(),
        who: e.note.who,
        action: e.note.action,
        subject: e.note.subject,
        detail: serde_json::from_str(&e.note.detail).unwrap_or_default(),
        previous: hex(&e.previous),
        hash: hex(&e.hash),
    }
}

/// Entries that a search looks at in one go; beyond it the page says where to go on.
pub(crate) const MAX_SEARCHED: u64 = 20_000;
/// Entries read at a time.
const AT_ONCE: u64 = 500;

/// Which entries to search for; blank means any.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AuditFilter {
    /// Whose: a part of the name.
    #[serde(default)]
    pub(crate) who: String,
    /// What was done: the beginning of the word, as `policy`.
    #[serde(default)]
    pub(crate) action: String,
    /// To what: a part of it.
    #[serde(default)]
    pub(crate) subject: String,
    /// On which day: 2026-11-21.
    #[serde(default)]
    pub(crate) day: String,
    /// Only entries before this number.
    #[serde(default)]
    pub(crate) before: Option<u64>,
    /// Whether to verify the whole chain.
    #[serde(default)]
    pub(crate) verify: bool,
}

impl AuditFilter {
    fn wants(&self, e: &AuditEntry) -> bool {
        let (who, action, subject, day) = (self.who.trim(), self.action.trim(), self.subject.trim(), self.day.trim());
        e.note.who.contains(who)
            && e.note.action.starts_with(action)
            && e.note.subject.contains(subject)
            && (day.is_empty() || e.at.date().to_string() == day)
    }
}

/// Entries that `filter` wants, newest first; `next` is the number to go on before.
pub(crate) async fn search(app: &App, caller: &Caller, filter: &AuditFilter) -> Result<Page<AuditView>, Problem> {
    caller.at_province(&app.org(), Action::AuditRead)?;
    let filter = filter.clone();
    app.read(move |app| {
        let mut before = match filter.before {
            Some(before) => before,
            None => last_number(app)? + 1,
        };
        let (mut items, mut searched) = (Vec::new(), 0);
        while before > 1 && searched < MAX_SEARCHED {
            let from = before.saturating_sub(AT_ONCE).max(1);
            let some = app.state().audit(from, usize::try_from(before - from).unwrap_or(0))?;
            for entry in some.into_iter().rev() {
                before = entry.number;
                if filter.wants(&entry) {
                    items.push(view(entry));
                    if items.len() == DEFAULT_LIMIT {
                        let next = (before > 1).then(|| before.to_string());
                        return Ok(Page { items, next });
                    }
                }
            }
            (searched, before) = (searched + AT_ONCE, from);
        }
        Ok(Page { items, next: (before > 1).then(|| before.to_string()) })
    })
    .await
}

/// The number of the last entry; numbers have no gaps, so that it is found in a few looks.
fn last_number(app: &App) -> Result<u64, Problem> {
    let there = |number: u64| Ok::<_, Problem>(!app.state().audit(number, 1)?.is_empty());
    let (mut low, mut high) = (0, 1);
    while there(high)? {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if there(middle)? { low = middle } else { high = middle }
    }
    Ok(low)
}

/// Verifies the whole log: how many entries it has, or where it breaks.
pub(crate) async fn verify(app: &App, caller: &Caller) -> Result<Result<u64, String>, Problem> {
    caller.at_province(&app.org(), Action::AuditRead)?;
    app.read(|app| Ok(app.state().verify_audit()?.map_err(|broken| broken.to_string()))).await
}
