//! The number under which a carrier or a platform knows what it took.

use std::fmt;
use std::sync::Arc;

/// By which a report names a part: the carrier's own number for it. Sixteen octets; a number of 64 bits, CMPP's `Msg_Id`, is in place, and any
/// other is text as the carrier's people write it, so that they can be asked about it.
///
/// A number and its digits as text are two keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CarrierKey {
    /// A number.
    Number(u64),
    /// Anything else, at most [`CarrierKey::MAX_TEXT`] octets.
    Text(Arc<str>),
}

impl CarrierKey {
    /// The most octets of a text. SGIP's three words take 32.
    pub const MAX_TEXT: usize = 64;

    /// A text; of a longer one the first octets that are whole characters.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let mut end = text.len().min(Self::MAX_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        Self::Text(text.get(..end).unwrap_or_default().into())
    }
}

impl From<u64> for CarrierKey {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for CarrierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_small_and_a_text_is_bounded() {
        assert_eq!(size_of::<CarrierKey>(), 16);
        assert_eq!(CarrierKey::text(&"户".repeat(30)).to_string(), "户".repeat(21));
        assert_eq!(CarrierKey::from(7).to_string(), "7");
        assert_ne!(CarrierKey::from(7), CarrierKey::text("7"));
    }
}
