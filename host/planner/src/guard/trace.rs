//! Every guardrail's verdict on one decision, for people who ask why: which passed, which held, which does not apply. For one customer at a time;
//! a run asks [`Guard::consider`], which stops at the first that holds.

use gridbell_model::{CustomerView, Decision, Guardrail, HoldReason, TopicClass};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

use super::{Guard, GuardContext, Planned, Verdict};

/// One check of a decision, in the order in which they are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardVerdict {
    /// Its word: a guardrail's, or `text` and `link` for the two that follow from the message itself.
    pub check: Cow<'static, str>,
    /// What an office reads.
    pub title: Cow<'static, str>,
    /// What it said.
    pub verdict: Judgement,
    /// Why it held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<HoldReason>,
    /// The same for an office.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason_title: Option<Cow<'static, str>>,
}

/// What a check said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Nothing against it.
    Passed,
    /// No message because of it.
    Held,
    /// The topic's class is not subject to it.
    NotApplied,
    /// Another check held before it was asked, or it is made of a whole run only.
    NotAsked,
}

impl Judgement {
    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Passed => "通过",
            Self::Held => "拦截",
            Self::NotApplied => "不适用",
            Self::NotAsked => "未检查",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Check {
    Guard(Guardrail),
    Text,
    Link,
}

/// The order of the checks, as the module above has it.
const ORDER: [Check; 14] = [
    Check::Guard(Guardrail::Scope),
    Check::Guard(Guardrail::Freshness),
    Check::Guard(Guardrail::Template),
    Check::Guard(Guardrail::Address),
    Check::Guard(Guardrail::OptOut),
    Check::Guard(Guardrail::Consent),
    Check::Guard(Guardrail::Exempt),
    Check::Guard(Guardrail::Closed),
    Check::Guard(Guardrail::Said),
    Check::Guard(Guardrail::Window),
    Check::Text,
    Check::Link,
    Check::Guard(Guardrail::Caps),
    Check::Guard(Guardrail::BlastRadius),
];

impl Check {
    /// Which check gives `reason`; none for what is found after a message was queued.
    fn of(reason: HoldReason) -> Option<Self> {
        use Guardrail as G;
        use HoldReason as R;
        Some(Self::Guard(match reason {
            R::OutOfScope => G::Scope,
            R::StaleFacts => G::Freshness,
            R::NoTemplate => G::Template,
            R::NoAddress | R::BadAddress | R::SuspendedAddress | R::Erased => G::Address,
            R::NoConsent => G::Consent,
            R::OptedOut => G::OptOut,
            R::DoNotRemind | R::Disputed | R::DebitPending | R::Paused => G::Exempt,
            R::Closed => G::Closed,
            R::AlreadySaid => G::Said,
            R::CustomerCap | R::PhoneCap => G::Caps,
            R::NoWindow => G::Window,
            R::BlastRadius => G::BlastRadius,
            R::RenderFailed => return Some(Self::Text),
            R::NoLink => return Some(Self::Link),
            R::Paid | R::FactsChanged | R::AddressChanged | R::Recalled | R::DeliveredMeanwhile | R::NeverCame => {
                return None;
            }
        }))
    }

    fn applies(self, class: TopicClass) -> bool {
        match self {
            Self::Guard(guardrail) => class.applies(guardrail),
            Self::Text | Self::Link => true,
        }
    }

