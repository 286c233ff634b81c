//! What can be wrong with a request, an answer or a report. No message carries a number, a text or a secret.

/// Every failure of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field of a request or of the configuration is outside its limit.
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
    /// What came is not a push of reports.
    #[error("the reports cannot be read: {why}")]
    Reports {
        /// What is wrong.
        why: &'static str,
    },
}
