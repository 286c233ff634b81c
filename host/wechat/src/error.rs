//! What can be wrong with a message, an answer or a callback. No message carries a token, an openid or a text.

use gridbell_platform::form::FormError;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field of a message or of the configuration is outside its limit.
    #[error("field `{field}` {why}")]
    Field {
        /// The platform's name of the field.
        field: &'static str,
        /// What is wrong and what to write.
        why: &'static str,
    },
    /// What came is not an answer of the platform.
    #[error("the answer is not one of the platform's: {why}")]
    Answer {
        /// What is wrong.
        why: &'static str,
    },
    /// A callback's query cannot be read.
    #[error("the callback's query cannot be read")]
    Query(#[from] FormError),
    /// A callback is not the platform's, or not for us.
    #[error("the callback is refused: {why}")]
    Refused {
        /// What is wrong.
        why: &'static str,
    },
    /// A callback's body cannot be read.
    #[error("the callback's XML cannot be read: {why}")]
    Xml {
        /// What is wrong.
        why: &'static str,
    },
}
