//! What the simulated SGIP and SMGP gateways share: accounts, grants, faults, receipts, counters. What only one protocol says is behind
//! [`Protocol`].
//!
//! A gateway authenticates, counts the window and the rate in parts, refuses with the protocol's own codes, makes reports and keeps
//! them until they are acknowledged, across reconnects. On request it throttles, loses, delays, reorders and repeats. Given a seed,
//! what becomes of a number depends on the number alone; the other faults are drawn in the order of arrival. For the demo and the
//! tests: it keeps whole phone numbers and texts, so it must never be given real customers.

mod account;
mod config;
mod connection;
mod gateway;
mod log;
mod protocol;
mod submit;

pub use config::{Account, CodeWeight, Config, Faults, ResultFault};
pub use gateway::{Error, Gateway, Mo};
pub use log::{AccountStats, LogEntry, Stats};
pub use protocol::{
    Broken, Civil, Codes, Directions, Fate, Inbound, Incoming, LoginRequest, Offer, Outgoing, Protocol, Read,
    ReportWish, Wrote,
};
