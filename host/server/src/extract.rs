//! How requests are read: bounded bodies, JSON and queries whose mistakes become problem details, callers by their token.

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::access::{Caller, authenticate_token};
use crate::app::App;
use crate::problem::{Code, Problem};

/// Largest JSON body and form: a batch of a thousand rows and a policy file fit well.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// Largest file of the province's: an org tree of twenty thousand units.
pub const MAX_PROVINCE_BYTES: usize = 4 << 20;
/// Largest plugin that is read; the engine's own bound is no larger.
pub const MAX_PLUGIN_BYTES: usize = 48 << 20;

/// The largest body that `path` takes.
pub(crate) fn body_bound(path: &str) -> usize {
    match path {
        "/v1/plugins" => MAX_PLUGIN_BYTES,
        "/v1/rules" | "/v1/calendar" | "/v1/segments" | "/v1/org-units" => MAX_PROVINCE_BYTES,
        _ => MAX_BODY_BYTES,
    }
}

/// Whether the body of `path` is a file that goes to the disk and never into memory as a whole.
pub(crate) fn is_file(path: &str) -> bool {
    path.starts_with("/v1/imports/") || path == "/imports"
}

/// Reads a whole body within its bound.
pub(crate) async fn read_body(headers: &HeaderMap, body: Body, bound: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::because(Code::TooLarge, format!("the body is over its bound of {bound} bytes; send less at a time"))
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n| n > bound as u64) {
        return Err(too_large());
    }
    to_bytes(body, bound).await.map_err(|e| {
        let limited = std::error::Error::source(&e).is_some_and(|s| s.is::<http_body_util::LengthLimitError>());
        if limited { too_large() } else { Problem::because(Code::BadRequest, "the body broke off") }
    })
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let media = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        if !(media == "application/json" || media.ends_with("+json")) {
            return Err(Problem::because(Code::UnsupportedMedia, "send `Content-Type: application/json`"));
        }
        let bytes = read_body(&parts.headers, body, MAX_BODY_BYTES).await?;
        parse_json(&bytes).map(Self)
    }
}

/// Reads JSON; what is wrong is told with line and column.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|e| {
        let what = plain_words(&e.to_string());
        if e.is_data() { Problem::because(Code::Invalid, what) } else { Problem::because(Code::BadRequest, what) }
    })
}

/// serde's messages without the names of the program's types.
fn plain_words(message: &str) -> String {
    const WORDS: &[(&str, &str)] = &[
        ("u8", "a whole number from 0 to 255"),
        ("u16", "a whole number from 0 to 65535"),
        ("u32", "a whole number from 0 to 4294967295"),
        ("u64", "a whole number that is not negative"),
        ("usize", "a whole number that is not negative"),
        ("i32", "a whole number"),
        ("i64", "a whole number"),
        ("f64", "a number"),
    ];
    let mut out = String::with_capacity(message.len());
    for (n, word) in message.split(' ').enumerate() {
        if n > 0 {
            out.push(' ');
        }
        let bare = word.trim_end_matches([',', '.']);
        match WORDS.iter().find(|(w, _)| *w == bare) {
            Some((_, plain)) => {
                out.push_str(plain);
                out.push_str(&word[bare.len()..]);
            }
            None if bare == "struct" => out.push_str("an object for"),
            None => out.push_str(word),
        }
    }
    out
}

/// A query string.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|q| Self(q.0)).map_err(|e| Problem::because(Code::BadRequest, plain_words(&e.body_text())))
    }
}

/// A form of the console.
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Form<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &App) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let bytes = read_body(&parts.headers, body, MAX_BODY_BYTES).await?;
        let request = Request::from_parts(parts, Body::from(bytes));
        let form = axum::Form::<T>::from_request(request, state).await;
        form.map(|f| Self(f.0)).map_err(|e| Problem::because(Code::BadRequest, plain_words(&e.body_text())))
    }
}

/// One path segment; text that is no such thing names nothing.
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Path::<T>::from_request_parts(parts, state).await.map(|p| Self(p.0)).map_err(|_| Problem::not_found())
    }
}

/// Parses a path segment or parameter that must name something.
pub(crate) fn named<T: std::str::FromStr>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found())
}

/// Parses a parameter of a query.
pub(crate) fn given<T: std::str::FromStr<Err = E>, E: std::fmt::Display>(
    field: &str,
    text: &str,
) -> Result<T, Problem> {
    text.parse().map_err(|e: E| Problem::field(field, e.to_string()))
}

/// The bearer token of a request.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let caller = bearer(&parts.headers).and_then(|t| authenticate_token(app.state(), t, app.clock().now()));
        let caller = caller.ok_or_else(|| Problem::new(Code::Unauthenticated))?;
        tracing::Span::current().record("caller", caller.name.as_str());
        Ok(caller)
    }
}

/// The version that a write expects, from `If-Match`; none without the header or for `*`.
pub(crate) struct IfMatch(pub(crate) Option<u64>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let text = value.to_str().unwrap_or_default().trim();
        if text == "*" {
            return Ok(Self(None));
        }
        let version = text.trim_matches('"').parse().map_err(|_| {
            Problem::because(Code::PreconditionFailed, "`If-Match` holds one ETag as it was given, such as \"3\"")
        })?;
        Ok(Self(Some(version)))
    }
}

/// An answer with the version that `If-Match` is checked against.
pub(crate) struct Versioned<T>(pub(crate) u64, pub(crate) T);

impl<T: serde::Serialize> axum::response::IntoResponse for Versioned<T> {
    fn into_response(self) -> axum::response::Response {
        (StatusCode::OK, [(header::ETAG, format!("\"{}\"", self.0))], axum::Json(self.1)).into_response()
    }
}
