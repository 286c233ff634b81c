//! From a gateway's code to what a link does about it: the operator's table, then the specification's.

use std::time::Duration;

use crate::config::{CodeAction, LinkConfig};
use crate::dialect::Verdict;
use crate::port::Action;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What a refusal means for the link as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Consequence {
    /// Nothing.
    None,
    /// It is sending too fast for the gateway.
    SlowDown,
    /// The gateway found fault with our PDU.
    OurBug,
    /// Nothing will go through.
    Stop,
}

/// What a refused part and its link do; `verdict` is what the specification says of the code. `attempt` is how often its message was tried
/// before, `expires` whether its validity ends: then flow control, which is no fault of the message, is never a reason to give it up.
pub(crate) fn refusal(
    config: &LinkConfig,
    code: u32,
    verdict: impl FnOnce(u32) -> Verdict,
    attempt: u8,
    expires: bool,
) -> (Action, Consequence) {
    let verdict = config.codes.get(&code).map_or_else(|| verdict(code), |action| said(*action));
    let last = attempt.saturating_add(1) >= config.attempts;
    let patient = verdict == Verdict::SlowDown && expires;
    let again = |after| if last && !patient { Action::GiveUp } else { Action::Retry { after } };
    match verdict {
        Verdict::SlowDown => (again(retry_after(config, attempt)), Consequence::SlowDown),
        Verdict::Retry | Verdict::Vendor => (again(retry_after(config, attempt)), Consequence::None),
        Verdict::AnotherHour => (again(HOUR), Consequence::None),
        Verdict::AnotherDay => (again(DAY), Consequence::None),
        Verdict::GiveUp => (Action::GiveUp, Consequence::None),
        Verdict::BadNumber => (Action::BadNumber, Consequence::None),
        Verdict::NotTheirs => (Action::OtherCarrier, Consequence::None),
        Verdict::StopLink => (Action::Requeue, Consequence::Stop),
        Verdict::OurBug => (Action::GiveUp, Consequence::OurBug),
    }
}

const fn said(action: CodeAction) -> Verdict {
    match action {
        CodeAction::Retry => Verdict::Retry,
        CodeAction::DeferHour => Verdict::AnotherHour,
        CodeAction::DeferDay => Verdict::AnotherDay,
        CodeAction::GiveUp => Verdict::GiveUp,
        CodeAction::BadNumber => Verdict::BadNumber,
        CodeAction::Stop => Verdict::StopLink,
        CodeAction::OtherCarrier => Verdict::NotTheirs,
    }
}

/// Doubles with each attempt, from the least to the longest throttle wait.
fn retry_after(config: &LinkConfig, attempt: u8) -> Duration {
    let factor = 1_u32 << attempt.min(16);
    config.timers.throttle_min().saturating_mul(factor).min(config.timers.throttle_max())
}
