//! The one clock and the one seed.
//!
//! Everything that needs to know the time or to draw a random number is handed a [`Clock`] or a [`Seed`]; nothing else in the house may read
//! either (`clippy.toml` bans the functions), so that a run replays and a simulation drives a year in seconds. Secrets are the one exception:
//! they use the system's entropy where they are made.

mod clock;
mod cpu;
mod seed;

pub use clock::{Clock, Jump, JumpWatch, Lost, MAX_TOLERATED_JUMP};
pub use cpu::thread_cpu;
pub use seed::Seed;
