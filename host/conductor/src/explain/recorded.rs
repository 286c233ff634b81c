//! What was decided about a customer, as the store has it.

use gridbell_contract::Manifest;
use gridbell_engine::Plugin;
use gridbell_model::{MessageId, Topic, TopicClass};
use gridbell_planner::{answers_manifest, recorded_verdicts};
use gridbell_state::{DecisionRecord, Outcome, RunRecord};

use super::life::MessageLife;
use super::{CorrectionStory, DecisionStory, HopStory, Subject, facts};
use crate::basis::Recorded;
use crate::error::HostError;
use crate::host::Host;

/// Runs of next hops of one run that are looked at.
const MAX_HOP_RUNS: usize = 4_096;

impl Host {
    /// The decisions of `run` about the customer, in their order.
    pub(crate) fn recorded(&self, run: &RunRecord, subject: &Subject) -> Result<Vec<DecisionStory>, HostError> {
        let row = subject.view.row;
        // A customer with several payments has a decision for each, which may go on in the next segment.
        let first = run.segments.partition_point(|s| s.first_row < row).saturating_sub(1);
        let end = run.segments.partition_point(|s| s.first_row <= row);
        let (plugin, class) = (self.plugin_of_digest(&run.digest).ok(), self.class_then(run));
        let own = run.is_answers().then(answers_manifest);
        let manifest = own.or(plugin.as_ref().map(Plugin::manifest));
        let mut stories = Vec::new();
        for segment in first..end {
            let segment = u32::try_from(segment).unwrap_or(u32::MAX);
            let decisions = self.state().decisions(run.id, segment)?;
            if decisions.iter().all(|d| d.row != row) {
                continue;
            }
            let seen = self.state().seen_facts(run.id, segment)?.unwrap_or_default();
            for (at, decision) in decisions.iter().enumerate().filter(|(_, d)| d.row == row) {
                let life = self.life_of(run, decision)?;
                stories.push(story(decision, manifest, class, facts::shown(&seen.row(at)), life));
            }
        }
        let hop_of_run = |r: &RunRecord| r.hop_of() == Some(run.id);
        for hops in self.state().runs(None, MAX_HOP_RUNS, hop_of_run).into_iter().rev() {
            self.add_hops(&hops, row, &mut stories)?;
        }
        let of_policy = |r: &RunRecord| {
            r.is_correction() && (r.prefecture, &r.policy) == (run.prefecture, &run.policy) && r.started >= run.started
        };
        for correction in self.state().runs(None, MAX_HOP_RUNS, of_policy).into_iter().rev() {
            self.add_corrections(&correction, row, &mut stories)?;
        }
        Ok(stories)
    }

    /// Adds what `run` has about the customer at `row` to the decisions whose messages it puts right.
    fn add_corrections(&self, run: &RunRecord, row: u32, stories: &mut [DecisionStory]) -> Result<(), HostError> {
        let first = run.segments.partition_point(|s| s.first_row < row).saturating_sub(1);
        let end = run.segments.partition_point(|s| s.first_row <= row);
        for segment in first..end {
            let decisions = self.state().decisions(run.id, u32::try_from(segment).unwrap_or(u32::MAX))?;
            for decision in decisions.iter().filter(|d| d.row == row) {
                let Some(corrects) = run.corrects(decision).map(|id| id.to_string()) else { continue };
                let Some(story) = stories.iter_mut().find(|s| s.has_message(&corrects)) else { continue };
                let held = match &decision.outcome {
                    Outcome::Held(why) => why.chinese().to_owned(),
                    Outcome::Queued(_) => String::new(),
                };
                let name = format!("C{}", run.correction().unwrap_or_default());
                let message = self.life_of(run, decision)?;
                let (run, at) = (run.id.to_string(), run.ended.to_string());
                let source = "store".to_owned();
                story.corrections.push(CorrectionStory { source, correction: name, run, at, corrects, message, held });
            }
        }
        Ok(())
    }

