//! How long the processor worked for the calling thread: what work cost, not what time it is. For measurements; nothing is decided by it.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// CPU time of the calling thread since it began; zero where the system cannot say.
///
/// Of `CLOCK_THREAD_CPUTIME_ID`: `getrusage` counts up to the last tick only, so that a piece of work shorter than some milliseconds seems to
/// have cost nothing.
#[must_use]
pub fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_far_shorter_than_a_tick_is_counted_each_time() {
        for _ in 0..20 {
            let before = thread_cpu();
            let sum: u64 = std::hint::black_box((0..20_000_u64).map(std::hint::black_box).sum());
            assert!(sum > 0 && thread_cpu() > before);
        }
    }
}
