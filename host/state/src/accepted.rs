//! A part that a carrier has, and how it is kept.

use std::fmt;

use gridbell_model::CarrierKey;
use serde::de::{Error, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::outbox::{LinkKey, MessageStatus};

/// Set in the number of a part whose key is kept as text. Parts are at most 64; data before this knew numbers only.
const TEXT: u8 = 0x80;
/// Most parts that a message may have; numbers above are those of strays.
const MAX_PART: u8 = 64;
/// What is kept of it.
const FIELDS: [&str; 3] = ["part", "link", "key"];

/// A part that the carrier has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcceptedPart {
    /// From 1; above 64 where it is a stray.
    pub part: u8,
    /// The link it went by.
    pub link: String,
    /// The carrier's number for it.
    pub key: CarrierKey,
}

impl AcceptedPart {
    /// Whether it is no part of the message's text: of a text for several accounts that nobody stands for any more, or of its own where another
    /// message tells it now. It counts for its link and ends nothing; the message is marked.
    #[must_use]
    pub fn is_stray(&self) -> bool {
        is_stray(self.part)
    }

    fn is_known_as(&self, key: &LinkKey) -> bool {
        (&self.link, &self.key) == (&key.0, &key.1)
    }
}

/// Whether a part with this number is a stray.
pub(crate) fn is_stray(part: u8) -> bool {
    part > MAX_PART
}

impl MessageStatus {
    /// Whether a carrier has a part of its text.
    #[must_use]
    pub fn is_begun(&self) -> bool {
        self.accepted.iter().any(|a| !a.is_stray())
    }

    /// The number of its next stray; the last stands for all that are too many.
    pub(crate) fn next_stray(&self) -> u8 {
        let is_free = |part: &u8| !self.accepted.iter().any(|a| a.part == *part);
        (MAX_PART + 1..TEXT).find(is_free).unwrap_or(TEXT - 1)
    }
}

/// A platform that is given the whole text has one number for all parts.
impl MessageStatus {
    /// What was reported last of another part that the carrier knows by the same key.
    pub(crate) fn reported_as(&self, key: &LinkKey) -> Option<String> {
        let same = |part: u8| self.accepted.iter().any(|a| a.part == part && a.is_known_as(key));
        self.reports.iter().rev().find(|(part, _)| same(*part)).map(|(_, stat)| stat.clone())
    }

    /// The parts that `stat`, reported of `key` and so of `part`, is news of.
    pub(crate) fn untold(&self, part: u8, key: &LinkKey, stat: &str) -> Vec<u8> {
        let same = self.accepted.iter().filter(|a| a.part != part && a.is_known_as(key)).map(|a| a.part);
        let known = |p: &u8| self.reports.iter().any(|(of, s)| of == p && s == stat);
        std::iter::once(part).chain(same).filter(|p| !known(p)).collect()
    }
}

impl Serialize for AcceptedPart {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut kept = s.serialize_struct("AcceptedPart", FIELDS.len())?;
        let tag = if matches!(self.key, CarrierKey::Text(_)) { TEXT } else { 0 };
        kept.serialize_field(FIELDS[0], &(self.part | tag))?;
        kept.serialize_field(FIELDS[1], &self.link)?;
        match &self.key {
            CarrierKey::Number(number) => kept.serialize_field(FIELDS[2], number)?,
            CarrierKey::Text(text) => kept.serialize_field(FIELDS[2], &**text)?,
        }
        kept.end()
    }
}

impl<'de> Deserialize<'de> for AcceptedPart {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_struct("AcceptedPart", &FIELDS, Kept)
    }
}

struct Kept;

impl<'de> Visitor<'de> for Kept {
    type Value = AcceptedPart;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a part that the carrier has")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut kept: A) -> Result<AcceptedPart, A::Error> {
        let short = |at| A::Error::invalid_length(at, &"three fields");
        let part: u8 = kept.next_element()?.ok_or_else(|| short(0))?;
        let link = kept.next_element()?.ok_or_else(|| short(1))?;
        let key = if part & TEXT == 0 {
            CarrierKey::Number(kept.next_element()?.ok_or_else(|| short(2))?)
        } else {
            CarrierKey::text(&kept.next_element::<String>()?.ok_or_else(|| short(2))?)
        };
        Ok(AcceptedPart { part: part & !TEXT, link, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    struct Before {
        part: u8,
        link: String,
        carrier_id: u64,
    }

    #[test]
    fn numbers_are_kept_as_they_were_and_texts_come_back() {
        let before = Before { part: 2, link: "mobile".into(), carrier_id: u64::MAX };
        let number = AcceptedPart { part: 2, link: "mobile".into(), key: u64::MAX.into() };
        let octets = postcard::to_stdvec(&before).unwrap();
        assert_eq!(postcard::to_stdvec(&number).unwrap(), octets);
        assert_eq!(postcard::from_bytes::<AcceptedPart>(&octets).unwrap(), number);
        let text = AcceptedPart { part: 64, link: "unicom".into(), key: CarrierKey::text("3035100001-1121120000-7") };
        let both = vec![text.clone(), number.clone(), text];
        let octets = postcard::to_stdvec(&both).unwrap();
        assert_eq!(postcard::from_bytes::<Vec<AcceptedPart>>(&octets).unwrap(), both);
        assert!(postcard::from_bytes::<AcceptedPart>(&octets[..3]).is_err());
    }
}
