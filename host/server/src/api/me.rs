//! Who the caller is.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::Caller;
use crate::app::App;
use crate::problem::{Problem, ProblemBody};

use super::view::UnitRef;

/// The caller as the host knows them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Me {
    /// User name; person and token as `wang/night-job`; or `token:billing` where the token is nobody's.
    name: String,
    /// Whose work it is: nobody approves his own, by whichever door he comes.
    person: String,
    /// Role.
    role: crate::access::Role,
    /// The unit whose subtree is seen; none for everything.
    scope: Option<UnitRef>,
    /// The host's civil time.
    now: String,
}

/// Who I am: name, role and scope of the token.
#[utoipa::path(get, path = "/v1/me", tag = "access", responses((status = 200, body = Me), (status = 401, body = ProblemBody)))]
pub(crate) async fn me(State(app): State<App>, caller: Caller) -> Result<axum::Json<Me>, Problem> {
    let org = app.org();
    let scope = Option::from(caller.scope).map(|code| UnitRef::of(&org, code));
    let person = gridbell_conductor::person_of(&caller.name).to_owned();
    Ok(axum::Json(Me { name: caller.name, person, role: caller.role, scope, now: app.clock().now().to_string() }))
}
