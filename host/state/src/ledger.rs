//! How bills, payments and balances change a customer: what is owed, since when, and when an episode of a low balance ends. Deterministic:
//! the same facts in the same order on the same days give the same columns.

use gridbell_model::{Fen, Traits};

use crate::beside::{OpenBill, Waiting};
use crate::columns::{PAGE_ROWS, PAYMENT_SAID, TERM_BESIDE, TERM_SHIFT};
use crate::facts::{BalanceFact, BillFact, FactReject, PaymentFact};
use crate::prefecture::{Applied, Prefecture};

/// Balance at which an episode ends for a customer without a threshold of its own, where the policy that warned has no parameter `threshold`, in
/// fen: 30 yuan.
pub const DEFAULT_THRESHOLD: u32 = 3_000;
/// For how long a payment's id is remembered beyond the latest one, so that a file told again changes nothing; a payment that is older still
/// cannot be told from one that was counted already and is refused. So long a payment waits for a run too: a billing month and a half.
pub const PAYMENT_MEMORY_DAYS: i32 = 45;

impl Prefecture {
    /// The open bills of `row`, oldest first.
    pub(crate) fn open_bills(&self, row: u32) -> Vec<OpenBill> {
        if let Some(extra) = self.beside.extras.get(&row)
            && !extra.bills.is_empty()
        {
            return extra.bills.clone();
        }
        let (c, at) = self.chunk(row);
        if c.arrears[at] == 0 {
            return Vec::new();
        }
        vec![OpenBill {
            period: c.arrears_period[at],
            amount: c.bill_amount[at],
            outstanding: c.arrears[at],
            late_fee_from: c.late_fee_from[at],
        }]
    }

    /// Writes open bills back: into the columns alone where they can say it, else beside them.
    fn set_open_bills(&mut self, row: u32, bills: Vec<OpenBill>) {
        let (chunk, at) = self.edit(row);
        let total: i64 = bills.iter().map(|b| b.outstanding).sum();
        let oldest = bills.first().copied();
        if chunk.arrears_period[at] != oldest.map_or(0, |b| b.period) {
            chunk.reminded_step[at] = 0;
        }
        chunk.arrears[at] = total;
        chunk.arrears_period[at] = oldest.map_or(0, |b| b.period);
        chunk.late_fee_from[at] = oldest.map_or(i32::MIN, |b| b.late_fee_from);
        chunk.months_owed[at] = u8::try_from(bills.len()).unwrap_or(u8::MAX);
        let columns_say_it = match bills[..] {
            [] => true,
            [one] => one.period == chunk.bill_period[at] && one.amount == chunk.bill_amount[at],
            _ => false,
        };
        let extra = self.beside.extras.entry(row).or_default();
        extra.bills = if columns_say_it { Vec::new() } else { bills };
        if extra.is_empty() {
            self.beside.extras.remove(&row);
        }
    }

