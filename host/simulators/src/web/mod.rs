//! What the simulated HTTP platforms share: a server, limits, faults, callbacks, the journal and the counters. What only one platform says is
//! behind [`Platform`].
//!
//! A platform authenticates, counts quotas and rates, refuses with its own codes, knows repetitions where the real one does, and posts receipts
//! until they are taken. On request it loses answers, hangs, answers HTML or another address, and delays, loses, repeats and
//! reorders receipts. Given a seed, what becomes of a recipient depends on the recipient alone; the other faults are drawn in the order of
//! arrival. For the demo and the tests: it keeps whole addresses and texts, so it must never be given real customers.

mod config;
mod gateway;
mod limit;
mod log;

pub use config::{Bench, Callbacks, Faults, Refusal};
pub use gateway::{Desk, Error, Gateway, Platform, Reaction, Report, Sent, Stamp};
pub(crate) use limit::{Daily, Window};
pub use log::{LogEntry, Stats};
