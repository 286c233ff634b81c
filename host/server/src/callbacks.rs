//! What platforms post to `/callbacks/{account}`: receipts, and what followers do. Nobody signs in here: the account's provider believes only what the
//! platform has signed, and the answer says that it is durable. Query, headers and body are personal and stay out of logs.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridbell_conductor::{IncomingCallback, MAX_CALLBACK};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::app::App;

/// Callbacks that are worked on at a time; beyond it platforms are told to come back, which they do.
pub const MAX_CALLBACKS: usize = 64;
/// How long a callback's body may take to come in.
pub const CALLBACK_TIMEOUT: Duration = Duration::from_secs(15);
/// Headers of a callback that its provider may look at.
const MAX_HEADERS: usize = 100;

/// `GET` and `POST /callbacks/{account}`.
pub(crate) async fn take(State(app): State<App>, Path(account): Path<String>, request: Request) -> Response {
    let Ok(_slot) = app.callbacks.try_acquire() else {
        return say(StatusCode::SERVICE_UNAVAILABLE, "again");
    };
    let (parts, body) = request.into_parts();
    let body = match tokio::time::timeout(CALLBACK_TIMEOUT, whole(body)).await {
        Ok(Ok(body)) => body,
        Ok(Err(refused)) => return refused,
        Err(_) => return say(StatusCode::REQUEST_TIMEOUT, "too slow"),
    };
    // Names are in lower case already; a value that is no text signs nothing.
    let headers = parts.headers.iter().take(MAX_HEADERS);
    let headers = headers.filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
    let callback = IncomingCallback {
        is_get: parts.method == Method::GET,
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body,
    };
    let reply = app.conduct.callback(account, callback).await;
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, reply.kind)], reply.body).into_response()
}

async fn whole(body: Body) -> Result<Vec<u8>, Response> {
    match Limited::new(body, MAX_CALLBACK).collect().await {
        Ok(whole) => Ok(whole.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => Err(say(StatusCode::PAYLOAD_TOO_LARGE, "too long")),
        Err(_) => Err(say(StatusCode::BAD_REQUEST, "broken off")),
    }
}

fn say(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
}
