//! Outages: entered, approved by a second person, published, changed, restored part by part and in whole, cancelled; each step with who and why.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gridbell_conductor::{OutageOutcome, OutageStep};
use gridbell_model::{AccountNumber, CivilMinute, Moment, PrefectureCode};
use gridbell_outages::{DraftOrder, Kind, Outage, OutageId, Phase, StepOrder};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::communities::prefecture_at;
use super::customers::look_up;
use super::outage_views::{OutageBody, OutageChange, OutageStory, OutageView, ScopeBody, revision_view, view};
use super::page::{self, Page};
use super::plugins::reason;
use crate::access::{Action, Caller, get_user};
use crate::app::App;
use crate::extract::{At, IfMatch, Json, Query, Versioned, given, named};
use crate::problem::{Problem, ProblemBody};

/// The outage `text`, if the caller may do `action` with it.
pub(super) fn outage_at(app: &App, caller: &Caller, text: &str, action: Action) -> Result<Arc<Outage>, Problem> {
    let id: OutageId = named(text)?;
    let outage = app.conduct.outages().book(|book| book.outage(id).cloned()).ok_or_else(Problem::not_found)?;
    prefecture_at(app, caller, outage.head.prefecture, action)?;
    Ok(outage)
}

pub(super) fn as_it_stands(app: &App, outage: &Outage) -> OutageView {
    let affected = app.conduct.outages().book(|book| book.affected(outage.id()).cloned()).unwrap_or_default();
    view(app, outage, &affected)
}

/// Which outages.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutageQuery {
    /// Only of this prefecture.
    #[serde(default)]
    prefecture: Option<u32>,
    /// `draft`, `approved`, `published`, `in-progress`, `partly-restored`, `restored`, `cancelled`; `open` for those that count.
    #[serde(default)]
    phase: Option<String>,
    /// `planned`, `temporary`, `fault`, `rationing`.
    #[serde(default)]
    kind: Option<String>,
    /// Only those that concern this account.
    #[serde(default)]
    account: Option<String>,
    /// Only those that keep this transformer without power.
    #[serde(default)]
    transformer: Option<String>,
    /// Only those whose time includes this: 2026-11-25T08:00.
    #[serde(default)]
    time: Option<String>,
    /// Where the last page ended, as its `next` said.
    #[serde(default)]
    cursor: Option<String>,
    /// Items wanted, 1 to 500; 50 if left out.
    #[serde(default)]
    limit: Option<usize>,
}

/// The outages within the caller's scope, the last entered first.
#[utoipa::path(get, path = "/v1/outages", tag = "outages", params(OutageQuery),
    responses((status = 200, body = Page<OutageView>), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_outages(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<OutageQuery>,
) -> Result<axum::Json<Page<OutageView>>, Problem> {
    caller.require(Action::OutageRead)?;
    let (limit, before) = (page::limit(query.limit)?, page::cursor::<OutageId>(query.cursor.as_deref())?);
    let (only_open, phase) = match query.phase.as_deref() {
        Some("open") => (true, None),
        other => (false, other.map(|p| given::<Phase, _>("phase", p)).transpose()?),
    };
    let kind: Option<Kind> = query.kind.as_deref().map(|k| given("kind", k)).transpose()?;
    let time: Option<CivilMinute> = query.time.as_deref().map(|t| given("time", t)).transpose()?;
    let account: Option<AccountNumber> = query.account.as_deref().map(|a| given("account", a)).transpose()?;
    if let Some(account) = account {
        look_up(&app, &caller, account, Action::OutageRead)?;
    }
    let org = app.org();
    let wanted = |book: &gridbell_outages::Book, o: &Outage| {
        let id = o.id();
        before.is_none_or(|b| id < b)
            && query.prefecture.is_none_or(|p| p == o.head.prefecture.0)
            && (!only_open || o.is_open())
            && phase.is_none_or(|p| o.phase() == p)
            && kind.is_none_or(|k| o.head.kind == k)
            && time.is_none_or(|t| o.covers(t.moment()))
            && account.is_none_or(|a| book.on_customer(a).any(|on| on.id() == id))
            && query.transformer.as_deref().is_none_or(|t| book.affected(id).is_some_and(|a| a.has_transformer(t)))
            && caller.scope.touches(&org, o.head.prefecture)
    };
    let outages = app.conduct.outages();
    let some: Vec<Arc<Outage>> =
        outages.book(|book| book.outages().rev().filter(|o| wanted(book, o)).take(limit + 1).cloned().collect());
    let page = Page::cut(some, limit, |o: &Arc<Outage>| o.id().to_string());
    let items = page.items.iter().map(|o| as_it_stands(&app, o)).collect();
    Ok(axum::Json(Page { items, next: page.next }))
}

/// An outage with its history. Its `ETag` is its edition.
#[utoipa::path(get, path = "/v1/outages/{outage}", tag = "outages", params(("outage" = String, Path, description = "such as O00000012")),
    responses((status = 200, body = OutageStory), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
) -> Result<Versioned<OutageStory>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageRead)?;
    let revisions = outage.revisions().iter().map(revision_view).collect();
    let story = OutageStory { outage: as_it_stands(&app, &outage), revisions };
    Ok(Versioned(u64::from(outage.head.edition), story))
}

