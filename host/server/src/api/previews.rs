//! Previews of a policy: whom a candidate would reach that the live policy would not, before it is live. Writes nothing.
//!
//! A preview runs while its caller waits: who goes away ends it. Each office, the unit that a caller works in, has one at a time in a prefecture,
//! which it may watch and end.

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_conductor::{Candidate, PluginChoice, PolicyPreview, PreviewRequest};
use gridbell_model::{CivilMinute, OrgCode, PrefectureCode};
use gridbell_planner::{Policy, RunScope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Action, Caller, Scope};
use crate::app::App;
use crate::extract::{At, Json, given, named};
use crate::problem::{Problem, ProblemBody};

/// What would be live instead. What is left out is as it is live.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// What changes of the policy's parameters (JSON merge patch, RFC 7396), as `PATCH …/parameters` takes it.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) parameters: Option<serde_json::Map<String, serde_json::Value>>,
    /// The plugin that would decide, approved or not: `NAME@VERSION`, or the SHA-256 of its upload.
    #[serde(default)]
    pub(crate) plugin: Option<String>,
    /// The policy as a whole, as `GET /v1/policies/{prefecture}/{policy}` has it; its name is the one that is asked about.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) policy: Option<serde_json::Value>,
    /// From when on, as `2026-11-25T08:30`; now if left out.
    #[serde(default)]
    pub(crate) at: Option<String>,
    /// How many days of the policies' own schedules, 1 to 31; one run at that moment if left out.
    #[serde(default)]
    pub(crate) days: Option<u8>,
}

/// A plugin that a preview ran.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewPluginView {
    /// Its name.
    name: String,
    /// Its version.
    version: String,
    /// SHA-256 of its upload.
    digest: String,
}

/// Sums over all of a preview's runs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewTotalsView {
    /// Decisions of the plugin.
    decided: u64,
    /// Messages that would go out.
    messages: u64,
    /// Customers who would get them.
    customers: u64,
    /// Parts as carriers count them.
    parts: u64,
    /// What they cost at most, in 1/1000 fen: less where accounts of one number are told by one message.
    cost_milli_fen: u64,
    /// Decisions that would be held, by the reason's word.
    held: std::collections::BTreeMap<String, u64>,
}

/// One simulated run of the candidate.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRunView {
    /// When.
    at: String,
    /// Name of the schedule; empty for a run at a moment and for one of payments.
    schedule: String,
    /// Customers that the plugin's interest let pass.
    passed: u64,
    /// Decisions.
    decided: u64,
    /// Messages.
    messages: u64,
    /// Parts.
    parts: u64,
    /// Cost in 1/1000 fen.
    cost_milli_fen: u64,
    /// The most messages that may go without a person's release, where there are more; the preview counts as if it were released.
    waits_above: Option<u64>,
}

/// Messages of one county by one channel on one day.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewCountView {
    /// The county's code.
    county: u32,
    /// Its name.
    county_name: String,
    /// The channel.
    channel: String,
    /// The day on which they may first go.
    day: String,
    /// The candidate's messages.
    messages: u64,
    /// Their parts.
    parts: u64,
    /// Their cost in 1/1000 fen.
    cost_milli_fen: u64,
    /// The live policy's messages; 0 where nothing is compared.
    live_messages: u64,
    /// Their parts.
    live_parts: u64,
    /// Their cost in 1/1000 fen.
    live_cost_milli_fen: u64,
}

/// A customer as an example.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewSampleView {
    /// 户号
    account: String,
    /// The county's name.
    county: String,
    /// Name of the notice.
    notice: String,
    /// Step of the escalation.
    step: u8,
    /// The policy's reason, as an office reads it.
    reason: String,
    /// Where it would go.
    channel: String,
    /// The run that decides it.
    decided_at: String,
    /// When it may first go.
    send_after: String,
    /// Parts.
    parts: u8,
    /// Cost in 1/1000 fen.
    cost_milli_fen: u32,
    /// The exact text.
    text: String,
}

/// A message that both policies send, on another channel or day.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewMoveView {
    /// The live policy's.
    from: PreviewSampleView,
    /// The candidate's.
    to: PreviewSampleView,
}

