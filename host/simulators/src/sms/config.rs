//! What a gateway is told: its accounts, its limits and the faults it shall make. Read from a file or built by a test.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::gateway::Error;
use crate::NotTheirs;

/// A gateway's configuration; every field has a default, the specification's where it has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who may log in.
    pub accounts: Vec<Account>,
    /// The gateway's own number: its node in SGIP, six digits of the message numbers in SMGP.
    pub gateway_id: u32,
    /// From which every random choice descends.
    pub seed: u64,
    /// What goes wrong from the start.
    pub faults: Faults,
    /// Silence after which it sends a heartbeat, or closes where the protocol has none.
    pub idle_ms: u64,
    /// How long it waits for the answer to a heartbeat before the next try.
    pub heartbeat_answer_ms: u64,
    /// Heartbeats without an answer before it closes the connection.
    pub heartbeat_tries: u32,
    /// How long it waits for the answer to a report or inbound message before it sends it again.
    pub deliver_answer_ms: u64,
    /// Times it sends one on a connection before that is closed, and times one that is refused is offered at all.
    pub deliver_tries: u32,
    /// How long it keeps one that was refused before it offers it again, and rests after a reverse connection failed.
    pub deliver_retry_ms: u64,
    /// Reports and inbound messages kept per account (about 250 octets each); more are dropped and counted.
    pub max_queued_delivers: usize,
    /// Accepted parts remembered (about 400 octets each), the newest.
    pub log_capacity: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            gateway_id: 1001,
            seed: 0,
            faults: Faults::default(),
            idle_ms: 60_000,
            heartbeat_answer_ms: 60_000,
            heartbeat_tries: 3,
            deliver_answer_ms: 30_000,
            deliver_tries: 3,
            deliver_retry_ms: 1_000,
            max_queued_delivers: 1_000_000,
            log_capacity: 500_000,
        }
    }
}

impl Config {
    /// A gateway with one account and the defaults.
    #[must_use]
    pub fn with_account(account: Account) -> Self {
        Self { accounts: vec![account], ..Self::default() }
    }

    /// Whether a gateway can run by it; an account's name has at most `longest` octets.
    pub(super) fn validate(&self, longest: usize) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for account in &self.accounts {
            require((1..=longest).contains(&account.id.len()), "accounts.id", "fits its field and is not empty")?;
            require(seen.insert(&account.id), "accounts.id", "names each account once")?;
            require(account.window > 0 && account.deliver_window > 0, "accounts.window", "is at least 1")?;
        }
        require(self.idle_ms > 0 && self.heartbeat_answer_ms > 0, "idle_ms", "is at least 1")?;
        require(self.deliver_answer_ms > 0 && self.deliver_retry_ms > 0, "deliver_answer_ms", "is at least 1")?;
        self.faults.validate()
    }
}

/// One sender that may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// `Login Name` in SGIP, `ClientID` in SMGP.
    pub id: String,
    /// The password or shared secret.
    pub secret: String,
    /// Connections at once; one more is refused.
    pub max_connections: usize,
    /// Granted parts in any one second; 0 enforces none. More are refused as the protocol says that the gateway is busy.
    pub rate: u32,
    /// Unanswered submits on one connection; more are refused alike.
    pub window: usize,
    /// Unacknowledged reports and inbound messages on one connection.
    pub deliver_window: usize,
    /// What the sender's number must begin with; empty takes any.
    pub src_prefix: String,
    /// SGIP: where the sender listens for the reverse connection, on which reports and inbound messages come. Without one they wait.
    pub reverse: Option<SocketAddr>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            id: "power".into(),
            secret: "secret".into(),
            max_connections: 4,
            rate: 100,
            window: 32,
            deliver_window: 16,
            src_prefix: String::new(),
            reverse: None,
        }
    }
}

