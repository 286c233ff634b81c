//! What callers see of a customer, a message, a run: masked unless they may and said why.

use std::collections::BTreeMap;

use gridbell_model::{CustomerView as Row, Date, OrgCode, OrgTree, Phone, PhoneClass, PrefectureCode};
use gridbell_state::{MessageDetail, Outcome, RunRecord, RunStatus, ToldTogether};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::carrier_codes::explain;

/// An org unit by code and name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct UnitRef {
    /// Its code.
    pub(crate) code: u32,
    /// Its name; empty where the tree does not know it.
    pub(crate) name: String,
}

impl UnitRef {
    pub(crate) fn of(tree: &OrgTree, code: OrgCode) -> Self {
        Self { code: code.0, name: tree.get(code).map(|u| u.name.clone()).unwrap_or_default() }
    }

    pub(crate) fn prefecture(tree: &OrgTree, code: PrefectureCode) -> Self {
        Self::of(tree, code.org())
    }
}

/// A contact number.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PhoneView {
    /// The number, masked unless unmasked; empty when there is none.
    pub(crate) number: String,
    /// `none`, `mobile`, `landline`, `bad`, `unknown-segment`.
    pub(crate) class: String,
    /// Where it came from.
    pub(crate) source: String,
    /// When it was last verified.
    pub(crate) verified: Option<String>,
    /// Whether more accounts than a household's share it.
    pub(crate) shared: bool,
    /// Whether nothing goes to it until staff confirm it.
    pub(crate) suspended: bool,
}

impl PhoneView {
    pub(crate) fn of(phone: Phone, unmask: bool) -> Self {
        let class = match phone.class() {
            PhoneClass::None => "none",
            PhoneClass::Mobile => "mobile",
            PhoneClass::Landline => "landline",
            PhoneClass::Bad => "bad",
            PhoneClass::UnknownSegment => "unknown-segment",
        };
        Self {
            number: shown(phone, unmask),
            class: class.to_owned(),
            source: phone.source().word().to_owned(),
            verified: day(phone.verified_on()),
            shared: phone.is_shared(),
            suspended: phone.is_suspended(),
        }
    }
}

pub(crate) fn shown(phone: Phone, unmask: bool) -> String {
    if unmask { phone.expose() } else { phone.to_string() }
}

pub(crate) fn day(date: Date) -> Option<String> {
    date.some().map(|d| d.to_string())
}

/// 李** : the family name stays, so that an agent can ask for the rest.
pub(crate) fn mask_name(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| format!("{first}{}", "*".repeat(chars.count().clamp(1, 2))))
}

/// A customer's open bill and latest bill.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct BillView {
    /// yyyymm of the latest bill; none without one.
    pub(crate) period: Option<u32>,
    /// When it was issued (发行).
    pub(crate) issued: Option<String>,
    /// What it was, in fen.
    pub(crate) amount_fen: i64,
    /// Energy.
    pub(crate) kwh: u32,
}

/// A customer as it stands.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CustomerView {
    /// 户号
    pub(crate) account: String,
    /// The prefecture.
    pub(crate) prefecture: UnitRef,
    /// The station that it hangs on.
    pub(crate) station: UnitRef,
    /// Reading section (抄表段).
    pub(crate) section: u32,
    /// 户名, masked unless unmasked; none in lists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) name: Option<String>,
    /// The contact.
    pub(crate) phone: PhoneView,
    /// Traits that are set, by their word.
    pub(crate) traits: Vec<String>,
    /// Preferences that are set, by their word.
    pub(crate) preferences: Vec<String>,
    /// What is owed, in fen.
    pub(crate) arrears_fen: i64,
    /// yyyymm of the oldest open bill; none without arrears.
    pub(crate) arrears_period: Option<u32>,
    /// First day of the late fee (违约金起算日).
    pub(crate) late_fee_from: Option<String>,
    /// Months owed.
    pub(crate) months_owed: u8,
    /// The day for which bill and arrears are true.
    pub(crate) arrears_as_of: Option<String>,
    /// Highest step of the reminder that was said about this bill.
    pub(crate) reminded_step: u8,
    /// The latest bill.
    pub(crate) bill: BillView,
    /// Prepaid balance in fen; none without one.
    pub(crate) balance_fen: Option<i64>,
    /// The day for which the balance is true.
    pub(crate) balance_as_of: Option<String>,
    /// The customer's own warning threshold in fen.
    pub(crate) threshold_fen: Option<u32>,
    /// Latest payment in fen; none without one.
    pub(crate) paid_fen: Option<i64>,
    /// When it was paid.
    pub(crate) paid_on: Option<String>,
    /// Whether name and number are in the clear.
    pub(crate) unmasked: bool,
}

