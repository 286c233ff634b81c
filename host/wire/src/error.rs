//! What can be wrong with a field. Messages never carry field contents: they may be personal.

/// Why a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
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
    /// A number to write does not fit its field.
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

/// What is wrong with one PDU that was read.
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
