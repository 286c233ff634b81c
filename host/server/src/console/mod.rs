//! The console at `/`: Chinese first, rendered here, readable on a telephone, useful without its script. Every page asks the same functions as the
//! API, so that no page shows or does what the API would refuse. Every form carries its session's token.

mod dashboard;
mod form;
mod lookup;
mod page;
mod policies;
mod runs;
mod signin;
mod statistics;
mod stops;
mod templates;
mod words;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};

use crate::app::App;
use crate::problem::{Code, PROBLEM_JSON, ProblemBody};

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
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/release", post(runs::release))
        .route("/runs/{id}/refuse", post(runs::refuse))
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
    let session = page::session_of(&app, request.headers());
    let response = next.run(request).await;
    let problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes() == PROBLEM_JSON.as_bytes());
    if !problem || wants_json {
        return response;
    }
    let status = response.status();
    let retry = response.headers().get(header::RETRY_AFTER).cloned();
    if status == StatusCode::UNAUTHORIZED {
        return Redirect::to("/signin").into_response();
    }
    let Ok(bytes) = axum::body::to_bytes(response.into_body(), crate::extract::MAX_BODY_BYTES).await else {
        return crate::problem::Problem::new(Code::Internal).into_response();
    };
    let Ok(body) = serde_json::from_slice::<ProblemBody>(&bytes) else {
        return (status, bytes).into_response();
    };
    let context = minijinja::context! { problem => page::data(&body), request_id => page::request_id() };
    let mut page = match session {
        Some(session) => app.pages.show(&app, &session, "error.html", "", context),
        None => app.pages.plain("signin.html", minijinja::context! { wrong => body.title }),
    };
    *page.status_mut() = status;
    if let Some(retry) = retry {
        page.headers_mut().insert(header::RETRY_AFTER, retry);
    }
    page
}
