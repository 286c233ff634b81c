//! What left the online store: messages and decisions of an account or a number, as the archives keep them.

use axum::extract::State;
use gridbell_model::{AccountNumber, Date, Phone};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::customers::look_up;
use super::page::{Page, cursor, limit};
use crate::access::{Action, Caller, note};
use crate::app::App;
use crate::conduct::ArchiveQuery;
use crate::extract::{Query, named};
use crate::problem::{Problem, ProblemBody};

/// Records that pages together reach at most: narrow by days for more.
const MAX_REACH: usize = 10_000;

/// What is looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ArchiveParams {
    /// 户号
    #[serde(default)]
    account: Option<String>,
    /// A phone number: messages to it, of accounts within the caller's scope.
    #[serde(default)]
    phone: Option<String>,
    /// From this civil day on: 2026-01-31.
    #[serde(default)]
    from: Option<String>,
    /// Up to this civil day, included.
    #[serde(default)]
    to: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// A record of the archives.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ArchivedView {
    /// `message`, or `decision` for one that became none.
    kind: String,
    /// When its run ended.
    at: String,
    /// The number of the archive that holds it.
    file: u64,
    /// Everything known of it; the number masked, the exact text for roles that may unmask.
    #[schema(value_type = Object)]
    record: serde_json::Value,
}

/// Messages and held decisions that left the online store, newest first. Numbers are masked; the exact text is there for roles that may unmask,
/// and the audit log says that it was shown.
#[utoipa::path(get, path = "/v1/archive", tag = "messages", params(ArchiveParams),
    responses((status = 200, body = Page<ArchivedView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn search_archive(
    State(app): State<App>,
    caller: Caller,
    Query(params): Query<ArchiveParams>,
) -> Result<axum::Json<Page<ArchivedView>>, Problem> {
    let limit = limit(params.limit)?;
    let skip = cursor::<usize>(params.cursor.as_deref())?.unwrap_or(0).min(MAX_REACH);
    let (account, phone) = who(&app, &caller, &params)?;
    let day = |given: &Option<String>| given.as_deref().map_or(Ok(Date::NONE), named);
    // Of a number's records some may lie outside the caller's scope: those are taken out afterwards.
    let reach = if phone.is_some() { MAX_REACH } else { skip + limit + 1 };
    let query = ArchiveQuery { account, phone, from: day(&params.from)?, to: day(&params.to)?, limit: reach };
    let text = caller.may(Action::Unmask);
    if text {
        let subject = account.map_or_else(|| phone.map_or_else(String::new, |p| p.to_string()), |a| a.to_string());
        let detail = serde_json::json!({ "from": params.from, "to": params.to });
        app.state().put_docs(Vec::new(), vec![note(&caller.name, "archive.search", subject, detail)]).await?;
    }
    let mut found = app.conduct.search_archive(query).await?;
    if phone.is_some() {
        let org = app.org();
        found.retain(|hit| {
            let account = hit.body["account"].as_str().and_then(|a| a.parse::<AccountNumber>().ok());
            let customer = account.and_then(|a| app.state().customer(a));
            customer.is_some_and(|(_, row)| caller.scope.covers(&org, row.station))
        });
    }
    let more = found.len() > skip + limit;
    let items = found.into_iter().skip(skip).take(limit).map(|hit| {
        let mut record = hit.body;
        if !text && let Some(map) = record.as_object_mut() {
            map.remove("text");
        }
        ArchivedView { kind: hit.kind, at: hit.at.to_string(), file: hit.file, record }
    });
    let items = items.collect();
    Ok(axum::Json(Page { items, next: more.then(|| (skip + limit).to_string()) }))
}

fn who(app: &App, caller: &Caller, params: &ArchiveParams) -> Result<(Option<AccountNumber>, Option<Phone>), Problem> {
    match (&params.account, &params.phone) {
        (Some(account), None) => {
            let account: AccountNumber = named(account)?;
            look_up(app, caller, account, Action::MessageRead)?;
            Ok((Some(account), None))
        }
        (None, Some(phone)) => {
            caller.require(Action::MessageRead)?;
            let phone = Phone::from_text(phone);
            if phone.number() == 0 {
                return Err(Problem::field("phone", "this is not a phone number (不是有效的电话号码)"));
            }
            Ok((None, Some(phone)))
        }
        _ => Err(Problem::field("account", "give either `account` or `phone`")),
    }
}
