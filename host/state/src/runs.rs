//! Runs and their decisions: what a policy decided in one go, what became of each decision, and where it is kept.

use std::collections::BTreeMap;

use gridbell_model::{
    AccountNumber, Channel, CivilMinute, Date, Decision, Fen, HoldReason, Initiator, Lane, MessageId, Moment, OrgCode,
    Phone, PrefectureCode, RunId, Sharing, Topic,
};
use serde::{Deserialize, Serialize};

/// In the place of a trigger's id in the record of samples; the registry gives out its ids from 1 and never this one.
pub const TRIGGER_SAMPLES: u16 = u16::MAX;

/// The same in the record of the next hops of messages, which what became of those triggers.
pub const TRIGGER_HOPS: u16 = u16::MAX - 1;
/// The same in the record of answers to what customers wrote.
pub const TRIGGER_ANSWERS: u16 = u16::MAX - 3;
/// What the scope of a record of next hops begins with; the run that decided first follows.
const HOP_OF: &str = "hop of ";
/// The same in the record of corrections, which a person proposed and another approved.
pub const TRIGGER_CORRECTION: u16 = u16::MAX - 2;
/// What the scope of such a record begins with; the correction's number follows.
const CORRECTION: &str = "correction ";

/// Decisions of one segment on disk: they are written, read and compressed together.
pub const SEGMENT_DECISIONS: usize = 512;

/// One decision of a run with what the guardrails made of it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The customer's row.
    pub row: u32,
    /// 户号
    pub account: AccountNumber,
    /// Index into the manifest's notices.
    pub notice: u16,
    /// Step of the escalation.
    pub step: u8,
    /// Index into the manifest's reasons.
    pub reason: u16,
    /// Index into the manifest's routes.
    pub route: u16,
    /// First number of the template.
    pub arg0: i64,
    /// Second number of the template.
    pub arg1: i64,
    /// As the plugin said.
    pub not_before: CivilMinute,
    /// As the plugin said.
    pub expires: CivilMinute,
    /// What became of it.
    pub outcome: Outcome,
}

impl DecisionRecord {
    /// From the plugin's decision about `account`.
    #[must_use]
    pub fn new(decision: &Decision, account: AccountNumber, outcome: Outcome) -> Self {
        Self {
            row: decision.row,
            account,
            notice: decision.notice,
            step: decision.step,
            reason: decision.reason,
            route: decision.route,
            arg0: decision.arg0,
            arg1: decision.arg1,
            not_before: decision.not_before,
            expires: decision.expires,
            outcome,
        }
    }

    /// The plugin's decision.
    #[must_use]
    pub fn decision(&self) -> Decision {
        Decision {
            row: self.row,
            notice: self.notice,
            step: self.step,
            reason: self.reason,
            route: self.route,
            arg0: self.arg0,
            arg1: self.arg1,
            not_before: self.not_before,
            expires: self.expires,
        }
    }
}

/// What the guardrails made of a decision.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Outcome {
    /// No message, with the guardrail's reason.
    Held(HoldReason),
    /// A message in the outbox.
    Queued(Box<QueuedMessage>),
}

/// A message as it was rendered, everything that sending it needs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct QueuedMessage {
    /// Its number within the prefecture; set by [`crate::RunWriter::push`].
    pub number: u32,
    /// The customer's message before this one, 0 for none; set by [`crate::RunWriter::push`].
    pub previous: u32,
    /// Where it goes.
    pub channel: Channel,
    /// The number at the time of the decision; personal.
    pub phone: Phone,
    /// Station of the customer, for statistics.
    pub station: OrgCode,
    /// The exact text, signature included; personal.
    pub text: String,
    /// Version of the template.
    pub template: u32,
    /// Parts as the carrier counts them.
    pub parts: u8,
    /// Cost of all parts in 1/1000 fen.
    pub cost_milli_fen: u32,
    /// Not to be submitted before.
    pub send_after: CivilMinute,
    /// The minute at which its validity ends: it is submitted before it, never in it or after.
    pub expires: CivilMinute,
    /// Who goes first.
    pub lane: Lane,
    /// Which queue of links it waits for: the carrier's number, as the conductor assigns it.
    pub queue: u8,
    /// The host's business key: with topic and step it says "not twice".
    pub key: u64,
    /// Highest step that was said before this message.
    pub said_before: u8,
    /// Which hop of the route this is, from 0.
    pub hop: u8,
    /// The amount that the text states, to be checked again just before submit; 0 where it states none.
    pub stated: Fen,
    /// Whether it may leave together with others of its number. Said to [`crate::RunWriter::push`]; a record that is read does not have it.
    #[serde(skip)]
    pub sharing: Sharing,
}

