//! Messages that wait for a link, and whose turn it is: urgent ones first; among those of a lane each prefecture has its share of the room, and within
//! it each topic, as long as they have a backlog; what is left is in the order in which they may go. Deterministic; in memory alone.
//!
//! The shares are kept by start-time fair queueing (Goyal, Vin, Cheng 1996) on two levels: a link's virtual time is the start of what was served last,
//! so that who had nothing waiting saves nothing up and who was alone owes nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::{Entry, Keys};

use gridbell_model::{Lane, MessageId, Moment, PrefectureCode, Topic};

/// Virtual time of one part at weight 1.
const PART: u64 = 1 << 20;

/// Where a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) queue: u8,
    pub(crate) lane: Lane,
    pub(crate) prefecture: PrefectureCode,
    pub(crate) topic: Topic,
}

/// The messages of a place in order of when they may go, then by number, each with the parts that it has to send.
#[derive(Debug, Default)]
struct Line {
    messages: BTreeMap<(Moment, MessageId), u8>,
    parts: u64,
}

/// What waits.
#[derive(Debug, Default)]
pub(crate) struct Waiting(BTreeMap<Place, Line>);

/// What waits in one queue, whether its time has come or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueBacklog {
    /// Urgent messages.
    pub urgent: u64,
    /// All others.
    pub bulk: u64,
    /// Parts that they have to send.
    pub parts: u64,
    /// When the first of them may go.
    pub first: Option<Moment>,
}

/// What a link asks for: from which queues and lanes, and how many parts.
#[derive(Clone, Copy, Debug)]
pub struct Room<'a> {
    /// The queues that it takes from; they share its room.
    pub queues: &'a [u8],
    /// The lanes, the first first.
    pub lanes: &'a [Lane],
    /// How many parts; the last message may have more.
    pub parts: usize,
}

/// How much of a link's room each prefecture, and within it each topic, has had. One for each link; it ends with the process.
#[derive(Clone, Debug, Default)]
pub struct Shares(BTreeMap<Lane, Level<PrefectureCode, Level<Topic, ()>>>);

/// One level of sharing: where its virtual time is, and for each who shares where its next begins at the earliest.
#[derive(Clone, Debug)]
struct Level<K, V> {
    time: u64,
    sharers: BTreeMap<K, (u64, V)>,
}

impl<K, V> Default for Level<K, V> {
    fn default() -> Self {
        Self { time: 0, sharers: BTreeMap::new() }
    }
}

impl<K: Ord + Copy, V: Default> Level<K, V> {
    /// When the next of `who` would start.
    fn start(&self, who: K) -> u64 {
        self.sharers.get(&who).map_or(self.time, |(end, _)| (*end).max(self.time))
    }

    /// `who` is served `parts` at `weight`; what is kept of it.
    fn serve(&mut self, who: K, parts: usize, weight: u16) -> &mut V {
        let start = self.start(who);
        self.time = start;
        let sharer = self.sharers.entry(who).or_default();
        sharer.0 = start + parts as u64 * PART / u64::from(weight.max(1));
        &mut sharer.1
    }
}

impl Shares {
    /// The starts on both levels of the next message of a prefecture about a topic.
    fn start(&self, lane: Lane, prefecture: PrefectureCode, topic: Topic) -> (u64, u64) {
        let Some(level) = self.0.get(&lane) else { return (0, 0) };
        let within = level.sharers.get(&prefecture).map_or(0, |(_, topics)| topics.start(topic));
        (level.start(prefecture), within)
    }

    fn serve(&mut self, of: (Lane, PrefectureCode, Topic), parts: usize, weights: (u16, u16)) {
        let (lane, prefecture, topic) = of;
        let topics = self.0.entry(lane).or_default().serve(prefecture, parts, weights.0);
        topics.serve(topic, parts, weights.1);
    }
}

