//! Users and tokens: managed by operators, never beyond their own scope.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gridbell_model::OrgCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::page::Page;
use super::view::UnitRef;
use crate::access::{
    Action, Caller, NewToken, Role, Scope, UserDoc, check_name, check_password, delete_token as remove_token,
    delete_user as remove_user, get_user, issue_token, list_tokens as tokens, list_users as users,
    put_user as store_user,
};
use crate::app::App;
use crate::extract::{At, IfMatch, Json};
use crate::idempotency::Secret;
use crate::problem::{Problem, ProblemBody};

/// Whoever manages access sees those whose scope lies within their own; others are told so, whatever they name.
fn manages(app: &App, caller: &Caller, scope: Scope) -> Result<(), Problem> {
    if !caller.scope.contains(&app.org(), scope) {
        return Err(Problem::not_found());
    }
    caller.require(Action::AccessManage)
}

/// A scope that is given out must be a unit that there is, within the caller's own.
fn scope_given(app: &App, caller: &Caller, code: Option<u32>) -> Result<Scope, Problem> {
    let scope = Scope::from(code.map(OrgCode));
    let known = code.is_none_or(|c| app.org().get(OrgCode(c)).is_some());
    if known && caller.scope.contains(&app.org(), scope) {
        return Ok(scope);
    }
    Err(Problem::field("scope", "there is no such org unit within your own scope"))
}

/// A user; never with a password.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UserView {
    /// User name.
    name: String,
    /// What they are called.
    title: String,
    /// Role.
    pub(crate) role: Role,
    /// The unit whose subtree they see; none for everything.
    scope: Option<UnitRef>,
    /// Whether they may sign in.
    enabled: bool,
}

fn unit(app: &App, scope: Scope) -> Option<UnitRef> {
    Option::from(scope).map(|code| UnitRef::of(&app.org(), code))
}

/// The users within the caller's scope.
#[utoipa::path(get, path = "/v1/users", tag = "access", responses((status = 200, body = Page<UserView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_users(State(app): State<App>, caller: Caller) -> Result<axum::Json<Page<UserView>>, Problem> {
    Ok(axum::Json(Page::whole(visible_users(&app, &caller)?)))
}

/// The users within the caller's scope.
pub(crate) fn visible_users(app: &App, caller: &Caller) -> Result<Vec<UserView>, Problem> {
    caller.require(Action::AccessManage)?;
    let org = app.org();
    let seen = users(app.state()).into_iter().filter(|(_, u, _)| caller.scope.contains(&org, u.scope));
    let view = |(name, u, _): (String, UserDoc, u64)| UserView {
        name,
        title: u.title,
        role: u.role,
        scope: unit(app, u.scope),
        enabled: u.enabled,
    };
    Ok(seen.map(view).collect())
}

/// A user to make or change.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBody {
    /// What they are called, 1 to 40 characters.
    pub(crate) title: String,
    /// Role.
    pub(crate) role: Role,
    /// Code of the unit whose subtree they see; none for everything.
    pub(crate) scope: Option<u32>,
    /// A new password; may be left out for a user that is there.
    pub(crate) password: Option<String>,
    /// Whether they may sign in.
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
}

fn yes() -> bool {
    true
}

