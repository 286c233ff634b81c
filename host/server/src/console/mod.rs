//! The console at `/`: Chinese first, rendered here, readable on a telephone, useful without its script. Every page asks the same functions as the
//! API, so that no page shows or does what the API would refuse. Every form carries its session's token.

mod corrections;
mod dashboard;
mod files;
mod form;
mod lookup;
mod map;
mod notices;
mod page;
mod people;
mod policies;
mod records;
mod release;
mod runs;
mod signin;
mod statistics;
mod stops;
mod templates;
mod words;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::access::Session;
use crate::app::App;
use crate::observe::RequestId;
use crate::problem::{Code, PROBLEM_JSON, Problem, ProblemBody};

pub(crate) use page::Pages;

/// The console's routes. Not in the API's document: they are for browsers.
pub(crate) fn router(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(dashboard::show))
        .route("/live", get(dashboard::live))
        .route("/signin", get(signin::form).post(signin::sign_in))
        .route("/signout", post(signin::sign_out))
        .route("/lookup", get(lookup::show))
        .route("/lookup/unmask", post(lookup::unmask))
        .route("/lookup/contact", post(lookup::contact))
        .route("/imports", get(files::imports).post(files::send_import).layer(DefaultBodyLimit::disable()))
        .route("/imports/{id}", get(files::import))
        .route("/imports/{id}/rejects", get(files::rejects))
        .route("/plugins", get(files::plugins).post(files::send_plugin).layer(DefaultBodyLimit::disable()))
        .route("/plugins/approve", post(release::approve))
        .route("/plugins/retire", post(release::retire))
        .route("/proposals", get(release::list))
        .route("/proposals/decide", post(release::decide))
        .route("/corrections", get(corrections::list))
        .route("/corrections/{id}", get(corrections::show))
        .route("/people", get(people::show))
        .route("/people/user", post(people::user))
        .route("/people/user/delete", post(people::delete_user))
        .route("/people/token", post(people::token))
        .route("/people/token/delete", post(people::delete_token))
        .route("/audit", get(records::audit))
        .route("/inbound", get(records::inbound))
        .route("/map", get(map::show))
        .route("/notices", get(notices::list))
        .route("/notices/new", get(notices::draft).post(notices::publish))
        .route("/notices/{id}", get(notices::show).post(notices::correct))
        .route("/notices/{id}/cancel", post(notices::cancel))
        .route("/org", get(records::org))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/release", post(runs::release))
        .route("/runs/{id}/refuse", post(runs::refuse))
        .route("/runs/{id}/recall", get(runs::ask_recall).post(runs::do_recall))
        .route("/runs/{id}/correct", get(corrections::draft).post(corrections::propose))
        .route("/work-orders", get(lookup::work_orders))
        .route("/undelivered", get(lookup::undelivered))
        .route("/run", get(runs::order).post(runs::send))
        .route("/templates", get(templates::list))
        .route("/templates/edit", get(templates::edit).post(templates::save))
        .route("/templates/preview", post(templates::preview))
        .route("/templates/approve", post(templates::approve))
        .route("/policies", get(policies::list))
        .route("/policies/{prefecture}/{policy}", get(policies::show).post(policies::change))
        .route("/stops", get(stops::list).post(stops::set))
        .route("/stops/release", post(stops::release))
        .route("/statistics", get(statistics::show))
        .layer(axum::middleware::from_fn_with_state(app.clone(), as_pages))
        .route("/assets/{name}", get(page::asset))
}

/// A problem becomes a page for whoever reads pages: a sign-in for strangers, else what is wrong and what to do.
async fn as_pages(State(app): State<App>, request: Request, next: Next) -> Response {
    let wants_json = request.headers().get(header::ACCEPT).is_some_and(|a| a.as_bytes() == b"application/json");
    let asked = Asked::of(&app, &request);
    let response = next.run(request).await;
    let problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes() == PROBLEM_JSON.as_bytes());
    if !problem || wants_json {
        return response;
    }
    let status = response.status();
    let retry = response.headers().get(header::RETRY_AFTER).cloned();
    let Ok(bytes) = axum::body::to_bytes(response.into_body(), crate::extract::MAX_BODY_BYTES).await else {
        return Problem::new(Code::Internal).into_response();
    };
    let Ok(body) = serde_json::from_slice::<ProblemBody>(&bytes) else {
        return (status, bytes).into_response();
    };
    asked.page(&app, status, retry, &body)
}

/// `problem` as a page for whoever sent `request`.
pub(crate) fn as_page(app: &App, request: &Request, problem: Problem) -> Response {
    Asked::of(app, request).page(app, problem.code.status(), None, &problem.body())
}

/// Who asked, and under which id.
struct Asked {
    session: Option<Session>,
    id: String,
}

impl Asked {
    fn of(app: &App, request: &Request) -> Self {
        let id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Self { session: page::session_of(app, request.headers()), id }
    }

    fn page(self, app: &App, status: StatusCode, retry: Option<HeaderValue>, body: &ProblemBody) -> Response {
        if status == StatusCode::UNAUTHORIZED {
            return Redirect::to("/signin").into_response();
        }
        let context = minijinja::context! { problem => page::data(body), request_id => self.id };
        let mut page = match self.session {
            Some(session) => app.pages.show(app, &session, "error.html", "", context),
            None => app.pages.plain("signin.html", minijinja::context! { wrong => body.title.clone() }),
        };
        *page.status_mut() = status;
        if let Some(retry) = retry {
            page.headers_mut().insert(header::RETRY_AFTER, retry);
        }
        page
    }
}
