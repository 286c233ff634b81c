//! Work orders (工单): numbers that somebody else has. They close by themselves when the archive is put right.

use axum::extract::State;
use gridbell_conductor::{WorkOrderEntry, WorkOrderState, work_orders};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::view::UnitRef;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::conduct::ConductError;
use crate::extract::Query;
use crate::problem::{Problem, ProblemBody};

/// Which work orders.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct WorkOrderQuery {
    /// Closed ones too.
    #[serde(default)]
    pub(crate) all: bool,
    /// Only those whose deadline has passed.
    #[serde(default)]
    pub(crate) overdue: bool,
    /// At most so many, 1 to 500; 50 if left out.
    #[serde(default)]
    pub(crate) limit: Option<usize>,
    /// Where the page before ended.
    #[serde(default)]
    pub(crate) cursor: Option<u64>,
}

/// Most work orders of one page.
const MAX_ORDERS: usize = 500;
const ORDERS: usize = 50;

/// A work order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct WorkOrderView {
    /// The number of the reply that opened it.
    pub(crate) number: u64,
    /// What is wrong: `wrong-number`.
    pub(crate) kind: String,
    /// 户号
    pub(crate) account: String,
    /// Further accounts of that number, which the same message told; they are suspended with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) others: Vec<String>,
    /// Whose office it is.
    pub(crate) station: UnitRef,
    /// The number that is somebody else's, masked.
    pub(crate) phone: String,
    /// When it was opened.
    pub(crate) opened: String,
    /// The last day on which it is in time: three working days.
    pub(crate) due: String,
    /// Whether that has passed and it is open.
    pub(crate) overdue: bool,
    /// `open`, `corrected`, `confirmed`, `gone`.
    pub(crate) state: String,
    /// The same for an office.
    pub(crate) state_title: String,
}

/// The work orders that the caller may see, the newest first.
pub(crate) async fn orders(app: &App, caller: &Caller, query: &WorkOrderQuery) -> Result<Page<WorkOrderView>, Problem> {
    caller.require(Action::WorkOrderRead)?;
    let limit = query.limit.unwrap_or(ORDERS);
    if !(1..=MAX_ORDERS).contains(&limit) {
        return Err(Problem::field("limit", format!("1 to {MAX_ORDERS}")));
    }
    let (org, today, before) = (app.org(), app.clock().today(), query.cursor);
    let (all, overdue, caller) = (query.all, query.overdue, caller.clone());
    let tree = app.org();
    let found = app
        .read(move |app| {
            let late = |e: &WorkOrderEntry| e.state == WorkOrderState::Open && e.order.due < today;
            let sees = |e: &WorkOrderEntry| caller.at(&tree, e.order.station, Action::WorkOrderRead).is_ok();
            let wanted =
                |e: &WorkOrderEntry| (all || e.state == WorkOrderState::Open) && (!overdue || late(e)) && sees(e);
            Ok(work_orders(app.state(), before, limit + 1, wanted).map_err(ConductError::from)?)
        })
        .await?;
    Ok(Page::cut(found, limit, |e| e.number.to_string()).map(|e| WorkOrderView {
        number: e.number,
        kind: "wrong-number".to_owned(),
        account: e.order.account.to_string(),
        others: e.order.others.iter().map(ToString::to_string).collect(),
        station: UnitRef::of(&org, e.order.station),
        phone: e.order.phone().to_string(),
        opened: e.order.opened.to_string(),
        due: e.order.due.to_string(),
        overdue: e.state == WorkOrderState::Open && e.order.due < today,
        state: match e.state {
            WorkOrderState::Open => "open",
            WorkOrderState::Corrected => "corrected",
            WorkOrderState::Confirmed => "confirmed",
            WorkOrderState::Gone => "gone",
        }
        .to_owned(),
        state_title: match e.state {
            WorkOrderState::Open => "待处理",
            WorkOrderState::Corrected => "已更正号码",
            WorkOrderState::Confirmed => "已确认号码无误",
            WorkOrderState::Gone => "号码已不在档案",
        }
        .to_owned(),
    }))
}

/// Numbers that somebody else has, by reply (错号工单), the newest first. One closes by itself when the number is corrected, confirmed or taken away.
#[utoipa::path(get, path = "/v1/work-orders", tag = "customers", params(WorkOrderQuery),
    responses((status = 200, body = Page<WorkOrderView>), (status = 422, body = ProblemBody)))]
pub(crate) async fn list_work_orders(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<WorkOrderQuery>,
) -> Result<axum::Json<Page<WorkOrderView>>, Problem> {
    orders(&app, &caller, &query).await.map(axum::Json)
}
