//! Imports of whole files while the host runs: received into a file, not into memory, and taken in beside everything else.
//!
//! An import belongs to the scope of whoever sent it: rows outside are rejected one by one, and others see it only if all of its scope is theirs.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use gridbell_conductor::{ImportId, ImportOrder, ImportRecord, Upload};
use gridbell_intake::{Kind, Mapping, Options, Reason, Warning};
use gridbell_model::OrgCode;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::{IntoParams, ToSchema};

use super::page::{Page, PageQuery};
use super::view::{UnitRef, WordView, word};
use crate::access::{Action, Caller, Scope, hex};
use crate::app::App;
use crate::conduct::ConductError;
use crate::extract::{At, Query, named};
use crate::idempotency;
use crate::problem::{Code, Problem, ProblemBody};

/// How long a caller may pause in the middle of a file.
pub const UPLOAD_STALL: Duration = Duration::from_secs(30);
/// What is handed to the disk at a time.
const PIECE_BYTES: usize = 1 << 20;
/// What of a reject report is read at a time.
const REPORT_PIECE_BYTES: usize = 256 << 10;
/// Longest name of a file, in characters.
const MAX_FILE_NAME: usize = 120;
/// Longest mapping, in bytes.
const MAX_MAPPING_BYTES: usize = 16 << 10;

/// How a file is to be read; what is left out is found out.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// What the file is called, for whoever looks at the list of imports.
    #[serde(default)]
    pub(crate) file: Option<String>,
    /// The sheet of a workbook; else the first that has the columns.
    #[serde(default)]
    pub(crate) sheet: Option<String>,
    /// How many digits every account number has, 10 to 13: then numeric cells of a workbook are read as account numbers.
    #[serde(default)]
    pub(crate) account_digits: Option<String>,
    /// A mapping file's text, TOML: our fields and the headers of this file.
    #[serde(default)]
    pub(crate) mapping: Option<String>,
}

/// A code with how often it came.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CodeCount {
    /// Stable code.
    pub(crate) code: String,
    /// What offices read.
    pub(crate) chinese: String,
    /// How often.
    pub(crate) count: u64,
}

/// An import, as far as it is.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ImportView {
    /// Its number, as `I17`.
    pub(crate) id: String,
    /// `customers`, `bills`, `balances`, `payments`, `contacts`, `ported`, `substations`, `lines`, `sections`, `transformers`, `supply`.
    pub(crate) kind: WordView,
    /// What the file is called.
    pub(crate) file: String,
    /// Who sent it.
    pub(crate) by: String,
    /// The unit to whose subtree its rows had to belong; none for everything.
    pub(crate) scope: Option<UnitRef>,
    /// `waiting`, `running`, `done`, `failed`, `interrupted`.
    pub(crate) state: WordView,
    /// Rows seen.
    pub(crate) rows: u64,
    /// Rows taken: created, changed and unchanged ones.
    pub(crate) accepted: u64,
    /// Customers that are new.
    pub(crate) created: u64,
    /// Rows that changed something.
    pub(crate) changed: u64,
    /// Rows that were known already.
    pub(crate) unchanged: u64,
    /// Things to look at in rows that were taken, such as a bad phone number.
    pub(crate) flagged: u64,
    /// Rows not taken.
    pub(crate) rejected: u64,
    /// How much of the file was read, in percent.
    pub(crate) progress: u8,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// What to look at, by kind.
    pub(crate) warnings: Vec<CodeCount>,
    /// Why rows were not taken, by kind.
    pub(crate) reasons: Vec<CodeCount>,
    /// When it was received.
    pub(crate) queued: String,
    /// When it ended.
    pub(crate) ended: Option<String>,
    /// Why it failed, and what to do.
    pub(crate) error: Option<String>,
}

