//! The gateway: what its connections share, and the handle by which a test or the demo holds it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_sgip::{FieldError, Number, Octets, text};
use parking_lot::{Mutex, RwLock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::account::{AccountShared, Waiting};
use super::config::{Config, Faults};
use super::connection::{self, Ends};
use super::log::{Log, LogEntry, Stats};
use super::protocol::{Inbound, Outgoing, Protocol};

/// Connections at once, logged in or not.
const MAX_CONNECTIONS: usize = 1024;
/// How long accepting rests after it failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Why a gateway cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be right.
    #[error("the gateway's `{field}` must be such that it {rule}: correct it")]
    Config {
        /// Which field.
        field: &'static str,
        /// What must hold.
        rule: &'static str,
    },
    /// The address cannot be listened on.
    #[error("the gateway cannot listen on `{address}`: choose another address or stop what uses it")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Nobody has this account.
    #[error("the gateway has no account `{0}`: add it to the accounts")]
    NoAccount(String),
    /// The queue of the account is full.
    #[error("the queue of account `{0}` is full: let a client fetch what waits")]
    QueueFull(String),
    /// A message does not fit the protocol.
    #[error("the message does not fit the protocol")]
    Message(#[from] FieldError),
}

/// What all connections of a gateway share.
pub(super) struct Shared<P: Protocol> {
    pub(super) config: Config,
    pub(super) clock: Clock,
    /// On the monotonic clock.
    pub(super) started: Duration,
    pub(super) accounts: HashMap<Vec<u8>, Arc<AccountShared<P>>>,
    pub(super) log: Mutex<Log>,
    /// Counters that belong to no account.
    pub(super) links: Mutex<Stats>,
    /// Rung whenever a counter may have changed.
    pub(super) changed: Notify,
    faults: RwLock<Arc<Faults>>,
    counter: AtomicU32,
    messages: AtomicU32,
    tasks: TaskTracker,
    stop: CancellationToken,
    drop: Mutex<CancellationToken>,
}

impl<P: Protocol> Shared<P> {
    pub(super) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.read())
    }

    /// For the gateway's own sequences, which no two of its connections share.
    pub(super) fn next_counter(&self) -> u32 {
        self.counter.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn next_message(&self) -> u32 {
        self.messages.fetch_add(1, Ordering::Relaxed)
    }

    fn account(&self, id: &str) -> Result<&Arc<AccountShared<P>>, Error> {
        self.accounts.get(id.as_bytes()).ok_or_else(|| Error::NoAccount(id.into()))
    }

    fn ends(&self) -> Ends {
        Ends { stop: self.stop.clone(), drop: self.drop.lock().clone() }
    }

    fn next_connection(&self) -> u64 {
        let mut links = self.links.lock();
        links.connections += 1;
        links.connections
    }
}

/// An inbound message to put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mo {
    /// The account it is for.
    pub account: String,
    /// Who writes.
    pub from: String,
    /// To which number.
    pub to: String,
    /// What; a long text goes in parts.
    pub text: String,
}

/// A running gateway. Dropping it breaks its connections and frees its port; [`Gateway::shutdown`] does so politely.
pub struct Gateway<P: Protocol> {
    shared: Arc<Shared<P>>,
    address: SocketAddr,
}

impl<P: Protocol> Gateway<P> {
    /// Starts a gateway on `address`; port 0 lets the system choose one.
    ///
    /// # Errors
    /// Where the configuration cannot be right, or the address cannot be used.
    pub async fn start(config: Config, clock: Clock, address: SocketAddr) -> Result<Self, Error> {
        config.validate(P::LONGEST_ID)?;
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let account = |account: &super::Account| {
            (account.id.clone().into_bytes(), Arc::new(AccountShared::new(account, &config)))
        };
        let shared = Arc::new(Shared {
            started: clock.monotonic(),
            accounts: config.accounts.iter().map(account).collect(),
            log: Mutex::new(Log::new(config.log_capacity)),
            links: Mutex::new(Stats::default()),
            changed: Notify::new(),
            faults: RwLock::new(Arc::new(config.faults.clone())),
            counter: AtomicU32::new(1),
            messages: AtomicU32::new(1),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            drop: Mutex::new(CancellationToken::new()),
            clock,
            config,
        });
        shared.tasks.spawn(accept(Arc::clone(&shared), listener));
        for account in shared.accounts.values() {
            if let Some(address) = account.config.reverse {
                shared.tasks.spawn(dial(Arc::clone(&shared), Arc::clone(account), address));
            }
        }
        Ok(Self { shared, address: bound })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.shared.links.lock().clone();
        stats.log_forgotten = self.shared.log.lock().forgotten();
        stats.accounts =
            self.shared.accounts.values().map(|account| (account.config.id.clone(), account.stats())).collect();
        stats
    }

