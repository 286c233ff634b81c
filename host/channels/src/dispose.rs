//! From a gateway's code to what a link does about it: the specification's table, then the operator's.

use std::time::Duration;

use gridbell_cmpp::{Disposition, FeeUserType, submit_disposition};

use crate::config::{CodeAction, LinkConfig};
use crate::port::Action;

/// "Flow control": too many a second for the gateway.
const FLOW_CONTROL: u32 = 8;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Who pays for messages: the utility, always.
pub(crate) const PAYER: FeeUserType = FeeUserType::SP;

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

/// What a refused part and its link do. `attempt` is how often its message was tried before, `expires` whether its validity ends: then
/// flow control, which is no fault of the message, is never a reason to give it up.
pub(crate) fn refusal(config: &LinkConfig, code: u32, attempt: u8, expires: bool) -> (Action, Consequence) {
    let meaning = match submit_disposition(code, PAYER) {
        // Not a refusal; the caller has handled it.
        Ok(()) => return (Action::Requeue, Consequence::None),
        Err(Disposition::BackOffRetry) => CodeAction::Retry,
        Err(Disposition::NumberBad) => CodeAction::BadNumber,
        Err(Disposition::StopLink) => CodeAction::Stop,
        Err(Disposition::OurBug) => return (Action::GiveUp, Consequence::OurBug),
        Err(Disposition::Vendor(code)) => config.codes.get(&code).copied().unwrap_or(CodeAction::Retry),
    };
    let last = attempt.saturating_add(1) >= config.attempts;
    let patient = code == FLOW_CONTROL && expires;
    let again = |after| if last && !patient { Action::GiveUp } else { Action::Retry { after } };
    match meaning {
        CodeAction::Retry if code == FLOW_CONTROL => (again(retry_after(config, attempt)), Consequence::SlowDown),
        CodeAction::Retry => (again(retry_after(config, attempt)), Consequence::None),
        CodeAction::DeferHour => (again(HOUR), Consequence::None),
        CodeAction::DeferDay => (again(DAY), Consequence::None),
        CodeAction::GiveUp => (Action::GiveUp, Consequence::None),
        CodeAction::BadNumber => (Action::BadNumber, Consequence::None),
        CodeAction::Stop => (Action::Requeue, Consequence::Stop),
    }
}

/// Doubles with each attempt, from the least to the longest throttle wait.
fn retry_after(config: &LinkConfig, attempt: u8) -> Duration {
    let factor = 1_u32 << attempt.min(16);
    config.timers.throttle_min().saturating_mul(factor).min(config.timers.throttle_max())
}
