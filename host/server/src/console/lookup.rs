//! One customer: facts, messages with their texts and failures, and why nothing was said.

use axum::extract::State;
use axum::response::Response;
use gridbell_model::AccountNumber;
use minijinja::{Value, context};
use serde::Deserialize;

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{
    CustomerPatch, CustomerView, Page, UndeliveredParams, Unmask, WorkOrderQuery, by_phone, formerly_by_phone, held_of,
    look_up, of_account, one_customer, patch_customer, undelivered_csv, undelivered_list, visible_prefectures,
    work_order_list,
};
use crate::app::App;
use crate::extract::{Form, Query};
use crate::problem::{Code, Problem};

/// Where a person at a desk has a number from.
const SOURCES: [&str; 5] = ["counter", "hotline", "online", "field", "carrier"];
/// Messages shown of one customer.
const MAX_SHOWN: usize = 30;

#[derive(Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
}

pub(super) async fn show(
    State(app): State<App>,
    session: Session,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    session.caller.require(Action::CustomerRead)?;
    let q: String = asked.q.chars().filter(|c| !c.is_whitespace()).collect();
    let page = |more: Value| app.pages.show(&app, &session, "lookup.html", "/lookup", more);
    if q.is_empty() {
        return Ok(page(context! { q }));
    }
    // A mobile number has eleven digits, as an account may have, too: both are looked for.
    let mut account: Option<AccountNumber> = q.parse().ok();
    account = account.filter(|a| look_up(&app, &session.caller, *a, Action::CustomerRead).is_ok());
    if account.is_none()
        && let Ok(mut found) = by_phone(&app, &session.caller, &q).await
    {
        // A message may have gone to a number that its account has no more.
        found.extend(formerly_by_phone(&app, &session.caller, &q).await?);
        if found.len() > 1 {
            let org = app.org();
            let views: Vec<CustomerView> =
                found.iter().map(|(p, row)| CustomerView::of(&org, *p, row, None, false)).collect();
            return Ok(page(context! { q => "", found => data(&views) }));
        }
        account = found.first().map(|(_, row)| row.account);
    }
    let Some(account) = account else {
        return Ok(page(context! { q, nothing => "请核对户号或手机号；不在您管辖范围内的用户不会显示。" }));
    };
    let more = facts(&app, &session, account, &Unmask::default()).await?;
    Ok(page(context! { q => account.to_string(), ..more }))
}

async fn facts(app: &App, session: &Session, account: AccountNumber, unmask: &Unmask) -> Result<Value, Problem> {
    let caller = &session.caller;
    let customer = one_customer(app, caller, &account.to_string(), unmask).await?;
    let (prefecture, row) = look_up(app, caller, account, Action::CustomerRead)?;
    let messages = match of_account(app, caller, account, None, MAX_SHOWN).await {
        Err(problem) if problem.code == Code::Forbidden => crate::api::Page::whole(Vec::new()),
        other => other?,
    };
    let held = held_of(app, prefecture, row.row).await?;
    Ok(context! {
        c => data(&customer), messages => data(&messages.items), more => messages.next.is_some(), held => data(&held),
        may => context! { unmask => caller.may(Action::Unmask), contact => caller.may(Action::ContactWrite) },
        sources => SOURCES, today => app.clock().today().to_string(),
    })
}

/// A contact as the form corrects it.
#[derive(Deserialize)]
pub(super) struct Contact {
    csrf: String,
    account: String,
    /// `save`, `confirm` or `suspend`.
    act: String,
    #[serde(default)]
    phone: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    verified: String,
}

