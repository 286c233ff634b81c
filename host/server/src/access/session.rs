//! Console sessions: a random cookie, kept as its hash in a document of kind `session`, so that a restart signs nobody out and a sign-out holds.

use gridbell_clock::Clock;
use gridbell_model::Moment;
use gridbell_state::{DocChange, State};
use serde::{Deserialize, Serialize};

use super::roles::Caller;
use super::secret::{fingerprint, random_hex};
use super::{note, user};
use crate::problem::{Code, Problem};

const SESSION_KIND: &str = "session";
/// The cookie's name.
pub(crate) const SESSION_COOKIE: &str = "gridbell_session";
/// How long a session lasts: a shift and its overtime.
pub(crate) const SESSION_HOURS: i64 = 10;
/// Most sessions; when there are as many, the one that ends first ends now.
const MAX_SESSIONS: usize = 10_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SessionDoc {
    user: String,
    csrf: String,
    expires: Moment,
}

/// A person who is signed in.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) caller: Caller,
    pub(crate) title: String,
    /// What every form of this session carries.
    pub(crate) csrf: String,
}

/// The sessions of `state`.
pub(crate) struct Sessions<'a> {
    pub(crate) state: &'a State,
    pub(crate) clock: &'a Clock,
}

impl Sessions<'_> {
    /// Starts a session for `user`; the cookie's value.
    pub(crate) async fn start(&self, user: &str) -> Result<String, Problem> {
        let (cookie, csrf) = (random_hex(32)?, random_hex(32)?);
        let now = self.clock.now();
        let doc = SessionDoc { user: user.to_owned(), csrf, expires: now.plus_ms(SESSION_HOURS * 3_600_000) };
        let mut docs = self.sweep(now);
        let value = serde_json::to_vec(&doc).map_err(|e| Problem::internal(&e))?;
        docs.push(DocChange {
            kind: SESSION_KIND.to_owned(),
            key: fingerprint(&cookie),
            value: Some(value),
            expected: Some(0),
        });
        self.state.put_docs(docs, vec![note(user, "session.start", user, serde_json::Value::Null)]).await?;
        Ok(cookie)
    }

    /// Who holds `cookie`.
    pub(crate) fn find(&self, cookie: &str) -> Option<Session> {
        let doc = self.state.doc(SESSION_KIND, &fingerprint(cookie))?;
        let session: SessionDoc = serde_json::from_slice(&doc.value).ok()?;
        if session.expires <= self.clock.now() {
            return None;
        }
        // Role and scope are read each time: what is taken from a user is gone at once.
        let (found, _) = user::get(self.state, &session.user)?;
        found.enabled.then(|| Session { caller: found.caller(&session.user), title: found.title, csrf: session.csrf })
    }

    /// Ends the session of `cookie`.
    pub(crate) async fn end(&self, cookie: &str, who: &str) -> Result<(), Problem> {
        let change = DocChange { kind: SESSION_KIND.to_owned(), key: fingerprint(cookie), value: None, expected: None };
        self.state.put_docs(vec![change], vec![note(who, "session.end", who, serde_json::Value::Null)]).await?;
        Ok(())
    }

    /// Sessions that are over, and the first to end when there are too many.
    fn sweep(&self, now: Moment) -> Vec<DocChange> {
        let mut all = sessions(self.state);
        all.sort_by_key(|(_, s)| s.expires);
        let too_many = (all.len() + 1).saturating_sub(MAX_SESSIONS);
        let over = |(n, (_, s)): &(usize, (String, SessionDoc))| *n < too_many || s.expires <= now;
        all.into_iter().enumerate().filter(over).map(|(_, (key, _))| end_of(key)).collect()
    }
}

/// What ends the sessions of `user`.
pub(super) fn ending(state: &State, user: &str) -> Vec<DocChange> {
    sessions(state).into_iter().filter(|(_, s)| s.user == user).map(|(key, _)| end_of(key)).collect()
}

fn end_of(key: String) -> DocChange {
    DocChange { kind: SESSION_KIND.to_owned(), key, value: None, expected: None }
}

fn sessions(state: &State) -> Vec<(String, SessionDoc)> {
    let read = |(key, doc): (String, gridbell_state::Doc)| Some((key, serde_json::from_slice(&doc.value).ok()?));
    state.docs(SESSION_KIND).into_iter().filter_map(read).collect()
}

impl Session {
    /// Refuses a form that does not carry this session's token.
    pub(crate) fn check_csrf(&self, given: &str) -> Result<(), Problem> {
        if super::same(&self.csrf, given) { Ok(()) } else { Err(Problem::new(Code::Csrf)) }
    }
}
