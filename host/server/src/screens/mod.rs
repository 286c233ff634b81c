//! What televisions and players see, without signing in: the page of one screen behind its secret address, the feed of each community and its alerts.
//!
//! Nothing here says who published a notice or why, or whom to turn to in a community; nothing changes but what a screen says that it showed.

mod cap;
mod kiosk;

use axum::Router;
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use gridbell_conductor::{NewScreen, Screens};
use gridbell_screens::{CommunityKey, Screen, ScreenId, ScreenKind};

use crate::access::{fingerprint, random_hex};
use crate::app::App;
use crate::conduct::ConductError;
use crate::problem::Problem;

/// Bytes of entropy in a screen's address.
const SECRET_BYTES: usize = 24;

/// The public routes.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/screens/worker.js", get(kiosk::worker))
        .route("/screens/{token}", get(kiosk::page))
        .route("/screens/{token}/state", get(kiosk::state))
        .route("/screens/{token}/shown", post(kiosk::shown))
        .route("/cap/{file}", get(cap::feed))
        .route("/cap/alerts/{file}", get(cap::alert))
}

/// Enters a screen with a secret of the server's making, which is returned and kept nowhere.
pub(crate) async fn issue(
    screens: &Screens,
    community: CommunityKey,
    place: String,
    kind: ScreenKind,
    who: &str,
) -> Result<(Screen, String), Problem> {
    let token = random_hex(SECRET_BYTES)?;
    let new = NewScreen { community, place, kind, secret: fingerprint(&token) };
    let screen = screens.add_screen(new, who).await?;
    Ok((screen, token))
}

/// Gives a screen another secret.
pub(crate) async fn reissue(screens: &Screens, id: ScreenId, who: &str) -> Result<(Screen, String), Problem> {
    let token = random_hex(SECRET_BYTES)?;
    let screen = screens.rotate_screen(id, fingerprint(&token), who).await?;
    Ok((screen, token))
}

/// Enters a kiosk screen and returns the path of its page, for who sets a host up without its API.
///
/// # Errors
/// Where the screen breaks a rule, or the store refuses.
pub async fn open_screen(
    screens: &Screens,
    community: CommunityKey,
    place: &str,
    who: &str,
) -> Result<String, ConductError> {
    let issued = issue(screens, community, place.to_owned(), ScreenKind::Kiosk, who).await;
    let (_, token) = issued.map_err(|p| ConductError::Unavailable(p.sentence()))?;
    Ok(format!("/screens/{token}"))
}

/// `path` as others reach it: at the address that the operator gave, else at the one that was asked.
pub(crate) fn address(app: &App, headers: &HeaderMap, path: &str) -> String {
    if let Some(base) = &app.conduct.screens().settings().public_url {
        return format!("{}{path}", base.trim_end_matches('/'));
    }
    let named = |host: &&str| {
        !host.is_empty()
            && host.len() <= 255
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']'))
    };
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).filter(named).unwrap_or("localhost");
    format!("{}://{host}{path}", if app.secure { "https" } else { "http" })
}

/// Whether the caller has what `etag` names already.
pub(crate) fn has(headers: &HeaderMap, etag: &str) -> bool {
    let given = headers.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).unwrap_or_default();
    given.split(',').map(|tag| tag.trim().trim_start_matches("W/")).any(|tag| tag == etag || tag == "*")
}
