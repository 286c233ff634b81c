//! Plugin versions: what is there and where it stands, uploads, and the steps that people take.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use gridbell_conductor::{Stage, VersionRecord};
use gridbell_contract::Manifest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use super::view::{WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{At, Json, MAX_PLUGIN_BYTES, read_body};
use crate::problem::{Problem, ProblemBody};
use crate::release::VersionStep;

/// Longest reason, in characters.
pub(crate) const MAX_WHY_CHARS: usize = 400;

/// A plugin version.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct VersionView {
    /// SHA-256 of the upload, hex: what it is.
    pub(crate) digest: String,
    /// Its name; empty until it was checked.
    pub(crate) name: String,
    /// Its version; empty until it was checked.
    pub(crate) version: String,
    /// `uploaded`, `checked`, `certified`, `approved`, `live`, `retired`; or `refused`, `failed-certification`, `interrupted`, `cancelled`.
    pub(crate) stage: WordView,
    /// Bytes of the upload; 0 for what was in use before versions had stages.
    bytes: u64,
    /// Who uploaded it: nobody approves his own.
    uploaded_by: String,
    /// How it came there.
    pub(crate) steps: Vec<StepView>,
    /// How far check or certification is; none when nothing is under way.
    progress: Option<ProgressView>,
    /// What check or certification found; only in the answer about one version.
    #[schema(value_type = Object)]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    report: Option<serde_json::Value>,
    /// What it says of itself; none until it was checked, and of what is not loaded.
    manifest: Option<ManifestView>,
}

/// A step of a version's life.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct StepView {
    /// Where it went.
    stage: WordView,
    /// Who; `system` for the host.
    who: String,
    /// When.
    at: String,
    /// Why, or what was found.
    why: String,
}

/// How far something is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ProgressView {
    /// What is being done.
    doing: String,
    /// In percent.
    percent: u8,
}

/// What a plugin says of itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ManifestView {
    /// What it is for.
    description: String,
    /// What its messages are about.
    topic: WordView,
    /// JSON Schema of its parameters.
    #[schema(value_type = Object)]
    parameters: serde_json::Value,
    /// Its notices, by name and title.
    notices: Vec<WordView>,
    /// Its reasons, by name and title.
    reasons: Vec<WordView>,
}

fn stage_view(stage: Stage) -> WordView {
    WordView { word: stage.word().to_owned(), chinese: stage.chinese().to_owned() }
}

fn manifest_view(m: &Manifest) -> ManifestView {
    let titled = |word: &str, chinese: &str| WordView { word: word.to_owned(), chinese: chinese.to_owned() };
    ManifestView {
        description: m.description().to_owned(),
        topic: word!(m.topic()),
        parameters: m.parameters().clone(),
        notices: m.notices().iter().map(|n| titled(&n.name, &n.title)).collect(),
        reasons: m.reasons().iter().map(|r| titled(&r.name, &r.title)).collect(),
    }
}

fn view(app: &App, r: VersionRecord, whole: bool) -> VersionView {
    let step = |s: gridbell_conductor::Step| StepView {
        stage: stage_view(s.stage),
        who: s.who,
        at: if s.at.unix_ms() == 0 { String::new() } else { s.at.to_string() },
        why: s.why,
    };
    let progress = app.conduct.version_progress(&r.digest);
    VersionView {
        progress: progress.map(|p| ProgressView { doing: p.doing, percent: p.percent }),
        manifest: app.conduct.version_manifest(&r.digest).as_ref().map(manifest_view),
        digest: r.digest,
        name: r.name,
        version: r.version,
        stage: stage_view(r.stage),
        bytes: r.bytes,
        uploaded_by: r.uploaded_by,
        steps: r.steps.into_iter().map(step).collect(),
        report: r.report.filter(|_| whole),
    }
}

/// The plugin versions that are there, for whoever may see them; `whole` with their reports.
pub(crate) fn versions(app: &App, caller: &Caller, whole: bool) -> Result<Vec<VersionView>, Problem> {
    caller.require(Action::PluginRead)?;
    Ok(app.conduct.versions().into_iter().map(|r| view(app, r, whole)).collect())
}