/// The messages of one prefecture about one topic in the queues of a link.
struct Stream<'a> {
    prefecture: PrefectureCode,
    topic: Topic,
    queues: Vec<std::iter::Peekable<Keys<'a, (Moment, MessageId), u8>>>,
    /// The first of them, and of which queue.
    head: Option<((Moment, MessageId), usize)>,
}

impl Stream<'_> {
    fn look(&mut self) {
        let heads = self.queues.iter_mut().enumerate().filter_map(|(n, queue)| Some((**queue.peek()?, n)));
        self.head = heads.min();
    }

    fn advance(&mut self) {
        if let Some((_, n)) = self.head {
            self.queues[n].next();
        }
        self.look();
    }
}

impl Line {
    fn first(&self) -> Option<Moment> {
        self.messages.first_key_value().map(|((at, _), _)| *at)
    }
}

impl Waiting {
    pub(crate) fn insert(&mut self, place: Place, after: Moment, id: MessageId, parts: usize) {
        let line = self.0.entry(place).or_default();
        let parts = u8::try_from(parts).unwrap_or(u8::MAX);
        let before = line.messages.insert((after, id), parts).unwrap_or(0);
        line.parts = line.parts - u64::from(before) + u64::from(parts);
    }

    /// Takes one out, wherever it stands in line. Nothing happens where it does not wait.
    pub(crate) fn remove(&mut self, place: Place, after: Moment, id: MessageId) {
        if let Entry::Occupied(mut entry) = self.0.entry(place) {
            let line = entry.get_mut();
            line.parts -= line.messages.remove(&(after, id)).map_or(0, u64::from);
            if line.messages.is_empty() {
                entry.remove();
            }
        }
    }

    /// Messages that may go at `now` until there is no more room. `parts` gives a message's parts, or none for one that is not to be had;
    /// `weights` those of a prefecture and of a topic.
    pub(crate) fn next(
        &self,
        room: Room<'_>,
        now: Moment,
        shares: &mut Shares,
        weights: impl Fn(PrefectureCode, Topic) -> (u16, u16),
        parts: impl Fn(MessageId) -> Option<usize>,
    ) -> Vec<MessageId> {
        let (mut left, mut out) = (room.parts, Vec::new());
        for lane in room.lanes.iter().copied() {
            let mut streams = self.streams(room.queues, lane);
            while left > 0 {
                let due = streams.iter_mut().filter_map(|stream| {
                    let (head, _) = stream.head.filter(|((after, _), _)| *after <= now)?;
                    Some((shares.start(lane, stream.prefecture, stream.topic), head, stream))
                });
                let Some((_, (_, id), stream)) = due.min_by_key(|(start, head, _)| (*start, *head)) else { break };
                stream.advance();
                let Some(parts) = parts(id) else { continue };
                let of = (lane, stream.prefecture, stream.topic);
                shares.serve(of, parts, weights(stream.prefecture, stream.topic));
                left = left.saturating_sub(parts);
                out.push(id);
            }
        }
        out
    }

