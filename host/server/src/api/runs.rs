//! Runs: what each decided, by hand or by the clock, and the release of those that wait.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_conductor::same_person;
use gridbell_model::{AccountNumber, Date, Initiator, OrgCode, PrefectureCode, RunId};
use gridbell_state::{Outcome, RunRecord, RunStatus};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::messages::reason_titles;
use super::page::{Page, PageQuery, Pair, cursor, limit};
use super::view::{HeldCount, RunView, WordView, held, word};
use crate::access::{Action, Caller, Scope};
use crate::app::App;
use crate::conduct::{RunOrder, RunReport};
use crate::extract::{At, Json, Query, given, named};
use crate::problem::{Code, Problem, ProblemBody};

/// Units, sections or exceptions of a run by hand at most.
const MAX_SELECTION: usize = 10_000;

/// Which runs.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RunFilter {
    /// Only of this prefecture.
    #[serde(default)]
    pub(crate) prefecture: Option<String>,
    /// Only of this policy.
    #[serde(default)]
    pub(crate) policy: Option<String>,
    /// Only with this status: `published`, `waiting`, `failed`, `refused`.
    #[serde(default)]
    pub(crate) status: Option<String>,
    /// Only of this day: 2026-11-21.
    #[serde(default)]
    pub(crate) day: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    pub(crate) cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    pub(crate) limit: Option<usize>,
}

/// A run belongs to its prefecture, and to whoever started it.
fn sees(app: &App, caller: &Caller, run: &RunRecord) -> bool {
    let own = matches!(&run.initiator, Initiator::Person(name) if same_person(name, &caller.name));
    caller.scope.covers(&app.org(), run.prefecture.org()) || own
}

/// Runs that the caller may see, newest first.
pub(crate) fn list(app: &App, caller: &Caller, filter: &RunFilter) -> Result<Page<RunView>, Problem> {
    caller.require(Action::RunRead)?;
    let limit = limit(filter.limit)?;
    let before: Option<RunId> = cursor::<RunId>(filter.cursor.as_deref())?;
    let blank = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let prefecture = blank(&filter.prefecture).map(|p| given::<u32, _>("prefecture", &p)).transpose()?;
    let day = blank(&filter.day).map(|d| given::<Date, _>("day", &d)).transpose()?;
    let (policy, status) = (blank(&filter.policy), blank(&filter.status));
    let wanted = |run: &RunRecord| {
        prefecture.is_none_or(|p| run.prefecture.0 == p)
            && day.is_none_or(|d| run.started.date() == d)
            && policy.as_ref().is_none_or(|p| run.policy == *p)
            && status.as_ref().is_none_or(|s| status_word(&run.status) == s)
            && sees(app, caller, run)
    };
    let runs = app.state().runs(before, limit + 1, wanted);
    let org = app.org();
    Ok(Page::cut(runs, limit, |r| r.id.to_string()).map(|r| RunView::of(&org, &r)))
}

fn status_word(status: &RunStatus) -> &'static str {
    match status {
        RunStatus::Published => "published",
        RunStatus::Waiting { .. } => "waiting",
        RunStatus::Failed { .. } => "failed",
        RunStatus::Refused { .. } => "refused",
    }
}

/// Runs, newest first.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(RunFilter), responses((status = 200, body = Page<RunView>)))]
pub(crate) async fn list_runs(
    State(app): State<App>,
    caller: Caller,
    Query(filter): Query<RunFilter>,
) -> Result<axum::Json<Page<RunView>>, Problem> {
    list(&app, &caller, &filter).map(axum::Json)
}

pub(super) fn record(app: &App, caller: &Caller, id: &str) -> Result<Arc<RunRecord>, Problem> {
    let run = app.state().run(named(id)?).filter(|r| sees(app, caller, r));
    let run = run.ok_or_else(Problem::not_found)?;
    caller.require(Action::RunRead)?;
    Ok(run)
}

/// One run that the caller may see.
pub(crate) fn one(app: &App, caller: &Caller, id: &str) -> Result<RunView, Problem> {
    Ok(RunView::of(&app.org(), &*record(app, caller, id)?))
}

