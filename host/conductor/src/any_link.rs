//! A link of either sort, as stops, people and the shutdown rule it: a carrier's or a platform's.

use std::time::Duration;

use gridbell_channels::http::HttpHandle;
use gridbell_channels::{LinkHandle, LinkName, LinkStatus, Protocol};
use gridbell_planner::LinkCapacity;

/// A link that was started.
#[derive(Clone)]
pub(crate) enum AnyLink {
    Carrier(LinkHandle),
    Platform(HttpHandle),
}

macro_rules! of {
    ($self:ident, $link:ident => $what:expr) => {
        match $self {
            AnyLink::Carrier($link) => $what,
            AnyLink::Platform($link) => $what,
        }
    };
}

impl AnyLink {
    pub(crate) fn name(&self) -> &LinkName {
        of!(self, link => link.name())
    }

    pub(crate) fn status(&self) -> LinkStatus {
        of!(self, link => link.status())
    }

    pub(crate) fn pause(&self) {
        of!(self, link => link.pause());
    }

    pub(crate) fn resume(&self) {
        of!(self, link => link.resume());
    }

    pub(crate) fn give_back(&self) {
        of!(self, link => link.give_back());
    }

    pub(crate) fn drain(&self) {
        of!(self, link => link.drain());
    }

    pub(crate) async fn closed(&self) {
        of!(self, link => link.closed().await);
    }

    pub(crate) fn unable_for(&self) -> Option<Duration> {
        of!(self, link => link.unable_for())
    }

    /// Whether it starts without being held.
    pub(crate) fn is_enabled(&self) -> bool {
        of!(self, link => link.config().enabled)
    }

    /// For how long the others of its carrier must be unable to send before it does; none for a link that does not stand by.
    pub(crate) fn stands_by(&self) -> Option<Duration> {
        match self {
            Self::Carrier(link) => link.config().standby.then(|| link.config().timers.standby()),
            Self::Platform(link) => {
                let config = link.config();
                config.standby.then(|| Duration::from_secs(config.timers.standby_s))
            }
        }
    }

    /// What part of the messages it takes beside others with a weight; none for as many as it has room for.
    pub(crate) fn weight(&self) -> Option<u32> {
        of!(self, link => link.config().weight)
    }

    /// The carrier's protocol; none for a platform's link.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Carrier(link) => Some(link.config().protocol),
            Self::Platform(_) => None,
        }
    }

    /// Whether a report with the word `stat` says that its number is another carrier's.
    pub(crate) fn sends_on(&self, stat: &str) -> bool {
        match self {
            Self::Carrier(link) => link.config().sends_on(stat),
            Self::Platform(_) => false,
        }
    }

    /// Whether words of reports may say so at all.
    pub(crate) fn reads_report_codes(&self) -> bool {
        match self {
            Self::Carrier(link) => !link.config().report_codes.is_empty(),
            Self::Platform(_) => false,
        }
    }

    /// What a forecast counts with, where the link takes from `queues`.
    pub(crate) fn capacity(&self, queues: Vec<u8>) -> LinkCapacity {
        let parts_per_s = of!(self, link => link.config().grant);
        LinkCapacity { name: self.name().to_string(), serves: queues, parts_per_s }
    }
}
