//! What can be wrong with an alert or a feed.

/// Every failure of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A field is not as the standard asks.
    #[error("field `{field}` {why}")]
    Field {
        /// The standard's name of the field.
        field: &'static str,
        /// What is wrong.
        why: &'static str,
    },
    /// There are too many of something.
    #[error("there are more than {most} of `{field}`")]
    TooMany {
        /// The standard's name of the field.
        field: &'static str,
        /// The most that are written.
        most: usize,
    },
}
