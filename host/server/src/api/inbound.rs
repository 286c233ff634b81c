//! Customers' replies (上行短信).

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::{Page, PageQuery};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::Query;
use crate::problem::{Problem, ProblemBody};

/// A reply as it came; the sender is masked.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct InboundView {
    /// From 1.
    number: u64,
    /// When.
    at: String,
    /// The link it came by.
    link: String,
    /// Who sent it, masked.
    from: String,
    /// The number it was sent to.
    to: String,
    /// What it says, for roles that may unmask.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    text: Option<String>,
    /// What the host made of it: `opt-out`, `subscribe`, `wrong-number`, `balance`, `outage`, `help`, `inbox`, …
    handled: String,
    /// Whether it was answered: `due`, or why not: `hour-limit`, `day-limit`, `repeated`, `busy`, `machine`, `off`. Empty where nothing was to be said.
    #[serde(default)]
    answer: String,
}

/// Customers' replies, newest first. They belong to the province: a number may serve accounts of several cities.
#[utoipa::path(get, path = "/v1/inbound", tag = "messages", params(PageQuery), responses((status = 200, body = Page<InboundView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn list_inbound(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<InboundView>>, Problem> {
    inbound(&app, &caller, &page).await.map(axum::Json)
}

/// Customers' replies that the caller may see, newest first.
pub(crate) async fn inbound(app: &App, caller: &Caller, page: &PageQuery) -> Result<Page<InboundView>, Problem> {
    caller.at_province(&app.org(), Action::InboundRead)?;
    let (limit, before) = (page.limit()?, page.cursor::<u64>()?);
    let messages = app.read(move |app| Ok(app.state().inbound_messages(before, limit + 1)?)).await?;
    let text = caller.may(Action::Unmask);
    Ok(Page::cut(messages, limit, |m| m.number.to_string()).map(|m| InboundView {
        number: m.number,
        at: m.at.to_string(),
        link: m.link,
        from: m.from.to_string(),
        to: m.to,
        text: text.then_some(m.text),
        handled: m.handled,
        answer: m.answer,
    }))
}