/// Whether only to say what would be.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct OutageTrial {
    /// Only say what it would come to, and how many customers it would concern.
    #[serde(default)]
    dry_run: bool,
}

/// Enters an outage as a draft; with `publish` a fault, which counts at once. With `dry_run=true` only says what would be (200).
#[utoipa::path(post, path = "/v1/outages", tag = "outages", params(OutageTrial), request_body = OutageBody,
    responses((status = 200, body = OutageView), (status = 201, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_outage(
    State(app): State<App>,
    caller: Caller,
    Query(trial): Query<OutageTrial>,
    Json(body): Json<OutageBody>,
) -> Result<Response, Problem> {
    let prefecture = body.prefecture.ok_or_else(|| Problem::field("prefecture", "is missing: 140100"))?;
    let prefecture = PrefectureCode(prefecture);
    prefecture_at(&app, &caller, prefecture, Action::OutageWrite)?;
    let kind = body.kind.as_deref().ok_or_else(|| Problem::field("kind", "is missing: planned"))?;
    let kind: Kind = given("kind", kind)?;
    let order =
        DraftOrder { prefecture, kind, content: body.content()?, by: String::new(), why: body.why.trim().to_owned() };
    let made = app.conduct.outages().enter(order, body.publish, &caller.name, trial.dry_run).await?;
    let shown = view(&app, &made.outage, &made.affected);
    let (status, shown) = match trial.dry_run {
        true => (StatusCode::OK, shown.unnumbered()),
        false => (StatusCode::CREATED, shown),
    };
    Ok((status, axum::Json(shown)).into_response())
}

/// One step of an outage, as the routes below take it.
struct Taken<'a> {
    app: &'a App,
    caller: &'a Caller,
    outage: &'a Outage,
    expected: Option<u64>,
    dry_run: bool,
}

impl Taken<'_> {
    async fn step(&self, step: OutageStep, why: String) -> Result<Versioned<OutageView>, Problem> {
        let expected = self.expected.map(|e| u32::try_from(e).unwrap_or(u32::MAX));
        let order = StepOrder { id: self.outage.id(), expected, by: String::new(), why };
        let outages = self.app.conduct.outages();
        let OutageOutcome { outage, affected, .. } = outages.step(order, step, &self.caller.name, self.dry_run).await?;
        Ok(Versioned(u64::from(outage.head.edition), view(self.app, &outage, &affected)))
    }
}

/// Writes a draft anew; an approval of the old one is gone. `If-Match` may name the edition that was read.
#[utoipa::path(put, path = "/v1/outages/{outage}", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = OutageBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<OutageBody>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    let another = body.kind.as_deref().is_some_and(|k| k != outage.head.kind.word())
        || body.prefecture.is_some_and(|p| p != outage.head.prefecture.0);
    if another || body.publish {
        return Err(Problem::field(
            "kind",
            "and `prefecture` cannot change, nor does an edit publish: enter another outage",
        ));
    }
    let step = OutageStep::Edit(body.content()?);
    let why = body.why.trim().to_owned();
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(step, why).await
}

/// An approval.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApproveBody {
    /// Why a notice shorter than the rule asks for is right; without it publishing late is refused.
    #[serde(default)]
    short_notice: Option<String>,
}

