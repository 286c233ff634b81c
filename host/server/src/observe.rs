//! Around every request: its id, its span, its bound in time, its count. Logs the route as a template, never a path with an account in it.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;

use crate::access::random_hex;
use crate::app::App;
use crate::extract::is_file;
use crate::problem::{Code, Problem};

/// How long a request may take; uploads are compiled within it.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
/// How long a file may take to come in; a caller who pauses is cut off much earlier.
pub const UPLOAD_TIMEOUT: Duration = Duration::from_secs(3600);
/// The header with the request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that a caller may give.
const MAX_REQUEST_ID: usize = 64;

/// The id of a request, for pages that repeat it.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// The outermost layer.
pub(crate) async fn observe(
    State(app): State<App>,
    matched: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let route = matched.as_ref().map_or("unmatched", MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let id = request_id(&request);
    let span = tracing::info_span!(
        "http.request",
        http_method = %method,
        http_route = %route,
        request_id = %id,
        caller = tracing::field::Empty,
    );
    let mut request = request;
    // What a page repeats is what the answer's header says.
    request.extensions_mut().insert(RequestId(id.clone()));
    let started = app.clock().monotonic();
    let mut response = guarded(&app, request, next).instrument(span.clone()).await;
    let took = app.clock().monotonic().saturating_sub(started);
    let status = response.status();
    app.metrics.request(&method, &route, status, took);
    span.in_scope(|| {
        tracing::info!(http_status = status.as_u16(), duration_ms = took.as_secs_f64() * 1000.0, "http.answered");
    });
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    harden(app.secure, &route, &mut response);
    response
}

async fn guarded(app: &App, request: Request, next: Next) -> Response {
    let Ok(_slot) = app.requests.clone().try_acquire_owned() else {
        return Problem { retry_after_s: Some(1), ..Problem::new(Code::Busy) }.into_response();
    };
    let bound = if is_file(request.uri().path()) { UPLOAD_TIMEOUT } else { REQUEST_TIMEOUT };
    // The work goes on in a task of its own: a caller who hangs up must not cut a change off between its commit and its answer.
    let work = tokio::spawn(next.run(request).instrument(tracing::Span::current()));
    match tokio::time::timeout(bound, work).await {
        Ok(Ok(response)) => response,
        Ok(Err(panicked)) => Problem::internal(&panicked).into_response(),
        Err(_) => Problem::new(Code::Timeout).into_response(),
    }
}

fn request_id(request: &Request) -> String {
    let given = request.headers().get(&REQUEST_ID).and_then(|v| v.to_str().ok());
    let usable = |id: &&str| {
        !id.is_empty()
            && id.len() <= MAX_REQUEST_ID
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    given.filter(usable).map_or_else(|| random_hex(8).unwrap_or_default(), str::to_owned)
}

/// Headers that every answer carries.
fn harden(secure: bool, route: &str, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    // A page that brings its own script and style names them by their digest.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ));
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if !route.starts_with("/assets/") && !headers.contains_key(header::CACHE_CONTROL) {
        // Answers hold customers' facts: nothing on the way keeps them.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
