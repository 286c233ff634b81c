//! What a rule answers about one customer.

use crate::value::CivilMinute;

/// A notice, or why there is none; either way the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer<Reason> {
    /// Which branch of the rule answered.
    pub reason: Reason,
    /// What to say, if anything.
    pub say: Option<Say>,
}

/// A notice under construction: made by `Notice::name(…)`, ended by [`Say::because`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Say {
    /// Index of the notice in the manifest.
    pub notice: u16,
    /// Step of an escalation, from 1.
    pub step: u8,
    /// Index of the route in the manifest.
    pub route: u16,
    /// First number for the template.
    pub arg0: i64,
    /// Second number for the template.
    pub arg1: i64,
    /// Not to be sent before.
    pub not_before: CivilMinute,
    /// Worthless after.
    pub expires: CivilMinute,
}

impl Say {
    /// A notice by its index: step 1, first route, as soon as a window allows. `Notice::name(…)` calls this.
    #[must_use]
    #[inline]
    pub fn notice(notice: u16, arg0: i64, arg1: i64) -> Self {
        let none = CivilMinute::NONE;
        Self { notice, step: 1, route: 0, arg0, arg1, not_before: none, expires: none }
    }

    /// Which step of an escalation it is, from 1. The host says each step once about the same bill, episode or payment.
    #[must_use]
    #[inline]
    pub fn step(self, step: u8) -> Self {
        Self { step, ..self }
    }

    /// By another route than the first: `Route::Name`.
    #[must_use]
    #[inline]
    pub fn via(self, route: impl Into<u16>) -> Self {
        Self { route: route.into(), ..self }
    }

    /// Not before this minute.
    #[must_use]
    #[inline]
    pub fn not_before(self, minute: CivilMinute) -> Self {
        Self { not_before: minute, ..self }
    }

    /// Dropped if it could not be sent before this minute.
    #[must_use]
    #[inline]
    pub fn expires(self, minute: CivilMinute) -> Self {
        Self { expires: minute, ..self }
    }

    /// Says it, and why.
    #[must_use]
    #[inline]
    pub fn because<Reason>(self, reason: Reason) -> Answer<Reason> {
        Answer { reason, say: Some(self) }
    }
}

/// Says nothing, and why.
#[must_use]
#[inline]
pub fn skip<Reason>(reason: Reason) -> Answer<Reason> {
    Answer { reason, say: None }
}
