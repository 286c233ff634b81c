//! The province's rules: data that an operator edits, never code. Topic classes, quiet hours, caps, signature, blast radius, retention.

mod file;

use std::collections::BTreeMap;

use gridbell_model::{Date, PrefectureCode, Topic, TopicClass};
use serde::{Deserialize, Serialize};

use crate::answers::{ANSWER_VALID_MINUTES, AnswerRules, MAX_ANSWERS_PER_MINUTE};
use crate::error::Problem;
use crate::policy::Caps;
use crate::times::TimeSpan;

/// The longest validity, wait or catch-up that a document may ask for: 31 days.
pub const MAX_MINUTES: u32 = 31 * 1440;
/// The longest freshness limit: a year.
pub const MAX_DAYS: u16 = 366;
/// A family pays for a flat or two, a garage, parents and parents-in-law: accounts of one number that are nothing to look at.
pub const DEFAULT_SHARED_PHONE_ACCOUNTS: u16 = 5;
/// The largest daily cap.
pub const MAX_COUNT: u16 = 1000;

/// Everything that is the province's to say. One document; every city lives under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProvinceRules {
    /// Who sends, in full.
    pub name: String,
    /// The day from which these rules hold.
    pub holds_from: Date,
    /// In front of every SMS and counted in its length: 【国网山西电力】.
    pub signature: String,
    /// The number that customers call.
    pub hotline: String,
    /// What follows every marketing text, and no other: how to opt out.
    pub opt_out: String,
    /// Numbers that recipients see.
    pub senders: Senders,
    /// By topic; a topic that is not here keeps [`TopicRule::default_of`].
    #[serde(default)]
    pub topics: BTreeMap<Topic, TopicRule>,
    /// By class; a class that is not here keeps [`ClassRule::default_of`].
    #[serde(default)]
    pub classes: BTreeMap<TopicClass, ClassRule>,
    /// When a run is too large.
    pub blast_radius: BlastRules,
    /// A phone number of more accounts than this is marked as shared, for a person to look at; nothing is held for it.
    #[serde(default = "default_shared_phone_accounts")]
    pub shared_phone_accounts: u16,
    /// How long records stay in the online store, in days. A kind that is not here keeps [`RecordKind::default_days`].
    #[serde(default)]
    pub retention_days: BTreeMap<RecordKind, u32>,
    /// Within which bounds a city sets a plugin's parameter by itself; beyond them the province's approver is needed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_limits: Vec<ParameterLimit>,
    /// How prefectures and topics share a link that has a backlog.
    #[serde(default, skip_serializing_if = "ShareRules::is_even")]
    pub share: ShareRules,
    /// How often customers who write are answered.
    #[serde(default)]
    pub answers: AnswerRules,
}

/// Weights by which a link's pace is shared while more waits than it may send: first among prefectures, then within each among its topics. Urgent
/// messages go before all that is not urgent, whatever the weights. One that is not here has weight 1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareRules {
    /// 1 to [`MAX_COUNT`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prefectures: BTreeMap<PrefectureCode, u16>,
    /// 1 to [`MAX_COUNT`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub topics: BTreeMap<Topic, u16>,
}

impl ShareRules {
    /// The weights of a prefecture and, within it, of a topic.
    #[must_use]
    pub fn weights(&self, prefecture: PrefectureCode, topic: Topic) -> (u16, u16) {
        let of = |weight: Option<&u16>| weight.copied().unwrap_or(1).max(1);
        (of(self.prefectures.get(&prefecture)), of(self.topics.get(&topic)))
    }

    fn is_even(&self) -> bool {
        self.prefectures.is_empty() && self.topics.is_empty()
    }
}

/// Bounds of one parameter of one plugin, in the parameter's own unit. Of a list each number counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterLimit {
    /// The plugin's name.
    pub plugin: String,
    /// The parameter, as the plugin's schema has it.
    pub parameter: String,
    /// The least; none for no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
    /// The most; none for no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
}

impl ParameterLimit {
    fn holds(&self, value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::Array(list) => list.iter().all(|v| self.holds(v)),
            serde_json::Value::Number(n) => n.as_f64().is_some_and(|n| {
                self.min.is_none_or(|min| n >= min as f64) && self.max.is_none_or(|max| n <= max as f64)
            }),
            _ => true,
        }
    }
}

