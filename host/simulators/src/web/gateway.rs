//! The running platform, and the handle by which a test or the demo holds it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_exchange::{Client, Handler, Incoming, Origin, Reply, Trust, serve};
use gridbell_model::Moment;
use gridbell_platform::{Answer, Exchange, Request};
use parking_lot::{Mutex, RwLock};
use rand_chacha::ChaCha12Rng;
use rand_core::RngCore;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::config::{Bench, Callbacks, Faults};
use super::log::{Log, LogEntry, Stats};

/// Why a platform cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration cannot be right.
    #[error("the platform's `{field}` must be such that it {rule}: correct it")]
    Config {
        /// Which field.
        field: &'static str,
        /// What must hold.
        rule: &'static str,
    },
    /// The address cannot be listened on.
    #[error("the platform cannot listen on `{address}`: choose another address or stop what uses it")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// What one platform says and knows.
pub trait Platform: Send + Sync + Sized + 'static {
    /// Its configuration.
    type Config;

    /// The part of its configuration that all platforms have.
    fn bench(config: &Self::Config) -> Bench<'_>;

    /// Sets it up.
    ///
    /// # Errors
    /// Where the configuration cannot be right.
    fn new(config: Self::Config) -> Result<Self, Error>;

    /// What it does with a request.
    fn react(&self, request: &Incoming, desk: &Desk) -> Reaction;
}

/// What a platform does with a request.
pub enum Reaction {
    /// It answers, and nothing is accepted.
    Say {
        /// The answer.
        reply: Reply,
        /// The code in it, for the counters.
        code: String,
    },
    /// It accepts messages.
    Accept {
        /// The answer.
        reply: Reply,
        /// One for each recipient.
        messages: Vec<Sent>,
    },
}

/// A message that was accepted.
pub struct Sent {
    /// For the log; its time is added.
    pub entry: LogEntry,
    /// Its receipt, where there is to be one.
    pub report: Option<Report>,
}

/// A receipt: how it is posted, and whether the answer to it says that it was taken.
pub struct Report {
    /// Makes the request, anew for each try.
    pub make: Box<dyn Fn(&Stamp<'_>) -> Request + Send + Sync>,
    /// Whether it was taken.
    pub taken: fn(&Answer) -> bool,
}

/// What is new in each try.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// Now.
    pub now: Moment,
    /// The path of the address to which it is posted.
    pub path: &'a str,
    /// A number that no other has.
    pub nonce: u64,
}

/// What a platform may use while it reacts.
pub struct Desk {
    /// The time.
    pub clock: Clock,
    seed: u64,
    started: Duration,
    faults: RwLock<Arc<Faults>>,
    dice: Mutex<ChaCha12Rng>,
    numbers: AtomicU64,
    log: Mutex<Log>,
    stats: Mutex<Stats>,
    under_way: AtomicU64,
    changed: Notify,
    callbacks: Callbacks,
    post: Option<(Client, String)>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Desk {
    /// Now.
    #[must_use]
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> Arc<Faults> {
        Arc::clone(&self.faults.read())
    }

    /// A number that no other has, from 1.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Sixteen octets, drawn.
    pub fn octets(&self) -> [u8; 16] {
        let mut octets = [0; 16];
        self.dice.lock().fill_bytes(&mut octets);
        octets
    }

    /// Changes the counters.
    pub fn count(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut self.stats.lock());
        self.changed.notify_waiters();
    }

    /// Whether this recipient is among those whom the platform refuses.
    #[must_use]
    pub fn is_unreachable(&self, recipient: &str) -> bool {
        self.is_among(recipient, 0x9e37, self.faults().unreachable)
    }

    /// Whether this recipient is among those to whom nothing can be delivered.
    #[must_use]
    pub fn is_undeliverable(&self, recipient: &str) -> bool {
        self.is_among(recipient, 0x79b9, self.faults().failure_share)
    }

    /// The code with which a message is refused for no reason of its own, if it is.
    pub fn refusal(&self) -> Option<String> {
        let faults = self.faults();
        faults.refuse.iter().find(|refusal| self.chance(refusal.share)).map(|refusal| refusal.code.clone())
    }

