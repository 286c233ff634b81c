//! A CMPP gateway (ISMG), 2.0 and 3.0 on one port, strict enough to trust what gets through it.
//!
//! It authenticates, counts the window and the rate in parts, refuses malformed PDUs with the specification's codes, makes
//! delivery reports and keeps them until they are acknowledged, across reconnects, as a carrier's gateway does. On request
//! it throttles, loses, delays, reorders and repeats. What it accepted is in a log that a test can hold against what was
//! decided. For the demo and the tests: it keeps whole phone numbers and texts, so it must never be given real customers.
//!
//! Given a seed, what becomes of a number (bad, delivered, failed with which word) depends on the number alone, not on the order
//! in which submits arrive. The other faults are drawn in the order of arrival.

mod account;
mod check;
mod config;
mod connection;
pub(crate) mod fate;
mod gateway;
mod journal;
mod log;
mod mint;
mod outgoing;
mod rate;
mod session;
mod stats;

pub use config::{Account, Config, Faults, ResultFault, StatWeight};
pub use gateway::{Error, Gateway, Mo};
pub use log::LogEntry;
pub use rate::{SlidingWindow, WINDOW};
pub use stats::{AccountStats, Stats};
