//! Messages on their way: each has one life, every step of it an event that is applied here and nowhere else. Deterministic; reads no clock,
//! touches no store.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use gridbell_model::{
    CarrierKey, Channel, HoldReason, MessageId, MessageState, Moment, OrgCode, PrefectureCode, RunId, Topic,
};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::accepted::AcceptedPart;
use crate::hops::{Hops, NO_ANSWER};
use crate::link_days::LinkDays;
use crate::lives::Lives;
use crate::ported::Carriers;
use crate::rerouted::Reroutes;
use crate::runs::Publication;
use crate::together::Together;
use crate::waiting::{Place, QueueBacklog, Room, Shares, Waiting};

/// Reports that came before their answer, per province; the oldest is dropped and counted beyond this.
pub const MAX_PARKED_REPORTS: usize = 100_000;
/// For how long a report waits for its answer, in milliseconds: as long as a message waits for its reports. What waits longer is a repetition
/// about a message that came to its end, or its answer was lost.
pub const PARKED_FOR_MS: i64 = 72 * 3_600_000;
/// What happened to a message. Times are the journal's.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum MessageEvent {
    /// The intent to submit it on `link` is durable.
    Submitting {
        /// Name of the link.
        link: String,
    },
    /// The carrier accepted part `part` under `carrier_id`.
    PartAccepted {
        /// From 1, as CMPP's Pk_number.
        part: u8,
        /// The carrier's MsgId.
        carrier_id: u64,
    },
    /// Part `part` is back without having been accepted. When all parts that were out are back or settled, the message waits again.
    PartBack {
        /// From 1.
        part: u8,
        /// Not to be tried before.
        not_before: Moment,
        /// The carrier's code, empty when it gave none.
        code: String,
        /// Whether the carrier may have it all the same: the message is marked.
        may_go_twice: bool,
        /// Whether this counts as an attempt.
        counted: bool,
    },
    /// The carrier refused part `part` for good, or it cannot be sent.
    PartRefused {
        /// From 1.
        part: u8,
        /// The carrier's code.
        code: String,
    },
    /// Its send window closed while it waited: it goes in the next one.
    Postponed {
        /// Not to be tried before.
        until: Moment,
    },
    /// Taken back before submit.
    Cancelled {
        /// Why.
        reason: HoldReason,
    },
    /// Its validity ended before submit, or no report came in time.
    Expired,
    /// Part `part`, which was told back as perhaps there, is: the carrier's answer came late. It does not go again unless it is gone already.
    PartLate {
        /// From 1.
        part: u8,
        /// The link that it went by.
        link: String,
        /// The carrier's MsgId.
        carrier_id: u64,
    },
    /// As [`MessageEvent::PartAccepted`] where the carrier's number is none of 64 bits.
    PartAcceptedAs {
        /// From 1.
        part: u8,
        /// The carrier's number as text.
        key: String,
    },
    /// As [`MessageEvent::PartLate`] where the carrier's number is none of 64 bits.
    PartLateAs {
        /// From 1.
        part: u8,
        /// The link that it went by.
        link: String,
        /// The carrier's number as text.
        key: String,
    },
    /// The carrier refused part `part` because the number is not its own. When no part is out any more, what is open waits in queue `next`.
    NotTheirs {
        /// From 1.
        part: u8,
        /// The carrier's code.
        code: String,
        /// Whose the number is not.
        not: Carriers,
        /// Where it goes on; 0 where nobody is left: it fails.
        next: u8,
    },
    /// A report says so of a part that the carrier had accepted: it is open again.
    ReportedNotTheirs {
        /// From 1.
        part: u8,
        /// The link that it went by.
        link: String,
        /// The carrier's code.
        code: String,
        /// Whose the number is not.
        not: Carriers,
        /// Where it goes on; never 0.
        next: u8,
    },
}

impl MessageEvent {
    /// The carrier accepted part `part` under `key`.
    #[must_use]
    pub fn accepted(part: u8, key: &CarrierKey) -> Self {
        match key {
            CarrierKey::Number(number) => Self::PartAccepted { part, carrier_id: *number },
            CarrierKey::Text(text) => Self::PartAcceptedAs { part, key: text.to_string() },
        }
    }

    /// The carrier's answer, that it has part `part` under `key`, came late on `link`.
    #[must_use]
    pub fn late(part: u8, link: String, key: &CarrierKey) -> Self {
        match key {
            CarrierKey::Number(number) => Self::PartLate { part, link, carrier_id: *number },
            CarrierKey::Text(text) => Self::PartLateAs { part, link, key: text.to_string() },
        }
    }
}

