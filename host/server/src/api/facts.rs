//! Facts one by one or in small batches: bills, balances, payments. The same rules as for a file's rows; a wrong row stops no other.

use axum::extract::State;
use gridbell_intake::{BalanceRow, BillRow, PaymentRow, Refusal};
use gridbell_model::{AccountNumber, Date};
use gridbell_state::AuditNote;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Action, Caller, note};
use crate::app::App;
use crate::conduct::Rows;
use crate::extract::{Json, parse_json};
use crate::problem::{FieldProblem, Problem, ProblemBody};

/// Rows of one request at most; more belong into an import.
pub(super) const MAX_ROWS: usize = 1_000;

/// A row that was not taken.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RowProblem {
    /// Its place in the request, from 0.
    pub(crate) row: u32,
    /// The field, where it is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) field: Option<String>,
    /// Why, and what to do.
    pub(crate) message: String,
}

/// What became of the rows.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub(crate) struct FactAnswer {
    /// Rows that made a customer.
    pub(crate) created: u64,
    /// Rows that changed something.
    pub(crate) changed: u64,
    /// Rows that were known already.
    pub(crate) unchanged: u64,
    /// Rows that were not taken.
    pub(crate) rejected: Vec<RowProblem>,
    /// What was taken but should be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) warnings: Vec<String>,
}

impl FactAnswer {
    /// An answer that took nothing and rejected something is a problem, not a success.
    pub(crate) fn refuse_if_nothing(self) -> Result<axum::Json<Self>, Problem> {
        if self.created + self.changed + self.unchanged > 0 || self.rejected.is_empty() {
            return Ok(axum::Json(self));
        }
        let field = |r: &RowProblem| match &r.field {
            Some(field) => format!("rows/{}/{field}", r.row),
            None => format!("rows/{}", r.row),
        };
        Err(Problem::fields(
            self.rejected.iter().map(|r| FieldProblem { field: field(r), message: r.message.clone() }).collect(),
        ))
    }
}

/// Takes rows in; rejected ones keep their place.
pub(crate) async fn take(app: &App, rows: Rows, audit: Vec<AuditNote>) -> Result<FactAnswer, Problem> {
    let outcome = app.conduct.take(rows, audit).await?;
    let rejected = outcome.rejected.iter().map(|(row, why)| RowProblem {
        row: *row,
        field: None,
        message: why.reason().to_owned(),
    });
    Ok(FactAnswer {
        created: outcome.created,
        changed: outcome.changed,
        unchanged: outcome.unchanged,
        rejected: rejected.collect(),
        warnings: Vec::new(),
    })
}

/// Rows as they came: each is read by itself, so that one with a slip stops no other.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRows {
    rows: Vec<serde_json::Value>,
}

trait Fact: DeserializeOwned + Send {
    const KIND: &'static str;
    fn account(&self) -> AccountNumber;
    fn check(&self, today: Date) -> Result<(), Refusal>;
    fn rows(all: Vec<Self>) -> Rows;
}

macro_rules! fact {
    ($row:ty, $kind:literal, $variant:ident) => {
        impl Fact for $row {
            const KIND: &'static str = $kind;
            fn account(&self) -> AccountNumber {
                self.account
            }
            fn check(&self, today: Date) -> Result<(), Refusal> {
                <$row>::check(self, today)
            }
            fn rows(all: Vec<Self>) -> Rows {
                Rows::$variant(all)
            }
        }
    };
}
fact!(BillRow, "bills", Bills);
fact!(BalanceRow, "balances", Balances);
fact!(PaymentRow, "payments", Payments);

