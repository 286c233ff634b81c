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
    Login = 1, "SMGP_LOGIN";
    /// Answer to a login.
    LoginResp = RESPONSE_BIT | 1, "SMGP_LOGIN_RESP";
    /// A message to one or more terminals.
    Submit = 2, "SMGP_SUBMIT";
    /// Answer to a submit.
    SubmitResp = RESPONSE_BIT | 2, "SMGP_SUBMIT_RESP";
    /// An inbound message or a delivery report.
    Deliver = 3, "SMGP_DELIVER";
    /// Answer to it.
    DeliverResp = RESPONSE_BIT | 3, "SMGP_DELIVER_RESP";
    /// Heartbeat.
    ActiveTest = 4, "SMGP_ACTIVE_TEST";
    /// Answer to it.
    ActiveTestResp = RESPONSE_BIT | 4, "SMGP_ACTIVE_TEST_RESP";
    /// Polite end of a connection.
    Exit = 6, "SMGP_EXIT";
    /// Answer to it.
    ExitResp = RESPONSE_BIT | 6, "SMGP_EXIT_RESP";
}

/// A header as read; the command word may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// `PacketLength`: octets of the whole PDU, this header included.
    pub length: u32,
    /// `RequestID`.
    pub command: u32,
    /// `SequenceID`: an answer repeats its question's.
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
