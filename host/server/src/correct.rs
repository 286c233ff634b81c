//! What the server asks of the conductor about corrections: what one would do, its proposal, its list and what became of it.

use gridbell_conductor::{
    Correction, CorrectionChange, CorrectionEnds, CorrectionOrder, CorrectionPreview, Host, RecipientSeen,
};

use crate::conduct::{ConductError, Pending};

/// Corrections, as the server sees them.
pub trait Correct: Send + Sync {
    /// All of them, newest first.
    fn corrections(&self) -> Vec<Correction>;
    /// One of them.
    ///
    /// # Errors
    /// [`ConductError::NotFound`].
    fn correction(&self, id: u64) -> Result<Correction, ConductError>;
    /// What one would do; changes nothing.
    fn preview_correction(&self, order: CorrectionOrder) -> Pending<'_, CorrectionPreview>;
    /// Takes back what has not left, and proposes to tell the others.
    fn propose_correction(&self, order: CorrectionOrder) -> Pending<'_, Correction>;
    /// What changed since one was proposed that waits.
    fn correction_change(&self, correction: Correction) -> Pending<'_, CorrectionChange>;
    /// How its messages stand.
    fn correction_ends(&self, correction: Correction) -> Pending<'_, CorrectionEnds>;
    /// Its list from the `from`-th customer on; whether there are more.
    fn correction_recipients(
        &self,
        correction: Correction,
        from: usize,
        limit: usize,
    ) -> Pending<'_, (Vec<RecipientSeen>, bool)>;
}

impl Correct for Host {
    fn corrections(&self) -> Vec<Correction> {
        Self::corrections(self)
    }

    fn correction(&self, id: u64) -> Result<Correction, ConductError> {
        Ok(Self::correction(self, id)?)
    }

    fn preview_correction(&self, order: CorrectionOrder) -> Pending<'_, CorrectionPreview> {
        Box::pin(async move { Ok(Self::preview_correction(self, &order).await?) })
    }

    fn propose_correction(&self, order: CorrectionOrder) -> Pending<'_, Correction> {
        Box::pin(async move { Ok(Self::propose_correction(self, &order).await?) })
    }

    fn correction_change(&self, correction: Correction) -> Pending<'_, CorrectionChange> {
        Box::pin(async move { Ok(Self::correction_change(self, &correction).await?) })
    }

    fn correction_ends(&self, correction: Correction) -> Pending<'_, CorrectionEnds> {
        Box::pin(async move { Ok(Self::correction_ends(self, &correction).await?) })
    }

    fn correction_recipients(
        &self,
        correction: Correction,
        from: usize,
        limit: usize,
    ) -> Pending<'_, (Vec<RecipientSeen>, bool)> {
        Box::pin(async move { Ok(Self::correction_recipients(self, &correction, from, limit).await?) })
    }
}
