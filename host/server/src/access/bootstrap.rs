//! The first start: somebody must be able to sign in before anybody can be given a password.

use gridbell_clock::Clock;
use gridbell_state::State;

use super::roles::{Role, Scope};
use super::token::{NewToken, issue};
use super::user::{self, UserDoc};
use super::{Passwords, USER_KIND, random_hex};
use crate::ServerError;

/// Name of the first user.
pub const OPERATOR: &str = "operator";
/// Days that the first token lives: enough to make the users and tokens that stay.
const FIRST_TOKEN_DAYS: u32 = 7;

/// The secrets of a first start, to be shown once and kept nowhere.
pub struct Bootstrap {
    /// The first user's name: [`OPERATOR`].
    pub user: String,
    /// Their password; change it after signing in.
    pub password: String,
    /// A bearer token of the same role, valid for a week.
    pub token: String,
}

/// Makes the first operator where there is no user yet; none where there is one.
///
/// # Errors
/// When the state refuses or the system gives no random bytes.
pub async fn bootstrap(state: &State, clock: &Clock) -> Result<Option<Bootstrap>, ServerError> {
    if !state.docs(USER_KIND).is_empty() {
        return Ok(None);
    }
    let made = async {
        let password = random_hex(12)?;
        let doc = UserDoc {
            title: "首位系统运维".to_owned(),
            role: Role::Operator,
            scope: Scope::All,
            password: Passwords::new()?.hash(password.clone()).await?,
            enabled: true,
        };
        user::put(state, OPERATOR, &doc, Some(0), "bootstrap").await?;
        let new = NewToken {
            name: "first-start".to_owned(),
            person: Some(OPERATOR.to_owned()),
            role: Role::Operator,
            scope: Scope::All,
            days: FIRST_TOKEN_DAYS,
        };
        let (token, _, _) = issue(state, new, clock.now(), "bootstrap").await?;
        Ok::<_, crate::problem::Problem>(Bootstrap { user: OPERATOR.to_owned(), password, token })
    };
    made.await.map(Some).map_err(|p| ServerError::Access(p.sentence()))
}

/// Makes a user, or replaces one: the command line's door, for whoever has the data directory. `password` follows the same rules as in the API.
///
/// # Errors
/// What is wrong with the name or the password, or that the state refuses.
pub async fn create_user(
    state: &State,
    name: &str,
    title: &str,
    role: Role,
    scope: Scope,
    password: &str,
) -> Result<(), ServerError> {
    let made = async {
        user::check_name(name)?;
        user::check_password(name, password)?;
        let password = Passwords::new()?.hash(password.to_owned()).await?;
        let doc = UserDoc { title: title.to_owned(), role, scope, password, enabled: true };
        user::put(state, name, &doc, None, "command").await
    };
    made.await.map_err(|p| ServerError::Access(p.sentence()))
}

/// Makes a bearer token: the command line's door. The text is given once and kept nowhere.
///
/// # Errors
/// What is wrong with the name or the days, or that the state refuses.
pub async fn create_token(state: &State, clock: &Clock, new: NewToken) -> Result<String, ServerError> {
    let issued = issue(state, new, clock.now(), "command").await;
    issued.map(|(text, _, _)| text).map_err(|p| ServerError::Access(p.sentence()))
}
