//! What would become of a decision, without its text: for previews, which count many and show few. The checks are those of a run, in the same
//! order; only the rendering is left out.

use gridbell_model::{Channel, CivilMinute, CustomerView, Decision, HoldReason};

use super::{Guard, GuardContext};
use crate::template::RenderError;

/// A message as it would be queued, but for its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreseen {
    /// Where it would go.
    pub channel: Channel,
    /// The first minute at which it may go.
    pub not_before: CivilMinute,
    /// From this minute on it is worthless.
    pub expires: CivilMinute,
    /// Parts that a carrier counts; 1 on other channels.
    pub parts: u8,
    /// What it costs, in thousandths of a fen.
    pub cost_milli_fen: u32,
    /// With the step: not twice.
    pub business_key: u64,
    /// As [`super::Planned::shares`].
    pub shares: Option<u64>,
}

impl Guard {
    /// The same guardrails at another moment. Cheap: texts, units and routes are shared.
    #[must_use]
    pub fn at(&self, now: CivilMinute) -> Self {
        Self { now, ..self.clone() }
    }

    /// As [`Guard::consider`], without the text. `scratch` is kept from call to call.
    ///
    /// # Errors
    /// Why the decision would be held.
    pub fn foresee(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
        scratch: &mut String,
    ) -> Result<Foreseen, HoldReason> {
        let cleared = self.clear(decision, view, ctx)?;
        let facts = self.facts(decision, view, cleared.station);
        let shares = self.shares(&cleared, decision, &facts);
        let size = cleared
            .text
            .size(&facts, self.cost_per_part_milli_fen, scratch)
            .map_err(|_: RenderError| HoldReason::RenderFailed)?;
        Ok(Foreseen {
            channel: cleared.channel,
            not_before: cleared.not_before,
            expires: cleared.expires,
            parts: size.parts,
            cost_milli_fen: size.cost_milli_fen,
            business_key: view.business_key(self.topic),
            shares,
        })
    }
}
