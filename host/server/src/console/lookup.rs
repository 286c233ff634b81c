//! One customer: facts, messages with their texts and failures, and why nothing was said.

use axum::extract::State;
use axum::response::Response;
use gridbell_model::AccountNumber;
use minijinja::{Value, context};
use serde::Deserialize;

use super::page::data;
use crate::access::{Action, Session};
use crate::api::{CustomerView, Unmask, by_phone, held_of, look_up, of_account, one_customer};
use crate::app::App;
use crate::extract::{Form, Query};
use crate::problem::{Code, Problem};

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
        && let Ok(found) = by_phone(&app, &session.caller, &q).await
    {
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
        may => context! { unmask => caller.may(Action::Unmask) },
    })
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
