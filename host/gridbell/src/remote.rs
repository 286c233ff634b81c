//! A running host, asked over its API: what the data directory's own commands cannot do while it runs.

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

use crate::error::CommandError;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 8 << 20;

/// Which running host, and as whom.
#[derive(clap::Args, Clone)]
pub(crate) struct Remote {
    /// The running host, as http://127.0.0.1:8080
    #[arg(long, value_name = "URL", env = "GRIDBELL_URL")]
    url: String,
    /// A bearer token of its API
    #[arg(long, env = "GRIDBELL_TOKEN", hide_env_values = true)]
    token: String,
}

/// Never the token.
impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remote").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Remote {
    /// The host at `url`.
    pub(crate) fn new(url: String, token: String) -> Self {
        Self { url, token }
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value, CommandError> {
        self.call("GET", path, "application/json", &[])
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        self.call("POST", path, "application/json", body.to_string().as_bytes())
    }

    /// One request; blocks. A refusal is told in the host's own words.
    pub(crate) fn call(&self, method: &str, path: &str, media: &str, body: &[u8]) -> Result<Value, CommandError> {
        if !self.url.starts_with("http://") {
            let text = format!(
                "`{}`: this command speaks plain HTTP; use the host's own address, as http://127.0.0.1:8080",
                self.url
            );
            return Err(CommandError::Usage(text));
        }
        let failed = |e: &dyn std::fmt::Display| CommandError::Failed(format!("{method} {}{path}: {e}", self.url));
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(PATIENCE))
            .proxy(None)
            .build();
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).map_err(|e| failed(&e))?)
            .uri(format!("{}{path}", self.url.trim_end_matches('/')))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", media)
            .body(body)
            .map_err(|e| failed(&e))?;
        let mut answer = Agent::from(config).run(request).map_err(|e| failed(&e))?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string().map_err(|e| failed(&e))?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(value);
        }
        Err(refusal(status, &value))
    }
}

/// The host's problem as the command's error.
fn refusal(status: u16, problem: &Value) -> CommandError {
    let word = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let detail = [word("detail"), word("title_en"), word("title")].into_iter().find(|t| !t.is_empty());
    let fields = problem["errors"].as_array().into_iter().flatten();
    let fields: Vec<String> = fields
        .map(|e| format!("{}: {}", e["field"].as_str().unwrap_or_default(), e["message"].as_str().unwrap_or_default()))
        .collect();
    let mut text = format!("the host said {status}: {}", detail.unwrap_or_default());
    if !fields.is_empty() {
        text = format!("{text}: {}", fields.join("; "));
    }
    if (400..500).contains(&status) { CommandError::Refused(text) } else { CommandError::Failed(text) }
}
