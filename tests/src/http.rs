//! The API as its users call it: plain HTTP to a running host.

use std::sync::Arc;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

use crate::PATIENCE;

/// An answer larger than this fails the test: the API pages.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// A caller of one host, with or without a bearer token. Cheap to clone; connections are kept.
#[derive(Clone)]
pub struct Http {
    agent: Agent,
    base: Arc<str>,
    token: Option<Arc<str>>,
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status code.
    pub status: u16,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// Body as text.
    pub body: String,
    what: String,
}

impl Http {
    /// A caller of `base`, for instance `http://127.0.0.1:4711`. Redirects are shown, not followed.
    pub fn new(base: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build();
        Self { agent: config.into(), base: base.trim_end_matches('/').into(), token: None }
    }

    /// The same caller, who shows this token.
    pub fn bearer(&self, token: &str) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// The token that it shows.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Gets a path, which starts with `/`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], &[])
    }

    /// Posts JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.call("POST", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Puts JSON.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.call("PUT", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Patches with JSON.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Reply {
        self.call("PATCH", path, &[("content-type", "application/json")], body.to_string().as_bytes())
    }

    /// Deletes a path.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.call("DELETE", path, &[], &[])
    }

    /// Any request: a file to import, an idempotency key, a form.
    ///
    /// # Panics
    ///
    /// When there is no answer at all.
    #[track_caller]
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        self.try_call(method, path, headers, body).unwrap_or_else(|why| panic!("no answer: {why}"))
    }

    /// As [`Self::call`], for a host that may be down: then it says why there was no answer.
    ///
    /// # Errors
    ///
    /// The transport's own words, with method and path.
    pub fn try_call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply, String> {
        let what = format!("{method} {path}");
        let failed = |e: &dyn std::fmt::Display| format!("{what}: {e}");
        let method = Method::from_bytes(method.as_bytes()).map_err(|e| failed(&e))?;
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = if body.is_empty() {
            self.agent.run(request.body(()).map_err(|e| failed(&e))?)
        } else {
            self.agent.run(request.body(body).map_err(|e| failed(&e))?)
        };
        let mut answer = answer.map_err(|e| failed(&e))?;
        let headers = answer.headers().iter();
        let headers = headers.map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()));
        let (status, headers) = (answer.status().as_u16(), headers.collect());
        let body = answer.body_mut().with_config().limit(MAX_BODY).read_to_string().map_err(|e| failed(&e))?;
        Ok(Reply { status, headers, body, what })
    }
}

impl Reply {
    /// Holds the status to what is expected and reads the body as JSON; an empty body is null.
    ///
    /// # Panics
    ///
    /// On another status or a body that is no JSON, with the body.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.what, self.body);
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{}: no JSON ({e}): {}", self.what, self.body))
    }

    /// The first header of this name (lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}
