//! The guardrails that look at one customer, one function each. All return why the decision is held, or what the next ones need.

use gridbell_model::{
    Channel, CivilMinute, CustomerView, Decision, Guardrail, HoldReason, PhoneClass, Preferences, Topic, TopicClass,
    Traits,
};

use super::{Guard, GuardContext};
use crate::rules::MAX_MINUTES;
use crate::template::{Compiled, fact_of};

/// Which trait exempts a customer from which topics, and the reason that is given: the one table. It holds for classes to which
/// [`Guardrail::Exempt`] applies.
///
/// A do-not-remind entry and a pause (exam days, 保电) stop what urges a customer to pay: reminders, warnings, cut-off notices. A dispute and a
/// pending bank debit are about a bill: they stop what claims that bill, not a prepaid balance. None of them stops what is no claim: a bill
/// that was subscribed to, a payment received, an outage, a restore, a correction. Cut-off notices are statutory, so the entries for them
/// count only where a province puts them into another class.
pub const EXEMPTIONS: &[(Traits, HoldReason, &[Topic])] = &[
    (Traits::DO_NOT_REMIND, HoldReason::DoNotRemind, &[Topic::ArrearsReminder, Topic::BalanceWarning, Topic::CutOff]),
    (Traits::DISPUTED, HoldReason::Disputed, &[Topic::ArrearsReminder, Topic::CutOff]),
    (Traits::DEBIT_PENDING, HoldReason::DebitPending, &[Topic::ArrearsReminder, Topic::CutOff]),
    (Traits::PAUSED, HoldReason::Paused, &[Topic::ArrearsReminder, Topic::BalanceWarning, Topic::CutOff]),
];

/// What a customer subscribes with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Subscription {
    Trait(Traits),
    Preference(Preferences),
}

/// What a customer subscribes to `topic` with; none where nobody can.
pub(crate) fn subscription_of(topic: Topic) -> Option<Subscription> {
    match topic {
        Topic::BillNotice => Some(Subscription::Trait(Traits::SUBSCRIBES_BILL)),
        Topic::BalanceWarning => Some(Subscription::Trait(Traits::SUBSCRIBES_BALANCE)),
        Topic::Outage | Topic::Restore => Some(Subscription::Preference(Preferences::SUBSCRIBES_OUTAGE)),
        _ => None,
    }
}

/// Whether consent is there where `class` needs one.
pub(super) fn has_consent(class: TopicClass, topic: Topic, view: &CustomerView) -> bool {
    match class {
        TopicClass::Marketing => view.preferences.has(Preferences::MARKETING_CONSENT),
        TopicClass::Subscribed => match subscription_of(topic) {
            Some(Subscription::Trait(bit)) => view.traits.has(bit),
            Some(Subscription::Preference(bit)) => view.preferences.has(bit),
            None => false,
        },
        TopicClass::Statutory | TopicClass::Service | TopicClass::Staff | TopicClass::Answer => true,
    }
}

/// Whether the customer opted out of `class` on `channel`: of service by channel, of the rest altogether (the table of topic classes).
pub(super) fn opted_out(class: TopicClass, channel: Channel, preferences: Preferences) -> bool {
    match (class, channel) {
        (TopicClass::Service, Channel::Sms) => preferences.has(Preferences::NO_SMS_SERVICE),
        (TopicClass::Service, Channel::Wechat) => preferences.has(Preferences::NO_WECHAT_SERVICE),
        (TopicClass::Service, Channel::Alipay) => preferences.has(Preferences::NO_ALIPAY_SERVICE),
        (TopicClass::Subscribed, _) => preferences.has(Preferences::NO_SMS_SUBSCRIBED),
        (TopicClass::Marketing, _) => preferences.has(Preferences::NO_SMS_MARKETING),
        _ => false,
    }
}

/// Why the customer is exempt from `topic`, if it is.
pub(super) fn exemption(topic: Topic, traits: Traits) -> Option<HoldReason> {
    let hit = EXEMPTIONS.iter().find(|(bit, _, topics)| traits.has(*bit) && topics.contains(&topic));
    hit.map(|(_, reason, _)| *reason)
}

/// Whether a closed account is told about `topic`: only that what it was told before was wrong.
pub(super) fn reaches_closed(topic: Topic) -> bool {
    topic == Topic::Correction
}

/// Why an SMS cannot go to the customer's number, if it cannot.
pub(super) fn bad_phone(view: &CustomerView) -> Option<HoldReason> {
    match view.phone.class() {
        PhoneClass::None => Some(HoldReason::NoAddress),
        _ if view.phone.is_suspended() => Some(HoldReason::SuspendedAddress),
        _ if view.phone.is_sendable() => None,
        _ => Some(HoldReason::BadAddress),
    }
}

/// The same where the message is about `topic`. An answer without an account's data goes to whoever wrote: that the number is somebody else's is what
/// it answers to.
pub(super) fn unreachable_about(topic: Topic, names_account: bool, view: &CustomerView) -> Option<HoldReason> {
    let asked = topic == Topic::Answer && !names_account;
    bad_phone(view).filter(|why| !(asked && *why == HoldReason::SuspendedAddress))
}

