//! Why a customer was told something, was not, or will be.

use axum::extract::State;
use gridbell_conductor::ExplainRequest;
use gridbell_model::CivilMinute;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::customers::look_up;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Query, given, named};
use crate::problem::{Problem, ProblemBody};

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExplainParams {
    /// As of the end of this civil minute: 2026-11-21T09:30. Left out: as of now, and what comes next.
    #[serde(default)]
    at: Option<String>,
    /// Only about this policy.
    #[serde(default)]
    policy: Option<String>,
    /// For who got no decision: ask the plugin about the state as it was then, rebuilt from the history. It may take seconds to minutes; without,
    /// the state of now is asked.
    #[serde(default)]
    rebuild: bool,
}

/// The story of a customer, policy by policy.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ExplanationView {
    /// For each policy a sentence (`summary`), its latest run at that time, what it decided about the customer with what the plugin saw, every
    /// guardrail's verdict and the message's life, or why nothing was decided; as of now also what it would do next. The number is masked; the
    /// exact text is there for roles that may unmask.
    #[schema(value_type = Object)]
    #[serde(flatten)]
    explanation: serde_json::Value,
}

/// Why this customer was told something, was not, or will be: what was recorded then, from the store or the archives, and what the policy would do
/// now.
#[utoipa::path(get, path = "/v1/customers/{account}/explain", tag = "customers",
    params(("account" = String, Path, description = "户号"), ExplainParams),
    responses((status = 200, body = ExplanationView), (status = 404, body = ProblemBody)))]
pub(crate) async fn explain(
    State(app): State<App>,
    caller: Caller,
    At(account): At<String>,
    Query(params): Query<ExplainParams>,
) -> Result<axum::Json<ExplanationView>, Problem> {
    let account = named(&account)?;
    look_up(&app, &caller, account, Action::MessageRead)?;
    let at = params.at.as_deref().map(|at| given::<CivilMinute, _>("at", at)).transpose()?;
    let request = ExplainRequest { account, at, policy: params.policy, rebuild: params.rebuild };
    let mut explanation = app.conduct.explain(request).await?;
    if !caller.may(Action::Unmask) {
        let decisions = explanation.policies.iter_mut().flat_map(|p| &mut p.decisions);
        let messages =
            decisions.flat_map(|d| d.message.iter_mut().chain(d.hops.iter_mut().filter_map(|h| h.message.as_mut())));
        messages.for_each(gridbell_conductor::MessageLife::hide_texts);
        explanation
            .policies
            .iter_mut()
            .flat_map(|p| &mut p.samples)
            .for_each(gridbell_conductor::MessageLife::hide_texts);
        let present = explanation.policies.iter_mut().filter_map(|p| p.present.as_mut());
        let coming = present.filter_map(|p| p.forecast.coming.as_mut());
        coming.flat_map(|c| &mut c.messages).for_each(|m| m.text.clear());
    }
    let explanation = serde_json::to_value(&explanation).unwrap_or_default();
    Ok(axum::Json(ExplanationView { explanation }))
}
