//! A running host, asked over its API: what the data directory's own commands cannot do while it runs.

mod tls;

use std::convert::Infallible;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

use crate::admin::Place;
use crate::error::CommandError;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the answer of something large may take: a month of a large prefecture, previewed by an interpreted guest.
const LONG_PATIENCE: Duration = Duration::from_secs(1_800);
/// Largest answer that is read.
const MAX_ANSWER_BYTES: u64 = 8 << 20;

/// A bearer token; never shown.
#[derive(Clone)]
pub(crate) struct Token(String);

impl FromStr for Token {
    type Err = Infallible;

    fn from_str(s: &str) -> Result<Self, Infallible> {
        Ok(Self(s.to_owned()))
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Which running host, and as whom.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Remote {
    /// The running host, as http://127.0.0.1:8080 or https://…
    #[arg(long, value_name = "URL", env = "GRIDBELL_URL")]
    url: String,
    /// A bearer token of its API
    #[arg(long, env = "GRIDBELL_TOKEN", hide_env_values = true)]
    token: Token,
    /// PEM of the certificate authority that vouches for the host; without it those that this machine believes
    #[arg(long, value_name = "FILE", env = "GRIDBELL_CA")]
    ca: Option<PathBuf>,
    #[arg(skip)]
    agent: OnceLock<Agent>,
}

/// A running host, for a command that works on a data directory too.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct MaybeRemote {
    /// The running host, as http://127.0.0.1:8080 or https://…; not asked where --config or --data is given
    #[arg(long, value_name = "URL", env = "GRIDBELL_URL")]
    url: Option<String>,
    /// A bearer token of its API
    #[arg(long, env = "GRIDBELL_TOKEN", hide_env_values = true)]
    token: Option<Token>,
    /// PEM of the certificate authority that vouches for the host; without it those that this machine believes
    #[arg(long, value_name = "FILE", env = "GRIDBELL_CA")]
    ca: Option<PathBuf>,
}

impl MaybeRemote {
    /// The running host, of a command that needs one in some of its forms only.
    pub(crate) fn needed(&self) -> Result<Remote, CommandError> {
        match (&self.url, &self.token) {
            (Some(url), Some(token)) => {
                let (url, token, ca) = (url.clone(), token.clone(), self.ca.clone());
                Ok(Remote { url, token, ca, agent: OnceLock::new() })
            }
            _ => Err(CommandError::Usage(
                "say which running host, by --url and --token (GRIDBELL_URL, GRIDBELL_TOKEN)".to_owned(),
            )),
        }
    }

    /// The running host; none where `place` is given.
    pub(crate) fn given(self, place: &Place) -> Result<Option<Remote>, CommandError> {
        match (self.url, self.token) {
            _ if place.is_given() => Ok(None),
            (Some(url), Some(token)) => Ok(Some(Remote { url, token, ca: self.ca, agent: OnceLock::new() })),
            (Some(url), None) => {
                Err(CommandError::Usage(format!("{url} needs a token of its API: --token, or GRIDBELL_TOKEN")))
            }
            (None, _) => {
                let text = "say which running host, by --url and --token (GRIDBELL_URL, GRIDBELL_TOKEN), or where a stopped one's data is, by \
                            --config or --data";
                Err(CommandError::Usage(text.to_owned()))
            }
        }
    }
}

/// One part of a path from a person's words: what is no name is for the host to refuse as such.
pub(crate) fn path_part(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() || b == b'-' { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

impl Remote {
    pub(crate) fn get(&self, path: &str) -> Result<Value, CommandError> {
        self.call("GET", path, "application/json", &[])
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        self.call("POST", path, "application/json", body.to_string().as_bytes())
    }

    /// As [`Self::post`], for what may take long.
    pub(crate) fn post_at_length(&self, path: &str, body: &Value) -> Result<Value, CommandError> {
        self.ask(("POST", path), "application/json", body.to_string().as_bytes(), LONG_PATIENCE)
    }

    /// As [`Self::get`], for what may take long.
    pub(crate) fn get_at_length(&self, path: &str) -> Result<Value, CommandError> {
        self.ask(("GET", path), "application/json", &[], LONG_PATIENCE)
    }

    /// Where the host is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// One request; blocks. A refusal is told in the host's own words.
    pub(crate) fn call(&self, method: &str, path: &str, media: &str, body: &[u8]) -> Result<Value, CommandError> {
        self.ask((method, path), media, body, PATIENCE)
    }

    fn ask(
        &self,
        (method, path): (&str, &str),
        media: &str,
        body: &[u8],
        patience: Duration,
    ) -> Result<Value, CommandError> {
        let told = |what: &str| CommandError::Failed(format!("{method} {}{path}: {what}", self.url));
        let failed = |e: &dyn std::fmt::Display| told(&e.to_string());
        let request = Request::builder()
            .method(Method::from_bytes(method.as_bytes()).map_err(|e| failed(&e))?)
            .uri(format!("{}{path}", self.url.trim_end_matches('/')))
            .header("authorization", format!("Bearer {}", self.token.0))
            .header("content-type", media)
            .body(body)
            .map_err(|e| failed(&e))?;
        let agent = self.agent()?;
        let request = agent.configure_request(request).timeout_global(Some(patience)).build();
        let answer = agent.run(request).map_err(|e| match (nobody_listens(&e), tls::advice(&e, self.ca.as_ref())) {
            (true, _) => CommandError::Failed(format!(
                "nothing listens at `{}`: start the host with `gridbell serve`, or give its address with --url",
                self.url
            )),
            (_, Some(advice)) => told(&advice),
            _ => failed(&e),
        });
        let mut answer = answer?;
        let status = answer.status().as_u16();
        let text = answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_string().map_err(|e| failed(&e))?;
        let value: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(value);
        }
        Err(refusal(status, &value))
    }

    /// The client: made once, so that a connection serves several requests.
    fn agent(&self) -> Result<&Agent, CommandError> {
        if let Some(agent) = self.agent.get() {
            return Ok(agent);
        }
        let config = Agent::config_builder().http_status_as_error(false).max_redirects(0).proxy(None);
        let config = if self.url.starts_with("https://") {
            config.tls_config(tls::config(self.ca.as_deref())?)
        } else if self.url.starts_with("http://") {
            config
        } else {
            let text =
                format!("`{}` is no address of a host: write it as http://127.0.0.1:8080 or https://…", self.url);
            return Err(CommandError::Usage(text));
        };
        Ok(self.agent.get_or_init(|| Agent::from(config.build())))
    }
}

/// Whether a connection was refused: there is a machine, and nobody answers at its port.
fn nobody_listens(e: &ureq::Error) -> bool {
    matches!(e, ureq::Error::Io(e) if e.kind() == std::io::ErrorKind::ConnectionRefused)
}

/// The host's problem as the command's error.
fn refusal(status: u16, problem: &Value) -> CommandError {
    let word = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
    let detail = [word("detail"), word("title_en"), word("title")].into_iter().find(|t| !t.is_empty());
    let fields = problem["errors"].as_array().into_iter().flatten();
    let said = |e: &Value| match (e["field"].as_str().unwrap_or_default(), e["message"].as_str().unwrap_or_default()) {
        // What is about no field in particular.
        ("", message) => message.to_owned(),
        (field, message) => format!("{field}: {message}"),
    };
    let fields: Vec<String> = fields.map(said).collect();
    let mut text = format!("the host said {status}: {}", detail.unwrap_or_default());
    if !fields.is_empty() {
        text = format!("{text}: {}", fields.join("; "));
    }
    if (400..500).contains(&status) { CommandError::Refused(text) } else { CommandError::Failed(text) }
}
