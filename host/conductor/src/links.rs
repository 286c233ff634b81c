//! Starting and ending the links, and the work that never stops: sweeping what waited too long, watching links and the state.

use std::sync::Arc;
use std::time::Duration;

use gridbell_channels::{AlarmKind, Connector, LinkConfig, LinkName, LinkState, LinkStatus};
use gridbell_planner::LinkCapacity;
use tokio_util::sync::CancellationToken;

use crate::any_link::AnyLink;
use crate::error::HostError;
use crate::host::Host;
use crate::port::StateOutbox;

/// How often messages that waited too long are looked for.
const SWEEP: Duration = Duration::from_secs(5);
/// For how long a report may be out after submit: carriers keep trying for 48 hours and report the day after.
pub const REPORT_WAIT_MS: i64 = gridbell_state::PARKED_FOR_MS;

impl Host {
    /// Starts a link over `connector`.
    ///
    /// # Errors
    /// When its configuration cannot be, its secret is missing, or a link of its name is there already.
    pub fn start_link<C: Connector>(&self, config: LinkConfig, connector: C) -> Result<(), HostError> {
        self.check_new_link(&config.name)?;
        let secret = config.secret.resolve()?;
        let outbox = Arc::new(self.outbox());
        let seed = self.seed().child(config.name.as_str());
        let link = gridbell_channels::start(config, secret, outbox, connector, self.clock().clone(), seed)?;
        if let Err(error) = self.receive_calls(&link) {
            // Nothing was begun on it yet.
            link.drain();
            return Err(error.into());
        }
        self.serve_link(link.name(), &link.config().serves);
        self.push_link(AnyLink::Carrier(link));
        self.rule_links();
        Ok(())
    }

    /// Carriers' and platforms' links share their names: stops, receipts and alarms name a link by nothing else.
    pub(crate) fn check_new_link(&self, name: &LinkName) -> Result<(), HostError> {
        if self.link_handles().iter().any(|link| link.name() == name) {
            let why = format!("two links are named `{name}`: give one of them another `name`");
            return Err(HostError::Invalid(why));
        }
        Ok(())
    }

    /// The outbox as links see it.
    #[must_use]
    pub fn outbox(&self) -> StateOutbox {
        StateOutbox(self.clone())
    }

    /// Ends all links: nothing new is submitted, answers are waited for, the gateways are told.
    pub async fn drain_links(&self) {
        let links = self.link_handles();
        links.iter().for_each(AnyLink::drain);
        for link in links {
            link.closed().await;
        }
    }

    /// Sweeps and watches until `stop`.
    pub async fn keep_house(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.clock().sleep(SWEEP) => {}
            }
            if let Err(e) = self.sweep(REPORT_WAIT_MS).await {
                self.raise("state.refused", "sweep", e.to_string());
            }
            if let Err(e) = self.give_up_stuck().await {
                self.raise("state.refused", "hops", e.to_string());
            }
            self.doubt_segments();
            if let Some(why) = self.state().failure() {
                self.raise("state.failed", "state", format!("the state takes no more changes: {why}"));
            }
            for status in self.links() {
                let subject = status.name.to_string();
                match status.state {
                    LinkState::Stopped => {
                        let why = status.last_error.clone().unwrap_or_default();
                        self.raise("link.stopped", &subject, format!("the gateway's refusals stopped it: {why}"));
                    }
                    LinkState::Up => {
                        self.clear_alarm("link.stopped", &subject);
                        self.clear_alarm("link.down", &subject);
                        self.watch_calls(&status);
                        self.watch_account(&status);
                    }
                    _ if !status.alarms.is_empty() => {
                        let why = status.last_error.clone().unwrap_or_default();
                        self.raise("link.down", &subject, format!("the gateway cannot be reached: {why}"));
                    }
                    _ => {}
                }
            }
        }
    }

    /// A platform that answers, and refuses the account or has no more room for today: its link is up and sends nothing.
    fn watch_account(&self, status: &LinkStatus) {
        let subject = status.name.to_string();
        let has = |of: fn(&AlarmKind) -> bool| status.alarms.iter().any(|alarm| of(&alarm.kind));
        if has(|kind| matches!(kind, AlarmKind::LoginRefused { .. })) {
            self.raise("link.account", &subject, status.last_error.clone().unwrap_or_default());
        } else {
            self.clear_alarm("link.account", &subject);
        }
        if has(|kind| *kind == AlarmKind::QuotaUsed) {
            let text = "the day's quota is used: messages go on to their next channel until midnight".to_owned();
            self.raise("link.quota", &subject, text);
        } else {
            self.clear_alarm("link.quota", &subject);
        }
    }

    /// A gateway that takes messages and never calls back: reports are missing, and nothing else shows it.
    fn watch_calls(&self, status: &LinkStatus) {
        let subject = status.name.to_string();
        if status.alarms.iter().any(|alarm| alarm.kind == AlarmKind::NotCalled) {
            let why = status.last_error.clone().unwrap_or_default();
            self.raise("link.not-called", &subject, why);
        } else {
            self.clear_alarm("link.not-called", &subject);
        }
    }
}

/// What a forecast counts with of a link that is not started.
pub(crate) fn capacity(link: &LinkConfig) -> LinkCapacity {
    LinkCapacity {
        name: link.name.to_string(),
        serves: link.serves.iter().map(|s| s.queue()).collect(),
        parts_per_s: link.grant,
    }
}
