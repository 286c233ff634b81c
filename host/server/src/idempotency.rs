//! `Idempotency-Key` on writes: the same request again gets the answer of the first, and changes nothing.
//!
//! The key is claimed by a document of kind `idempotency` before the request is worked on; its answer is kept in it afterwards. A claim whose
//! process died in between is worked on again after [`CLAIM_MS`]: every write of this API is harmless when repeated (facts tell
//! themselves once, runs share deduplication, documents carry versions), the key only makes the answer the same. Answers that hold a
//! secret are never kept.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gridbell_model::Moment;
use gridbell_state::{DocChange, StateError};
use serde::{Deserialize, Serialize};

use crate::access::{Caller, authenticate_token, fingerprint};
use crate::app::App;
use crate::extract::{bearer, body_bound, is_file, read_body};
use crate::problem::{Code, Problem};

const KIND: &str = "idempotency";
/// The header.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is a kept one.
pub(crate) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key.
pub(crate) const MAX_KEY_BYTES: usize = 128;
/// Keys kept; beyond it the oldest are forgotten.
pub(crate) const MAX_KEYS: usize = 5_000;
/// How long an answer is kept.
pub(crate) const KEEP_MS: i64 = 24 * 3_600_000;
/// How long a claim holds without an answer; longer than a request may take.
pub(crate) const CLAIM_MS: i64 = 150_000;
/// Largest answer that is kept; of a larger one only that it was given.
pub(crate) const MAX_KEPT_ANSWER: usize = 16 << 10;
/// Keys forgotten in one go.
const FORGET_AT_ONCE: usize = 500;

#[derive(Serialize, Deserialize)]
struct Kept {
    request: String,
    at: Moment,
    answer: Option<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    media: String,
    etag: Option<String>,
    /// None when it is too large or secret.
    body: Option<String>,
}

/// Put into an answer's extensions when it holds a secret.
#[derive(Clone, Copy)]
pub(crate) struct Secret;

/// The layer around `/v1`.
pub(crate) async fn idempotent(State(app): State<App>, request: Request, next: Next) -> Response {
    let writes = matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH | Method::DELETE);
    match request.headers().get(&IDEMPOTENCY_KEY).cloned() {
        // A file is never held in memory: its handler asks `once` when it was received.
        Some(_) if is_file(request.uri().path()) => next.run(request).await,
        Some(key) if writes => keyed(&app, &key, request, next).await.unwrap_or_else(IntoResponse::into_response),
        _ => next.run(request).await,
    }
}

async fn keyed(app: &App, key: &HeaderValue, request: Request, next: Next) -> Result<Response, Problem> {
    let now = app.clock().now();
    // Keys are each caller's own: nobody replays somebody else's answer.
    let caller = bearer(request.headers()).and_then(|t| authenticate_token(app.state(), t, now));
    let caller = caller.ok_or_else(|| Problem::new(Code::Unauthenticated))?;
    let (parts, body) = request.into_parts();
    let bytes = read_body(&parts.headers, body, body_bound(parts.uri.path())).await?;
    let mut what = format!("{} {}\n", parts.method, parts.uri).into_bytes();
    what.extend_from_slice(&bytes);
    let work = async { next.run(Request::from_parts(parts, Body::from(bytes))).await };
    claimed(app, key, &caller, &what, work).await
}

/// Does `work` once for each key of the caller's, if the request has one; `what` is the whole request, or what stands for it.
pub(crate) async fn once(
    app: &App,
    headers: &HeaderMap,
    caller: &Caller,
    what: &[u8],
    work: impl Future<Output = Response>,
) -> Result<Response, Problem> {
    match headers.get(&IDEMPOTENCY_KEY) {
        Some(key) => claimed(app, key, caller, what, work).await,
        None => Ok(work.await),
    }
}

async fn claimed(
    app: &App,
    key: &HeaderValue,
    caller: &Caller,
    what: &[u8],
    work: impl Future<Output = Response>,
) -> Result<Response, Problem> {
    let key = key.to_str().ok().filter(|k| !k.is_empty() && k.len() <= MAX_KEY_BYTES);
    let key = key.ok_or_else(|| {
        Problem::because(
            Code::BadRequest,
            format!("`Idempotency-Key` is 1 to {MAX_KEY_BYTES} printable ASCII characters"),
        )
    })?;
    let now = app.clock().now();
    let name = fingerprint(&format!("{}\0{:?}\0{key}", caller.name, caller.scope));
    let what = fingerprint_bytes(what);
    let expected = match app.state().doc(KIND, &name) {
        None => 0,
        Some(doc) => {
            let kept: Kept = serde_json::from_slice(&doc.value).map_err(|e| Problem::internal(&e))?;
            if now.unix_ms() - kept.at.unix_ms() < KEEP_MS {
                if kept.request != what {
                    return Err(Problem::new(Code::IdempotencyReused));
                }
                match kept.answer {
                    Some(answer) => return answer.replay(),
                    None if now.unix_ms() - kept.at.unix_ms() < CLAIM_MS => {
                        return Err(Problem { retry_after_s: Some(2), ..Problem::new(Code::IdempotencyBusy) });
                    }
                    None => {}
                }
            }
            doc.version
        }
    };
    claim(app, &name, &what, now, expected).await?;
    let response = work.await;
    keep(app, &name, what, now, response).await
}

