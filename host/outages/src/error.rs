//! What can be wrong with an outage, a fault report or their rules.

use crate::outage::OutageId;
use crate::report::ReportId;
use crate::word::{Phase, Step};

/// Every failure of this crate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A field breaks a rule.
    #[error("field `{field}` {why}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong, and what to do.
        why: String,
    },
    /// There is no such outage.
    #[error("there is no outage `{0}`")]
    NoOutage(OutageId),
    /// There is no such fault report.
    #[error("there is no fault report `{0}`")]
    NoReport(ReportId),
    /// The step cannot follow.
    #[error("outage `{id}` is {} ({}): `{}` cannot follow; what can: {}", phase.word(), phase.chinese(), step.word(), named(may))]
    Step {
        /// Which.
        id: OutageId,
        /// How it stands.
        phase: Phase,
        /// What was wanted.
        step: Step,
        /// What may follow.
        may: &'static [Step],
    },
    /// Somebody changed it meanwhile.
    #[error("outage `{id}` is at edition {found}, not {expected}; read it again and repeat the step")]
    Changed {
        /// Which.
        id: OutageId,
        /// The edition that the caller has read.
        expected: u32,
        /// The one that it has.
        found: u32,
    },
    /// Only another person may approve.
    #[error("`{by}` wrote outage `{id}` and cannot approve it; another person must (需他人审批)")]
    OwnWork {
        /// Which.
        id: OutageId,
        /// Who.
        by: String,
    },
    /// It would be announced too late.
    #[error(
        "it would be announced {had} minutes ahead, the rule asks for {needed}; choose a later time, or have somebody else approve the short notice with a reason (提前通知时间不足)"
    )]
    ShortNotice {
        /// Minutes that the rule asks for.
        needed: u32,
        /// Minutes that are left; 0 where it has begun.
        had: u32,
    },
    /// It does not fit.
    #[error("{0}")]
    Full(String),
}

fn named(steps: &[Step]) -> String {
    if steps.is_empty() {
        return "nothing".to_owned();
    }
    steps.iter().map(|s| s.word()).collect::<Vec<_>>().join(", ")
}

impl Error {
    pub(crate) fn field(field: &'static str, why: impl Into<String>) -> Self {
        Self::Field { field, why: why.into() }
    }
}
