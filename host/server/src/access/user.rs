//! Users: people with a password, a role and a scope. Kept as documents of kind `user`.

use gridbell_state::{DocChange, State};
use serde::{Deserialize, Serialize};

use super::roles::{Caller, Role, Scope};
use super::{note, session};
use crate::problem::{Code, Problem};

/// The kind of document.
pub(crate) const USER_KIND: &str = "user";
/// Shortest password, in characters (NIST SP 800-63B asks for 8; staff accounts here reach a province's numbers).
pub const MIN_PASSWORD_CHARS: usize = 10;
/// Longest password, in bytes: hashing takes time in proportion.
pub(crate) const MAX_PASSWORD_BYTES: usize = 256;
/// Most users.
const MAX_USERS: usize = 20_000;

/// A user as it is kept. The password is never in here, only its argon2id hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct UserDoc {
    /// What they are called: 李敏.
    pub title: String,
    /// Their role.
    pub role: Role,
    /// Their scope; none for everything.
    pub scope: Scope,
    /// PHC string of argon2id.
    pub password: String,
    /// Whether they may sign in.
    pub enabled: bool,
}

impl UserDoc {
    pub(crate) fn caller(&self, name: &str) -> Caller {
        Caller { name: name.to_owned(), role: self.role, scope: self.scope }
    }
}

/// Refuses what is no user name: 2 to 32 lower-case letters, digits, dots and hyphens, a letter first.
pub(crate) fn check_name(name: &str) -> Result<(), Problem> {
    let right = (2..=32).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
    if right {
        return Ok(());
    }
    Err(Problem::field("name", "use 2 to 32 lower-case letters, digits, dots and hyphens, a letter first"))
}

/// Refuses a password that is too short, too long or the name itself.
pub(crate) fn check_password(name: &str, password: &str) -> Result<(), Problem> {
    let chars = password.chars().count();
    if chars < MIN_PASSWORD_CHARS || password.len() > MAX_PASSWORD_BYTES || password.eq_ignore_ascii_case(name) {
        let message = format!(
            "口令须为 {MIN_PASSWORD_CHARS} 个字符以上且不同于用户名 (at least {MIN_PASSWORD_CHARS} characters, at most {MAX_PASSWORD_BYTES} bytes, not the name)"
        );
        return Err(Problem::field("password", message));
    }
    Ok(())
}

pub(crate) fn get(state: &State, name: &str) -> Option<(UserDoc, u64)> {
    let doc = state.doc(USER_KIND, name)?;
    Some((serde_json::from_slice(&doc.value).ok()?, doc.version))
}

pub(crate) fn list(state: &State) -> Vec<(String, UserDoc, u64)> {
    let read = |(name, doc): (String, gridbell_state::Doc)| {
        Some((name, serde_json::from_slice(&doc.value).ok()?, doc.version))
    };
    state.docs(USER_KIND).into_iter().filter_map(read).collect()
}

/// Stores a user; sessions of one that was changed end.
pub(crate) async fn put(
    state: &State,
    name: &str,
    user: &UserDoc,
    expected: Option<u64>,
    who: &str,
) -> Result<(), Problem> {
    check_name(name)?;
    if get(state, name).is_none() && state.docs(USER_KIND).len() >= MAX_USERS {
        return Err(Problem::because(Code::Conflict, format!("there are {MAX_USERS} users already; delete some")));
    }
    let value = serde_json::to_vec(user).map_err(|e| Problem::internal(&e))?;
    let mut docs = session::ending(state, name);
    docs.push(DocChange { kind: USER_KIND.to_owned(), key: name.to_owned(), value: Some(value), expected });
    let detail = serde_json::json!({ "role": user.role, "scope": user.scope, "enabled": user.enabled });
    state.put_docs(docs, vec![note(who, "user.put", name, detail)]).await?;
    Ok(())
}

/// Deletes a user and ends their sessions.
pub(crate) async fn delete(state: &State, name: &str, who: &str) -> Result<(), Problem> {
    if get(state, name).is_none() {
        return Err(Problem::not_found());
    }
    let mut docs = session::ending(state, name);
    docs.push(DocChange { kind: USER_KIND.to_owned(), key: name.to_owned(), value: None, expected: None });
    state.put_docs(docs, vec![note(who, "user.delete", name, serde_json::Value::Null)]).await?;
    Ok(())
}
