//! Daily caps per customer and per phone number. They count across customers, so they are asked one decision after another.
//!
//! Accounts whose messages may leave as one count once for their number, however many they are: what a cap protects is a person from messages. They
//! are told apart by what their text says; if that changes until they leave, each goes by itself, since it was promised.

use gridbell_model::{Date, HoldReason, Sharing, TopicClass};
use rustc_hash::FxHashMap;

use super::{GuardContext, Planned};
use crate::policy::Caps;
use crate::template::MAX_TOGETHER;

/// What a run queued so far, on top of what the context knows. A message counts on the day on which it may first go.
#[derive(Debug)]
pub struct DayCaps {
    caps: Caps,
    class: TopicClass,
    customers: FxHashMap<(u32, Date), u16>,
    phones: FxHashMap<(u64, Date), u16>,
    /// Messages that the last one that counts for its number may tell, itself included.
    together: FxHashMap<(u64, Date, u64), usize>,
}

impl DayCaps {
    pub(super) fn new(caps: Caps, class: TopicClass) -> Self {
        let (customers, phones, together) = (FxHashMap::default(), FxHashMap::default(), FxHashMap::default());
        Self { caps, class, customers, phones, together }
    }

    /// Counts `planned`, unless a cap is reached. Whether it may share a message, and whether it is one that counts for its number.
    ///
    /// # Errors
    /// The cap that is reached; nothing is counted then.
    pub fn admit(&mut self, planned: &Planned, ctx: &dyn GuardContext) -> Result<Sharing, HoldReason> {
        let phone = if planned.channel.goes_to_number() { planned.phone.number() } else { 0 };
        self.admit_one(planned.row, (phone, planned.shares), planned.not_before.date(), ctx)
    }

    /// Whether anything is counted at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.caps == Caps::default()
    }

    /// Counts a message on `date` to the customer at `row` and the phone number (0 for none), unless a cap is reached; with the number
    /// [`Planned::shares`].
    ///
    /// # Errors
    /// As [`DayCaps::admit`].
    pub fn admit_one(
        &mut self,
        row: u32,
        (phone, shares): (u64, Option<u64>),
        date: Date,
        ctx: &dyn GuardContext,
    ) -> Result<Sharing, HoldReason> {
        let shares = shares.filter(|_| phone != 0).map(|shares| (phone, date, shares));
        let with = shares.and_then(|key| self.together.get(&key)).copied().unwrap_or(0);
        let rides = (1..MAX_TOGETHER).contains(&with);
        if !self.is_none() {
            self.count(row, phone, date, rides, ctx)?;
        }
        let Some(key) = shares else { return Ok(Sharing::Alone) };
        self.together.insert(key, if rides { with + 1 } else { 1 });
        Ok(if rides { Sharing::Rides } else { Sharing::Counted })
    }

    fn count(
        &mut self,
        row: u32,
        phone: u64,
        date: Date,
        rides: bool,
        ctx: &dyn GuardContext,
    ) -> Result<(), HoldReason> {
        let told = ctx.told(row, phone, date, self.class);
        let customer = self.customers.entry((row, date)).or_default();
        if self.caps.per_customer.is_some_and(|cap| customer.saturating_add(told.customer) >= cap) {
            return Err(HoldReason::CustomerCap);
        }
        if let Some(cap) = self.caps.per_phone.filter(|_| phone != 0 && !rides) {
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
