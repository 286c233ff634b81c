//! What a link's connections, its supervisor and its handle share: the wish, the pacer, the counters, the alarms.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_model::Moment;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::config::{LinkConfig, Terms};
use crate::dialect::Ground;
use crate::pacer::{Pacer, Ticket};
use crate::secret::Secret;
use crate::status::{Alarm, AlarmKind, Anomalies, Anomaly, Counters, LinkState, LinkStatus, RateMeter, Reverse};

/// For how long a gateway may have accepted parts without calling us: reports follow within a minute where terminals are on.
const CALL_WAIT: Duration = Duration::from_secs(15 * 60);

/// What people and the gateway's refusals want of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// A person holds it.
    pub(crate) held: bool,
    /// A person lets it end.
    pub(crate) draining: bool,
    /// The gateway refused submits for good: write none.
    pub(crate) submits_stopped: bool,
    /// The gateway refused the login for good: do not connect.
    pub(crate) logins_stopped: bool,
    /// Raised to have everything unwritten given back.
    pub(crate) give_back: u64,
}

impl Wish {
    const fn may_submit(self) -> bool {
        !(self.held || self.draining || self.submits_stopped || self.logins_stopped)
    }
}

pub(crate) struct Shared<C = LinkConfig> {
    pub(crate) config: C,
    /// Empty where the configuration keeps secrets of its own.
    pub(crate) secret: Secret,
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) window_used: AtomicUsize,
    /// Sequences that a report names, counted over all connections.
    counter: AtomicU32,
    /// Since when the gateway has owed a call, in milliseconds; 0 for not.
    owed: AtomicU64,
    pub(crate) wish: watch::Sender<Wish>,
    /// Raised whenever the status changes otherwise than by counts.
    pub(crate) changed: watch::Sender<u64>,
    /// The wish's `may_submit`, read before each part is written.
    may_submit: AtomicBool,
    pacer: Option<Mutex<Pacer>>,
    anomalies: Anomalies,
    rate: Mutex<RateMeter>,
    ups: Mutex<Ups>,
}

#[derive(Default)]
struct Ups {
    up: usize,
    since: Option<Moment>,
    version: Option<&'static str>,
    reverse: Reverse,
    closed: bool,
    /// Since when nothing can be sent; none while it can.
    unable: Option<Duration>,
    alarms: BTreeMap<AlarmKind, Alarm>,
    last_error: Option<String>,
}

impl<C: Terms> Shared<C> {
    pub(crate) fn new(config: C, clock: Clock) -> Self {
        Self::with_secret(config, Secret::new([]), clock)
    }

    pub(crate) fn with_secret(config: C, secret: Secret, clock: Clock) -> Self {
        let pacer = (config.grant() > 0).then(|| Mutex::new(Pacer::new(config.grant(), clock.monotonic())));
        let began = clock.monotonic();
        // Another one than a process before us that ended within the same second: it made at most some thousand in a millisecond.
        let counter = AtomicU32::new((clock.now().unix_ms().rem_euclid(1 << 20) as u32) << 12);
        Self {
            config,
            secret,
            clock,
            counters: Counters::default(),
            window_used: AtomicUsize::new(0),
            counter,
            owed: AtomicU64::new(0),
            wish: watch::Sender::new(Wish::default()),
            changed: watch::Sender::new(0),
            may_submit: AtomicBool::new(true),
            pacer,
            anomalies: Anomalies::default(),
            rate: Mutex::default(),
            ups: Mutex::new(Ups { unable: Some(began), ..Ups::default() }),
        }
    }

    /// Changes the wish; every connection sees it before its next part.
    pub(crate) fn want(&self, change: impl FnOnce(&mut Wish)) {
        self.wish.send_modify(|wish| {
            change(wish);
            self.may_submit.store(wish.may_submit(), Ordering::SeqCst);
        });
        self.note_able(&mut self.ups.lock());
        self.touch();
    }

    pub(crate) fn may_submit(&self) -> bool {
        self.may_submit.load(Ordering::SeqCst)
    }