impl CustomerView {
    pub(crate) fn of(
        tree: &OrgTree,
        prefecture: PrefectureCode,
        row: &Row,
        name: Option<String>,
        unmask: bool,
    ) -> Self {
        let period = |p: u32| (p != 0).then_some(p);
        let has_balance = row.balance_as_of.is_some();
        let paid = row.paid_on.is_some();
        Self {
            account: row.account.to_string(),
            prefecture: UnitRef::prefecture(tree, prefecture),
            station: UnitRef::of(tree, row.station),
            section: row.section,
            name: name.map(|n| if unmask { n } else { mask_name(&n) }),
            phone: PhoneView::of(row.phone, unmask),
            traits: row.traits.words().map(str::to_owned).collect(),
            preferences: row.preferences.words().map(str::to_owned).collect(),
            arrears_fen: row.arrears.0,
            arrears_period: period(row.arrears_period),
            late_fee_from: day(row.late_fee_from),
            months_owed: row.months_owed,
            arrears_as_of: day(row.arrears_as_of),
            reminded_step: row.reminded_step,
            bill: BillView {
                period: period(row.bill_period),
                issued: day(row.bill_issued),
                amount_fen: row.bill_amount.0,
                kwh: row.bill_kwh,
            },
            balance_fen: has_balance.then_some(row.balance.0),
            balance_as_of: day(row.balance_as_of),
            threshold_fen: (row.threshold != u32::MAX).then_some(row.threshold),
            paid_fen: paid.then_some(row.paid_amount.0),
            paid_on: day(row.paid_on),
            unmasked: unmask,
        }
    }
}

/// A word with what an office reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct WordView {
    /// Stable word.
    pub(crate) word: String,
    /// In Chinese.
    pub(crate) chinese: String,
}

macro_rules! word {
    ($value:expr) => {{
        let value = $value;
        $crate::api::view::WordView { word: value.word().to_owned(), chinese: value.chinese().to_owned() }
    }};
}
pub(crate) use word;

/// One message that told several accounts of a number.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct TogetherView {
    /// The message that left for all of them; of the others the end is its end.
    pub(crate) bearer: String,
    /// How many accounts it told.
    pub(crate) accounts: u16,
    /// The text that the number got, for roles that may unmask.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) text: Option<String>,
}