    pub(crate) fn apply_bill(&mut self, fact: &BillFact) -> Result<Applied, FactReject> {
        let row = self.row_of(fact.account).ok_or(FactReject::UnknownAccount)?;
        let (c, at) = self.chunk(row);
        let mut bills = self.open_bills(row);
        if fact.period == c.bill_period[at] && fact.amount.0 == c.bill_amount[at] {
            return Ok(self.told_again(row, fact.as_of.0));
        }
        if let Some(open) = bills.iter_mut().find(|b| b.period == fact.period) {
            if open.amount == fact.amount.0 {
                return Ok(self.told_again(row, fact.as_of.0));
            }
            // A re-bill: what was paid on it stays paid.
            open.outstanding = (open.outstanding + fact.amount.0 - open.amount).max(0);
            open.amount = fact.amount.0;
            open.late_fee_from = fact.late_fee_from.0;
        } else if fact.period > c.bill_period[at] {
            if fact.amount > Fen::ZERO {
                bills.push(OpenBill {
                    period: fact.period,
                    amount: fact.amount.0,
                    outstanding: fact.amount.0,
                    late_fee_from: fact.late_fee_from.0,
                });
            }
        } else if fact.period == c.bill_period[at] {
            // The latest bill, settled already, is issued again with another amount: only a surplus is owed.
            let due = fact.amount.0 - c.bill_amount[at];
            if due > 0 {
                bills.push(OpenBill {
                    period: fact.period,
                    amount: fact.amount.0,
                    outstanding: due,
                    late_fee_from: fact.late_fee_from.0,
                });
            }
        } else {
            return Err(FactReject::Outdated);
        }
        bills.retain(|b| b.outstanding > 0);
        let (c, at) = self.edit(row);
        let rebilled = fact.period == c.bill_period[at];
        c.traits[at] = Traits(c.traits[at]).with(Traits::REBILLED, rebilled).0;
        if fact.period >= c.bill_period[at] {
            if !rebilled {
                c.bill_said[at] = 0;
            }
            c.bill_period[at] = fact.period;
            c.bill_issued[at] = fact.issued.0;
            c.bill_amount[at] = fact.amount.0;
            c.bill_kwh[at] = fact.kwh;
            self.keep_late_fee_date(row, fact.late_fee_from.0);
        }
        let (c, at) = self.edit(row);
        c.arrears_as_of[at] = c.arrears_as_of[at].max(fact.as_of.0);
        self.set_open_bills(row, bills);
        Ok(Applied::Changed)
    }

    /// The same bill told again: what is owed is true for a later day then, as a balance that was computed again. Reminders of an unpaid bill
    /// would be held as stale otherwise, however often the billing system says that it is unpaid still.
    fn told_again(&mut self, row: u32, as_of: i32) -> Applied {
        let (c, at) = self.chunk(row);
        if c.arrears_as_of[at] >= as_of {
            return Applied::Unchanged;
        }
        let (c, at) = self.edit(row);
        c.arrears_as_of[at] = as_of;
        Applied::Changed
    }

    /// Keeps the late-fee date of the latest bill for when a reversal reopens it: as its term where that fits, else beside the columns.
    fn keep_late_fee_date(&mut self, row: u32, date: i32) {
        let (c, at) = self.edit(row);
        let term = i64::from(date) - i64::from(c.bill_issued[at]) + 1;
        let fits = u8::try_from(term).ok().filter(|t| (1..TERM_BESIDE).contains(t));
        c.flags[at] = c.flags[at] & PAYMENT_SAID | fits.unwrap_or(TERM_BESIDE) << TERM_SHIFT;
        match fits {
            Some(_) => self.beside.late_fee_dates.remove(&row),
            None => self.beside.late_fee_dates.insert(row, date),
        };
    }

    /// The late-fee date of the latest bill, settled or not. Data of format 1 did not keep it of settled ones: then it is the day of issue.
    fn latest_late_fee_date(&self, row: u32) -> i32 {
        let (c, at) = self.chunk(row);
        match c.flags[at] >> TERM_SHIFT {
            0 => c.bill_issued[at],
            TERM_BESIDE => self.beside.late_fee_dates.get(&row).copied().unwrap_or(c.bill_issued[at]),
            term => c.bill_issued[at] + i32::from(term) - 1,
        }
    }

