//! Bearer tokens for programs: `gb_<id>_<secret>`, 256 random bits, shown once, kept only as their hash, with role, scope and expiry. Kept as
//! documents of kind `token` under their id.

use gridbell_conductor::BY_TOKEN;
use gridbell_model::Moment;
use gridbell_state::{DocChange, State};
use serde::{Deserialize, Serialize};

use super::roles::{Caller, Role, Scope};
use super::secret::{fingerprint, random_hex, same};
use super::{check_name, note};
use crate::problem::{Code, Problem};

/// The kind of document.
pub(crate) const TOKEN_KIND: &str = "token";
/// Longest life of a token, in days.
pub const MAX_TOKEN_DAYS: u32 = 366;
/// Most tokens.
const MAX_TOKENS: usize = 5_000;
const DAY_MS: i64 = 86_400_000;
/// How the name of a token begins that stands for nobody.
const NOBODYS: &str = "token:";

/// A token as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TokenDoc {
    /// What uses it: `billing-feed`.
    pub name: String,
    /// The person it stands for: what he does by it is his own work. None for a program that is nobody's, as all were once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<String>,
    /// Its role.
    pub role: Role,
    /// Its scope.
    pub scope: Scope,
    /// SHA-256 of the secret, hex.
    pub hash: String,
    /// Who made it.
    pub by: String,
    /// When.
    pub created: Moment,
    /// Not valid from then on.
    pub expires: Moment,
}

/// A token to make.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What uses it.
    pub name: String,
    /// The person it stands for, by user name; none for a program that is nobody's.
    pub person: Option<String>,
    /// Its role.
    pub role: Role,
    /// Its scope.
    pub scope: Scope,
    /// Days of life, 1 to [`MAX_TOKEN_DAYS`].
    pub days: u32,
}

/// Makes a token; the text is shown once and never again.
pub(crate) async fn issue(
    state: &State,
    new: NewToken,
    now: Moment,
    who: &str,
) -> Result<(String, String, TokenDoc), Problem> {
    check_name(&new.name)?;
    if let Some(person) = &new.person {
        // A token that is nobody's may stand for itself in those that it issues.
        check_name(person.strip_prefix(NOBODYS).unwrap_or(person))
            .map_err(|p| Problem::field("person", p.sentence()))?;
    }
    if !(1..=MAX_TOKEN_DAYS).contains(&new.days) {
        return Err(Problem::field("days", format!("a token lives 1 to {MAX_TOKEN_DAYS} days")));
    }
    if state.docs(TOKEN_KIND).len() >= MAX_TOKENS {
        return Err(Problem::because(Code::Conflict, format!("there are {MAX_TOKENS} tokens already; delete some")));
    }
    let (id, secret) = (random_hex(6)?, random_hex(32)?);
    let doc = TokenDoc {
        name: new.name,
        person: new.person,
        role: new.role,
        scope: new.scope,
        hash: fingerprint(&secret),
        by: who.to_owned(),
        created: now,
        expires: now.plus_ms(i64::from(new.days) * DAY_MS),
    };
    let value = serde_json::to_vec(&doc).map_err(|e| Problem::internal(&e))?;
    let change = DocChange { kind: TOKEN_KIND.to_owned(), key: id.clone(), value: Some(value), expected: Some(0) };
    let detail = serde_json::json!({ "name": doc.name, "person": doc.person, "role": doc.role, "scope": doc.scope, "days": new.days });
    state.put_docs(vec![change], vec![note(who, "token.create", &id, detail)]).await?;
    Ok((format!("gb_{id}_{secret}"), id, doc))
}

/// Who calls with `text`; none if it is no valid token at `now`.
pub(crate) fn authenticate(state: &State, text: &str, now: Moment) -> Option<Caller> {
    let (id, secret) = text.strip_prefix("gb_")?.split_once('_')?;
    let doc = state.doc(TOKEN_KIND, id)?;
    let token: TokenDoc = serde_json::from_slice(&doc.value).ok()?;
    let valid = same(&fingerprint(secret), &token.hash) && now < token.expires;
    let name = match &token.person {
        Some(person) => format!("{person}{BY_TOKEN}{}", token.name),
        None => format!("{NOBODYS}{}", token.name),
    };
    valid.then_some(Caller { name, role: token.role, scope: token.scope })
}

pub(crate) fn list(state: &State) -> Vec<(String, TokenDoc)> {
    let read = |(id, doc): (String, gridbell_state::Doc)| Some((id, serde_json::from_slice(&doc.value).ok()?));
    state.docs(TOKEN_KIND).into_iter().filter_map(read).collect()
}

pub(crate) async fn delete(state: &State, id: &str, who: &str) -> Result<(), Problem> {
    state.doc(TOKEN_KIND, id).ok_or_else(Problem::not_found)?;
    let change = DocChange { kind: TOKEN_KIND.to_owned(), key: id.to_owned(), value: None, expected: None };
    state.put_docs(vec![change], vec![note(who, "token.delete", id, serde_json::Value::Null)]).await?;
    Ok(())
}
