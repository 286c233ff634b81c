//! Whom one policy would reach and another not: messages of two simulations side by side, by customer, what they are about, and step.

use rayon::prelude::*;

use super::messages::Message;

/// Places in the two lists of messages.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Only the candidate's.
    pub(crate) added: Vec<u32>,
    /// Only the live policy's.
    pub(crate) dropped: Vec<u32>,
    /// The candidate's and the live policy's message of the same customer, about the same and with the same step, on another channel or day.
    pub(crate) moved: Vec<(u32, u32)>,
    /// Of those, how many are on another channel.
    pub(crate) moved_channel: u64,
    /// And how many on another day.
    pub(crate) moved_day: u64,
    /// Messages of both on the same channel and day.
    pub(crate) same: u64,
    /// Customers whom only the candidate reaches.
    pub(crate) customers_added: u64,
    /// Customers whom only the live policy reaches.
    pub(crate) customers_dropped: u64,
}

/// Customer, what the message is about, step, and the message's place.
type Entry = (u32, u64, u8, u32);

fn entries(messages: &[Message]) -> Vec<Entry> {
    let mut all: Vec<Entry> = (0u32..).zip(messages).map(|(at, m)| (m.row, m.key, m.step, at)).collect();
    // One run is in order already.
    if !all.is_sorted() {
        all.par_sort_unstable();
    }
    all
}

/// How many customers a list of messages reaches.
pub(crate) fn customers(messages: &[Message]) -> u64 {
    let mut rows: Vec<u32> = messages.iter().map(|m| m.row).collect();
    if !rows.is_sorted() {
        rows.par_sort_unstable();
    }
    rows.dedup();
    rows.len() as u64
}

/// The entries of `list` about the customer at its head, and the rest.
fn of_customer(list: &[Entry], row: u32) -> (&[Entry], &[Entry]) {
    list.split_at(list.iter().take_while(|e| e.0 == row).count())
}

/// What `candidate` does that `live` does not, and the other way round.
pub(crate) fn compare(candidate: &[Message], live: &[Message]) -> Changes {
    let (ours, theirs) = rayon::join(|| entries(candidate), || entries(live));
    let (mut a, mut b) = (ours.as_slice(), theirs.as_slice());
    let mut changes = Changes::default();
    while let Some(row) = a.first().map(|e| e.0).into_iter().chain(b.first().map(|e| e.0)).min() {
        let (own, rest) = of_customer(a, row);
        a = rest;
        let (other, rest) = of_customer(b, row);
        b = rest;
        changes.customers_added += u64::from(other.is_empty());
        changes.customers_dropped += u64::from(own.is_empty());
        changes.customer(own, other, candidate, live);
    }
    changes
}

impl Changes {
    /// Merges what one customer gets from both.
    fn customer(&mut self, mut own: &[Entry], mut other: &[Entry], candidate: &[Message], live: &[Message]) {
        loop {
            match (own.split_first(), other.split_first()) {
                (None, None) => return,
                (Some((x, rest)), Some((y, others))) if (x.1, x.2) == (y.1, y.2) => {
                    (own, other) = (rest, others);
                    self.pair(x.3, y.3, candidate, live);
                }
                (Some((x, rest)), y) if y.is_none_or(|(y, _)| (x.1, x.2) < (y.1, y.2)) => {
                    own = rest;
                    self.added.push(x.3);
                }
                (_, Some((y, others))) => {
                    other = others;
                    self.dropped.push(y.3);
                }
                (Some((x, rest)), None) => {
                    own = rest;
                    self.added.push(x.3);
                }
            }
        }
    }

    fn pair(&mut self, ours: u32, theirs: u32, candidate: &[Message], live: &[Message]) {
        let (Some(x), Some(y)) = (candidate.get(ours as usize), live.get(theirs as usize)) else { return };
        let (channel, day) = (x.channel != y.channel, x.day() != y.day());
        self.moved_channel += u64::from(channel);
        self.moved_day += u64::from(day);
        if channel || day {
            self.moved.push((ours, theirs));
        } else {
            self.same += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gridbell_model::{Channel, CivilMinute, Decision, OrgCode};
    use proptest::prelude::*;

    use super::*;

    fn message((row, key, step, day, sms): (u32, u64, u8, i64, bool)) -> Message {
        let decision = Decision {
            row,
            notice: 0,
            step,
            reason: 0,
            route: 0,
            arg0: 0,
            arg1: 0,
            not_before: CivilMinute::NONE,
            expires: CivilMinute::NONE,
        };
        let at = CivilMinute(day * 1440 + 540);
        let channel = if sms { Channel::Sms } else { Channel::Wechat };
        Message { key, channel, ..Message::of(&decision, 0, OrgCode(1)) }.with_times(at, at.plus_minutes(60))
    }

    /// A list without two messages of one customer, key and step, in any order.
    fn list() -> impl Strategy<Value = Vec<Message>> {
        let one = (0..12u32, 0..3u64, 1..4u8, 0..4i64, any::<bool>());
        proptest::collection::vec(one, 0..60).prop_map(|all| {
            let once: BTreeMap<_, _> = all.into_iter().map(|m| ((m.2, m.0, m.1), m)).collect();
            once.into_values().map(message).collect()
        })
    }

    proptest! {
        #[test]
        fn the_difference_is_that_of_the_definition(ours in list(), theirs in list()) {
            let id = |m: &Message| (m.row, m.key, m.step);
            let find = |list: &[Message], m: &Message| list.iter().find(|x| id(x) == id(m)).copied();
            let changes = compare(&ours, &theirs);
            let (mut added, mut moved, mut same, mut channels, mut days) = (vec![], vec![], 0, 0, 0);
            for m in &ours {
                match find(&theirs, m) {
                    None => added.push(id(m)),
                    Some(t) => {
                        channels += u64::from(t.channel != m.channel);
                        days += u64::from(t.day() != m.day());
                        if (t.channel, t.day()) == (m.channel, m.day()) { same += 1 } else { moved.push(id(m)) }
                    }
                }
            }
            let mut dropped: Vec<_> = theirs.iter().filter(|m| find(&ours, m).is_none()).map(id).collect();
            let ids = |list: &[Message], at: &[u32]| at.iter().map(|n| id(&list[*n as usize])).collect::<Vec<_>>();
            let moved_at: Vec<u32> = changes.moved.iter().map(|(x, _)| *x).collect();
            added.sort_unstable();
            dropped.sort_unstable();
            moved.sort_unstable();
            prop_assert_eq!(ids(&ours, &changes.added), added);
            prop_assert_eq!(ids(&theirs, &changes.dropped), dropped);
            prop_assert_eq!(ids(&ours, &moved_at), moved);
            prop_assert_eq!((changes.same, changes.moved_channel, changes.moved_day), (same, channels, days));
            let only = |a: &[Message], b: &[Message]| {
                let mut rows: Vec<u32> = a.iter().map(|m| m.row).filter(|r| b.iter().all(|m| m.row != *r)).collect();
                rows.sort_unstable();
                rows.dedup();
                rows.len() as u64
            };
            prop_assert_eq!(changes.customers_added, only(&ours, &theirs));
            prop_assert_eq!(changes.customers_dropped, only(&theirs, &ours));
            prop_assert_eq!(customers(&ours), ours.iter().map(|m| m.row).collect::<std::collections::BTreeSet<_>>().len() as u64);
        }
    }
}
