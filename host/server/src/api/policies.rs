//! Policies: what is in force, files to apply, parameters to change; each change shown before it is made.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gridbell_conductor::{ProposalOrder, Proposed};
use gridbell_contract::Manifest;
use gridbell_model::PrefectureCode;
use gridbell_planner::{Change, Policy, PolicySet};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::Page;
use super::proposals::{self, ProposalView};
use super::view::{UnitRef, WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::conduct::{ParameterChange, PolicyOutcome, PolicyProposal};
use crate::extract::{At, IfMatch, Json, Query, Versioned, named};
use crate::problem::{Problem, ProblemBody};

/// A policy in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PolicyLine {
    /// Its name within the prefecture.
    pub(crate) name: String,
    /// What an office reads.
    pub(crate) title: String,
    /// What its messages are about.
    pub(crate) topic: WordView,
    /// The plugin.
    pub(crate) plugin: String,
    /// Which versions of it.
    pub(crate) version: String,
    /// Whether its schedules and events run.
    pub(crate) enabled: bool,
    /// Its schedules, as cron.
    pub(crate) schedules: Vec<String>,
}

/// A prefecture with its policies.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PrefectureView {
    /// The prefecture.
    pub(crate) prefecture: UnitRef,
    /// Customers.
    pub(crate) customers: u32,
    /// The version of its policies; 0 where there are none.
    pub(crate) version: u64,
    /// Its policies.
    pub(crate) policies: Vec<PolicyLine>,
}

fn line(p: &Policy) -> PolicyLine {
    PolicyLine {
        name: p.name.clone(),
        title: p.title.clone(),
        topic: word!(p.topic),
        plugin: p.plugin.clone(),
        version: p.version.to_string(),
        enabled: p.enabled,
        schedules: p.schedules.iter().map(|s| s.cron.to_string()).collect(),
    }
}

/// The prefectures of which the caller sees some, with their policies.
pub(crate) fn visible_prefectures(app: &App, caller: &Caller) -> Vec<PrefectureView> {
    let org = app.org();
    let customers = app.state().prefectures();
    let codes: Vec<PrefectureCode> = org.prefectures().map(|u| PrefectureCode(u.code.0)).collect();
    let seen = codes.into_iter().filter(|code| caller.scope.touches(&org, *code));
    seen.map(|code| {
        let found = app.conduct.policies(code);
        PrefectureView {
            prefecture: UnitRef::prefecture(&org, code),
            customers: customers.get(&code).copied().unwrap_or(0),
            version: found.as_ref().map_or(0, |(_, v)| *v),
            policies: found.map(|(set, _)| set.policies.iter().map(line).collect()).unwrap_or_default(),
        }
    })
    .collect()
}

/// The prefectures within the caller's sight and their policies.
#[utoipa::path(get, path = "/v1/policies", tag = "policies", responses((status = 200, body = Page<PrefectureView>)))]
pub(crate) async fn list_policies(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<PrefectureView>>, Problem> {
    caller.require(Action::PolicyRead)?;
    Ok(axum::Json(Page::whole(visible_prefectures(&app, &caller))))
}

fn set_of(
    app: &App,
    caller: &Caller,
    prefecture: &str,
    action: Action,
) -> Result<(PrefectureCode, std::sync::Arc<PolicySet>, u64), Problem> {
    let code = PrefectureCode(named(prefecture)?);
    let org = app.org();
    org.get(code.org()).ok_or_else(Problem::not_found)?;
    caller.at_prefecture(&org, code, action)?;
    let (set, version) = app.conduct.policies(code).ok_or_else(Problem::not_found)?;
    Ok((code, set, version))
}

/// A prefecture's policies in force, whole. `ETag` is the version that `If-Match` takes.
#[utoipa::path(get, path = "/v1/policies/{prefecture}", tag = "policies", params(("prefecture" = String, Path, description = "GB/T 2260 code")),
    responses((status = 200, body = Object, description = "prefecture, name and policies as the policy file has them"), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_policies(
    State(app): State<App>,
    caller: Caller,
    At(prefecture): At<String>,
) -> Result<Versioned<serde_json::Value>, Problem> {
    let (_, set, version) = set_of(&app, &caller, &prefecture, Action::PolicyRead)?;
    Ok(Versioned(version, serde_json::to_value(&*set).map_err(|e| Problem::internal(&e))?))
}

/// A policy file.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyFileBody {
    /// The file's name, for errors.
    document: String,
    /// Its text, TOML.
    text: String,
}

/// Whether only to say what would change.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DryRun {
    /// Only say what would change.
    #[serde(default)]
    pub(crate) dry_run: bool,
    /// Why, for whoever is to agree.
    #[serde(default)]
    pub(crate) why: Option<String>,
    /// The `digest` of the preview that its author saw, for whoever is to agree; it must be of this change.
    #[serde(default)]
    pub(crate) preview: Option<String>,
}

