//! What customers write, as it is kept: the record, and how one of an earlier format is read. Knows no word and answers nothing.

use gridbell_model::{Moment, Phone};
use serde::{Deserialize, Serialize};

/// An inbound message (上行短信) as it came. Number and text are personal.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct InboundMessage {
    /// From 1.
    pub number: u64,
    /// When it was received.
    pub at: Moment,
    /// The link it came by.
    pub link: String,
    /// Who sent it.
    pub from: Phone,
    /// The number it was sent to.
    pub to: String,
    /// What it says.
    pub text: String,
    /// What the host made of it: `opt-out`, `inbox`, `test-number` (an opt-out word from a pilot's test number, which changed nothing), …
    pub handled: String,
    /// The carrier's or platform's number for it, as text, by which a repetition is known; empty of messages of earlier formats.
    pub key: String,
    /// Whether it is answered: `due`, or why not: `hour-limit`, …; empty where nothing is to be said.
    pub answer: String,
}

/// What a record of a format before 5 holds.
#[derive(Deserialize)]
struct Before5 {
    number: u64,
    at: Moment,
    link: String,
    from: Phone,
    to: String,
    text: String,
    handled: String,
}

impl InboundMessage {
    /// From a record's bytes, of this format or an earlier one: a record ends after the last part that its format knew.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let (before, rest): (Before5, &[u8]) = postcard::take_from_bytes(bytes)?;
        let Before5 { number, at, link, from, to, text, handled } = before;
        let (key, answer) = if rest.is_empty() { <(String, String)>::default() } else { postcard::from_bytes(rest)? };
        Ok(Self { number, at, link, from, to, text, handled, key, answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_and_one_of_an_earlier_format_lacks_what_that_did_not_know() {
        let message = InboundMessage {
            number: 7,
            at: Moment::from_unix_ms(1_700_000_000_000),
            link: "mobile-1".to_owned(),
            from: Phone::from_text("13800000000"),
            to: "95598".to_owned(),
            text: "余额".to_owned(),
            handled: "balance".to_owned(),
            key: "9".to_owned(),
            answer: "due".to_owned(),
        };
        let bytes = postcard::to_stdvec(&message).unwrap();
        assert_eq!(InboundMessage::decode(&bytes).unwrap(), message);
        let tail = postcard::to_stdvec(&(&message.key, &message.answer)).unwrap();
        let before = InboundMessage::decode(&bytes[..bytes.len() - tail.len()]).unwrap();
        assert_eq!(before, InboundMessage { key: String::new(), answer: String::new(), ..message });
        assert!(InboundMessage::decode(&bytes[..bytes.len() - 1]).is_err(), "a record that was cut is no earlier one");
    }
}