/// What the candidate does that the live policy does not, and the other way round.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewDifferenceView {
    /// Messages that only the candidate sends.
    added: u64,
    /// Messages that only the live policy sends.
    dropped: u64,
    /// Messages about the same with the same step that both send, on another channel or day.
    moved: u64,
    /// Of those, how many go by another channel.
    moved_channel: u64,
    /// And how many on another day.
    moved_day: u64,
    /// Messages of both on the same channel and day.
    same: u64,
    /// Customers whom only the candidate reaches.
    customers_added: u64,
    /// Customers whom only the live policy reaches.
    customers_dropped: u64,
    /// Up to twenty of what is added.
    added_samples: Vec<PreviewSampleView>,
    /// Up to twenty of what is dropped.
    dropped_samples: Vec<PreviewSampleView>,
    /// Up to twenty of what is moved.
    moved_samples: Vec<PreviewMoveView>,
}

/// An hour of a link.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HourLoadView {
    /// Its first minute.
    hour: String,
    /// Parts that the link carries in it.
    parts: u64,
}

/// A day of a link.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayLoadView {
    /// The day.
    day: String,
    /// Parts that the link carries on it.
    parts: u64,
    /// The hour with most parts.
    peak_hour: String,
    /// Parts in that hour.
    peak_parts: u64,
    /// When nothing waits for the link any more on this day; none where something is left for the next.
    clears_at: Option<String>,
}

/// What a link will carry.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkLoadView {
    /// Its name.
    link: String,
    /// Parts a second that the carrier granted; 0 for no limit.
    grant: u32,
    /// Parts in all.
    parts: u64,
    /// By day, days without any left out.
    days: Vec<DayLoadView>,
    /// By hour, hours without any left out.
    hours: Vec<HourLoadView>,
}

/// What all links will carry, and what they will not.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoadView {
    /// Each link.
    links: Vec<LinkLoadView>,
    /// Parts that expire before their turn.
    expired_parts: u64,
    /// Parts that still wait at the end of the time looked at.
    waiting_parts: u64,
}

/// What a candidate would do. Bounded whatever the prefecture's size; no phone number and no name is in it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewView {
    /// SHA-256 of everything else in it but for how long it took: by it a proposal names what its author saw, while the host remembers it.
    digest: String,
    /// The prefecture's code.
    prefecture: u32,
    /// Name of the policy.
    policy: String,
    /// What an office reads.
    title: String,
    /// What its messages are about.
    topic: String,
    /// The candidate's plugin.
    plugin: PreviewPluginView,
    /// The candidate's parameters, as the plugin gets them.
    #[schema(value_type = Object)]
    parameters: serde_json::Value,
    /// The live policy's plugin; none where nothing is compared.
    live_plugin: Option<PreviewPluginView>,
    /// The first minute that was looked at.
    from: String,
    /// The minute behind the last; as `from` for one run at that moment.
    until: String,
    /// How many days; none for one run at that moment.
    days: Option<u8>,
    /// The sequence of the state that was looked at.
    sequence: u64,
    /// Customers of the prefecture.
    customers: u64,
    /// The candidate's sums.
    totals: PreviewTotalsView,
    /// The live policy's sums; none where nothing is compared.
    live_totals: Option<PreviewTotalsView>,
    /// The candidate's runs, in order.
    runs: Vec<PreviewRunView>,
    /// By county, day and channel.
    counts: Vec<PreviewCountView>,
    /// Against the live policy; none where there is none, or the candidate is the live policy.
    difference: Option<PreviewDifferenceView>,
    /// What links would carry: the candidate's messages with what waits in the outbox now.
    load: LoadView,
    /// Parts that wait in the outbox now, which the load counts with.
    backlog_parts: u64,
    /// Up to twenty of the candidate's messages.
    samples: Vec<PreviewSampleView>,
    /// Whether samples are left out because the caller may not see messages.
    #[serde(default)]
    samples_withheld: bool,
    /// What the preview takes for granted.
    assumptions: Vec<String>,
    /// What should be looked at.
    warnings: Vec<String>,
    /// How long it took.
    elapsed_ms: u64,
}

impl PreviewView {
    /// The conductor's answer in the document's words; without examples for who may not see messages.
    fn of(preview: &PolicyPreview, samples: bool) -> Result<Self, Problem> {
        // One shape in two crates: a field that the document does not know is refused here, and a test asks for every field.
        let value = serde_json::to_value(preview).map_err(|e| Problem::internal(&e))?;
        let mut view: Self = serde_json::from_value(value).map_err(|e| Problem::internal(&e))?;
        if !samples {
            view.samples_withheld = true;
            view.samples.clear();
            if let Some(difference) = &mut view.difference {
                difference.added_samples.clear();
                difference.dropped_samples.clear();
                difference.moved_samples.clear();
            }
        }
        Ok(view)
    }
}

