//! The recorded decisions of a run, segment after segment, in order of row; never more than a few segments in memory.

use std::collections::VecDeque;

use gridbell_engine::Plugin;
use gridbell_model::ColumnId;
use gridbell_state::{DecisionRecord, Outcome, RunRecord, SeenFacts, State};

use super::Side;
use crate::error::HostError;
use crate::explain::titles;

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
