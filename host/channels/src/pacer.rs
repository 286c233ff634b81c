//! The grant kept: never more parts than it in any one second **as the gateway sees them**, and at least 98 % of it used while there is
//! a backlog. Pure: it is told the time.
//!
//! Three rules together, `g` being the grant:
//!
//! 1. *The log.* A part may go when the one `g` before it went at least a second and [`GUARD`] ago. This alone keeps the rule on our own
//!    clock, and lateness does not add up as it would with a fixed interval.
//! 2. *The gateway's clock.* A stall on the way may push parts together: part `i` is seen late, part `i + g` is not. The answer bounds it:
//!    with `l` the time to part `i`'s answer and `m` the least such time of late, the gateway saw `i` at most `l - m` later than
//!    usual, so `i + g` waits for a second and `l - m`. Since a gateway whose answers merely vary would cost throughput, these waits come out of a budget,
//!    [`EXTRA_MEAN`] a part in the long run.
//! 3. *Smoothness.* Parts are spread over the second, except that a fiftieth of a second's worth may catch up at once ([`BURST`]), and what the
//!    other rules held up, at most [`EXTRA_MAX`]. While there is a backlog the log repeats each second as the one before was: after a burst
//!    comes a pause as long, every second, and who is urgent waits for its end.
//!
//! A new pacer behaves as if the whole grant had just been used: the process before this one may have used it.

use std::collections::VecDeque;
use std::time::Duration;

/// The largest grant, parts a second. The log takes 32 octets for each.
pub const MAX_GRANT: u32 = 100_000;

const SECOND: Duration = Duration::from_secs(1);
/// Added to every second: what clocks and networks may differ by without being noticed. Costs 0.8 %.
const GUARD: Duration = Duration::from_millis(8);
/// What waits for late answers may cost a part on average. Costs 0.4 %, so that 0.8 % are left for late wake-ups and for what bunches them.
const EXTRA_MEAN: Duration = Duration::from_millis(4);
/// The longest that one part waits for a late answer.
const EXTRA_MAX: Duration = Duration::from_millis(500);
/// Seconds' worth of [`EXTRA_MEAN`] that can be saved up.
const EXTRA_SAVED_SECONDS: i64 = 5;
/// What a small grant may save up all the same.
const EXTRA_SAVED_MIN: Duration = Duration::from_millis(250);
/// How much of a second's grant may go at once: enough for wake-ups that come 10 ms late (98.6 % used). At 100 ms an urgent notice waited 120 ms
/// once a second on a link with a backlog, at 20 ms it waits 30 to 50, and no more of the grant is lost.
const BURST: Duration = Duration::from_millis(20);
/// On top of the first second: octets of the process before may still be on their way.
const START_GUARD: Duration = Duration::from_millis(100);
/// The least time to an answer is taken over one to two of these.
const BASELINE_SPAN: Duration = Duration::from_secs(30);

/// Permission for one part, and its name when its answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket(u64);

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Duration,
    /// How much later than usual the gateway saw it; none until its answer.
    excess: Option<Duration>,
}

/// Keeps one grant. See the module's head.
#[derive(Debug)]
pub struct Pacer {
    grant: usize,
    interval: Duration,
    /// The last `grant` parts, oldest first.
    log: VecDeque<Sent>,
    /// The ticket of the log's first.
    first: u64,
    /// When the next part would go if all were evenly spread.
    spread: Duration,
    /// When the log let the last part go.
    eligible: Duration,
    /// When the last part went.
    taken: Duration,
    /// Nanoseconds that waits for late answers may still cost.
    budget: i64,
    baseline: Baseline,
}