/// Where a message stands, with the steps that brought it there.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MessageStatus {
    /// Its state.
    pub state: MessageState,
    /// The link that it went or goes by; empty before.
    pub link: String,
    /// Why it was cancelled.
    pub reason: Option<HoldReason>,
    /// The carrier's last code, kept as it came: `DELIVRD`, `MA:0001`, `result 13`.
    pub code: String,
    /// When it was queued.
    pub queued_at: Moment,
    /// When every part was accepted.
    pub submitted_at: Option<Moment>,
    /// When it came to its end.
    pub final_at: Option<Moment>,
    /// Submits tried.
    pub attempts: u8,
    /// Whether the customer may have got it twice.
    pub maybe_twice: bool,
    /// One for each part accepted; two for a part that went twice.
    pub accepted: Vec<AcceptedPart>,
    /// Reports, one for each part reported.
    pub reports: Vec<(u8, String)>,
}

/// A message that is not final, or became final since the last checkpoint.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Live {
    pub(crate) run: RunId,
    pub(crate) topic: Topic,
    pub(crate) data: Publication,
    pub(crate) send_after: Moment,
    pub(crate) expires: Moment,
    pub(crate) status: MessageStatus,
    /// Parts in a link's hands.
    pub(crate) out: Vec<u8>,
    /// A part of this submit came back and counts as an attempt.
    counted: bool,
    /// A part was refused for good.
    refused: bool,
}

impl Live {
    pub(crate) fn place(&self, id: MessageId) -> Place {
        Place { queue: self.data.queue, lane: self.data.lane, prefecture: id.prefecture(), topic: self.topic }
    }
}

/// What a final step asks of the columns and statistics.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Step {
    pub(crate) id: MessageId,
    pub(crate) from: MessageState,
    pub(crate) to: MessageState,
}

/// A link, and the carrier's number for a part on it.
pub(crate) type LinkKey = (String, CarrierKey);

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) live: Lives,
    /// Those of `live` that go to test numbers and tell no customer anything.
    samples: FxHashSet<MessageId>,
    pub(crate) waiting: Waiting,
    pub(crate) by_carrier_id: FxHashMap<LinkKey, (MessageId, u8)>,
    pub(crate) parked: BTreeMap<LinkKey, (String, Moment)>,
    pub(crate) parked_order: VecDeque<LinkKey>,
    pub(crate) parked_dropped: u64,
    /// Changed since the last checkpoint.
    pub(crate) dirty: BTreeSet<MessageId>,
    /// What follows messages whose route goes on.
    pub(crate) hops: Hops,
    /// What each link did.
    pub(crate) link_days: LinkDays,
    /// Messages that a carrier refused as not its own.
    pub(crate) rerouted: Reroutes,
    /// Messages that leave as one.
    pub(crate) together: Together,
}

impl Outbox {
    pub(crate) fn publish(&mut self, id: MessageId, run: RunId, topic: Topic, data: Publication, at: Moment) {
        let (send_after, expires) = (minute(data.send_after), minute(data.expires));
        let live = Live {
            run,
            topic,
            send_after,
            expires,
            status: MessageStatus {
                state: MessageState::Queued,
                link: String::new(),
                reason: None,
                code: String::new(),
                queued_at: at,
                submitted_at: None,
                final_at: None,
                attempts: 0,
                maybe_twice: false,
                accepted: Vec::new(),
                reports: Vec::new(),
            },
            out: Vec::new(),
            counted: false,
            refused: false,
            data,
        };
        self.waiting.insert(live.place(id), send_after, id, open_parts(&live).len());
        self.live.insert(id, live);
        self.index_shared(id);
        self.dirty.insert(id);
    }

    /// Says of a message that it is a sample.
    pub(crate) fn set_sample(&mut self, id: MessageId) {
        self.samples.insert(id);
    }

    /// Messages that are samples.
    pub(crate) fn samples(&self) -> impl Iterator<Item = MessageId> {
        self.samples.iter().copied()
    }

    /// Whether message `id`, which is live, is a sample.
    pub(crate) fn is_sample(&self, id: MessageId) -> bool {
        self.samples.contains(&id)
    }

    /// Puts a message back as a checkpoint knew it.
    pub(crate) fn restore(&mut self, id: MessageId, live: Live) {
        // What is carried waits nowhere, and its parts are its bearer's.
        let carried = self.together.is_borne(id);
        if live.status.state == MessageState::Queued && !carried {
            self.waiting.insert(live.place(id), live.send_after, id, open_parts(&live).len());
        }
        for a in live.status.accepted.iter().filter(|a| a.is_stray() || !carried) {
            self.by_carrier_id.insert((a.link.clone(), a.key.clone()), (id, a.part));
        }
        self.live.insert(id, live);
        self.index_shared(id);
    }

