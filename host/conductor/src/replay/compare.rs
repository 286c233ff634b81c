//! Recorded beside replayed, decision by decision in order of row.

use gridbell_engine::Plugin;
use gridbell_model::{ColumnId, Decision, HoldReason};
use gridbell_state::{DecisionRecord, Outcome, QueuedMessage};

use super::decided::{Decided, Kept, side};
use super::{MAX_DIFFERENCES, ReplayDifference, ReplayReport};
use crate::error::HostError;

/// Collects what differs.
pub(super) struct Findings<'a> {
    pub(super) report: &'a mut ReplayReport,
    pub(super) plugin: &'a Plugin,
    /// The number that the next recorded message must have.
    pub(super) next_message: u32,
    /// Whether the run waited: its messages were all held.
    pub(super) waited: bool,
}

impl Findings<'_> {
    /// Notes a difference; the first are kept with both sides.
    fn note(
        &mut self,
        kind: &'static str,
        fields: Vec<&'static str>,
        recorded: Option<&DecisionRecord>,
        replayed: Option<&DecisionRecord>,
    ) {
        self.report.differences += 1;
        *self.report.kinds.entry(kind.into()).or_default() += 1;
        if self.report.first.len() >= MAX_DIFFERENCES {
            return;
        }
        let of = recorded.or(replayed);
        self.report.first.push(ReplayDifference {
            account: of.map(|r| r.account),
            row: of.map_or(0, |r| r.row),
            kind: kind.into(),
            fields: fields.into_iter().map(Into::into).collect(),
            recorded: recorded.map(|r| side(r, Some(self.plugin))),
            replayed: replayed.map(|r| side(r, Some(self.plugin))),
        });
    }

    /// Something about the run as a whole.
    pub(super) fn run(&mut self, field: &'static str) {
        self.note("run", vec![field], None, None);
    }

    /// Compares what came out for the next rows with what was recorded. Rows ascend on both sides; of one row the order is the same.
    pub(super) fn block(
        &mut self,
        recorded: &mut Decided<'_>,
        replayed: &[(DecisionRecord, Vec<(ColumnId, i64)>)],
    ) -> Result<(), HostError> {
        for (record, seen) in replayed {
            while recorded.peek()?.is_some_and(|kept| kept.record.row < record.row) {
                self.only_recorded(recorded)?;
            }
            if recorded.peek()?.is_none_or(|kept| kept.record.row > record.row) {
                self.note("only-replayed", Vec::new(), None, Some(record));
                continue;
            }
            if let Some(kept) = recorded.next()? {
                self.pair(&kept, record, seen);
            }
        }
        Ok(())
    }

    /// What was recorded and did not come out.
    pub(super) fn rest(&mut self, recorded: &mut Decided<'_>) -> Result<(), HostError> {
        while recorded.peek()?.is_some() {
            self.only_recorded(recorded)?;
        }
        Ok(())
    }

    fn only_recorded(&mut self, recorded: &mut Decided<'_>) -> Result<(), HostError> {
        if let Some(kept) = recorded.next()? {
            self.number(&kept.record);
            self.note("only-recorded", Vec::new(), Some(&kept.record), None);
        }
        Ok(())
    }

    fn pair(&mut self, kept: &Kept, replayed: &DecisionRecord, seen: &[(ColumnId, i64)]) {
        let recorded = &kept.record;
        let mut fields = decision_fields(recorded, &replayed.decision());
        if recorded.account != replayed.account {
            fields.insert(0, "account");
        }
        if !fields.is_empty() {
            self.note("decision", fields, Some(recorded), Some(replayed));
        } else if !kept.seen.is_empty() && kept.seen != seen {
            self.note("facts", Vec::new(), Some(recorded), Some(replayed));
        } else {
            self.outcome(recorded, replayed);
        }
        self.number(recorded);
    }

    fn outcome(&mut self, recorded: &DecisionRecord, replayed: &DecisionRecord) {
        let cap = |o: &Outcome| matches!(o, Outcome::Held(HoldReason::CustomerCap | HoldReason::PhoneCap));
        let fields = match (&recorded.outcome, &replayed.outcome) {
            (Outcome::Held(a), Outcome::Held(b)) if a == b => Vec::new(),
            (Outcome::Queued(a), Outcome::Queued(b)) => message_fields(a, b),
            // The run reached too far: what would have been a message was held for a person.
            (Outcome::Held(HoldReason::BlastRadius), Outcome::Queued(_)) if self.waited => Vec::new(),
            (a, b) if cap(a) || cap(b) => {
                self.report.caps_otherwise += 1;
                Vec::new()
            }
            _ => vec!["held"],
        };
        if !fields.is_empty() {
            self.note("outcome", fields, Some(recorded), Some(replayed));
        }
    }

    /// Messages are numbered one after another.
    fn number(&mut self, recorded: &DecisionRecord) {
        let Outcome::Queued(message) = &recorded.outcome else { return };
        if message.number != self.next_message {
            self.note("outcome", vec!["number"], Some(recorded), None);
        }
        self.next_message = message.number.saturating_add(1);
    }
}

/// Which fields of the plugin's answer differ.
pub(super) fn decision_fields(recorded: &DecisionRecord, replayed: &Decision) -> Vec<&'static str> {
    let pairs = [
        ("notice", recorded.notice != replayed.notice),
        ("step", recorded.step != replayed.step),
        ("reason", recorded.reason != replayed.reason),
        ("route", recorded.route != replayed.route),
        ("arg0", recorded.arg0 != replayed.arg0),
        ("arg1", recorded.arg1 != replayed.arg1),
        ("not-before", recorded.not_before != replayed.not_before),
        ("expires", recorded.expires != replayed.expires),
    ];
    pairs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn message_fields(a: &QueuedMessage, b: &QueuedMessage) -> Vec<&'static str> {
    let pairs = [
        ("channel", a.channel != b.channel),
        ("phone", a.phone != b.phone),
        ("station", a.station != b.station),
        ("text", a.text != b.text),
        ("template", a.template != b.template),
        ("parts", a.parts != b.parts),
        ("cost", a.cost_milli_fen != b.cost_milli_fen),
        ("send-after", a.send_after != b.send_after),
        ("message-expires", a.expires != b.expires),
        ("lane", a.lane != b.lane),
        ("carrier", a.queue != b.queue),
        ("key", a.key != b.key),
        ("said-before", a.said_before != b.said_before),
        ("hop", a.hop != b.hop),
        ("stated", a.stated != b.stated),
    ];
    pairs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
