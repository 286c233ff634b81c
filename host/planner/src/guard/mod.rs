//! Guardrails: what the host checks of every decision, whatever the plugin says. One small function each ([`checks`]), which of them apply to a
//! class is [`TopicClass::applies`]' to say.
//!
//! The order, and with it the reason that is reported where several hold:
//! 1. scope — 2. freshness — 3. for each hop of the route: template, address, opt-out; the first hop that passes is taken — 4. consent —
//! 5. exemptions — 6. closed — 7. said already — 8. window — 9. the text itself — 10. caps.
//!
//! 1 to 9 look at one customer alone ([`Guard::consider`]) and run in parallel over rows; caps ([`DayCaps::admit`]) count across customers and
//! run one after another in the order of rows, so that the outcome does not depend on threads.

mod caps;
mod checks;
mod correct;
mod follow;
mod foresee;
mod recheck;
mod trace;
mod window;

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use gridbell_contract::Manifest;
use gridbell_model::{
    AccountNumber, Channel, CivilMinute, CustomerView, Date, Decision, Fen, Guardrail, HoldReason, Lane, OrgCode,
    OrgTree, Phone, PrefectureCode, Topic, TopicClass,
};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

pub use caps::DayCaps;
pub use checks::EXEMPTIONS;
pub(crate) use checks::subscription_of;
pub use correct::{CorrectionSetup, Corrector, WrongMessage, correction_times, recheck_correction};
pub use follow::Earlier;
pub use foresee::Foreseen;
pub use recheck::{QueuedFacts, recheck};
pub use trace::{GuardVerdict, Judgement, recorded_verdicts};
pub use window::SendTimes;

use crate::calendar::Calendar;
use crate::error::PlannerError;
use crate::policy::{Caps, Hop, Policy};
use crate::rules::ProvinceRules;
use crate::template::{Compiled, Facts, RenderError, TemplateSet, TextPlan, fact_of};

/// What guardrails must know beyond one customer's view.
pub trait GuardContext: Sync {
    /// Whether `step` or a later one was said about `key`. Asked for topics only that keep no said-step in a column.
    fn said(&self, row: u32, topic: Topic, key: u64, step: u8) -> bool;
    /// What was queued for or sent on `date` to the customer and to the phone number (0 for none) by messages of `class`, this run left out.
    fn told(&self, row: u32, phone: u64, date: Date, class: TopicClass) -> Told;
    /// Whether an address for `channel` is known. Asked for channels only whose address is not in the view; SMS is.
    fn has_address(&self, _row: u32, _channel: Channel) -> bool {
        false
    }
}

/// Messages of one class on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Told {
    /// To the customer.
    pub customer: u16,
    /// To the phone number, whatever customers it serves.
    pub phone: u16,
}

/// Whom a run may reach within the policy's scope.
#[derive(Clone, Debug, Default)]
pub struct RunScope {
    /// Customers under any of these units; all if empty.
    pub orgs: Vec<OrgCode>,
    /// Customers in any of these reading sections; all if empty.
    pub sections: FxHashSet<u32>,
    /// Not these customers.
    pub exclude: FxHashSet<AccountNumber>,
}

/// What a guard is made from; borrowed, since a guard keeps what it needs.
#[derive(Clone, Copy)]
pub struct GuardSetup<'a> {
    /// The province's rules.
    pub rules: &'a ProvinceRules,
    /// The policy of the run.
    pub policy: &'a Policy,
    /// The manifest of the plugin that decided.
    pub manifest: &'a Manifest,
    /// The province's texts.
    pub templates: &'a TemplateSet,
    /// Working days.
    pub calendar: &'a Arc<Calendar>,
    /// The org tree.
    pub org: &'a OrgTree,
    /// Whose customers the rows are.
    pub prefecture: PrefectureCode,
    /// Whom the run may reach.
    pub scope: &'a RunScope,
    /// When the decisions were made.
    pub now: CivilMinute,
}

/// The guardrails of one run, ready to judge. Holds no reference and is shared between threads.
#[derive(Clone, Debug)]
pub struct Guard {
    topic: Topic,
    class: TopicClass,
    /// Bit n is set where the guardrail with that number applies to the class.
    applies: u16,
    now: CivilMinute,
    freshness_days: Option<u16>,
    validity_minutes: u32,
    cost_per_part_milli_fen: u32,
    lane: Lane,
    caps: Caps,
    times: SendTimes,
    /// Units of the scope with their names; every other station is out of scope.
    units: Arc<FxHashMap<OrgCode, Box<str>>>,
    scope: RunScope,
    prefecture: Box<str>,
    hotline: Box<str>,
    sender: Box<str>,
    routes: Arc<Vec<Vec<Hop>>>,
    /// By notice, then by channel.
    texts: Arc<Vec<[Option<Compiled>; CHANNELS]>>,
    warnings: Vec<String>,
}

const CHANNELS: usize = Channel::ALL.len();

/// What becomes of a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is sent.
    Held(HoldReason),
    /// A message.
    Queue(Box<Planned>),
}

