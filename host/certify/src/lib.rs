//! Certification: proves by trial what the contract asks of a plugin, before it may go live.
//!
//! A trial asks the plugin about made-up and real customers, counted in fuel, and compares its answers with each other: the contract says what must
//! not make a difference. What goes wrong is shrunk to the smallest input that shows it and written as a case for `gridbell plugin test`. The host
//! calls [`certify_in_child`]: the guest runs in a process of its own, limited and killable, at low priority.
//!
//! It must never know the store, the state, a customer's name or number; judge by wall-clock time; or keep anything.

mod certificate;
mod checks;
mod child;
mod customer;
mod days;
mod draw;
mod error;
mod gap;
mod make;
mod parameters;
mod probe;
mod real;
mod request;
mod shrink;
mod subject;
mod trial;

pub use certificate::{Certificate, Check, CheckResult, Counterexample};
pub use child::{CertifierCommand, certify_in_child, child_main};
pub use error::CertifyError;
pub use real::{MAX_REAL, RealCustomers};
pub use request::{Budget, Cancel, CertifyRequest, Progress, Terms};
pub use trial::certify;
