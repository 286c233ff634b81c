//! Daily reconciliation (对账): each link's own counts beside its carrier's.

use axum::extract::State;
use gridbell_conductor::{CarrierCount, CountOf, ReconciledDay, keep_carrier_count, reconciliation};
use gridbell_model::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::statistics::MAX_DAYS;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::conduct::ConductError;
use crate::extract::{At, Json, Query, given, named};
use crate::problem::{Problem, ProblemBody};

/// Which days.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ReconcileQuery {
    /// First day; yesterday if left out.
    #[serde(default)]
    pub(crate) from: Option<String>,
    /// Last day, included; the first if left out.
    #[serde(default)]
    pub(crate) to: Option<String>,
    /// Only days that differ.
    #[serde(default)]
    pub(crate) differing: bool,
}

/// A link's day. All counts are parts as the carrier counts them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ReconciledDayView {
    /// The day.
    pub(crate) day: String,
    /// The link.
    pub(crate) link: String,
    /// Parts that it took.
    pub(crate) accepted: u64,
    /// Parts that it refused.
    pub(crate) refused: u64,
    /// Parts that were never answered: it may have taken them.
    pub(crate) unanswered: u64,
    /// Of the accepted: reported delivered.
    pub(crate) delivered: u64,
    /// Of the accepted: reported failed.
    pub(crate) failed: u64,
    /// Of the accepted: no end reported.
    pub(crate) unreported: u64,
    /// Cost of the accepted by the policies' price, in 1/1000 fen.
    pub(crate) cost_milli_fen: u64,
    /// What the carrier counted; left out as long as nobody entered it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) carrier: Option<CarrierCountView>,
    /// Where the counts differ.
    pub(crate) differences: Vec<DifferenceView>,
}

/// What a carrier counted.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CarrierCountView {
    /// Parts accepted.
    pub(crate) accepted: Option<u64>,
    /// Parts delivered.
    pub(crate) delivered: Option<u64>,
    /// Parts failed.
    pub(crate) failed: Option<u64>,
    /// What it bills, in 1/1000 fen.
    pub(crate) cost_milli_fen: Option<u64>,
    /// Where the count is from.
    pub(crate) source: String,
    /// Who entered it.
    pub(crate) by: String,
    /// When.
    pub(crate) at: String,
}

/// A figure that differs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DifferenceView {
    /// `accepted`, `delivered`, `failed`, `cost`.
    pub(crate) what: String,
    /// The same for an office.
    pub(crate) title: String,
    /// Ours.
    pub(crate) ours: u64,
    /// The carrier's.
    pub(crate) carrier: u64,
}

/// A carrier's count; at least one figure.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CountBody {
    /// Parts accepted.
    #[serde(default)]
    pub(crate) accepted: Option<u64>,
    /// Parts delivered.
    #[serde(default)]
    pub(crate) delivered: Option<u64>,
    /// Parts failed.
    #[serde(default)]
    pub(crate) failed: Option<u64>,
    /// What it bills, in 1/1000 fen.
    #[serde(default)]
    pub(crate) cost_milli_fen: Option<u64>,
    /// Where the count is from: a bill's number, a file.
    #[serde(default)]
    pub(crate) source: String,
}

fn view(day: ReconciledDay) -> ReconciledDayView {
    let difference = |d: gridbell_conductor::CountDifference| {
        let (what, title) = match d.what {
            CountOf::Accepted => ("accepted", "接收条数"),
            CountOf::Delivered => ("delivered", "送达条数"),
            CountOf::Failed => ("failed", "失败条数"),
            CountOf::Cost => ("cost", "费用（千分之一分）"),
        };
        DifferenceView { what: what.to_owned(), title: title.to_owned(), ours: d.ours, carrier: d.carrier }
    };
    ReconciledDayView {
        day: day.day.to_string(),
        link: day.link,
        accepted: day.ours.accepted,
        refused: day.ours.refused,
        unanswered: day.ours.unanswered,
        delivered: day.ours.delivered,
        failed: day.ours.failed,
        unreported: day.ours.unreported(),
        cost_milli_fen: day.ours.cost_milli_fen,
        carrier: day.carrier.map(|kept| CarrierCountView {
            accepted: kept.count.accepted,
            delivered: kept.count.delivered,
            failed: kept.count.failed,
            cost_milli_fen: kept.count.cost_milli_fen,
            source: kept.count.source,
            by: kept.by,
            at: kept.at.to_string(),
        }),
        differences: day.differences.into_iter().map(difference).collect(),
    }
}

/// What each link did on each day, beside what its carrier counted, with the differences.
#[utoipa::path(get, path = "/v1/reconciliation", tag = "links", params(ReconcileQuery),
    responses((status = 200, body = Page<ReconciledDayView>), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_reconciliation(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ReconcileQuery>,
) -> Result<axum::Json<Page<ReconciledDayView>>, Problem> {
    caller.at_province(&app.org(), Action::LinkRead)?;
    let yesterday = app.clock().today().plus_days(-1);
    let from: Date = query.from.as_deref().map_or(Ok(yesterday), |d| given("from", d))?;
    let to: Date = query.to.as_deref().map_or(Ok(from), |d| given("to", d))?;
    if to < from || to.0 - from.0 >= MAX_DAYS {
        return Err(Problem::field("to", format!("1 to {MAX_DAYS} days, the first not after the last")));
    }
    let mut days = reconciliation(app.state(), from, to).map_err(ConductError::from)?;
    days.retain(|d| !query.differing || !d.differences.is_empty());
    Ok(axum::Json(Page::whole(days.into_iter().map(view).collect())))
}

/// Enters what a carrier counted for a link on a day; a second count replaces the first. Answers with the comparison.
#[utoipa::path(put, path = "/v1/reconciliation/{day}/{link}", tag = "links", request_body = CountBody,
    params(("day" = String, Path, description = "such as 2026-11-21"), ("link" = String, Path, description = "the link's name")),
    responses((status = 200, body = ReconciledDayView), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_count(
    State(app): State<App>,
    caller: Caller,
    At((day, link)): At<(String, String)>,
    Json(body): Json<CountBody>,
) -> Result<axum::Json<ReconciledDayView>, Problem> {
    caller.at_province(&app.org(), Action::LinkControl)?;
    let day: Date = named(&day)?;
    let CountBody { accepted, delivered, failed, cost_milli_fen, source } = body;
    let count = CarrierCount { accepted, delivered, failed, cost_milli_fen, source };
    let kept = keep_carrier_count(app.state(), app.clock(), day, &link, count, &caller.name).await;
    Ok(axum::Json(view(kept.map_err(ConductError::from)?)))
}
