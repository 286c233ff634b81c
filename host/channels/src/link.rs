//! A link: its connections kept up, and the handle by which people and the conductor rule it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::backoff::Backoff;
use crate::config::{LinkConfig, LinkName, Protocol, Terms};
use crate::connector::Connector;
use crate::core::{Core, End};
use crate::dialect::{Cmpp, Dialect, Sgip, Smgp};
use crate::driver;
use crate::error::ChannelError;
use crate::login::{Login, LoginError, Outcome, login};
use crate::port::Outbox;
use crate::reception::{Receive, Receiver};
use crate::secret::Secret;
use crate::shared::{Shared, Wish};
use crate::status::{AlarmKind, LinkState, LinkStatus};

/// A connection that lasted this long starts the back-off over.
const STEADY: Duration = Duration::from_secs(10);
/// Failures in a row after which a gateway counts as unreachable.
const UNREACHABLE_AFTER: u32 = 3;

/// Starts a link on the current runtime. It runs until it is drained; a link that is not `enabled` starts held.
///
/// # Errors
/// Where the configuration cannot be.
///
/// # Panics
/// Outside a tokio runtime.
pub fn start<O: Outbox, C: Connector>(
    config: LinkConfig,
    secret: Secret,
    outbox: Arc<O>,
    connector: C,
    clock: Clock,
    seed: Seed,
) -> Result<LinkHandle, ChannelError> {
    config.check()?;
    config.check_secret(&secret)?;
    let held = !config.enabled;
    let protocol = config.protocol;
    let shared = Arc::new(Shared::with_secret(config, secret, clock));
    if held {
        shared.want(|wish| wish.held = true);
    }
    let receiver = (protocol == Protocol::Sgip1).then(|| -> Arc<dyn Receive> {
        Arc::new(Receiver { shared: Arc::clone(&shared), outbox: Arc::clone(&outbox) })
    });
    let handle = LinkHandle { receiver: receiver.as_ref().map(Arc::downgrade), ..LinkHandle::of(&shared) };
    let common = Arc::new(Common { shared, outbox, connector, seed, _receiver: receiver });
    match protocol {
        Protocol::Cmpp2 | Protocol::Cmpp3 => tokio::spawn(supervise::<O, C, Cmpp>(common)),
        Protocol::Smgp3 => tokio::spawn(supervise::<O, C, Smgp>(common)),
        Protocol::Sgip1 => tokio::spawn(supervise::<O, C, Sgip>(common)),
    };
    Ok(handle)
}

struct Common<O, C> {
    shared: Arc<Shared>,
    outbox: Arc<O>,
    connector: C,
    seed: Seed,
    /// Kept while the link runs; handles and the reception only know of it.
    _receiver: Option<Arc<dyn Receive>>,
}

/// Rules one link. Clones rule the same one; dropping them all leaves it running.
pub struct LinkHandle<C = LinkConfig> {
    shared: Arc<Shared<C>>,
    changed: watch::Receiver<u64>,
    /// Takes the gateway's calls.
    receiver: Option<Weak<dyn Receive>>,
}

impl<C> Clone for LinkHandle<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), changed: self.changed.clone(), receiver: self.receiver.clone() }
    }
}

impl LinkHandle {
    pub(crate) fn receiver(&self) -> Option<Weak<dyn Receive>> {
        self.receiver.clone()
    }
}

impl<C: Terms> LinkHandle<C> {
    pub(crate) const fn shared(&self) -> &Arc<Shared<C>> {
        &self.shared
    }

    pub(crate) fn of(shared: &Arc<Shared<C>>) -> Self {
        Self { shared: Arc::clone(shared), changed: shared.changed.subscribe(), receiver: None }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &LinkName {
        self.shared.config.name()
    }

    /// Its configuration.
    #[must_use]
    pub fn config(&self) -> &C {
        &self.shared.config
    }

    /// Holds it: no SUBMIT is written from now on, what is not written goes back to the outbox. Reports and inbound messages are still taken.
    pub fn pause(&self) {
        self.shared.want(|wish| wish.held = true);
    }

    /// Lets it send again, after a hold or after the gateway's refusals stopped it; its alarms are cleared.
    pub fn resume(&self) {
        self.shared.calm(|_| true);
        self.shared.want(|wish| {
            *wish = Wish { held: false, submits_stopped: false, logins_stopped: false, ..*wish };
        });
    }

    /// Has everything claimed and not written given back to the outbox, which then hands out what still may go: for an emergency stop of
    /// a topic or a prefecture. The link goes on.
    pub fn give_back(&self) {
        self.shared.want(|wish| wish.give_back += 1);
    }

    /// Lets it end: nothing new is written, answers are waited for, the gateway is told. [`LinkHandle::closed`] waits for the end.
    pub fn drain(&self) {
        self.shared.want(|wish| wish.draining = true);
    }

    /// Waits until it has ended.
    pub async fn closed(&self) {
        self.wait_for(|status| status.state == LinkState::Closed).await;
    }

    /// For how long it has not been able to send: not connected, held or stopped; none while it is.
    #[must_use]
    pub fn unable_for(&self) -> Option<Duration> {
        self.shared.unable_for()
    }

    /// Where it stands and what it has done.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        self.shared.status()
    }

    /// Waits for the next change of state, alarms or errors since this handle was made or last waited; counts alone change nothing.
    pub async fn changed(&mut self) -> LinkStatus {
        // The sender lives in `self.shared`.
        let _ = self.changed.changed().await;
        self.status()
    }