    /// Adds what `hops` has about the customer at `row` to the decisions that it goes on with.
    fn add_hops(&self, hops: &RunRecord, row: u32, stories: &mut [DecisionStory]) -> Result<(), HostError> {
        let first = hops.segments.partition_point(|s| s.first_row < row).saturating_sub(1);
        let end = hops.segments.partition_point(|s| s.first_row <= row);
        for segment in first..end {
            let decisions = self.state().decisions(hops.id, u32::try_from(segment).unwrap_or(u32::MAX))?;
            for decision in decisions.iter().filter(|d| d.row == row) {
                let held = match &decision.outcome {
                    Outcome::Held(why) => why.chinese().to_owned(),
                    Outcome::Queued(_) => String::new(),
                };
                let message = self.life_of(hops, decision)?;
                let (run, at) = (hops.id.to_string(), hops.ended.to_string());
                let hop = HopStory { source: "store".to_owned(), run, at, message, held };
                // Of several payments in one run each has a decision of its own; their hops come in the same order.
                let of = stories.iter_mut().filter(|s| s.step == decision.step && s.message.is_some());
                if let Some(story) = of.min_by_key(|s| s.hops.len()) {
                    story.hops.push(hop);
                }
            }
        }
        Ok(())
    }

    fn life_of(&self, run: &RunRecord, decision: &DecisionRecord) -> Result<Option<MessageLife>, HostError> {
        let Outcome::Queued(message) = &decision.outcome else { return Ok(None) };
        let id = MessageId::new(run.prefecture, message.number);
        let status = self.state().message_status(id)?;
        let together = self.state().told_together(id)?;
        Ok(Some(MessageLife::of(id, message, status.as_ref()).with_others(together)))
    }

    /// Into which class the topic of `run` belonged then; as now for runs of earlier programs.
    pub(super) fn class_then(&self, run: &RunRecord) -> TopicClass {
        let then = Recorded::read(self.state(), run.id).ok().flatten().map(|r| r.settings);
        let rules = then.or_else(|| self.settings().ok()).map(|s| s.rules);
        rules.map_or_else(|| run.topic.default_class(), |rules| rules.topic(run.topic).class)
    }

    /// The class of `topic` now.
    pub(crate) fn class_now(&self, topic: Topic) -> TopicClass {
        self.settings().map_or_else(|_| topic.default_class(), |s| s.rules.topic(topic).class)
    }
}

fn story(
    decision: &DecisionRecord,
    manifest: Option<&Manifest>,
    class: TopicClass,
    facts: Vec<super::FactShown>,
    message: Option<MessageLife>,
) -> DecisionStory {
    let held = match &decision.outcome {
        Outcome::Held(why) => Some(*why),
        Outcome::Queued(_) => None,
    };
    let (notice, reason) = titles_in(manifest, decision.notice, decision.reason);
    DecisionStory {
        source: "store".to_owned(),
        notice,
        step: decision.step,
        reason,
        facts,
        checks: recorded_verdicts(class, held),
        message,
        held: held.map(|h| h.chinese().to_owned()).unwrap_or_default(),
        hops: Vec::new(),
        corrections: Vec::new(),
    }
}

/// What `plugin` calls a notice and a reason; their numbers where the plugin is no more there.
pub(crate) fn titles(plugin: Option<&Plugin>, notice: u16, reason: u16) -> (String, String) {
    titles_in(plugin.map(Plugin::manifest), notice, reason)
}

fn titles_in(manifest: Option<&Manifest>, notice: u16, reason: u16) -> (String, String) {
    let notice_title = manifest.and_then(|m| m.notices().get(usize::from(notice)).map(|n| n.title.clone()));
    let reason_title = manifest.and_then(|m| m.reasons().get(usize::from(reason)).map(|r| r.title.clone()));
    (notice_title.unwrap_or_else(|| format!("通知 {notice}")), reason_title.unwrap_or_else(|| format!("原因 {reason}")))
}