    /// Takes a payment or a reversal that came in at `seq` on the day `today`.
    pub(crate) fn apply_payment(&mut self, fact: &PaymentFact, seq: u64, today: i32) -> Result<Applied, FactReject> {
        self.drop_waiting(today);
        let row = self.row_of(fact.account).ok_or(FactReject::UnknownAccount)?;
        let (c, at) = self.chunk(row);
        let (latest, latest_on) = (c.payment_key[at], c.paid_on[at]);
        let earlier = self.beside.extras.get(&row).map_or(&[][..], |e| &e.payments);
        if latest == fact.key || earlier.iter().any(|(key, _)| *key == fact.key) {
            return Ok(Applied::Unchanged);
        }
        let remembered_from = latest_on.saturating_sub(PAYMENT_MEMORY_DAYS);
        if latest != 0 && fact.paid_on.0 < remembered_from {
            return Err(FactReject::Outdated);
        }
        let mut bills = self.open_bills(row);
        let (period, amount) = (c.bill_period[at], c.bill_amount[at]);
        if c.flags[at] >> TERM_SHIFT == 0
            && let Some(open) = bills.iter().find(|b| b.period == period)
        {
            // Data of format 1: the date is known as long as the bill is open.
            self.keep_late_fee_date(row, open.late_fee_from);
        }
        let (c, at) = self.chunk(row);
        let mut rest = fact.amount.0;
        if rest > 0 {
            for bill in &mut bills {
                let part = rest.min(bill.outstanding);
                bill.outstanding -= part;
                rest -= part;
            }
            bills.retain(|b| b.outstanding > 0);
        } else if rest < 0 && c.balance[at] < -rest && period != 0 {
            // A reversal reopens the latest bill; what lies on the balance covers it first.
            let late_fee_from = self.latest_late_fee_date(row);
            match bills.iter_mut().find(|b| b.period == period) {
                Some(open) => open.outstanding -= rest,
                None => bills.push(OpenBill { period, amount, outstanding: -rest, late_fee_from }),
            }
            rest = 0;
        }
        if fact.paid_on.0 >= latest_on {
            self.remember_payment(row, latest, latest_on, fact.paid_on.0);
            let (c, at) = self.edit(row);
            c.paid_amount[at] = fact.amount.0;
            c.paid_on[at] = fact.paid_on.0;
            c.payment_key[at] = fact.key;
            c.flags[at] &= !PAYMENT_SAID;
        } else {
            // Entered late: what is known of a newer one stays.
            self.remember_payment(row, fact.key, fact.paid_on.0, latest_on);
        }
        self.set_open_bills(row, bills);
        let (c, at) = self.chunk(row);
        let balance = c.balance[at].saturating_add(rest);
        self.set_balance(row, balance);
        self.wait(row, fact, seq, today);
        Ok(Applied::Changed)
    }

    /// Keeps a payment that is not the latest, and forgets those that are too old to be told again. `newest` is the day of the latest.
    fn remember_payment(&mut self, row: u32, key: u64, on: i32, newest: i32) {
        let oldest = newest.saturating_sub(PAYMENT_MEMORY_DAYS);
        let extra = self.beside.extras.entry(row).or_default();
        extra.payments.retain(|(_, day)| *day >= oldest);
        if key != 0 && on >= oldest {
            extra.payments.push((key, on));
        }
        if extra.is_empty() {
            self.beside.extras.remove(&row);
        }
    }

    /// A payment waits for a run to tell of it; a reversal takes the newest of the same amount back before that.
    fn wait(&mut self, row: u32, fact: &PaymentFact, seq: u64, today: i32) {
        if fact.amount > Fen::ZERO {
            if fact.paid_on.0 >= today.saturating_sub(PAYMENT_MEMORY_DAYS) {
                let payment = Waiting { seq, amount: fact.amount.0, paid_on: fact.paid_on.0 };
                self.beside.waiting.insert((row, fact.key), payment);
            }
            return;
        }
        let of_row = self.beside.waiting.range((row, 0)..=(row, u64::MAX));
        let same = of_row.filter(|(_, w)| w.amount == -fact.amount.0);
        if let Some(reversed) = same.max_by_key(|((_, key), w)| (w.paid_on, w.seq, *key)).map(|(at, _)| *at) {
            self.beside.waiting.remove(&reversed);
        }
    }

    /// The latest payment of `row`, which came in at `seq`, waits for a run.
    pub(crate) fn latest_waits(&mut self, row: u32, seq: u64) {
        let Some(view) = self.view(row).filter(|v| v.payment_key != 0 && v.paid_amount > Fen::ZERO) else { return };
        let payment = Waiting { seq, amount: view.paid_amount.0, paid_on: view.paid_on.0 };
        self.beside.waiting.insert((row, view.payment_key), payment);
        self.dirty.insert(row / PAGE_ROWS as u32);
    }