    fn touch(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    /// Permission to write one part now; without a grant there is no ticket.
    pub(crate) fn pace(&self, now: Duration) -> Result<Option<Ticket>, Duration> {
        self.pacer.as_ref().map(|pacer| pacer.lock().take(now)).transpose()
    }

    pub(crate) fn paced_answer(&self, ticket: Option<Ticket>, now: Duration) {
        if let (Some(pacer), Some(ticket)) = (&self.pacer, ticket) {
            pacer.lock().answered(ticket, now);
        }
    }

    pub(crate) fn sent(&self, parts: usize, now: Duration) {
        Counters::add(&self.counters.sent, parts);
        self.rate.lock().add(parts, now);
    }

    pub(crate) fn anomaly(&self, kind: Anomaly, detail: &dyn std::fmt::Display) {
        self.anomalies.note(self.config.name(), kind, self.clock.monotonic(), detail);
    }

    pub(crate) fn alarm(&self, kind: AlarmKind) {
        let now = self.clock.now();
        let name = self.config.name();
        let mut ups = self.ups.lock();
        let alarm = ups.alarms.entry(kind).or_insert_with(|| {
            tracing::error!(link = %name, alarm = ?kind, "link {name} raises an alarm");
            Alarm { kind, since: now, count: 0 }
        });
        alarm.count += 1;
        drop(ups);
        self.touch();
    }

    /// Takes back alarms that have come right.
    pub(crate) fn calm(&self, over: impl Fn(AlarmKind) -> bool) {
        let mut ups = self.ups.lock();
        let before = ups.alarms.len();
        ups.alarms.retain(|kind, _| !over(*kind));
        let changed = ups.alarms.len() != before;
        drop(ups);
        if changed {
            self.touch();
        }
    }

    pub(crate) fn failed(&self, error: String) {
        let name = self.config.name();
        let mut ups = self.ups.lock();
        // A gateway that is down for a day would fill the log: only what is new is a warning.
        if ups.last_error.as_ref() == Some(&error) {
            tracing::debug!(link = %name, "link {name}: {error}");
        } else {
            tracing::warn!(link = %name, "link {name}: {error}");
        }
        ups.last_error = Some(error);
        drop(ups);
        self.touch();
    }

    pub(crate) fn up(&self, version: &'static str) {
        Counters::add(&self.counters.logins, 1);
        let now = self.clock.now();
        let mut ups = self.ups.lock();
        ups.up += 1;
        ups.since.get_or_insert(now);
        ups.version = Some(version);
        self.note_able(&mut ups);
        drop(ups);
        let name = self.config.name();
        tracing::info!(link = %name, version, "link {name} is connected");
        self.calm(|kind| kind == AlarmKind::Unreachable);
        self.touch();
    }

    fn note_able(&self, ups: &mut Ups) {
        let able = ups.up > 0 && self.may_submit();
        ups.unable = if able { None } else { ups.unable.or_else(|| Some(self.clock.monotonic())) };
    }

    /// For how long nothing could be sent; none while something can.
    pub(crate) fn unable_for(&self) -> Option<Duration> {
        self.ups.lock().unable.map(|since| self.clock.monotonic().saturating_sub(since))
    }

    pub(crate) fn down(&self) {
        let mut ups = self.ups.lock();
        ups.up = ups.up.saturating_sub(1);
        if ups.up == 0 {
            ups.since = None;
        }
        self.note_able(&mut ups);
        drop(ups);
        self.touch();
    }

    /// The gateway called and was let in.
    pub(crate) fn called(&self) {
        let now = self.clock.now();
        let mut ups = self.ups.lock();
        ups.reverse.connections += 1;
        ups.reverse.calls += 1;
        ups.reverse.last = Some(now);
        drop(ups);
        self.owed.store(0, Ordering::Relaxed);
        self.calm(|kind| kind == AlarmKind::NotCalled);
        self.touch();
    }

    /// That connection is gone.
    pub(crate) fn hung_up(&self) {
        let mut ups = self.ups.lock();
        ups.reverse.connections = ups.reverse.connections.saturating_sub(1);
        drop(ups);
        // It reached us until now.
        self.owed.store(0, Ordering::Relaxed);
        self.touch();
    }

    /// Connections that the gateway has opened.
    pub(crate) fn receiving(&self) -> usize {
        self.ups.lock().reverse.connections
    }

    /// Whether it ends or has ended.
    pub(crate) fn is_ending(&self) -> bool {
        self.wish.borrow().draining || self.is_closed()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.ups.lock().closed
    }

    /// Resolves when it has ended.
    pub(crate) async fn until_closed(&self) {
        self.until(Self::is_closed).await;
    }

    /// Resolves when none of the gateway's own connections is left.
    pub(crate) async fn until_hung_up(&self) {
        self.until(|shared| shared.receiving() == 0).await;
    }

    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.subscribe();
        while !holds(self) {
            // The sender lives in `self`.
            let _ = changed.changed().await;
        }
    }

    pub(crate) fn close(&self) {
        self.ups.lock().closed = true;
        self.touch();
    }

    pub(crate) fn status(&self) -> LinkStatus {
        let wish = *self.wish.borrow();
        let ups = self.ups.lock();
        let state = match wish {
            _ if ups.closed => LinkState::Closed,
            Wish { draining: true, .. } => LinkState::Draining,
            Wish { submits_stopped: true, .. } | Wish { logins_stopped: true, .. } => LinkState::Stopped,
            Wish { held: true, .. } => LinkState::Held,
            _ if ups.up > 0 => LinkState::Up,
            _ => LinkState::Connecting,
        };
        LinkStatus {
            name: self.config.name().clone(),
            protocol: self.config.protocol(),
            state,
            connections: ups.up,
            connected_since: ups.since,
            reverse: self.config.is_called().then_some(ups.reverse),
            version: ups.version.map(str::to_owned),
            window_used: self.window_used.load(Ordering::Relaxed),
            window: self.config.window(),
            grant: self.config.grant(),
            rate: self.rate.lock().last_second(self.clock.monotonic()),
            counts: self.counters.snapshot(),
            alarms: ups.alarms.values().cloned().collect(),
            last_error: ups.last_error.clone(),
            anomalies: self.anomalies.snapshot(),
        }
    }
}

/// What only carriers' links have.
impl Shared {
    /// What a dialect may look at, now.
    pub(crate) fn ground(&self) -> Ground<'_> {
        Ground { config: &self.config, secret: &self.secret, clock: &self.clock, counter: &self.counter }
    }

    /// A part was accepted whose report must come by a call of the gateway's; `now` is never 0 by then.
    pub(crate) fn owes_a_call(&self, now: Duration) {
        let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).max(1);
        let _ = self.owed.compare_exchange(0, millis, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Raises the alarm where the gateway has owed a call for too long and none of its connections is up.
    pub(crate) fn miss_calls(&self, now: Duration) {
        let owed = Duration::from_millis(self.owed.load(Ordering::Relaxed));
        if owed > Duration::ZERO && owed + CALL_WAIT <= now && self.receiving() == 0 {
            self.owed.store(0, Ordering::Relaxed);
            self.failed(format!(
                "the gateway took messages {} minutes ago and has not called us since: ask the carrier whether it calls `{}`",
                CALL_WAIT.as_secs() / 60,
                self.config.listen
            ));
            self.alarm(AlarmKind::NotCalled);
        }
    }
}