    fn verdict(self, verdict: Judgement, reason: Option<HoldReason>) -> GuardVerdict {
        let (check, title) = match self {
            Self::Guard(guardrail) => (guardrail.word(), guardrail.chinese()),
            Self::Text => ("text", "文本"),
            Self::Link => ("link", "通道"),
        };
        GuardVerdict {
            check: check.into(),
            title: title.into(),
            verdict,
            reason,
            reason_title: reason.map(|r| r.chinese().into()),
        }
    }
}

/// The verdicts behind an outcome that was recorded: those before the one that held had passed, those behind it were not asked.
#[must_use]
pub fn recorded_verdicts(class: TopicClass, held: Option<HoldReason>) -> Vec<GuardVerdict> {
    let holder = held.and_then(Check::of);
    let mut asked = true;
    let one = |check: &Check| {
        if !check.applies(class) {
            check.verdict(Judgement::NotApplied, None)
        } else if Some(*check) == holder {
            asked = false;
            check.verdict(Judgement::Held, held)
        } else {
            check.verdict(if asked { Judgement::Passed } else { Judgement::NotAsked }, None)
        }
    };
    ORDER.iter().map(one).collect()
}

impl Guard {
    /// Every check's own verdict on a decision about the customer of `view`, whatever the others say, and the message if none holds. `link` says
    /// whether a link takes it; the run's reach is not asked of one customer.
    #[must_use]
    pub fn verdicts(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
        link: impl Fn(&Planned) -> Result<(), HoldReason>,
    ) -> (Vec<GuardVerdict>, Verdict) {
        let mut outcome = self.consider(decision, view, ctx);
        let (mut linked, mut capped) = (None, None);
        if let Verdict::Queue(planned) = &outcome {
            linked = Some(link(planned));
            capped = Some(self.day_caps().admit(planned, ctx).map(|_| ()));
        }
        let hop = self.hop(decision, view, ctx, 0).map(|_| ());
        let one = |check: &Check| -> GuardVerdict {
            if !check.applies(self.class()) {
                return check.verdict(Judgement::NotApplied, None);
            }
            let asked = match check {
                Check::Guard(Guardrail::Scope) => Some(self.in_scope(view).map(|_| ())),
                Check::Guard(Guardrail::Freshness) => Some(self.fresh(view)),
                Check::Guard(Guardrail::Template | Guardrail::Address | Guardrail::OptOut) => on_the_way(hop, *check),
                Check::Guard(Guardrail::Consent) => Some(self.consented(view)),
                Check::Guard(Guardrail::Exempt) => Some(self.not_exempt(view)),
                Check::Guard(Guardrail::Closed) => Some(self.not_closed(view)),
                Check::Guard(Guardrail::Said) => Some(self.not_said(decision, view, ctx)),
                Check::Guard(Guardrail::Window) => Some(self.send_time(decision).map(|_| ())),
                Check::Text => match &outcome {
                    Verdict::Held(HoldReason::RenderFailed) => Some(Err(HoldReason::RenderFailed)),
                    Verdict::Held(_) => None,
                    Verdict::Queue(_) => Some(Ok(())),
                },
                Check::Link => linked,
                Check::Guard(Guardrail::Caps) => capped,
                Check::Guard(Guardrail::BlastRadius) => None,
            };
            match asked {
                None => check.verdict(Judgement::NotAsked, None),
                Some(Ok(())) => check.verdict(Judgement::Passed, None),
                Some(Err(reason)) => check.verdict(Judgement::Held, Some(reason)),
            }
        };
        let verdicts = ORDER.iter().map(one).collect();
        if let Some(reason) = linked.and_then(Result::err).or_else(|| capped.and_then(Result::err)) {
            outcome = Verdict::Held(reason);
        }
        (verdicts, outcome)
    }
}

/// Of template, address and opt-out, which are asked hop by hop, the one that held, those before it and those behind it.
fn on_the_way(hop: Result<(), HoldReason>, check: Check) -> Option<Result<(), HoldReason>> {
    let Err(reason) = hop else { return Some(Ok(())) };
    let place = |c: Check| ORDER.iter().position(|o| *o == c);
    match Check::of(reason) {
        Some(holder) if holder == check => Some(Err(reason)),
        Some(holder) if place(check) < place(holder) => Some(Ok(())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_of_a_guardrail_stands_at_one_check_and_those_before_it_passed() {
        for reason in HoldReason::ALL {
            let verdicts = recorded_verdicts(TopicClass::Marketing, Some(*reason));
            let held: Vec<usize> = (0..verdicts.len()).filter(|n| verdicts[*n].verdict == Judgement::Held).collect();
            match Check::of(*reason) {
                None => assert!(held.is_empty(), "{reason}"),
                Some(_) => {
                    assert_eq!(held.len(), 1, "{reason}");
                    assert!(verdicts[..held[0]].iter().all(|v| v.verdict == Judgement::Passed), "{reason}");
                    assert!(verdicts[held[0] + 1..].iter().all(|v| v.verdict == Judgement::NotAsked), "{reason}");
                }
            }
        }
        let statutory = recorded_verdicts(TopicClass::Statutory, None);
        let of = |word: &str| statutory.iter().find(|v| v.check == word).map(|v| v.verdict);
        assert_eq!((of("opt-out"), of("address")), (Some(Judgement::NotApplied), Some(Judgement::Passed)));
    }
}
