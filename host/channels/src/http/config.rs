//! What an operator writes of a link to a platform, the platform's own fields apart.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{LinkName, MAX_WEIGHT, Terms};
use crate::error::ChannelError;
use crate::pacer::MAX_GRANT;

/// The most calls under way of one link.
const MAX_WINDOW: usize = 64;
/// The most messages in one commit group.
const MAX_GROUP: usize = 4096;

/// What a code outside of a platform's table means on this link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformAction {
    /// Try again soon.
    Retry,
    /// Too fast: the link waits, then tries again.
    SlowDown,
    /// This customer cannot be reached here.
    NextChannel,
    /// Nobody can be reached here before midnight.
    NextChannelUntilMidnight,
    /// The address will never take it.
    BadAddress,
    /// The message fails.
    GiveUp,
    /// Nothing will go through: stop the link, raise an alarm.
    Stop,
}

/// Every time that a link to a platform waits for something; how long a call may take is the exchange's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default, deny_unknown_fields)]
pub struct HttpTimers {
    /// Failures in a row after which nothing is sent for a while.
    pub breaker_after: u32,
    /// Milliseconds for which nothing is sent then; doubles with each probe that fails.
    pub breaker_min_ms: u64,
    /// Seconds for which nothing is sent at most.
    pub breaker_max_s: u64,
    /// Milliseconds to wait after the platform said "too fast", and before a message is tried again; doubles while that goes on.
    pub throttle_min_ms: u64,
    /// Seconds to wait at most.
    pub throttle_max_s: u64,
    /// How often a call whose answer did not come is repeated, or asked about, before it is told as unanswered.
    pub repeats: u32,
    /// Milliseconds before the first repetition; doubles.
    pub repeat_min_ms: u64,
    /// Seconds that a drain may take before what is unanswered is told as such.
    pub drain_s: u64,
    /// Seconds for which the other links of its channel must have been unable to send before a standby link does.
    pub standby_s: u64,
}

impl Default for HttpTimers {
    fn default() -> Self {
        Self {
            breaker_after: 5,
            breaker_min_ms: 5_000,
            breaker_max_s: 60,
            throttle_min_ms: 1_000,
            throttle_max_s: 60,
            repeats: 3,
            repeat_min_ms: 1_000,
            drain_s: 30,
            standby_s: 30,
        }
    }
}

const fn default_window() -> usize {
    16
}
const fn default_group() -> usize {
    64
}
const fn default_attempts() -> u8 {
    8
}
const fn default_enabled() -> bool {
    true
}

/// A link to a platform: how much at once, how fast, how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HttpTerms {
    /// Its name, for people, metrics and the outbox.
    pub name: LinkName,
    /// Calls a second that the platform grants, 0 for no pacing.
    #[serde(default)]
    pub grant: u32,
    /// Calls under way at once.
    #[serde(default = "default_window")]
    pub window: usize,
    /// Messages that may be intended ahead of them: what a crash exposes besides.
    #[serde(default = "default_group")]
    pub commit_group: usize,
    /// How often one message is tried before its route goes on.
    #[serde(default = "default_attempts")]
    pub attempts: u8,
    /// Messages a day that the platform grants; none for no limit that is counted here.
    #[serde(default)]
    pub day_quota: Option<u64>,
    /// What codes outside of the platform's table mean here, such as `45047 = "next-channel"`. One that is not listed is retried.
    #[serde(default)]
    pub codes: BTreeMap<String, PlatformAction>,
    /// Whether it is used.
    #[serde(default = "default_enabled")]
    pub enabled: bool,
    /// Whether it sends only while no other link of its channel, or carrier, has been able to for some time, see [`HttpTimers::standby_s`].
    #[serde(default)]
    pub standby: bool,
    /// What part of the messages it takes beside other links with a weight, as long as none waits for more than a second; without it as many as it
    /// has room for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// Its timers.
    #[serde(default)]
    pub timers: HttpTimers,
}

impl Terms for HttpTerms {
    fn name(&self) -> &LinkName {
        &self.name
    }
    fn grant(&self) -> u32 {
        self.grant
    }
    fn window(&self) -> usize {
        self.window
    }
    fn commit_group(&self) -> usize {
        self.commit_group
    }
}

impl HttpTerms {
    /// A link of this name with the defaults.
    #[must_use]
    pub fn named(name: LinkName) -> Self {
        Self {
            name,
            grant: 0,
            window: default_window(),
            commit_group: default_group(),
            attempts: default_attempts(),
            day_quota: None,
            codes: BTreeMap::new(),
            enabled: default_enabled(),
            standby: false,
            weight: None,
            timers: HttpTimers::default(),
        }
    }

    /// Checks every field.
    ///
    /// # Errors
    /// The first field that cannot be, with what to write.
    pub fn check(&self) -> Result<(), ChannelError> {
        let timers = &self.timers;
        self.within("grant", u64::from(self.grant), 0, u64::from(MAX_GRANT))?;
        self.within("window", self.window as u64, 1, MAX_WINDOW as u64)?;
        self.within("commit-group", self.commit_group as u64, 1, MAX_GROUP as u64)?;
        self.within("attempts", u64::from(self.attempts), 1, 255)?;
        self.within("weight", u64::from(self.weight.unwrap_or(1)), 1, u64::from(MAX_WEIGHT))?;
        self.within("timers.breaker-after", u64::from(timers.breaker_after), 1, 1000)?;
        self.within("timers.breaker-min-ms", timers.breaker_min_ms, 1, 600_000)?;
        self.within("timers.breaker-max-s", timers.breaker_max_s, 1, 3600)?;
        self.within("timers.throttle-min-ms", timers.throttle_min_ms, 1, 600_000)?;
        self.within("timers.throttle-max-s", timers.throttle_max_s, 1, 86_400)?;
        self.within("timers.repeats", u64::from(timers.repeats), 0, 10)?;
        self.within("timers.repeat-min-ms", timers.repeat_min_ms, 1, 60_000)?;
        self.within("timers.standby-s", timers.standby_s, 1, 86_400)?;
        self.within("timers.drain-s", timers.drain_s, 1, 3600)
    }

    fn within(&self, field: &'static str, value: u64, min: u64, max: u64) -> Result<(), ChannelError> {
        if (min..=max).contains(&value) {
            return Ok(());
        }
        let why = format!("write {min} to {max}");
        Err(ChannelError::Config { link: self.name.to_string(), field, value: value.to_string(), why })
    }

    /// Doubles with each attempt, from the least to the longest throttle wait.
    pub(crate) fn retry_after(&self, attempt: u8) -> Duration {
        let least = Duration::from_millis(self.timers.throttle_min_ms);
        least.saturating_mul(1 << attempt.min(16)).min(self.throttle_max())
    }

    pub(crate) const fn throttle_max(&self) -> Duration {
        Duration::from_secs(self.timers.throttle_max_s)
    }

    pub(crate) const fn drain(&self) -> Duration {
        Duration::from_secs(self.timers.drain_s)
    }
}