    /// Applies one event; none when it does not fit the message's state, which then stays as it is.
    pub(crate) fn apply(&mut self, id: MessageId, event: &MessageEvent, at: Moment) -> Option<Step> {
        // What is carried has no event of its own but a late answer to what it went by before.
        let late = matches!(event, MessageEvent::PartLate { .. } | MessageEvent::PartLateAs { .. });
        let carried = self.together.is_borne(id) && !late;
        let live = self.live.get_mut(&id).filter(|_| !carried)?;
        let from = live.status.state;
        let place = live.place(id);
        let status = &mut live.status;
        match event {
            MessageEvent::Submitting { link } if from == MessageState::Queued => {
                self.waiting.remove(place, live.send_after, id);
                status.state = MessageState::Submitting;
                status.link.clone_from(link);
                live.out = open_parts(live);
                (live.counted, live.refused) = (false, false);
            }
            MessageEvent::PartAccepted { part, carrier_id } if live.out.contains(part) => {
                self.part_accepted(id, *part, CarrierKey::Number(*carrier_id), at)?;
            }
            MessageEvent::PartAcceptedAs { part, key } if live.out.contains(part) => {
                self.part_accepted(id, *part, CarrierKey::text(key), at)?;
            }
            MessageEvent::PartBack { part, not_before, code, may_go_twice, counted } if live.out.contains(part) => {
                live.out.retain(|p| p != part);
                if *may_go_twice {
                    self.link_days.of(at.date(), &status.link).unanswered += 1;
                } else if !code.is_empty() {
                    self.link_days.of(at.date(), &status.link).refused += 1;
                }
                status.maybe_twice |= *may_go_twice;
                if !code.is_empty() {
                    status.code.clone_from(code);
                }
                live.counted |= *counted;
                live.send_after = live.send_after.max(*not_before);
                self.settle_parts(id, at);
            }
            MessageEvent::PartRefused { part, code } if live.out.contains(part) => {
                live.out.retain(|p| p != part);
                let counts = self.link_days.of(at.date(), &status.link);
                if code == NO_ANSWER {
                    counts.unanswered += 1
                } else {
                    counts.refused += 1
                }
                status.code.clone_from(code);
                // One that went twice may be there all the same.
                live.refused |= !status.accepted.iter().any(|a| a.part == *part);
                self.settle_parts(id, at);
            }
            MessageEvent::PartLate { part, link, carrier_id } => {
                self.part_late(id, *part, (link.clone(), CarrierKey::Number(*carrier_id)), at)?;
            }
            MessageEvent::PartLateAs { part, link, key } => {
                self.part_late(id, *part, (link.clone(), CarrierKey::text(key)), at)?;
            }
            MessageEvent::NotTheirs { part, code, not, next } if live.out.contains(part) => {
                live.out.retain(|p| p != part);
                self.link_days.of(at.date(), &status.link).refused += 1;
                status.code.clone_from(code);
                // A part that went twice may be there all the same.
                live.refused |= *next == 0 && !status.accepted.iter().any(|a| a.part == *part);
                self.rerouted.send_on(id, *not, *next);
                self.settle_parts(id, at);
            }
            MessageEvent::ReportedNotTheirs { part, link, code, not, next } => {
                self.reported_not_theirs(id, (*part, link, code), (*not, *next), at)?;
            }
            MessageEvent::Postponed { until } if from == MessageState::Queued => {
                self.waiting.remove(place, live.send_after, id);
                live.send_after = live.send_after.max(*until);
                self.waiting.insert(place, live.send_after, id, open_parts(live).len());
            }
            MessageEvent::Cancelled { reason } if from == MessageState::Queued && !live.status.is_begun() => {
                self.waiting.remove(place, live.send_after, id);
                live.status.reason = Some(*reason);
                finish(&mut live.status, MessageState::Cancelled, at);
            }
            MessageEvent::Expired if matches!(from, MessageState::Queued | MessageState::Submitted) => {
                self.waiting.remove(place, live.send_after, id);
                finish(&mut live.status, MessageState::Expired, at);
            }
            _ => return None,
        }
        self.index_shared(id);
        self.dirty.insert(id);
        let to = self.live.get(&id)?.status.state;
        Some(Step { id, from, to })
    }

