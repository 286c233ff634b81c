//! Notices for community screens as Common Alerting Protocol 1.2 (OASIS Standard, July 2010), and an Atom feed of those in force.
//!
//! An [`Alert`] is checked when it is written ([`Alert::xml`]): what comes out is valid against the standard's schema, its times in Shanghai.
//! An update or a cancellation carries [`References`](Kind) to what it replaces, which is what a correction is; a [`Feed`] shows neither what
//! was replaced nor what has expired.
//!
//! It must never do I/O or read a clock, and holds no personal data: everybody on the square reads it.

mod alert;
mod error;
mod feed;
mod write;

pub use alert::{
    Alert, Area, Category, Certainty, Geocode, Info, Kind, MAX_AREAS, MAX_CATEGORIES, MAX_GEOCODES, MAX_REFERENCES,
    MAX_TEXT, Reference, ResponseType, Scope, Severity, Status, Urgency,
};
pub use error::Error;
pub use feed::{Entry, Feed, MAX_ENTRIES};

/// The namespace of CAP 1.2.
pub const NAMESPACE: &str = "urn:oasis:names:tc:emergency:cap:1.2";

/// What an alert is served as.
pub const ALERT_TYPE: &str = "application/cap+xml";

/// What a feed is served as.
pub const FEED_TYPE: &str = "application/atom+xml";
