//! What a message told a customer about his power, and what he believes after several of them.

use gridbell_model::{Channel, MessageId, Moment};
use serde::{Deserialize, Serialize};

use crate::outage::{MINUTE_MS, OutageId};
use crate::word::{Level, Receipt, Say};

/// How far ahead "until further notice" is believed, in milliseconds: a day. What is planned for later is told although a fault goes on.
pub(crate) const OPEN_MS: i64 = 24 * 3_600_000;

/// How the power is from one moment to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretch {
    /// Since when.
    pub from: Moment,
    /// Until when; none for until further notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// How.
    pub level: Level,
}

/// What a message says about a customer's power: each stretch replaces what he believed of that time. [`Level::On`] takes back what he was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Facts(pub Vec<Stretch>);

impl Facts {
    /// The stretches in which the power is not as always, the first one first.
    pub fn cuts(&self) -> impl Iterator<Item = &Stretch> {
        self.0.iter().filter(|s| s.level != Level::On)
    }
}

/// That a customer was told something, or is about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Of which outage.
    pub outage: OutageId,
    /// Of which of its revisions.
    pub revision: u32,
    /// What for.
    pub say: Say,
    /// What.
    pub facts: Facts,
    /// The moment for which it was judged: the one that was handed to [`Judge::owed`](crate::Judge::owed).
    pub at: Moment,
    /// On which channel.
    pub channel: Channel,
    /// What became of it.
    pub receipt: Receipt,
    /// In which message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<MessageId>,
}

/// The next whole minute: texts name minutes, so that less of a difference is none.
pub(crate) fn minute(moment: Moment) -> i64 {
    let ms = moment.unix_ms();
    ms.saturating_add((MINUTE_MS - ms.rem_euclid(MINUTE_MS)) % MINUTE_MS)
}

/// What a customer believes after messages in their order: a level for each time, and what he was told until further notice.
#[derive(Clone, Copy)]
pub(crate) struct Belief<'a> {
    told: &'a [Told],
    /// Whether messages that have not left count as told.
    with_waiting: bool,
    /// What holds until further notice, from when, and of which outage.
    open: Option<(Level, i64, OutageId)>,
}

impl<'a> Belief<'a> {
    pub(crate) fn new(told: &'a [Told], with_waiting: bool) -> Self {
        let mut belief = Self { told, with_waiting, open: None };
        for told in belief.heard() {
            for s in told.facts.0.iter().filter(|s| s.until.is_none()) {
                belief.open = (s.level != Level::On).then_some((s.level, s.from.unix_ms(), told.outage));
            }
        }
        belief
    }

    fn heard(self) -> impl DoubleEndedIterator<Item = &'a Told> {
        let counts = move |t: &&Told| counts(t.receipt, self.with_waiting);
        self.told.iter().filter(counts)
    }

    /// How he believes that his power is in the time from `from`, in which nothing changes; `horizon` is the end of what is until further notice.
    pub(crate) fn at(self, from: i64, horizon: i64) -> Level {
        self.told_at(from).max(self.open_at(from, horizon))
    }

    /// Whether what he believes of the time from `from` comes from a message about `outage`.
    pub(crate) fn is_of(self, outage: OutageId, from: i64, horizon: i64) -> bool {
        let open = self.open.is_some_and(|(_, since, of)| of == outage && since <= from && from < horizon);
        open || self.painter(from).is_some_and(|(t, s)| t.outage == outage && s.until.is_some() && s.level != Level::On)
    }

    /// How he believes that it is until further notice.
    pub(crate) fn open_at(self, from: i64, horizon: i64) -> Level {
        self.open.filter(|(_, since, _)| *since <= from && from < horizon).map_or(Level::On, |(level, ..)| level)
    }

    fn told_at(self, from: i64) -> Level {
        // What holds until further notice is kept apart; here it only replaces what was said of the time.
        self.painter(from).map_or(Level::On, |(_, s)| if s.until.is_none() { Level::On } else { s.level })
    }

    /// The last message that says something of the time from `from`, and what.
    fn painter(self, from: i64) -> Option<(&'a Told, &'a Stretch)> {
        let covers = |t: &Told, s: &Stretch| {
            let end = s.until.map_or_else(|| minute(t.at) + OPEN_MS, Moment::unix_ms);
            s.from.unix_ms() <= from && from < end
        };
        self.heard().rev().find_map(|t| t.facts.0.iter().rev().find(|s| covers(t, s)).map(|s| (t, s)))
    }

    /// Since when he believes what he believes of the time from `from`.
    pub(crate) fn since(self, from: i64) -> Option<Moment> {
        let covers = |s: &&Stretch| s.from.unix_ms() <= from && s.until.is_none_or(|u| from < u.unix_ms());
        let stretch = self.heard().rev().find_map(|t| t.facts.cuts().find(covers));
        stretch.map(|s| s.from)
    }
}

/// Whether a message counts as told.
pub(crate) fn counts(receipt: Receipt, with_waiting: bool) -> bool {
    match receipt {
        Receipt::Delivered | Receipt::Unknown => true,
        Receipt::Waiting => with_waiting,
        Receipt::Failed | Receipt::Recalled => false,
    }
}