fn default_shared_phone_accounts() -> u16 {
    DEFAULT_SHARED_PHONE_ACCOUNTS
}

/// Numbers that recipients see: customers must see another than staff (N6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Senders {
    /// To customers: 95598.
    pub customer: String,
    /// To staff: 10657….
    pub staff: String,
}

/// What holds for a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopicRule {
    /// Its class: which guardrails apply.
    pub class: TopicClass,
    /// How old the fact that its texts state may be, in days; none for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness_days: Option<u16>,
    /// How long a message is worth sending, in minutes.
    pub validity_minutes: u32,
    /// How often a message that failed may be issued again to the same customer.
    pub reissues: u8,
}

impl TopicRule {
    /// What holds for `topic` until the province says otherwise.
    #[must_use]
    pub fn default_of(topic: Topic) -> Self {
        // Balances are computed daily and for 98.8 % of customers (N33): two days old is one computation missed.
        let (freshness_days, hours, reissues) = match topic {
            Topic::ArrearsReminder | Topic::CutOff => (Some(2), 48, 1),
            Topic::BillNotice => (Some(7), 72, 1),
            Topic::BalanceWarning => (Some(2), 24, 1),
            Topic::PaymentReceived => (Some(3), 24, 1),
            Topic::Outage | Topic::Restore => (None, 12, 3),
            Topic::Campaign => (None, 72, 0),
            Topic::Staff | Topic::Correction => (None, 48, 3),
            Topic::Answer => (None, ANSWER_VALID_MINUTES / 60, 0),
        };
        Self { class: topic.default_class(), freshness_days, validity_minutes: hours * 60, reissues }
    }
}

/// What holds for a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// Nothing of the class is sent in these hours, whatever a city's windows say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet: Option<TimeSpan>,
    /// Messages of the class to one customer and to one phone in a day.
    #[serde(default)]
    pub caps: Caps,
}

impl ClassRule {
    /// What holds for `class` until the province says otherwise: quiet from 21:00 to 08:00 but for what law or duty demands at once.
    #[must_use]
    pub fn default_of(class: TopicClass) -> Self {
        let night = Some(TimeSpan { from: 21 * 60, to: 8 * 60 });
        let caps = |customer, phone| Caps { per_customer: Some(customer), per_phone: Some(phone) };
        match class {
            TopicClass::Statutory | TopicClass::Staff | TopicClass::Answer => {
                Self { quiet: None, caps: Caps::default() }
            }
            TopicClass::Service => Self { quiet: night, caps: caps(2, 6) },
            TopicClass::Subscribed => Self { quiet: night, caps: caps(2, 6) },
            TopicClass::Marketing => Self { quiet: night, caps: caps(1, 1) },
        }
    }
}

/// When a run is so large that a person must look at it first; see [`crate::blast()`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlastRules {
    /// How many times the median of its last like runs a run may reach.
    pub multiple: u32,
    /// How many of the last like runs count.
    pub history: u16,
    /// Fewer like runs than this say nothing: then only the policy's ceiling holds.
    pub least_history: u16,
    /// A run that reaches no more than this is never held by the median: three times next to nothing is noise.
    pub floor: u64,
}

impl Default for BlastRules {
    fn default() -> Self {
        Self { multiple: 3, history: 14, least_history: 3, floor: 500 }
    }
}

/// What is kept for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// Messages with their text and states.
    Message,
    /// Runs with their counts.
    Run,
    /// Customers' replies.
    Inbound,
    /// Imports and their reject files.
    Import,
    /// Payments, as far as messages refer to them.
    Payment,
    /// The audit log.
    Audit,
    /// What the journal said, from which the state of a run is rebuilt; 0 keeps none.
    History,
}

impl RecordKind {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Message, Self::Run, Self::Inbound, Self::Import, Self::Payment, Self::Audit, Self::History];

    /// Its word in files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Run => "run",
            Self::Inbound => "inbound",
            Self::Import => "import",
            Self::Payment => "payment",
            Self::Audit => "audit",
            Self::History => "history",
        }
    }

    /// Days until the province says otherwise: a year online for what people look up, three for what auditors ask about, a month and some room
    /// for what runs are replayed from.
    #[must_use]
    pub fn default_days(self) -> u32 {
        match self {
            Self::Message | Self::Run | Self::Inbound => 366,
            Self::Import => 90,
            Self::Payment => 180,
            Self::Audit => 1096,
            Self::History => 35,
        }
    }
}

