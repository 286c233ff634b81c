//! The circuit breaker of one account. Pure: it is told the time.

use std::time::Duration;

/// Lets calls through while the platform answers, none for a while after failures in a row, then one at a time until one succeeds.
#[derive(Debug)]
pub struct Breaker {
    after: u32,
    min: Duration,
    max: Duration,
    failures: u32,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    until: Duration,
    wait: Duration,
}

/// What may go now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// As many as else may.
    All,
    /// One at a time: it finds out whether the platform is back.
    Probe,
    /// Nothing before this time.
    Not(Duration),
}

impl Breaker {
    /// Opens after `after` failures in a row (at least 1), for `min` at first and twice as long after each failed probe, at most `max`.
    #[must_use]
    pub fn new(after: u32, min: Duration, max: Duration) -> Self {
        Self { after: after.max(1), min, max: max.max(min), failures: 0, open: None }
    }

    /// What may go at `now`.
    #[must_use]
    pub fn permit(&self, now: Duration) -> Permit {
        match self.open {
            None => Permit::All,
            Some(open) if open.until > now => Permit::Not(open.until),
            Some(_) => Permit::Probe,
        }
    }

    /// Whether it is open, or was and no probe has succeeded yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The platform answered, whatever it said of the message. Tells whether that closed it.
    pub fn good(&mut self) -> bool {
        self.failures = 0;
        self.open.take().is_some()
    }

    /// A call failed. Tells whether that opened it.
    pub fn bad(&mut self, now: Duration) -> bool {
        self.failures = self.failures.saturating_add(1);
        match &mut self.open {
            // Others that were under way when it opened say nothing new.
            Some(open) if open.until > now => false,
            Some(open) => {
                open.wait = open.wait.saturating_mul(2).min(self.max);
                open.until = now + open.wait;
                false
            }
            None if self.failures >= self.after => {
                self.open = Some(Open { until: now + self.min, wait: self.min });
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn it_opens_after_failures_in_a_row_probes_and_closes() {
        let mut breaker = Breaker::new(3, S, 3 * S);
        assert!(!breaker.bad(S) && !breaker.bad(S) && !breaker.good() && !breaker.bad(S) && !breaker.bad(S));
        assert_eq!(breaker.permit(S), Permit::All);
        assert!(breaker.bad(S));
        assert_eq!((breaker.permit(S), breaker.permit(2 * S)), (Permit::Not(2 * S), Permit::Probe));
        // Stragglers change nothing; failed probes double the wait up to the longest.
        assert!(!breaker.bad(S));
        assert_eq!(breaker.permit(2 * S), Permit::Probe);
        for (now, until) in [(2, 4), (4, 7), (7, 10)] {
            assert!(!breaker.bad(now * S));
            assert_eq!(breaker.permit(now * S), Permit::Not(until * S));
        }
        assert!(breaker.good() && !breaker.is_open());
        assert_eq!(breaker.permit(10 * S), Permit::All);
        assert!(!breaker.bad(10 * S), "counts anew");
    }
}