/// A message with every step of its life.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct MessageView {
    /// Its id: 140100-17.
    pub(crate) id: String,
    /// The run that queued it: R9.
    pub(crate) run: String,
    /// The policy.
    pub(crate) policy: String,
    /// What it is about.
    pub(crate) topic: WordView,
    /// Whether it is a pilot's sample: it goes to a test number of the office's, and the customer is told nothing by it.
    #[serde(default)]
    pub(crate) sample: bool,
    /// The message that it puts right, where it is a correction.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) corrects: Option<String>,
    /// 户号; of a sample, whose facts it shows.
    pub(crate) account: String,
    /// Where it goes.
    pub(crate) channel: WordView,
    /// The number at the time of the decision, masked unless unmasked.
    pub(crate) phone: String,
    /// The exact text, for roles that may unmask.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) text: Option<String>,
    /// Parts as the carrier counts them; 0 of one that another message told as well.
    pub(crate) parts: u8,
    /// Cost of all parts in 1/1000 fen; 0 of one that another message told as well.
    pub(crate) cost_milli_fen: u32,
    /// With which others it left, where one message told several accounts of its number.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) together: Option<TogetherView>,
    /// Step of the escalation.
    pub(crate) step: u8,
    /// Which channel of the policy's route it went by, from 1: a later one where those before had no address, failed, or gave no report in time.
    #[serde(default)]
    pub(crate) hop: u8,
    /// Why the policy decided so, in the plugin's words.
    pub(crate) reason: Option<String>,
    /// Where it stands.
    pub(crate) state: WordView,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) cancelled_because: Option<WordView>,
    /// The carrier's last code, as it came.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub(crate) code: String,
    /// What the code means.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) code_explained: Option<String>,
    /// The link.
    pub(crate) link: String,
    /// Not to be submitted before.
    pub(crate) send_after: String,
    /// The minute at which its validity ends: it is submitted before it, never in it or after.
    pub(crate) expires: String,
    /// When it was queued.
    pub(crate) queued_at: String,
    /// When the carrier had accepted every part.
    pub(crate) submitted_at: Option<String>,
    /// When it came to its end.
    pub(crate) final_at: Option<String>,
    /// Submits tried.
    pub(crate) attempts: u8,
    /// Whether the customer may have got it twice.
    pub(crate) maybe_twice: bool,
    /// Who started the run: `system` or a user's name.
    pub(crate) initiator: String,
}

impl MessageView {
    /// `text`: whether the exact text may be seen; `unmask`: whether the number may.
    pub(crate) fn of(
        (detail, together): (&MessageDetail, Option<ToldTogether>),
        run: &RunRecord,
        reason: Option<String>,
        text: bool,
        unmask: bool,
    ) -> Option<Self> {
        let Outcome::Queued(message) = &detail.decision.outcome else { return None };
        let status = &detail.status;
        let (parts, cost_milli_fen) = match &together {
            None => (message.parts, message.cost_milli_fen),
            Some(t) if t.bearer == detail.id => (t.parts, t.cost_milli_fen),
            Some(_) => (0, 0),
        };
        let together = together.map(|t| TogetherView {
            bearer: t.bearer.to_string(),
            accounts: t.accounts,
            text: text.then_some(t.text),
        });
        Some(Self {
            id: detail.id.to_string(),
            run: detail.run.to_string(),
            policy: run.policy.clone(),
            topic: word!(run.topic),
            sample: run.is_samples(),
            corrects: run.corrects(&detail.decision).map(|id| id.to_string()),
            account: detail.decision.account.to_string(),
            channel: word!(message.channel),
            phone: shown(message.phone, unmask),
            text: text.then(|| message.text.clone()),
            parts,
            cost_milli_fen,
            together,
            step: detail.decision.step,
            hop: message.hop.saturating_add(1),
            reason,
            state: word!(status.state),
            cancelled_because: status.reason.map(|r| word!(r)),
            code: status.code.clone(),
            code_explained: explain(&status.code),
            link: status.link.clone(),
            send_after: message.send_after.to_string(),
            expires: message.expires.to_string(),
            queued_at: status.queued_at.to_string(),
            submitted_at: status.submitted_at.map(|m| m.to_string()),
            final_at: status.final_at.map(|m| m.to_string()),
            attempts: status.attempts,
            maybe_twice: status.maybe_twice,
            initiator: initiator(run),
        })
    }
}

pub(crate) fn initiator(run: &RunRecord) -> String {
    match &run.initiator {
        gridbell_model::Initiator::System => "system".to_owned(),
        gridbell_model::Initiator::Person(name) => name.clone(),
    }
}

/// Decisions held for one reason.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct HeldCount {
    /// Stable word.
    pub(crate) reason: String,
    /// In Chinese.
    pub(crate) chinese: String,
    /// How many.
    pub(crate) count: u64,
}

pub(crate) fn held(counts: &BTreeMap<gridbell_model::HoldReason, u64>) -> Vec<HeldCount> {
    let mut held: Vec<HeldCount> = counts
        .iter()
        .map(|(r, n)| HeldCount { reason: r.word().to_owned(), chinese: r.chinese().to_owned(), count: *n })
        .collect();
    held.sort_by_key(|h| std::cmp::Reverse(h.count));
    held
}