impl ImportView {
    fn of(app: &App, r: &ImportRecord) -> Self {
        let t = &r.tally;
        let count = |codes: &BTreeMap<String, u64>, chinese: &dyn Fn(&str) -> Option<&'static str>| {
            let one = |(code, count): (&String, &u64)| CodeCount {
                code: code.clone(),
                chinese: chinese(code).unwrap_or(code).to_owned(),
                count: *count,
            };
            codes.iter().map(one).collect::<Vec<_>>()
        };
        let progress = (t.bytes_read.min(t.bytes) * 100).checked_div(t.bytes).unwrap_or(0);
        Self {
            id: r.id.to_string(),
            kind: word!(r.kind),
            file: r.file.clone(),
            by: r.who.clone(),
            scope: r.scope.map(|code| UnitRef::of(&app.org(), code)),
            state: word!(r.state),
            rows: t.rows,
            accepted: t.accepted(),
            created: t.created,
            changed: t.changed,
            unchanged: t.unchanged,
            flagged: t.flagged(),
            rejected: t.rejected,
            progress: u8::try_from(progress).unwrap_or(100),
            bytes: t.bytes,
            warnings: count(&t.warnings, &|c| Warning::ALL.iter().find(|w| w.code() == c).map(|w| w.chinese())),
            reasons: count(&t.reasons, &|c| Reason::ALL.iter().find(|r| r.code() == c).map(|r| r.chinese())),
            queued: r.queued.to_string(),
            ended: r.ended.map(|at| at.to_string()),
            error: r.error.clone(),
        }
    }
}

fn sees(app: &App, caller: &Caller, record: &ImportRecord) -> bool {
    caller.scope.contains(&app.org(), Scope::from(record.scope))
}

/// Imports that the caller may see, newest first.
pub(crate) fn list(app: &App, caller: &Caller, query: &PageQuery) -> Result<Page<ImportView>, Problem> {
    caller.require(Action::ImportRead)?;
    let (limit, before) = (query.limit()?, query.cursor::<u64>()?);
    let all = app.conduct.imports().list();
    let seen = all.iter().filter(|r| before.is_none_or(|b| r.id.0 < b) && sees(app, caller, r));
    let some: Vec<&ImportRecord> = seen.take(limit + 1).collect();
    Ok(Page::cut(some, limit, |r| r.id.0.to_string()).map(|r| ImportView::of(app, r)))
}

fn find(app: &App, caller: &Caller, id: &str) -> Result<ImportRecord, Problem> {
    let id: ImportId = named(id)?;
    let found = app.conduct.imports().get(id).filter(|r| sees(app, caller, r)).ok_or_else(Problem::not_found)?;
    caller.require(Action::ImportRead)?;
    Ok(found)
}

/// One import that the caller may see.
pub(crate) fn one(app: &App, caller: &Caller, id: &str) -> Result<ImportView, Problem> {
    Ok(ImportView::of(app, &find(app, caller, id)?))
}

/// The reject report of an import as a download.
pub(crate) async fn report(app: &App, caller: &Caller, id: &str) -> Result<Response, Problem> {
    let record = find(app, caller, id)?;
    let path = app.conduct.imports().report(record.id).ok_or_else(|| {
        let why = if record.state.is_final() {
            "this import left no reject report: it was cut off; send the file again"
        } else {
            "the reject report is there when the import has ended"
        };
        Problem::because(Code::Conflict, why)
    })?;
    let file =
        tokio::task::spawn_blocking(move || std::fs::File::open(path)).await.map_err(|e| Problem::internal(&e))?;
    let file = file.map_err(|e| Problem::internal(&e))?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.rejects.csv\"", record.id)),
    ];
    Ok((headers, Body::from_stream(pieces(file))).into_response())
}

/// A file piece by piece, each read on a thread that may block.
fn pieces(file: std::fs::File) -> impl Stream<Item = std::io::Result<Bytes>> {
    futures_util::stream::unfold(Some(file), |file| async move {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            use std::io::Read;
            let mut piece = Vec::with_capacity(REPORT_PIECE_BYTES);
            file.by_ref().take(REPORT_PIECE_BYTES as u64).read_to_end(&mut piece).map(|_| (file, piece))
        });
        match read.await.map_err(std::io::Error::other).and_then(|r| r) {
            Ok((_, piece)) if piece.is_empty() => None,
            Ok((file, piece)) => Some((Ok(piece.into()), Some(file))),
            Err(e) => Some((Err(e), None)),
        }
    })
}

