//! What must hold, judged from the gateways' logs, the ledger and the state's own words.

mod after;
mod messages;
pub(crate) mod picture;
mod wire;

use gridbell_conductor::Host;
use gridbell_model::Date;

use crate::simulation::Simulation;
use messages::Messages;

/// Everything that must hold at any time.
pub(crate) fn look(simulation: &mut Simulation, host: &Host) -> Result<(), String> {
    let messages = Messages::read(host)?;
    books(host, &messages)?;
    wire::rate(simulation)?;
    wire::copies(simulation, &messages)?;
    wire::submits(simulation, &messages)?;
    after::replies(simulation, host)?;
    after::answers(simulation, &messages)
}

/// Everything that must hold when all has come to its end.
pub(crate) fn at_the_end(simulation: &mut Simulation, host: &Host) -> Result<(), String> {
    look(simulation, host)?;
    let messages = Messages::read(host)?;
    for message in &messages.all {
        let state = message.status.state;
        if !state.is_final() {
            return Err(format!("message {} is lost: it is {state} for ever: {:?}", message.id, message.status));
        }
        *simulation.report.ends.entry(state.word()).or_default() += 1;
        simulation.report.marked += u64::from(message.status.maybe_twice);
        simulation.report.together += u64::from(message.together);
        let words = format!("{} {state} {:?} {}", message.id, message.status.reason, message.status.maybe_twice);
        simulation.trace.add(simulation.clock.monotonic(), words);
    }
    simulation.report.messages = messages.all.len() as u64;
    for (at, gateway) in simulation.gateways.iter().enumerate() {
        if !gateway.is_done() {
            return Err(format!("gateway {at} was left with something to say, or was never heard"));
        }
    }
    after::parked(host)
}

/// Runs, statistics and the audit log add up.
fn books(host: &Host, messages: &Messages) -> Result<(), String> {
    for run in host.state().runs(None, usize::MAX, |_| true) {
        let held: u64 = run.held.values().sum();
        if run.decided != run.queued + held {
            return Err(format!("run {}: decided {} is not queued {} + held {held}", run.id, run.decided, run.queued));
        }
        let kept: u64 = run.segments.iter().map(|s| u64::from(s.decisions)).sum();
        if kept != run.decided {
            return Err(format!("run {}: {kept} decisions are kept of {}", run.id, run.decided));
        }
    }
    let stats: Vec<_> = host.state().stats(Date(i32::MIN), Date(i32::MAX));
    let counted = messages.statistics();
    for (key, counts) in &stats {
        let mine = counted.get(key).copied().unwrap_or_default();
        let theirs = [counts.queued, counts.delivered, counts.failed, counts.expired, counts.cancelled];
        if mine != theirs {
            return Err(format!("statistics of {key:?}: {theirs:?}, but the messages say {mine:?}"));
        }
    }
    if counted.len() != stats.len() {
        return Err(format!("statistics have {} keys, the messages {}", stats.len(), counted.len()));
    }
    match host.state().verify_audit() {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(broken)) => Err(format!("the audit log does not verify: {broken}")),
        Err(error) => Err(format!("the audit log cannot be read: {error}")),
    }
}