impl DryRun {
    fn why(&self) -> String {
        self.why.clone().unwrap_or_default()
    }
}

/// One difference.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeView {
    /// Policy and field.
    pub(crate) path: String,
    /// The same in Chinese.
    pub(crate) label: String,
    /// Before; none if it was not there.
    pub(crate) from: Option<String>,
    /// Now; none if it is gone.
    pub(crate) to: Option<String>,
}

/// What a change comes to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ChangeAnswer {
    /// Whether it was made.
    pub(crate) applied: bool,
    /// The version in force.
    pub(crate) version: u64,
    /// The differences; empty if nothing changes.
    pub(crate) changes: Vec<ChangeView>,
    /// How many more there are than listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) more: u64,
    /// The proposal that waits for a second person; none if nothing changes, and for what needs nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proposal: Option<u64>,
    /// Who must agree to it: `city` or `province`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) needs: Option<WordView>,
}

impl ChangeAnswer {
    /// What somebody proposed; with nothing to change there is no proposal.
    pub(crate) fn proposed(proposal: Option<ProposalView>, version: u64) -> Self {
        let (changes, more, id, needs) = match proposal {
            Some(p) => (p.changes, p.more, Some(p.id), Some(p.needs)),
            None => (Vec::new(), 0, None, None),
        };
        Self { applied: false, version, changes, more, proposal: id, needs }
    }
}

