//! What a city wants: its policies, as typed documents. The state keeps them as JSON; TOML files propose them ([`PolicyFile`]).

mod check;
mod diff;
mod file;

use std::collections::BTreeMap;

use gridbell_contract::TriggerId;
use gridbell_model::{Channel, Lane, OrgCode, PrefectureCode, Topic};
use semver::VersionReq;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use check::{Plugins, check, check_set};
pub use diff::{Change, diff, diff_values, title_parameters};
pub use file::PolicyFile;

use crate::schedule::CronExpr;
use crate::times::TimeSpan;

/// Most policies of one prefecture.
pub const MAX_POLICIES: usize = 64;
/// Most schedules, windows, routes or hops in one place.
pub const MAX_ENTRIES: usize = 16;

/// All policies of one prefecture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicySet {
    /// Whose they are.
    pub prefecture: PrefectureCode,
    /// What people call it: 太原.
    pub name: String,
    /// The policies, each with a name of its own.
    pub policies: Vec<Policy>,
}

impl PolicySet {
    /// The policy called `name`.
    #[must_use]
    pub fn policy(&self, name: &str) -> Option<&Policy> {
        self.policies.iter().find(|p| p.name == name)
    }
}

/// One policy: a plugin with parameters, when it runs, and how what it decides may be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Its name within the prefecture, kebab case.
    pub name: String,
    /// What an office reads.
    pub title: String,
    /// The plugin's name.
    pub plugin: String,
    /// Which versions of it: `=1.2.3` for exactly one, `1.2` for that and compatible later ones (semver's words).
    pub version: VersionReq,
    /// What its messages are about; the plugin's manifest must agree.
    pub topic: Topic,
    /// Whether its schedules and events run.
    pub enabled: bool,
    /// Only customers under this unit; none for the whole prefecture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<OrgCode>,
    /// The plugin's parameters, as the plugin's schema wants them.
    pub parameters: Map<String, Value>,
    /// When it runs by the clock.
    #[serde(default)]
    pub schedules: Vec<Schedule>,
    /// What else makes it run.
    #[serde(default)]
    pub events: Vec<Event>,
    /// Times of day at which its messages may go; all day if empty. The province's quiet hours hold besides.
    #[serde(default)]
    pub windows: Vec<TimeSpan>,
    /// Days on which they may go.
    #[serde(default)]
    pub days: SendDays,
    /// Caps of its own; the province's hold besides.
    #[serde(default)]
    pub caps: Caps,
    /// How long a message is worth sending, in minutes; none for the topic's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_minutes: Option<u32>,
    /// How old a fact may be, in days; none for the topic's own, which it may tighten but not loosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness_days: Option<u16>,
    /// What one SMS part costs, in thousandths of a fen: contracts are in tenths of a fen and below.
    pub cost_per_part_milli_fen: u32,
    /// The routes that the plugin names: what is tried in which order.
    pub routes: BTreeMap<String, Vec<Hop>>,
    /// The most messages that one run may send before a person must look; none for the province's guard alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<u64>,
    /// Which messages go first on a link.
    pub lane: Lane,
    /// What a run does when its plugin fails.
    #[serde(default, skip_serializing_if = "OnFailure::is_stop")]
    pub on_failure: OnFailure,
}

/// What a run does when its plugin fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// It ends and sends nothing; a person looks first. What a city does not get it can still send; what went out wrongly stays out.
    #[default]
    Stop,
    /// It begins again with the version that was live before.
    LastGood,
}

impl OnFailure {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
    fn is_stop(&self) -> bool {
        *self == Self::Stop
    }
}

impl std::str::FromStr for OnFailure {
    type Err = String;

    /// `stop` or `last-good`.
    fn from_str(s: &str) -> Result<Self, String> {
        match s {
            "stop" => Ok(Self::Stop),
            "last-good" => Ok(Self::LastGood),
            _ => Err(format!("`{s}` is not what a run can do when its plugin fails: use stop or last-good")),
        }
    }
}

/// A time at which a policy runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Its name within the policy: the plugin is told it.
    pub name: String,
    /// When, in civil time.
    pub cron: CronExpr,
    /// How late a missed occurrence may still run, in minutes; 0 for only within its own minute.
    pub catch_up_minutes: u32,
}

/// What makes a policy run besides the clock. The words are the registry's triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// Payments arrived.
    PaymentReceived,
    /// Bills were issued.
    BillIssued,
    /// Balances were computed.
    BalanceChanged,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PaymentReceived, Self::BillIssued, Self::BalanceChanged];

    /// Its word, the same as in `wit/registry.toml`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::PaymentReceived => "payment-received",
            Self::BillIssued => "bill-issued",
            Self::BalanceChanged => "balance-changed",
        }
    }

    /// The contract's trigger that it is.
    #[must_use]
    pub fn trigger(self) -> TriggerId {
        match self {
            Self::PaymentReceived => gridbell_contract::trigger::PAYMENT_RECEIVED,
            Self::BillIssued => gridbell_contract::trigger::BILL_ISSUED,
            Self::BalanceChanged => gridbell_contract::trigger::BALANCE_CHANGED,
        }
    }
}

/// Days on which messages may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SendDays {
    /// Every day.
    #[default]
    All,
    /// Working days by the State Council's calendar.
    Working,
}

/// How much one customer or phone may be told in a day; none is no cap of the policy's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caps {
    /// Messages to one customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_customer: Option<u16>,
    /// Messages to one phone number, whatever customers it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_phone: Option<u16>,
}

/// One hop of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// Where the message goes.
    pub channel: Channel,
    /// How long to wait for a receipt before the next hop is tried, in minutes; 0 on the last.
    #[serde(default)]
    pub wait_minutes: u32,
}
