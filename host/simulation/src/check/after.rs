//! What came back: customers' messages, answers and reports.

use std::collections::BTreeSet;
use std::time::Duration;

use gridbell_conductor::Host;
use gridbell_model::CarrierKey;

use super::messages::Messages;
use crate::simulation::Simulation;

/// How long an answer or a message that the host has at hand may take to be durable.
const SETTLED_WITHIN: Duration = Duration::from_secs(10);

/// What the host acknowledged it has, and what an opt-out asks for is in the ledger from then on.
pub(super) fn replies(simulation: &mut Simulation, host: &Host) -> Result<(), String> {
    let kept = host.state().inbound_messages(None, usize::MAX).map_err(|e| e.to_string())?;
    let kept: BTreeSet<(String, String)> = kept.into_iter().map(|m| (m.from.expose(), m.text)).collect();
    for reply in simulation.gateways.iter().flat_map(|g| &g.replies) {
        let Some(at) = reply.acknowledged else { continue };
        if !kept.contains(&(reply.phone.clone(), reply.text.to_owned())) {
            return Err(format!("a customer's message `{}` was acknowledged and is not kept", reply.text));
        }
        if !matches!(reply.text, "R" | "退订。") {
            continue;
        }
        for (customer, known) in simulation.province.customers.iter().zip(&mut simulation.ledger.customers) {
            // Whoever changes numbers around that time may or may not have had this one.
            if customer.phone == reply.phone && known.corrected.is_empty() {
                let since = known.opted_out.unwrap_or(at).min(at);
                known.opted_out = Some(since);
            }
        }
    }
    Ok(())
}

/// An answer that reached the host on a line that lived on, in a life that went on, is known.
pub(super) fn answers(simulation: &Simulation, messages: &Messages) -> Result<(), String> {
    let known = known_ids(messages);
    let now = simulation.clock.monotonic();
    for (number, gateway) in simulation.gateways.iter().enumerate() {
        for arrival in gateway.log.iter().filter(|a| a.result == 0) {
            let Some(at) = arrival.answered.filter(|at| *at + SETTLED_WITHIN < now) else { continue };
            let ended = gateway.gone.get(&arrival.line).is_some_and(|gone| *gone < at + SETTLED_WITHIN);
            if ended || simulation.ledger.disturbed(at, at + SETTLED_WITHIN) {
                continue;
            }
            if !known.contains(&(number, arrival.msg_id)) {
                return Err(format!(
                    "the gateway's number {} of an accepted part was answered and is not known",
                    arrival.msg_id
                ));
            }
        }
    }
    Ok(())
}

/// No report waits for ever.
pub(super) fn parked(host: &Host) -> Result<(), String> {
    match host.state().depth().parked {
        0 => Ok(()),
        parked => Err(format!("{parked} reports wait for ever for their answers")),
    }
}

/// Its gateways speak CMPP: their keys are numbers.
const fn number(key: &CarrierKey) -> Option<u64> {
    if let CarrierKey::Number(number) = key { Some(*number) } else { None }
}

fn known_ids(messages: &Messages) -> BTreeSet<(usize, u64)> {
    let link = |name: &str| crate::process::LINKS.iter().position(|l| l.0 == name).unwrap_or(usize::MAX);
    let accepted = messages.all.iter().flat_map(|m| &m.status.accepted);
    accepted.filter_map(|part| Some((link(&part.link), number(&part.key)?))).collect()
}
