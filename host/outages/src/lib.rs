//! Outages: their life from draft to restoration, what each customer was told of them and what is owed to him, fault reports, answers, evidence.
//!
//! An [`Outage`] is drafted, approved by a second person, published, changed, begun, restored part by part and in whole, or cancelled; every
//! [`Revision`] is kept with who and why, and what is true of all is the [`Book`]. Whoever keeps the book writes down what a step
//! ([`Book::draft`], [`Book::approve`], [`Book::publish`], [`Book::change`] …) comes to, [puts it in](Book::put) and says
//! [whom it concerns](Book::set_affected), which [`Revision::affected`] asks of whoever knows the grid ([`Reach`]).
//!
//! Telling people goes so: when an outage is [due](Book::due), take its [`trigger`](Book::trigger), go through its
//! [`listeners`](Book::listeners) and all who were told of it before, and for each ask one [`Judge`] what is [owed](Judge::owed), given the
//! [hits](Book::hits) of all outages on him and what he was [told](Told). Take back what it says is to be [recalled](Judge::recalls), send what is to be told with its
//! [`Facts`] kept as a [`Told`], and at last [mark](Book::told) the revision as told. Judging looks at what he believes against what is true, so that doing
//! it again after a crash, or after a message failed, says only what is still missing. Vectors for hits and the judge's room are used again
//! from customer to customer.
//!
//! It must never do I/O, read a clock or know the grid (moments and sets of customers are handed in), never let personal data into a reason, and
//! never leave somebody in the belief of a cut that is not.

mod answer;
mod book;
mod change;
mod error;
mod evidence;
mod facts;
mod lead;
mod life;
mod outage;
mod owed;
mod report;
mod scope;
mod text;
mod word;

pub use answer::{About, Answer, Was};
pub use book::{Book, FOLD_MS, Listener, MAX_FOLD_MS, MAX_KEPT, MAX_OPEN};
pub use change::{DraftOrder, StepOrder};
pub use error::Error;
pub use evidence::{COLUMNS, Case as EvidenceCase, Evidence, Row};
pub use facts::{Facts, Stretch, Told};
pub use lead::{LeadRule, LeadRules, MAX_RULES};
pub use life::may_follow;
pub use outage::{
    Approval, Content, CrewEvent, Head, MAX_AHEAD_DAYS, MAX_DAYS, MAX_EVENTS, MAX_REVISIONS, Outage, OutageId,
    Revision, ShortNotice, Shortfall,
};
pub use owed::{Case, Hit, Judge, Owed, Telling, Trigger, Verdict};
pub use report::{MAX_REPORTS, ProposalRule, Report, ReportId, ReportOrder, SYSTEM};
pub use scope::{Affected, Concerned, MAX_SCOPE, Reach, Scope};
pub use text::{MAX_REASON, MAX_WHAT, MAX_WHY};
pub use word::{Change, Class, Crew, Kind, Level, Phase, Quiet, Receipt, Say, Step, Via};