/// Whether the fact that `topic` states is older than `days` at `now`, or not known at all.
pub(super) fn is_stale(topic: Topic, view: &CustomerView, days: Option<u16>, now: CivilMinute) -> bool {
    let Some(fact) = fact_of(topic, view) else { return false };
    let Some(as_of) = fact.as_of.some() else { return true };
    days.is_some_and(|most| i64::from(now.date().0) - i64::from(as_of.0) > i64::from(most))
}

impl Guard {
    /// Belongs to the prefecture, the policy's scope and the run's. Gives the station's name.
    pub(super) fn in_scope(&self, view: &CustomerView) -> Result<&str, HoldReason> {
        let scope = &self.scope;
        let station = self.units.get(&view.station).ok_or(HoldReason::OutOfScope)?;
        let in_section = scope.sections.is_empty() || scope.sections.contains(&view.section);
        let excluded = !scope.exclude.is_empty() && scope.exclude.contains(&view.account);
        if in_section && !excluded { Ok(station) } else { Err(HoldReason::OutOfScope) }
    }

    pub(super) fn fresh(&self, view: &CustomerView) -> Result<(), HoldReason> {
        let stale = self.is_on(Guardrail::Freshness) && is_stale(self.topic, view, self.freshness_days, self.now);
        if stale { Err(HoldReason::StaleFacts) } else { Ok(()) }
    }

    /// The first hop of the route from number `from` on that has an approved text, an address, and no opt-out. Where none passes, the reason of the first hop that
    /// failed for anything but a missing address: "no WeChat address" helps nobody whose SMS number is wrong.
    pub(super) fn hop(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
        from: u8,
    ) -> Result<(u8, Channel, &Compiled), HoldReason> {
        let texts = self.texts.get(usize::from(decision.notice)).ok_or(HoldReason::NoTemplate)?;
        let hops = self.routes.get(usize::from(decision.route)).ok_or(HoldReason::NoAddress)?;
        let mut why = HoldReason::NoAddress;
        for (n, hop) in (0_u8..).zip(hops).skip(usize::from(from)) {
            match self.try_hop(hop.channel, texts[hop.channel as usize].as_ref(), view, ctx) {
                Ok(text) => return Ok((n, hop.channel, text)),
                Err(reason) if why == HoldReason::NoAddress => why = reason,
                Err(_) => {}
            }
        }
        Err(why)
    }

    fn try_hop<'t>(
        &self,
        channel: Channel,
        text: Option<&'t Compiled>,
        view: &CustomerView,
        ctx: &dyn GuardContext,
    ) -> Result<&'t Compiled, HoldReason> {
        let text = text.ok_or(HoldReason::NoTemplate)?;
        let address = match channel {
            // Whether an answer names the account is chosen by who chooses the notice, and looked at again before it goes.
            Channel::Sms => unreachable_about(self.topic, false, view),
            // It goes to a number, and somebody has to take it there.
            Channel::Webhook if ctx.has_address(view.row, channel) => unreachable_about(self.topic, false, view),
            _ => (!ctx.has_address(view.row, channel)).then_some(HoldReason::NoAddress),
        };
        if let Some(reason) = address {
            return Err(reason);
        }
        if self.is_on(Guardrail::OptOut) && opted_out(self.class, channel, view.preferences) {
            return Err(HoldReason::OptedOut);
        }
        Ok(text)
    }

    pub(super) fn consented(&self, view: &CustomerView) -> Result<(), HoldReason> {
        let lacking = self.is_on(Guardrail::Consent) && !has_consent(self.class, self.topic, view);
        if lacking { Err(HoldReason::NoConsent) } else { Ok(()) }
    }

    pub(super) fn not_exempt(&self, view: &CustomerView) -> Result<(), HoldReason> {
        if !self.is_on(Guardrail::Exempt) {
            return Ok(());
        }
        exemption(self.topic, view.traits).map_or(Ok(()), Err)
    }

    pub(super) fn not_closed(&self, view: &CustomerView) -> Result<(), HoldReason> {
        let closed = self.is_on(Guardrail::Closed) && view.traits.has(Traits::CLOSED) && !reaches_closed(self.topic);
        if closed { Err(HoldReason::Closed) } else { Ok(()) }
    }

    /// Not this step nor a later one about the same bill, episode or payment.
    pub(super) fn not_said(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
    ) -> Result<(), HoldReason> {
        let said = match view.said_step(self.topic) {
            Some(step) => step >= decision.step,
            None => ctx.said(view.row, self.topic, view.business_key(self.topic), decision.step),
        };
        if self.is_on(Guardrail::Said) && said { Err(HoldReason::AlreadySaid) } else { Ok(()) }
    }

    /// The first minute at which it may go, and the one from which it is worthless.
    pub(super) fn send_time(&self, decision: &Decision) -> Result<(CivilMinute, CivilMinute), HoldReason> {
        let start = decision.not_before.some().map_or(self.now, |at| at.max(self.now));
        let latest = self.now.plus_minutes(i64::from(MAX_MINUTES));
        let own = start.plus_minutes(i64::from(self.validity_minutes));
        let expires = decision.expires.some().unwrap_or(own).min(latest);
        let at = if self.is_on(Guardrail::Window) { self.times.next(start, expires) } else { Some(start) };
        let at = at.filter(|at| *at < expires).ok_or(HoldReason::NoWindow)?;
        Ok((at, expires))
    }
}
