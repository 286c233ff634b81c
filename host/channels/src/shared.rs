//! What a link's connections, its supervisor and its handle share: the wish, the pacer, the counters, the alarms.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gridbell_clock::Clock;
use gridbell_model::Moment;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::config::{LinkConfig, Terms};
use crate::pacer::{Pacer, Ticket};
use crate::status::{Alarm, AlarmKind, Anomalies, Anomaly, Counters, LinkState, LinkStatus, RateMeter};

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
    pub(crate) clock: Clock,
    pub(crate) counters: Counters,
    pub(crate) window_used: AtomicUsize,
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
    closed: bool,
    alarms: BTreeMap<AlarmKind, Alarm>,
    last_error: Option<String>,
}

impl<C: Terms> Shared<C> {
    pub(crate) fn new(config: C, clock: Clock) -> Self {
        let pacer = (config.grant() > 0).then(|| Mutex::new(Pacer::new(config.grant(), clock.monotonic())));
        Self {
            config,
            clock,
            counters: Counters::default(),
            window_used: AtomicUsize::new(0),
            wish: watch::Sender::new(Wish::default()),
            changed: watch::Sender::new(0),
            may_submit: AtomicBool::new(true),
            pacer,
            anomalies: Anomalies::default(),
            rate: Mutex::default(),
            ups: Mutex::default(),
        }
    }

    /// Changes the wish; every connection sees it before its next part.
    pub(crate) fn want(&self, change: impl FnOnce(&mut Wish)) {
        self.wish.send_modify(|wish| {
            change(wish);
            self.may_submit.store(wish.may_submit(), Ordering::SeqCst);
        });
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
        drop(ups);
        let name = self.config.name();
        tracing::info!(link = %name, version, "link {name} is connected");
        self.calm(|kind| kind == AlarmKind::Unreachable);
        self.touch();
    }

    pub(crate) fn down(&self) {
        let mut ups = self.ups.lock();
        ups.up = ups.up.saturating_sub(1);
        if ups.up == 0 {
            ups.since = None;
        }
        drop(ups);
        self.touch();
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
            state,
            connections: ups.up,
            connected_since: ups.since,
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
