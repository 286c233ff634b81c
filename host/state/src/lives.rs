//! Messages on their way, by their numbers, in blocks that a checkpoint's plan shares: a million of them are shared in a millisecond, where copying
//! them took one second in which nothing else was taken in. A change copies the one block and the one message that a plan still holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_model::MessageId;

use crate::outbox::Live;

/// Numbers of one block. A copy of a block is so many counts raised, some microseconds.
const BLOCK: usize = 64;

/// Messages of numbers that follow each other.
#[derive(Clone, Debug)]
struct Block {
    messages: [Option<Arc<Live>>; BLOCK],
    used: usize,
}

/// All of them; a clone shares them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lives {
    blocks: BTreeMap<u64, Arc<Block>>,
    len: usize,
}

/// Where a message is: its block, and its place there.
fn place(id: MessageId) -> (u64, usize) {
    (id.0 / BLOCK as u64, (id.0 % BLOCK as u64) as usize)
}

impl Lives {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: &MessageId) -> Option<&Live> {
        let (block, at) = place(*id);
        self.blocks.get(&block)?.messages[at].as_deref()
    }

    /// For writing; copies what a plan shares.
    pub(crate) fn get_mut(&mut self, id: &MessageId) -> Option<&mut Live> {
        let (block, at) = place(*id);
        let block = self.blocks.get_mut(&block)?;
        // Nothing is copied for a message that is not there.
        block.messages[at].as_ref()?;
        Arc::make_mut(block).messages[at].as_mut().map(Arc::make_mut)
    }

    pub(crate) fn contains_key(&self, id: &MessageId) -> bool {
        self.get(id).is_some()
    }

    pub(crate) fn insert(&mut self, id: MessageId, live: Live) {
        let (block, at) = place(id);
        let empty = || Arc::new(Block { messages: [const { None }; BLOCK], used: 0 });
        let block = Arc::make_mut(self.blocks.entry(block).or_insert_with(empty));
        if block.messages[at].replace(Arc::new(live)).is_none() {
            block.used += 1;
            self.len += 1;
        }
    }

    pub(crate) fn remove(&mut self, id: &MessageId) -> Option<Arc<Live>> {
        let (key, at) = place(*id);
        let block = self.blocks.get_mut(&key)?;
        block.messages[at].as_ref()?;
        let block = Arc::make_mut(block);
        let gone = block.messages[at].take();
        block.used -= 1;
        self.len -= 1;
        if block.used == 0 {
            self.blocks.remove(&key);
        }
        gone
    }

    /// All, in order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (MessageId, &Live)> {
        self.blocks.iter().flat_map(|(key, block)| {
            let first = key * BLOCK as u64;
            (first..).zip(&block.messages).filter_map(|(id, live)| Some((MessageId(id), live.as_deref()?)))
        })
    }

    /// All, in order of their numbers.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Live> {
        self.iter().map(|(_, live)| live)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use gridbell_model::{Channel, Lane, Moment, RunId, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::outbox::Outbox;
    use crate::runs::Publication;

    fn any_live(attempts: u8) -> Live {
        let (id, at) = (MessageId(1), Moment::from_unix_ms(0));
        let data = Publication {
            number: 1,
            row: 0,
            phone: 0,
            station: 0,
            step: 1,
            said_before: 0,
            key: 0,
            parts: 1,
            cost_milli_fen: 0,
            send_after: 0,
            expires: 0,
            lane: Lane::Bulk,
            queue: 1,
            channel: Channel::Sms,
        };
        let mut outbox = Outbox::default();
        outbox.publish(id, RunId(1), Topic::ArrearsReminder, data, at);
        let mut live = outbox.live.get(&id).cloned().unwrap();
        live.status.attempts = attempts;
        live
    }

    proptest! {
        #[test]
        fn a_clone_stays_as_it_was_whatever_is_changed_after(
            steps in proptest::collection::vec((0_u64..200, 0_u8..4), 1..120),
        ) {
            let (mut lives, mut model) = (Lives::default(), BTreeMap::new());
            let mut kept: Vec<(Lives, BTreeMap<u64, u8>)> = Vec::new();
            for (n, (id, step)) in steps.into_iter().enumerate() {
                let attempts = n as u8;
                match step {
                    0 => {
                        lives.insert(MessageId(id), any_live(attempts));
                        model.insert(id, attempts);
                    }
                    1 => {
                        let changed = lives.get_mut(&MessageId(id)).map(|l| l.status.attempts = attempts);
                        prop_assert_eq!(changed.is_some(), model.contains_key(&id));
                        model.entry(id).and_modify(|a| *a = attempts);
                    }
                    2 => {
                        let gone = lives.remove(&MessageId(id)).map(|l| l.status.attempts);
                        prop_assert_eq!(gone, model.remove(&id));
                    }
                    _ => kept.push((lives.clone(), model.clone())),
                }
                prop_assert_eq!(lives.len(), model.len());
            }
            kept.push((lives, model));
            for (lives, model) in kept {
                let all: Vec<(u64, u8)> = lives.iter().map(|(id, l)| (id.0, l.status.attempts)).collect();
                prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>());
            }
        }
    }
}