/// Makes or changes a user; their sessions end.
#[utoipa::path(put, path = "/v1/users/{name}", tag = "access", params(("name" = String, Path, description = "user name")), request_body = UserBody,
    responses((status = 200, body = UserView), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 412, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn put_user(
    State(app): State<App>,
    caller: Caller,
    At(name): At<String>,
    IfMatch(expected): IfMatch,
    Json(body): Json<UserBody>,
) -> Result<axum::Json<UserView>, Problem> {
    save_user(&app, &caller, name, body, expected).await.map(axum::Json)
}

/// Makes or changes a user.
pub(crate) async fn save_user(
    app: &App,
    caller: &Caller,
    name: String,
    body: UserBody,
    expected: Option<u64>,
) -> Result<UserView, Problem> {
    caller.require(Action::AccessManage)?;
    let known = get_user(app.state(), &name);
    if let Some((user, _)) = &known {
        manages(app, caller, user.scope)?;
    }
    check_name(&name)?;
    let scope = scope_given(app, caller, body.scope)?;
    if !(1..=40).contains(&body.title.chars().count()) || body.title.chars().any(char::is_control) {
        return Err(Problem::field("title", "1 to 40 characters"));
    }
    let password = match (body.password, &known) {
        (Some(password), _) => {
            check_password(&name, &password)?;
            app.passwords.hash(password).await?
        }
        (None, Some((user, _))) => user.password.clone(),
        (None, None) => return Err(Problem::field("password", "a new user needs a password")),
    };
    let doc = UserDoc { title: body.title, role: body.role, scope, password, enabled: body.enabled };
    let expected = expected.or(known.map(|(_, v)| v)).or(Some(0));
    store_user(app.state(), &name, &doc, expected, &caller.name).await?;
    let scope = unit(app, doc.scope);
    Ok(UserView { name, title: doc.title, role: doc.role, scope, enabled: doc.enabled })
}

/// Deletes a user; their sessions end.
#[utoipa::path(delete, path = "/v1/users/{name}", tag = "access", params(("name" = String, Path, description = "user name")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn delete_user(
    State(app): State<App>,
    caller: Caller,
    At(name): At<String>,
) -> Result<StatusCode, Problem> {
    drop_user(&app, &caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a user.
pub(crate) async fn drop_user(app: &App, caller: &Caller, name: &str) -> Result<(), Problem> {
    caller.require(Action::AccessManage)?;
    let (user, _) = get_user(app.state(), name).ok_or_else(Problem::not_found)?;
    manages(app, caller, user.scope)?;
    remove_user(app.state(), name, &caller.name).await
}

/// A token; never with its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TokenView {
    /// Its public part.
    id: String,
    /// What uses it.
    name: String,
    /// Whose work is done by it; none for a program that is nobody's.
    person: Option<String>,
    /// Role.
    pub(crate) role: Role,
    /// The unit whose subtree it sees; none for everything.
    scope: Option<UnitRef>,
    /// Who made it.
    by: String,
    /// When.
    created: String,
    /// Not valid from then on.
    expires: String,
    /// The token itself, in the answer that makes it and never again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    token: Option<String>,
}

fn token_view(app: &App, id: String, t: crate::access::TokenDoc, token: Option<String>) -> TokenView {
    TokenView {
        id,
        name: t.name,
        person: t.person,
        role: t.role,
        scope: unit(app, t.scope),
        by: t.by,
        created: t.created.to_string(),
        expires: t.expires.to_string(),
        token,
    }
}

/// The tokens within the caller's scope.
#[utoipa::path(get, path = "/v1/tokens", tag = "access", responses((status = 200, body = Page<TokenView>), (status = 403, body = ProblemBody)))]
pub(crate) async fn list_tokens(
    State(app): State<App>,
    caller: Caller,
) -> Result<axum::Json<Page<TokenView>>, Problem> {
    Ok(axum::Json(Page::whole(visible_tokens(&app, &caller)?)))
}

/// The tokens within the caller's scope.
pub(crate) fn visible_tokens(app: &App, caller: &Caller) -> Result<Vec<TokenView>, Problem> {
    caller.require(Action::AccessManage)?;
    let org = app.org();
    let seen = tokens(app.state()).into_iter().filter(|(_, t)| caller.scope.contains(&org, t.scope));
    Ok(seen.map(|(id, t)| token_view(app, id, t, None)).collect())
}

/// A token to make.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    /// What uses it: 2 to 32 lower-case letters, digits, dots and hyphens.
    pub(crate) name: String,
    /// For whom: the user name of the person who works by it, 2 to 32 lower-case letters, digits, dots and hyphens. Whoever issues it, if left out. Nobody
    /// approves his own work, by whichever of his tokens or the console.
    #[serde(default)]
    pub(crate) person: Option<String>,
    /// Role.
    pub(crate) role: Role,
    /// Code of the unit whose subtree it sees; none for everything.
    pub(crate) scope: Option<u32>,
    /// Days of life, 1 to 366.
    pub(crate) days: u32,
}

/// Makes a token. It is in this answer and nowhere else: keep it now.
#[utoipa::path(post, path = "/v1/tokens", tag = "access", request_body = TokenBody,
    responses((status = 201, body = TokenView), (status = 403, body = ProblemBody), (status = 422, body = ProblemBody)))]
pub(crate) async fn post_token(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<TokenBody>,
) -> Result<Response, Problem> {
    let mut response = (StatusCode::CREATED, axum::Json(make_token(&app, &caller, body).await?)).into_response();
    response.extensions_mut().insert(Secret);
    Ok(response)
}

/// Makes a token; its text is in this view and nowhere else.
pub(crate) async fn make_token(app: &App, caller: &Caller, body: TokenBody) -> Result<TokenView, Problem> {
    caller.require(Action::AccessManage)?;
    let scope = scope_given(app, caller, body.scope)?;
    // Whoever gets a token to see may use it: without another person's name it is his own.
    let person = Some(body.person.unwrap_or_else(|| gridbell_conductor::person_of(&caller.name).to_owned()));
    let new = NewToken { name: body.name, person, role: body.role, scope, days: body.days };
    let (text, id, doc) = issue_token(app.state(), new, app.clock().now(), &caller.name).await?;
    Ok(token_view(app, id, doc, Some(text)))
}

/// Deletes a token; it is void at once.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "access", params(("id" = String, Path, description = "the token's public part")),
    responses((status = 204), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)))]
pub(crate) async fn delete_token(
    State(app): State<App>,
    caller: Caller,
    At(id): At<String>,
) -> Result<StatusCode, Problem> {
    drop_token(&app, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a token.
pub(crate) async fn drop_token(app: &App, caller: &Caller, id: &str) -> Result<(), Problem> {
    caller.require(Action::AccessManage)?;
    let found = tokens(app.state()).into_iter().find(|(i, _)| i == id);
    let (_, token) = found.ok_or_else(Problem::not_found)?;
    manages(app, caller, token.scope)?;
    remove_token(app.state(), id, &caller.name).await
}