/// A message as it will be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Whose it is: the row.
    pub row: u32,
    /// Whose it is: the account.
    pub account: AccountNumber,
    /// The station that the customer hangs on, for statistics.
    pub station: OrgCode,
    /// The number that an SMS goes to.
    pub phone: Phone,
    /// Where it goes.
    pub channel: Channel,
    /// The route that the plugin chose, an index into its manifest's list.
    pub route: u16,
    /// Which hop of it this is, from 0.
    pub hop: u8,
    /// The notice, an index into the manifest's list.
    pub notice: u16,
    /// Version of the text.
    pub template_version: u32,
    /// The text with its parts and its cost.
    pub text: TextPlan,
    /// The first minute at which it may go.
    pub not_before: CivilMinute,
    /// From this minute on it is worthless.
    pub expires: CivilMinute,
    /// Which messages go first.
    pub lane: Lane,
    /// With the step: not twice.
    pub business_key: u64,
    /// The step that it says.
    pub step: u8,
    /// The highest step said before it, to fall back to where it is cancelled; 0 for none and for topics without a column.
    pub said_before: u8,
    /// The amount of the fact that the text states, for the check before submit; 0 where the topic states none.
    pub stated: Fen,
    /// What messages of the run have in common that may leave together with this one, where they go to the same number; none where none may.
    pub shares: Option<u64>,
}

/// A decision that passed everything but text and caps.
struct Cleared<'g> {
    station: &'g str,
    hop: u8,
    channel: Channel,
    text: &'g Compiled,
    not_before: CivilMinute,
    expires: CivilMinute,
}

/// The lower of two limits, of which either may be missing: what a policy says tightens what the province says.
fn lower(a: Option<u16>, b: Option<u16>) -> Option<u16> {
    a.into_iter().chain(b).min()
}

impl Guard {
    /// Prepares the guardrails of a run. A text that no longer fits its notice counts as not approved and is told by [`Guard::warnings`].
    ///
    /// # Errors
    /// [`PlannerError::Setup`] where the policy lacks a route that the plugin chooses.
    pub fn new(setup: &GuardSetup<'_>) -> Result<Self, PlannerError> {
        let GuardSetup { rules, policy, manifest, .. } = *setup;
        let topic = policy.topic;
        let topic_rule = rules.topic(topic);
        let class_rule = rules.class(topic_rule.class);
        let mut routes = Vec::new();
        for name in manifest.routes() {
            let hops = policy.routes.get(name).ok_or_else(|| PlannerError::Setup {
                policy: policy.name.clone(),
                message: format!("plugin `{}` chooses the route `{name}`: say which channels it tries", policy.plugin),
            })?;
            routes.push(hops.clone());
        }
        let mut warnings = Vec::new();
        let texts = texts(setup, &routes, &mut warnings);
        let applies =
            Guardrail::ALL.iter().filter(|g| topic_rule.class.applies(**g)).fold(0, |bits, g| bits | 1 << *g as u8);
        let prefecture = setup.org.get(setup.prefecture.org()).map_or("", |u| u.name.as_str());
        Ok(Self {
            topic,
            class: topic_rule.class,
            applies,
            now: setup.now,
            freshness_days: lower(policy.freshness_days, topic_rule.freshness_days),
            validity_minutes: policy.validity_minutes.unwrap_or(topic_rule.validity_minutes),
            cost_per_part_milli_fen: policy.cost_per_part_milli_fen,
            lane: policy.lane,
            caps: Caps {
                per_customer: lower(policy.caps.per_customer, class_rule.caps.per_customer),
                per_phone: lower(policy.caps.per_phone, class_rule.caps.per_phone),
            },
            times: SendTimes::new(&policy.windows, class_rule.quiet, policy.days, Arc::clone(setup.calendar)),
            units: Arc::new(units(setup)),
            scope: setup.scope.clone(),
            prefecture: prefecture.trim_end_matches("供电公司").into(),
            hotline: rules.hotline.as_str().into(),
            sender: rules.sender(topic_rule.class).into(),
            routes: Arc::new(routes),
            texts: Arc::new(texts),
            warnings,
        })
    }

    /// What an operator should know: approved texts that no longer fit.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The number that recipients of this run see.
    #[must_use]
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The class of the run's messages.
    #[must_use]
    pub fn class(&self) -> TopicClass {
        self.class
    }

    fn is_on(&self, guardrail: Guardrail) -> bool {
        self.applies >> guardrail as u8 & 1 == 1
    }

    /// The verdict on a decision about the customer of `view`, caps left out. Depends on nothing but its arguments: call it from any thread, in
    /// any order.
    #[must_use]
    pub fn consider(&self, decision: &Decision, view: &CustomerView, ctx: &dyn GuardContext) -> Verdict {
        self.verdict(self.clear(decision, view, ctx), decision, view)
    }

    fn verdict(&self, cleared: Result<Cleared<'_>, HoldReason>, decision: &Decision, view: &CustomerView) -> Verdict {
        match cleared.and_then(|cleared| self.plan(cleared, decision, view)) {
            Ok(planned) => Verdict::Queue(Box::new(planned)),
            Err(reason) => Verdict::Held(reason),
        }
    }

