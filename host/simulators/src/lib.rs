//! Simulated gateways and a simulated province, for the demo and the tests.

pub mod cmpp;
pub mod province;
pub mod sgip;
pub mod smgp;
pub mod sms;
