//! The twelve octets before every PDU: length, command, sequence.

use std::fmt;

/// Octets of a header.
pub const HEADER_LENGTH: usize = 12;

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
    Connect = 1, "CMPP_CONNECT";
    /// Answer to a login.
    ConnectResp = RESPONSE_BIT | 1, "CMPP_CONNECT_RESP";
    /// Polite end of a connection.
    Terminate = 2, "CMPP_TERMINATE";
    /// Answer to it.
    TerminateResp = RESPONSE_BIT | 2, "CMPP_TERMINATE_RESP";
    /// A message to one or more terminals.
    Submit = 4, "CMPP_SUBMIT";
    /// Answer to a submit.
    SubmitResp = RESPONSE_BIT | 4, "CMPP_SUBMIT_RESP";
    /// An inbound message or a delivery report.
    Deliver = 5, "CMPP_DELIVER";
    /// Answer to it.
    DeliverResp = RESPONSE_BIT | 5, "CMPP_DELIVER_RESP";
    /// Question for a day's counts.
    Query = 6, "CMPP_QUERY";
    /// Answer to it.
    QueryResp = RESPONSE_BIT | 6, "CMPP_QUERY_RESP";
    /// Withdrawal of a message.
    Cancel = 7, "CMPP_CANCEL";
    /// Answer to it.
    CancelResp = RESPONSE_BIT | 7, "CMPP_CANCEL_RESP";
    /// Heartbeat.
    ActiveTest = 8, "CMPP_ACTIVE_TEST";
    /// Answer to it.
    ActiveTestResp = RESPONSE_BIT | 8, "CMPP_ACTIVE_TEST_RESP";
}

/// A header as read; the command word may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `Total_Length`: octets of the whole PDU, this header included.
    pub length: u32,
    /// `Command_Id`.
    pub command: u32,
    /// `Sequence_Id`: an answer repeats its question's.
    pub sequence: u32,
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Command::from_word(self.command) {
            Some(command) => write!(f, "{} {}", command.name(), self.sequence),
            None => write!(f, "PDU {:#010x} {}", self.command, self.sequence),
        }
    }
}
