//! From verdicts to records: caps, links and numbers, one decision after another in order of row, so that the outcome does not depend on threads.

use gridbell_model::{Channel, CustomerView, Date, Decision, PrefectureCode, Served, Sharing, Topic, TopicClass};
use gridbell_planner::{GuardContext, Planned, Told, Verdict};
use gridbell_state::{DecisionRecord, Outcome, QueuedMessage, Snapshot, State};
use rustc_hash::FxHashSet;

use crate::host::Host;
use crate::runs::Prepared;
use crate::ways::Ways;

/// Caps, links and numbers: what must be done one decision after another, in order of row.
pub(crate) fn settle(
    host: &Host,
    prepared: &Prepared,
    snapshot: &Snapshot,
    verdicts: Vec<(Decision, CustomerView, Verdict)>,
    caps: &mut gridbell_planner::DayCaps,
) -> Vec<DecisionRecord> {
    let queues = host.queues();
    let context = Context::new(host.state(), prepared, snapshot, &queues);
    let ways = Ways::new(&prepared.settings.segments, snapshot.ported(), &queues);
    settle_with(prepared, &context, &ways, verdicts, caps)
}

/// The same with nothing of the present in it.
pub(crate) fn settle_with(
    prepared: &Prepared,
    context: &Context,
    ways: &Ways<'_>,
    verdicts: Vec<(Decision, CustomerView, Verdict)>,
    caps: &mut gridbell_planner::DayCaps,
) -> Vec<DecisionRecord> {
    verdicts
        .into_iter()
        .map(|(decision, view, verdict)| {
            let outcome = match verdict {
                Verdict::Held(why) => Outcome::Held(why),
                Verdict::Queue(planned) => match ways.of(&planned, decision.row) {
                    Err(why) => Outcome::Held(why),
                    Ok(queue) => match caps.admit(&planned, context) {
                        Err(why) => Outcome::Held(why),
                        Ok(sharing) => {
                            let message = message(*planned, &view, prepared.policy.topic, queue);
                            Outcome::Queued(Box::new(QueuedMessage { sharing, ..message }))
                        }
                    },
                },
            };
            DecisionRecord::new(&decision, view.account, outcome)
        })
        .collect()
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
        sharing: Sharing::Alone,
    }
}

/// What the guardrails ask of the state.
pub(crate) struct Context {
    state: State,
    prefecture: PrefectureCode,
    /// Into which class the province put each topic.
    classes: Vec<(Topic, TopicClass)>,
    addresses: Addresses,
}

/// Who has an address for which channel, where a link takes messages for it: a hop that nobody serves is no way to anybody.
pub(crate) struct Addresses {
    snapshot: Snapshot,
    channels: Vec<Channel>,
    /// Whether a webhook takes messages; everybody's number is an address for it.
    webhook: bool,
}

impl Addresses {
    pub(crate) fn of(snapshot: &Snapshot, served: &FxHashSet<u8>) -> Self {
        let is_served = |c: &Channel| served.contains(&Served::Channel(*c).queue());
        let channels = Channel::PLATFORMS.into_iter().filter(is_served).collect();
        Self { snapshot: snapshot.clone(), channels, webhook: is_served(&Channel::Webhook) }
    }

    pub(crate) fn has(&self, row: u32, channel: Channel) -> bool {
        match channel {
            Channel::Webhook => self.webhook,
            channel => self.channels.contains(&channel) && self.snapshot.has_contact(row, channel),
        }
    }
}

impl Context {
    pub(crate) fn new(state: &State, prepared: &Prepared, snapshot: &Snapshot, served: &FxHashSet<u8>) -> Self {
        let classes = Topic::ALL.iter().map(|t| (*t, prepared.settings.rules.topic(*t).class)).collect();
        let addresses = Addresses::of(snapshot, served);
        Self { state: state.clone(), prefecture: snapshot.prefecture(), classes, addresses }
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

    fn has_address(&self, row: u32, channel: Channel) -> bool {
        self.addresses.has(row, channel)
    }
}
