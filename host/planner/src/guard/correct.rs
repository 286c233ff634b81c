//! Corrections: which guardrails an apology passes, and what it says. It goes to whom the wrong message went, by the channel on which that went, at the
//! number or address that it went to; caps and what was said before do not hold it. It waits for the send window, unless an outage was told wrongly.

use std::sync::Arc;

use gridbell_model::{
    Channel, CivilMinute, CustomerView, Fen, HoldReason, Lane, OrgTree, Phone, PrefectureCode, Topic, TopicClass,
    Traits,
};

use super::checks::{is_stale, opted_out};
use super::recheck::address;
use super::{CHANNELS, Planned, QueuedFacts, SendTimes, lower};
use crate::calendar::Calendar;
use crate::error::PlannerError;
use crate::policy::{Policy, SendDays};
use crate::rules::ProvinceRules;
use crate::template::{CorrectionText, Facts, RenderError, fact_of};

/// What a correction is judged by; borrowed.
#[derive(Clone, Copy)]
pub struct CorrectionSetup<'a> {
    /// The province's rules.
    pub rules: &'a ProvinceRules,
    /// Working days and holidays.
    pub calendar: &'a Arc<Calendar>,
    /// The org tree.
    pub org: &'a OrgTree,
    /// Whose customers are told.
    pub prefecture: PrefectureCode,
    /// What the wrong messages were about.
    pub topic: Topic,
    /// The policy that sent them; none where it is gone: then the province's quiet hours hold alone.
    pub policy: Option<&'a Policy>,
    /// What a part costs where the policy is gone, in 1/1000 fen.
    pub cost_per_part_milli_fen: u32,
    /// The texts, one for each channel at most.
    pub texts: &'a [(Channel, String)],
    /// When it is judged.
    pub now: CivilMinute,
}

/// A message that was wrong, as far as its correction needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongMessage {
    /// Where it went.
    pub channel: Channel,
    /// The number that it went to.
    pub phone: Phone,
    /// On a platform, why its address is not the customer's any more.
    pub address_lost: Option<HoldReason>,
    /// Its decision's notice, route and step.
    pub decision: (u16, u16, u8),
}

/// The guardrails of a correction, ready to judge.
#[derive(Debug)]
pub struct Corrector<'a> {
    setup: CorrectionSetup<'a>,
    prefecture: &'a str,
    texts: [Option<CorrectionText>; CHANNELS],
    times: Option<SendTimes>,
    lane: Lane,
}

impl std::fmt::Debug for CorrectionSetup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "corrections about {} in {}", self.topic, self.prefecture)
    }
}

/// When corrections of messages about `topic` may go: in the policy's windows on any day, outside the province's quiet hours; none for always.
#[must_use]
pub fn correction_times(
    rules: &ProvinceRules,
    calendar: &Arc<Calendar>,
    policy: Option<&Policy>,
    topic: Topic,
) -> Option<SendTimes> {
    if topic == Topic::Outage {
        return None;
    }
    let quiet = rules.class(rules.topic(Topic::Correction).class).quiet;
    // A holiday is no reason to leave somebody with wrong figures.
    Some(SendTimes::new(policy.map_or(&[], |p| &p.windows), quiet, SendDays::All, Arc::clone(calendar)))
}

impl<'a> Corrector<'a> {
    /// Makes the texts ready.
    ///
    /// # Errors
    /// [`PlannerError::Template`] with line and column of the first text that cannot be sent.
    pub fn new(setup: CorrectionSetup<'a>) -> Result<Self, PlannerError> {
        let mut texts = [const { None }; CHANNELS];
        for (channel, text) in setup.texts {
            texts[*channel as usize] = Some(CorrectionText::new(text, *channel, setup.topic, setup.rules)?);
        }
        let prefecture = setup.org.get(setup.prefecture.org()).map_or("", |u| u.name.as_str());
        Ok(Self {
            setup,
            prefecture: prefecture.trim_end_matches("供电公司"),
            texts,
            times: correction_times(setup.rules, setup.calendar, setup.policy, setup.topic),
            lane: if setup.topic == Topic::Outage { Lane::Urgent } else { Lane::Bulk },
        })
    }

    /// The text for `channel`.
    #[must_use]
    pub fn text(&self, channel: Channel) -> Option<&CorrectionText> {
        self.texts[channel as usize].as_ref()
    }

