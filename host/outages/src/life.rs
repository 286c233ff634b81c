//! The life of an outage: what may follow what. One table; every other step is refused with what may follow.

use crate::error::Error;
use crate::outage::Outage;
use crate::word::{Phase, Step};

/// What may be done in each phase. [`Step::Publish`] of a draft is for kinds that need no approval alone: see [`may_follow`].
const LIFE: &[(Phase, &[Step])] = &[
    (Phase::Draft, &[Step::Edit, Step::Approve, Step::Cancel]),
    // An edit makes it a draft again; a second approval replaces the first, with another word on short notice.
    (Phase::Approved, &[Step::Edit, Step::Approve, Step::Publish, Step::Cancel]),
    (Phase::Published, &[Step::Change, Step::Begin, Step::Cancel]),
    (Phase::InProgress, &[Step::Change, Step::RestorePart, Step::Restore, Step::Cancel]),
    (Phase::PartlyRestored, &[Step::Change, Step::RestorePart, Step::Restore, Step::Cancel]),
    (Phase::Restored, &[]),
    (Phase::Cancelled, &[]),
];

/// What may be done with a draft that needs no second person.
const AT_ONCE: &[Step] = &[Step::Edit, Step::Publish, Step::Cancel];

/// What may follow.
#[must_use]
pub fn may_follow(phase: Phase, needs_approval: bool) -> &'static [Step] {
    if phase == Phase::Draft && !needs_approval {
        return AT_ONCE;
    }
    LIFE.iter().find(|(p, _)| *p == phase).map_or(&[], |(_, steps)| steps)
}

impl Outage {
    /// What may be done with it.
    #[must_use]
    pub fn may(&self) -> &'static [Step] {
        may_follow(self.phase(), self.head.kind.needs_approval())
    }

    pub(crate) fn allow(&self, step: Step) -> Result<(), Error> {
        let may = self.may();
        if may.contains(&step) {
            return Ok(());
        }
        Err(Error::Step { id: self.id(), phase: self.phase(), step, may })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_phase_has_its_row_and_only_what_is_over_ends() {
        for phase in Phase::ALL {
            assert_eq!(LIFE.iter().filter(|(p, _)| p == phase).count(), 1, "{phase:?}");
            for needs_approval in [true, false] {
                assert_eq!(may_follow(*phase, needs_approval).is_empty(), phase.is_over(), "{phase:?}");
            }
        }
        assert!(!may_follow(Phase::Draft, true).contains(&Step::Publish), "a planned outage needs a second person");
    }
}
