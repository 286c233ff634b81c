//! What a text costs: its length as carriers count it.

use serde::{Deserialize, Serialize};

/// UTF-16 units that fit one message: 140 octets.
pub const SINGLE_UNITS: usize = 70;
/// UTF-16 units that fit one part of a long message, behind its header of six octets.
pub const PART_UNITS: usize = 67;
/// The most parts that one text may come to; terminals show longer ones badly and a slip would cost a fortune.
pub const MAX_PARTS: u8 = 8;

/// A text with what sending it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextPlan {
    /// The whole text, signature and opt-out words included.
    pub text: String,
    /// Its length in UTF-16 units, which is what carriers count.
    pub chars: u32,
    /// Parts that a carrier counts; 1 on other channels.
    pub parts: u8,
    /// What it costs, in thousandths of a fen.
    pub cost_milli_fen: u32,
}

impl TextPlan {
    /// The same text behind `mark`, with its length and its cost; none where it would take more parts than a message may have.
    #[must_use]
    pub fn marked(&self, mark: &str) -> Option<Self> {
        let text = format!("{mark}{}", self.text);
        let (units, parts) = units_and_parts(&text);
        let chars = u32::try_from(units).ok().filter(|_| parts <= MAX_PARTS)?;
        let each = self.cost_milli_fen / u32::from(self.parts.max(1));
        Some(Self { text, chars, parts, cost_milli_fen: each.saturating_mul(u32::from(parts)) })
    }
}

/// The length and the cost of a text that was not rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TextSize {
    /// Its length in UTF-16 units.
    pub chars: u32,
    /// Parts that a carrier counts; 1 on other channels.
    pub parts: u8,
    /// What it costs, in thousandths of a fen.
    pub cost_milli_fen: u32,
}

/// The length of `text` in UTF-16 units, and how many of its characters take two.
pub(super) fn measure(text: &str) -> (usize, usize) {
    // Every character has one octet that is no continuation, and those beyond the basic plane, which count two, start with F0 or more. Counting
    // octets in bytes, a few at a time so that no count overflows, runs on vectors: this is the longest step of every message otherwise.
    const STEP: usize = 240;
    let (mut characters, mut pairs) = (0, 0);
    for octets in text.as_bytes().chunks(STEP) {
        characters += usize::from(octets.iter().map(|b| u8::from(b & 0xc0 != 0x80)).sum::<u8>());
        pairs += usize::from(octets.iter().map(|b| u8::from(*b >= 0xf0)).sum::<u8>());
    }
    (characters + pairs, pairs)
}

/// The length of `text` in UTF-16 units.
#[must_use]
pub fn utf16_units(text: &str) -> usize {
    measure(text).0
}

/// How many messages `text` is for a carrier: 1 up to 70 units, then one for each 67. Characters beyond the basic plane are never cut in
/// half. Saturates at 255.
#[must_use]
pub fn parts(text: &str) -> u8 {
    units_and_parts(text).1
}

/// [`utf16_units`] and [`parts`] at once.
pub(super) fn units_and_parts(text: &str) -> (usize, u8) {
    let (units, pairs) = measure(text);
    let parts = if units > SINGLE_UNITS && pairs > 0 { parts_with_pairs(text) } else { parts_of(units) };
    (units, parts)
}

/// Parts of a text of `units` without characters that take two.
pub(super) fn parts_of(units: usize) -> u8 {
    if units <= SINGLE_UNITS { 1 } else { u8::try_from(units.div_ceil(PART_UNITS)).unwrap_or(u8::MAX) }
}

fn parts_with_pairs(text: &str) -> u8 {
    let (mut count, mut filled) = (1_u8, 0);
    for character in text.chars() {
        let units = character.len_utf16();
        if filled + units > PART_UNITS {
            count = count.saturating_add(1);
            filled = 0;
        }
        filled += units;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, cut by cut.
    fn cut(text: &str) -> usize {
        let units: Vec<u16> = text.encode_utf16().collect();
        if units.len() <= SINGLE_UNITS {
            return 1;
        }
        let (mut at, mut count) = (0, 0);
        while at < units.len() {
            let mut end = (at + PART_UNITS).min(units.len());
            let splits_pair = end < units.len() && (0xdc00..0xe000).contains(&units[end]);
            end -= usize::from(splits_pair);
            at = end;
            count += 1;
        }
        count
    }

    proptest! {
        #[test]
        fn parts_are_what_cutting_gives(text in "[电费a😀]{0,400}") {
            prop_assert_eq!(utf16_units(&text), text.encode_utf16().count());
            prop_assert_eq!(usize::from(parts(&text)), cut(&text));
        }
    }

    #[test]
    fn the_borders_are_70_and_67() {
        for (length, expected) in [(0, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (202, 4)] {
            assert_eq!(parts(&"电".repeat(length)), expected, "{length}");
        }
    }
}
