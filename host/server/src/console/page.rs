//! How a page is made: the templates, what every page needs, who is signed in.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use minijinja::{Environment, Value, context};
use serde::Serialize;

use super::words;
use crate::access::{Action, SESSION_COOKIE, Session};
use crate::app::App;
use crate::problem::{Code, Problem};

const TEMPLATES: &[(&str, &str)] = &[
    ("base.html", include_str!("../../console/base.html")),
    ("signin.html", include_str!("../../console/signin.html")),
    ("error.html", include_str!("../../console/error.html")),
    ("dashboard.html", include_str!("../../console/dashboard.html")),
    ("dashboard-body.html", include_str!("../../console/dashboard-body.html")),
    ("lookup.html", include_str!("../../console/lookup.html")),
    ("runs.html", include_str!("../../console/runs.html")),
    ("run.html", include_str!("../../console/run.html")),
    ("run-now.html", include_str!("../../console/run-now.html")),
    ("templates.html", include_str!("../../console/templates.html")),
    ("template-edit.html", include_str!("../../console/template-edit.html")),
    ("policies.html", include_str!("../../console/policies.html")),
    ("policy.html", include_str!("../../console/policy.html")),
    ("undelivered.html", include_str!("../../console/undelivered.html")),
    ("work-orders.html", include_str!("../../console/work-orders.html")),
    ("recall.html", include_str!("../../console/recall.html")),
    ("stops.html", include_str!("../../console/stops.html")),
    ("imports.html", include_str!("../../console/imports.html")),
    ("import.html", include_str!("../../console/import.html")),
    ("plugins.html", include_str!("../../console/plugins.html")),
    ("proposals.html", include_str!("../../console/proposals.html")),
    ("corrections.html", include_str!("../../console/corrections.html")),
    ("correct.html", include_str!("../../console/correct.html")),
    ("correction.html", include_str!("../../console/correction.html")),
    ("people.html", include_str!("../../console/people.html")),
    ("audit.html", include_str!("../../console/audit.html")),
    ("inbound.html", include_str!("../../console/inbound.html")),
    ("map.html", include_str!("../../console/map.html")),
    ("notices.html", include_str!("../../console/notices.html")),
    ("notice.html", include_str!("../../console/notice.html")),
    ("notice-fields.html", include_str!("../../console/notice-fields.html")),
    ("notice-shown.html", include_str!("../../console/notice-shown.html")),
    ("notice-form.html", include_str!("../../console/notice-form.html")),
    ("org.html", include_str!("../../console/org.html")),
    ("statistics.html", include_str!("../../console/statistics.html")),
];

const STYLE: &str = include_str!("../../console/style.css");
const SCRIPT: &str = include_str!("../../console/app.js");
const ICON: &str = include_str!("../../console/icon.svg");

/// The menu: where, what it is called, which right shows it, and whether it is the province's own.
const MENU: &[(&str, &str, Action, bool)] = &[
    ("/", "今日", Action::RunRead, false),
    ("/lookup", "用户查询", Action::CustomerRead, false),
    ("/work-orders", "错号工单", Action::WorkOrderRead, false),
    ("/undelivered", "订阅未送达", Action::MessageRead, false),
    ("/runs", "执行批次", Action::RunRead, false),
    ("/policies", "策略", Action::PolicyRead, false),
    ("/proposals", "变更审批", Action::PolicyRead, false),
    ("/corrections", "更正", Action::RunRead, false),
    ("/templates", "短信模板", Action::TemplateRead, false),
    ("/inbound", "用户回复", Action::InboundRead, true),
    ("/notices", "屏幕公告", Action::ScreenRead, false),
    ("/map", "停电地图", Action::OutageRead, false),
    ("/statistics", "统计", Action::StatsRead, false),
    ("/imports", "数据导入", Action::ImportRead, false),
    ("/stops", "紧急停发", Action::LinkRead, false),
    ("/org", "组织机构", Action::CustomerRead, false),
    ("/plugins", "策略插件", Action::PluginRead, false),
    ("/people", "用户与令牌", Action::AccessManage, false),
    ("/audit", "审计日志", Action::AuditRead, true),
];