/// One run with everything that is needed to understand it years later.
#[utoipa::path(get, path = "/v1/runs/{id}", tag = "runs", params(("id" = String, Path, description = "such as R9")),
    responses((status = 200, body = RunView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_run(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<axum::Json<RunView>, Problem> {
    one(&app, &caller, &id).map(axum::Json)
}

/// One decision of a run.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DecisionView {
    /// 户号
    pub(crate) account: String,
    /// Step of the escalation.
    pub(crate) step: u8,
    /// Why the policy decided so, in the plugin's words.
    pub(crate) reason: Option<String>,
    /// The message; none if it was held.
    pub(crate) message: Option<String>,
    /// Which guardrail held it; none if it was queued.
    pub(crate) held: Option<WordView>,
}

/// The decisions of a run in order of the customers' rows, those within the caller's scope.
pub(crate) async fn decisions(
    app: &App,
    caller: &Caller,
    id: &str,
    page: &PageQuery,
) -> Result<Page<DecisionView>, Problem> {
    let run = record(app, caller, id)?;
    let (limit, from) = (page.limit()?, page.cursor::<Pair>()?.unwrap_or(Pair(0, 0)));
    let scope = caller.scope;
    app.read(move |app| {
        let titles = reason_titles(app, &run);
        let org = app.org();
        let mut items = Vec::new();
        for segment in from.0..run.segments.len() as u64 {
            let first = if segment == from.0 { from.1 } else { 0 };
            let decisions = app.state().decisions(run.id, u32::try_from(segment).unwrap_or(u32::MAX))?;
            for (at, d) in (0u64..).zip(decisions).skip(usize::try_from(first).unwrap_or(usize::MAX)) {
                let visible = scope == Scope::All
                    || app.state().customer_at(run.prefecture, d.row).is_some_and(|v| scope.covers(&org, v.station));
                if !visible {
                    continue;
                }
                if items.len() == limit {
                    return Ok(Page { items, next: Some(Pair(segment, at).to_string()) });
                }
                let (message, held) = match &d.outcome {
                    Outcome::Queued(m) => {
                        (Some(gridbell_model::MessageId::new(run.prefecture, m.number).to_string()), None)
                    }
                    Outcome::Held(reason) => (None, Some(word!(*reason))),
                };
                let reason = titles.get(usize::from(d.reason)).cloned();
                items.push(DecisionView { account: d.account.to_string(), step: d.step, reason, message, held });
            }
        }
        Ok(Page::whole(items))
    })
    .await
}

/// The decisions of a run, in pages.
#[utoipa::path(get, path = "/v1/runs/{id}/decisions", tag = "runs", params(("id" = String, Path, description = "such as R9"), PageQuery),
    responses((status = 200, body = Page<DecisionView>), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_decisions(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<DecisionView>>, Problem> {
    decisions(&app, &caller, &id, &page).await.map(axum::Json)
}

/// A run by hand: whom to reach.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBody {
    /// The prefecture's code.
    pub(crate) prefecture: u32,
    /// The policy's name.
    pub(crate) policy: String,
    /// Only customers under these units; the caller's own scope if left out.
    #[serde(default)]
    pub(crate) orgs: Vec<u32>,
    /// Only these reading sections (抄表段); all if left out.
    #[serde(default)]
    pub(crate) sections: Vec<u32>,
    /// Not these accounts.
    #[serde(default)]
    pub(crate) exclude: Vec<String>,
    /// Only say whom it would reach.
    #[serde(default)]
    pub(crate) dry_run: bool,
}

/// What a run by hand came to, or would come to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunAnswer {
    /// The run; none for a dry run.
    pub(crate) run: Option<String>,
    /// Customers looked at.
    pub(crate) customers: u64,
    /// Decisions: queued and held together.
    pub(crate) decided: u64,
    /// Messages.
    pub(crate) queued: u64,
    /// Decisions held.
    pub(crate) held: Vec<HeldCount>,
    /// Sum of parts.
    pub(crate) parts: u64,
    /// Sum of cost in 1/1000 fen.
    pub(crate) cost_milli_fen: u64,
    /// The first accounts that it would reach.
    pub(crate) sample: Vec<String>,
    /// Why it waits for another person's release; none if it does not.
    pub(crate) waiting: Option<String>,
}

impl RunAnswer {
    fn of(report: &RunReport) -> Self {
        Self {
            run: report.run.map(|r| r.to_string()),
            customers: report.customers,
            decided: report.decided,
            queued: report.queued,
            held: held(&report.held),
            parts: report.parts,
            cost_milli_fen: report.cost_milli_fen,
            sample: report.sample.iter().map(ToString::to_string).collect(),
            waiting: report.waiting.clone(),
        }
    }
}

/// Starts a run by hand within the caller's scope.
pub(crate) async fn start(app: &App, caller: &Caller, body: RunBody) -> Result<RunAnswer, Problem> {
    let code = PrefectureCode(body.prefecture);
    let org = app.org();
    org.get(code.org()).ok_or_else(Problem::not_found)?;
    caller.at_prefecture(&org, code, Action::RunStart)?;
    for (field, len) in [("orgs", body.orgs.len()), ("sections", body.sections.len()), ("exclude", body.exclude.len())]
    {
        if len > MAX_SELECTION {
            return Err(Problem::field(field, format!("at most {MAX_SELECTION} can be named")));
        }
    }
    let mut orgs: Vec<OrgCode> = body.orgs.into_iter().map(OrgCode).collect();
    for unit in &orgs {
        let within = caller.scope.covers(&org, *unit) && org.prefecture_of(*unit) == Some(code);
        if !within {
            return Err(Problem::not_found());
        }
    }
    if orgs.is_empty() && !caller.scope.covers(&org, code.org()) {
        // A county's run without a unit means the county, never the whole prefecture.
        orgs.extend(Option::<OrgCode>::from(caller.scope));
    }
    let exclude: Result<Vec<AccountNumber>, Problem> = body.exclude.iter().map(|a| given("exclude", a)).collect();
    let order = RunOrder {
        prefecture: code,
        policy: body.policy,
        orgs,
        sections: body.sections,
        exclude: exclude?,
        dry_run: body.dry_run,
        who: caller.name.clone(),
    };
    Ok(RunAnswer::of(&app.conduct.run_policy(order).await?))
}

/// Runs a policy by hand; with `dry_run` only says whom it would reach. What was said already is not said again.
#[utoipa::path(post, path = "/v1/runs", tag = "runs", request_body = RunBody,
    responses((status = 200, body = RunAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_run(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<RunBody>,
) -> Result<axum::Json<RunAnswer>, Problem> {
    start(&app, &caller, body).await.map(axum::Json)
}

/// Releases or refuses a run that waits.
pub(crate) async fn decide(app: &App, caller: &Caller, id: &str, release: bool) -> Result<Option<RunId>, Problem> {
    let run = app.state().run(named(id)?).filter(|r| caller.scope.covers(&app.org(), r.prefecture.org()));
    let run = run.ok_or_else(Problem::not_found)?;
    caller.require(Action::RunDecide)?;
    if !matches!(run.status, RunStatus::Waiting { .. }) {
        return Err(Problem::because(
            Code::Conflict,
            format!("run `{}` does not wait for a release (该批次不在待放行状态)", run.id),
        ));
    }
    if matches!(&run.initiator, Initiator::Person(name) if same_person(name, &caller.name)) {
        return Err(Problem::because(
            Code::Forbidden,
            "a run is released by another person than who started it (须由他人放行)",
        ));
    }
    Ok(app.conduct.decide_run(run.id, release, caller.name.clone()).await?)
}

/// The run that a release made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Released {
    /// Its messages are those that go out; none where the waiting run itself went.
    pub(crate) run: Option<String>,
}

/// Releases a run that waits: its messages go out. Never by who started it or changed its policy.
#[utoipa::path(post, path = "/v1/runs/{id}/release", tag = "runs", params(("id" = String, Path, description = "such as R9")),
    responses((status = 200, body = Released), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn release_run(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<axum::Json<Released>, Problem> {
    let run = decide(&app, &caller, &id, true).await?;
    Ok(axum::Json(Released { run: run.map(|r| r.to_string()) }))
}

/// Refuses a run that waits: nothing of it is ever sent.
#[utoipa::path(post, path = "/v1/runs/{id}/refuse", tag = "runs", params(("id" = String, Path, description = "such as R9")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn refuse_run(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<StatusCode, Problem> {
    decide(&app, &caller, &id, false).await.map(|_| StatusCode::NO_CONTENT)
}
