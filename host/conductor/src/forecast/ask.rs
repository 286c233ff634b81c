//! What a preview is asked.

use gridbell_engine::Plugin;
use gridbell_model::{CivilMinute, PrefectureCode};
use gridbell_planner::{Policy, RunScope};
use serde_json::{Map, Value};

/// The most days that a preview looks ahead: a billing month.
pub const MAX_PREVIEW_DAYS: u8 = 31;

/// Which plugin a candidate runs.
#[derive(Clone, Debug)]
pub enum PluginChoice {
    /// One that was uploaded, approved or not: `NAME@VERSION`, or the SHA-256 of its upload in hex.
    Uploaded(String),
    /// One that the caller loaded, from a file of the person at the terminal.
    Loaded(Plugin),
}

/// What would be live instead. What is left out is as it is live.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// The policy as a whole; it bears the name that is asked about.
    pub policy: Option<Policy>,
    /// What changes of its parameters, as a JSON merge patch: null takes one away, so that the schema's default holds.
    pub parameters: Option<Map<String, Value>>,
    /// Its plugin.
    pub plugin: Option<PluginChoice>,
}

/// A preview.
#[derive(Clone, Debug)]
pub struct PreviewRequest {
    /// Where.
    pub prefecture: PrefectureCode,
    /// Name of the policy.
    pub policy: String,
    /// What would be live instead.
    pub candidate: Candidate,
    /// From when on; now if left out.
    pub at: Option<CivilMinute>,
    /// How many days of the policies' own schedules; none for one run at that moment.
    pub days: Option<u8>,
    /// Whom it may reach within the policy's own scope.
    pub scope: RunScope,
    /// Whose preview it is: each office has one at a time in a prefecture.
    pub office: String,
}
