//! Whether the process lives and whether it takes and sends: for whoever restarts it and whoever routes to it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::app::App;
use crate::problem::{Code, Problem};

/// `GET /healthz`: the process answers.
pub(crate) async fn healthz() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the host takes and sends; else why not.
pub(crate) async fn readyz(State(app): State<App>) -> Response {
    if let Some(why) = app.state().failure() {
        return Problem::because(Code::Unavailable, why).into_response();
    }
    match app.conduct.ready() {
        Ok(()) => (StatusCode::OK, "ready\n").into_response(),
        Err(why) => Problem::because(Code::Unavailable, why).into_response(),
    }
}
