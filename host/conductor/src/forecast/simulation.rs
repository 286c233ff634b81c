//! A stage's runs, one after another, over an overlay: what each would queue and hold. The order of things is that of a real run: evaluate, the
//! guardrails side by side, then caps one after another in order of row; what was said shows only to the runs after it.

use std::collections::BTreeMap;

use gridbell_clock::Seed;
use gridbell_engine::{EvalOptions, OutsideSample, Plugin, RunError};
use gridbell_model::{CivilMinute, Decision, HoldReason, Sharing, Table, Topic, TopicClass};
use gridbell_planner::{BlastVerdict, Foreseen, Guard};
use gridbell_state::Snapshot;
use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHashSet};

use super::gate::Control;
use super::messages::{Counted, Message, SimContext, topics_by_class};
use super::overlay::Overlay;
use super::stage::Stage;
use crate::error::HostError;
use crate::host::Host;
use crate::runs::{INTEREST_SAMPLE, blocks};
use crate::settle::Addresses;
use crate::ways::Ways;

/// Runs of one policy that a preview simulates: every half hour of 31 days.
pub const MAX_PREVIEW_RUNS: usize = 31 * 48;
/// Messages of one policy that a preview keeps: some 300 MB.
pub const MAX_PREVIEW_MESSAGES: usize = 4_000_000;
/// Decisions that a thread judges at a time.
const JUDGED_AT_ONCE: usize = 512;

/// What one simulated run came to.
#[derive(Clone, Debug, Default)]
pub(crate) struct SimRun {
    pub(crate) passed: u64,
    pub(crate) decided: u64,
    pub(crate) queued: u64,
    pub(crate) parts: u64,
    pub(crate) cost_milli_fen: u64,
    /// The limit that it reaches, where it does: a real one would wait for a person.
    pub(crate) over: Option<u64>,
}

/// What a policy would do in a horizon.
#[derive(Default)]
pub(crate) struct Side {
    pub(crate) runs: Vec<SimRun>,
    /// In order of run, within it of row.
    pub(crate) messages: Vec<Message>,
    pub(crate) held: BTreeMap<HoldReason, u64>,
    pub(crate) warnings: Vec<String>,
}

/// A stage under way.
pub(crate) struct Simulation<'a> {
    host: &'a Host,
    pub(crate) stage: &'a Stage,
    snapshot: &'a Snapshot,
    pub(crate) overlay: Overlay,
    topics: FxHashMap<TopicClass, Vec<Topic>>,
    served: FxHashSet<u8>,
    addresses: Addresses,
    counted: Counted,
    previous: Option<CivilMinute>,
    pub(crate) side: Side,
}

/// A decision with what became of it but for caps: the message, the number that it goes to, and what it has in common with those that may leave with it.
type Judged = (Message, (u64, Option<u64>), Result<(), HoldReason>);

impl<'a> Simulation<'a> {
    pub(crate) fn new(host: &'a Host, stage: &'a Stage, snapshot: &'a Snapshot) -> Self {
        Self {
            host,
            stage,
            snapshot,
            overlay: Overlay::new(snapshot.clone(), stage.policy.topic, stage.threshold()),
            topics: topics_by_class(&stage.settings.rules),
            addresses: Addresses::of(snapshot, &host.queues()),
            served: host.queues(),
            counted: Counted::default(),
            previous: None,
            side: Side::default(),
        }
    }

    /// All runs.
    pub(crate) fn complete(mut self, control: &Control) -> Result<Side, HostError> {
        for n in 0..self.stage.occurrences.len() {
            self.step(n, None, control, &mut |_, _| {})?;
            control.step();
        }
        Ok(self.side)
    }

    /// The simulated run before the next one.
    pub(crate) fn previous(&self) -> Option<CivilMinute> {
        self.previous
    }

    /// Customers as run `n` finds them.
    pub(crate) fn at(&mut self, n: usize) -> &Overlay {
        self.overlay.facts_of(self.stage.horizon.shift(self.stage.occurrences[n].at));
        &self.overlay
    }

