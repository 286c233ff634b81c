//! What can be wrong with a word of the domain.

/// Why a value is not what it claims to be. The value is quoted except where it is personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Not a date.
    #[error("`{value}` is not a date: write it as 2026-11-21")]
    Date {
        /// What was given.
        value: String,
    },
    /// Not a civil minute.
    #[error("`{value}` is not a time: write it as 2026-11-21T09:30")]
    Minute {
        /// What was given.
        value: String,
    },
    /// An account number in the notation that spreadsheets fall into.
    #[error(
        "`{value}` is an account number that a spreadsheet turned into a float: format the column as text and export again"
    )]
    AccountFloat {
        /// What was given.
        value: String,
    },
    /// Not an account number.
    #[error("`{value}` is not an account number: it has {MIN} to {MAX} digits and nothing else", MIN = crate::AccountNumber::MIN_DIGITS, MAX = crate::AccountNumber::MAX_DIGITS)]
    Account {
        /// What was given.
        value: String,
    },
    /// Not an amount of money.
    #[error("`{value}` is not an amount in yuan: write it as 123.45 with at most two decimals")]
    Amount {
        /// What was given.
        value: String,
    },
    /// Not a phone number; the number is masked.
    #[error("`{masked}` is not a phone number")]
    Phone {
        /// What was given, masked.
        masked: String,
    },
    /// Not a prefecture's code.
    #[error("`{value}` is not a prefecture: write its six digits, as 140100")]
    Prefecture {
        /// What was given.
        value: String,
    },
    /// Not a segment of mobile numbers.
    #[error("`{value}` is not a mobile number segment: it has 3 or 4 digits and starts with 13 to 19")]
    Segment {
        /// What was given.
        value: String,
    },
    /// Not a known code of some registry of words.
    #[error("`{value}` is not a {what}: use one of {known}")]
    Word {
        /// What kind of word was expected.
        what: &'static str,
        /// What was given.
        value: String,
        /// The words that are known.
        known: String,
    },
}
