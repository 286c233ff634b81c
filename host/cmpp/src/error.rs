//! What can be wrong with octets read or with a PDU to write. Messages never carry field contents: they may be personal.

use crate::header::Header;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The length field cannot be that of a PDU: the stream is out of step for good.
    #[error("the PDU length field is `{length}`, outside 12 to {max}: the stream is out of step, close the connection")]
    Framing {
        /// `Total_Length` as read.
        length: u32,
        /// The bound in force.
        max: u32,
    },
    /// One PDU is not as its table says. It has been taken off the buffer; the ones after it can be read.
    #[error("{header} is malformed: {fault}")]
    Malformed {
        /// Its header, for an answer.
        header: Header,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// A field to write is longer than its place.
    #[error("field `{field}` takes at most {limit} octets and was given {length}: shorten it")]
    TooLong {
        /// The specification's name of the field.
        field: &'static str,
        /// Octets that fit.
        limit: usize,
        /// Octets given.
        length: usize,
    },
    /// A text field to write contains a zero octet, which would end it early.
    #[error("field `{field}` contains a zero octet, which ends a field: remove it")]
    ZeroOctet {
        /// The specification's name of the field.
        field: &'static str,
    },
    /// A number to write does not fit its field in this version.
    #[error("field `{field}` takes values up to {limit} and was given `{value}`")]
    OutOfRange {
        /// The specification's name of the field.
        field: &'static str,
        /// The largest value that fits.
        limit: u64,
        /// The value given.
        value: u64,
    },
    /// A text needs more parts than a long message can have.
    #[error("the text needs more than {max} parts: shorten it")]
    TooManyParts {
        /// The most that one message may have.
        max: u8,
    },
}

/// What is wrong with one PDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The command word is none of the protocol's.
    #[error("unknown command word")]
    UnknownCommand,
    /// The PDU ends inside a field.
    #[error("it ends inside field `{field}`")]
    TooShort {
        /// The specification's name of the field.
        field: &'static str,
    },
    /// Octets remain after the last field.
    #[error("{extra} octets follow its last field")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// A field has a value that its table excludes.
    #[error("field `{field}` has a value outside its table")]
    Value {
        /// The specification's name of the field.
        field: &'static str,
    },
}

impl Fault {
    /// The result with which a gateway answers a SUBMIT that has this fault: 1 structure, 2 command word, 4 length.
    #[must_use]
    pub const fn submit_result(self) -> u32 {
        match self {
            Self::Value { .. } => 1,
            Self::UnknownCommand => 2,
            Self::TooShort { .. } | Self::Trailing { .. } => 4,
        }
    }
}
