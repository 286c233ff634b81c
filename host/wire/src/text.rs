//! Texts to the contents of messages and back: UTF-16BE, the cut into parts, and the formats in which customers' phones answer.

use std::fmt::Write as _;

use bytes::{BufMut, Bytes, BytesMut};

use crate::error::Error;
use crate::field::{Content, MsgFmt};

/// UTF-16 units that fit one message: 140 octets.
pub const SINGLE_UNITS: usize = 70;
/// UTF-16 units that fit one part of a long message, behind its user data header of six octets.
pub const PART_UNITS: usize = 67;
/// The most parts of one message that [`split`] makes: the part count is one octet, and 255 is [`parts`]' word for more.
pub const MAX_PARTS: u8 = 254;

/// How many messages `text` is for the carrier, that is for pacing and for the bill: 1 up to 70 characters, then one per
/// 67. Signature and opt-out words count, so give it the whole text.
///
/// Characters outside the basic plane (emoji, rare Han) count two and are never cut in half, so a part may hold 66. An empty text is one
/// message. A text of more than [`MAX_PARTS`] parts, which [`split`] refuses, gives 255. One pass, no allocation.
#[must_use]
pub fn parts(text: &str) -> u8 {
    // A UTF-16 unit never comes from fewer than one octet of UTF-8.
    if text.len() <= SINGLE_UNITS || fits_one(text) {
        return 1;
    }
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

fn fits_one(text: &str) -> bool {
    text.encode_utf16().take(SINGLE_UNITS + 1).count() <= SINGLE_UNITS
}

/// One message or one part of a long one, ready for the fields of a SUBMIT with [`MsgFmt::UCS2`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// How many parts there are (`Pk_total`).
    pub total: u8,
    /// Which this is, from 1 (`Pk_number`).
    pub number: u8,
    /// `TP_udhi`: 1 where the content starts with the header of a long message.
    pub udhi: u8,
    /// UTF-16BE, behind `05 00 03 reference total number` where the message is long.
    pub content: Content,
}

/// Cuts `text` for the wire. `reference` ties the parts of one long message together on the terminal: messages to one
/// number that are under way together need different ones.
///
/// # Errors
/// Where it needs more than [`MAX_PARTS`] parts.
pub fn split(text: &str, reference: u8) -> Result<Vec<Part>, Error> {
    let total = parts(text);
    if total > MAX_PARTS {
        return Err(Error::TooManyParts { max: MAX_PARTS });
    }
    if total == 1 {
        let content = Content::new(utf16be(text))?;
        return Ok(vec![Part { total, number: 1, udhi: 0, content }]);
    }
    let mut cut = Vec::with_capacity(usize::from(total));
    let mut rest = text;
    for number in 1..=total {
        let (part, following) = rest.split_at(part_end(rest));
        let mut content = BytesMut::with_capacity(6 + 2 * PART_UNITS);
        content.put_slice(&[5, 0, 3, reference, total, number]);
        part.encode_utf16().for_each(|unit| content.put_u16(unit));
        cut.push(Part { total, number, udhi: 1, content: Content::new(content.freeze())? });
        rest = following;
    }
    Ok(cut)
}

/// Where the first part of `text` ends, in octets of UTF-8.
fn part_end(text: &str) -> usize {
    let mut filled = 0;
    for (at, character) in text.char_indices() {
        filled += character.len_utf16();
        if filled > PART_UNITS {
            return at;
        }
    }
    text.len()
}

/// `text` as UTF-16BE.
#[must_use]
pub fn utf16be(text: &str) -> Bytes {
    let mut octets = BytesMut::with_capacity(2 * text.len());
    text.encode_utf16().for_each(|unit| octets.put_u16(unit));
    octets.freeze()
}

/// A content made readable.
#[derive(Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The text.
    pub text: String,
    /// Whether every octet had a meaning. Where not, keep the octets too.
    pub exact: bool,
}

/// Reads a content without its user data header.
///
/// UCS2 is read as UTF-16BE and GB as GBK. Some gateways call GBK ASCII, so octets above 127 there are read as GBK. Binary
/// and unknown formats that are printable ASCII are read as such; else their octets are shown in hexadecimal.
#[must_use]
pub fn decode(format: MsgFmt, content: &[u8]) -> Decoded {
    match format {
        MsgFmt::UCS2 => decode_utf16be(content),
        MsgFmt::ASCII | MsgFmt::GB => {
            let (text, replaced) = encoding_rs::GBK.decode_without_bom_handling(content);
            Decoded { text: text.into_owned(), exact: !replaced }
        }
        _ if content.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\n' | b'\r')) => {
            Decoded { text: String::from_utf8_lossy(content).into_owned(), exact: true }
        }
        _ => {
            let text = content.iter().fold(String::new(), |mut text, octet| {
                // Writing to a string cannot fail.
                let _ = write!(text, "{octet:02x}");
                text
            });
            Decoded { text, exact: false }
        }
    }
}

fn decode_utf16be(content: &[u8]) -> Decoded {
    let (pairs, odd) = content.as_chunks::<2>();
    let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
    let mut exact = odd.is_empty();
    let text = char::decode_utf16(units)
        .map(|unit| {
            unit.unwrap_or_else(|_| {
                exact = false;
                char::REPLACEMENT_CHARACTER
            })
        })
        .collect();
    Decoded { text, exact }
}

/// What a user data header says about a long message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Concatenation {
    /// Ties the parts of one message together; 8 or 16 bits.
    pub reference: u16,
    /// How many parts there are, from 1.
    pub total: u8,
    /// Which this is, from 1.
    pub number: u8,
}

/// Splits a content with `TP_udhi` = 1 into what its header says about a long message and the text's octets.
///
/// Knows the 8-bit (`00 03`) and 16-bit (`08 04`) reference of GSM 03.40. A header that is cut short or counts nonsense gives
/// no concatenation; one longer than the content leaves it all as text.
#[must_use]
pub fn split_header(content: &[u8]) -> (Option<Concatenation>, &[u8]) {
    let header = content.split_first().and_then(|(&length, rest)| rest.split_at_checked(usize::from(length)));
    let Some((mut elements, text)) = header else {
        return (None, content);
    };
    let mut found = None;
    while let [kind, length, rest @ ..] = elements {
        let Some((value, following)) = rest.split_at_checked(usize::from(*length)) else {
            break;
        };
        found = match (kind, value) {
            (0, &[reference, total, number]) => Some((u16::from(reference), total, number)),
            (8, &[high, low, total, number]) => Some((u16::from_be_bytes([high, low]), total, number)),
            _ => found,
        };
        elements = following;
    }
    let concatenation = found
        .filter(|&(_, total, number)| (1..=total).contains(&number))
        .map(|(reference, total, number)| Concatenation { reference, total, number });
    (concatenation, text)
}
