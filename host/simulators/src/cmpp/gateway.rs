//! The gateway: what its connections share, and the handle by which a test or the demo holds it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_cmpp::{Content, Deliver, MsgFmt, MsgId, Number, Octets, Report, Stat, text};
use parking_lot::{Mutex, RwLock};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::account::AccountShared;
use super::config::{Config, Faults};
use super::connection::{self, Ends};
use super::journal::Journal;
use super::log::{Log, LogEntry};
use super::mint::Mint;
use super::outgoing::{From, Kind, Outgoing};
use super::stats::Stats;

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
    /// The log file cannot be opened.
    #[error("the gateway cannot append to its log file `{path}`: check that its folder exists and is writable")]
    LogFile {
        /// Which file.
        path: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Nobody has this SP_Id.
    #[error("the gateway has no account `{0}`: add it to the accounts")]
    NoAccount(String),
    /// The queue of the account is full.
    #[error("the queue of account `{0}` is full: let a client fetch what waits")]
    QueueFull(String),
    /// A message does not fit the protocol.
    #[error("the message does not fit the protocol")]
    Message(#[from] gridbell_cmpp::FieldError),
}

/// What all connections of a gateway share.
pub(super) struct Shared {
    pub(super) config: Config,
    pub(super) clock: Clock,
    /// On the monotonic clock.
    pub(super) started: Duration,
    pub(super) accounts: HashMap<Vec<u8>, Arc<AccountShared>>,
    faults: RwLock<Arc<Faults>>,
    pub(super) submit_ids: Mutex<Mint>,
    pub(super) deliver_ids: Mutex<Mint>,
    pub(super) log: Mutex<Log>,
    pub(super) journal: Option<Journal>,
    /// Counters that belong to no account.
    pub(super) links: Mutex<Stats>,
    /// Rung whenever a counter may have changed.
    pub(super) changed: Notify,
    tasks: TaskTracker,
    stop: CancellationToken,
    drop: Mutex<CancellationToken>,
}

impl Shared {
    pub(super) fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.read())
    }

    fn account(&self, sp_id: &str) -> Result<&Arc<AccountShared>, Error> {
        self.accounts.get(sp_id.as_bytes()).ok_or_else(|| Error::NoAccount(sp_id.into()))
    }

    fn ends(&self) -> Ends {
        Ends { stop: self.stop.clone(), drop: self.drop.lock().clone() }
    }
}

/// An inbound message to put in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mo {
    /// The account it is for.
    pub sp_id: String,
    /// Who writes.
    pub from: String,
    /// To which number.
    pub to: String,
    /// What; a long text goes in parts, in UCS2.
    pub text: String,
    /// How a short text is coded: [`MsgFmt::UCS2`], or [`MsgFmt::ASCII`] for a text of ASCII.
    pub format: MsgFmt,
    /// `LinkID`, up to 20 octets.
    pub link_id: String,
}

impl Mo {
    /// A message in UCS2 without a LinkID.
    #[must_use]
    pub fn new(sp_id: &str, from: &str, to: &str, text: &str) -> Self {
        Self {
            sp_id: sp_id.into(),
            from: from.into(),
            to: to.into(),
            text: text.into(),
            format: MsgFmt::UCS2,
            link_id: String::new(),
        }
    }

    fn delivers(&self, reference: u8) -> Result<Vec<Deliver>, gridbell_cmpp::FieldError> {
        let frame = Deliver {
            dest_id: Octets::new("Dest_Id", &self.to)?,
            src_terminal: Number::new("Src_terminal_Id", &self.from)?,
            link_id: Octets::new("LinkID", &self.link_id)?,
            msg_fmt: self.format,
            ..Deliver::default()
        };
        if self.format != MsgFmt::UCS2 {
            let content = Content::new(self.text.clone().into_bytes())?;
            return Ok(vec![Deliver { content, ..frame }]);
        }
        let parts = text::split(&self.text, reference)?;
        let deliver = |part: text::Part| Deliver { tp_udhi: part.udhi, content: part.content, ..frame.clone() };
        Ok(parts.into_iter().map(deliver).collect())
    }
}

/// A running gateway. Dropping it breaks its connections and frees its port; [`Gateway::shutdown`] does so politely.
pub struct Gateway {
    shared: Arc<Shared>,
    address: SocketAddr,
    references: Mutex<u8>,
}