/// Approves a draft that another person wrote. `If-Match` may name the edition that was read.
#[utoipa::path(post, path = "/v1/outages/{outage}/approve", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = ApproveBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn approve_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<ApproveBody>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageApprove)?;
    let step = OutageStep::Approve(body.short_notice.map(|w| w.trim().to_owned()));
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(step, String::new()).await
}

/// Why a step is taken.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepBody {
    /// Why; may be left out.
    #[serde(default)]
    why: String,
}

/// Publishes an outage: from now on it counts, and customers who ask are answered by it. With `dry_run=true` only says whom it would concern.
#[utoipa::path(post, path = "/v1/outages/{outage}/publish", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = StepBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn publish_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<StepBody>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    let why = body.why.trim().to_owned();
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(OutageStep::Publish, why).await
}

/// Changes what was published: time, scope, reason, class. Says so with 200 where it is so already.
#[utoipa::path(post, path = "/v1/outages/{outage}/change", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = OutageChange,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn change_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<OutageChange>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    // What is left out is taken from the edition that was looked at: it must still be the one.
    let expected = expected.or(Some(u64::from(outage.head.edition)));
    let content = body.content(&outage.latest().content)?;
    if let Some(named) = body.short_notice.as_ref().map(|s| s.order()) {
        let user = get_user(app.state(), &named.approved_by).filter(|(user, _)| user.enabled);
        if !user.is_some_and(|(user, _)| user.role.may(Action::OutageApprove)) {
            let why = format!("names `{}`: no user who may approve outages", named.approved_by);
            return Err(Problem::field("short_notice", why));
        }
    }
    let step = OutageStep::Change(content, body.short_notice.as_ref().map(|s| s.order()));
    let why = reason(&body.why)?;
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(step, why).await
}

/// Says that the power went off.
#[utoipa::path(post, path = "/v1/outages/{outage}/begin", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = StepBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn begin_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<StepBody>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    let why = body.why.trim().to_owned();
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(OutageStep::Begin, why).await
}

/// The part for which the power is back.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PartBody {
    /// The part.
    scope: ScopeBody,
    /// Why; may be left out.
    #[serde(default)]
    why: String,
}

/// Says that the power is back for a part of the outage.
#[utoipa::path(post, path = "/v1/outages/{outage}/restore-part", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = PartBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn restore_outage_part(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<PartBody>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    let step = OutageStep::RestorePart(body.scope.scope()?);
    let why = body.why.trim().to_owned();
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(step, why).await
}

/// When the power was back.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreBody {
    /// When it was back: 2026-11-25T11:40; now if left out.
    #[serde(default)]
    at: Option<String>,
    /// Why; may be left out.
    #[serde(default)]
    why: String,
}

/// Says that the power is back for all.
#[utoipa::path(post, path = "/v1/outages/{outage}/restore", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = RestoreBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn restore_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<RestoreBody>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    let minute = body.at.as_deref().map(|t| given::<CivilMinute, _>("at", t)).transpose()?;
    let at: Moment = minute.map_or_else(|| app.clock().now(), CivilMinute::moment);
    let why = body.why.trim().to_owned();
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(OutageStep::Restore(at), why).await
}

/// Why an outage is called off.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CallOffBody {
    /// Why: 2 to 200 characters.
    why: String,
}

/// Calls an outage off: it does not take place, or never was one.
#[utoipa::path(post, path = "/v1/outages/{outage}/cancel", tag = "outages",
    params(("outage" = String, Path, description = "such as O00000012"), OutageTrial), request_body = CallOffBody,
    responses((status = 200, body = OutageView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody),
    (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn cancel_outage(
    State(app): State<App>,
    caller: Caller,
    At(outage): At<String>,
    Query(OutageTrial { dry_run }): Query<OutageTrial>,
    IfMatch(expected): IfMatch,
    Json(body): Json<CallOffBody>,
) -> Result<Versioned<OutageView>, Problem> {
    let outage = outage_at(&app, &caller, &outage, Action::OutageWrite)?;
    let why = reason(&body.why)?;
    Taken { app: &app, caller: &caller, outage: &outage, expected, dry_run }.step(OutageStep::Cancel, why).await
}
