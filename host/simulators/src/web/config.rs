//! The part of a platform's configuration that all of them have: where receipts go, and what goes wrong.

use serde::{Deserialize, Serialize};

use super::gateway::Error;

/// A platform's seed, faults, callbacks and memory, out of its configuration.
#[derive(Clone, Copy, Debug)]
pub struct Bench<'a> {
    /// From which every random choice descends.
    pub seed: u64,
    /// What goes wrong from the start.
    pub faults: &'a Faults,
    /// Where receipts go.
    pub callbacks: &'a Callbacks,
    /// Accepted messages remembered, the newest.
    pub log_capacity: usize,
}

/// Where a platform posts what it has to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Callbacks {
    /// `http://host:port/path`; without one nothing is posted.
    pub url: Option<String>,
    /// How often one is posted until it is taken.
    pub tries: u32,
    /// Milliseconds between two tries.
    pub retry_ms: u64,
}

impl Default for Callbacks {
    fn default() -> Self {
        Self { url: None, tries: 3, retry_ms: 5_000 }
    }
}

/// A code with which a platform refuses messages, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The platform's own code.
    pub code: String,
    /// Its share of all messages, 0 to 1.
    pub share: f64,
}

/// What goes wrong and how often. Shares are from 0 (never, the default) to 1 (always); delays are least and most, in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// New requests are answered 503 unread: the platform is down.
    pub down: bool,
    /// Share of recipients, always the same ones for a seed, whom it refuses: no follower, no such number.
    pub unreachable: f64,
    /// Messages refused with these codes.
    pub refuse: Vec<Refusal>,
    /// Requests answered 502 with a page of HTML, unread.
    pub html: f64,
    /// Requests answered with another address, unread.
    pub redirect: f64,
    /// Messages that are accepted, whose connection then breaks without an answer.
    pub lose_answer: f64,
    /// Messages that are accepted and never answered; the connection stays.
    pub hang: f64,
    /// How long an answer takes.
    pub answer_delay_ms: (u64, u64),
    /// How long a receipt takes.
    pub report_delay_ms: (u64, u64),
    /// A receipt takes up to `report_reorder_ms` longer than its delay, so that later ones overtake it.
    pub report_reorder: f64,
    /// See `report_reorder`.
    pub report_reorder_ms: u64,
    /// A receipt is posted twice.
    pub report_repeat: f64,
    /// A receipt is never posted.
    pub report_lose: f64,
    /// Share of recipients, always the same ones for a seed, to whom nothing can be delivered.
    pub failure_share: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            down: false,
            unreachable: 0.0,
            refuse: Vec::new(),
            html: 0.0,
            redirect: 0.0,
            lose_answer: 0.0,
            hang: 0.0,
            answer_delay_ms: (0, 0),
            report_delay_ms: (0, 0),
            report_reorder: 0.0,
            report_reorder_ms: 2_000,
            report_repeat: 0.0,
            report_lose: 0.0,
            failure_share: 0.0,
        }
    }
}

impl Faults {
    /// Whether a platform can make them.
    ///
    /// # Errors
    /// Names the field that cannot be right.
    pub fn validate(&self) -> Result<(), Error> {
        for (field, share) in [
            ("unreachable", self.unreachable),
            ("html", self.html),
            ("redirect", self.redirect),
            ("lose_answer", self.lose_answer),
            ("hang", self.hang),
            ("report_reorder", self.report_reorder),
            ("report_repeat", self.report_repeat),
            ("report_lose", self.report_lose),
            ("failure_share", self.failure_share),
        ] {
            require((0.0..=1.0).contains(&share), field, "lies from 0 to 1")?;
        }
        for refusal in &self.refuse {
            require((0.0..=1.0).contains(&refusal.share), "refuse.share", "lies from 0 to 1")?;
            require(!refusal.code.is_empty(), "refuse.code", "is one of the platform's codes")?;
        }
        for (field, (least, most)) in
            [("answer_delay_ms", self.answer_delay_ms), ("report_delay_ms", self.report_delay_ms)]
        {
            require(least <= most, field, "gives the least before the most")?;
        }
        require(self.report_reorder == 0.0 || self.report_reorder_ms > 0, "report_reorder_ms", "is at least 1")
    }
}

pub(crate) fn require(holds: bool, field: &'static str, rule: &'static str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Config { field, rule }) }
}
