//! The province's texts: drafts, previews with their parts, approval by a second person.

use axum::extract::State;
use axum::http::StatusCode;
use gridbell_model::{Channel, Topic};
use gridbell_planner::{Template, TemplateStatus};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use super::view::{WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::extract::{IfMatch, Json, Versioned, given};
use crate::problem::{Problem, ProblemBody};

/// One version of one text.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TemplateView {
    /// What it is about.
    topic: WordView,
    /// Which of the plugin's notices it words.
    notice: String,
    /// For which channel.
    channel: WordView,
    /// From 1; the newest approved one is used.
    version: u32,
    /// `draft` or `approved`.
    status: String,
    /// The text, without signature and opt-out words.
    text: String,
    /// Placeholders that it leaves out on purpose.
    omits: Vec<String>,
    /// The text that several accounts of one number share when their messages leave together; without one each goes by itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    merged: Option<String>,
}

fn view(t: &Template) -> TemplateView {
    let status = match t.status {
        TemplateStatus::Draft => "draft",
        TemplateStatus::Approved => "approved",
    };
    TemplateView {
        topic: word!(t.topic),
        notice: t.notice.clone(),
        channel: word!(t.channel),
        version: t.version,
        status: status.to_owned(),
        text: t.text.clone(),
        omits: t.omits.clone(),
        merged: t.merged.clone(),
    }
}

/// All texts, every version. `ETag` is the version of the whole that `If-Match` takes.
#[utoipa::path(get, path = "/v1/templates", tag = "templates", responses((status = 200, body = Page<TemplateView>)))]
pub(crate) async fn list_templates(
    State(app): State<App>,
    caller: Caller,
) -> Result<Versioned<Page<TemplateView>>, Problem> {
    caller.require(Action::TemplateRead)?;
    let (set, version) = app.conduct.templates();
    Ok(Versioned(version, Page::whole(set.templates.iter().map(view).collect())))
}

/// A text to save or to try.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TemplateBody {
    /// What it is about.
    pub(crate) topic: String,
    /// Which of the plugin's notices it words.
    pub(crate) notice: String,
    /// For which channel: `sms`, …
    pub(crate) channel: String,
    /// The text, without signature and opt-out words.
    pub(crate) text: String,
    /// Placeholders that it leaves out on purpose.
    #[serde(default)]
    pub(crate) omits: Vec<String>,
    /// The text that several accounts of one number share when their messages leave together: sums of money as in the text itself, how many accounts
    /// as `{{ count }}`, and of the rest only what the text itself says and is the same for all of them.
    #[serde(default)]
    pub(crate) merged: Option<String>,
}

impl TemplateBody {
    fn draft(self) -> Result<Template, Problem> {
        Ok(Template {
            topic: given::<Topic, _>("topic", &self.topic)?,
            notice: self.notice,
            channel: given::<Channel, _>("channel", &self.channel)?,
            // The conductor numbers it.
            version: 0,
            status: TemplateStatus::Draft,
            text: self.text,
            omits: self.omits,
            merged: self.merged.filter(|text| !text.trim().is_empty()),
        })
    }
}

/// A text as a customer would read it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PreviewView {
    /// With likely facts, signature and opt-out words.
    pub(crate) text: String,
    /// Length in UTF-16 units, which is what carriers count.
    pub(crate) chars: u32,
    /// Parts that a carrier counts.
    pub(crate) parts: u8,
}

/// What `body` would look like, or what is wrong with it.
pub(crate) fn preview(app: &App, caller: &Caller, body: TemplateBody) -> Result<PreviewView, Problem> {
    caller.require(Action::TemplateRead)?;
    let plan = app.conduct.preview(&body.draft()?)?;
    Ok(PreviewView { text: plan.text, chars: plan.chars, parts: plan.parts })
}

/// Tries a text: how it reads with likely facts, its length and its parts. Saves nothing.
#[utoipa::path(post, path = "/v1/templates/preview", tag = "templates", request_body = TemplateBody,
    responses((status = 200, body = PreviewView), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_preview(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<TemplateBody>,
) -> Result<axum::Json<PreviewView>, Problem> {
    preview(&app, &caller, body).map(axum::Json)
}

/// The number that a saved text got.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SavedTemplate {
    /// Its version.
    pub(crate) version: u32,
}

/// Saves a text as a new draft.
pub(crate) async fn save(
    app: &App,
    caller: &Caller,
    body: TemplateBody,
    expected: Option<u64>,
) -> Result<u32, Problem> {
    caller.require(Action::TemplateWrite)?;
    Ok(app.conduct.put_template(body.draft()?, caller.name.clone(), expected).await?)
}

/// Saves a text as a new draft; it is checked first, and sent only after somebody else approved it.
#[utoipa::path(post, path = "/v1/templates", tag = "templates", request_body = TemplateBody,
    responses((status = 201, body = SavedTemplate), (status = 403, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_template(
    State(app): State<App>,
    caller: Caller,
    IfMatch(expected): IfMatch,
    Json(body): Json<TemplateBody>,
) -> Result<(StatusCode, axum::Json<SavedTemplate>), Problem> {
    let version = save(&app, &caller, body, expected).await?;
    Ok((StatusCode::CREATED, axum::Json(SavedTemplate { version })))
}

/// Which draft to approve.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApprovalBody {
    /// What it is about.
    pub(crate) topic: String,
    /// Which notice.
    pub(crate) notice: String,
    /// Which channel.
    pub(crate) channel: String,
    /// Which version.
    pub(crate) version: u32,
}

/// Approves a draft.
pub(crate) async fn approve(app: &App, caller: &Caller, body: ApprovalBody) -> Result<(), Problem> {
    caller.at_province(&app.org(), Action::TemplateApprove)?;
    let topic = given::<Topic, _>("topic", &body.topic)?;
    let channel = given::<Channel, _>("channel", &body.channel)?;
    app.conduct.approve_template(topic, body.notice, channel, body.version, caller.name.clone()).await?;
    Ok(())
}

/// Approves a draft; never by who wrote it.
#[utoipa::path(post, path = "/v1/templates/approval", tag = "templates", request_body = ApprovalBody,
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn post_approval(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<ApprovalBody>,
) -> Result<StatusCode, Problem> {
    approve(&app, &caller, body).await.map(|()| StatusCode::NO_CONTENT)
}