    /// Payments up to `seq` that no run has seen, in order of row, then of day and arrival.
    pub(crate) fn waiting_payments(&self, seq: u64) -> Vec<(u32, u64, Waiting)> {
        let waiting = self.beside.waiting.iter().filter(|(_, w)| w.seq <= seq);
        let mut waiting: Vec<_> = waiting.map(|((row, key), w)| (*row, *key, *w)).collect();
        waiting.sort_unstable_by_key(|(row, key, w)| (*row, w.paid_on, w.seq, *key));
        waiting
    }

    /// Drops payments that waited too long for a run, once a day: where no policy tells of payments they would gather.
    fn drop_waiting(&mut self, today: i32) {
        if self.dropped_waiting_on != today {
            self.dropped_waiting_on = today;
            let oldest = today.saturating_sub(PAYMENT_MEMORY_DAYS);
            self.retain_waiting(|_, waiting| waiting.paid_on >= oldest);
        }
    }

    /// Ends the wait of payments that came in up to `seq`: a published run has seen them. Rows that are `covered` know it already.
    pub(crate) fn payments_seen(&mut self, seq: u64, covered: impl Fn(u32) -> bool) {
        self.retain_waiting(|row, waiting| waiting.seq > seq || covered(row));
    }

    fn retain_waiting(&mut self, keep: impl Fn(u32, &Waiting) -> bool) {
        let dirty = &mut self.dirty;
        self.beside.waiting.retain(|(row, _), waiting| {
            let kept = keep(*row, waiting);
            if !kept {
                dirty.insert(row / PAGE_ROWS as u32);
            }
            kept
        });
    }

    pub(crate) fn apply_balance(&mut self, fact: &BalanceFact) -> Result<Applied, FactReject> {
        let row = self.row_of(fact.account).ok_or(FactReject::UnknownAccount)?;
        let (c, at) = self.chunk(row);
        if fact.as_of.0 < c.balance_as_of[at] {
            return Err(FactReject::Outdated);
        }
        let traits = Traits(c.traits[at]);
        let pending = fact.debit_pending.unwrap_or(traits.has(Traits::DEBIT_PENDING));
        let traits = traits.with(Traits::DEBIT_PENDING, pending).0;
        if fact.as_of.0 == c.balance_as_of[at] && fact.balance.0 == c.balance[at] && traits == c.traits[at] {
            return Ok(Applied::Unchanged);
        }
        let (c, at) = self.edit(row);
        c.traits[at] = traits;
        c.balance_as_of[at] = fact.as_of.0;
        self.set_balance(row, fact.balance.0);
        Ok(Applied::Changed)
    }

    fn set_balance(&mut self, row: u32, balance: i64) {
        let (c, at) = self.edit(row);
        c.balance[at] = balance;
        c.balance_episode[at] = c.balance_episode[at].max(1);
        self.end_episode(row);
    }

    /// Ends the episode of a customer who was warned and whose balance is back at the threshold: its own, else that of the policy that warned.
    /// Where nothing was said there is nothing that must not be said again, and no episode to end.
    pub(crate) fn end_episode(&mut self, row: u32) {
        let (c, at) = self.chunk(row);
        if c.balance_said[at] == 0 {
            return;
        }
        let own = Some(c.threshold[at]).filter(|t| *t != u32::MAX);
        // Data of format 1 did not keep the policy's.
        let of_policy = || self.beside.warned_below.get(&row).copied().unwrap_or(DEFAULT_THRESHOLD);
        if c.balance[at] < i64::from(own.unwrap_or_else(of_policy)) {
            return;
        }
        self.beside.warned_below.remove(&row);
        let (c, at) = self.edit(row);
        // The counter wraps past 65 535 to 1: only neighbouring episodes are ever compared.
        c.balance_episode[at] = c.balance_episode[at].checked_add(1).unwrap_or(1);
        c.balance_said[at] = 0;
    }
}
