//! Time as the house sees it. Never reads the system's clock outside [`Clock::system`]'s two functions.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gridbell_model::{CivilMinute, Date, Moment};
use parking_lot::Mutex;
use tokio::sync::oneshot;

/// A jump of the civil clock against the monotonic one that is larger than this is reported by [`JumpWatch`]. NTP slews stay far below it.
pub const MAX_TOLERATED_JUMP: Duration = Duration::from_secs(30);

/// A handle on time: what the civil time is, how much time has passed, and a way to wait. Cheap to clone; clones share the source.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Source>);

#[derive(Debug)]
enum Source {
    System(System),
    Manual(Mutex<Manual>),
}

#[derive(Debug)]
struct System {
    started: std::time::Instant,
    /// Milliseconds that civil time is ahead of the system's: the demo's fast day moves this, a server leaves it 0.
    ahead_ms: Mutex<i64>,
}

#[derive(Debug)]
struct Manual {
    civil_ms: i64,
    monotonic: Duration,
    next_waiter: u64,
    waiters: BTreeMap<(Duration, u64), oneshot::Sender<()>>,
}

impl Manual {
    /// What is told when monotonic time is at `due`.
    fn wait(&mut self, due: Duration) -> oneshot::Receiver<()> {
        let (tx, rx) = oneshot::channel();
        let key = (due, self.next_waiter);
        self.next_waiter += 1;
        self.waiters.insert(key, tx);
        rx
    }
}

#[expect(clippy::disallowed_methods, reason = "this module is the one place that reads the system's clock")]
impl System {
    fn monotonic(&self) -> Duration {
        std::time::Instant::now().duration_since(self.started)
    }

    fn civil_ms() -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

impl Clock {
    /// The machine's own clock.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this module is the one place that reads the system's clock")]
    pub fn system() -> Self {
        Self(Arc::new(Source::System(System { started: std::time::Instant::now(), ahead_ms: Mutex::new(0) })))
    }

    /// A clock whose civil time starts at `civil` and runs at the machine's pace; [`Clock::advance_to`] moves it forward. Waiting is real.
    #[must_use]
    pub fn starting_at(civil: Moment) -> Self {
        let clock = Self::system();
        clock.set_civil(civil);
        clock
    }

    /// A clock that stands still until [`Clock::advance`] moves it: for simulations and tests.
    #[must_use]
    pub fn manual(civil: Moment) -> Self {
        Self(Arc::new(Source::Manual(Mutex::new(Manual {
            civil_ms: civil.unix_ms(),
            monotonic: Duration::ZERO,
            next_waiter: 0,
            waiters: BTreeMap::new(),
        }))))
    }

    /// Now, on the civil clock.
    #[must_use]
    pub fn now(&self) -> Moment {
        match &*self.0 {
            Source::System(s) => Moment::from_unix_ms(System::civil_ms() + *s.ahead_ms.lock()),
            Source::Manual(m) => Moment::from_unix_ms(m.lock().civil_ms),
        }
    }

    /// Now, to the minute, in the prefecture's civil time.
    #[must_use]
    pub fn civil_minute(&self) -> CivilMinute {
        self.now().civil_minute()
    }

    /// Today, in the prefecture's civil time.
    #[must_use]
    pub fn today(&self) -> Date {
        self.now().date()
    }

    /// Time passed since this clock was made; never goes back, unmoved by jumps of the civil clock.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &*self.0 {
            Source::System(s) => s.monotonic(),
            Source::Manual(m) => m.lock().monotonic,
        }
    }

    /// Waits for `duration` of monotonic time.
    pub async fn sleep(&self, duration: Duration) {
        match &*self.0 {
            Source::System(_) => tokio::time::sleep(duration).await,
            Source::Manual(m) => {
                let rx = {
                    let mut m = m.lock();
                    let due = m.monotonic + duration;
                    m.wait(due)
                };
                // The sender is dropped only with the clock itself; then nobody waits for us either.
                let _ = rx.await;
            }
        }
    }

    /// Waits until monotonic time is at `due`. What is left is taken when the wait begins, so that a manual clock that is moved between a look at
    /// it and the wait is not slept through.
    pub async fn sleep_until(&self, due: Duration) {
        match &*self.0 {
            Source::System(s) => tokio::time::sleep(due.saturating_sub(s.monotonic())).await,
            Source::Manual(m) => {
                let rx = {
                    let mut m = m.lock();
                    if due <= m.monotonic {
                        return;
                    }
                    m.wait(due)
                };
                let _ = rx.await;
            }
        }
    }

    /// Runs `work`, which blocks or computes for long, on a thread of its own. On a manual clock it runs at once and here: a simulation
    /// has one order of things, the same each time.
    ///
    /// # Errors
    /// When `work` panicked or the runtime is closing.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        match &*self.0 {
            Source::System(_) => tokio::task::spawn_blocking(work).await.map_err(|e| Lost(e.to_string())),
            Source::Manual(_) => Ok(work()),
        }
    }

    /// Moves civil time forward to `civil`; a moment in the past changes nothing. On a manual clock the monotonic time moves by as much.
    pub fn advance_to(&self, civil: Moment) {
        let by = civil.unix_ms() - self.now().unix_ms();
        if by > 0 {
            self.advance(Duration::from_millis(by.unsigned_abs()));
        }
    }

    /// Moves time forward by `by`: on a manual clock both times, waking whoever waited; on the machine's clock only the civil time.
    pub fn advance(&self, by: Duration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        match &*self.0 {
            Source::System(s) => *s.ahead_ms.lock() += ms,
            Source::Manual(m) => {
                let due = {
                    let mut m = m.lock();
                    m.civil_ms = m.civil_ms.saturating_add(ms);
                    m.monotonic += by;
                    let just_after = m.monotonic + Duration::from_nanos(1);
                    let later = m.waiters.split_off(&(just_after, 0));
                    std::mem::replace(&mut m.waiters, later)
                };
                for (_, waiter) in due {
                    let _ = waiter.send(());
                }
            }
        }
    }

    /// Sets the civil time, backwards too: what an operator or a broken time server does to a machine. The monotonic time is unmoved.
    pub fn set_civil(&self, civil: Moment) {
        match &*self.0 {
            Source::System(s) => *s.ahead_ms.lock() = civil.unix_ms() - System::civil_ms(),
            Source::Manual(m) => m.lock().civil_ms = civil.unix_ms(),
        }
    }

    /// When the next sleeper of a manual clock is due, as monotonic time; none on the machine's clock or with nobody waiting.
    #[must_use]
    pub fn next_waiter(&self) -> Option<Duration> {
        match &*self.0 {
            Source::System(_) => None,
            Source::Manual(m) => m.lock().waiters.keys().next().map(|k| k.0),
        }
    }
}