/// How a run ended.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// Its messages are in the outbox.
    Published,
    /// It reached more than it may; its messages wait for a person's release.
    Waiting {
        /// Why, in words for the office.
        why: String,
    },
    /// The plugin or the host failed: nothing was sent.
    Failed {
        /// The error, naming plugin, prefecture, batch and what to do.
        error: String,
    },
    /// A person refused a waiting run; its decisions count as held.
    Refused {
        /// Who.
        by: String,
    },
}

/// A run of one policy over one prefecture: everything that is needed to understand it years later.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RunRecord {
    /// Its number.
    pub id: RunId,
    /// Where.
    pub prefecture: PrefectureCode,
    /// Name of the policy.
    pub policy: String,
    /// What it is about.
    pub topic: Topic,
    /// Name of the plugin.
    pub plugin: String,
    /// Its version.
    pub plugin_version: String,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// Parameters as JSON, as the plugin got them.
    pub params: String,
    /// Registry id of the trigger; [`TRIGGER_SAMPLES`] of a pilot's samples, which nothing triggers, [`TRIGGER_HOPS`] of next hops,
    /// [`TRIGGER_CORRECTION`] of corrections, [`TRIGGER_ANSWERS`] of answers.
    pub trigger: u16,
    /// Name of the schedule, empty for none.
    pub schedule: String,
    /// The occurrence of the schedule that this run serves; [`CivilMinute::NONE`] without one.
    pub scheduled_at: CivilMinute,
    /// The time that the plugin was told.
    pub now: CivilMinute,
    /// The sequence of the snapshot that it read.
    pub snapshot: u64,
    /// Who started it.
    pub initiator: Initiator,
    /// Scope of a run by hand, in words; empty for all.
    pub scope: String,
    /// Rows of the snapshot.
    pub customers: u64,
    /// Rows that `interest` let pass.
    pub passed: u64,
    /// Decisions: `queued` and the sum of `held`.
    pub decided: u64,
    /// Messages queued.
    pub queued: u64,
    /// Decisions held, by reason.
    pub held: BTreeMap<HoldReason, u64>,
    /// Sum of parts.
    pub parts: u64,
    /// Sum of cost in 1/1000 fen.
    pub cost_milli_fen: u64,
    /// Rows of the sample outside interest that were decided all the same: each is an alarm.
    pub interest_misses: u64,
    /// First message number, meaningful when `queued` > 0.
    pub first_message: u32,
    /// Segments in which the decisions are kept, in order of row.
    pub segments: Vec<SegmentInfo>,
    /// When it began.
    pub started: Moment,
    /// When it was published or failed.
    pub ended: Moment,
    /// How it ended.
    pub status: RunStatus,
}

impl RunRecord {
    /// A run that has come to nothing yet: nobody's plugin, no schedule, no scope, by the system, everything that it counts zero.
    #[must_use]
    pub fn blank(prefecture: PrefectureCode, policy: String, topic: Topic, now: CivilMinute, started: Moment) -> Self {
        Self {
            id: RunId(0),
            prefecture,
            policy,
            topic,
            plugin: String::new(),
            plugin_version: String::new(),
            digest: String::new(),
            params: "{}".to_owned(),
            trigger: 0,
            schedule: String::new(),
            scheduled_at: CivilMinute::NONE,
            now,
            snapshot: 0,
            initiator: Initiator::System,
            scope: String::new(),
            customers: 0,
            passed: 0,
            decided: 0,
            queued: 0,
            held: BTreeMap::new(),
            parts: 0,
            cost_milli_fen: 0,
            interest_misses: 0,
            first_message: 0,
            segments: Vec::new(),
            started,
            ended: started,
            status: RunStatus::Published,
        }
    }

    /// Whether it is a pilot's samples: messages to test numbers about customers who are told nothing by them. It is no occurrence of the policy, and
    /// nothing that was said.
    #[must_use]
    pub fn is_samples(&self) -> bool {
        self.trigger == TRIGGER_SAMPLES
    }