    /// [`Guard::consider`], then the caps: for one decision at a time.
    #[must_use]
    pub fn judge(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
        caps: &mut DayCaps,
    ) -> Verdict {
        match self.consider(decision, view, ctx) {
            Verdict::Queue(planned) => match caps.admit(&planned, ctx) {
                Ok(_) => Verdict::Queue(planned),
                Err(reason) => Verdict::Held(reason),
            },
            held @ Verdict::Held(_) => held,
        }
    }

    /// The caps of this run, nothing counted yet.
    #[must_use]
    pub fn day_caps(&self) -> DayCaps {
        let caps = if self.is_on(Guardrail::Caps) { self.caps } else { Caps::default() };
        DayCaps::new(caps, self.class)
    }

    /// Everything but text and caps, in the order that this module's head says.
    fn clear(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
    ) -> Result<Cleared<'_>, HoldReason> {
        let station = self.in_scope(view)?;
        self.fresh(view)?;
        let hop = self.hop(decision, view, ctx, 0)?;
        self.consented(view)?;
        self.not_exempt(view)?;
        self.not_closed(view)?;
        self.not_said(decision, view, ctx)?;
        self.cleared(decision, station, hop)
    }

    fn cleared<'g>(
        &'g self,
        decision: &Decision,
        station: &'g str,
        (hop, channel, text): (u8, Channel, &'g Compiled),
    ) -> Result<Cleared<'g>, HoldReason> {
        let (not_before, expires) = self.send_time(decision)?;
        Ok(Cleared { station, hop, channel, text, not_before, expires })
    }

    fn facts<'a>(&'a self, decision: &Decision, view: &CustomerView, station: &'a str) -> Facts<'a> {
        Facts::of(self.topic, view, [decision.arg0, decision.arg1], station, &self.prefecture, &self.hotline)
    }

    fn plan(&self, cleared: Cleared<'_>, decision: &Decision, view: &CustomerView) -> Result<Planned, HoldReason> {
        let facts = self.facts(decision, view, cleared.station);
        let shares = self.shares(&cleared, decision, &facts);
        let Cleared { hop, channel, text, not_before, expires, .. } = cleared;
        let plan =
            text.plan(&facts, self.cost_per_part_milli_fen).map_err(|_: RenderError| HoldReason::RenderFailed)?;
        Ok(Planned {
            row: view.row,
            account: view.account,
            station: view.station,
            phone: view.phone,
            channel,
            route: decision.route,
            hop,
            notice: decision.notice,
            template_version: text.version(),
            text: plan,
            not_before,
            expires,
            lane: self.lane,
            business_key: view.business_key(self.topic),
            step: decision.step,
            said_before: view.said_step(self.topic).unwrap_or(0),
            stated: fact_of(self.topic, view).map_or(Fen::ZERO, |f| f.amount),
            shares,
        })
    }

    /// See [`Planned::shares`]: the text, when it goes and what it says besides sums. Topic, lane and prefecture are the run's.
    fn shares(&self, cleared: &Cleared<'_>, decision: &Decision, facts: &Facts<'_>) -> Option<u64> {
        let same = cleared.text.merged()?.sameness(facts)?;
        let mut hasher = FxHasher::default();
        (same, decision.notice, cleared.hop, cleared.text.version(), cleared.not_before).hash(&mut hasher);
        Some(hasher.finish())
    }
}

/// The units that customers of the run hang on, with their names.
fn units(setup: &GuardSetup<'_>) -> FxHashMap<OrgCode, Box<str>> {
    let within = |code: OrgCode, scope: OrgCode| setup.org.is_within(code, scope);
    setup
        .org
        .iter()
        .filter(|u| within(u.code, setup.prefecture.org()))
        .filter(|u| setup.policy.scope.is_none_or(|s| within(u.code, s)))
        .filter(|u| setup.scope.orgs.is_empty() || setup.scope.orgs.iter().any(|s| within(u.code, *s)))
        .map(|u| (u.code, u.name.as_str().into()))
        .collect()
}

/// The approved texts for every notice of the plugin on every channel of its routes.
fn texts(setup: &GuardSetup<'_>, routes: &[Vec<Hop>], warnings: &mut Vec<String>) -> Vec<[Option<Compiled>; CHANNELS]> {
    let mut all = Vec::new();
    for notice in setup.manifest.notices() {
        let mut by_channel = [const { None }; CHANNELS];
        for channel in Channel::ALL.iter().filter(|c| routes.iter().flatten().any(|h| h.channel == **c)) {
            let Some(template) = setup.templates.approved(setup.policy.topic, &notice.name, *channel) else { continue };
            match template.compile(notice, setup.rules) {
                Ok(text) => by_channel[*channel as usize] = Some(text),
                Err(e) => warnings.push(format!(
                    "text {} {} {channel} version {}: {e}",
                    template.topic, template.notice, template.version
                )),
            }
        }
        all.push(by_channel);
    }
    all
}
