//! What waits to be delivered to one account: reports and inbound messages, due at once or later, kept across reconnects.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};
use std::time::Duration;

use gridbell_cmpp::{Content, Deliver, FieldError as Error, MsgId, Octets, Report, Stat, Version};

/// One DELIVER, independent of the version it will be sent in.
#[derive(Clone)]
pub(super) struct Outgoing {
    pub(super) kind: Kind,
    /// Times it was written on the connection that has it now.
    pub(super) tries: u32,
    /// Times the client answered that it does not take it.
    pub(super) refusals: u32,
    /// Whether it was ever written before.
    pub(super) sent_before: bool,
}

#[derive(Clone)]
pub(super) enum Kind {
    Report { report: Report, from: From },
    Inbound(Box<Deliver>),
}

/// What a report's DELIVER repeats from its submit.
#[derive(Clone)]
pub(super) struct From {
    pub(super) src_id: Octets<21>,
    pub(super) service_id: Octets<10>,
    pub(super) link_id: Octets<20>,
}

impl Outgoing {
    pub(super) const fn new(kind: Kind) -> Self {
        Self { kind, tries: 0, refusals: 0, sent_before: false }
    }

    pub(super) const fn is_inbound(&self) -> bool {
        matches!(self.kind, Kind::Inbound(_))
    }

    /// The DELIVER of `version`, with a report in `layout`.
    pub(super) fn deliver(&self, msg_id: MsgId, version: Version, layout: Version) -> Result<Deliver, Error> {
        Ok(match &self.kind {
            Kind::Inbound(deliver) => {
                Deliver { msg_id, link_id: link_id(deliver.link_id, version), ..(**deliver).clone() }
            }
            Kind::Report { report, from } => Deliver {
                msg_id,
                dest_id: from.src_id,
                service_id: from.service_id,
                src_terminal: report.destination,
                registered_delivery: 1,
                content: report_content(report, layout)?,
                link_id: link_id(from.link_id, version),
                ..Deliver::default()
            },
        })
    }
}

/// In 2.0 the field is reserved, and too short for a LinkID that a 3.0 connection gave.
fn link_id(link_id: Octets<20>, version: Version) -> Octets<20> {
    if version == Version::V2_0 { Octets::EMPTY } else { link_id }
}

/// A number that only 3.0 can carry cannot come from a 2.0 submit, but its report may be fetched by a 2.0 connection.
fn report_content(report: &Report, layout: Version) -> Result<Content, Error> {
    report.encode(layout).or_else(|_| report.encode(Version::V3_0))
}

/// Sorted by when it is due, then by when it was put in.
struct Delayed {
    due: Duration,
    order: u64,
    outgoing: Outgoing,
}

impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Delayed {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Delayed {}

/// The queue. It holds at most `capacity` DELIVERs.
pub(super) struct Queue {
    ready: VecDeque<Outgoing>,
    delayed: BinaryHeap<Reverse<Delayed>>,
    cancelled: HashSet<MsgId>,
    capacity: usize,
    order: u64,
}

impl Queue {
    pub(super) fn new(capacity: usize) -> Self {
        Self { ready: VecDeque::new(), delayed: BinaryHeap::new(), cancelled: HashSet::new(), capacity, order: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.delayed.len()
    }

    /// Puts one in for `due`, or drops it and says so where the queue is full.
    #[must_use]
    pub(super) fn push(&mut self, outgoing: Outgoing, now: Duration, due: Duration) -> bool {
        if self.len() >= self.capacity {
            return false;
        }
        // Behind those that are due already, so that reports without delay come in order.
        if due <= now && self.delayed.peek().is_none_or(|Reverse(first)| first.due > now) {
            self.ready.push_back(outgoing);
        } else {
            self.order += 1;
            self.delayed.push(Reverse(Delayed { due, order: self.order, outgoing }));
        }
        true
    }

    /// Puts back what was sent and not acknowledged, before everything else. It was in here once, so it may overfill.
    pub(super) fn put_back(&mut self, outgoing: impl DoubleEndedIterator<Item = Outgoing>) {
        outgoing.rev().for_each(|outgoing| self.ready.push_front(outgoing));
    }

    /// The next that is due at `now`.
    pub(super) fn pop(&mut self, now: Duration) -> Option<Outgoing> {
        while self.delayed.peek().is_some_and(|Reverse(first)| first.due <= now) {
            let Some(Reverse(Delayed { mut outgoing, .. })) = self.delayed.pop() else {
                break;
            };
            self.delete_if_cancelled(&mut outgoing);
            self.ready.push_back(outgoing);
        }
        self.ready.pop_front()
    }

    /// When there is something to do at the earliest.
    pub(super) fn next_due(&self) -> Option<Duration> {
        match self.ready.is_empty() {
            false => Some(Duration::ZERO),
            true => self.delayed.peek().map(|Reverse(first)| first.due),
        }
    }

    /// Withdraws the message `msg_id` if it is not delivered yet: its report will say `DELETED`.
    pub(super) fn cancel(&mut self, msg_id: MsgId) -> bool {
        let waits = self.delayed.iter().any(|Reverse(delayed)| match &delayed.outgoing.kind {
            Kind::Report { report, .. } => report.msg_id == msg_id,
            Kind::Inbound(_) => false,
        });
        waits && self.cancelled.insert(msg_id)
    }

    fn delete_if_cancelled(&mut self, outgoing: &mut Outgoing) {
        if self.cancelled.is_empty() {
            return;
        }
        if let Kind::Report { report, .. } = &mut outgoing.kind
            && self.cancelled.remove(&report.msg_id)
        {
            report.stat = Stat::new("DELETED").unwrap_or_default();
        }
    }
}