    /// The carrier has part `part`, which was out.
    fn part_accepted(&mut self, id: MessageId, part: u8, key: CarrierKey, at: Moment) -> Option<()> {
        let live = self.live.get_mut(&id)?;
        live.out.retain(|p| *p != part);
        let key = (live.status.link.clone(), key);
        self.take_part(id, part, key, at);
        self.settle_parts(id, at);
        Some(())
    }

    /// The carrier has part `part`, which was told back.
    fn part_late(&mut self, id: MessageId, part: u8, key: LinkKey, at: Moment) -> Option<()> {
        let live = self.live.get_mut(&id).filter(|_| !self.by_carrier_id.contains_key(&key))?;
        let stray = self.together.is_stale(id) || self.together.is_borne(id);
        if !stray && !(1..=live.data.parts).contains(&part) {
            return None;
        }
        let stray = stray.then(|| live.status.next_stray());
        // It was counted as unanswered when it was told back.
        let counts = self.link_days.of(at.date(), &key.0);
        counts.unanswered = counts.unanswered.saturating_sub(1);
        if let Some(part) = stray {
            self.take_part(id, part, key, at);
            return Some(());
        }
        self.take_part(id, part, key, at);
        let live = self.live.get_mut(&id)?;
        if live.status.state == MessageState::Queued && open_parts(live).is_empty() {
            self.waiting.remove(live.place(id), live.send_after, id);
            live.status.state = MessageState::Submitted;
            live.status.submitted_at = Some(at);
        } else if live.status.state == MessageState::Queued {
            self.waiting.insert(live.place(id), live.send_after, id, open_parts(live).len());
        }
        self.settle_parts(id, at);
        self.settle_reports(id, at);
        Some(())
    }

    /// Keeps that the carrier has part `part` under `key`, with what it reported of it before.
    fn take_part(&mut self, id: MessageId, part: u8, key: LinkKey, at: Moment) {
        let Some(live) = self.live.get_mut(&id) else { return };
        let reported = live.status.reported_as(&key);
        live.status.accepted.push(AcceptedPart { part, link: key.0.clone(), key: key.1.clone() });
        let counts = self.link_days.of(at.date(), &key.0);
        counts.accepted += 1;
        counts.cost_milli_fen += u64::from(live.data.cost_milli_fen) / u64::from(live.data.parts.max(1));
        if let Some(stat) = self.parked.remove(&key).map(|(stat, _)| stat).or(reported) {
            counts.reported(&live.status.reports, part, &stat);
            live.status.reports.push((part, stat));
        }
        self.by_carrier_id.insert(key, (id, part));
    }

    /// Applies the carrier's report on what it knows as `key`; parks it when no answer has named that key yet.
    pub(crate) fn report(&mut self, link: &str, key: CarrierKey, stat: &str, at: Moment) -> Option<Step> {
        let key: LinkKey = (link.to_owned(), key);
        let Some((id, part)) = self.by_carrier_id.get(&key).copied() else {
            self.park(key, stat.to_owned(), at);
            return None;
        };
        let live = self.live.get_mut(&id)?;
        let from = live.status.state;
        // A platform that is given the whole text has one number for all parts.
        let told = live.status.untold(part, &key, stat);
        if told.is_empty() {
            return None;
        }
        let day = live.status.submitted_at.unwrap_or(at).date();
        let counts = self.link_days.of(day, link);
        for part in told {
            counts.reported(&live.status.reports, part, stat);
            live.status.reports.push((part, stat.to_owned()));
        }
        self.dirty.insert(id);
        self.settle_reports(id, at);
        let to = self.live.get(&id)?.status.state;
        Some(Step { id, from, to })
    }

    /// The message of which `link`'s carrier knows a part as `key`.
    pub(crate) fn known_as(&self, link: &str, key: &CarrierKey) -> Option<MessageId> {
        self.part_known_as(link, key).map(|(id, _)| id)
    }

    /// The same with the part.
    pub(crate) fn part_known_as(&self, link: &str, key: &CarrierKey) -> Option<(MessageId, u8)> {
        self.by_carrier_id.get(&(link.to_owned(), key.clone())).copied()
    }

    /// Settles a submit when no part is out any more: refused, all accepted, or back to the queue with the parts that are open.
    fn settle_parts(&mut self, id: MessageId, at: Moment) {
        let Some(live) = self.live.get_mut(&id) else { return };
        if live.status.state != MessageState::Submitting || !live.out.is_empty() {
            return;
        }
        if live.refused {
            finish(&mut live.status, MessageState::Failed, at);
        } else if open_parts(live).is_empty() {
            live.status.state = MessageState::Submitted;
            live.status.submitted_at = Some(at);
            self.settle_reports(id, at);
        } else {
            live.status.attempts = live.status.attempts.saturating_add(u8::from(live.counted));
            live.status.state = MessageState::Queued;
            live.data.queue = self.rerouted.take_next(id).unwrap_or(live.data.queue);
            self.waiting.insert(live.place(id), live.send_after, id, open_parts(live).len());
        }
    }

