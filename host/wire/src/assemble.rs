//! Long inbound messages put together from their parts, in any order, repeated or not, within a fixed memory.

use std::collections::HashMap;
use std::time::Duration;

use crate::field::{Content, MsgFmt, Number, Octets};
use crate::text::{self, Concatenation};

/// Messages under way at once before the oldest is given out incomplete: at 255 octets a part and 255 parts, 17 MB at worst.
pub const MAX_PENDING: usize = 256;

/// A customer's message as it came, or a part of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Piece {
    /// Who wrote.
    pub from: Number,
    /// To which of our numbers.
    pub to: Octets<21>,
    /// `TP_udhi` of GSM 03.40: not 0 where the content starts with a user data header.
    pub udhi: u8,
    /// How the content is coded.
    pub format: MsgFmt,
    /// The content.
    pub content: Content,
}

impl Piece {
    /// Which part of which message it is; none where it is a whole one.
    #[must_use]
    pub fn concatenation(&self) -> Option<Concatenation> {
        self.split().0.filter(|part| part.total > 1)
    }

    fn split(&self) -> (Option<Concatenation>, &[u8]) {
        if self.udhi == 0 { (None, &self.content[..]) } else { text::split_header(&self.content) }
    }
}

/// An inbound message as the customer wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Assembled {
    /// Who wrote.
    pub from: Number,
    /// To which of our numbers.
    pub to: Octets<21>,
    /// The text; the octets of missing parts are left out.
    pub text: String,
    /// Whether all parts came and every octet had a meaning.
    pub exact: bool,
    /// Parts that came and parts that there are.
    pub parts: (u8, u8),
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    from: Number,
    to: Octets<21>,
    reference: u16,
    total: u8,
}

struct Pending {
    since: Duration,
    format: MsgFmt,
    parts: Vec<Option<Content>>,
}

/// Puts parts together. A part is only in memory here: store each piece before it is answered.
#[derive(Default)]
pub struct Assembler {
    pending: HashMap<Key, Pending>,
}

impl Assembler {
    /// Takes an inbound message that came at `now` (any clock that only goes forward). Gives what is now complete, and
    /// before it the oldest message where [`MAX_PENDING`] are under way.
    pub fn push(&mut self, piece: impl Into<Piece>, now: Duration) -> Vec<Assembled> {
        let piece = piece.into();
        let (concatenation, octets) = piece.split();
        let Some(part) = concatenation.filter(|part| part.total > 1) else {
            let decoded = text::decode(piece.format, octets);
            return vec![Assembled {
                from: piece.from,
                to: piece.to,
                text: decoded.text,
                exact: decoded.exact,
                parts: (1, 1),
            }];
        };
        self.push_part(&piece, part, octets, now)
    }

    fn push_part(&mut self, piece: &Piece, part: Concatenation, octets: &[u8], now: Duration) -> Vec<Assembled> {
        let key = Key { from: piece.from, to: piece.to, reference: part.reference, total: part.total };
        let mut out = Vec::new();
        if self.pending.len() >= MAX_PENDING && !self.pending.contains_key(&key) {
            out.extend(self.take_oldest());
        }
        let pending = self.pending.entry(key.clone()).or_insert_with(|| Pending {
            since: now,
            format: piece.format,
            parts: vec![None; usize::from(part.total)],
        });
        // `split_header` gives numbers from 1 to the total; a repeated part replaces itself. A copy of a content fits.
        if let (Some(place), Ok(content)) =
            (pending.parts.get_mut(usize::from(part.number) - 1), Content::new(octets.to_vec()))
        {
            *place = Some(content);
        }
        if pending.parts.iter().all(Option::is_some) {
            out.extend(self.take(&key));
        }
        out
    }

    /// Gives out, incomplete, what has waited longer than `age` at `now`.
    pub fn expire(&mut self, now: Duration, age: Duration) -> Vec<Assembled> {
        let old = |pending: &Pending| now.saturating_sub(pending.since) > age;
        let mut keys: Vec<_> = self
            .pending
            .iter()
            .filter(|(_, pending)| old(pending))
            .map(|(key, pending)| (pending.since, key.clone()))
            .collect();
        keys.sort_by_key(|(since, _)| *since);
        keys.iter().filter_map(|(_, key)| self.take(key)).collect()
    }

    fn take_oldest(&mut self) -> Option<Assembled> {
        let key = self.pending.iter().min_by_key(|(_, pending)| pending.since).map(|(key, _)| key.clone())?;
        self.take(&key)
    }

    fn take(&mut self, key: &Key) -> Option<Assembled> {
        let pending = self.pending.remove(key)?;
        let came = pending.parts.iter().flatten().count();
        // Joined before decoding: some phones cut between the halves of a character.
        let octets: Vec<u8> = pending.parts.iter().flatten().flat_map(|part| part.iter().copied()).collect();
        let decoded = text::decode(pending.format, &octets);
        let complete = came == pending.parts.len();
        Some(Assembled {
            from: key.from,
            to: key.to,
            text: decoded.text,
            exact: decoded.exact && complete,
            // At most `total` parts came.
            parts: (u8::try_from(came).unwrap_or(key.total), key.total),
        })
    }
}
