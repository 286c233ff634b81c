//! The twenty octets before every PDU: length, command, and a sequence of three words.

use std::fmt;

use bytes::{BufMut, BytesMut};

/// Octets of a header.
pub const HEADER_LENGTH: usize = 20;

/// Set in the command word of every response.
pub const RESPONSE_BIT: u32 = 0x8000_0000;

macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident = $word:expr, $spelt:literal;)*) => {
        /// A command word.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Command {
            $($(#[$doc])* $name,)*
        }

        impl Command {
            /// The word on the wire.
            #[must_use]
            pub const fn word(self) -> u32 {
                match self { $(Self::$name => $word,)* }
            }

            /// The command of a word from the wire.
            #[must_use]
            pub const fn from_word(word: u32) -> Option<Self> {
                $(if word == $word { return Some(Self::$name); })*
                None
            }

            /// Its name as the specification spells it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $spelt,)* }
            }
        }
    };
}

commands! {
    /// Login.
    Bind = 1, "SGIP_BIND";
    /// Answer to a login.
    BindResp = RESPONSE_BIT | 1, "SGIP_BIND_RESP";
    /// Polite end of a connection.
    Unbind = 2, "SGIP_UNBIND";
    /// Answer to it.
    UnbindResp = RESPONSE_BIT | 2, "SGIP_UNBIND_RESP";
    /// A message to one or more terminals.
    Submit = 3, "SGIP_SUBMIT";
    /// Answer to a submit.
    SubmitResp = RESPONSE_BIT | 3, "SGIP_SUBMIT_RESP";
    /// An inbound message.
    Deliver = 4, "SGIP_DELIVER";
    /// Answer to it.
    DeliverResp = RESPONSE_BIT | 4, "SGIP_DELIVER_RESP";
    /// A delivery report.
    Report = 5, "SGIP_REPORT";
    /// Answer to it.
    ReportResp = RESPONSE_BIT | 5, "SGIP_REPORT_RESP";
}

/// `Sequence Number`: what an answer repeats, and by which a report names its submit. It must not repeat within the time that a
/// report may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence {
    /// The node that began the exchange, see [`Sequence::sp_node`].
    pub node: u32,
    /// When: MMDDhhmmss read as a decimal number, see [`Sequence::stamp`].
    pub stamp: u32,
    /// A counter.
    pub counter: u32,
}

/// Octets of a sequence.
pub(crate) const SEQUENCE_LENGTH: usize = 12;

impl Sequence {
    /// The node number of an SP: 3, the area code in four digits, the company's in five: 3AAAAQQQQQ. None where one has more digits,
    /// or where the number is beyond 32 bits.
    #[must_use]
    pub const fn sp_node(area: u32, company: u32) -> Option<u32> {
        if area > 9_999 || company > 99_999 {
            return None;
        }
        3_000_000_000_u32.checked_add(area * 100_000 + company)
    }

    /// MMDDhhmmss as the number that it is on the wire; none where a part is outside 1–12, 1–31, 0–23, 0–59, 0–59.
    #[must_use]
    pub const fn stamp(month: u32, day: u32, hour: u32, minute: u32, second: u32) -> Option<u32> {
        let valid = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 && second < 60;
        if valid { Some((((month * 100 + day) * 100 + hour) * 100 + minute) * 100 + second) } else { None }
    }

    pub(crate) fn from_octets(octets: [u8; SEQUENCE_LENGTH]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = octets;
        Self {
            node: u32::from_be_bytes([a, b, c, d]),
            stamp: u32::from_be_bytes([e, f, g, h]),
            counter: u32::from_be_bytes([i, j, k, l]),
        }
    }

    pub(crate) fn encode(self, out: &mut BytesMut) {
        out.put_u32(self.node);
        out.put_u32(self.stamp);
        out.put_u32(self.counter);
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:010}-{}", self.node, self.stamp, self.counter)
    }
}

/// A header as read; the command word may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `Message Length`: octets of the whole PDU, this header included.
    pub length: u32,
    /// `Command ID`.
    pub command: u32,
    /// `Sequence Number`.
    pub sequence: Sequence,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Command::from_word(self.command) {
            Some(command) => write!(f, "{} {}", command.name(), self.sequence),
            None => write!(f, "PDU {:#010x} {}", self.command, self.sequence),
        }
    }
}
