//! Who decides for a policy: live, canary, pilot, shadow; and the way back.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gridbell_conductor::{
    DeployChange, DeployOrder, Deployment, ProposalOrder, Proposed, RollbackOrder, ShadowReport, ShadowSample,
};
use gridbell_model::PrefectureCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use super::plugins::reason;
use super::policies::policy_of;
use super::proposals::{self, ProposalView};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Json, Versioned};
use crate::problem::{Problem, ProblemBody};

/// A version within a deployment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct VersionRef {
    /// `name@version`.
    pub(crate) version: String,
    /// Its digest.
    digest: String,
    /// Where it stands.
    stage: String,
}

/// Who decides for a policy.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct DeploymentView {
    /// Decides for everybody but canary and pilot. None while no version can.
    pub(crate) live: Option<VersionRef>,
    /// Where a rollback goes.
    pub(crate) last_good: Option<VersionRef>,
    /// Decide about everybody and send nothing.
    pub(crate) shadows: Vec<VersionRef>,
    /// Decides for a share.
    pub(crate) canary: Option<CanaryView>,
    /// Decides for some stations.
    pub(crate) pilot: Option<PilotView>,
    /// Who said so last; empty while nobody did.
    by: String,
    /// When.
    at: String,
    /// Why.
    why: String,
    /// The last rollback.
    #[schema(value_type = Object)]
    rollback: Option<serde_json::Value>,
}

/// A canary.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CanaryView {
    /// The version.
    pub(crate) version: VersionRef,
    /// Its share in percent.
    percent: u8,
}

/// A pilot.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PilotView {
    /// The version.
    pub(crate) version: VersionRef,
    /// Stations, or units above them.
    stations: Vec<u32>,
    /// Masked: where samples of what it would tell everybody else go.
    #[serde(default)]
    test_numbers: Vec<String>,
}

fn named(app: &App, digest: &str) -> VersionRef {
    let (version, stage) = app
        .conduct
        .version(digest)
        .map_or_else(|_| (String::new(), String::new()), |r| (r.label(), r.stage.word().to_owned()));
    VersionRef { version, digest: digest.to_owned(), stage }
}

fn view(app: &App, prefecture: PrefectureCode, policy: &str, d: Option<Deployment>) -> Result<DeploymentView, Problem> {
    let of = |digest: &String| named(app, digest);
    let rollback = app.conduct.last_rollback(prefecture, policy)?;
    let rollback = rollback.map(serde_json::to_value).transpose().map_err(|e| Problem::internal(&e))?;
    let Some(d) = d else {
        let set = app.conduct.policies(prefecture);
        let policy = set.as_ref().and_then(|(set, _)| set.policy(policy));
        let live = policy.and_then(|p| app.conduct.live_manifest(prefecture, p));
        let label = live.map(|m| format!("{}@{}", m.name(), m.version()));
        let live = label.and_then(|l| app.conduct.version(&l).ok()).map(|r| of(&r.digest));
        let (last_good, shadows, canary, pilot) = (None, Vec::new(), None, None);
        let (by, at, why) = Default::default();
        return Ok(DeploymentView { live, last_good, shadows, canary, pilot, by, at, why, rollback });
    };
    let canary = d.canary.as_ref().map(|c| CanaryView { version: of(&c.digest), percent: c.percent });
    let stations = |p: &gridbell_conductor::Pilot| p.stations.iter().map(|s| s.0).collect();
    let pilot = d.pilot.as_ref().map(|p| PilotView {
        version: of(&p.digest),
        stations: stations(p),
        test_numbers: p.test_numbers.iter().map(ToString::to_string).collect(),
    });
    Ok(DeploymentView {
        live: Some(of(&d.live)),
        last_good: d.last_good.as_ref().map(of),
        shadows: d.shadows.iter().map(of).collect(),
        canary,
        pilot,
        by: d.by,
        at: d.at.to_string(),
        why: d.why,
        rollback,
    })
}

/// Who decides for a policy within the caller's sight, and the version of that.
pub(crate) fn deployment(app: &App, caller: &Caller, at: (&str, &str)) -> Result<(u64, DeploymentView), Problem> {
    let (prefecture, policy, _) = policy_of(app, caller, at.0, at.1, Action::PolicyRead)?;
    let found = app.conduct.deployment(prefecture, &policy.name)?;
    let (version, deployment) = found.map_or((0, None), |(v, d)| (v, Some(d)));
    Ok((version, view(app, prefecture, &policy.name, deployment)?))
}