    /// Waits until the counters are as asked, and gives them. It waits for good if they never are.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Stats) -> bool) -> Stats {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let stats = self.stats();
            if holds(&stats) {
                return stats;
            }
            changed.await;
        }
    }

    /// Every accepted part that is still remembered, in the order of acceptance, without the first `skip` that were ever accepted.
    #[must_use]
    pub fn log_since(&self, skip: u64) -> Vec<LogEntry> {
        self.shared.log.lock().since(skip)
    }

    /// Puts in an inbound message; it waits until a client of the account fetches it. Gives the number of its parts.
    ///
    /// # Errors
    /// Where nobody has the account, its queue is full or the message does not fit the protocol.
    pub fn inject_mo(&self, mo: &Mo) -> Result<usize, Error> {
        let account = self.shared.account(&mo.account)?;
        let (from, to) = (Number::new("from", &mo.from)?, Octets::new("to", &mo.to)?);
        // References of one phone must differ while its messages are under way; the low octet of the counter does.
        let parts = text::split(&mo.text, self.shared.next_counter() as u8)?;
        let now = self.shared.clock.monotonic();
        let mut state = account.state.lock();
        for part in &parts {
            let (total, udhi) = (part.total, part.udhi);
            let inbound = Inbound { from, to, part: (total, part.number), udhi, content: part.content.clone() };
            let waiting = Waiting { outgoing: Outgoing::Inbound(inbound), tries: 0, refusals: 0 };
            if !state.queue.push(waiting, now) {
                return Err(Error::QueueFull(mo.account.clone()));
            }
            state.stats.inbound += 1;
        }
        drop(state);
        account.wake.notify_one();
        Ok(parts.len())
    }

    /// From now on these go wrong.
    ///
    /// # Errors
    /// Names the field that cannot be right; the faults stay as they were.
    pub fn set_faults(&self, faults: Faults) -> Result<(), Error> {
        faults.validate()?;
        *self.shared.faults.write() = Arc::new(faults);
        Ok(())
    }

    /// Breaks every connection now, as a broken line would. New ones are taken.
    pub fn drop_connections(&self) {
        std::mem::take(&mut *self.shared.drop.lock()).cancel();
    }

    /// Takes no more connections, says goodbye on those there are, and returns when all are gone.
    pub async fn shutdown(&self) {
        self.shared.stop.cancel();
        self.shared.tasks.close();
        self.shared.tasks.wait().await;
    }
}

impl<P: Protocol> Drop for Gateway<P> {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.drop_connections();
    }
}

/// Takes connections until the gateway stops.
async fn accept<P: Protocol>(shared: Arc<Shared<P>>, listener: TcpListener) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                shared.clock.sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let number = shared.next_connection();
        shared.changed.notify_waiters();
        if shared.faults().refuse_connections || shared.tasks.len() > MAX_CONNECTIONS {
            continue;
        }
        quick(&stream);
        shared.tasks.spawn(connection::serve(Arc::clone(&shared), stream, number, shared.ends()));
    }
}

/// Opens the reverse connection whenever something waits for the account, until the gateway stops.
async fn dial<P: Protocol>(shared: Arc<Shared<P>>, account: Arc<AccountShared<P>>, address: SocketAddr) {
    loop {
        let woken = account.wake.notified();
        let next = account.state.lock().queue.next_due();
        let pause = async {
            let Some(due) = next else {
                return std::future::pending().await;
            };
            shared.clock.sleep_until(due).await;
        };
        tokio::select! {
            // First: what waits is always due, and nobody may be left to answer a connection that is opened now.
            biased;
            () = shared.stop.cancelled() => return,
            () = woken => continue,
            () = pause => {}
        }
        let taken = match TcpStream::connect(address).await {
            Ok(stream) => {
                quick(&stream);
                let number = shared.next_connection();
                let account = Arc::clone(&account);
                connection::serve_reverse(Arc::clone(&shared), stream, number, account, shared.ends()).await
            }
            Err(_) => false,
        };
        if !taken {
            account.state.lock().stats.reverse_failed += 1;
            shared.changed.notify_waiters();
            tokio::select! {
                () = shared.clock.sleep(Duration::from_millis(shared.config.deliver_retry_ms)) => {}
                () = shared.stop.cancelled() => return,
            }
        }
    }
}

/// Answers are gathered before they are written; Nagle would only hold them back.
fn quick(stream: &TcpStream) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its small writes back");
    }
}
