//! The course of a simulation: lives of the host one after another, and between any two moments nothing left undone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gridbell_clock::{Clock, Seed};
use gridbell_cmpp::Version;
use gridbell_conductor::Host;
use gridbell_model::{Date, Moment};
use gridbell_store::{Faults, MemStore, Store as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::agenda::{self, Action, Agenda, day_start};
use crate::check;
use crate::check::picture::Picture;
use crate::gateway::Gateway;
use crate::ledger::{Held, Known, Ledger};
use crate::net::Net;
use crate::process::{self, GROUP, LINKS, WINDOW};
use crate::province::{PREFECTURES, Province, Terms};

/// Days after the last one until everything must have come to its end: longer than any report is waited for.
const DAYS_AFTER: i32 = 4;
/// How long after the last octet the clock goes on from one sleeper to the next; then it strides.
const BUSY: Duration = Duration::from_secs(2);
/// One stride: no longer than a schedule's minute.
const STRIDE: Duration = Duration::from_secs(30);
/// When what the host refused is tried again.
const AGAIN: Duration = Duration::from_secs(30);

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// From which everything is drawn.
    pub seed: u64,
    /// Customers of the province.
    pub customers: usize,
    /// Days on which something happens; four more follow, in which everything comes to its end.
    pub days: i32,
    /// Connections of each link. With one the order of things is the same each time. With more, the runtime draws lots which connection of a
    /// link learns of a stop first, and so perhaps which sends what: everything must hold all the same.
    pub connections: u64,
    /// Whether to keep the trace in words, to compare two runs by eye.
    pub keep_trace: bool,
}

/// What a simulation came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// A hash over everything that happened, in order: the same for the same options.
    pub trace: u64,
    /// Messages queued.
    pub messages: u64,
    /// How many came to which end.
    pub ends: BTreeMap<&'static str, u64>,
    /// SUBMITs that gateways saw.
    pub submits: u64,
    /// Those accepted.
    pub accepted: u64,
    /// Messages that may have been sent twice, and are marked.
    pub marked: u64,
    /// Messages that were told together with others of their number.
    pub together: u64,
    /// Lives of the host.
    pub lives: u64,
    /// Submits that the ends of lives cut off.
    pub cut_off: u64,
    /// Customers' messages.
    pub replies: u64,
    /// The trace in words, where it was asked for.
    pub words: Vec<String>,
}

/// Why a simulation failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulationError {
    /// It could not be set up.
    #[error("the simulation could not go on: {0}")]
    Setup(String),
    /// The host broke its word.
    #[error(
        "seed {seed}, {at}: {broken}\nreplay with: cargo run --workspace --example simulate -- --seed {seed} --customers {customers} --days {days} --connections {connections}"
    )]
    Broken {
        /// The seed.
        seed: u64,
        /// When it was noticed.
        at: Moment,
        /// What does not hold.
        broken: String,
        /// As simulated.
        customers: usize,
        /// As simulated.
        days: i32,
        /// As simulated.
        connections: u64,
    },
}

/// A hash over what happened, and the words if wanted.
pub(crate) struct Trace {
    hash: u64,
    words: Option<Vec<String>>,
}