async fn post<T: Fact>(app: &App, caller: &Caller, raw: RawRows) -> Result<axum::Json<FactAnswer>, Problem> {
    caller.require(Action::FactsWrite)?;
    if raw.rows.is_empty() || raw.rows.len() > MAX_ROWS {
        return Err(Problem::field("rows", format!("send 1 to {MAX_ROWS} rows; larger batches are imports")));
    }
    let (org, today) = (app.org(), app.clock().today());
    let (mut good, mut places, mut rejected) = (Vec::new(), Vec::new(), Vec::new());
    for (place, value) in (0u32..).zip(raw.rows) {
        let row: T = match parse_json(value.to_string().as_bytes()) {
            Ok(row) => row,
            Err(problem) => {
                rejected.push(RowProblem { row: place, field: None, message: problem.detail.unwrap_or_default() });
                continue;
            }
        };
        if let Err(refusal) = row.check(today) {
            let (field, message) = (Some(refusal.field.replace('-', "_")), refusal.reason.to_string());
            rejected.push(RowProblem { row: place, field, message });
            continue;
        }
        // Outside the scope an account is as unknown as one that is not there.
        let seen = app.state().customer(row.account()).is_some_and(|(_, v)| caller.scope.covers(&org, v.station));
        if !seen {
            let message = gridbell_state::FactReject::UnknownAccount.reason().to_owned();
            rejected.push(RowProblem { row: place, field: Some("account".to_owned()), message });
            continue;
        }
        good.push(row);
        places.push(place);
    }
    let mut answer = FactAnswer::default();
    if !good.is_empty() {
        let detail = serde_json::json!({ "rows": good.len() });
        let audit = vec![note(&caller.name, &format!("{}.post", T::KIND), T::KIND, detail)];
        answer = take(app, T::rows(good), audit).await?;
        for problem in &mut answer.rejected {
            problem.row = places.get(problem.row as usize).copied().unwrap_or(problem.row);
        }
    }
    answer.rejected.extend(rejected);
    answer.rejected.sort_by_key(|r| r.row);
    answer.refuse_if_nothing()
}

/// A bill as it was issued; its key is account and period.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BillBody {
    /// 户号
    account: String,
    /// yyyymm
    period: u32,
    /// What is to be paid, in fen; 0 settles the period.
    amount_fen: i64,
    /// Energy; 0 for not known.
    #[serde(default)]
    kwh: u32,
    /// The day of issue (发行).
    issued: String,
    /// First day of the late fee (违约金起算日).
    late_fee_from: String,
    /// The day for which this is true.
    as_of: String,
}

/// Bills.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BillRows {
    /// 1 to 1000 of them.
    rows: Vec<BillBody>,
}

/// Takes bills in.
#[utoipa::path(post, path = "/v1/bills", tag = "facts", request_body = BillRows,
    responses((status = 200, body = FactAnswer), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_bills(
    State(app): State<App>,
    caller: Caller,
    Json(raw): Json<RawRows>,
) -> Result<axum::Json<FactAnswer>, Problem> {
    post::<BillRow>(&app, &caller, raw).await
}

/// A prepaid balance; an older one than is known changes nothing.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BalanceBody {
    /// 户号
    account: String,
    /// In fen; negative is overdrawn.
    balance_fen: i64,
    /// The day for which this is true.
    as_of: String,
    /// Whether a bank debit is under way.
    debit_pending: Option<bool>,
}

/// Balances.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BalanceRows {
    /// 1 to 1000 of them.
    rows: Vec<BalanceBody>,
}

/// Takes prepaid balances in.
#[utoipa::path(post, path = "/v1/balances", tag = "facts", request_body = BalanceRows,
    responses((status = 200, body = FactAnswer), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_balances(
    State(app): State<App>,
    caller: Caller,
    Json(raw): Json<RawRows>,
) -> Result<axum::Json<FactAnswer>, Problem> {
    post::<BalanceRow>(&app, &caller, raw).await
}

/// A payment received or taken back; its id makes it count once.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PaymentBody {
    /// 户号
    account: String,
    /// The paying system's id, 1 to 64 printable ASCII characters.
    payment_id: String,
    /// In fen, always positive.
    amount_fen: i64,
    /// When it was paid: 2026-11-21T09:30.
    paid_at: String,
    /// Whether the payment of this amount is taken back (冲正).
    #[serde(default)]
    reversal: bool,
}

/// Payments.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PaymentRows {
    /// 1 to 1000 of them.
    rows: Vec<PaymentBody>,
}

/// Takes payments in.
#[utoipa::path(post, path = "/v1/payments", tag = "facts", request_body = PaymentRows,
    responses((status = 200, body = FactAnswer), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_payments(
    State(app): State<App>,
    caller: Caller,
    Json(raw): Json<RawRows>,
) -> Result<axum::Json<FactAnswer>, Problem> {
    post::<PaymentRow>(&app, &caller, raw).await
}
