//! What the host answers to customers who wrote: its notices, as a plugin's manifest names them, so that their texts are the province's templates and
//! pass the same guardrails; how often somebody is answered; and which of the notices state an account's data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use gridbell_contract::Manifest;
use gridbell_model::{Channel, Lane, Topic};
use semver::VersionReq;
use serde::{Deserialize, Serialize};

use crate::policy::{Caps, Hop, OnFailure, Policy, SendDays};

/// The name under which answers stand where messages name their policy.
pub const ANSWERS: &str = "answers";
/// Minutes for which an answer is worth sending: later the customer has called.
pub const ANSWER_VALID_MINUTES: u32 = 60;

const MANIFEST: &str = include_str!("answers/manifest.json");

static PARSED: LazyLock<Manifest> = LazyLock::new(|| {
    Manifest::parse(MANIFEST).expect("the manifest of answers is part of the binary; a test parses it")
});

/// What the host can answer, as a manifest: indexes of decisions point into it, so its lists grow and are never reordered.
#[must_use]
pub fn answers_manifest() -> &'static Manifest {
    &PARSED
}

/// Whether a text of this notice may name the account. All others go to whoever has the number.
#[must_use]
pub fn states_account(notice: &str) -> bool {
    matches!(notice, "balance" | "balance-stale" | "arrears" | "arrears-stale" | "nothing-owed" | "no-fact")
}

/// As what answers are judged: at any time of the day, at once, by the channel that was written on and by SMS where that has no way.
#[must_use]
pub fn answers_policy(rules: &AnswerRules) -> Policy {
    let hop = |channel| Hop { channel, wait_minutes: 0 };
    let route = |name: &str, channels: &[Channel]| (name.to_owned(), channels.iter().copied().map(hop).collect());
    Policy {
        name: ANSWERS.to_owned(),
        title: Topic::Answer.chinese().to_owned(),
        plugin: answers_manifest().name().to_owned(),
        version: VersionReq::STAR,
        topic: Topic::Answer,
        enabled: true,
        scope: None,
        parameters: serde_json::Map::new(),
        schedules: Vec::new(),
        events: Vec::new(),
        windows: Vec::new(),
        days: SendDays::default(),
        caps: Caps::default(),
        validity_minutes: Some(ANSWER_VALID_MINUTES),
        freshness_days: None,
        cost_per_part_milli_fen: rules.cost_per_part_milli_fen,
        routes: BTreeMap::from([
            route("sms", &[Channel::Sms]),
            route("wechat", &[Channel::Wechat, Channel::Sms]),
            route("alipay", &[Channel::Alipay, Channel::Sms]),
        ]),
        ceiling: None,
        lane: Lane::Urgent,
        on_failure: OnFailure::Stop,
    }
}

/// How often customers who write are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnswerRules {
    /// Whether anybody is.
    pub enabled: bool,
    /// Answers to one number within an hour.
    pub per_hour: u16,
    /// The same within a day.
    pub per_day: u16,
    /// Answers to everybody within a minute: a flood of messages in is no flood out.
    pub per_minute_in_all: u32,
    /// What one SMS part costs, in thousandths of a fen.
    pub cost_per_part_milli_fen: u32,
}

impl Default for AnswerRules {
    /// A customer who tries every word once is answered; a machine that repeats itself costs the province 20 messages a day. 600 a minute are a tenth of
    /// what three links of 100, 100 and 50 take.
    fn default() -> Self {
        Self { enabled: true, per_hour: 8, per_day: 20, per_minute_in_all: 600, cost_per_part_milli_fen: 3_500 }
    }
}

/// The most answers to everybody within a minute that rules may allow.
pub const MAX_ANSWERS_PER_MINUTE: u32 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_is_one_and_its_policy_has_its_routes() {
        let manifest = answers_manifest();
        let policy = answers_policy(&AnswerRules::default());
        assert_eq!((manifest.topic(), manifest.name()), (Topic::Answer, policy.plugin.as_str()));
        for route in manifest.routes() {
            assert!(policy.routes.contains_key(route), "{route}");
        }
        let of_accounts = manifest.notices().iter().filter(|n| states_account(&n.name)).count();
        assert_eq!(of_accounts, 6, "each name of `states_account` is a notice");
    }
}
