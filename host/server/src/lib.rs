//! HTTP API, console, access and metrics; the only crate that knows axum.
//!
//! `/v1` for programs (bearer tokens), `/` for people (a console, signed in by a cookie), `/openapi.json`, `/healthz`, `/readyz`,
//! `/metrics`, and `/callbacks/{account}` for platforms, which sign what they post.
//! What is true comes from the state and the conductor behind [`Conduct`]; the server holds nothing but throttles, counts and open connections.
//! It must never decide who gets a message, never show what the caller's scope or role does not cover, and never log a number, a name or a
//! path with an account in it.

mod access;
mod api;
mod app;
mod bounded;
mod callbacks;
mod conduct;
mod console;
mod correct;
mod extract;
mod health;
mod host;
mod idempotency;
mod insight;
mod metrics;
mod observe;
mod problem;
mod release;
mod screens;
mod serve;

pub use access::{
    Action, Bootstrap, Caller, FREE_TRIES, LONGEST_WAIT, MAX_TOKEN_DAYS, MAX_WATCHED, MIN_PASSWORD_CHARS, NewToken,
    OPERATOR, Role, Scope, bootstrap, create_token, create_user,
};
pub use api::UPLOAD_STALL;
pub use app::{MAX_LIVE_VIEWS, MAX_READS, MAX_REQUESTS, MAX_WAITING_SCREENS};
pub use callbacks::{CALLBACK_TIMEOUT, MAX_CALLBACKS};
pub use conduct::{
    AlarmEntry, Answering, ArchiveHit, ArchiveQuery, Backlog, Conduct, ConductError, LinkAlarm, LinkEntry,
    ParameterChange, Pending, PolicyOutcome, PolicyProposal, Recalled, ReverseEntry, Rows, RunOrder, RunReport, Stop,
};
pub use correct::Correct;
pub use extract::{MAX_BODY_BYTES, MAX_PLUGIN_BYTES, MAX_PROVINCE_BYTES};
pub use insight::{Insight, Seen};
pub use observe::{REQUEST_TIMEOUT, UPLOAD_TIMEOUT};
pub use problem::{Code, FieldProblem, PROBLEM_JSON, Problem, ProblemBody};
pub use release::{Release, VersionStep};
pub use screens::open_screen;
pub use serve::{
    DRAIN, HEADER_TIMEOUT, Limits, MAX_CONNECTIONS, Server, ServerError, ServerOptions, Tls, openapi, router,
};
