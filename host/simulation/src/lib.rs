//! The whole host in a seeded simulation: the real state, engine, planner, conductor and links over a store in memory, a clock that stands still
//! until it is moved, and gateways behind lines without sockets, on one thread, with faults everywhere, through days in seconds.
//!
//! One seed is one province, one course of events and one order of things: [`simulate`] judges the host against the gateways' logs and against
//! what it acknowledged, and its [`Report::trace`] is the same each time. It is a test and nothing else: no crate may be linked with it.

mod act;
mod agenda;
mod check;
mod dice;
mod gateway;
mod ledger;
mod net;
mod process;
mod province;
mod simulation;

pub use simulation::{Options, Report, SimulationError, simulate};