    /// The message that corrects `wrong`, to the customer of `view`.
    ///
    /// # Errors
    /// Why it is held.
    pub fn judge(&self, wrong: &WrongMessage, view: &CustomerView) -> Result<Planned, HoldReason> {
        let CorrectionSetup { rules, org, topic, now, .. } = self.setup;
        let text = self.text(wrong.channel).ok_or(HoldReason::NoTemplate)?;
        let (notice, route, step) = wrong.decision;
        let queued = QueuedFacts {
            topic,
            channel: wrong.channel,
            business_key: view.business_key(topic),
            stated: stated(text, topic, view),
            phone: wrong.phone,
            sample: false,
        };
        if let Some(why) = wrong.address_lost {
            return Err(why);
        }
        recheck_correction(rules, &queued, view, (text.states_fact(), text.tells_account()), self.freshness(), now)
            .map_or(Ok(()), Err)?;
        let (not_before, expires) = self.send_time()?;
        let unit = org.get(view.station).filter(|u| org.is_within(u.code, self.setup.prefecture.org()));
        let station = unit.map(|u| u.name.as_str()).ok_or(HoldReason::OutOfScope)?;
        let facts = Facts::of(topic, view, [queued.stated.0, 0], station, self.prefecture, &rules.hotline);
        let plan = text.compiled.plan(&facts, self.cost()).map_err(|_: RenderError| HoldReason::RenderFailed)?;
        Ok(Planned {
            row: view.row,
            account: view.account,
            station: view.station,
            phone: wrong.phone,
            channel: wrong.channel,
            route,
            hop: 0,
            notice,
            template_version: 0,
            text: plan,
            not_before,
            expires,
            lane: self.lane,
            business_key: queued.business_key,
            step,
            said_before: 0,
            stated: queued.stated,
            shares: None,
        })
    }

    fn cost(&self) -> u32 {
        self.setup.policy.map_or(self.setup.cost_per_part_milli_fen, |p| p.cost_per_part_milli_fen)
    }

    fn freshness(&self) -> Option<u16> {
        self.setup.policy.and_then(|p| p.freshness_days)
    }

    fn send_time(&self) -> Result<(CivilMinute, CivilMinute), HoldReason> {
        let now = self.setup.now;
        let expires = now.plus_minutes(i64::from(self.setup.rules.topic(Topic::Correction).validity_minutes));
        let at = self.times.as_ref().map_or(Some(now), |times| times.next(now, expires));
        at.map(|at| (at, expires)).ok_or(HoldReason::NoWindow)
    }
}

fn stated(text: &CorrectionText, topic: Topic, view: &CustomerView) -> Fen {
    let amount = || fact_of(topic, view).map_or(Fen::ZERO, |f| f.amount);
    if text.states_fact() { amount() } else { Fen::ZERO }
}

/// Why a correction must not be sent, or not any more: the number or address is not the one that was told, what it says of the account is nobody's
/// business any more, the customer does not want it there, or what it states is not so. `queued.topic` is what the wrong message was about;
/// `says` whether the text states facts, and whether it says anything of the account.
#[must_use]
pub fn recheck_correction(
    rules: &ProvinceRules,
    queued: &QueuedFacts,
    view: &CustomerView,
    (states, tells): (bool, bool),
    policy_days: Option<u16>,
    now: CivilMinute,
) -> Option<HoldReason> {
    if let Some(why) = address(queued, view) {
        return Some(why);
    }
    if tells && view.traits.has(Traits::CLOSED) {
        return Some(HoldReason::Closed);
    }
    let class = rules.topic(Topic::Correction).class;
    // What an opt-out could not silence when it was wrong, it cannot silence when it is put right.
    let silenceable = rules.topic(queued.topic).class != TopicClass::Statutory;
    if silenceable && opted_out(class, queued.channel, view.preferences) {
        return Some(HoldReason::OptedOut);
    }
    if !states {
        return None;
    }
    let fact = fact_of(queued.topic, view);
    if view.business_key(queued.topic) != queued.business_key || fact.is_none_or(|f| f.amount != queued.stated) {
        return Some(HoldReason::FactsChanged);
    }
    let days = lower(policy_days, rules.topic(queued.topic).freshness_days);
    is_stale(queued.topic, view, days, now).then_some(HoldReason::StaleFacts)
}
