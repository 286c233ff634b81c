//! Taking a message back that a platform has.

use gridbell_model::{CarrierKey, Moment};
use gridbell_platform::{CallError, Exchange};

use super::provider::Provider;

/// Asks the platform to take back what it knows by `key`. Tells whether it did; false too where it takes nothing back.
///
/// # Errors
/// Where the platform gave no answer: it may have taken it back, and asking again does no harm.
pub async fn recall<P: Provider, E: Exchange>(
    provider: &P,
    exchange: &E,
    key: &CarrierKey,
    now: Moment,
) -> Result<bool, CallError> {
    match provider.recall(key, now) {
        Some(request) => Ok(provider.recalled(&exchange.call(&request).await?)),
        None => Ok(false),
    }
}
