//! Daily caps per customer and per phone number. They count across customers, so they are asked one decision after another.

use gridbell_model::{Date, HoldReason, TopicClass};
use rustc_hash::FxHashMap;

use super::{GuardContext, Planned};
use crate::policy::Caps;

/// What a run queued so far, on top of what the context knows. A message counts on the day on which it may first go.
#[derive(Debug)]
pub struct DayCaps {
    caps: Caps,
    class: TopicClass,
    customers: FxHashMap<(u32, Date), u16>,
    phones: FxHashMap<(u64, Date), u16>,
}

impl DayCaps {
    pub(super) fn new(caps: Caps, class: TopicClass) -> Self {
        Self { caps, class, customers: FxHashMap::default(), phones: FxHashMap::default() }
    }

    /// Counts `planned`, unless a cap is reached.
    ///
    /// # Errors
    /// The cap that is reached; nothing is counted then.
    pub fn admit(&mut self, planned: &Planned, ctx: &dyn GuardContext) -> Result<(), HoldReason> {
        let phone = if planned.channel.goes_to_number() { planned.phone.number() } else { 0 };
        self.admit_one(planned.row, phone, planned.not_before.date(), ctx)
    }

    /// Whether anything is counted at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.caps == Caps::default()
    }

    /// Counts a message on `date` to the customer at `row` and the phone number (0 for none), unless a cap is reached.
    ///
    /// # Errors
    /// As [`DayCaps::admit`].
    pub fn admit_one(&mut self, row: u32, phone: u64, date: Date, ctx: &dyn GuardContext) -> Result<(), HoldReason> {
        if self.is_none() {
            return Ok(());
        }
        let told = ctx.told(row, phone, date, self.class);
        let customer = self.customers.entry((row, date)).or_default();
        if self.caps.per_customer.is_some_and(|cap| customer.saturating_add(told.customer) >= cap) {
            return Err(HoldReason::CustomerCap);
        }
        if let Some(cap) = self.caps.per_phone.filter(|_| phone != 0) {
            let count = self.phones.entry((phone, date)).or_default();
            if count.saturating_add(told.phone) >= cap {
                return Err(HoldReason::PhoneCap);
            }
            *count = count.saturating_add(1);
        }
        *customer = customer.saturating_add(1);
        Ok(())
    }
}