    fn is_among(&self, recipient: &str, salt: u64, share: f64) -> bool {
        // FNV-1a, then SplitMix64's finaliser.
        let hash = recipient.bytes().fold(0xcbf2_9ce4_8422_2325 ^ self.seed ^ salt, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        fraction(hash ^ (hash >> 31)) < share
    }

    /// A share of 0 draws nothing, so that switching one fault on does not shift the others.
    fn chance(&self, share: f64) -> bool {
        share > 0.0 && fraction(self.dice.lock().next_u64()) < share
    }

    fn between(&self, (least, most): (u64, u64)) -> Duration {
        if least == most {
            return Duration::from_millis(least);
        }
        Duration::from_millis(least + self.dice.lock().next_u64() % (most - least + 1))
    }
}

fn fraction(random: u64) -> f64 {
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// A running platform. Dropping it breaks its connections and frees its port; [`Gateway::shutdown`] waits for that.
pub struct Gateway<P: Platform> {
    platform: Arc<P>,
    desk: Arc<Desk>,
    address: SocketAddr,
}

struct Counter<P> {
    platform: Arc<P>,
    desk: Arc<Desk>,
}

impl<P: Platform> Gateway<P> {
    /// Starts a platform on `address`; port 0 lets the system choose one.
    ///
    /// # Errors
    /// Where the configuration cannot be right, or the address cannot be used.
    pub async fn start(config: P::Config, clock: Clock, address: SocketAddr) -> Result<Self, Error> {
        let bench = P::bench(&config);
        bench.faults.validate()?;
        let callbacks = bench.callbacks.clone();
        let post = callbacks.url.as_deref().map(|url| post(url, &clock)).transpose()?;
        let desk = Arc::new(Desk {
            seed: bench.seed,
            started: clock.monotonic(),
            faults: RwLock::new(Arc::new(bench.faults.clone())),
            dice: Mutex::new(Seed(bench.seed).stream("platform")),
            numbers: AtomicU64::new(1),
            log: Mutex::new(Log::new(bench.log_capacity)),
            stats: Mutex::default(),
            under_way: AtomicU64::new(0),
            changed: Notify::new(),
            callbacks,
            post,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
            clock: clock.clone(),
        });
        let platform = Arc::new(P::new(config)?);
        let listen = |source| Error::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let bound = listener.local_addr().map_err(listen)?;
        let counter = Arc::new(Counter { platform: Arc::clone(&platform), desk: Arc::clone(&desk) });
        desk.tasks.spawn(serve(listener, counter, clock, desk.stop.clone()));
        Ok(Self { platform, desk, address: bound })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// What only this platform knows.
    #[must_use]
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats { log_forgotten: self.desk.log.lock().forgotten(), ..self.desk.stats.lock().clone() }
    }

    /// Waits until the counters are as asked, and gives them. It waits for good if they never are.
    pub async fn wait_until(&self, mut holds: impl FnMut(&Stats) -> bool) -> Stats {
        loop {
            let changed = self.desk.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let stats = self.stats();
            if holds(&stats) {
                return stats;
            }
            changed.await;
        }
    }

    /// Every accepted message that is still remembered, in the order of acceptance, without the first `skip` that were ever accepted.
    #[must_use]
    pub fn log_since(&self, skip: u64) -> Vec<LogEntry> {
        self.desk.log.lock().since(skip)
    }

    /// Every accepted message that is still remembered.
    #[must_use]
    pub fn log(&self) -> Vec<LogEntry> {
        self.log_since(0)
    }

    /// Other faults from now on.
    ///
    /// # Errors
    /// Names the field that cannot be right.
    pub fn set_faults(&self, faults: Faults) -> Result<(), Error> {
        faults.validate()?;
        *self.desk.faults.write() = Arc::new(faults);
        Ok(())
    }

    /// Posts a receipt or another notice now, with its tries.
    pub fn post(&self, report: Report) {
        spawn_post(&self.desk, report, Duration::ZERO, 1);
    }

    /// Ends it: connections break, what was to be posted is not.
    pub async fn shutdown(&self) {
        self.desk.stop.cancel();
        self.desk.tasks.close();
        self.desk.tasks.wait().await;
    }
}

impl<P: Platform> Drop for Gateway<P> {
    fn drop(&mut self) {
        self.desk.stop.cancel();
    }
}

/// A client for the address of callbacks, and its path with its query.
fn post(url: &str, clock: &Clock) -> Result<(Client, String), Error> {
    let wrong = || Error::Config { field: "callbacks.url", rule: "is like `http://127.0.0.1:8443/callbacks/name`" };
    let scheme = url.find("://").ok_or_else(wrong)? + 3;
    let (origin, path) = match url[scheme..].find('/') {
        Some(slash) => url.split_at(scheme + slash),
        None => (url, "/"),
    };
    let origin = Origin::read(origin).map_err(|_| wrong())?;
    let client = Client::new(origin, &Trust::default(), clock.clone()).map_err(|_| wrong())?;
    Ok((client, path.to_owned()))
}

impl<P: Platform> Handler for Counter<P> {
    async fn handle(&self, request: Incoming) -> Reply {
        let under_way = self.desk.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.desk.count(|stats| stats.peak_calls = stats.peak_calls.max(under_way));
        let reply = self.answer(&request).await;
        self.desk.under_way.fetch_sub(1, Ordering::SeqCst);
        reply
    }
}

impl<P: Platform> Counter<P> {
    async fn answer(&self, request: &Incoming) -> Reply {
        let (desk, faults) = (&self.desk, self.desk.faults());
        let unread = match () {
            () if faults.down => Some(Reply::text(503, "down")),
            () if desk.chance(faults.html) => Some(Reply::Answer {
                status: 502,
                kind: "text/html",
                body: b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>".to_vec(),
            }),
            () if desk.chance(faults.redirect) => Some(Reply::Redirect { to: "https://elsewhere.invalid/".to_owned() }),
            () => None,
        };
        if let Some(reply) = unread {
            desk.count(|stats| stats.unread += 1);
            return reply;
        }
        let (reply, accepted) = match self.platform.react(request, desk) {
            Reaction::Say { reply, code } => {
                desk.count(|stats| *stats.codes.entry(code).or_default() += 1);
                (reply, false)
            }
            Reaction::Accept { reply, messages } => {
                self.accept(messages);
                (reply, true)
            }
        };
        let delay = desk.between(faults.answer_delay_ms);
        if delay > Duration::ZERO {
            desk.clock.sleep(delay).await;
        }
        if accepted && desk.chance(faults.lose_answer) {
            desk.count(|stats| stats.answers_lost += 1);
            return Reply::Break;
        }
        if accepted && desk.chance(faults.hang) {
            desk.count(|stats| stats.answers_lost += 1);
            std::future::pending::<()>().await;
        }
        reply
    }

    fn accept(&self, messages: Vec<Sent>) {
        let (desk, faults) = (&self.desk, self.desk.faults());
        let at = desk.clock.monotonic().saturating_sub(desk.started);
        for Sent { mut entry, report } in messages {
            entry.at_us = u64::try_from(at.as_micros()).unwrap_or(u64::MAX);
            desk.log.lock().push(entry);
            desk.count(|stats| stats.accepted += 1);
            let Some(report) = report else { continue };
            if desk.chance(faults.report_lose) {
                desk.count(|stats| stats.reports_lost += 1);
                continue;
            }
            let mut delay = desk.between(faults.report_delay_ms);
            if desk.chance(faults.report_reorder) {
                delay += desk.between((1, faults.report_reorder_ms.max(1)));
            }
            let times = if desk.chance(faults.report_repeat) { 2 } else { 1 };
            spawn_post(desk, report, delay, times);
        }
    }
}

fn spawn_post(desk: &Arc<Desk>, report: Report, delay: Duration, times: u32) {
    let (of, stop) = (Arc::clone(desk), desk.stop.clone());
    desk.tasks.spawn(async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = post_all(&of, &report, delay, times) => {}
        }
    });
}

async fn post_all(desk: &Desk, report: &Report, delay: Duration, times: u32) {
    if delay > Duration::ZERO {
        desk.clock.sleep(delay).await;
    }
    let Some((client, path)) = &desk.post else { return };
    for _ in 0..times {
        let mut tries = 1;
        loop {
            let stamp = Stamp { now: desk.now(), path, nonce: desk.number() };
            desk.count(|stats| stats.reports_posted += 1);
            if client.call(&(report.make)(&stamp)).await.is_ok_and(|answer| (report.taken)(&answer)) {
                desk.count(|stats| stats.reports_taken += 1);
                break;
            }
            if tries >= desk.callbacks.tries {
                desk.count(|stats| stats.reports_given_up += 1);
                break;
            }
            tries += 1;
            desk.clock.sleep(Duration::from_millis(desk.callbacks.retry_ms)).await;
        }
    }
}