    /// Waits until `holds` does, looked at on every change of state, alarms or errors.
    pub async fn wait_for(&self, holds: impl Fn(&LinkStatus) -> bool) -> LinkStatus {
        let mut handle = self.clone();
        handle.changed.mark_changed();
        loop {
            let status = handle.changed().await;
            if holds(&status) {
                return status;
            }
        }
    }
}

/// Keeps the connections until they have drained, or the time for that is over.
async fn supervise<O: Outbox, C: Connector, D: Dialect>(common: Arc<Common<O, C>>) {
    let shared = &common.shared;
    let mut connections = JoinSet::new();
    for index in 0..shared.config.connections {
        connections.spawn(connection::<O, C, D>(Arc::clone(&common), index));
    }
    let all = async {
        while let Some(ended) = connections.join_next().await {
            if let Err(error) = ended {
                shared.failed(format!("a connection's task died: {error}"));
                shared.alarm(AlarmKind::Defect);
            }
        }
        shared.until_hung_up().await;
    };
    let late = async {
        wished(shared, |wish| wish.draining).await;
        shared.clock.sleep(shared.config.timers.drain()).await;
    };
    tokio::select! {
        biased;
        () = all => {}
        () = late => shared.failed("the drain took too long: what is unanswered stays marked as such".to_owned()),
    }
    connections.shutdown().await;
    shared.close();
}

async fn wished(shared: &Shared, holds: impl Fn(&Wish) -> bool) {
    let mut wish = shared.wish.subscribe();
    // The sender lives in `shared`.
    let _ = wish.wait_for(|wish| holds(wish)).await;
}

/// Keeps one connection up.
async fn connection<O: Outbox, C: Connector, D: Dialect>(common: Arc<Common<O, C>>, index: usize) {
    let shared = &common.shared;
    let timers = &shared.config.timers;
    let mut offer = D::offer(&shared.config);
    let mut backoff = Backoff::new(
        Duration::from_millis(timers.reconnect_min_ms),
        Duration::from_secs(timers.reconnect_max_s),
        common.seed.stream(&format!("link {} connection {index}", shared.config.name)),
    );
    let mut failures = 0;
    loop {
        wished(shared, |wish| wish.draining || !wish.logins_stopped).await;
        let opened = tokio::select! {
            biased;
            () = wished(shared, |wish| wish.draining) => return,
            opened = open::<O, C, D>(&common, offer) => opened,
        };
        match opened {
            Ok((stream, Outcome::In(login))) => {
                failures = 0;
                match serve(&common, stream, login).await {
                    Served::Drained => return,
                    // At once: it is to be there when something is to be said.
                    Served::Idle => continue,
                    Served::Steady => backoff.reset(),
                    Served::Brief => {}
                }
            }
            // At once: this is negotiation, not failure.
            Ok((_, Outcome::Older(less))) => {
                offer = less;
                continue;
            }
            Err(error) => {
                failures += 1;
                refused(shared, &error, failures);
            }
        }
        tokio::select! {
            biased;
            () = wished(shared, |wish| wish.draining) => return,
            () = shared.clock.sleep(backoff.wait()) => {}
        }
    }
}

fn refused(shared: &Shared, error: &LoginError, failures: u32) {
    shared.failed(error.to_string());
    if error.is_final() {
        shared.alarm(match error {
            LoginError::Refused { status, .. } => AlarmKind::LoginRefused { status: *status },
            _ => AlarmKind::GatewayNotGenuine,
        });
        shared.want(|wish| wish.logins_stopped = true);
    } else if failures == UNREACHABLE_AFTER {
        shared.alarm(AlarmKind::Unreachable);
    }
}

async fn open<O: Outbox, C: Connector, D: Dialect>(
    common: &Common<O, C>,
    offer: D::Offer,
) -> Result<(C::Stream, Outcome<D>), LoginError> {
    let (shared, config) = (&common.shared, &common.shared.config);
    let lost = |why: String| LoginError::Connection { address: config.address.clone(), why };
    let limit = config.timers.connect();
    let mut stream = tokio::select! {
        biased;
        stream = common.connector.connect(&config.address) => stream.map_err(|error| lost(error.to_string()))?,
        () = shared.clock.sleep(limit) => return Err(lost(format!("no connection within {}s", limit.as_secs()))),
    };
    let outcome = login(&mut stream, shared, offer).await?;
    Ok((stream, outcome))
}

/// How a connection went.
enum Served {
    Drained,
    /// It had nothing to say.
    Idle,
    /// It lasted.
    Steady,
    /// It did not: the next try waits longer.
    Brief,
}

async fn serve<O: Outbox, C: Connector, D: Dialect>(
    common: &Common<O, C>,
    stream: C::Stream,
    login: Login<D>,
) -> Served {
    let shared = &common.shared;
    shared.up(login.dialect.version());
    let began = shared.clock.monotonic();
    let core = Core::new(Arc::clone(shared), login, began);
    let end = driver::run(stream, core, Arc::clone(&common.outbox), Arc::clone(shared)).await;
    shared.down();
    let steady = shared.clock.monotonic().saturating_sub(began) >= STEADY;
    match end {
        End::Drained => return Served::Drained,
        End::Idle if steady => return Served::Idle,
        End::Idle => {}
        End::Lost(why) => shared.failed(why),
    }
    if steady { Served::Steady } else { Served::Brief }
}
