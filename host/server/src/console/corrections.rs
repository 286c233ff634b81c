//! Corrections: a list of them, one with its recipients and what became of each, and the form that proposes one for a run.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{CorrectionBody, PageQuery, correct, correction_list, correction_one, correction_recipients, run_one};
use crate::app::App;
use crate::extract::{At, Form, Query};
use crate::problem::{Code, Problem};

/// Corrections that the page shows.
const SHOWN: usize = 100;

pub(super) async fn list(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    let mut corrections = correction_list(&app, &session.caller)?;
    corrections.truncate(SHOWN);
    let more = context! { corrections => data(&corrections) };
    Ok(app.pages.show(&app, &session, "corrections.html", "/corrections", more))
}

pub(super) async fn show(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let caller = &session.caller;
    let correction = correction_one(&app, caller, &id).await?;
    let listed = match caller.may(Action::MessageRead) {
        true => Some(correction_recipients(&app, caller, &id, &query).await?),
        false => None,
    };
    let (items, next) = listed.map(|page| (page.items, page.next)).unzip();
    let more = context! {
        c => data(&correction), recipients => data(&items), next => next.flatten(),
        may => context! { customer => caller.may(Action::CustomerRead) },
    };
    Ok(app.pages.show(&app, &session, "correction.html", "/corrections", more))
}

/// What is right, as the form says it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Draft {
    #[serde(default, skip_serializing)]
    csrf: String,
    #[serde(default)]
    text: String,
    #[serde(default)]
    wechat: String,
    #[serde(default)]
    why: String,
    #[serde(default, skip_serializing)]
    act: String,
}

impl Draft {
    fn body(&self, run: &str, dry_run: bool) -> CorrectionBody {
        let given = [("sms", &self.text), ("wechat", &self.wechat)].into_iter().filter(|(_, t)| !t.trim().is_empty());
        // Browsers end lines with two characters, of which carriers and platforms take one.
        let texts: BTreeMap<String, String> =
            given.map(|(channel, text)| (channel.to_owned(), text.replace('\r', ""))).collect();
        let (run, why) = (Some(run.to_owned()), self.why.clone());
        CorrectionBody { run, texts, why, dry_run, ..CorrectionBody::default() }
    }
}

pub(super) async fn draft(State(app): State<App>, session: Session, At(id): At<String>) -> Result<Response, Problem> {
    draft_page(&app, &session, &id, &Draft::default(), Value::UNDEFINED)
}

fn draft_page(app: &App, session: &Session, id: &str, form: &Draft, more: Value) -> Result<Response, Problem> {
    let run = run_one(app, &session.caller, id)?;
    session.caller.require(Action::Correct)?;
    let more = context! { run => data(&run), form => data(form), ..more };
    Ok(app.pages.show(app, session, "correct.html", "/corrections", more))
}

/// Shows what a correction would do, or proposes it.
pub(super) async fn propose(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Form(form): Form<Draft>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    let body = form.body(&id, form.act != "propose");
    match correct(&app, &session.caller, body).await {
        Ok(answer) => match &answer.id {
            Some(made) => Ok(Redirect::to(&format!("/corrections/{made}")).into_response()),
            None => draft_page(&app, &session, &id, &form, context! { would => data(&answer) }),
        },
        Err(problem) if matches!(problem.code, Code::NotFound | Code::Forbidden) => Err(problem),
        Err(problem) => draft_page(&app, &session, &id, &form, context! { said => data(Said::problem(&problem)) }),
    }
}
