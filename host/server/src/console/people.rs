//! Users and tokens: made, changed, revoked; a token is shown once, on the page that makes it.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use super::page::{Said, data};
use crate::access::{Role, Session};
use crate::api::{
    TokenBody, UserBody, drop_token, drop_user, make_token, org_units, save_user, visible_tokens, visible_users,
};
use crate::app::App;
use crate::extract::{Form, given};
use crate::problem::{Code, Problem};

pub(super) async fn show(State(app): State<App>, session: Session) -> Result<Response, Problem> {
    page(&app, &session, Shown::default())
}

/// What a page shows besides the lists.
#[derive(Default)]
struct Shown {
    said: Option<Said>,
    /// A token that was just made; nowhere else is its text.
    made: Option<Value>,
    user: UserForm,
    token: TokenForm,
}

fn page(app: &App, session: &Session, shown: Shown) -> Result<Response, Problem> {
    let roles: Vec<Value> = Role::ALL.iter().map(|r| context! { word => r.word(), chinese => r.chinese() }).collect();
    let titled = |role: Role| role.chinese();
    let users: Vec<Value> = visible_users(app, &session.caller)?
        .into_iter()
        .map(|u| context! { role_title => titled(u.role), ..data(u) })
        .collect();
    let tokens: Vec<Value> = visible_tokens(app, &session.caller)?
        .into_iter()
        .map(|t| context! { role_title => titled(t.role), ..data(t) })
        .collect();
    // Stations are many and rarely a scope: whoever wants one writes its code.
    let units = org_units(app, &session.caller).into_iter().filter(|u| u.level < gridbell_model::OrgLevel::Station);
    let units: Vec<Value> = units.map(|u| context! { code => u.code.0, name => u.name }).collect();
    let more = context! {
        users, tokens, roles, units, me => session.caller.name.clone(), everything => session.caller.scope == crate::access::Scope::All,
        said => data(shown.said), made => shown.made, user => data(shown.user), token => data(shown.token),
    };
    Ok(app.pages.show(app, session, "people.html", "/people", more))
}

/// A user as the form says it.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct UserForm {
    #[serde(default, skip_serializing)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    scope: String,
    #[serde(default, skip_serializing)]
    password: String,
    #[serde(default)]
    enabled: Option<String>,
}

fn scope(text: &str) -> Result<Option<u32>, Problem> {
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { given("管辖单位", text).map(Some) }
}

pub(super) async fn user(
    State(app): State<App>,
    session: Session,
    Form(form): Form<UserForm>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    match save(&app, &session, &form).await {
        Ok(name) => {
            let said = Some(Said::good(format!("用户 {name} 已保存；该用户须重新登录。")));
            page(&app, &session, Shown { said, ..Shown::default() })
        }
        Err(problem) if problem.code == Code::Forbidden => Err(problem),
        Err(problem) => {
            page(&app, &session, Shown { said: Some(Said::problem(&problem)), user: form, ..Shown::default() })
        }
    }
}

async fn save(app: &App, session: &Session, form: &UserForm) -> Result<String, Problem> {
    let name = form.name.trim().to_lowercase();
    let body = UserBody {
        title: form.title.trim().to_owned(),
        role: given("角色", &form.role)?,
        scope: scope(&form.scope)?,
        password: Some(form.password.clone()).filter(|p| !p.is_empty()),
        enabled: form.enabled.is_some(),
    };
    if name == session.caller.name && !body.enabled {
        return Err(Problem::because(Code::Conflict, "不能停用自己"));
    }
    save_user(app, &session.caller, name.clone(), body, None).await?;
    Ok(name)
}

/// Something named to take away.
#[derive(Deserialize)]
pub(super) struct Named {
    csrf: String,
    name: String,
}

pub(super) async fn delete_user(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Named>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    if form.name == session.caller.name {
        let said = Some(Said::problem(&Problem::because(Code::Conflict, "不能删除自己")));
        return page(&app, &session, Shown { said, ..Shown::default() });
    }
    drop_user(&app, &session.caller, &form.name).await?;
    Ok(Redirect::to("/people").into_response())
}

/// A token as the form says it.
#[derive(Default, Deserialize, Serialize)]
pub(super) struct TokenForm {
    #[serde(default, skip_serializing)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    person: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    days: String,
}

pub(super) async fn token(
    State(app): State<App>,
    session: Session,
    Form(form): Form<TokenForm>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    match make(&app, &session, &form).await {
        Ok(made) => page(&app, &session, Shown { made: Some(made), ..Shown::default() }),
        Err(problem) if problem.code == Code::Forbidden => Err(problem),
        Err(problem) => {
            page(&app, &session, Shown { said: Some(Said::problem(&problem)), token: form, ..Shown::default() })
        }
    }
}

async fn make(app: &App, session: &Session, form: &TokenForm) -> Result<Value, Problem> {
    let person = Some(form.person.trim().to_lowercase()).filter(|p| !p.is_empty());
    let body = TokenBody {
        name: form.name.trim().to_owned(),
        person,
        role: given("角色", &form.role)?,
        scope: scope(&form.scope)?,
        days: given("有效天数", form.days.trim())?,
    };
    Ok(data(make_token(app, &session.caller, body).await?))
}

pub(super) async fn delete_token(
    State(app): State<App>,
    session: Session,
    Form(form): Form<Named>,
) -> Result<Response, Problem> {
    session.check_csrf(&form.csrf)?;
    drop_token(&app, &session.caller, &form.name).await?;
    Ok(Redirect::to("/people").into_response())
}
