//! What can be wrong with a link before it runs. What goes wrong while it runs is in its [`LinkStatus`](crate::LinkStatus).

/// Every failure of setting up a link.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// A field of a link's configuration.
    #[error("link `{link}`: field `{field}` is `{value}`: {why}")]
    Config {
        /// The link's name as written.
        link: String,
        /// The field.
        field: &'static str,
        /// What was given.
        value: String,
        /// What is wrong and what to write.
        why: String,
    },
    /// The address at which gateways call cannot be used.
    #[error("gateways cannot call at `{address}`: {why}; give `listen` another address, or stop what uses it")]
    Listen {
        /// The address.
        address: String,
        /// What went wrong.
        why: String,
    },
    /// The secret could not be had.
    #[error("the link's secret could not be read from {place}: {why}")]
    Secret {
        /// Where it was looked for.
        place: String,
        /// What went wrong.
        why: String,
    },
}