impl IntoResponse for ChangeAnswer {
    /// 202 for what waits for a second person. `ETag` is the version in force.
    fn into_response(self) -> Response {
        let status = if self.proposal.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
        (status, Versioned(self.version, self)).into_response()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl ChangeView {
    pub(crate) fn of(c: Change) -> Self {
        Self { path: c.path, label: c.label, from: c.from, to: c.to }
    }
}

/// What a change would come to.
fn answer(outcome: PolicyOutcome) -> ChangeAnswer {
    ChangeAnswer {
        applied: false,
        version: outcome.version,
        changes: outcome.changes.into_iter().map(ChangeView::of).collect(),
        more: 0,
        proposal: None,
        needs: None,
    }
}

/// Proposes a policy file (202): it is in force when another person agrees. With `dry_run=true` only says what would change. A file with a mistake is
/// refused: each mistake comes with its line.
#[utoipa::path(put, path = "/v1/policies/{prefecture}", tag = "policies", params(("prefecture" = String, Path, description = "GB/T 2260 code"), DryRun),
    request_body = PolicyFileBody, responses((status = 200, body = ChangeAnswer), (status = 202, body = ChangeAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_policies(
    State(app): State<App>,
    caller: Caller,
    At(prefecture): At<String>,
    Query(query): Query<DryRun>,
    IfMatch(expected): IfMatch,
    Json(body): Json<PolicyFileBody>,
) -> Result<ChangeAnswer, Problem> {
    let code = PrefectureCode(named(&prefecture)?);
    let org = app.org();
    org.get(code.org()).ok_or_else(Problem::not_found)?;
    caller.at_prefecture(&org, code, Action::PolicyWrite)?;
    if query.dry_run {
        let proposal = PolicyProposal {
            prefecture: code,
            document: body.document,
            text: body.text,
            who: caller.name,
            dry_run: true,
            expected,
        };
        return Ok(answer(app.conduct.apply_policies(proposal).await?));
    }
    let version = app.conduct.policies(code).map_or(0, |(_, v)| v);
    let what = Proposed::Policies { document: body.document, text: body.text };
    let order = ProposalOrder {
        prefecture: Some(code),
        what,
        expected,
        why: query.why(),
        who: caller.name,
        preview: query.preview,
    };
    let made = proposals::propose(&app, order).await?;
    Ok(ChangeAnswer::proposed(made, version))
}

/// One policy with what a form needs to edit its parameters.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PolicyView {
    /// The policy as the policy file has it.
    #[schema(value_type = Object)]
    policy: serde_json::Value,
    /// The plugin's JSON Schema of the parameters.
    #[schema(value_type = Object)]
    schema: serde_json::Value,
    /// The plugin's description.
    description: String,
}

/// The manifest of what decides for the policy: what a form is made from.
pub(crate) fn form_of(app: &App, prefecture: PrefectureCode, policy: &Policy) -> Option<Manifest> {
    app.conduct.live_manifest(prefecture, policy)
}

/// One policy of a prefecture within the caller's sight.
pub(crate) fn policy_of(
    app: &App,
    caller: &Caller,
    prefecture: &str,
    name: &str,
    action: Action,
) -> Result<(PrefectureCode, Policy, u64), Problem> {
    let (code, set, version) = set_of(app, caller, prefecture, action)?;
    let policy = set.policy(name).cloned().ok_or_else(Problem::not_found)?;
    Ok((code, policy, version))
}

/// One policy and the schema of its parameters.
#[utoipa::path(get, path = "/v1/policies/{prefecture}/{policy}", tag = "policies",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "its name")),
    responses((status = 200, body = PolicyView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_policy(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, name)): At<(String, String)>,
) -> Result<Versioned<PolicyView>, Problem> {
    let (code, policy, version) = policy_of(&app, &caller, &prefecture, &name, Action::PolicyRead)?;
    let manifest = form_of(&app, code, &policy);
    let view = PolicyView {
        policy: serde_json::to_value(&policy).map_err(|e| Problem::internal(&e))?,
        schema: manifest.as_ref().map(|m| m.parameters().clone()).unwrap_or_default(),
        description: manifest.map(|m| m.description().to_owned()).unwrap_or_default(),
    };
    Ok(Versioned(version, view))
}

/// Proposes one policy's parameters, or says what would change.
pub(crate) async fn apply_parameters(
    app: &App,
    caller: &Caller,
    at: (&str, &str),
    parameters: serde_json::Value,
    query: &DryRun,
    expected: Option<u64>,
) -> Result<ChangeAnswer, Problem> {
    let (prefecture, policy, version) = policy_of(app, caller, at.0, at.1, Action::PolicyWrite)?;
    if query.dry_run {
        let who = caller.name.clone();
        let change = ParameterChange { prefecture, policy: policy.name, parameters, who, dry_run: true, expected };
        return Ok(answer(app.conduct.set_parameters(change).await?));
    }
    let serde_json::Value::Object(parameters) = parameters else {
        return Err(Problem::field("parameters", "parameters are an object"));
    };
    let what = Proposed::Parameters { policy: policy.name, parameters };
    let order = ProposalOrder {
        prefecture: Some(prefecture),
        what,
        expected,
        why: query.why(),
        who: caller.name.clone(),
        preview: query.preview.clone(),
    };
    let made = proposals::propose(app, order).await?;
    Ok(ChangeAnswer::proposed(made, version))
}

/// Proposes some parameters of a policy (JSON merge patch, RFC 7396; 202): a second person of the city's agrees, beyond the province's limits an approver of
/// the province's. With `dry_run=true` only says what would change.
#[utoipa::path(patch, path = "/v1/policies/{prefecture}/{policy}/parameters", tag = "policies",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "its name"), DryRun),
    request_body = Object, responses((status = 200, body = ChangeAnswer), (status = 202, body = ChangeAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn patch_parameters(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, name)): At<(String, String)>,
    Query(query): Query<DryRun>,
    IfMatch(expected): IfMatch,
    Json(patch): Json<serde_json::Map<String, serde_json::Value>>,
) -> Result<ChangeAnswer, Problem> {
    let (_, policy, _) = policy_of(&app, &caller, &prefecture, &name, Action::PolicyWrite)?;
    let mut parameters = policy.parameters;
    gridbell_conductor::merge_patch(&mut parameters, patch);
    let parameters = serde_json::Value::Object(parameters);
    apply_parameters(&app, &caller, (&prefecture, &name), parameters, &query, expected).await
}
