//! What the province sets, as the files that people edit: rules, calendar, number segments, org units. Each is got as it is put, looked at with
//! `dry_run=true` first, and in force from the next run on.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gridbell_conductor::{ProposalOrder, Proposed, ProvinceFile, ProvinceProposal, org_version, province_text};
use gridbell_model::OrgUnit;
use serde::Deserialize;
use utoipa::IntoParams;

use super::policies::{ChangeAnswer, ChangeView};
use super::proposals;
use crate::access::{Action, Caller};
use crate::app::App;
use crate::conduct::ConductError;
use crate::extract::{IfMatch, MAX_PROVINCE_BYTES, Query, Versioned, read_body};
use crate::problem::{Code, Problem, ProblemBody};

const TOML: &str = "application/toml; charset=utf-8";

/// How a file is put.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FileQuery {
    /// Only say what would change.
    #[serde(default)]
    dry_run: bool,
    /// What the file is called, for errors.
    #[serde(default)]
    document: Option<String>,
}

fn get(app: &App, caller: &Caller, file: ProvinceFile) -> Result<Response, Problem> {
    caller.require(Action::PolicyRead)?;
    let found = province_text(app.state(), file).map_err(ConductError::from)?;
    let (text, version) = found.ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, TOML.to_owned()), (header::ETAG, format!("\"{version}\""))], text).into_response())
}

/// Puts a file, or says what it would change.
pub(crate) async fn put(
    app: &App,
    caller: &Caller,
    file: ProvinceFile,
    text: String,
    document: Option<String>,
    dry_run: bool,
    expected: Option<u64>,
) -> Result<ChangeAnswer, Problem> {
    caller.at_province(&app.org(), Action::ProvinceWrite)?;
    let document = document.filter(|d| !d.trim().is_empty()).unwrap_or_else(|| file.file_name().to_owned());
    if file == ProvinceFile::Rules && !dry_run {
        // Limits are for two people of the province's.
        let version = province_text(app.state(), file).map_err(ConductError::from)?.map_or(0, |(_, v)| v);
        let what = Proposed::Rules { document, text };
        let (why, who) = (String::new(), caller.name.clone());
        let order = ProposalOrder { prefecture: None, what, expected, why, who, preview: None };
        let made = proposals::propose(app, order).await?;
        return Ok(ChangeAnswer::proposed(made, version));
    }
    let proposal = ProvinceProposal { file, document, text, expected, who: caller.name.clone(), dry_run };
    let outcome = app.conduct.apply_province(proposal).await?;
    Ok(ChangeAnswer {
        applied: !dry_run && !outcome.changes.is_empty(),
        version: outcome.version,
        changes: outcome.changes.into_iter().map(ChangeView::of).collect(),
        more: outcome.more as u64,
        proposal: None,
        needs: None,
    })
}

async fn put_request(
    app: App,
    caller: Caller,
    file: ProvinceFile,
    query: FileQuery,
    expected: Option<u64>,
    request: Request,
) -> Result<ChangeAnswer, Problem> {
    caller.at_province(&app.org(), Action::ProvinceWrite)?;
    let (parts, body) = request.into_parts();
    let media = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    let takes: &[&str] = match file {
        ProvinceFile::OrgUnits => &["application/json"],
        _ => &["application/toml", "text/plain"],
    };
    if !takes.contains(&media) {
        return Err(Problem::because(Code::UnsupportedMedia, format!("send the file itself as `{}`", takes[0])));
    }
    let bytes = read_body(&parts.headers, body, MAX_PROVINCE_BYTES).await?;
    let text = String::from_utf8(bytes.to_vec())
        .map_err(|_| Problem::because(Code::BadRequest, "the file is not UTF-8; save it as UTF-8"))?;
    put(&app, &caller, file, text, query.document, query.dry_run, expected).await
}

