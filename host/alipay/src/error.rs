//! What can be wrong with a key, a message, an answer or a notice. No message carries a customer's id, a text or key material.

use gridbell_platform::form::FormError;

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A key cannot be read.
    #[error("the {which} cannot be used: {why}")]
    Key {
        /// "application's private key" or "platform's public key".
        which: &'static str,
        /// What is wrong and what to give instead.
        why: &'static str,
    },
    /// A field of a message is outside its limit.
    #[error("field `{field}` {why}")]
    Field {
        /// The platform's name of the field.
        field: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// The signature could not be made.
    #[error("the request could not be signed: the system gave no random octets")]
    Signing,
    /// What came is not an answer of the platform at all.
    #[error("the answer is not one of the platform's: {why}")]
    Answer {
        /// What is wrong.
        why: &'static str,
    },
    /// The signature is missing or not the platform's.
    #[error("the {what} is not signed with the platform's key that is configured: {why}")]
    Signature {
        /// "answer" or "notice".
        what: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// A notice's form cannot be read.
    #[error("the notice cannot be read")]
    Form(#[from] FormError),
    /// A notice for another application.
    #[error("the notice is for another application: its `app_id` is not the one that is configured")]
    OtherApplication,
}