impl Trace {
    pub(crate) fn add(&mut self, at: Duration, what: String) {
        let line = format!("{:>12.3} {what}", at.as_secs_f64());
        for byte in line.bytes() {
            // FNV-1a.
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if let Some(words) = &mut self.words {
            words.push(line);
        }
    }
}

/// Everything that outlives the host's processes.
pub(crate) struct Simulation {
    pub(crate) options: Options,
    pub(crate) clock: Clock,
    pub(crate) start: Moment,
    pub(crate) net: Net,
    pub(crate) gateways: Vec<Gateway>,
    pub(crate) store: MemStore,
    pub(crate) faults: Faults,
    pub(crate) province: Province,
    pub(crate) ledger: Ledger,
    pub(crate) agenda: Agenda,
    pub(crate) trace: Trace,
    pub(crate) report: Report,
    /// Cancelled when the days are over: nothing new begins then.
    pub(crate) schedules: CancellationToken,
    last_octet: Duration,
    traced: Vec<usize>,
}

/// How a life ended.
enum End {
    /// The time is over.
    Over,
    /// It was killed, or its store failed; what it knew then.
    Killed(Box<Picture>),
}

/// Runs one simulation and judges it.
///
/// # Errors
/// [`SimulationError::Broken`] with what the host did wrong, and how to see it again.
pub fn simulate(options: Options) -> Result<Report, SimulationError> {
    let mut simulation = Simulation::new(options);
    let mut before: Option<Box<Picture>> = None;
    loop {
        let (runtime, idle) = process::runtime()?;
        match runtime.block_on(simulation.live(before.take(), &idle))? {
            End::Over => return Ok(simulation.close()),
            End::Killed(picture) => before = Some(picture),
        }
        // The kill: every task ends where it stands.
        drop(runtime);
        simulation.die(before.as_deref_mut());
    }
}

impl Simulation {
    fn new(options: Options) -> Self {
        let seed = Seed(options.seed);
        // A Monday, far from the end of the calendar that comes with the house.
        let today = Date::from_ymd(2026, 11, 9).unwrap_or(Date::NONE);
        let start = today.at(0, 0).moment();
        let clock = Clock::manual(start);
        let gateway = |at: usize| {
            let version = if LINKS[at].2 == "cmpp2" { Version::V2_0 } else { Version::V3_0 };
            Gateway::new(at, LINKS[at].1, version, clock.clone(), seed)
        };
        let province = Province::new(seed, options.customers, options.days - 1);
        let terms = Terms { windows: 0, first_step: 7, ceiling: 5_000 };
        let held = Held { tried: Duration::ZERO, acknowledged: Duration::ZERO, terms };
        Self {
            options,
            net: Net::new(clock.clone(), seed, (0..LINKS.len()).map(process::address).collect()),
            gateways: (0..LINKS.len()).map(gateway).collect(),
            store: MemStore::with_faults(seed.child("store"), Faults::default()),
            faults: Faults::default(),
            agenda: agenda::draw(seed, &province, options.days),
            ledger: Ledger {
                customers: vec![Known::default(); province.customers.len()],
                terms: vec![vec![held]; PREFECTURES.len()],
                ..Ledger::default()
            },
            province,
            trace: Trace { hash: 0xcbf2_9ce4_8422_2325, words: options.keep_trace.then(Vec::new) },
            report: Report::default(),
            schedules: CancellationToken::new(),
            last_octet: Duration::ZERO,
            traced: vec![0; LINKS.len()],
            clock,
            start,
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// The day of the simulation's day `day`.
    pub(crate) fn date(&self, day: i32) -> Date {
        self.start.date().plus_days(day)
    }

    pub(crate) fn broken(&self, broken: String) -> SimulationError {
        let Options { seed, customers, days, connections, .. } = self.options;
        SimulationError::Broken { seed, at: self.clock.now(), broken, customers, days, connections }
    }

    /// One life of the host.
    async fn live(&mut self, before: Option<Box<Picture>>, idle: &Arc<Notify>) -> Result<End, SimulationError> {
        self.report.lives += 1;
        let (state, opened) = process::open_state(&self.store, &self.clock)?;
        self.trace.add(self.now(), format!("opened: {opened:?}"));
        match &before {
            Some(before) => {
                let after = Picture::take(&state);
                before.compare(&after).map_err(|e| self.broken(e))?;
                let exposed = LINKS.len() as u64 * (self.options.connections * WINDOW + GROUP);
                if opened.cut_off > exposed {
                    let text = format!("{} submits were cut off; at most {exposed} may be exposed", opened.cut_off);
                    return Err(self.broken(text));
                }
                self.report.cut_off += opened.cut_off;
            }
            None => process::furnish(&state, &self.province).await?,
        }
        let host = process::start(
            state,
            &self.clock,
            Seed(self.options.seed),
            &self.net,
            self.options.connections,
            &self.schedules,
        )?;
        if before.is_none() {
            process::install(&host, self.ledger.terms[0][0].terms).await?;
        }
        let end = day_start(self.options.days + DAYS_AFTER);
        loop {
            idle.notified().await;
            if self.octets() {
                continue;
            }
            if host.state().failure().is_some() {
                return Ok(End::Killed(Box::new(Picture::take(host.state()))));
            }
            if let Some(entry) = self.agenda.first_entry().filter(|entry| entry.key().0 <= self.clock.monotonic()) {
                let ((_, order), action) = entry.remove_entry();
                if matches!(action, Action::Kill) {
                    self.trace.add(self.now(), "killed".to_owned());
                    return Ok(End::Killed(Box::new(Picture::take(host.state()))));
                }
                if !self.act(&host, &action, order).await? {
                    self.agenda.insert((self.now() + AGAIN, order), action);
                }
                continue;
            }
            if self.now() >= end {
                let folded = host.state().checkpoint().await;
                folded.map_err(|e| self.broken(format!("the last checkpoint failed: {e}")))?;
                check::at_the_end(self, &host).map_err(|e| self.broken(e))?;
                return Ok(End::Over);
            }
            self.advance(&host, end);
        }
    }

    /// Moves octets that have arrived, and what gateways do about them. True if anything moved.
    fn octets(&mut self) -> bool {
        let mut any = self.net.deliver();
        for (line, gateway, heard) in self.net.heard() {
            any = true;
            self.gateways[gateway].hear(&self.net, line, heard);
        }
        for gateway in &mut self.gateways {
            any |= gateway.work(&self.net);
        }
        for (at, gateway) in self.gateways.iter().enumerate() {
            for arrival in &gateway.log[self.traced[at]..] {
                let what = format!("{} {} {} {}", LINKS[at].0, arrival.phone, arrival.part, arrival.result);
                self.trace.add(arrival.at, what);
            }
            self.traced[at] = gateway.log.len();
        }
        if any {
            self.last_octet = self.clock.monotonic();
        }
        any
    }

    /// Lets time pass up to the next moment at which something may happen.
    fn advance(&mut self, host: &Host, end: Duration) {
        let now = self.now();
        let busy = now.saturating_sub(self.last_octet) < BUSY;
        // The sleepers of the host decide while octets move; then time strides, as on a machine that was asleep.
        let sleeper = if busy { self.clock.next_waiter() } else { None };
        let gateways = self.gateways.iter().filter_map(Gateway::next_due).min();
        let hop = host.state().next_hop_due().map(|at| at.plus_ms(gridbell_conductor::GATHER_HOPS_MS));
        let due =
            host.state().next_due_any().into_iter().chain(hop).min().map(|at| at.unix_ms() - self.start.unix_ms());
        let due = due.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis).filter(|at| *at > now);
        let agenda = self.agenda.keys().next().map(|(at, _)| *at);
        let next = [sleeper, self.net.next_arrival(), gateways, due, agenda].into_iter().flatten();
        let next = next.fold((now + STRIDE).min(end), Duration::min);
        // In whole milliseconds, so that both of the clock's times agree.
        let step = next.saturating_sub(now).as_nanos().div_ceil(1_000_000).max(1);
        self.clock.advance(Duration::from_millis(u64::try_from(step).unwrap_or(1)));
    }

    /// The power is gone: what the store kept is what there is.
    fn die(&mut self, picture: Option<&mut Picture>) {
        let now = self.now();
        self.ledger.deaths.push(now);
        let kept = self.store.crash();
        let survived = kept.size_on_disk().ok() != self.store.size_on_disk().ok();
        if let Some(picture) = picture {
            picture.more_survived = survived;
        }
        self.trace.add(now, format!("died, more survived: {survived}"));
        self.store = kept;
        self.faults = Faults::default();
        self.disk(false);
        self.net.cut(None);
        self.last_octet = now;
    }

    /// Fills the disk or frees it.
    pub(crate) fn disk(&mut self, full: bool) {
        let now = self.now();
        self.faults.disk_full_per_mille = if full { 1_000 } else { 0 };
        self.store.set_faults(self.faults);
        match self.ledger.full.last_mut() {
            Some((_, until)) if *until == Duration::MAX && !full => *until = now,
            Some((_, until)) if *until == Duration::MAX => {}
            _ if full => self.ledger.full.push((now, Duration::MAX)),
            _ => {}
        }
    }

    fn close(mut self) -> Report {
        self.report.submits = self.gateways.iter().map(|g| g.log.len() as u64).sum();
        let accepted = |g: &Gateway| g.log.iter().filter(|a| a.result == 0).count() as u64;
        self.report.accepted = self.gateways.iter().map(accepted).sum();
        self.report.replies = self.gateways.iter().map(|g| g.replies.len() as u64).sum();
        self.report.trace = self.trace.hash;
        self.report.words = self.trace.words.take().unwrap_or_default();
        self.report
    }
}
