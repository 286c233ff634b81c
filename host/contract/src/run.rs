//! What every batch of one run shares.

use gridbell_model::{CivilMinute, PrefectureCode};

use crate::registry::{FactId, TriggerId};
use crate::workdays::Workdays;

/// A number about the trigger.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fact {
    /// Which fact.
    pub id: FactId,
    /// Its value in the registry's unit.
    pub value: i64,
}

/// What every batch of one run shares; the WIT record `run`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// Whose customers are decided about.
    pub prefecture: PrefectureCode,
    /// Civil time of the decision.
    pub now: CivilMinute,
    /// Why the run happens.
    pub trigger: TriggerId,
    /// Name of the schedule in the policy, where the trigger is one; else empty.
    pub schedule: String,
    /// Numbers about the trigger.
    pub facts: Vec<Fact>,
    /// JSON text of the parameters as [`crate::Manifest::check_parameters`] returned them: valid, defaults filled in.
    pub params: String,
    /// Working days around the run.
    pub workdays: Workdays,
}