async fn claim(app: &App, name: &str, what: &str, now: Moment, expected: u64) -> Result<(), Problem> {
    let kept = Kept { request: what.to_owned(), at: now, answer: None };
    let mut docs = forgotten(app, now);
    docs.retain(|d| d.key != name);
    docs.push(change(name, Some(&kept), Some(expected))?);
    match app.state().put_docs(docs, Vec::new()).await {
        Ok(_) => Ok(()),
        Err(StateError::Conflict { .. }) => {
            Err(Problem { retry_after_s: Some(2), ..Problem::new(Code::IdempotencyBusy) })
        }
        Err(e) => Err(e.into()),
    }
}

/// Keeps the answer. One that says "not now" is not kept: the caller is meant to try again with the same key.
async fn keep(app: &App, name: &str, request: String, at: Moment, response: Response) -> Result<Response, Problem> {
    let secret = response.extensions().get::<Secret>().is_some();
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await.map_err(|e| Problem::internal(&e))?;
    let passing = parts.status.is_server_error() || parts.status == StatusCode::TOO_MANY_REQUESTS;
    let kept = (!passing).then(|| Kept {
        request,
        at,
        answer: Some(Answer {
            status: parts.status.as_u16(),
            media: text_of(&parts.headers, &header::CONTENT_TYPE).unwrap_or_default(),
            etag: text_of(&parts.headers, &header::ETAG),
            body: String::from_utf8(bytes.to_vec()).ok().filter(|b| !secret && b.len() <= MAX_KEPT_ANSWER),
        }),
    });
    // The change itself is durable by now; if its answer cannot be kept, the claim runs out and a repetition is harmless.
    if let Err(e) = app.state().put_docs(vec![change(name, kept.as_ref(), None)?], Vec::new()).await {
        tracing::warn!(error = %e, "idempotency.not_kept: {e}");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

impl Answer {
    fn replay(self) -> Result<Response, Problem> {
        let body = self.body.ok_or_else(|| Problem::new(Code::IdempotencyGone))?;
        let status = StatusCode::from_u16(self.status).map_err(|e| Problem::internal(&e))?;
        let mut response = (status, Bytes::from(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
        let media = HeaderValue::from_str(&self.media).map_err(|e| Problem::internal(&e))?;
        headers.insert(header::CONTENT_TYPE, media);
        if let Some(etag) = self.etag.and_then(|e| HeaderValue::from_str(&e).ok()) {
            headers.insert(header::ETAG, etag);
        }
        Ok(response)
    }
}

/// Keys that are over, and the oldest when there are too many; looked for only when it pays.
fn forgotten(app: &App, now: Moment) -> Vec<DocChange> {
    let all = app.state().docs(KIND);
    if all.len() < MAX_KEYS {
        return Vec::new();
    }
    let age =
        |doc: &gridbell_state::Doc| serde_json::from_slice::<Kept>(&doc.value).map_or(i64::MIN, |k| k.at.unix_ms());
    let mut by_age: Vec<(i64, String)> = all.iter().map(|(key, doc)| (age(doc), key.clone())).collect();
    by_age.sort_unstable();
    let over = by_age.iter().take_while(|(at, _)| now.unix_ms() - at >= KEEP_MS).count();
    let drop = over.max(FORGET_AT_ONCE.min(by_age.len()));
    let gone = by_age.into_iter().take(drop.min(FORGET_AT_ONCE));
    gone.map(|(_, key)| DocChange { kind: KIND.to_owned(), key, value: None, expected: None }).collect()
}

fn change(name: &str, kept: Option<&Kept>, expected: Option<u64>) -> Result<DocChange, Problem> {
    let value = kept.map(serde_json::to_vec).transpose().map_err(|e| Problem::internal(&e))?;
    Ok(DocChange { kind: KIND.to_owned(), key: name.to_owned(), value, expected })
}

fn text_of(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

fn fingerprint_bytes(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    crate::access::hex(&Sha256::digest(bytes))
}