impl Gateway {
    /// Starts a gateway on `address`; port 0 lets the system choose one.
    ///
    /// # Errors
    /// Where the configuration cannot be right, or the address or the log file cannot be used.
    pub async fn start(config: Config, clock: Clock, address: SocketAddr) -> Result<Self, Error> {
        config.validate()?;
        let journal = match &config.log_file {
            Some(path) => Some(
                Journal::open(path).map_err(|source| Error::LogFile { path: path.display().to_string(), source })?,
            ),
            None => None,
        };
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let account = |account: &super::Account| {
            (account.sp_id.clone().into_bytes(), Arc::new(AccountShared::new(account, &config)))
        };
        let shared = Arc::new(Shared {
            started: clock.monotonic(),
            accounts: config.accounts.iter().map(account).collect(),
            faults: RwLock::new(Arc::new(config.faults.clone())),
            submit_ids: Mutex::new(Mint::new(config.gateway_id)),
            // Numbers of DELIVERs come from a neighbour, so that they take none from the submits' seconds.
            deliver_ids: Mutex::new(Mint::new(config.gateway_id + 1)),
            log: Mutex::new(Log::new(config.log_capacity)),
            journal,
            links: Mutex::new(Stats::default()),
            changed: Notify::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            drop: Mutex::new(CancellationToken::new()),
            clock,
            config,
        });
        shared.tasks.spawn(accept(Arc::clone(&shared), listener));
        Ok(Self { shared, address: bound, references: Mutex::new(0) })
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
            self.shared.accounts.values().map(|account| (account.config.sp_id.clone(), account.stats())).collect();
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

    /// Every accepted part that is still remembered, in the order of acceptance.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.log_since(0)
    }

    /// The same without the first `skip` that were ever accepted.
    #[must_use]
    pub fn log_since(&self, skip: u64) -> Vec<LogEntry> {
        self.shared.log.lock().since(skip)
    }

    /// The most parts that an account offered in any one second since the start or the last reset, refused ones included.
    #[must_use]
    pub fn peak_offered(&self, sp_id: &str) -> u64 {
        self.shared.account(sp_id).map_or(0, |account| account.state.lock().offered.peak())
    }

    /// Starts measuring the peaks anew.
    pub fn reset_peaks(&self) {
        for account in self.shared.accounts.values() {
            let mut state = account.state.lock();
            let now = self.shared.clock.monotonic();
            state.offered.count(now);
            state.accepted.count(now);
            state.offered.reset_peak();
            state.accepted.reset_peak();
        }
    }

    /// Puts in an inbound message; it waits until a client of the account fetches it. Gives the number of its parts.
    ///
    /// # Errors
    /// Where nobody has the account, its queue is full or the message does not fit the protocol.
    pub fn inject_mo(&self, mo: &Mo) -> Result<usize, Error> {
        let reference = {
            let mut references = self.references.lock();
            *references = references.wrapping_add(1);
            *references
        };
        let delivers = mo.delivers(reference)?;
        let parts = delivers.len();
        for deliver in delivers {
            self.enqueue(&mo.sp_id, Kind::Inbound(Box::new(deliver)))?;
            self.shared.account(&mo.sp_id)?.state.lock().stats.inbound += 1;
        }
        Ok(parts)
    }

    /// Puts in a report about any message, known or not.
    ///
    /// # Errors
    /// Where nobody has the account, its queue is full or a field does not fit the protocol.
    pub fn inject_report(&self, sp_id: &str, msg_id: MsgId, destination: &str, stat: &str) -> Result<(), Error> {
        let report = Report {
            msg_id,
            stat: Stat::new(stat)?,
            destination: Number::new("Dest_terminal_Id", destination)?,
            ..Report::default()
        };
        let from = From { src_id: Octets::EMPTY, service_id: Octets::EMPTY, link_id: Octets::EMPTY };
        self.enqueue(sp_id, Kind::Report { report, from })
    }

    fn enqueue(&self, sp_id: &str, kind: Kind) -> Result<(), Error> {
        let account = self.shared.account(sp_id)?;
        let now = self.shared.clock.monotonic();
        if !account.state.lock().queue.push(Outgoing::new(kind), now, now) {
            return Err(Error::QueueFull(sp_id.into()));
        }
        account.wake.notify_one();
        Ok(())
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

impl Drop for Gateway {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.drop_connections();
    }
}

/// Takes connections until the gateway stops.
async fn accept(shared: Arc<Shared>, listener: TcpListener) {
    let mut number = 0;
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
        number += 1;
        shared.links.lock().connections += 1;
        shared.changed.notify_waiters();
        // This task is one of the tracker's.
        if shared.faults().refuse_connections || shared.tasks.len() > MAX_CONNECTIONS {
            continue;
        }
        spawn(&shared, stream, number);
    }
}

fn spawn(shared: &Arc<Shared>, stream: TcpStream, number: u64) {
    // Answers are gathered here; Nagle would only hold them back.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps its small writes back");
    }
    shared.tasks.spawn(connection::serve(Arc::clone(shared), stream, number, shared.ends()));
}
