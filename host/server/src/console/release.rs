//! What two people decide together: plugin versions and proposed changes.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use gridbell_conductor::Decision;
use minijinja::context;

use super::files::plugins_page;
use super::page::{Said, data};
use crate::access::Session;
use crate::api::{decide_proposal, proposal_views, step_version};
use crate::app::App;
use crate::extract::Form;
use crate::problem::{Code, Problem};
use crate::release::VersionStep;

/// Proposals that the page shows.
const SHOWN: usize = 100;

type Given = BTreeMap<String, String>;

fn text<'a>(given: &'a Given, key: &str) -> &'a str {
    given.get(key).map(String::as_str).unwrap_or_default()
}

/// What is done about a form: said on the page, but for those who may not.
fn said<T>(outcome: Result<T, Problem>, good: &str) -> Result<Said, Problem> {
    match outcome {
        Ok(_) => Ok(Said::good(good)),
        Err(problem) if matches!(problem.code, Code::Csrf) => Err(problem),
        Err(problem) => Ok(Said::problem(&problem)),
    }
}

pub(super) async fn approve(
    State(app): State<App>,
    session: Session,
    Form(given): Form<Given>,
) -> Result<Response, Problem> {
    step(&app, &session, &given, VersionStep::Approve, "已批准，策略可以启用该版本。").await
}

pub(super) async fn retire(
    State(app): State<App>,
    session: Session,
    Form(given): Form<Given>,
) -> Result<Response, Problem> {
    step(&app, &session, &given, VersionStep::Retire, "已停用。").await
}

async fn step(app: &App, session: &Session, given: &Given, step: VersionStep, good: &str) -> Result<Response, Problem> {
    session.check_csrf(text(given, "csrf"))?;
    let done = step_version(app, &session.caller, text(given, "version"), step, text(given, "why")).await;
    plugins_page(app, session, Some(said(done, good)?))
}

pub(super) async fn list(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    page(&app, &session, None)
}

fn page(app: &App, session: &Session, said: Option<Said>) -> Result<Response, Problem> {
    let mut proposals = proposal_views(app, &session.caller, None)?;
    proposals.truncate(SHOWN);
    let more = context! { proposals => data(&proposals), said => data(said) };
    Ok(app.pages.show(app, session, "proposals.html", "/proposals", more))
}

pub(super) async fn decide(
    State(app): State<App>,
    session: Session,
    Form(given): Form<Given>,
) -> Result<Response, Problem> {
    session.check_csrf(text(&given, "csrf"))?;
    let (decision, good) = match text(&given, "act") {
        "approve" => (Decision::Approve, "已同意，变更生效。"),
        "refuse" => (Decision::Refuse, "已驳回。"),
        _ => (Decision::Withdraw, "已撤回。"),
    };
    let done = decide_proposal(&app, &session.caller, text(&given, "id"), decision, text(&given, "why")).await;
    page(&app, &session, Some(said(done, good)?))
}
