//! The last look before submit: a message queued last night must not reach someone who paid since.

use gridbell_model::{
    Channel, CivilMinute, CustomerView, Fen, Guardrail, HoldReason, Phone, PhoneClass, Topic, Traits,
};

use super::checks::{exemption, has_consent, is_stale, opted_out, reaches_closed, unreachable_about};
use crate::guard::lower;
use crate::rules::ProvinceRules;
use crate::template::fact_of;

/// What a queued message was made from, as it is stored with the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueuedFacts {
    /// What it is about.
    pub topic: Topic,
    /// Where it goes.
    pub channel: Channel,
    /// The bill, episode or payment that it is about; of an answer not 0 where it names the account.
    pub business_key: u64,
    /// The amount that its text states: [`super::Planned::stated`].
    pub stated: Fen,
    /// The number that it goes to; only the digits are compared.
    pub phone: Phone,
    /// Whether it is a pilot's sample: it goes to a test number, and the customer's own number does not matter as long as there is one.
    pub sample: bool,
}

/// Why a message must not be submitted any more, if so. `view` is what is true of the customer now; `policy_days` how old a fact may be by the
/// message's own policy, which tightens the topic's rule as it did at the decision.
///
/// In this order: the address (erased, suspended, bad, changed; of a sample erased only), closed, consent and opt-out, exemptions, then the facts: paid, changed, stale.
/// Guardrails that do not apply to the topic's class are skipped here too; the facts are checked for every class, since nobody may be told
/// what is no longer so.
#[must_use]
pub fn recheck(
    rules: &ProvinceRules,
    queued: &QueuedFacts,
    view: &CustomerView,
    policy_days: Option<u16>,
    now: CivilMinute,
) -> Option<HoldReason> {
    let rule = rules.topic(queued.topic);
    let on = |g| rule.class.applies(g);
    if let Some(reason) = address(queued, view) {
        return Some(reason);
    }
    if on(Guardrail::Closed) && view.traits.has(Traits::CLOSED) && !reaches_closed(queued.topic) {
        return Some(HoldReason::Closed);
    }
    if on(Guardrail::Consent) && !has_consent(rule.class, queued.topic, view) {
        return Some(HoldReason::NoConsent);
    }
    if on(Guardrail::OptOut) && opted_out(rule.class, queued.channel, view.preferences) {
        return Some(HoldReason::OptedOut);
    }
    if let Some(reason) = exemption(queued.topic, view.traits).filter(|_| on(Guardrail::Exempt)) {
        return Some(reason);
    }
    if let Some(reason) = facts(queued.topic, queued.business_key, queued.stated, view) {
        return Some(reason);
    }
    let days = lower(policy_days, rule.freshness_days);
    let stale = on(Guardrail::Freshness) && is_stale(queued.topic, view, days, now);
    stale.then_some(HoldReason::StaleFacts)
}

/// Why the number that a message was queued for is none to send to any more.
pub(super) fn address(queued: &QueuedFacts, view: &CustomerView) -> Option<HoldReason> {
    if !queued.channel.goes_to_number() {
        return None;
    }
    if view.phone.class() == PhoneClass::None {
        return Some(HoldReason::Erased);
    }
    if queued.sample {
        return None;
    }
    let bad = unreachable_about(queued.topic, queued.business_key != 0, view);
    // A number that was corrected is told as such, whatever is wrong with the new one.
    if view.phone.class() != PhoneClass::Bad && view.phone.number() != queued.phone.number() {
        return Some(HoldReason::AddressChanged);
    }
    bad
}

/// Whether what the text states is still so.
///
/// A balance that only fell since is left alone: the text says 截至 its day, and the customer should hear it. A payment that arrived stays a
/// fact whatever comes after it, unless that is a reversal; a bill that was paid was still issued.
pub(super) fn facts(topic: Topic, business_key: u64, stated: Fen, view: &CustomerView) -> Option<HoldReason> {
    let same_key = view.business_key(topic) == business_key;
    let amount = fact_of(topic, view).map_or(Fen::ZERO, |f| f.amount);
    match topic {
        Topic::ArrearsReminder | Topic::CutOff if view.arrears <= Fen::ZERO => Some(HoldReason::Paid),
        Topic::ArrearsReminder if !same_key => Some(HoldReason::FactsChanged),
        Topic::ArrearsReminder | Topic::CutOff => (amount != stated).then_some(HoldReason::FactsChanged),
        Topic::BillNotice => (!same_key || amount != stated).then_some(HoldReason::FactsChanged),
        Topic::BalanceWarning => balance(stated, view, same_key),
        Topic::PaymentReceived => reversed(view),
        Topic::Outage | Topic::Restore | Topic::Campaign | Topic::Staff | Topic::Correction | Topic::Answer => None,
    }
}

/// Nobody is thanked for what was taken back meanwhile.
fn reversed(view: &CustomerView) -> Option<HoldReason> {
    (view.paid_amount < Fen::ZERO).then_some(HoldReason::FactsChanged)
}

fn balance(stated: Fen, view: &CustomerView, same_key: bool) -> Option<HoldReason> {
    // The episode's counter moves when the balance is back at the threshold; a rise within the episode is a payment that did not suffice.
    match (same_key, view.balance > stated) {
        (false, _) => Some(HoldReason::Paid),
        (true, true) => Some(HoldReason::FactsChanged),
        (true, false) => None,
    }
}
