//! Seeing before: whom a candidate would reach that the live policy would not, over one snapshot of a prefecture, for a moment or for up to 31 days
//! of the policies' own schedules; and what a policy will say to one account.
//!
//! What was said, the day, and the day for which facts are true advance; payments, bills and balances stay as they are, and every answer says so.
//! It must never write: no run, no message, no document comes of it.

mod ask;
mod candidate;
mod compare;
mod foresight;
mod gate;
mod messages;
mod outcome;
mod overlay;
mod preview;
mod seen;
mod simulation;
mod stage;

pub use ask::{Candidate, MAX_PREVIEW_DAYS, PluginChoice, PreviewRequest};
pub use candidate::merge_patch;
pub use foresight::{ForeseeRequest, ForeseenMessage, Foresight, Silence};
pub use gate::{MAX_PREVIEWS_AT_ONCE, PreviewProgress};
pub use outcome::{
    MAX_PREVIEW_SAMPLES, PolicyPreview, PreviewCount, PreviewDifference, PreviewMove, PreviewPlugin, PreviewRun,
    PreviewSample, PreviewTotals,
};
pub use seen::{MAX_SEEN_PREVIEWS, SeenDifference, SeenPreview};
pub use simulation::{MAX_PREVIEW_MESSAGES, MAX_PREVIEW_RUNS};

pub(crate) use gate::Previews;
