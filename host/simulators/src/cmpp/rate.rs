//! Parts in any one second, counted exactly: the measure of pacing and the means of enforcing it.

use std::collections::VecDeque;
use std::time::Duration;

/// The span over which a grant counts.
pub const WINDOW: Duration = Duration::from_secs(1);

/// Counts events in the last second and remembers the most there ever were in one.
///
/// The second is half open: an event exactly one second old no longer counts. Events of one instant take one place, so it
/// holds as many places as there were reads of a socket in a second.
#[derive(Clone, Debug, Default)]
pub struct SlidingWindow {
    events: VecDeque<(Duration, u64)>,
    sum: u64,
    peak: u64,
}

impl SlidingWindow {
    /// Events in the second that ends at `now`. Time must not go back between calls.
    pub fn count(&mut self, now: Duration) -> u64 {
        while let Some(&(when, count)) = self.events.front() {
            if when + WINDOW > now {
                break;
            }
            self.events.pop_front();
            self.sum -= count;
        }
        self.sum
    }

    /// Counts `count` more at `now`.
    pub fn push(&mut self, now: Duration, count: u64) {
        self.count(now);
        match self.events.back_mut() {
            Some(last) if last.0 == now => last.1 += count,
            _ => self.events.push_back((now, count)),
        }
        self.sum += count;
        self.peak = self.peak.max(self.sum);
    }

    /// The most events there were in any one second.
    #[must_use]
    pub const fn peak(&self) -> u64 {
        self.peak
    }

    /// Forgets the peak; what counts now is the new one.
    pub const fn reset_peak(&mut self) {
        self.peak = self.sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_last_second_and_keeps_the_peak() {
        let mut window = SlidingWindow::default();
        let at = Duration::from_millis;
        window.push(at(0), 60);
        window.push(at(999), 50);
        assert_eq!((window.count(at(999)), window.peak()), (110, 110));
        assert_eq!(window.count(at(1000)), 50);
        window.push(at(1000), 10);
        assert_eq!((window.count(at(1998)), window.peak()), (60, 110));
        assert_eq!(window.count(at(1999)), 10);
        window.reset_peak();
        assert_eq!((window.count(at(5000)), window.peak()), (0, 10));
    }
}
