//! Pages that take files: imports and plugins. A form's small fields come first, each bounded; without the session's token the file is not read.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::response::{IntoResponse, Redirect, Response};
use futures_util::StreamExt;
use gridbell_intake::Kind;
use minijinja::context;

use super::page::{Said, data};
use crate::access::{Action, Session};
use crate::api::{
    ImportQuery, PageQuery, import_list, import_one, import_order, import_report, import_start, receive_file,
    upload_plugin_bytes, version_views,
};
use crate::app::App;
use crate::extract::{At, MAX_PLUGIN_BYTES, Query, named};
use crate::problem::{Code, Problem};

/// Largest field of a form that is no file.
const MAX_FIELD_BYTES: usize = 16 << 10;
/// Most fields before the file.
const MAX_FIELDS: usize = 16;
/// What the file's field is called; it is the form's last.
const FILE: &str = "file";

fn broken(_: MultipartError) -> Problem {
    Problem::because(Code::BadRequest, "表单没有传完，请重新提交 (the form broke off)")
}

fn no_file() -> Problem {
    Problem::field("文件", "请选择文件")
}

/// A field's bytes within `bound`.
async fn bytes(mut field: Field<'_>, bound: usize) -> Result<Vec<u8>, Problem> {
    let mut all = Vec::new();
    while let Some(piece) = field.next().await {
        let piece = piece.map_err(broken)?;
        if all.len() + piece.len() > bound {
            return Err(Problem::because(Code::TooLarge, format!("at most {bound} bytes are taken here")));
        }
        all.extend_from_slice(&piece);
    }
    Ok(all)
}

/// Keeps a field that is no file.
async fn keep(fields: &mut BTreeMap<String, String>, field: Field<'_>) -> Result<(), Problem> {
    if fields.len() >= MAX_FIELDS {
        return Err(Problem::because(Code::BadRequest, "the form has too many fields"));
    }
    let name = field.name().unwrap_or_default().to_owned();
    let text = String::from_utf8(bytes(field, MAX_FIELD_BYTES).await?);
    fields.insert(name, text.map_err(|_| Problem::because(Code::BadRequest, "the form is not UTF-8"))?);
    Ok(())
}

// ---- imports ----

pub(super) async fn imports(
    State(app): State<App>,
    session: Session,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    imports_page(&app, &session, &query, None)
}

fn imports_page(app: &App, session: &Session, query: &PageQuery, said: Option<Said>) -> Result<Response, Problem> {
    let page = import_list(app, &session.caller, query)?;
    let going = page.items.iter().any(|i| matches!(i.state.word.as_str(), "waiting" | "running"));
    let kinds: Vec<_> = Kind::ALL.iter().map(|k| context! { word => k.word(), chinese => k.chinese() }).collect();
    let more = context! {
        imports => data(&page.items), next => page.next, kinds, going, said => data(said),
        may => context! { import => session.caller.may(Action::Import) },
    };
    Ok(app.pages.show(app, session, "imports.html", "/imports", more))
}

pub(super) async fn import(State(app): State<App>, session: Session, At(id): At<String>) -> Result<Response, Problem> {
    let view = import_one(&app, &session.caller, &id)?;
    let going = matches!(view.state.word.as_str(), "waiting" | "running");
    let more = context! { i => data(&view), going };
    Ok(app.pages.show(&app, &session, "import.html", "/imports", more))
}

pub(super) async fn rejects(State(app): State<App>, session: Session, At(id): At<String>) -> Result<Response, Problem> {
    import_report(&app, &session.caller, &id).await
}

pub(super) async fn send_import(
    State(app): State<App>,
    session: Session,
    mut form: Multipart,
) -> Result<Response, Problem> {
    match take_import(&app, &session, &mut form).await {
        Ok(id) => Ok(Redirect::to(&format!("/imports/{id}")).into_response()),
        Err(problem) if matches!(problem.code, Code::Csrf | Code::Forbidden) => Err(problem),
        Err(problem) => imports_page(&app, &session, &PageQuery::default(), Some(Said::problem(&problem))),
    }
}

async fn take_import(app: &App, session: &Session, form: &mut Multipart) -> Result<String, Problem> {
    let mut fields = BTreeMap::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some(FILE) {
            keep(&mut fields, field).await?;
            continue;
        }
        let given = |name: &str| fields.get(name).cloned();
        session.check_csrf(&given("csrf").unwrap_or_default())?;
        let name = field.file_name().map(str::to_owned).filter(|n| !n.is_empty());
        let query = ImportQuery {
            file: Some(name.ok_or_else(no_file)?),
            sheet: given("sheet"),
            account_digits: given("account_digits"),
            mapping: given("mapping"),
        };
        let kind: Kind = named(&given("kind").unwrap_or_default())?;
        let order = import_order(app, &session.caller, kind, &query)?;
        let received = receive_file(app, None, field).await?;
        return Ok(import_start(app, received, order).await?.id);
    }
    session.check_csrf(fields.get("csrf").map(String::as_str).unwrap_or_default())?;
    Err(no_file())
}

// ---- plugins ----

pub(super) async fn plugins(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    plugins_page(&app, &session, None)
}

pub(super) fn plugins_page(app: &App, session: &Session, said: Option<Said>) -> Result<Response, Problem> {
    let more = context! {
        plugins => data(version_views(app, &session.caller, true)?), said => data(said),
        may => context! {
            upload => session.caller.may(Action::PluginUpload),
            approve => session.caller.at_province(&app.org(), Action::CodeApprove).is_ok(),
            retire => session.caller.at_province(&app.org(), Action::PluginRetire).is_ok(),
        },
    };
    Ok(app.pages.show(app, session, "plugins.html", "/plugins", more))
}

pub(super) async fn send_plugin(
    State(app): State<App>,
    session: Session,
    mut form: Multipart,
) -> Result<Response, Problem> {
    let said = match take_plugin(&app, &session, &mut form).await {
        Ok(text) => Said::good(text),
        Err(problem) if matches!(problem.code, Code::Csrf | Code::Forbidden) => return Err(problem),
        Err(problem) => Said::problem(&problem),
    };
    plugins_page(&app, &session, Some(said))
}

async fn take_plugin(app: &App, session: &Session, form: &mut Multipart) -> Result<String, Problem> {
    let mut fields = BTreeMap::new();
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.name() != Some(FILE) {
            keep(&mut fields, field).await?;
            continue;
        }
        session.check_csrf(fields.get("csrf").map(String::as_str).unwrap_or_default())?;
        session.caller.require(Action::PluginUpload)?;
        let component = bytes(field, MAX_PLUGIN_BYTES).await?;
        if component.is_empty() {
            return Err(no_file());
        }
        upload_plugin_bytes(app, &session.caller, component).await?;
        return Ok("已上传，正在检查和认证；批准并启用后才会使用。".to_owned());
    }
    session.check_csrf(fields.get("csrf").map(String::as_str).unwrap_or_default())?;
    Err(no_file())
}
