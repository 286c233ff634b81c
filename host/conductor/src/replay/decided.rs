//! The recorded decisions of a run, segment after segment, in order of row; never more than a few segments in memory. And the queues of its messages: a
//! number may have gone to another carrier since, so that the record alone says in which one waited.

use std::collections::VecDeque;

use gridbell_engine::Plugin;
use gridbell_model::{Channel, ColumnId, HoldReason};
use gridbell_state::{DecisionRecord, Outcome, RunRecord, SeenFacts, State};
use rustc_hash::FxHashMap;

use super::Side;
use crate::error::HostError;
use crate::explain::titles;
use crate::ways::SOME_LINK;

/// One recorded decision, with what the plugin saw where that was kept.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) record: DecisionRecord,
    pub(super) seen: Vec<(ColumnId, i64)>,
}

pub(super) struct Decided<'a> {
    state: &'a State,
    run: &'a RunRecord,
    segment: u32,
    ready: VecDeque<Kept>,
}

impl<'a> Decided<'a> {
    pub(super) fn of(state: &'a State, run: &'a RunRecord) -> Self {
        Self { state, run, segment: 0, ready: VecDeque::new() }
    }

    /// A whole segment with what the plugin saw; none behind the last.
    pub(super) fn segment(&mut self) -> Result<Option<(Vec<DecisionRecord>, SeenFacts)>, HostError> {
        if self.segment as usize >= self.run.segments.len() {
            return Ok(None);
        }
        let records = self.state.decisions(self.run.id, self.segment)?;
        let seen = self.state.seen_facts(self.run.id, self.segment)?.unwrap_or_default();
        self.segment += 1;
        Ok(Some((records, seen)))
    }

    pub(super) fn peek(&mut self) -> Result<Option<&Kept>, HostError> {
        while self.ready.is_empty() {
            let Some((records, seen)) = self.segment()? else { return Ok(None) };
            let kept = records.into_iter().enumerate();
            self.ready.extend(kept.map(|(at, record)| Kept { record, seen: seen.row(at) }));
        }
        Ok(self.ready.front())
    }

    pub(super) fn next(&mut self) -> Result<Option<Kept>, HostError> {
        self.peek()?;
        Ok(self.ready.pop_front())
    }
}

/// The queues of a run's messages by SMS, read ahead of [`Decided`].
pub(super) struct RecordedQueues<'a> {
    state: &'a State,
    run: &'a RunRecord,
    segment: u32,
    ready: VecDeque<(u32, Option<u8>)>,
    /// Of the last row that was given: the next block may begin with another decision about it.
    last: Option<(u32, u8)>,
}

impl<'a> RecordedQueues<'a> {
    pub(super) fn of(state: &'a State, run: &'a RunRecord) -> Self {
        Self { state, run, segment: 0, ready: VecDeque::new(), last: None }
    }

    /// The queues of the rows up to `row` and not before the last that was given; [`SOME_LINK`] where the message was held behind the question for a link.
    pub(super) fn up_to(&mut self, row: u32) -> Result<FxHashMap<u32, u8>, HostError> {
        let mut by_row: FxHashMap<u32, u8> = self.last.into_iter().collect();
        loop {
            while let Some((of, queue)) = self.ready.pop_front_if(|(of, _)| *of <= row) {
                let Some(queue) = queue else { continue };
                // Of two decisions about one customer the one that was queued knows.
                let known = by_row.entry(of).or_insert(queue);
                *known = (*known).max(queue);
                self.last = Some((of, *known));
            }
            if !self.ready.is_empty() || self.segment as usize >= self.run.segments.len() {
                return Ok(by_row);
            }
            let records = self.state.decisions(self.run.id, self.segment)?;
            self.segment += 1;
            self.ready.extend(records.into_iter().map(|record| (record.row, queue_of(&record.outcome))));
        }
    }
}

fn queue_of(outcome: &Outcome) -> Option<u8> {
    match outcome {
        Outcome::Queued(message) => (message.channel == Channel::Sms).then_some(message.queue),
        Outcome::Held(HoldReason::BlastRadius | HoldReason::CustomerCap | HoldReason::PhoneCap) => Some(SOME_LINK),
        Outcome::Held(_) => None,
    }
}

/// A decision as a report shows it.
pub(super) fn side(record: &DecisionRecord, plugin: Option<&Plugin>) -> Side {
    let name = plugin.and_then(|p| p.manifest().notices().get(usize::from(record.notice)));
    let (held, channel, send_after) = match &record.outcome {
        Outcome::Held(why) => (why.chinese().to_owned(), String::new(), None),
        Outcome::Queued(m) => (String::new(), m.channel.word().to_owned(), m.send_after.some()),
    };
    Side {
        notice: name.map_or_else(|| record.notice.to_string(), |n| n.name.clone()),
        step: record.step,
        reason: titles(plugin, record.notice, record.reason).1,
        arg0: record.arg0,
        arg1: record.arg1,
        not_before: record.not_before.some(),
        expires: record.expires.some(),
        held,
        channel,
        send_after,
    }
}
