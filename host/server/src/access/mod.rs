//! Who may do what where: roles, rights, scopes, users, tokens, sessions. The only place that decides; everything else asks a [`Caller`].

mod bootstrap;
mod password;
mod roles;
mod secret;
mod session;
mod throttle;
mod token;
mod user;

pub use bootstrap::{Bootstrap, OPERATOR, bootstrap, create_token, create_user};
pub use roles::{Action, Caller, Role, Scope};
pub use throttle::{FREE_TRIES, LONGEST_WAIT, MAX_WATCHED};
pub use token::{MAX_TOKEN_DAYS, NewToken};
pub use user::MIN_PASSWORD_CHARS;

pub(crate) use password::Passwords;
pub(crate) use secret::{fingerprint, hex, random_hex, same};
pub(crate) use session::{SESSION_COOKIE, SESSION_HOURS, Session, Sessions};
pub(crate) use throttle::Throttle;
pub(crate) use token::{
    TokenDoc, authenticate as authenticate_token, delete as delete_token, issue as issue_token, list as list_tokens,
};
pub(crate) use user::{
    MAX_PASSWORD_BYTES, USER_KIND, UserDoc, check_name, check_password, delete as delete_user, get as get_user,
    list as list_users, put as put_user,
};

/// An audit note of the server's.
pub(crate) fn note(
    who: &str,
    action: &str,
    subject: impl Into<String>,
    detail: serde_json::Value,
) -> gridbell_state::AuditNote {
    let detail = if detail.is_null() { String::new() } else { detail.to_string() };
    gridbell_state::AuditNote { who: who.to_owned(), action: action.to_owned(), subject: subject.into(), detail }
}
