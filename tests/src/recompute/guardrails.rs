//! What the house checks of every choice, in its order: the first check that fails is the reason.
//!
//! Scope and template always hold here: the shipped policies reach whole prefectures and every notice has its text.

use super::calendar::{DAY, of_day};
use super::customer::{Contact, Customer};
use super::files::{Inputs, Policy};
use super::policies::Choice;

/// Links of the demo's gateways that take a carrier's numbers.
const LINKS: [(&str, &str); 4] =
    [("mobile", "mobile"), ("broadnet", "mobile"), ("unicom", "unicom"), ("telecom", "telecom")];

/// A message may wait for its window for so long at most.
const DAYS_AHEAD: i64 = 31;

pub(super) fn link(carrier: &str) -> &'static str {
    LINKS.iter().find(|(name, _)| *name == carrier).unwrap_or_else(|| panic!("no link for {carrier}")).1
}

/// Where, when and until when a choice goes; or why it does not. Caps are counted by the caller.
pub(super) fn check(
    inputs: &Inputs,
    policy: &Policy,
    customer: &mut Customer,
    choice: &Choice,
    now: i64,
) -> Result<(i64, i64), &'static str> {
    let topic = &inputs.province.topic[&policy.topic];
    let fresh_for = policy.freshness_days.into_iter().chain(topic.freshness_days).min();
    if stale(customer, &policy.topic, fresh_for, now) {
        return Err("stale-facts");
    }
    address(customer)?;
    unwanted(inputs, &policy.topic, customer)?;
    if customer.closed {
        return Err("closed");
    }
    if *customer.said(&policy.topic) >= choice.step {
        return Err("already-said");
    }
    let validity = policy.validity_minutes.unwrap_or(topic.validity_minutes);
    let expires = choice.expires.unwrap_or(now + validity).min(now + 31 * DAY);
    let at = next(inputs, policy, now).filter(|at| *at < expires).ok_or("no-window")?;
    Ok((at, expires))
}

/// Why a queued message must not go any more, if so.
pub(super) fn check_again(
    inputs: &Inputs,
    topic: &str,
    customer: &Customer,
    queued: &Queued,
    now: i64,
) -> Result<(), &'static str> {
    // Contacts do not change in the course of the demo's day.
    address(customer)?;
    if customer.closed {
        return Err("closed");
    }
    unwanted(inputs, topic, customer)?;
    let (stated, _) = customer.stated(topic);
    let same = customer.key(topic) == queued.key;
    match topic {
        "arrears-reminder" if customer.arrears() == 0 => return Err("paid"),
        "arrears-reminder" | "bill-notice" if !same || stated != queued.stated => return Err("facts-changed"),
        "balance-warning" if !same => return Err("paid"),
        "balance-warning" if stated > queued.stated => return Err("facts-changed"),
        // A payment stays a fact whatever comes after it, unless that is a reversal.
        "payment-received" if stated < 0 => return Err("facts-changed"),
        _ => {}
    }
    let fresh_for = inputs.province.topic[topic].freshness_days;
    if stale(customer, topic, fresh_for, now) { Err("stale-facts") } else { Ok(()) }
}

/// What a message was made from.
pub(super) struct Queued {
    pub(super) key: u32,
    pub(super) stated: i64,
}

fn stale(customer: &Customer, topic: &str, fresh_for: Option<i64>, now: i64) -> bool {
    let Some(as_of) = customer.stated(topic).1 else { return true };
    fresh_for.is_some_and(|days| now.div_euclid(DAY) - as_of > days)
}

fn address(customer: &Customer) -> Result<(), &'static str> {
    match customer.contact {
        Contact::None => Err("no-address"),
        Contact::Bad => Err("bad-address"),
        Contact::Mobile { .. } => Ok(()),
    }
}

/// Subscriptions where the class asks for one; do-not-remind, disputes, pending debits and pauses where the class is one of service.
fn unwanted(inputs: &Inputs, topic: &str, customer: &Customer) -> Result<(), &'static str> {
    let claims = topic == "arrears-reminder";
    match inputs.province.topic[topic].class.as_str() {
        "subscribed" if topic == "bill-notice" && !customer.subscribes_bill => Err("no-consent"),
        "subscribed" if topic == "balance-warning" && !customer.subscribes_balance => Err("no-consent"),
        "service" if claims && customer.do_not_remind => Err("do-not-remind"),
        "service" if claims && customer.disputed => Err("disputed"),
        "service" if claims && customer.debit_pending => Err("debit-pending"),
        "service" if claims && customer.paused => Err("paused"),
        "subscribed" | "service" => Ok(()),
        other => panic!("no shipped policy has a topic of the class {other}"),
    }
}

/// The first minute from `from` on that lies in one of the city's windows, on one of its days, and outside the province's quiet hours.
pub(super) fn next(inputs: &Inputs, policy: &Policy, from: i64) -> Option<i64> {
    let quiet = inputs.province.class[&inputs.province.topic[&policy.topic].class].quiet.as_deref();
    let within = |span: &str, at: i64| {
        let (first, last) = span.split_once('-').expect("a span of time");
        let (first, last, at) = (of_day(first), of_day(last), at.rem_euclid(DAY));
        if first < last { first <= at && at < last } else { first <= at || at < last }
    };
    let on_working_days = policy.days.as_deref() == Some("working");
    (from..from + DAYS_AHEAD * DAY).find(|at| {
        policy.windows.iter().any(|w| within(w, *at))
            && !quiet.is_some_and(|q| within(q, *at))
            && (!on_working_days || inputs.calendar.works(at.div_euclid(DAY)))
    })
}