/// What goes wrong and how often. Probabilities are from 0 (never, the default) to 1 (always); delays are least and most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// New connections are closed unheard: the gateway is down.
    pub refuse_connections: bool,
    /// A submit is refused as busy though within its rate.
    pub throttle: f64,
    /// Share of numbers, always the same ones for a seed, refused as bad.
    pub bad_number: f64,
    /// Numbers that are another carrier's.
    pub not_theirs: NotTheirs,
    /// A submit is answered with another result.
    pub results: Vec<ResultFault>,
    /// The connection breaks after a submit was accepted and before it is answered.
    pub drop_connection: f64,
    /// A submit is accepted and never answered.
    pub lose_response: f64,
    /// How long an answer to a submit takes, in milliseconds.
    pub response_delay_ms: (u64, u64),
    /// How long a report takes, in milliseconds.
    pub report_delay_ms: (u64, u64),
    /// A report takes up to `report_reorder_ms` longer than its delay, so that later ones overtake it.
    pub report_reorder: f64,
    /// See `report_reorder`.
    pub report_reorder_ms: u64,
    /// A report is sent twice.
    pub report_repeat: f64,
    /// A report never comes.
    pub report_lose: f64,
    /// A report that is not final (SGIP: waiting, SMGP: `ACCEPTD`) comes before the final one.
    pub report_pending: f64,
    /// SMGP: reports come in the spellings of other gateways, one after the other, instead of the specification's.
    pub report_spellings: bool,
    /// Share of numbers, always the same ones for a seed, to which nothing can be delivered.
    pub failure_share: f64,
    /// With which codes, in which proportion.
    pub failure_codes: Vec<CodeWeight>,
}

/// A result with which a gateway answers a submit, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultFault {
    /// The result, 1 to 255.
    pub result: u8,
    /// How often.
    pub probability: f64,
}

/// A code for a failed delivery and its weight among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeWeight {
    /// SGIP's `ErrorCode`, SMGP's `err`.
    pub code: u8,
    /// Its share is this over the sum of all weights.
    pub weight: u32,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            refuse_connections: false,
            throttle: 0.0,
            bad_number: 0.0,
            not_theirs: NotTheirs::default(),
            results: Vec::new(),
            drop_connection: 0.0,
            lose_response: 0.0,
            response_delay_ms: (0, 0),
            report_delay_ms: (0, 0),
            report_reorder: 0.0,
            report_reorder_ms: 2_000,
            report_repeat: 0.0,
            report_lose: 0.0,
            report_pending: 0.0,
            report_spellings: false,
            failure_share: 0.0,
            failure_codes: vec![
                CodeWeight { code: 25, weight: 5 },
                CodeWeight { code: 5, weight: 2 },
                CodeWeight { code: 27, weight: 1 },
            ],
        }
    }
}

impl Faults {
    /// Whether a gateway can make them.
    ///
    /// # Errors
    /// Names the field that cannot be right.
    pub fn validate(&self) -> Result<(), Error> {
        for (field, probability) in [
            ("throttle", self.throttle),
            ("bad_number", self.bad_number),
            ("not_theirs.share", self.not_theirs.share),
            ("drop_connection", self.drop_connection),
            ("lose_response", self.lose_response),
            ("report_reorder", self.report_reorder),
            ("report_repeat", self.report_repeat),
            ("report_lose", self.report_lose),
            ("report_pending", self.report_pending),
            ("failure_share", self.failure_share),
        ] {
            require((0.0..=1.0).contains(&probability), field, "lies from 0 to 1")?;
        }
        let report = &self.not_theirs.report;
        require(report.is_empty() || report.parse::<u8>().is_ok(), "not_theirs.report", "is a code from 0 to 255")?;
        for fault in &self.results {
            require((0.0..=1.0).contains(&fault.probability), "results.probability", "lies from 0 to 1")?;
            require(fault.result > 0, "results.result", "lies from 1 to 255")?;
        }
        for (field, (least, most)) in
            [("response_delay_ms", self.response_delay_ms), ("report_delay_ms", self.report_delay_ms)]
        {
            require(least <= most, field, "gives the least before the most")?;
        }
        require(self.report_reorder == 0.0 || self.report_reorder_ms > 0, "report_reorder_ms", "is at least 1")?;
        let weights: u64 = self.failure_codes.iter().map(|code| u64::from(code.weight)).sum();
        require(self.failure_share == 0.0 || weights > 0, "failure_codes", "has a code with a weight")
    }
}

fn require(holds: bool, field: &'static str, rule: &'static str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Config { field, rule }) }
}
