//! Messages by id, account and phone number: what was said, how it went, and why (N7, N13).

use axum::extract::State;
use gridbell_model::{AccountNumber, MessageId, Phone};
use gridbell_planner::answers_manifest;
use gridbell_state::{DecisionRecord, MAX_HISTORY, MessageDetail, Outcome, RunRecord};
use serde::Deserialize;
use utoipa::IntoParams;

use super::customers::{Unmask, by_phone, formerly_by_phone, look_up};
use super::page::{Page, cursor, limit};
use super::view::MessageView;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Query, named};
use crate::problem::{Problem, ProblemBody};

/// Which messages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MessageQuery {
    /// 户号
    #[serde(default)]
    account: Option<String>,
    /// A phone number: messages that went to it, also those of accounts that have another number now, and samples to it if it is a test number.
    #[serde(default)]
    phone: Option<String>,
    /// Where the last page ended, as its `next` said; with `account` only.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// Messages of an account, or all that went to a phone number, also where its account has another one now; newest first. Samples of a pilot to a test
/// number are found by that number alone, marked: they are no messages of the account whose text they show. Numbers are masked; the exact text is there for roles that may unmask.
#[utoipa::path(get, path = "/v1/messages", tag = "messages", params(MessageQuery),
    responses((status = 200, body = Page<MessageView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn find_messages(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<MessageQuery>,
) -> Result<axum::Json<Page<MessageView>>, Problem> {
    let limit = limit(query.limit)?;
    match (query.account, query.phone) {
        (Some(account), None) => {
            let before = cursor::<u32>(query.cursor.as_deref())?;
            of_account(&app, &caller, named(&account)?, before, limit).await.map(axum::Json)
        }
        (None, Some(phone)) => {
            caller.require(Action::MessageRead)?;
            let mut found = by_phone(&app, &caller, &phone).await?;
            found.extend(formerly_by_phone(&app, &caller, &phone).await?);
            let number = Phone::from_text(&phone).number();
            let mut items: Vec<MessageView> = Vec::new();
            for (_, row) in found {
                items.extend(sent_to(&app, &caller, row.account, number, limit).await?);
            }
            items.extend(samples_to(&app, &caller, number, limit).await?);
            items.sort_by(|a, b| b.queued_at.cmp(&a.queued_at).then_with(|| b.id.cmp(&a.id)));
            items.truncate(limit);
            Ok(axum::Json(Page::whole(items)))
        }
        _ => Err(Problem::field("account", "give either `account` or `phone`")),
    }
}

/// Messages of `account` before number `before`, newest first.
pub(crate) async fn of_account(
    app: &App,
    caller: &Caller,
    account: AccountNumber,
    before: Option<u32>,
    limit: usize,
) -> Result<Page<MessageView>, Problem> {
    look_up(app, caller, account, Action::MessageRead)?;
    let text = caller.may(Action::Unmask);
    app.read(move |app| {
        let wanted = if before.is_some() { MAX_HISTORY } else { limit + 1 };
        let mut details = app.state().messages_of(account, wanted)?;
        details.retain(|d| before.is_none_or(|b| d.id.number() < b));
        details.truncate(limit + 1);
        let page = Page::cut(details, limit, |d| d.id.number().to_string());
        let views = page.items.iter().filter_map(|d| view(app, d, text, false)).collect();
        Ok(Page { items: views, next: page.next })
    })
    .await
}

/// The newest messages of `account` that went to `number`.
async fn sent_to(
    app: &App,
    caller: &Caller,
    account: AccountNumber,
    number: u64,
    limit: usize,
) -> Result<Vec<MessageView>, Problem> {
    look_up(app, caller, account, Action::MessageRead)?;
    let text = caller.may(Action::Unmask);
    app.read(move |app| {
        let details = app.state().messages_of(account, MAX_HISTORY)?;
        let to = |d: &&MessageDetail| matches!(&d.decision.outcome, Outcome::Queued(m) if m.phone.number() == number);
        Ok(details.iter().filter(to).take(limit).filter_map(|d| view(app, d, text, false)).collect())
    })
    .await
}

/// The newest samples to the test number `number` about customers within the caller's scope.
async fn samples_to(app: &App, caller: &Caller, number: u64, limit: usize) -> Result<Vec<MessageView>, Problem> {
    if number == 0 {
        return Ok(Vec::new());
    }
    let (scope, text) = (caller.scope, caller.may(Action::Unmask));
    app.read(move |app| {
        let org = app.org();
        let sees =
            |d: &DecisionRecord| app.state().customer(d.account).is_some_and(|(_, v)| scope.covers(&org, v.station));
        let found = app.state().samples(limit, |_| true, |d, m| m.phone.number() == number && sees(d))?;
        Ok(found.iter().filter_map(|d| view(app, d, text, false)).collect())
    })
    .await
}

fn view(app: &App, detail: &MessageDetail, text: bool, unmask: bool) -> Option<MessageView> {
    let run = app.state().run(detail.run)?;
    let reason = reason_titles(app, &run).get(usize::from(detail.decision.reason)).cloned();
    // What cannot be read is shown as what the account's own message says.
    let together = app.state().told_together(detail.id).ok().flatten();
    MessageView::of((detail, together), &run, reason, text, unmask)
}

/// What the run's plugin calls its reasons; empty if that plugin is no longer there.
pub(crate) fn reason_titles(app: &App, run: &RunRecord) -> Vec<String> {
    if run.is_answers() {
        return answers_manifest().reasons().iter().map(|r| r.title.clone()).collect();
    }
    let manifest = app.conduct.version_manifest(&run.digest);
    manifest.map(|m| m.reasons().iter().map(|r| r.title.clone()).collect()).unwrap_or_default()
}

/// One message with every step of its life. With `unmask=true` and a reason the number is in the clear, and the audit log says so.
#[utoipa::path(get, path = "/v1/messages/{id}", tag = "messages", params(("id" = String, Path, description = "such as 140100-17"), Unmask),
    responses((status = 200, body = MessageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_message(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
    Query(unmask): Query<Unmask>,
) -> Result<axum::Json<MessageView>, Problem> {
    let id: MessageId = named(&id)?;
    let detail = app.read(move |app| Ok(app.state().message(id)?)).await?;
    look_up(&app, &caller, detail.decision.account, Action::MessageRead)?;
    let clear = unmask.granted(&app, &caller, "message.unmask", id.to_string()).await?;
    let found = view(&app, &detail, caller.may(Action::Unmask), clear);
    found.map(axum::Json).ok_or_else(Problem::not_found)
}
