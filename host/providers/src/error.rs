//! What can be wrong with an account before it is used.

/// Every failure of setting up an account.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// A field of its configuration.
    #[error("account `{account}`: field `{field}` {why}")]
    Field {
        /// The account's name.
        account: String,
        /// The field as it is written.
        field: &'static str,
        /// What is wrong and what to write.
        why: String,
    },
    /// Its link.
    #[error(transparent)]
    Link(#[from] gridbell_channels::ChannelError),
    /// How it is reached.
    #[error("account `{account}` cannot be reached as it is written")]
    Exchange {
        /// The account's name.
        account: String,
        /// What is wrong.
        #[source]
        source: gridbell_exchange::ExchangeError,
    },
}