/// A file that was received whole.
pub(crate) struct Received {
    upload: Upload,
    /// SHA-256 of it, hex.
    digest: String,
}

/// Receives a file within the operator's bound, piece by piece.
pub(crate) async fn receive<E: std::fmt::Display>(
    app: &App,
    announced: Option<u64>,
    mut pieces: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Received, Problem> {
    let bound = app.conduct.imports().bound();
    if announced.is_some_and(|n| n > bound) {
        return Err(ConductError::from(gridbell_conductor::HostError::TooLarge { bound }).into());
    }
    let mut upload = app.conduct.imports().upload().await.map_err(ConductError::from)?;
    let (mut digest, mut held) = (Sha256::new(), Vec::new());
    loop {
        let next = tokio::time::timeout(UPLOAD_STALL, pieces.next()).await;
        let next =
            next.map_err(|_| Problem::because(Code::Timeout, "the file stopped coming; nothing of it was taken"))?;
        let Some(piece) = next else { break };
        let piece =
            piece.map_err(|_| Problem::because(Code::BadRequest, "the file broke off; nothing of it was taken"))?;
        digest.update(&piece);
        held.extend_from_slice(&piece);
        if held.len() >= PIECE_BYTES {
            upload.write(std::mem::take(&mut held)).await.map_err(ConductError::from)?;
        }
    }
    upload.write(held).await.map_err(ConductError::from)?;
    if upload.is_empty() {
        return Err(Problem::field("body", "there is no file: send the CSV or XLSX itself as the body (没有选择文件)"));
    }
    Ok(Received { upload, digest: hex(&digest.finalize()) })
}

/// How the caller's file is to be taken in; told before it is received.
pub(crate) fn order(app: &App, caller: &Caller, kind: Kind, query: &ImportQuery) -> Result<ImportOrder, Problem> {
    // Whose numbers are is not a unit's to say, nor how the grid is built.
    if kind == Kind::Ported || kind.is_grid() {
        caller.at_province(&app.org(), Action::Import)?
    } else {
        caller.require(Action::Import)?
    }
    let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let file = given(&query.file).unwrap_or_else(|| kind.word().to_owned());
    let file: String = file.chars().filter(|c| !c.is_control()).take(MAX_FILE_NAME).collect();
    let mut options = Options::new(app.clock().today(), app.conduct.segments()?);
    options.sheet = given(&query.sheet);
    options.account_digits = match given(&query.account_digits) {
        None => None,
        Some(digits) => {
            let digits = digits.parse().ok().filter(|d| (10..=13).contains(d));
            Some(digits.ok_or_else(|| Problem::field("account_digits", "an account number has 10 to 13 digits"))?)
        }
    };
    if let Some(text) = given(&query.mapping) {
        if text.len() > MAX_MAPPING_BYTES {
            return Err(Problem::field("mapping", format!("a mapping has at most {MAX_MAPPING_BYTES} bytes")));
        }
        options.mapping = Some(Mapping::parse(&text).map_err(|e| Problem::field("mapping", e.to_string()))?);
    }
    let unit: Option<OrgCode> = caller.scope.into();
    let scope = unit.filter(|_| !caller.scope.covers_province(&app.org()));
    Ok(ImportOrder { kind, file, who: caller.name.clone(), scope, options })
}

/// Begins the import of what was received.
pub(crate) async fn start(app: &App, received: Received, order: ImportOrder) -> Result<ImportView, Problem> {
    let record = app.conduct.imports().start(received.upload, order).await.map_err(ConductError::from)?;
    Ok(ImportView::of(app, &record))
}

async fn post(app: App, caller: Caller, kind: Kind, query: ImportQuery, request: Request) -> Result<Response, Problem> {
    // Asked before the body is read: nobody without the right fills the disk.
    let order = order(&app, &caller, kind, &query)?;
    let (parts, body) = request.into_parts();
    refuse_forms(&parts.headers)?;
    let announced = parts.headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
    let received = receive(&app, announced, body.into_data_stream()).await?;
    let what = format!("{} {}\n{}", parts.method, parts.uri, received.digest);
    let work = async {
        let view = start(&app, received, order).await;
        view.map_or_else(IntoResponse::into_response, |v| (StatusCode::ACCEPTED, axum::Json(v)).into_response())
    };
    idempotency::once(&app, &parts.headers, &caller, what.as_bytes(), work).await
}

fn refuse_forms(headers: &HeaderMap) -> Result<(), Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let form =
        ["multipart/", "application/x-www-form-urlencoded", "application/json"].iter().any(|m| media.starts_with(m));
    if !form {
        return Ok(());
    }
    Err(Problem::because(
        Code::UnsupportedMedia,
        "send the CSV or XLSX itself as the body, such as `Content-Type: text/csv`",
    ))
}

