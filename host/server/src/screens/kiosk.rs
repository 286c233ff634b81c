//! The page that a television leaves open for a year, what it asks, and what it says that it showed.

use std::sync::LazyLock;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::prelude::{BASE64_STANDARD, Engine};
use gridbell_screens::{MAX_IN_FORCE, NoticeId, SERVICE_NUMBER, Screen, Shown};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::has;
use crate::access::fingerprint;
use crate::app::App;
use crate::extract::{At, Json, Query};
use crate::problem::Problem;

/// The longest that a question waits for news, in seconds: less than what anything on the way holds a quiet connection for.
const LONGEST_WAIT: u64 = 25;
/// How long a page pauses between questions, in seconds; each draws its own moment around it.
const PAUSE: u64 = 15;
/// Revisions that a page acknowledges at a time.
const MAX_TOLD: usize = 4 * MAX_IN_FORCE;
/// The host's time, with every answer: a television's own clock may be wrong.
const NOW: HeaderName = HeaderName::from_static("gridbell-now");

const SOURCE: &str = include_str!("../../kiosk/kiosk.html");
const WORKER: &str = include_str!("../../kiosk/worker.js");

/// The page as it is served, and what its answers carry.
struct Page {
    /// Changes whenever the page does: screens that show another load themselves anew.
    version: String,
    html: String,
    policy: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let version = fingerprint(SOURCE)[..12].to_owned();
    let html = SOURCE.replace("@VERSION@", &version);
    let hash = |tag: &str| {
        let inner = html.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once(&format!("</{tag}>")));
        let inner = inner.map_or("", |(inner, _)| inner);
        BASE64_STANDARD.encode(Sha256::digest(inner.as_bytes()))
    };
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; worker-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style")
    );
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    Page { version, html, policy }
});

/// The screen whose address has `token`.
fn screen_of(app: &App, token: &str) -> Result<Screen, Problem> {
    let secret = fingerprint(token);
    let screens = app.conduct.screens();
    let screen = screens.book(|book| book.screen_of(&secret).cloned()).ok_or_else(Problem::not_found)?;
    screens.heard(&screen);
    Ok(screen)
}

/// `GET /screens/{token}`: the same page for every screen; it asks for the rest.
pub(super) async fn page(State(app): State<App>, At(token): At<String>) -> Result<Response, Problem> {
    screen_of(&app, &token)?;
    let about = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, PAGE.policy.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    Ok((about, PAGE.html.as_str()).into_response())
}

/// `GET /screens/worker.js`: keeps the page, so that a television that is switched on without a network has one.
pub(super) async fn worker() -> Response {
    let about = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; connect-src 'self'")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (about, WORKER).into_response()
}

/// What a screen shows.
#[derive(Serialize)]
struct ScreenState {
    /// The page's version.
    page: String,
    /// 锦绣花园
    community: String,
    /// Where the screen hangs.
    place: String,
    /// Who speaks.
    author: String,
    /// Whom to call.
    service: &'static str,
    /// Seconds until it asks again, about.
    pause: u64,
    /// The gravest first.
    notices: Vec<Shown>,
}

fn state_of(app: &App, screen: &Screen) -> ScreenState {
    let screens = app.conduct.screens();
    let now = app.clock().now();
    let (community, notices) = screens.book(|book| {
        let name = book.community(&screen.community).map(|c| c.name.clone()).unwrap_or_default();
        (name, book.shown(&screen.community, now).into_iter().filter_map(|n| n.as_shown()).collect())
    });
    ScreenState {
        page: PAGE.version.clone(),
        community,
        place: screen.place.clone(),
        author: screens.author(screen.community.prefecture()),
        service: SERVICE_NUMBER,
        pause: PAUSE,
        notices,
    }
}

/// How long to wait for news.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Patience {
    /// Seconds, 25 at most: with an `If-None-Match` that fits, the answer comes when something changes or they are over.
    #[serde(default)]
    wait: u64,
}

/// `GET /screens/{token}/state`: what the screen shows, with an `ETag`; 304 where it knows that.
pub(super) async fn state(
    State(app): State<App>,
    At(token): At<String>,
    Query(patience): Query<Patience>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let screen = screen_of(&app, &token)?;
    let mut changes = app.conduct.screens().changes();
    let (mut etag, mut body) = tagged(&app, &screen)?;
    let wait = patience.wait.min(LONGEST_WAIT);
    if wait > 0
        && has(&headers, &etag)
        && let Ok(_slot) = app.waiting_screens.clone().try_acquire_owned()
    {
        let over = app.clock().sleep(Duration::from_secs(wait));
        tokio::pin!(over);
        while has(&headers, &etag) {
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { break },
                () = &mut over => break,
                () = app.closing.cancelled() => break,
            }
            // Taken away, or given another address, while it waited.
            let screen = screen_of(&app, &token)?;
            (etag, body) = tagged(&app, &screen)?;
        }
    }
    let known = has(&headers, &etag);
    let about = [
        (header::ETAG, etag),
        (NOW, app.clock().now().unix_ms().to_string()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    Ok((about, [(header::CONTENT_TYPE, "application/json")], body).into_response())
}

fn tagged(app: &App, screen: &Screen) -> Result<(String, String), Problem> {
    let body = serde_json::to_string(&state_of(app, screen)).map_err(|e| Problem::internal(&e))?;
    Ok((format!("\"{}\"", &fingerprint(&body)[..32]), body))
}

/// A revision that was shown.
#[derive(Debug, Deserialize)]
struct ToldRevision {
    notice: NoticeId,
    revision: u32,
}

/// What a screen says that it showed.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    shown: Vec<ToldRevision>,
}

/// `POST /screens/{token}/shown`: what was really on the screen; durable when it is answered.
pub(super) async fn shown(
    State(app): State<App>,
    At(token): At<String>,
    Json(told): Json<Told>,
) -> Result<axum::Json<serde_json::Value>, Problem> {
    let screen = screen_of(&app, &token)?;
    if told.shown.len() > MAX_TOLD {
        return Err(Problem::field("shown", format!("has more than {MAX_TOLD}: tell less at a time")));
    }
    let told: Vec<(NoticeId, u32)> = told.shown.iter().map(|t| (t.notice, t.revision)).collect();
    let taken = app.conduct.screens().acknowledge(&screen, &told).await?;
    Ok(axum::Json(serde_json::json!({ "taken": taken })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_brings_all_that_it_needs_and_its_policy_lets_nothing_else_in() {
        let page = &*PAGE;
        assert!(page.html.contains(&page.version) && !page.html.contains("@VERSION@"));
        for outside in ["http://", "https://", "src=", "href=", " style=", " onclick=", "innerHTML", "eval("] {
            assert!(!page.html.contains(outside), "{outside}");
        }
        assert_eq!(page.html.matches("<script>").count(), 1);
        assert_eq!(page.html.matches("<style>").count(), 1);
        let policy = page.policy.to_str().unwrap();
        assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    }
}