    /// Run `n` over `rows`, all of them if none. Each decision that is held goes to `held` too, with its customer's row.
    pub(crate) fn step(
        &mut self,
        n: usize,
        rows: Option<Vec<u32>>,
        control: &Control,
        held: &mut dyn FnMut(&Message, HoldReason),
    ) -> Result<(), HostError> {
        control.check()?;
        let stage = self.stage;
        let at = stage.occurrences[n].at;
        let base = &stage.bases[stage.occurrences[n].base];
        self.overlay.facts_of(stage.horizon.shift(at));
        self.counted.forget_before(at.date());
        let payments = base.prepared.payments.as_ref();
        let options = EvalOptions {
            use_interest: true,
            rows: rows.or_else(|| base.prepared.rows.clone()),
            sample_outside: (n == 0).then(|| OutsideSample { seed: Seed(self.snapshot.seq()), rows: INTEREST_SAMPLE }),
            stop: Some(control.stop.clone()),
            ..EvalOptions::default()
        };
        let run = stage.run(n, self.previous)?;
        let table: &dyn Table = payments.map_or(&self.overlay as &dyn Table, |p| p);
        let evaluation = self.host.engine().evaluate(&stage.plugin, &run, table, &options).map_err(|e| match e {
            RunError::Stopped => HostError::Stopped,
            failed => failed.into(),
        })?;
        self.warn_of_interest(&stage.plugin, evaluation.interest_misses.len());
        let mut sum = SimRun {
            passed: evaluation.passed as u64,
            decided: evaluation.decisions.len() as u64,
            ..SimRun::default()
        };
        let guard = stage.guard(n);
        let mut caps = guard.day_caps();
        let mut side = std::mem::take(&mut self.side);
        let first = side.messages.len();
        for block in blocks(evaluation.decisions.len()) {
            control.check()?;
            let judged = self.judge(n, &guard, &evaluation.decisions[block]);
            let context = self.context();
            for (message, phone, verdict) in judged {
                let verdict = verdict.and_then(|()| caps.admit_one(message.row, phone, message.day(), &context));
                match verdict {
                    Ok(sharing) => side.messages.push(Message { rides: sharing == Sharing::Rides, ..message }),
                    Err(reason) => {
                        *side.held.entry(reason).or_default() += 1;
                        held(&message, reason);
                    }
                }
            }
            if side.messages.len() > MAX_PREVIEW_MESSAGES {
                return Err(HostError::Invalid(format!(
                    "the preview comes to more than {MAX_PREVIEW_MESSAGES} messages: preview fewer days (消息过多，请减少天数)"
                )));
            }
        }
        for message in &side.messages[first..] {
            sum.queued += 1;
            sum.parts += u64::from(message.parts);
            sum.cost_milli_fen += u64::from(message.cost_milli_fen);
        }
        self.side = side;
        sum.over = over(base.limit, sum.queued);
        // Nothing comes after the last run.
        if n + 1 < stage.occurrences.len() {
            self.say(first, !caps.is_none());
        }
        self.side.runs.push(sum);
        self.previous = Some(at);
        Ok(())
    }

    /// What the messages from `first` on said shows to the runs after this one.
    fn say(&mut self, first: usize, capped: bool) {
        for message in &self.side.messages[first..] {
            self.overlay.say(message.row, message.key, message.step);
            if capped {
                let phone = self.snapshot.view(message.row).map_or(0, |v| v.phone.number());
                self.counted.count(message.row, if message.rides { 0 } else { phone }, message.day());
            }
        }
    }

    fn context(&self) -> SimContext<'_> {
        SimContext::new(self.host.state(), self.snapshot.prefecture(), &self.topics, &self.counted, &self.addresses)
    }

    /// The guardrails that look at one customer alone, and the link.
    fn judge(&self, n: usize, guard: &Guard, decisions: &[Decision]) -> Vec<Judged> {
        let context = self.context();
        let ways = Ways::new(&self.stage.settings.segments, self.snapshot.ported(), &self.served);
        let prepared = &self.stage.bases[self.stage.occurrences[n].base].prepared;
        let one = |scratch: &mut String, d: &Decision| -> Option<Judged> {
            let view = self.overlay.later(prepared.view(self.snapshot, d.row)?);
            let decision = Decision { row: view.row, ..*d };
            let mut message = Message { table_row: d.row, ..Message::of(&decision, n, view.station) };
            let mut shares = None;
            let verdict = guard.foresee(&decision, &view, &context, scratch).and_then(|foreseen| {
                let Foreseen { channel, not_before, expires, parts, cost_milli_fen, business_key, shares: its } =
                    foreseen;
                shares = its;
                message = Message { channel, parts, cost_milli_fen, key: business_key, ..message };
                message = message.with_times(not_before, expires);
                message.queue = ways.queue(channel, view.phone.number(), view.row)?;
                Ok(())
            });
            let phone = if message.channel.goes_to_number() { view.phone.number() } else { 0 };
            Some((message, (phone, shares), verdict))
        };
        decisions.par_iter().with_min_len(JUDGED_AT_ONCE).map_init(String::new, one).flatten_iter().collect()
    }

    fn warn_of_interest(&mut self, plugin: &Plugin, misses: usize) {
        if misses > 0 {
            self.side.warnings.push(format!(
                "{}: {misses} of {INTEREST_SAMPLE} sampled customers outside its interest would have been chosen (interest 漏选客户)",
                plugin.label()
            ));
        }
    }
}

fn over(limit: BlastVerdict, queued: u64) -> Option<u64> {
    match limit {
        BlastVerdict::Hold { limit, .. } if queued > limit => Some(limit),
        _ => None,
    }
}