    /// Whether it is the next hops of another run's messages: it decided about nobody anew.
    #[must_use]
    pub fn is_hops(&self) -> bool {
        self.trigger == TRIGGER_HOPS
    }

    /// Whether it is the apologies for messages that other runs sent wrongly. The first number of each of its decisions is the message that it
    /// corrects, as [`RunRecord::corrects`] reads it.
    #[must_use]
    pub fn is_correction(&self) -> bool {
        self.trigger == TRIGGER_CORRECTION
    }

    /// Whether it is answers to what customers wrote: no policy decided, the customers asked.
    #[must_use]
    pub fn is_answers(&self) -> bool {
        self.trigger == TRIGGER_ANSWERS
    }

    /// Whether the policy decided here: neither samples nor next hops nor corrections nor answers.
    #[must_use]
    pub fn is_occurrence(&self) -> bool {
        !self.is_samples() && !self.is_hops() && !self.is_correction() && !self.is_answers()
    }

    /// The scope of a record of correction number `correction`.
    #[must_use]
    pub fn correction_scope(correction: u64) -> String {
        format!("{CORRECTION}{correction}")
    }

    /// The number of the correction, where it is one's.
    #[must_use]
    pub fn correction(&self) -> Option<u64> {
        self.scope.strip_prefix(CORRECTION).filter(|_| self.is_correction())?.parse().ok()
    }

    /// The message that `decision` of it corrects; none of other runs.
    #[must_use]
    pub fn corrects(&self, decision: &DecisionRecord) -> Option<MessageId> {
        let number = u32::try_from(decision.arg0).ok().filter(|_| self.is_correction())?;
        Some(MessageId::new(self.prefecture, number))
    }

    /// The scope of a record of next hops of messages that `first` decided.
    #[must_use]
    pub fn hop_scope(first: RunId) -> String {
        format!("{HOP_OF}{first}")
    }

    /// The run that decided first about the messages of this one, where it is their next hops.
    #[must_use]
    pub fn hop_of(&self) -> Option<RunId> {
        self.scope.strip_prefix(HOP_OF).filter(|_| self.is_hops())?.parse().ok()
    }

    /// Whether its decisions and messages have left for the archives; counts, parameters and outcome are here still.
    #[must_use]
    pub fn is_archived(&self) -> bool {
        self.decided > 0 && self.segments.is_empty()
    }
}

/// Where a run's decisions are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SegmentInfo {
    /// Row of its first decision.
    pub first_row: u32,
    /// Number of the first message in it or after it.
    pub first_message: u32,
    /// How many decisions.
    pub decisions: u32,
}

/// A message of a run as the outbox needs it when the run is published; the text stays in the segment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Publication {
    pub(crate) number: u32,
    pub(crate) row: u32,
    pub(crate) phone: u64,
    pub(crate) station: u32,
    pub(crate) step: u8,
    pub(crate) said_before: u8,
    pub(crate) key: u64,
    pub(crate) parts: u8,
    pub(crate) cost_milli_fen: u32,
    pub(crate) send_after: i64,
    pub(crate) expires: i64,
    pub(crate) lane: Lane,
    pub(crate) queue: u8,
    pub(crate) channel: Channel,
}

/// A key of the statistics: who, what, when.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct StatKey {
    /// The day the message was to be sent.
    pub day: Date,
    /// The customer's station.
    pub station: OrgCode,
    /// What it was about.
    pub topic: Topic,
}

/// Counts of messages under one [`StatKey`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StatCounts {
    /// Ever queued.
    pub queued: u64,
    /// Accepted by the carrier.
    pub submitted: u64,
    /// Reported delivered.
    pub delivered: u64,
    /// Refused or reported failed.
    pub failed: u64,
    /// Expired.
    pub expired: u64,
    /// Cancelled.
    pub cancelled: u64,
    /// Parts accepted by the carrier.
    pub parts: u64,
    /// Cost of those, in 1/1000 fen.
    pub cost_milli_fen: u64,
}

/// A message with everything known of it.
#[derive(Clone, PartialEq, Debug)]
pub struct MessageDetail {
    /// Its id.
    pub id: MessageId,
    /// The run that queued it.
    pub run: RunId,
    /// What was decided.
    pub decision: DecisionRecord,
    /// Where it stands.
    pub status: crate::outbox::MessageStatus,
}