/// The plugin versions that are there, and where each stands.
#[utoipa::path(get, path = "/v1/plugins", tag = "plugins", responses((status = 200, body = Page<VersionView>)))]
pub(crate) async fn list_plugins(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<VersionView>>, Problem> {
    Ok(axum::Json(Page::whole(versions(&app, &caller, false)?)))
}

/// One version with its report.
pub(crate) fn version(app: &App, caller: &Caller, reference: &str) -> Result<VersionView, Problem> {
    caller.require(Action::PluginRead)?;
    Ok(view(app, app.conduct.version(reference)?, true))
}

/// One version: where it stands, how far it is, and the report of its check or certification with the counterexample.
#[utoipa::path(get, path = "/v1/plugins/{version}", tag = "plugins", params(("version" = String, Path, description = "name@version, or the digest")),
    responses((status = 200, body = VersionView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_plugin(
    State(app): State<App>,
    caller: Caller,
    At(reference): At<String>,
) -> Result<axum::Json<VersionView>, Problem> {
    Ok(axum::Json(version(&app, &caller, &reference)?))
}

/// How a version failed lately: error, what the run told it, and the batch as a file for `gridbell plugin run`.
#[utoipa::path(get, path = "/v1/plugins/{version}/faults", tag = "plugins", params(("version" = String, Path, description = "name@version, or the digest")),
    responses((status = 200, body = Object), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_faults(
    State(app): State<App>,
    caller: Caller,
    At(reference): At<String>,
) -> Result<axum::Json<serde_json::Value>, Problem> {
    caller.require(Action::PluginRead)?;
    let log = app.conduct.faults(&reference)?;
    Ok(axum::Json(serde_json::to_value(log).map_err(|e| Problem::internal(&e))?))
}

/// Keeps an upload.
pub(crate) async fn upload(app: &App, caller: &Caller, component: Vec<u8>) -> Result<VersionView, Problem> {
    caller.require(Action::PluginUpload)?;
    Ok(view(app, app.conduct.upload_version(component, caller.name.clone()).await?, true))
}

/// Uploads a plugin: a component or a core module. It is kept and answered at once; check and certification follow in the background, and no policy uses
/// it before another person approved it.
#[utoipa::path(post, path = "/v1/plugins", tag = "plugins", request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 202, body = VersionView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn upload_plugin(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, axum::Json<VersionView>), Problem> {
    // Asked before the body is read: nobody without the right makes the host hold 48 MiB.
    caller.require(Action::PluginUpload)?;
    let (parts, body) = request.into_parts();
    let component = read_body(&parts.headers, body, MAX_PLUGIN_BYTES).await?;
    let view = upload(&app, &caller, component.to_vec()).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(view)))
}

/// Why somebody does something that others will ask about.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyBody {
    /// 2 to 400 characters.
    pub(crate) why: String,
}

/// A reason that is one.
pub(crate) fn reason(why: &str) -> Result<String, Problem> {
    let why = why.trim();
    if !(2..=MAX_WHY_CHARS).contains(&why.chars().count()) {
        return Err(Problem::field("why", format!("say why, in 2 to {MAX_WHY_CHARS} characters (须填写原因)")));
    }
    Ok(why.to_owned())
}

/// A step of a version that a person takes.
pub(crate) async fn step(
    app: &App,
    caller: &Caller,
    reference: &str,
    step: VersionStep,
    why: &str,
) -> Result<VersionView, Problem> {
    match step {
        VersionStep::Approve => caller.at_province(&app.org(), Action::CodeApprove)?,
        VersionStep::Retire => caller.at_province(&app.org(), Action::PluginRetire)?,
        VersionStep::Cancel => caller.require(Action::PluginUpload)?,
    }
    let why = reason(why)?;
    let record = app.conduct.step_version(reference.to_owned(), step, why, caller.name.clone()).await?;
    Ok(view(app, record, true))
}

/// Approves a certified version for policies to use: by an approver of the province's who did not upload it. Policies go on with the version that they
/// have.
#[utoipa::path(post, path = "/v1/plugins/{version}/approve", tag = "plugins", params(("version" = String, Path, description = "name@version, or the digest")),
    request_body = WhyBody, responses((status = 200, body = VersionView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn approve_plugin(
    State(app): State<App>,
    caller: Caller,
    At(reference): At<String>,
    Json(body): Json<WhyBody>,
) -> Result<axum::Json<VersionView>, Problem> {
    Ok(axum::Json(step(&app, &caller, &reference, VersionStep::Approve, &body.why).await?))
}

/// Takes a version out of use everywhere; less goes out by it, so nobody else is asked.
#[utoipa::path(post, path = "/v1/plugins/{version}/retire", tag = "plugins", params(("version" = String, Path, description = "name@version, or the digest")),
    request_body = WhyBody, responses((status = 200, body = VersionView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn retire_plugin(
    State(app): State<App>,
    caller: Caller,
    At(reference): At<String>,
    Json(body): Json<WhyBody>,
) -> Result<axum::Json<VersionView>, Problem> {
    Ok(axum::Json(step(&app, &caller, &reference, VersionStep::Retire, &body.why).await?))
}

/// Gives up an upload that is not certified yet.
#[utoipa::path(post, path = "/v1/plugins/{version}/cancel", tag = "plugins", params(("version" = String, Path, description = "name@version, or the digest")),
    request_body = WhyBody, responses((status = 200, body = VersionView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn cancel_plugin(
    State(app): State<App>,
    caller: Caller,
    At(reference): At<String>,
    Json(body): Json<WhyBody>,
) -> Result<axum::Json<VersionView>, Problem> {
    Ok(axum::Json(step(&app, &caller, &reference, VersionStep::Cancel, &body.why).await?))
}