impl Pacer {
    /// A pacer for `grant` parts a second (1 to [`MAX_GRANT`]; outside, the nearer bound), as of `now`.
    #[must_use]
    pub fn new(grant: u32, now: Duration) -> Self {
        let grant = grant.clamp(1, MAX_GRANT);
        let interval = SECOND / grant;
        let start = now + START_GUARD;
        let sent = |n| Sent { at: start + interval * n, excess: Some(Duration::ZERO) };
        let grant = grant as usize;
        let mut pacer = Self {
            grant,
            interval,
            log: (0..grant as u32).map(sent).collect(),
            first: 0,
            spread: start + SECOND + GUARD,
            eligible: Duration::ZERO,
            taken: Duration::ZERO,
            budget: 0,
            baseline: Baseline::default(),
        };
        pacer.budget = pacer.most_saved();
        pacer
    }

    fn most_saved(&self) -> i64 {
        nanos(EXTRA_MEAN).saturating_mul(self.grant as i64 * EXTRA_SAVED_SECONDS).max(nanos(EXTRA_SAVED_MIN))
    }

    /// Takes permission for one part that is written now, whose time is `now`.
    ///
    /// # Errors
    /// When to ask again, if not now. An answer told meanwhile may bring it forward.
    pub fn take(&mut self, now: Duration) -> Result<Ticket, Duration> {
        let oldest = self.log.front().copied().unwrap_or(Sent { at: Duration::ZERO, excess: None });
        let plain = oldest.at + SECOND + GUARD;
        let excess = match oldest.excess {
            Some(excess) => excess,
            // Not answered yet: the excess is at least what has passed beyond the usual. A moment more, so that it is asked again.
            None => now.saturating_sub(oldest.at).saturating_sub(self.baseline.least().unwrap_or(SECOND)) + GUARD,
        };
        let saved = Duration::from_nanos(self.budget.max(0).unsigned_abs());
        let eligible = (plain + excess.saturating_sub(GUARD).min(EXTRA_MAX).min(saved)).max(self.eligible);
        let wait = eligible.max(self.spread.saturating_sub(BURST));
        if wait > now {
            // A late answer may come on another connection: ask again soon.
            return Err(if oldest.excess.is_none() && plain <= now { wait.min(now + GUARD) } else { wait });
        }
        let spent = nanos(eligible.saturating_sub(plain));
        self.budget = (self.budget - spent + nanos(EXTRA_MEAN)).min(self.most_saved());
        self.eligible = eligible;
        // Behind is who asked too late. What the log held up, now or a second ago, may catch up: spread out, it would cost more than its budget.
        let idle = now.saturating_sub(eligible.max(self.taken));
        let behind = (self.spread + idle).min(now).max(now.saturating_sub(EXTRA_MAX));
        self.spread = self.spread.max(behind) + self.interval;
        self.taken = now;
        self.log.pop_front();
        self.first += 1;
        self.log.push_back(Sent { at: now, excess: None });
        Ok(Ticket(self.first + self.grant as u64 - 1))
    }

    /// The answer to a part came at `now`, or its connection closed then.
    pub fn answered(&mut self, ticket: Ticket, now: Duration) {
        let sent = ticket.0.checked_sub(self.first).and_then(|n| self.log.get_mut(usize::try_from(n).ok()?));
        // Older than the log: it no longer matters.
        let Some(sent) = sent.filter(|sent| sent.excess.is_none()) else {
            return;
        };
        let latency = now.saturating_sub(sent.at);
        sent.excess = Some(latency.saturating_sub(self.baseline.add(latency, now)));
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// The least latency of the last one to two spans.
#[derive(Debug, Default)]
struct Baseline {
    since: Duration,
    current: Option<Duration>,
    before: Option<Duration>,
}

impl Baseline {
    fn least(&self) -> Option<Duration> {
        self.current.into_iter().chain(self.before).min()
    }

    /// Takes a latency in and gives the least, which is at most it.
    fn add(&mut self, latency: Duration, now: Duration) -> Duration {
        if now.saturating_sub(self.since) > BASELINE_SPAN {
            self.before = self.current.take();
            self.since = now;
        }
        self.current = Some(self.current.map_or(latency, |least| least.min(latency)));
        self.least().unwrap_or(latency)
    }
}
