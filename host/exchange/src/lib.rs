//! HTTP/1.1 with platforms: calls that are bounded in every direction ([`Client`]), and a small server ([`serve()`]) for the platforms that the
//! simulators play.
//!
//! The only crate beside `server` that knows hyper. It has no framework: a platform's interface is one POST to one place, and everything
//! that a framework would add (redirections, cookies, proxies, decompression) is something that must not happen here.
//!
//! It must never follow a redirection, repeat what may have left, read more than its bounds, skip the verification of a certificate, or
//! say in an error or a log what was sent to whom.

mod client;
mod error;
mod origin;
mod serve;
mod tls;

pub use client::{CALL_LIMIT, CONNECT_LIMIT, Client, IDLE_LIMIT, MAX_CONNECTIONS, MAX_IDLE};
pub use error::ExchangeError;
pub use origin::Origin;
pub use serve::{Handler, Incoming, MAX_BODY, MAX_SERVED, Reply, serve};
pub use tls::Trust;
