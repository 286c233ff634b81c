//! Signing in and out.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::context;
use serde::Deserialize;

use super::page;
use crate::access::{MAX_PASSWORD_BYTES, SESSION_COOKIE, SESSION_HOURS, Session, get_user};
use crate::app::App;
use crate::extract::Form;
use crate::problem::{Code, Problem};

#[derive(Deserialize)]
pub(super) struct Asked {
    name: String,
    password: String,
}

fn page(app: &App, name: &str, wrong: Option<String>) -> Response {
    app.pages.plain("signin.html", context! { province => app.conduct.rules().map(|r| r.name.clone()), name, wrong })
}

pub(super) async fn form(State(app): State<App>, headers: HeaderMap) -> Response {
    if page::session_of(&app, &headers).is_some() {
        return Redirect::to("/").into_response();
    }
    page(&app, "", None)
}

pub(super) async fn sign_in(
    State(app): State<App>,
    peer: Option<axum::Extension<ConnectInfo<SocketAddr>>>,
    headers: HeaderMap,
    Form(asked): Form<Asked>,
) -> Result<Response, Problem> {
    same_site(&headers)?;
    let name = asked.name.trim().to_lowercase();
    let address = peer.map(|p| p.0.0.ip().to_string());
    let now = app.clock().monotonic();
    let watched: Vec<String> =
        [Some(format!("user {name}")), address.map(|a| format!("address {a}"))].into_iter().flatten().collect();
    let wait = watched.iter().map(|key| app.throttle.wait(key, now)).max().unwrap_or_default();
    if !wait.is_zero() {
        let seconds = wait.as_secs() + 1;
        let mut answer = page(&app, &name, Some(format!("尝试次数过多，请 {seconds} 秒后再试。")));
        *answer.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        return Ok(answer);
    }
    watched.iter().for_each(|key| app.throttle.try_made(key, now));
    let user = get_user(app.state(), &name).filter(|(u, _)| u.enabled && asked.password.len() <= MAX_PASSWORD_BYTES);
    let hash = user.map(|(u, _)| u.password);
    let mut password = asked.password;
    if password.len() > MAX_PASSWORD_BYTES {
        password.clear();
    }
    if !app.passwords.verify(password, hash).await? {
        tracing::warn!(user = %name, "session.refused: wrong name or password");
        // One sentence for both: nobody learns which names there are.
        let mut answer = page(&app, &name, Some("用户名或口令不正确。".to_owned()));
        *answer.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(answer);
    }
    watched.iter().for_each(|key| app.throttle.passed(key));
    let cookie = app.sessions().start(&name).await?;
    let mut answer = Redirect::to("/").into_response();
    answer.headers_mut().insert(header::SET_COOKIE, set_cookie(&app, &cookie, SESSION_HOURS * 3600)?);
    Ok(answer)
}

/// A sign-in that another site's page sends is refused: nobody is signed in as somebody else without knowing.
fn same_site(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get("sec-fetch-site").map(HeaderValue::as_bytes) {
        None | Some(b"same-origin" | b"none") => Ok(()),
        Some(_) => Err(Problem::new(Code::Csrf)),
    }
}

fn set_cookie(app: &App, value: &str, seconds: i64) -> Result<HeaderValue, Problem> {
    let secure = if app.secure { "; Secure" } else { "" };
    let text = format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).map_err(|e| Problem::internal(&e))
}

#[derive(Deserialize)]
pub(super) struct Leaving {
    csrf: String,
}

pub(super) async fn sign_out(
    State(app): State<App>,
    session: Session,
    headers: HeaderMap,
    Form(form): Form<Leaving>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    if let Some(cookie) = page::cookie_of(&headers) {
        app.sessions().end(&cookie, &session.caller.name).await?;
    }
    let mut answer = Redirect::to("/signin").into_response();
    answer.headers_mut().insert(header::SET_COOKIE, set_cookie(&app, "", 0)?);
    Ok(answer)
}
