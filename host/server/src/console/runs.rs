//! Runs, one run, and a run by hand.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{
    PageQuery, RecallBody, RunBody, RunFilter, decide, recall, run_decisions, run_list, run_one, run_start,
    visible_prefectures,
};
use crate::app::App;
use crate::extract::{At, Form, Query};
use crate::problem::{Code, Problem};

pub(super) async fn list(
    State(app): State<App>,
    session: Session,
    Query(filter): Query<RunFilter>,
) -> Result<Response, Problem> {
    let page = run_list(&app, &session.caller, &filter)?;
    let prefectures: Vec<_> = visible_prefectures(&app, &session.caller).into_iter().map(|p| p.prefecture).collect();
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    let more = context! {
        runs => data(&page.items), next => page.next, prefectures => data(&prefectures),
        filter => context! { prefecture => text(&filter.prefecture), status => text(&filter.status), day => text(&filter.day) },
        may => context! { run => session.caller.may(Action::RunStart) },
    };
    Ok(app.pages.show(&app, &session, "runs.html", "/runs", more))
}

pub(super) async fn show(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    page(&app, &session, &id, &query, None).await
}

async fn page(
    app: &App,
    session: &Session,
    id: &str,
    query: &PageQuery,
    said: Option<Said>,
) -> Result<Response, Problem> {
    let caller = &session.caller;
    let run = run_one(app, caller, id)?;
    let decisions = run_decisions(app, caller, id, query).await?;
    let params = serde_json::to_string_pretty(&run.parameters).unwrap_or_default();
    let more = context! {
        run => data(&run), params, decisions => data(&decisions.items), next => decisions.next, said => data(said),
        may => context! { decide => caller.may(Action::RunDecide), customer => caller.may(Action::CustomerRead), recall => caller.may(Action::Recall), correct => caller.may(Action::Correct) },
    };
    Ok(app.pages.show(app, session, "run.html", "/runs", more))
}

#[derive(Deserialize)]
pub(super) struct Token {
    csrf: String,
}

pub(super) async fn release(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Form(form): Form<Token>,
) -> Result<Response, Problem> {
    settle(&app, &session, &id, &form, true).await
}

pub(super) async fn refuse(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Form(form): Form<Token>,
) -> Result<Response, Problem> {
    settle(&app, &session, &id, &form, false).await
}

async fn settle(app: &App, session: &Session, id: &str, form: &Token, release: bool) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    match decide(app, &session.caller, id, release).await {
        Ok(made) => {
            let shown = made.map_or_else(|| id.to_owned(), |r| r.to_string());
            Ok(Redirect::to(&format!("/runs/{shown}")).into_response())
        }
        Err(problem) if problem.code == Code::NotFound => Err(problem),
        Err(problem) => page(app, session, id, &PageQuery::default(), Some(Said::problem(&problem))).await,
    }
}

/// What a recall of the run would take back, with a form to do it.
pub(super) async fn ask_recall(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
) -> Result<Response, Problem> {
    recall_page(&app, &session, &id, None).await
}

async fn recall_page(app: &App, session: &Session, id: &str, said: Option<Said>) -> Result<Response, Problem> {
    let run = run_one(app, &session.caller, id)?;
    let would = RecallBody { scope: format!("run:{}", run.id), why: "试算".to_owned(), dry_run: true };
    let would = recall(app, &session.caller, would).await?;
    let more = context! { run => data(&run), would => data(&would), said => data(said) };
    Ok(app.pages.show(app, session, "recall.html", "/runs", more))
}

#[derive(Deserialize)]
pub(super) struct RecallForm {
    csrf: String,
    #[serde(default)]
    why: String,
}

pub(super) async fn do_recall(
    State(app): State<App>,
    session: Session,
    At(id): At<String>,
    Form(form): Form<RecallForm>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    let order = RecallBody { scope: format!("run:{id}"), why: form.why, dry_run: false };
    let said = match recall(&app, &session.caller, order).await {
        Ok(done) => Said::good(format!("已撤回 {} 条；{} 条已经发出，无法撤回。", done.taken_back, done.left)),
        Err(problem) if problem.code == Code::NotFound => return Err(problem),
        Err(problem) => return recall_page(&app, &session, &id, Some(Said::problem(&problem))).await,
    };
    page(&app, &session, &id, &PageQuery::default(), Some(said)).await
}

/// A run by hand as the form says it.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Order {
    #[serde(default, skip_serializing)]
    csrf: String,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    orgs: String,
    #[serde(default)]
    sections: String,
    #[serde(default)]
    exclude: String,
    #[serde(default, skip_serializing)]
    act: String,
}

/// Words between commas, Chinese or not, spaces and line ends.
fn listed(text: &str) -> Vec<String> {
    let cut = |c: char| c.is_whitespace() || matches!(c, ',' | '，' | '、' | ';' | '；');
    text.split(cut).filter(|w| !w.is_empty()).map(str::to_owned).collect()
}

fn numbers(field: &str, text: &str) -> Result<Vec<u32>, Problem> {
    let number = |w: String| w.parse().map_err(|_| Problem::field(field, format!("`{w}` 不是编码")));
    listed(text).into_iter().map(number).collect()
}

impl Order {
    fn body(&self, dry_run: bool) -> Result<RunBody, Problem> {
        let (prefecture, policy) =
            self.policy.split_once('/').ok_or_else(|| Problem::field("policy", "请选择地市与策略"))?;
        Ok(RunBody {
            prefecture: prefecture.parse().map_err(|_| Problem::not_found())?,
            policy: policy.to_owned(),
            orgs: numbers("供电单位编码", &self.orgs)?,
            sections: numbers("抄表段", &self.sections)?,
            exclude: listed(&self.exclude),
            dry_run,
        })
    }
}

pub(super) async fn order(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    session.caller.require(Action::RunStart)?;
    Ok(order_page(&app, &session, &Order::default(), Value::UNDEFINED))
}

fn order_page(app: &App, session: &Session, form: &Order, more: Value) -> Response {
    let prefectures = visible_prefectures(app, &session.caller);
    app.pages.show(
        app,
        session,
        "run-now.html",
        "/runs",
        context! { prefectures => data(&prefectures), form => data(form), ..more },
    )
}

pub(super) async fn send(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Order>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    session.caller.require(Action::RunStart)?;
    let sends = form.act == "send";
    let done = match form.body(!sends) {
        Ok(body) => run_start(&app, &session.caller, body).await,
        Err(problem) => Err(problem),
    };
    Ok(match done {
        Ok(report) => match &report.run {
            Some(run) => Redirect::to(&format!("/runs/{run}")).into_response(),
            None => order_page(&app, &session, &form, context! { report => data(report) }),
        },
        Err(problem) => order_page(&app, &session, &form, context! { said => data(Said::problem(&problem)) }),
    })
}