    fn streams(&self, queues: &[u8], lane: Lane) -> Vec<Stream<'_>> {
        let mut streams: BTreeMap<(PrefectureCode, Topic), Stream<'_>> = BTreeMap::new();
        let here = self.0.iter().filter(|(place, _)| place.lane == lane && queues.contains(&place.queue));
        for (Place { prefecture, topic, .. }, waiting) in here {
            let (prefecture, topic) = (*prefecture, *topic);
            let new = || Stream { prefecture, topic, queues: Vec::new(), head: None };
            streams.entry((prefecture, topic)).or_insert_with(new).queues.push(waiting.messages.keys().peekable());
        }
        let looked = streams.into_values().map(|mut stream| {
            stream.look();
            stream
        });
        looked.collect()
    }

    /// Everything that waits in `queue`, place by place, each with when it may go.
    pub(crate) fn of_queue(&self, queue: u8) -> impl Iterator<Item = (Moment, MessageId)> {
        self.0.iter().filter(move |(place, _)| place.queue == queue).flat_map(|(_, line)| line.messages.keys().copied())
    }

    /// When the next message of `queue` may go; none when nothing waits.
    pub(crate) fn next_due(&self, queue: u8) -> Option<Moment> {
        let of = self.0.iter().filter(|(place, _)| place.queue == queue);
        of.filter_map(|(_, line)| line.first()).min()
    }

    /// When the next queued message of any queue may go.
    pub(crate) fn next_due_any(&self) -> Option<Moment> {
        self.0.values().filter_map(Line::first).min()
    }

    /// What waits in each queue in which something does.
    pub(crate) fn backlogs(&self) -> BTreeMap<u8, QueueBacklog> {
        let mut out: BTreeMap<u8, QueueBacklog> = BTreeMap::new();
        for (place, line) in &self.0 {
            let queue = out.entry(place.queue).or_default();
            match place.lane {
                Lane::Urgent => queue.urgent += line.messages.len() as u64,
                Lane::Bulk => queue.bulk += line.messages.len() as u64,
            }
            queue.parts += line.parts;
            queue.first = queue.first.into_iter().chain(line.first()).min();
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const LANES: [Lane; 2] = [Lane::Urgent, Lane::Bulk];
    const TOPICS: [Topic; 3] = [Topic::ArrearsReminder, Topic::BillNotice, Topic::Outage];

    fn code(n: usize) -> PrefectureCode {
        PrefectureCode(140_100 + 100 * u32::try_from(n).unwrap())
    }

    fn place(prefecture: usize, topic: Topic) -> Place {
        Place { queue: 1, lane: Lane::Bulk, prefecture: code(prefecture), topic }
    }

    /// Messages of a place, numbered from `first`, all due.
    fn fill(waiting: &mut Waiting, place: Place, first: u32, count: u32) {
        for n in first..first + count {
            waiting.insert(place, Moment::from_unix_ms(i64::from(n)), MessageId::new(place.prefecture, n), 1);
        }
    }

    fn room(parts: usize) -> Room<'static> {
        Room { queues: &[1], lanes: &LANES, parts }
    }

    /// When all of them may go.
    fn later() -> Moment {
        Moment::from_unix_ms(i64::MAX / 2)
    }

    proptest! {
        /// However claims are cut, who has a backlog gets its weight's share, to within one message on each level, and is served in order.
        #[test]
        fn shares_are_kept(
            weights in prop::collection::vec(1_u16..10, 2..5),
            of_topics in prop::collection::vec(1_u16..10, 3),
            claims in prop::collection::vec(1_usize..40, 10..40),
        ) {
            let mut waiting = Waiting::default();
            for prefecture in 0..weights.len() {
                for (n, topic) in TOPICS.into_iter().enumerate() {
                    fill(&mut waiting, place(prefecture, topic), 10_000 * n as u32, 2_000);
                }
            }
            let weigh = |prefecture: PrefectureCode, topic| {
                let topic = TOPICS.iter().position(|t| *t == topic).unwrap();
                (weights[((prefecture.0 - 140_100) / 100) as usize], of_topics[topic])
            };
            let (mut shares, mut taken, mut order) = (Shares::default(), BTreeSet::new(), Vec::new());
            for claim in &claims {
                let got = waiting.next(room(*claim), later(), &mut shares, weigh, |id| (!taken.contains(&id)).then_some(1));
                prop_assert_eq!(got.len(), *claim);
                taken.extend(got.iter().copied());
                order.extend(got);
            }
            let total: usize = claims.iter().sum();
            let sum: u16 = weights.iter().sum();
            for (n, weight) in weights.iter().enumerate() {
                let its: Vec<MessageId> = order.iter().copied().filter(|id| id.prefecture() == code(n)).collect();
                let due = total as f64 * f64::from(*weight) / f64::from(sum);
                // Each other may be up to one of its messages ahead.
                let slack = 1.0 + weights.len() as f64;
                prop_assert!((its.len() as f64 - due).abs() <= slack, "{} of {total} for {weight} of {sum}", its.len());
                for (n, weight) in of_topics.iter().enumerate() {
                    let about: Vec<u32> = its.iter().map(|id| id.number()).filter(|id| id / 10_000 == n as u32).collect();
                    prop_assert!(about.is_sorted(), "in order of when they may go");
                    let due = its.len() as f64 * f64::from(*weight) / f64::from(of_topics.iter().sum::<u16>());
                    prop_assert!((about.len() as f64 - due).abs() <= 4.0, "{} of {} for {weight}", about.len(), its.len());
                }
            }
        }
    }

    #[test]
    fn who_had_nothing_waiting_saves_nothing_up_and_who_was_alone_owes_nothing() {
        let (mut waiting, mut shares) = (Waiting::default(), Shares::default());
        let even = |_, _| (1, 1);
        fill(&mut waiting, place(0, Topic::BillNotice), 0, 100);
        let first = waiting.next(room(100), later(), &mut shares, even, |_| Some(1));
        assert_eq!(first.len(), 100);
        // Both have a backlog from here on: neither what the one had nor what the other had not counts.
        fill(&mut waiting, place(0, Topic::BillNotice), 1_000, 100);
        fill(&mut waiting, place(1, Topic::BillNotice), 1_000, 100);
        let both = waiting.next(room(40), later(), &mut shares, even, |id| (id.number() >= 1_000).then_some(1));
        let other = both.iter().filter(|id| id.prefecture() == code(1)).count();
        assert!((19..=21).contains(&other), "{other} of 40");
    }

    #[test]
    fn backlogs_are_what_waits() {
        let mut waiting = Waiting::default();
        let urgent = Place { lane: Lane::Urgent, ..place(0, Topic::Outage) };
        let (at, id) = (Moment::from_unix_ms(5), MessageId::new(code(0), 1));
        waiting.insert(urgent, at, id, 2);
        fill(&mut waiting, place(1, Topic::BillNotice), 7, 3);
        let backlog = QueueBacklog { urgent: 1, bulk: 3, parts: 5, first: Some(at) };
        assert_eq!(waiting.backlogs(), [(1, backlog)].into());
        // A part of it came late and another is open still: put back, it counts once.
        waiting.insert(urgent, at, id, 1);
        assert_eq!(waiting.backlogs()[&1], QueueBacklog { parts: 4, ..backlog });
        waiting.remove(urgent, at, id);
        let left = QueueBacklog { urgent: 0, bulk: 3, parts: 3, first: Some(Moment::from_unix_ms(7)) };
        assert_eq!(waiting.backlogs()[&1], left);
        (7..10).for_each(|n| {
            waiting.remove(place(1, Topic::BillNotice), Moment::from_unix_ms(n), MessageId::new(code(1), n as u32));
        });
        assert!(waiting.backlogs().is_empty());
    }

    #[test]
    fn long_messages_count_their_parts_and_urgent_ones_go_first() {
        let (mut waiting, mut shares) = (Waiting::default(), Shares::default());
        fill(&mut waiting, place(0, Topic::BillNotice), 0, 100);
        fill(&mut waiting, place(1, Topic::BillNotice), 0, 100);
        let urgent = Place { lane: Lane::Urgent, ..place(1, Topic::Outage) };
        fill(&mut waiting, urgent, 5_000, 1);
        // Those of the first prefecture have three parts each.
        let parts = |id: MessageId| Some(if id.prefecture() == code(0) { 3 } else { 1 });
        let got = waiting.next(room(61), later(), &mut shares, |_, _| (1, 1), parts);
        assert_eq!(got[0], MessageId::new(code(1), 5_000));
        let long = got.iter().filter(|id| id.prefecture() == code(0)).count();
        assert!((9..=11).contains(&long), "{long}");
        assert!((28..=32).contains(&(got.len() - 1 - long)), "{got:?}");
    }
}
