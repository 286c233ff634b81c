//! Accounts at platforms as the configuration has them (`[[platform]]`): checked, built and started as links of the host.

use std::collections::BTreeMap;
use std::path::Path;

use gridbell_clock::Clock;
use gridbell_conductor::{Host, PlatformLink};
use gridbell_providers::{AccountConfig, Built, ProviderError};

use crate::config::Config;
use crate::error::{CommandError, with_causes};

/// Reads secrets and keys of all accounts, which are there when nothing is started yet: one that cannot be stops the host's start.
///
/// # Errors
/// The first account that cannot be: file, table, field, and what to write.
pub(crate) fn build(config: &Config, clock: &Clock) -> Result<Vec<Built>, CommandError> {
    let mut channels = BTreeMap::new();
    for account in config.platforms.iter().filter(|a| a.account.channel().is_platform()) {
        let (name, channel) = (&account.link.name, account.account.channel());
        if let Some(other) = channels.insert(channel, name) {
            return Err(CommandError::Refused(format!(
                "{}: [[platform]] `{name}`: field `account.kind` makes a second account for {channel} beside `{other}`: keep one of them",
                config.file.display()
            )));
        }
    }
    let build =
        |account: &AccountConfig| account.clone().build(clock.clone()).map_err(|e| wrong(&config.file, account, &e));
    config.platforms.iter().map(build).collect()
}

/// Says which links to platforms there will be, so that a run by hand on a stopped host queues for them.
///
/// # Errors
/// As [`build`], of what a platform serves.
pub(crate) fn declare(host: &Host, config: &Config) -> Result<(), CommandError> {
    for account in &config.platforms {
        let serves = account.served().map_err(|e| wrong(&config.file, account, &e))?;
        host.declare_platform(&account.link.name, &serves, account.link.grant);
    }
    Ok(())
}

/// Starts a link for each account.
///
/// # Errors
/// When one cannot be beside the others.
pub(crate) fn start(host: &Host, built: Vec<Built>) -> Result<(), CommandError> {
    for Built { terms, account, client, serves, channel, app } in built {
        host.start_platform(PlatformLink { terms, provider: account, exchange: client, serves, channel, app })?;
    }
    Ok(())
}

fn wrong(file: &Path, account: &AccountConfig, error: &ProviderError) -> CommandError {
    let name = &account.link.name;
    CommandError::Refused(format!("{}: [[platform]] `{name}`: {}", file.display(), with_causes(error)))
}