impl ProvinceRules {
    /// What holds for `topic`.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> TopicRule {
        self.topics.get(&topic).copied().unwrap_or_else(|| TopicRule::default_of(topic))
    }

    /// What holds for `class`.
    #[must_use]
    pub fn class(&self, class: TopicClass) -> ClassRule {
        self.classes.get(&class).copied().unwrap_or_else(|| ClassRule::default_of(class))
    }

    /// Which of these parameters of `plugin` lie beyond the province's limits.
    #[must_use]
    pub fn beyond_limits(&self, plugin: &str, parameters: &serde_json::Map<String, serde_json::Value>) -> Vec<&str> {
        let of = self.parameter_limits.iter().filter(|l| l.plugin == plugin);
        of.filter(|l| parameters.get(&l.parameter).is_some_and(|v| !l.holds(v))).map(|l| l.parameter.as_str()).collect()
    }

    /// How long records of `kind` stay online, in days.
    #[must_use]
    pub fn retention(&self, kind: RecordKind) -> u32 {
        self.retention_days.get(&kind).copied().unwrap_or_else(|| kind.default_days())
    }

    /// The number that recipients of `class` see.
    #[must_use]
    pub fn sender(&self, class: TopicClass) -> &str {
        if class == TopicClass::Staff { &self.senders.staff } else { &self.senders.customer }
    }

    /// What is wrong with the rules as they stand, whether they came from a file or from a form.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut list = Vec::new();
        let mut note = |field: String, message: String| list.push(Problem { place: None, field, message });
        let signed = self.signature.starts_with('【') && self.signature.ends_with('】');
        if !signed || self.signature.chars().count() < 3 || self.signature.chars().count() > 20 {
            note(
                "signature".to_owned(),
                format!("`{}` is not a signature: write it as 【国网山西电力】", self.signature),
            );
        }
        for (field, number) in [("senders.customer", &self.senders.customer), ("senders.staff", &self.senders.staff)] {
            // CMPP's Src_Id holds 21 characters.
            if number.is_empty() || number.len() > 21 || !number.bytes().all(|b| b.is_ascii_digit()) {
                note(field.to_owned(), format!("`{number}` is not a sender number: 1 to 21 digits"));
            }
        }
        if self.senders.customer == self.senders.staff {
            note("senders.staff".to_owned(), "staff must see another number than customers".to_owned());
        }
        for (topic, rule) in &self.topics {
            if rule.class == TopicClass::Subscribed && crate::guard::subscription_of(*topic).is_none() {
                note(
                    format!("topic.{topic}.class"),
                    format!("nobody can subscribe to {topic}: put it into another class"),
                );
            }
            if (*topic == Topic::Answer) != (rule.class == TopicClass::Answer) {
                let message = "the class `answer` is that of the topic `answer` and of no other: nothing else may pass what customers refused";
                note(format!("topic.{topic}.class"), message.to_owned());
            }
            if rule.validity_minutes == 0 || rule.validity_minutes > MAX_MINUTES {
                note(format!("topic.{topic}.validity_minutes"), format!("1 to {MAX_MINUTES} minutes are allowed"));
            }
        }
        for (i, limit) in self.parameter_limits.iter().enumerate() {
            if limit.min.is_none() && limit.max.is_none() || limit.min > limit.max && limit.max.is_some() {
                let message = "a limit has a min or a max, and min is no more than max".to_owned();
                note(format!("parameter_limits.{i}"), message);
            }
        }
        let answers = &self.answers;
        let counts =
            (1..=MAX_COUNT).contains(&answers.per_hour) && (answers.per_hour..=MAX_COUNT).contains(&answers.per_day);
        if !counts || !(1..=MAX_ANSWERS_PER_MINUTE).contains(&answers.per_minute_in_all) {
            let message = format!(
                "per_hour is 1 to {MAX_COUNT}, per_day no less and at most {MAX_COUNT}, per_minute_in_all 1 to {MAX_ANSWERS_PER_MINUTE}"
            );
            note("answers".to_owned(), message);
        }
        let blast = &self.blast_radius;
        if blast.multiple < 2 || blast.history == 0 || blast.least_history > blast.history {
            let message = "multiple is at least 2, history at least 1, least_history no more than history";
            note("blast_radius".to_owned(), message.to_owned());
        }
        list
    }
}
