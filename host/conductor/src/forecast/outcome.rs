//! A preview's answer: counts, cost, load, samples and the difference, bounded whatever the prefecture's size. No phone number, no name.

use std::collections::BTreeMap;

use gridbell_model::{AccountNumber, Channel, CivilMinute, Date, HoldReason, OrgCode, PrefectureCode, Topic};
use gridbell_planner::LoadForecast;
use serde::{Deserialize, Serialize};

/// Customers that a preview shows of each kind.
pub const MAX_PREVIEW_SAMPLES: usize = 20;

/// A plugin that a preview ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewPlugin {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its upload, hex.
    pub digest: String,
}

/// Sums over all of a preview's runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewTotals {
    /// Decisions of the plugin.
    pub decided: u64,
    /// Messages that would go out.
    pub messages: u64,
    /// Customers who would get them.
    pub customers: u64,
    /// Parts as carriers count them.
    pub parts: u64,
    /// What they cost at most, in 1/1000 fen: less where accounts of one number are told by one message.
    pub cost_milli_fen: u64,
    /// Decisions that would be held, by reason.
    pub held: BTreeMap<HoldReason, u64>,
}

/// One simulated run of the candidate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewRun {
    /// When.
    pub at: CivilMinute,
    /// Name of the schedule; empty for a run at a moment and for one of payments.
    pub schedule: String,
    /// Customers that its interest let pass.
    pub passed: u64,
    /// Decisions.
    pub decided: u64,
    /// Messages.
    pub messages: u64,
    /// Parts.
    pub parts: u64,
    /// Cost in 1/1000 fen.
    pub cost_milli_fen: u64,
    /// The most messages that may go without a person's release, where there are more. The preview counts as if it were released.
    pub waits_above: Option<u64>,
}

/// Messages of one county by one channel on one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewCount {
    /// The county's code.
    pub county: OrgCode,
    /// Its name.
    pub county_name: String,
    /// The channel.
    pub channel: Channel,
    /// The day on which they may first go.
    pub day: Date,
    /// The candidate's messages.
    pub messages: u64,
    /// Their parts.
    pub parts: u64,
    /// Their cost in 1/1000 fen.
    pub cost_milli_fen: u64,
    /// The live policy's messages; 0 where nothing is compared.
    pub live_messages: u64,
    /// Their parts.
    pub live_parts: u64,
    /// Their cost in 1/1000 fen.
    pub live_cost_milli_fen: u64,
}

/// A customer as an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewSample {
    /// 户号
    pub account: AccountNumber,
    /// The county's name.
    pub county: String,
    /// Name of the notice.
    pub notice: String,
    /// Step of the escalation.
    pub step: u8,
    /// The policy's reason, as an office reads it.
    pub reason: String,
    /// Where it would go.
    pub channel: Channel,
    /// The run that decides it.
    pub decided_at: CivilMinute,
    /// When it may first go.
    pub send_after: CivilMinute,
    /// Parts.
    pub parts: u8,
    /// Cost in 1/1000 fen.
    pub cost_milli_fen: u32,
    /// The exact text.
    pub text: String,
}

/// A message that both policies send, on another channel or day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewMove {
    /// The live policy's.
    pub from: PreviewSample,
    /// The candidate's.
    pub to: PreviewSample,
}

/// What the candidate does that the live policy does not, and the other way round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviewDifference {
    /// Messages that only the candidate sends.
    pub added: u64,
    /// Messages that only the live policy sends.
    pub dropped: u64,
    /// Messages about the same with the same step that both send, on another channel or day.
    pub moved: u64,
    /// Of those, how many go by another channel.
    pub moved_channel: u64,
    /// And how many on another day.
    pub moved_day: u64,
    /// Messages of both on the same channel and day.
    pub same: u64,
    /// Customers whom only the candidate reaches.
    pub customers_added: u64,
    /// Customers whom only the live policy reaches.
    pub customers_dropped: u64,
    /// Up to [`MAX_PREVIEW_SAMPLES`] of what is added.
    pub added_samples: Vec<PreviewSample>,
    /// Up to [`MAX_PREVIEW_SAMPLES`] of what is dropped.
    pub dropped_samples: Vec<PreviewSample>,
    /// Up to [`MAX_PREVIEW_SAMPLES`] of what is moved.
    pub moved_samples: Vec<PreviewMove>,
}

/// What a candidate would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPreview {
    /// SHA-256 of everything else in it but for how long it took, hex: by it a proposal names what its author saw.
    pub digest: String,
    /// Where.
    pub prefecture: PrefectureCode,
    /// Name of the policy.
    pub policy: String,
    /// What an office reads.
    pub title: String,
    /// What its messages are about.
    pub topic: Topic,
    /// The candidate's plugin.
    pub plugin: PreviewPlugin,
    /// The candidate's parameters, as the plugin gets them.
    pub parameters: serde_json::Value,
    /// The live policy's plugin; none where nothing is compared.
    pub live_plugin: Option<PreviewPlugin>,
    /// The first minute that was looked at.
    pub from: CivilMinute,
    /// The minute behind the last; as `from` for one run at that moment.
    pub until: CivilMinute,
    /// How many days; none for one run at that moment.
    pub days: Option<u8>,
    /// The sequence of the state that was looked at.
    pub sequence: u64,
    /// Customers of the prefecture.
    pub customers: u64,
    /// The candidate's sums.
    pub totals: PreviewTotals,
    /// The live policy's sums; none where nothing is compared.
    pub live_totals: Option<PreviewTotals>,
    /// The candidate's runs, in order.
    pub runs: Vec<PreviewRun>,
    /// By county, day and channel.
    pub counts: Vec<PreviewCount>,
    /// Against the live policy; none where there is none, or the candidate is the live policy.
    pub difference: Option<PreviewDifference>,
    /// What links would carry: the candidate's messages with what waits in the outbox now.
    pub load: LoadForecast,
    /// Parts that wait in the outbox now, which the load counts with.
    pub backlog_parts: u64,
    /// Up to [`MAX_PREVIEW_SAMPLES`] of the candidate's messages, of every notice and step.
    pub samples: Vec<PreviewSample>,
    /// What the preview takes for granted, as an office reads it.
    pub assumptions: Vec<String>,
    /// What should be looked at.
    pub warnings: Vec<String>,
    /// How long it took.
    pub elapsed_ms: u64,
}