/// Who decides for a policy.
#[utoipa::path(get, path = "/v1/policies/{prefecture}/{policy}/deployment", tag = "deployment",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "its name")),
    responses((status = 200, body = DeploymentView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_deployment(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, policy)): At<(String, String)>,
) -> Result<Versioned<DeploymentView>, Problem> {
    let (version, view) = deployment(&app, &caller, (&prefecture, &policy))?;
    Ok(Versioned(version, view))
}

/// A change of who decides.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeployBody {
    /// `{"mode": "live", "version": "name@1.2.3"}`; also `canary` with `percent`, `pilot` with `stations`, and with `test_numbers`
    /// (up to ten mobile numbers of the office's) to which twenty samples a run go of what it would tell everybody else; `shadow`, `end-canary`,
    /// `end-pilot`, `end-shadow`.
    #[schema(value_type = Object)]
    pub(crate) change: DeployChange,
    /// Why: 2 to 400 characters.
    pub(crate) why: String,
    /// The `digest` of the preview that its author saw, for whoever is to agree; it must be of this version.
    #[serde(default)]
    pub(crate) preview: Option<String>,
}

/// What a change of who decides came to: made, or waiting for another person.
pub(crate) enum Deployed {
    Made(Box<DeploymentView>),
    Proposed(Box<ProposalView>),
    Nothing(Box<DeploymentView>),
}

/// Changes who decides, or proposes it.
pub(crate) async fn deploy(
    app: &App,
    caller: &Caller,
    at: (&str, &str),
    body: DeployBody,
) -> Result<Deployed, Problem> {
    let (prefecture, policy, _) = policy_of(app, caller, at.0, at.1, Action::PolicyWrite)?;
    let (why, who, change) = (reason(&body.why)?, caller.name.clone(), body.change);
    if change.needs_approval() {
        let what = Proposed::Deployment { policy: policy.name, change };
        let order =
            ProposalOrder { prefecture: Some(prefecture), what, expected: None, why, who, preview: body.preview };
        return Ok(match proposals::propose(app, order).await? {
            Some(proposal) => Deployed::Proposed(Box::new(proposal)),
            None => Deployed::Nothing(Box::new(deployment(app, caller, at)?.1)),
        });
    }
    app.conduct.deploy(DeployOrder { prefecture, policy: policy.name, change, why, who }).await?;
    Ok(Deployed::Made(Box::new(deployment(app, caller, at)?.1)))
}

/// Changes who decides. A shadow, and the end of anything, is made at once; what makes something go out that did not is a proposal for an approver of the
/// province's (202).
#[utoipa::path(post, path = "/v1/policies/{prefecture}/{policy}/deployment", tag = "deployment",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "its name")),
    request_body = DeployBody, responses((status = 200, body = DeploymentView), (status = 202, body = ProposalView), (status = 403, body = ProblemBody),
    (status = 404, body = ProblemBody), (status = 409, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_deployment(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, policy)): At<(String, String)>,
    Json(body): Json<DeployBody>,
) -> Result<Response, Problem> {
    Ok(match deploy(&app, &caller, (&prefecture, &policy), body).await? {
        Deployed::Made(view) | Deployed::Nothing(view) => axum::Json(view).into_response(),
        Deployed::Proposed(proposal) => (StatusCode::ACCEPTED, axum::Json(proposal)).into_response(),
    })
}

/// What a shadow would have done otherwise since it began, or a pilot outside its stations since these are its own. Caps are left out of the comparison.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ShadowView {
    /// `name@version` of the shadow or pilot.
    version: String,
    /// `shadow`: about everybody; `pilot`: about everybody but the customers under `not_under`, for whom it decides for real.
    mode: String,
    /// A pilot's stations, or units above them; empty for a shadow.
    not_under: Vec<u32>,
    /// The version that was live at the latest run.
    live: String,
    /// The first run that it saw, RFC 3339.
    since: String,
    /// The latest, RFC 3339.
    latest: String,
    /// Runs that it saw.
    runs: u64,
    /// Messages that the live version would send.
    live_sends: u64,
    /// Messages that the shadow would send.
    shadow_sends: u64,
    /// Customers whom both would tell the same.
    same: u64,
    /// Customers by how they differ: added, dropped, channel, time, reason.
    differences: BTreeMap<String, u64>,
    /// The first of each kind in the latest run that had any.
    samples: BTreeMap<String, Vec<ShadowSampleView>>,
    /// How it failed in its latest run, if it did.
    failed: Option<String>,
}

