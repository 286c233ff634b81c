//! Simulated gateways and a simulated province, for the demo and the tests.

pub mod alipay;
pub mod cmpp;
pub mod http_sms;
mod not_theirs;
pub mod province;
pub mod sgip;
pub mod smgp;
pub mod sms;
pub mod web;
pub mod wechat;

pub use not_theirs::NotTheirs;