/// Imports customers of the archive. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/customers", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_customers(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Customers, query, request).await
}

/// Imports bills, oldest first. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/bills", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_bills(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Bills, query, request).await
}

/// Imports prepaid balances. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/balances", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_balances(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Balances, query, request).await
}

/// Imports payments and reversals. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/payments", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_payments(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Payments, query, request).await
}

/// Imports addresses at platforms (WeChat, Alipay). The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/contacts", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_contacts(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Contacts, query, request).await
}

/// Imports numbers that were taken to another carrier (携号转网), the province's. The answer comes when the file is received; ask `GET /v1/imports/{id}` how
/// far it is.
#[utoipa::path(post, path = "/v1/imports/ported", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself: number, carrier, and since when"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_ported(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Ported, query, request).await
}

/// Imports the grid's substations (变电站), the province's. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/substations", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself: code, name, prefecture"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_substations(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Substations, query, request).await
}

/// Imports the grid's lines (线路), the province's. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/lines", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself: code, name, substation"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_lines(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Lines, query, request).await
}

/// Imports the sections that switches cut lines into (线路区段), the province's, in any order. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/sections", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself: code, line, section upstream, switch"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_sections(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Sections, query, request).await
}

/// Imports the grid's transformers (变压器), the province's. The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/transformers", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself: code, name, prefecture, section or line, place, position, ownership, 台区经理"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_transformers(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Transformers, query, request).await
}

/// Imports which transformers customers hang on (户变关系). The answer comes when the file is received; ask `GET /v1/imports/{id}` how far it is.
#[utoipa::path(post, path = "/v1/imports/supply", tag = "imports", params(ImportQuery),
    request_body(content = Vec<u8>, content_type = "text/csv", description = "CSV (UTF-8, GB18030, UTF-16) or XLSX itself: account, transformer, which of several sources"),
    responses((status = 202, body = ImportView), (status = 403, body = ProblemBody), (status = 413, body = ProblemBody), (status = 422, body = ProblemBody), (status = 503, body = ProblemBody)))]
pub(crate) async fn import_supply(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ImportQuery>,
    request: Request,
) -> Result<Response, Problem> {
    post(app, caller, Kind::Supply, query, request).await
}

/// Imports within the caller's scope, newest first.
#[utoipa::path(get, path = "/v1/imports", tag = "imports", params(PageQuery),
    responses((status = 200, body = Page<ImportView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_imports(
    State(app): State<App>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<ImportView>>, Problem> {
    list(&app, &caller, &page).map(axum::Json)
}

/// One import: how far it is, and what became of its rows.
#[utoipa::path(get, path = "/v1/imports/{id}", tag = "imports", params(("id" = String, Path, description = "such as I17")),
    responses((status = 200, body = ImportView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn get_import(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<axum::Json<ImportView>, Problem> {
    one(&app, &caller, &id).map(axum::Json)
}

/// The rows of an import that were not taken, with line, column, masked value and reason: CSV that opens in a spreadsheet.
#[utoipa::path(get, path = "/v1/imports/{id}/rejects", tag = "imports", params(("id" = String, Path, description = "such as I17")),
    responses((status = 200, content_type = "text/csv", body = String), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)))]
pub(crate) async fn get_rejects(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<Response, Problem> {
    report(&app, &caller, &id).await
}
