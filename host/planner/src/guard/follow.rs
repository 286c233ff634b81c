//! The next hop of a message that did not come by the one before: the same decision through all guardrails again, with what is true of the customer
//! now. Only that its step was said is no reason, where the message before it is what said it.

use gridbell_model::{CustomerView, Decision, Fen, Guardrail, HoldReason, Topic};

use super::recheck::facts;
use super::{Cleared, Guard, GuardContext, Verdict};

/// What the message before it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// Which hop of the route it went by, from 0.
    pub hop: u8,
    /// The bill, episode or payment that it was about.
    pub business_key: u64,
    /// The amount that its text stated.
    pub stated: Fen,
    /// Whether its step still counts as said: not where it was taken back before it left.
    pub said: bool,
}

impl Guard {
    /// How long each hop of each route waits for a report before the next is due, in minutes, by the plugin's number of the route. The last hop of a
    /// route has none: nothing follows it.
    #[must_use]
    pub fn waits(&self) -> Vec<Vec<u32>> {
        let waits = |hops: &Vec<crate::policy::Hop>| {
            let rest = hops.split_last().map_or(&[][..], |(_, rest)| rest);
            rest.iter().map(|hop| hop.wait_minutes).collect()
        };
        self.routes.iter().map(waits).collect()
    }

    /// The verdict on the next hop behind `earlier`, caps left out. First whether what was decided is still so, then as [`Guard::consider`].
    #[must_use]
    pub fn follow(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
        earlier: &Earlier,
    ) -> Verdict {
        self.verdict(self.clear_hop(decision, view, ctx, earlier), decision, view)
    }

    fn clear_hop(
        &self,
        decision: &Decision,
        view: &CustomerView,
        ctx: &dyn GuardContext,
        earlier: &Earlier,
    ) -> Result<Cleared<'_>, HoldReason> {
        if let Some(changed) = facts(self.topic, earlier.business_key, earlier.stated, view) {
            return Err(changed);
        }
        if self.topic == Topic::PaymentReceived && view.business_key(self.topic) != earlier.business_key {
            // Of a payment that another followed the amount and the day are no more in the customer's view.
            return Err(HoldReason::FactsChanged);
        }
        let station = self.in_scope(view)?;
        self.fresh(view)?;
        let hop = self.hop(decision, view, ctx, earlier.hop.saturating_add(1))?;
        self.consented(view)?;
        self.not_exempt(view)?;
        self.not_closed(view)?;
        match view.said_step(self.topic) {
            // A later step was said meanwhile: this one is history.
            Some(step) if earlier.said && self.is_on(Guardrail::Said) && step > decision.step => {
                return Err(HoldReason::AlreadySaid);
            }
            Some(_) if earlier.said => {}
            _ => self.not_said(decision, view, ctx)?,
        }
        self.cleared(decision, station, hop)
    }
}