/// Work given to [`Clock::offload`] did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a task beside the runtime ended badly: {0}")]
pub struct Lost(String);

/// A jump of the civil clock, found by [`JumpWatch::check`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump {
    /// Milliseconds by which civil time moved against monotonic time; negative is backwards.
    pub by_ms: i64,
}

/// Notices when the civil clock jumps against the monotonic one, so that schedules can hold instead of firing a day of runs at once.
#[derive(Debug)]
pub struct JumpWatch {
    clock: Clock,
    civil_ms: i64,
    monotonic: Duration,
}

impl JumpWatch {
    /// Starts watching `clock` from now.
    #[must_use]
    pub fn new(clock: &Clock) -> Self {
        Self { clock: clock.clone(), civil_ms: clock.now().unix_ms(), monotonic: clock.monotonic() }
    }

    /// The jump since the last check, if it was larger than [`MAX_TOLERATED_JUMP`].
    pub fn check(&mut self) -> Option<Jump> {
        let (civil, mono) = (self.clock.now().unix_ms(), self.clock.monotonic());
        let passed = i64::try_from((mono - self.monotonic).as_millis()).unwrap_or(i64::MAX);
        let by_ms = (civil - self.civil_ms) - passed;
        (self.civil_ms, self.monotonic) = (civil, mono);
        (by_ms.unsigned_abs() > MAX_TOLERATED_JUMP.as_millis() as u64).then_some(Jump { by_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Moment {
        Date::from_ymd(2026, 11, 21).unwrap().at(12, 0).moment()
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_sleepers_in_time() {
        let clock = Clock::manual(noon());
        let other = clock.clone();
        let task = tokio::spawn(async move { other.sleep(Duration::from_secs(60)).await });
        while clock.next_waiter().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(59));
        assert!(!task.is_finished());
        clock.advance(Duration::from_secs(1));
        task.await.unwrap();
        assert_eq!(clock.civil_minute(), noon().civil_minute().plus_minutes(1));
    }

    #[tokio::test]
    async fn a_wait_for_a_moment_is_not_slept_through_when_time_went_on_before_it_began() {
        let clock = Clock::manual(noon());
        let due = clock.monotonic() + Duration::from_secs(1);
        let wait = clock.sleep_until(due);
        // A future waits from its first poll on, and time goes on before that.
        clock.advance(Duration::from_millis(600));
        let task = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(due).await }
        });
        while clock.next_waiter().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.next_waiter(), Some(due));
        clock.advance(Duration::from_millis(400));
        task.await.unwrap();
        wait.await;
    }

    #[tokio::test]
    async fn work_beside_the_runtime_runs_here_on_a_manual_clock_and_elsewhere_on_the_machines() {
        let here = std::thread::current().id();
        let of = || std::thread::current().id();
        assert_eq!(Clock::manual(noon()).offload(of).await, Ok(here));
        assert_ne!(Clock::system().offload(of).await, Ok(here));
    }

    #[test]
    fn a_jump_is_seen_once_and_running_time_is_not_one() {
        let clock = Clock::manual(noon());
        let mut watch = JumpWatch::new(&clock);
        clock.advance(Duration::from_secs(86_400));
        assert_eq!(watch.check(), None);
        clock.set_civil(Moment::from_unix_ms(clock.now().unix_ms() - 3_600_000));
        assert_eq!(watch.check(), Some(Jump { by_ms: -3_600_000 }));
        assert_eq!(watch.check(), None);
    }
}
