//! Customers' messages put together from their parts, in the outbox's words.
//!
//! A long message's parts are acknowledged when the whole is durable, so that a broken connection loses none of them.

use std::time::Duration;

use gridbell_model::CarrierKey;
use gridbell_wire::assemble::{Assembled, Assembler, Piece};
use gridbell_wire::{Number, Octets};
use rustc_hash::FxHashMap;

use crate::dialect::phone;
use crate::intake::Batch;
use crate::port::Inbound;

/// How long the parts of a long message may take to come; below the minute after which gateways send an unacknowledged one again.
pub(crate) const LONG_WAIT: Duration = Duration::from_secs(30);
/// Long messages under way on one connection; below [`gridbell_wire::assemble::MAX_PENDING`], so that none is pushed out.
const MAX_LONG: usize = 128;
/// Parts of one long message that are kept unacknowledged, repetitions included.
const MAX_ACKS: usize = 512;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    from: Number,
    to: Octets<21>,
    reference: u16,
    total: u8,
}

#[derive(Debug)]
struct Long<A> {
    since: Duration,
    acks: Vec<(CarrierKey, A)>,
}

/// Inbound messages of one connection, whose answers are `A`.
pub(crate) struct Mailbox<A> {
    assembler: Assembler,
    long: FxHashMap<Key, Long<A>>,
}

impl<A> Default for Mailbox<A> {
    fn default() -> Self {
        Self { assembler: Assembler::default(), long: FxHashMap::default() }
    }
}

impl<A> Mailbox<A> {
    /// Takes a customer's message; what is complete goes into `batch`.
    ///
    /// # Errors
    /// Its answer, where too much is under way: the gateway is to be put off.
    pub(crate) fn take(
        &mut self,
        ack: A,
        number: CarrierKey,
        piece: Piece,
        now: Duration,
        batch: &mut Batch<A>,
    ) -> Result<(), A> {
        let Some(part) = piece.concatenation() else {
            batch.acks.push(ack);
            let wholes = self.assembler.push(piece, now);
            batch.inbound.extend(wholes.into_iter().map(|whole| inbound(number.clone(), whole)));
            return Ok(());
        };
        let key = Key { from: piece.from, to: piece.to, reference: part.reference, total: part.total };
        let full = self.long.len() >= MAX_LONG && !self.long.contains_key(&key);
        if full {
            return Err(ack);
        }
        let long = self.long.entry(key.clone()).or_insert_with(|| Long { since: now, acks: Vec::new() });
        if long.acks.len() >= MAX_ACKS {
            return Err(ack);
        }
        long.acks.push((number, ack));
        let wholes = self.assembler.push(piece, now);
        if !wholes.is_empty() {
            let acks = self.long.remove(&key).map(|long| long.acks).unwrap_or_default();
            batch.inbound.extend(wholes.into_iter().map(|whole| inbound(first_key(&acks), whole)));
            batch.acks.extend(acks.into_iter().map(|(_, ack)| ack));
        }
        Ok(())
    }

    /// Gives out incomplete what has waited too long.
    pub(crate) fn expire(&mut self, now: Duration, batch: &mut Batch<A>) {
        // The assembler's own rule, so that both give out the same.
        let mut old: Vec<Key> = self
            .long
            .iter()
            .filter(|(_, long)| now.saturating_sub(long.since) > LONG_WAIT)
            .map(|(key, _)| key.clone())
            .collect();
        for whole in self.assembler.expire(now, LONG_WAIT) {
            let same = |key: &Key| (key.from, key.to, key.total) == (whole.from, whole.to, whole.parts.1);
            let key = old.iter().position(same).map(|at| old.swap_remove(at));
            let acks = key.and_then(|key| self.long.remove(&key)).map(|long| long.acks).unwrap_or_default();
            batch.inbound.push(inbound(first_key(&acks), whole));
            batch.acks.extend(acks.into_iter().map(|(_, ack)| ack));
        }
    }

    /// When [`Mailbox::expire`] next has something to do.
    pub(crate) fn next_expiry(&self) -> Option<Duration> {
        // A moment more: the rule is "longer than".
        self.long.values().map(|long| long.since + LONG_WAIT + Duration::from_millis(1)).min()
    }
}

/// The least of a long message's numbers: the same in whatever order its parts come again.
fn first_key<A>(acks: &[(CarrierKey, A)]) -> CarrierKey {
    acks.iter().map(|(key, _)| key).min().cloned().unwrap_or(CarrierKey::Number(0))
}

fn inbound(key: CarrierKey, whole: Assembled) -> Inbound {
    Inbound { key, from: phone(&whole.from), to: whole.to.text().into_owned(), text: whole.text, exact: whole.exact }
}
