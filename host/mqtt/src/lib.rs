//! Notices for screens to an MQTT 5 broker: one retained message for each notice and community, with an expiry, QoS 1; the only crate that knows
//! MQTT.
//!
//! A player subscribes to `gridbell/screens/<prefecture>/<community>/#`. A message is what its notice says now; an empty one takes the notice down.
//! What is published follows from the notices alone, so that it may be published again at any time: after a kill, after a broker lost what it
//! kept, whenever a connection is new. How far changes were taken is the [`Source`]'s to keep, and is kept only after the broker has them.
//!
//! It must never keep state of its own, nor publish what a screen must not show: payloads come from [`gridbell_screens::Shown`].

mod broker;
mod publisher;
mod session;

pub use broker::{Broker, BrokerTls, MqttError};
pub use publisher::{Publisher, Saved, Source};
pub use session::{ANSWER, WINDOW};