/// All pages, ready to be filled in.
pub(crate) struct Pages(Environment<'static>);

/// A sentence on top of a page.
#[derive(Serialize)]
pub(crate) struct Said {
    /// `good`, `warn`, `bad` or empty.
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    pub(crate) list: Vec<String>,
}

impl Said {
    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self { kind: "good", text: text.into(), list: Vec::new() }
    }

    pub(crate) fn problem(problem: &Problem) -> Self {
        let list = problem.errors.iter().map(|e| format!("{}：{}", e.field, e.message));
        let detail = problem.detail.iter().cloned();
        Self { kind: "bad", text: problem.code.chinese().to_owned(), list: detail.chain(list).collect() }
    }
}

impl Pages {
    pub(crate) fn new() -> Result<Self, Problem> {
        let mut env = Environment::new();
        words::add_filters(&mut env);
        for (name, text) in TEMPLATES {
            env.add_template(name, text).map_err(|e| Problem::internal(&e))?;
        }
        Ok(Self(env))
    }

    /// A whole page for whoever is signed in. `here` is the menu's item.
    pub(crate) fn show(&self, app: &App, session: &Session, name: &str, here: &str, more: Value) -> Response {
        self.answer(name, context! { ..more, ..frame(app, session, here) })
    }

    /// A page for nobody.
    pub(crate) fn plain(&self, name: &str, more: Value) -> Response {
        self.answer(name, more)
    }

    /// A piece of a page.
    pub(crate) fn piece(&self, name: &str, more: Value) -> Result<String, Problem> {
        let template = self.0.get_template(name).map_err(|e| Problem::internal(&e))?;
        template.render(more).map_err(|e| Problem::internal(&format!("{e:#}")))
    }

    fn answer(&self, name: &str, more: Value) -> Response {
        match self.piece(name, more) {
            Ok(text) => Html(text).into_response(),
            Err(problem) => (StatusCode::INTERNAL_SERVER_ERROR, problem.sentence()).into_response(),
        }
    }
}

/// What every page needs.
fn frame(app: &App, session: &Session, here: &str) -> Value {
    let caller = &session.caller;
    let org = app.org();
    let province = caller.scope.covers_province(&org);
    let menu: Vec<Value> = MENU
        .iter()
        .filter(|(_, _, action, whole)| caller.may(*action) && (province || !whole))
        .map(|(href, title, ..)| context! { href => *href, title => *title })
        .collect();
    let scope: Option<gridbell_model::OrgCode> = caller.scope.into();
    let scope =
        scope.map_or_else(|| "全部".to_owned(), |c| org.get(c).map_or_else(|| c.to_string(), |u| u.name.clone()));
    context! {
        nav => menu, here, csrf => session.csrf.clone(),
        who => context! { title => session.title.clone(), role => caller.role.chinese(), scope },
    }
}

/// The cookie's session, if it is one.
pub(super) fn session_of(app: &App, headers: &HeaderMap) -> Option<Session> {
    app.sessions().find(&cookie_of(headers)?)
}

pub(super) fn cookie_of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    let mut pairs = cookies.filter_map(|c| c.trim().split_once('='));
    pairs.find(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value.to_owned())
}

impl FromRequestParts<App> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let session = session_of(app, &parts.headers).ok_or_else(|| Problem::new(Code::Unauthenticated))?;
        tracing::Span::current().record("caller", session.caller.name.as_str());
        Ok(session)
    }
}

/// Style, script and icon: part of the program, never from elsewhere.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let (media, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "app.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return Problem::not_found().into_response(),
    };
    let cache = HeaderValue::from_static("public, max-age=300");
    ([(header::CONTENT_TYPE, HeaderValue::from_static(media)), (header::CACHE_CONTROL, cache)], text).into_response()
}

/// Anything of the API's as a template sees it.
pub(super) fn data(value: impl Serialize) -> Value {
    Value::from(minijinja::value::Serde(value))
}