    /// Ends a submitted message when its reports say so: all parts delivered, or any part failed for good. ACCEPTD is not final (CMPP 3.0).
    fn settle_reports(&mut self, id: MessageId, at: Moment) {
        let carried = self.together.is_borne(id);
        let Some(live) = self.live.get_mut(&id).filter(|_| !carried) else { return };
        if live.status.state != MessageState::Submitted {
            return;
        }
        // Of a part that went twice one copy is enough.
        let delivered = |part: u8| live.status.reports.iter().find(|(p, s)| *p == part && s == "DELIVRD");
        let last = |part: u8| {
            delivered(part).or_else(|| live.status.reports.iter().rev().find(|(p, s)| *p == part && s != "ACCEPTD"))
        };
        let finals: Vec<&str> = (1..=live.data.parts).filter_map(|p| last(p).map(|(_, s)| s.as_str())).collect();
        let failed = finals.iter().find(|s| **s != "DELIVRD").map(|s| (*s).to_owned());
        if let Some(code) = failed {
            live.status.code = code;
            finish(&mut live.status, MessageState::Failed, at);
        } else if finals.len() == usize::from(live.data.parts) {
            "DELIVRD".clone_into(&mut live.status.code);
            finish(&mut live.status, MessageState::Delivered, at);
        }
    }

    /// Messages that may go at `now`, as [`Waiting::next`]; `skip` leaves out those claimed already.
    pub(crate) fn ready(
        &self,
        room: Room<'_>,
        now: Moment,
        shares: &mut Shares,
        weights: impl Fn(PrefectureCode, Topic) -> (u16, u16),
        skip: impl Fn(MessageId, Topic) -> bool,
    ) -> Vec<MessageId> {
        let parts = |id| {
            let live = self.live.get(&id).filter(|l| !skip(id, l.topic))?;
            Some(open_parts(live).len())
        };
        self.waiting.next(room, now, shares, weights, parts)
    }

    /// When the next message of `queue` may go; none when nothing waits.
    pub(crate) fn next_due(&self, queue: u8) -> Option<Moment> {
        self.waiting.next_due(queue)
    }

    /// When the next queued message of any queue may go.
    pub(crate) fn next_due_any(&self) -> Option<Moment> {
        self.waiting.next_due_any()
    }

    /// What waits in each queue in which something does.
    pub(crate) fn backlogs(&self) -> BTreeMap<u8, QueueBacklog> {
        self.waiting.backlogs()
    }

    /// Parts whose submit was cut off by the end of the process: intended and not answered.
    pub(crate) fn cut_off(&self) -> Vec<(MessageId, Vec<u8>)> {
        self.live.iter().filter(|(_, l)| !l.out.is_empty()).map(|(id, l)| (id, l.out.clone())).collect()
    }

    /// Drops messages that a checkpoint wrote as final.
    pub(crate) fn forget(&mut self, finals: &[MessageId]) {
        for id in finals {
            self.samples.remove(id);
            self.rerouted.forget(*id);
            let live = self.live.remove(id);
            if let Some(live) = &live {
                let carried = self.together.is_borne(*id);
                for a in live.status.accepted.iter().filter(|a| a.is_stray() || !carried) {
                    self.by_carrier_id.remove(&(a.link.clone(), a.key.clone()));
                }
            }
            self.together.forget(*id, live.as_deref());
        }
    }
}

impl Live {
    /// Parts that no carrier has accepted, from 1.
    pub(crate) fn open(&self) -> Vec<u8> {
        open_parts(self)
    }

    /// The customer's station, for statistics.
    pub(crate) fn station(&self) -> OrgCode {
        OrgCode(self.data.station)
    }

    pub(crate) fn channel(&self) -> Channel {
        self.data.channel
    }
}

fn finish(status: &mut MessageStatus, state: MessageState, at: Moment) {
    status.state = state;
    status.final_at = Some(at);
}

/// Parts that no carrier has accepted, from 1.
fn open_parts(live: &Live) -> Vec<u8> {
    (1..=live.data.parts).filter(|p| !live.status.accepted.iter().any(|a| a.part == *p)).collect()
}

fn minute(civil: i64) -> Moment {
    gridbell_model::CivilMinute(civil).some().map_or(Moment::from_unix_ms(i64::MAX), |m| m.moment())
}
