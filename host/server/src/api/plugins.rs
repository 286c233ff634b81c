//! Plugins: what is there, and uploads.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use super::view::{WordView, word};
use crate::access::{Action, Caller};
use crate::app::App;
use crate::conduct::PluginEntry;
use crate::extract::{MAX_PLUGIN_BYTES, read_body};
use crate::problem::{Problem, ProblemBody};

/// A plugin that is there.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PluginView {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// What it is for.
    description: String,
    /// What its messages are about.
    topic: WordView,
    /// SHA-256 of the component, hex.
    digest: String,
    /// Who uploaded it.
    uploaded_by: String,
    /// JSON Schema of its parameters.
    #[schema(value_type = Object)]
    parameters: serde_json::Value,
    /// Its notices, by name and title.
    notices: Vec<WordView>,
    /// Its reasons, by name and title.
    reasons: Vec<WordView>,
}

fn view(entry: &PluginEntry) -> PluginView {
    let m = &entry.manifest;
    let titled = |word: &str, chinese: &str| WordView { word: word.to_owned(), chinese: chinese.to_owned() };
    PluginView {
        name: m.name().to_owned(),
        version: m.version().to_owned(),
        description: m.description().to_owned(),
        topic: word!(m.topic()),
        digest: entry.digest.clone(),
        uploaded_by: entry.by.clone(),
        parameters: m.parameters().clone(),
        notices: m.notices().iter().map(|n| titled(&n.name, &n.title)).collect(),
        reasons: m.reasons().iter().map(|r| titled(&r.name, &r.title)).collect(),
    }
}

/// The plugins that are there.
#[utoipa::path(get, path = "/v1/plugins", tag = "plugins", responses((status = 200, body = Page<PluginView>)))]
pub(crate) async fn list_plugins(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<PluginView>>, Problem> {
    Ok(axum::Json(Page::whole(plugins(&app, &caller)?)))
}

/// The plugins that are there, for whoever may see them.
pub(crate) fn plugins(app: &App, caller: &Caller) -> Result<Vec<PluginView>, Problem> {
    caller.require(Action::PluginRead)?;
    Ok(app.conduct.plugins().iter().map(view).collect())
}

/// Checks, compiles and keeps a plugin.
pub(crate) async fn upload(app: &App, caller: &Caller, component: Vec<u8>) -> Result<PluginView, Problem> {
    caller.require(Action::PluginUpload)?;
    Ok(view(&app.conduct.upload_plugin(component, caller.name.clone()).await?))
}

/// Uploads a plugin: a component or a core module. It is checked in full and compiled before this is answered; no policy uses it until one says so.
#[utoipa::path(post, path = "/v1/plugins", tag = "plugins", request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = PluginView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn upload_plugin(
    State(app): State<App>,
    caller: Caller,
    request: Request,
) -> Result<(StatusCode, axum::Json<PluginView>), Problem> {
    // Asked before the body is read: nobody without the right makes the host hold 48 MiB.
    caller.require(Action::PluginUpload)?;
    let (parts, body) = request.into_parts();
    let component = read_body(&parts.headers, body, MAX_PLUGIN_BYTES).await?;
    let view = upload(&app, &caller, component.to_vec()).await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}