pub(super) async fn contact(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Contact>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    let account: AccountNumber = crate::extract::named(&form.account)?;
    let (change, done) = match form.act.as_str() {
        "confirm" => {
            (CustomerPatch { suspended: Some(false), ..CustomerPatch::default() }, "号码已确认，可以继续发送。")
        }
        "suspend" => {
            (CustomerPatch { suspended: Some(true), ..CustomerPatch::default() }, "号码已暂停，核实前不再发送。")
        }
        _ => {
            let given = |text: &str| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
            let change = CustomerPatch {
                phone: Some(form.phone.chars().filter(|c| !c.is_whitespace()).collect()),
                contact_source: given(&form.source),
                verified: given(&form.verified),
                ..CustomerPatch::default()
            };
            (change, "联系电话已更新。")
        }
    };
    let said = match patch_customer(&app, &session.caller, &form.account, change).await {
        Ok(()) => Said::good(done),
        Err(problem) if matches!(problem.code, Code::NotFound | Code::Forbidden) => return Err(problem),
        Err(problem) => Said::problem(&problem),
    };
    let more = facts(&app, &session, account, &Unmask::default()).await?;
    let more = context! { q => account.to_string(), said => data(said), ..more };
    Ok(app.pages.show(&app, &session, "lookup.html", "/lookup", more))
}

#[derive(Deserialize)]
pub(super) struct Reasoned {
    csrf: String,
    account: String,
    reason: String,
}

pub(super) async fn unmask(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Reasoned>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    let account = crate::extract::named(&form.account)?;
    let unmask = Unmask { unmask: true, reason: Some(form.reason) };
    let more = facts(&app, &session, account, &unmask).await?;
    Ok(app.pages.show(&app, &session, "lookup.html", "/lookup", context! { q => account.to_string(), ..more }))
}

/// Numbers that somebody else has.
pub(super) async fn work_orders(
    State(app): State<App>,
    session: Session,
    Query(query): Query<WorkOrderQuery>,
) -> Result<Response, Problem> {
    let found = work_order_list(&app, &session.caller, &query).await?;
    let more = context! { orders => data(&found.items), next => found.next, all => query.all };
    Ok(app.pages.show(&app, &session, "work-orders.html", "/work-orders", more))
}

/// Lines that the page of undelivered subscriptions shows.
const UNDELIVERED_SHOWN: usize = 100;

/// What the form of the list asks.
#[derive(Deserialize)]
pub(super) struct UndeliveredForm {
    #[serde(default)]
    prefecture: Option<u32>,
    #[serde(default)]
    day: Option<String>,
    #[serde(default)]
    topic: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    format: Option<String>,
}

/// Subscriptions that were due on a day and did not come.
pub(super) async fn undelivered(
    State(app): State<App>,
    session: Session,
    Query(form): Query<UndeliveredForm>,
) -> Result<Response, Problem> {
    session.caller.require(Action::MessageRead)?;
    let places: Vec<(u32, String)> = visible_prefectures(&app, &session.caller)
        .into_iter()
        .map(|p| (p.prefecture.code, p.prefecture.name))
        .collect();
    let prefecture = form.prefecture.or(places.first().map(|(code, _)| *code)).unwrap_or_default();
    let day = form.day.filter(|d| !d.trim().is_empty()).unwrap_or_else(|| app.clock().today().to_string());
    let params = UndeliveredParams {
        prefecture,
        day: Some(day.clone()),
        topic: form.topic.clone(),
        format: None,
        cursor: form.cursor,
        limit: None,
    };
    let as_table = form.format.as_deref() == Some("csv");
    let most = if as_table { gridbell_conductor::MAX_UNDELIVERED - 1 } else { UNDELIVERED_SHOWN };
    let found = undelivered_list(&app, &session.caller, &params, most).await;
    let (page, said) = match found {
        Ok(page) if as_table => return Ok(undelivered_csv(&page)),
        Ok(page) => (page, None),
        Err(problem) => (Page::whole(Vec::new()), Some(Said::problem(&problem))),
    };
    let more = context! {
        items => data(&page.items), next => page.next, said => data(said), places, prefecture, day, topic => form.topic,
    };
    Ok(app.pages.show(&app, &session, "undelivered.html", "/undelivered", more))
}