/// The prefecture, and whose preview it is there.
fn place(app: &App, caller: &Caller, prefecture: &str) -> Result<(PrefectureCode, String), Problem> {
    let code = PrefectureCode(named(prefecture)?);
    let org = app.org();
    org.get(code.org()).ok_or_else(Problem::not_found)?;
    caller.at_prefecture(&org, code, Action::PolicyRead)?;
    let office = match caller.scope {
        Scope::All => "province".to_owned(),
        Scope::Unit(unit) => unit.to_string(),
    };
    Ok((code, office))
}

/// Previews a candidate.
pub(crate) async fn preview(
    app: &App,
    caller: &Caller,
    at: (&str, &str),
    body: PreviewBody,
) -> Result<PreviewView, Problem> {
    let (code, office) = place(app, caller, at.0)?;
    let (set, _) = app.conduct.policies(code).ok_or_else(Problem::not_found)?;
    if body.policy.is_none() {
        set.policy(at.1).ok_or_else(Problem::not_found)?;
    }
    let policy = body.policy.map(serde_json::from_value::<Policy>).transpose();
    let policy = policy.map_err(|e| Problem::field("policy", e.to_string()))?;
    let moment = body.at.map(|at| given::<CivilMinute, _>("at", &at)).transpose()?;
    // A county sees its own customers, never the whole prefecture.
    let orgs = match caller.scope.covers(&app.org(), code.org()) {
        true => Vec::new(),
        false => Option::<OrgCode>::from(caller.scope).into_iter().collect(),
    };
    let request = PreviewRequest {
        prefecture: code,
        policy: at.1.to_owned(),
        candidate: Candidate { policy, parameters: body.parameters, plugin: body.plugin.map(PluginChoice::Uploaded) },
        at: moment,
        days: body.days,
        scope: RunScope { orgs, ..RunScope::default() },
        office,
    };
    let preview = app.conduct.preview_policy(request).await?;
    PreviewView::of(&preview, caller.may(Action::MessageRead))
}

/// Previews a candidate over the prefecture's customers as they are: counts, cost, load on links, examples, and the difference to the live policy. Nothing
/// is written or sent. A month of a large prefecture takes some seconds; closing the connection ends it.
#[utoipa::path(post, path = "/v1/policies/{prefecture}/{policy}/preview", tag = "policies",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "its name")),
    request_body = PreviewBody, responses((status = 200, body = PreviewView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
    (status = 409, body = ProblemBody, description = "it was ended"), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody, description = "the office has one under way")))]
pub(crate) async fn post_policy_preview(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, policy)): At<(String, String)>,
    Json(body): Json<PreviewBody>,
) -> Result<axum::Json<PreviewView>, Problem> {
    preview(&app, &caller, (&prefecture, &policy), body).await.map(axum::Json)
}

/// How far a preview is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PreviewProgressView {
    /// Runs simulated, of candidate and live policy together.
    pub(crate) done: u32,
    /// Of how many.
    pub(crate) of: u32,
}

/// How far the preview of the caller's office in this prefecture is, of whatever policy; 404 when none is under way.
#[utoipa::path(get, path = "/v1/policies/{prefecture}/{policy}/preview", tag = "policies",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "any")),
    responses((status = 200, body = PreviewProgressView), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_policy_preview(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, _policy)): At<(String, String)>,
) -> Result<axum::Json<PreviewProgressView>, Problem> {
    let (code, office) = place(&app, &caller, &prefecture)?;
    let progress = app.conduct.preview_progress(code, &office).ok_or_else(Problem::not_found)?;
    Ok(axum::Json(PreviewProgressView { done: progress.done, of: progress.of }))
}

/// Ends the preview of the caller's office in this prefecture, of whatever policy; 404 when none is under way.
#[utoipa::path(delete, path = "/v1/policies/{prefecture}/{policy}/preview", tag = "policies",
    params(("prefecture" = String, Path, description = "GB/T 2260 code"), ("policy" = String, Path, description = "any")),
    responses((status = 204), (status = 404, body = ProblemBody)))]
pub(crate) async fn delete_policy_preview(
    State(app): State<App>,
    caller: Caller,
    At((prefecture, _policy)): At<(String, String)>,
) -> Result<StatusCode, Problem> {
    let (code, office) = place(&app, &caller, &prefecture)?;
    if app.conduct.cancel_preview(code, &office) { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found()) }
}