/// A customer about whom a shadow differs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ShadowSampleView {
    /// 户号.
    account: String,
    /// What the live version would send; empty for nothing.
    live: String,
    /// What the shadow would send; empty for nothing.
    shadow: String,
}

/// What the shadows of a policy would have done otherwise, and its pilots outside their stations, with samples.
#[utoipa::path(get, path = "/v1/policies/{prefecture}/{policy}/shadow", tag = "deployment",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "its name")),
    responses((status = 200, body = Page<ShadowView>), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_shadow(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, policy)): At<(String, String)>,
) -> Result<axum::Json<Page<ShadowView>>, Problem> {
    let (code, policy, _) = policy_of(&app, &caller, &prefecture, &policy, Action::RunRead)?;
    let reports = app.conduct.shadow_reports(code, &policy.name)?;
    Ok(axum::Json(Page::whole(reports.into_iter().map(|r| shadow_view(&app, r)).collect())))
}

fn shadow_view(app: &App, report: ShadowReport) -> ShadowView {
    let sample = |s: ShadowSample| ShadowSampleView { account: s.account.to_string(), live: s.live, shadow: s.shadow };
    ShadowView {
        version: named(app, &report.shadow).version,
        mode: report.mode.word().to_owned(),
        not_under: report.not_under.iter().map(|unit| unit.0).collect(),
        live: named(app, &report.live).version,
        since: report.since.to_string(),
        latest: report.latest.to_string(),
        runs: report.runs,
        live_sends: report.live_sends,
        shadow_sends: report.shadow_sends,
        same: report.same,
        differences: report.differences.into_iter().map(|(kind, n)| (kind.word().to_owned(), n)).collect(),
        samples: report
            .samples
            .into_iter()
            .map(|(kind, samples)| (kind.word().to_owned(), samples.into_iter().map(sample).collect()))
            .collect(),
        failed: report.failed,
    }
}

/// A rollback.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackBody {
    /// `name@version` to go to; without it the live version where a canary or pilot is under way, else the one before the live one.
    #[serde(default)]
    pub(crate) to: Option<String>,
    /// Why: 2 to 400 characters.
    pub(crate) why: String,
}

/// What a rollback came to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RollbackView {
    /// Versions that decide no more.
    from: Vec<String>,
    /// The version that decides now.
    pub(crate) to: String,
    /// Messages taken back: nobody gets them.
    pub(crate) recalled: u64,
    /// Messages that had left.
    pub(crate) left: u64,
    /// A pilot's samples to test numbers that were taken back; in neither of the other counts.
    #[serde(default)]
    samples: u64,
}

/// Goes back.
pub(crate) async fn rollback(
    app: &App,
    caller: &Caller,
    at: (&str, &str),
    body: RollbackBody,
) -> Result<RollbackView, Problem> {
    let (prefecture, policy, _) = policy_of(app, caller, at.0, at.1, Action::Rollback)?;
    let (why, who) = (reason(&body.why)?, caller.name.clone());
    let to = body.to.filter(|t| !t.trim().is_empty());
    let done = app.conduct.rollback(RollbackOrder { prefecture, policy: policy.name, to, why, who }).await?;
    Ok(RollbackView { from: done.from, to: done.to, recalled: done.recalled, left: done.left, samples: done.samples })
}

/// Goes back to a version before the next batch, and takes back what the others queued and has not left. Nobody else is asked.
#[utoipa::path(post, path = "/v1/policies/{prefecture}/{policy}/rollback", tag = "deployment",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "its name")),
    request_body = RollbackBody, responses((status = 200, body = RollbackView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 409, body = ProblemBody)))]
pub(crate) async fn post_rollback(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, policy)): At<(String, String)>,
    Json(body): Json<RollbackBody>,
) -> Result<axum::Json<RollbackView>, Problem> {
    Ok(axum::Json(rollback(&app, &caller, (&prefecture, &policy), body).await?))
}
