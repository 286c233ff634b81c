//! Communities, their screens and the notices on them: what is in force where, in which revision, and what a text for everybody may say.
//!
//! A [`Notice`] is published, corrected and cancelled; each [`Revision`] replaces the one before on every screen, and what is true of all of them is
//! the [`Book`]. Whoever keeps the book writes down what [`Book::publish`], [`Book::correct`] and [`Book::cancel`] come to, and then puts it in.
//! [`alert`](Notice::alert) says the same as Common Alerting Protocol.
//!
//! It must never do I/O or read a clock (times are handed in), and never let personal data onto a screen: everybody on the square reads it.

mod alert;
mod book;
mod change;
mod community;
mod error;
mod notice;
mod text;
mod word;

pub use alert::{AlertName, Said, Shown, check_sender};
pub use book::Book;
pub use change::{CancelOrder, NoticeOrder};
pub use community::{
    Community, CommunityKey, Contact, ContactRole, MAX_CONTACTS, MAX_MEMBERS, MAX_SCREENS, Private, Screen, ScreenId,
    ScreenKind,
};
pub use error::Error;
pub use notice::{
    Cancellation, Content, MAX_DAYS, MAX_IN_FORCE, MAX_PLACES, MAX_REVISIONS, Notice, NoticeId, NoticeState, Place,
    Revision,
};
pub use text::{MAX_BODY, MAX_NAME, MAX_TITLE, MAX_WHY, SERVICE_NUMBER, personal};
pub use word::{Certainty, Kind, Severity, Urgency};