/// A run of one policy over one prefecture.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunView {
    /// Its number: R9.
    pub(crate) id: String,
    /// Where.
    pub(crate) prefecture: UnitRef,
    /// The policy.
    pub(crate) policy: String,
    /// What it is about.
    pub(crate) topic: WordView,
    /// Whether it is no run but a pilot's samples to test numbers: it decided for no customer, and its counts are of samples.
    #[serde(default)]
    pub(crate) samples: bool,
    /// The run that decided, where this is no run but the next channel of its messages: they failed, or no report of them came in time.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) hop_of: Option<String>,
    /// The correction, where it is no run of the policy but the apologies for messages that were wrong: C12.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) correction: Option<String>,
    /// The plugin.
    pub(crate) plugin: String,
    /// Its version.
    pub(crate) plugin_version: String,
    /// SHA-256 of the component.
    pub(crate) digest: String,
    /// The parameters as the plugin got them.
    #[schema(value_type = Object)]
    pub(crate) parameters: serde_json::Value,
    /// Name of the schedule; empty for none.
    pub(crate) schedule: String,
    /// The occurrence that it serves.
    pub(crate) scheduled_at: Option<String>,
    /// The sequence of the snapshot that it read.
    pub(crate) snapshot: u64,
    /// `system` or a user's name.
    pub(crate) initiator: String,
    /// Scope of a run by hand, in words.
    pub(crate) scope: String,
    /// Customers of the snapshot.
    pub(crate) customers: u64,
    /// Decisions: queued and held together.
    pub(crate) decided: u64,
    /// Messages.
    pub(crate) queued: u64,
    /// Decisions held, most frequent first.
    pub(crate) held: Vec<HeldCount>,
    /// Sum of parts.
    pub(crate) parts: u64,
    /// Sum of cost in 1/1000 fen.
    pub(crate) cost_milli_fen: u64,
    /// Rows outside `interest` that were decided all the same: a defect of the plugin.
    pub(crate) interest_misses: u64,
    /// When it began.
    pub(crate) started: String,
    /// When it was published or failed.
    pub(crate) ended: String,
    /// `published`, `waiting`, `failed`, `refused`.
    pub(crate) status: String,
    /// Why it waits, why it failed, who refused it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) why: Option<String>,
}

impl RunView {
    pub(crate) fn of(tree: &OrgTree, run: &RunRecord) -> Self {
        let (status, why) = match &run.status {
            RunStatus::Published => ("published", None),
            RunStatus::Waiting { why } => ("waiting", Some(why.clone())),
            RunStatus::Failed { error } => ("failed", Some(error.clone())),
            RunStatus::Refused { by } => ("refused", Some(by.clone())),
        };
        Self {
            id: run.id.to_string(),
            prefecture: UnitRef::prefecture(tree, run.prefecture),
            policy: run.policy.clone(),
            topic: word!(run.topic),
            samples: run.is_samples(),
            hop_of: run.hop_of().map(|first| first.to_string()),
            correction: run.correction().map(|id| format!("C{id}")),
            plugin: run.plugin.clone(),
            plugin_version: run.plugin_version.clone(),
            digest: run.digest.clone(),
            parameters: serde_json::from_str(&run.params).unwrap_or_default(),
            schedule: run.schedule.clone(),
            scheduled_at: run.scheduled_at.some().map(|m| m.to_string()),
            snapshot: run.snapshot,
            initiator: initiator(run),
            scope: run.scope.clone(),
            customers: run.customers,
            decided: run.decided,
            queued: run.queued,
            held: held(&run.held),
            parts: run.parts,
            cost_milli_fen: run.cost_milli_fen,
            interest_misses: run.interest_misses,
            started: run.started.to_string(),
            ended: run.ended.to_string(),
            status: status.to_owned(),
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_name_keeps_the_family_name_only() {
        for (name, masked) in
            [("", ""), ("李", "李*"), ("李敏", "李*"), ("欧阳明月", "欧**"), ("太原第一热电厂", "太**")]
        {
            assert_eq!(mask_name(name), masked);
        }
    }
}