/// The province's rules in force, as the TOML file. `ETag` is the version that `If-Match` takes.
#[utoipa::path(get, path = "/v1/rules", tag = "province",
    responses((status = 200, content_type = "application/toml", body = String), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_rules(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    get(&app, &caller, ProvinceFile::Rules)
}

/// Proposes the province's rules: topics, classes, quiet hours, caps, limits (202): in force when an approver of the province's agrees. With `dry_run=true`
/// only says what would change. Each mistake comes with its line.
#[utoipa::path(put, path = "/v1/rules", tag = "province", params(FileQuery), request_body(content = String, content_type = "application/toml"),
    responses((status = 200, body = ChangeAnswer), (status = 202, body = ChangeAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_rules(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FileQuery>,
    IfMatch(expected): IfMatch,
    request: Request,
) -> Result<ChangeAnswer, Problem> {
    put_request(app, caller, ProvinceFile::Rules, query, expected, request).await
}

/// The calendar of working days in force, as the TOML file.
#[utoipa::path(get, path = "/v1/calendar", tag = "province",
    responses((status = 200, content_type = "application/toml", body = String), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_calendar(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    get(&app, &caller, ProvinceFile::Calendar)
}

/// Replaces the calendar of working days. With `dry_run=true` only says what would change.
#[utoipa::path(put, path = "/v1/calendar", tag = "province", params(FileQuery), request_body(content = String, content_type = "application/toml"),
    responses((status = 200, body = ChangeAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_calendar(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FileQuery>,
    IfMatch(expected): IfMatch,
    request: Request,
) -> Result<ChangeAnswer, Problem> {
    put_request(app, caller, ProvinceFile::Calendar, query, expected, request).await
}

/// The carriers' number segments in force, as the TOML file.
#[utoipa::path(get, path = "/v1/segments", tag = "province",
    responses((status = 200, content_type = "application/toml", body = String), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_segments(State(app): State<App>, caller: Caller) -> Result<Response, Problem> {
    get(&app, &caller, ProvinceFile::Segments)
}

/// Replaces the carriers' number segments. With `dry_run=true` only says what would change.
#[utoipa::path(put, path = "/v1/segments", tag = "province", params(FileQuery), request_body(content = String, content_type = "application/toml"),
    responses((status = 200, body = ChangeAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_segments(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FileQuery>,
    IfMatch(expected): IfMatch,
    request: Request,
) -> Result<ChangeAnswer, Problem> {
    put_request(app, caller, ProvinceFile::Segments, query, expected, request).await
}

/// An org unit: code, the unit above (none for the province), level and name.
#[derive(serde::Serialize, Deserialize, utoipa::ToSchema)]
pub(crate) struct UnitBody {
    /// Its code, 2 to 9 digits.
    code: u32,
    /// The unit above; none for the province.
    parent: Option<u32>,
    /// `province`, `prefecture`, `county`, `station`.
    level: String,
    /// Its name.
    name: String,
}

/// The org units within the caller's scope, as the file lists them.
#[utoipa::path(get, path = "/v1/org-units", tag = "province", responses((status = 200, body = Vec<UnitBody>)))]
pub(crate) async fn get_org_units(State(app): State<App>, caller: Caller) -> Result<Versioned<Vec<OrgUnit>>, Problem> {
    Ok(Versioned(org_version(app.state()), units(&app, &caller)))
}

/// The org units within the caller's scope, by code.
pub(crate) fn units(app: &App, caller: &Caller) -> Vec<OrgUnit> {
    let org = app.org();
    org.iter().filter(|u| caller.scope.covers(&org, u.code)).cloned().collect()
}

/// Replaces the org tree. With `dry_run=true` only says what would change. Stations with customers must stay in their prefecture.
#[utoipa::path(put, path = "/v1/org-units", tag = "province", params(FileQuery), request_body = Vec<UnitBody>,
    responses((status = 200, body = ChangeAnswer), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_org_units(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<FileQuery>,
    IfMatch(expected): IfMatch,
    request: Request,
) -> Result<ChangeAnswer, Problem> {
    put_request(app, caller, ProvinceFile::OrgUnits, query, expected, request).await
}
