//! From verdicts to records: caps, links and numbers, one decision after another in order of row, so that the outcome does not depend on threads.

use gridbell_model::{Channel, CustomerView, Date, Decision, HoldReason, PrefectureCode, Segments, Topic, TopicClass};
use gridbell_planner::{GuardContext, Planned, Told, Verdict};
use gridbell_state::{DecisionRecord, Outcome, QueuedMessage, Snapshot, State};
use rustc_hash::FxHashSet;

use crate::host::Host;
use crate::runs::Prepared;

/// Caps, links and numbers: what must be done one decision after another, in order of row.
pub(crate) fn settle(
    host: &Host,
    prepared: &Prepared,
    snapshot: &Snapshot,
    verdicts: Vec<(Decision, CustomerView, Verdict)>,
    caps: &mut gridbell_planner::DayCaps,
) -> Vec<DecisionRecord> {
    let context = Context::new(host.state(), prepared, snapshot);
    let queues = host.queues();
    settle_with(prepared, &context, &queues, verdicts, caps)
}

/// The same with nothing of the present in it.
pub(crate) fn settle_with(
    prepared: &Prepared,
    context: &Context,
    queues: &FxHashSet<u8>,
    verdicts: Vec<(Decision, CustomerView, Verdict)>,
    caps: &mut gridbell_planner::DayCaps,
) -> Vec<DecisionRecord> {
    verdicts
        .into_iter()
        .map(|(decision, view, verdict)| {
            let outcome = match verdict {
                Verdict::Held(why) => Outcome::Held(why),
                Verdict::Queue(planned) => match queue_of(&planned, &prepared.settings.segments, queues) {
                    Err(why) => Outcome::Held(why),
                    Ok(queue) => match caps.admit(&planned, context) {
                        Err(why) => Outcome::Held(why),
                        Ok(()) => Outcome::Queued(Box::new(message(*planned, &view, prepared.policy.topic, queue))),
                    },
                },
            };
            DecisionRecord::new(&decision, view.account, outcome)
        })
        .collect()
}

/// The carrier whose links take the message.
pub(crate) fn queue_of(planned: &Planned, segments: &Segments, served: &FxHashSet<u8>) -> Result<u8, HoldReason> {
    carrier_queue(planned.channel, planned.phone.number(), segments, served)
}

/// The carrier whose links take a message to `number` on `channel`.
pub(crate) fn carrier_queue(
    channel: Channel,
    number: u64,
    segments: &Segments,
    served: &FxHashSet<u8>,
) -> Result<u8, HoldReason> {
    if channel != Channel::Sms {
        return Err(HoldReason::NoLink);
    }
    let carrier = segments.carrier_of(number).ok_or(HoldReason::BadAddress)?;
    let queue = carrier as u8;
    if served.contains(&queue) { Ok(queue) } else { Err(HoldReason::NoLink) }
}

pub(crate) fn message(planned: Planned, view: &CustomerView, topic: Topic, queue: u8) -> QueuedMessage {
    QueuedMessage {
        number: 0,
        previous: 0,
        channel: planned.channel,
        phone: planned.phone,
        station: view.station,
        text: planned.text.text,
        template: planned.template_version,
        parts: planned.text.parts,
        cost_milli_fen: planned.text.cost_milli_fen,
        send_after: planned.not_before,
        expires: planned.expires,
        lane: planned.lane,
        queue,
        key: planned.business_key,
        said_before: view.said_step(topic).unwrap_or(0),
        hop: planned.hop,
        stated: planned.stated,
    }
}

/// What the guardrails ask of the state.
pub(crate) struct Context {
    state: State,
    prefecture: PrefectureCode,
    /// Into which class the province put each topic.
    classes: Vec<(Topic, TopicClass)>,
}

impl Context {
    pub(crate) fn new(state: &State, prepared: &Prepared, snapshot: &Snapshot) -> Self {
        let classes = Topic::ALL.iter().map(|t| (*t, prepared.settings.rules.topic(*t).class)).collect();
        Self { state: state.clone(), prefecture: snapshot.prefecture(), classes }
    }
}

impl GuardContext for Context {
    fn said(&self, _row: u32, _topic: Topic, _key: u64, _step: u8) -> bool {
        // Topics that keep no said-step in a column cannot be used by a policy yet: `apply_policies` refuses them.
        false
    }

    fn told(&self, row: u32, phone: u64, date: Date, class: TopicClass) -> Told {
        let topics: Vec<Topic> = self.classes.iter().filter(|(_, c)| *c == class).map(|(t, _)| *t).collect();
        let (customer, phone) = self.state.told(self.prefecture, row, phone, date, &topics);
        Told { customer: u16::from(customer), phone: u16::from(phone) }
    }
}
