//! What a gateway is told: its accounts, its limits and the faults it shall make. Read from a file or built by a test.

use std::collections::BTreeSet;
use std::path::PathBuf;

use gridbell_cmpp::Stat;
use serde::{Deserialize, Serialize};

use super::gateway::Error;
use crate::NotTheirs;

/// A gateway's configuration; every field has a default, the specification's where it has one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Who may log in.
    pub accounts: Vec<Account>,
    /// The gateway's own number in message numbers, up to 22 bits.
    pub gateway_id: u32,
    /// Whether it speaks 3.0; without, it answers a 3.0 login with status 4.
    pub speaks_3_0: bool,
    /// From which every random choice descends.
    pub seed: u64,
    /// What goes wrong from the start.
    pub faults: Faults,
    /// Silence after which it sends an ACTIVE_TEST.
    pub heartbeat_ms: u64,
    /// How long it waits for the answer before the next try.
    pub heartbeat_answer_ms: u64,
    /// Tries before it closes the connection.
    pub heartbeat_tries: u32,
    /// How long it waits for a DELIVER_RESP before it sends again.
    pub deliver_answer_ms: u64,
    /// Times a DELIVER is sent on one connection before that is closed, and times one that is refused is offered at all.
    pub deliver_tries: u32,
    /// How long it keeps a refused DELIVER before it offers it again.
    pub deliver_retry_ms: u64,
    /// DELIVERs kept per account, waiting or delayed (about 250 octets each); more are dropped and counted.
    pub max_queued_delivers: usize,
    /// Accepted parts remembered (about 400 octets each), the newest; 0 remembers none.
    pub log_capacity: usize,
    /// A file to which each accepted part is appended as a line of JSON before it is answered.
    pub log_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            accounts: Vec::new(),
            gateway_id: 1001,
            speaks_3_0: true,
            seed: 0,
            faults: Faults::default(),
            heartbeat_ms: 180_000,
            heartbeat_answer_ms: 60_000,
            heartbeat_tries: 3,
            deliver_answer_ms: 60_000,
            deliver_tries: 3,
            deliver_retry_ms: 1_000,
            max_queued_delivers: 1_000_000,
            log_capacity: 500_000,
            log_file: None,
        }
    }
}

impl Config {
    /// A gateway with one account and the defaults.
    #[must_use]
    pub fn with_account(account: Account) -> Self {
        Self { accounts: vec![account], ..Self::default() }
    }

    /// Whether a gateway can run by it.
    ///
    /// # Errors
    /// Names the field that cannot be right.
    pub fn validate(&self) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        for account in &self.accounts {
            let length = account.sp_id.len();
            require((1..=6).contains(&length), "accounts.sp_id", "has 1 to 6 octets")?;
            require(seen.insert(&account.sp_id), "accounts.sp_id", "names each account once")?;
            require(account.window > 0 && account.deliver_window > 0, "accounts.window", "is at least 1")?;
        }
        require(self.gateway_id < gridbell_cmpp::MsgId::MAX_GATEWAY, "gateway_id", "has at most 22 bits")?;
        require(self.heartbeat_ms > 0 && self.heartbeat_answer_ms > 0, "heartbeat_ms", "is at least 1")?;
        require(self.deliver_answer_ms > 0, "deliver_answer_ms", "is at least 1")?;
        self.faults.validate()
    }
}

/// One sender that may log in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Account {
    /// SP_Id: the enterprise code, up to six octets; `Msg_src` must be the same.
    pub sp_id: String,
    /// The shared secret.
    pub secret: String,
    /// Connections at once; one more is answered with status 5.
    pub max_connections: usize,
    /// Granted parts in any one second; 0 enforces none. More are answered with result 8.
    pub rate: u32,
    /// Unanswered submits on one connection; more are answered with result 8.
    pub window: usize,
    /// Unacknowledged DELIVERs on one connection.
    pub deliver_window: usize,
    /// What `Src_Id` must begin with, else result 10; empty takes any number.
    pub src_prefix: String,
    /// The `Service_Id`s it has, else result 7; empty takes any.
    pub services: Vec<String>,
    /// Number segments whose owners this gateway bills, else result 9; empty bills all.
    pub billed_prefixes: Vec<String>,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            sp_id: "901234".into(),
            secret: "secret".into(),
            max_connections: 4,
            rate: 100,
            window: 16,
            deliver_window: 16,
            src_prefix: String::new(),
            services: Vec::new(),
            billed_prefixes: Vec::new(),
        }
    }
}

/// What goes wrong and how often. Probabilities are from 0 (never, the default) to 1 (always); delays are least and most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// New connections are closed unheard: the gateway is down.
    pub refuse_connections: bool,
    /// A submit is answered with result 8 though within its rate.
    pub throttle: f64,
    /// Share of numbers, always the same ones for a seed, refused with result 13.
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
    /// A report is sent before the answer to its submit; it then has no delay.
    pub report_first: f64,
    /// An `ACCEPTD` report comes before the final one.
    pub report_accepted: f64,
    /// Reports to 3.0 connections have the layout of 2.0, as some gateways do.
    pub short_reports: bool,
    /// Share of numbers, always the same ones for a seed, to which nothing can be delivered.
    pub failure_share: f64,
    /// With which words, in which proportion.
    pub failure_stats: Vec<StatWeight>,
}

/// A result with which a gateway answers a submit, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResultFault {
    /// The result, 1 to 255.
    pub result: u32,
    /// How often.
    pub probability: f64,
}

/// A word for a failed delivery and its weight among the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatWeight {
    /// `Stat`, up to seven octets.
    pub stat: String,
    /// Its share is this over the sum of all weights.
    pub weight: u32,
}

impl Default for Faults {
    fn default() -> Self {
        let weighted = |stat: &str, weight| StatWeight { stat: stat.into(), weight };
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
            report_first: 0.0,
            report_accepted: 0.0,
            short_reports: false,
            failure_share: 0.0,
            failure_stats: vec![
                weighted("UNDELIV", 5),
                weighted("EXPIRED", 2),
                weighted("MA:0001", 1),
                weighted("MB:1041", 1),
                weighted("REJECTD", 1),
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
            ("report_first", self.report_first),
            ("report_accepted", self.report_accepted),
            ("failure_share", self.failure_share),
        ] {
            require((0.0..=1.0).contains(&probability), field, "lies from 0 to 1")?;
        }
        for fault in &self.results {
            require((0.0..=1.0).contains(&fault.probability), "results.probability", "lies from 0 to 1")?;
            require((1..=255).contains(&fault.result), "results.result", "lies from 1 to 255")?;
        }
        for (field, (least, most)) in
            [("response_delay_ms", self.response_delay_ms), ("report_delay_ms", self.report_delay_ms)]
        {
            require(least <= most, field, "gives the least before the most")?;
        }
        require(self.report_reorder == 0.0 || self.report_reorder_ms > 0, "report_reorder_ms", "is at least 1")?;
        let weights: u64 = self.failure_stats.iter().map(|stat| u64::from(stat.weight)).sum();
        require(self.failure_share == 0.0 || weights > 0, "failure_stats", "has a word with a weight")?;
        require(Stat::new(&self.not_theirs.report).is_ok(), "not_theirs.report", "has at most 7 octets")?;
        for weighted in &self.failure_stats {
            require(Stat::new(&weighted.stat).is_ok(), "failure_stats.stat", "has at most 7 octets")?;
        }
        Ok(())
    }
}

fn require(holds: bool, field: &'static str, rule: &'static str) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Config { field, rule }) }
}
