//! One prefecture's customers in memory, and how a fact changes them. Deterministic: the same facts in the same order give the same columns.
//! Never touches the store, reads no clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gridbell_model::{
    AccountNumber, CHUNK_ROWS, CustomerView, Date, Fen, OrgCode, Phone, PhoneClass, Preferences, Topic, Traits,
};
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::columns::{Chunk, PAGE_ROWS};
use crate::facts::{BalanceFact, BillFact, CustomerChange, CustomerFact, FactReject, PaymentFact};

/// Balance under which an episode begins for a customer without a threshold of its own, in fen: 30 yuan.
pub const DEFAULT_THRESHOLD: u32 = 3_000;
/// For how long a payment's id is remembered beyond the latest one, so that a file told again changes nothing: a billing month and a half.
pub const PAYMENT_MEMORY_DAYS: i32 = 45;

/// One unpaid bill of a customer that has several, or whose oldest is not its latest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct OpenBill {
    pub(crate) period: u32,
    pub(crate) amount: i64,
    pub(crate) outstanding: i64,
    pub(crate) late_fee_from: i32,
}

/// What few customers have, kept beside the columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Extra {
    /// All open bills, oldest first; empty when the columns alone say it.
    pub(crate) bills: Vec<OpenBill>,
    /// Payments before the latest: key and day.
    pub(crate) payments: Vec<(u64, i32)>,
}

impl Extra {
    fn is_empty(&self) -> bool {
        self.bills.is_empty() && self.payments.is_empty()
    }
}

/// What a fact did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Applied {
    Created,
    Changed,
    Unchanged,
}

/// Lengths of account numbers that are told apart; longer ones share the last.
const SPANS: usize = 24;

/// Where the span of a packed account number is kept: its upper byte is its length.
fn span_of(account: u64) -> usize {
    ((account >> 56) as usize).min(SPANS - 1)
}

#[derive(Debug)]
pub(crate) struct Prefecture {
    pub(crate) chunks: Vec<Arc<Chunk>>,
    index: HashTable<u32>,
    /// Smallest and largest account number of each length.
    spans: [(u64, u64); SPANS],
    pub(crate) stations: Arc<Vec<OrgCode>>,
    station_index: FxHashMap<OrgCode, u16>,
    pub(crate) sections: Arc<Vec<u32>>,
    section_index: FxHashMap<u32, u16>,
    pub(crate) extras: BTreeMap<u32, Extra>,
    /// Names that are not in their pages yet.
    pub(crate) names: BTreeMap<u32, String>,
    /// Names that a running checkpoint is writing.
    pub(crate) names_folding: Arc<BTreeMap<u32, String>>,
    /// Pages to write at the next checkpoint.
    pub(crate) dirty: FxHashSet<u32>,
    /// Rows with a payment that no run has seen, with the sequence of the payment.
    pub(crate) payment_events: BTreeMap<u32, u64>,
    pub(crate) next_message: u32,
}

fn hash(account: u64) -> u64 {
    // Fibonacci hashing: account numbers are nearly consecutive, and the multiplication spreads them over the top bits that the table uses.
    let h = account.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h ^ (h >> 32)
}

impl Prefecture {
    pub(crate) fn new() -> Self {
        Self {
            chunks: Vec::new(),
            index: HashTable::new(),
            spans: [(u64::MAX, 0); SPANS],
            stations: Arc::default(),
            station_index: FxHashMap::default(),
            sections: Arc::default(),
            section_index: FxHashMap::default(),
            extras: BTreeMap::new(),
            names: BTreeMap::new(),
            names_folding: Arc::default(),
            dirty: FxHashSet::default(),
            payment_events: BTreeMap::new(),
            next_message: 1,
        }
    }

    pub(crate) fn rows(&self) -> u32 {
        match self.chunks.split_last() {
            None => 0,
            Some((last, full)) => u32::try_from(full.len() * CHUNK_ROWS + last.len()).unwrap_or(u32::MAX),
        }
    }

    /// Sets the dictionaries that the columns `station` and `section` index.
    pub(crate) fn set_units(&mut self, stations: Vec<OrgCode>, sections: Vec<u32>) {
        self.station_index = stations.iter().zip(0u16..).map(|(s, i)| (*s, i)).collect();
        self.section_index = sections.iter().zip(0u16..).map(|(s, i)| (*s, i)).collect();
        self.stations = Arc::new(stations);
        self.sections = Arc::new(sections);
    }

    /// Appends a page read from the store; [`Prefecture::rebuild_index`] follows the last one.
    pub(crate) fn load_page(&mut self, page: &[u8]) -> Result<(), crate::StateError> {
        if self.chunks.last().is_none_or(|c| c.is_full()) {
            let mut chunk = Chunk::new();
            chunk.decode(page)?;
            self.chunks.push(Arc::new(chunk));
        } else {
            let last = self.chunks.len() - 1;
            Arc::make_mut(&mut self.chunks[last]).decode(page)?;
        }
        Ok(())
    }

    /// Indexes every row at once, after the pages were loaded: one allocation of the right size.
    pub(crate) fn rebuild_index(&mut self) {
        let rows = self.rows();
        self.index = HashTable::with_capacity(rows as usize);
        for row in 0..rows {
            self.index_row(row);
        }
    }

    fn index_row(&mut self, row: u32) {
        let chunks = &self.chunks;
        let account = account_of(chunks, row);
        let span = &mut self.spans[span_of(account)];
        *span = (span.0.min(account), span.1.max(account));
        let key = hash(account);
        self.index.insert_unique(key, row, |r| hash(account_of(chunks, *r)));
    }

    pub(crate) fn row_of(&self, account: AccountNumber) -> Option<u32> {
        let packed = account.packed();
        // Numbers are given out in ranges by unit: this spares most of the other prefectures a look into memory that is not in any cache.
        let (first, last) = self.spans[span_of(packed)];
        if packed < first || packed > last {
            return None;
        }
        self.index.find(hash(packed), |row| account_of(&self.chunks, *row) == packed).copied()
    }

    pub(crate) fn chunk(&self, row: u32) -> (&Chunk, usize) {
        (&self.chunks[row as usize / CHUNK_ROWS], row as usize % CHUNK_ROWS)
    }

    /// The chunk of `row` for writing, its page marked dirty. Copies the chunk if a snapshot holds it.
    fn edit(&mut self, row: u32) -> (&mut Chunk, usize) {
        self.dirty.insert(row / PAGE_ROWS as u32);
        (Arc::make_mut(&mut self.chunks[row as usize / CHUNK_ROWS]), row as usize % CHUNK_ROWS)
    }

    pub(crate) fn view(&self, row: u32) -> Option<CustomerView> {
        (row < self.rows()).then(|| {
            let (chunk, at) = self.chunk(row);
            view(chunk, at, row, &self.stations, &self.sections)
        })
    }

    // ---- facts ----

    pub(crate) fn apply_customer(&mut self, fact: &CustomerFact) -> Result<Applied, FactReject> {
        let known = self.row_of(fact.account);
        let station = intern(&mut self.stations, &mut self.station_index, fact.station)?;
        let section = match (fact.section, known) {
            (None, Some(row)) => {
                let (chunk, at) = self.chunk(row);
                chunk.section[at]
            }
            (section, _) => intern(&mut self.sections, &mut self.section_index, section.unwrap_or(0))?,
        };
        let (row, created) = known.map_or_else(|| (self.push(fact.account), true), |row| (row, false));
        let (chunk, at) = self.chunk(row);
        let old_phone = Phone::from_packed(chunk.phone[at]);
        // The archive's number replaces ours unless it is the same one: then what we learned of it (suspended) stays.
        let phone = match fact.phone {
            Some(new) if new.number() == old_phone.number() && !created => new.with_suspended(old_phone.is_suspended()),
            Some(new) => new,
            None => old_phone,
        };
        let kept = chunk.traits[at] & !fact.traits_given.0;
        let traits = with_mobile(Traits(kept | (fact.traits.0 & fact.traits_given.0)), phone);
        let threshold = fact.threshold.unwrap_or(chunk.threshold[at]);
        let same = !created
            && chunk.station[at] == station
            && chunk.section[at] == section
            && chunk.traits[at] == traits.0
            && chunk.phone[at] == phone.packed()
            && chunk.threshold[at] == threshold;
        if !same {
            let (chunk, at) = self.edit(row);
            chunk.station[at] = station;
            chunk.section[at] = section;
            chunk.traits[at] = traits.0;
            chunk.phone[at] = phone.packed();
            chunk.threshold[at] = threshold;
        }
        // Names are cold: whether one changed is settled when its page is folded.
        if let Some(name) = &fact.name {
            self.names.insert(row, name.clone());
        }
        Ok(if created {
            Applied::Created
        } else if same {
            Applied::Unchanged
        } else {
            Applied::Changed
        })
    }

    fn push(&mut self, account: AccountNumber) -> u32 {
        let row = self.rows();
        if self.chunks.last().is_none_or(|c| c.is_full()) {
            self.chunks.push(Arc::new(Chunk::new()));
        }
        let last = self.chunks.len() - 1;
        Arc::make_mut(&mut self.chunks[last]).push(account.packed());
        self.dirty.insert(row / PAGE_ROWS as u32);
        self.index_row(row);
        row
    }

    /// The open bills of `row`, oldest first.
    pub(crate) fn open_bills(&self, row: u32) -> Vec<OpenBill> {
        if let Some(extra) = self.extras.get(&row)
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
        let extra = self.extras.entry(row).or_default();
        extra.bills = if columns_say_it { Vec::new() } else { bills };
        if extra.is_empty() {
            self.extras.remove(&row);
        }
    }

    pub(crate) fn apply_bill(&mut self, fact: &BillFact) -> Result<Applied, FactReject> {
        let row = self.row_of(fact.account).ok_or(FactReject::UnknownAccount)?;
        let (c, at) = self.chunk(row);
        let mut bills = self.open_bills(row);
        if fact.period == c.bill_period[at] && fact.amount.0 == c.bill_amount[at] {
            return Ok(Applied::Unchanged);
        }
        if let Some(open) = bills.iter_mut().find(|b| b.period == fact.period) {
            if open.amount == fact.amount.0 {
                return Ok(Applied::Unchanged);
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
        }
        c.arrears_as_of[at] = c.arrears_as_of[at].max(fact.as_of.0);
        self.set_open_bills(row, bills);
        Ok(Applied::Changed)
    }

    pub(crate) fn apply_payment(&mut self, fact: &PaymentFact, seq: u64) -> Result<Applied, FactReject> {
        let row = self.row_of(fact.account).ok_or(FactReject::UnknownAccount)?;
        let (c, at) = self.chunk(row);
        let (latest, latest_on) = (c.payment_key[at], c.paid_on[at]);
        let known =
            latest == fact.key || self.extras.get(&row).is_some_and(|e| e.payments.iter().any(|(k, _)| *k == fact.key));
        if known {
            return Ok(Applied::Unchanged);
        }
        let mut bills = self.open_bills(row);
        let mut rest = fact.amount.0;
        if rest > 0 {
            for bill in &mut bills {
                let part = rest.min(bill.outstanding);
                bill.outstanding -= part;
                rest -= part;
            }
            bills.retain(|b| b.outstanding > 0);
        } else if rest < 0 && c.balance[at] < -rest && c.bill_period[at] != 0 {
            // A reversal reopens the latest bill; what lies on the balance covers it first.
            let (period, amount, date) = (c.bill_period[at], c.bill_amount[at], c.bill_issued[at]);
            match bills.iter_mut().find(|b| b.period == period) {
                Some(open) => open.outstanding -= rest,
                None => bills.push(OpenBill { period, amount, outstanding: -rest, late_fee_from: date }),
            }
            rest = 0;
        }
        self.remember_payment(row, latest, latest_on, fact.paid_on.0);
        let (c, at) = self.edit(row);
        c.paid_amount[at] = fact.amount.0;
        c.paid_on[at] = fact.paid_on.0;
        c.payment_key[at] = fact.key;
        c.payment_said[at] = 0;
        let balance = c.balance[at].saturating_add(rest);
        set_balance(c, at, balance);
        self.set_open_bills(row, bills);
        if fact.amount > Fen::ZERO {
            self.payment_events.insert(row, seq);
        }
        Ok(Applied::Changed)
    }

    /// Keeps the payment that is no longer the latest, and forgets those that are too old to be told again.
    fn remember_payment(&mut self, row: u32, key: u64, on: i32, today: i32) {
        let oldest = today.saturating_sub(PAYMENT_MEMORY_DAYS);
        let extra = self.extras.entry(row).or_default();
        extra.payments.retain(|(_, day)| *day >= oldest);
        if key != 0 && on >= oldest {
            extra.payments.push((key, on));
        }
        if extra.is_empty() {
            self.extras.remove(&row);
        }
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
        set_balance(c, at, fact.balance.0);
        Ok(Applied::Changed)
    }

    pub(crate) fn apply_change(
        &mut self,
        account: AccountNumber,
        change: &CustomerChange,
    ) -> Result<Applied, FactReject> {
        let row = self.row_of(account).ok_or(FactReject::UnknownAccount)?;
        let (c, at) = self.chunk(row);
        let before = (c.phone[at], c.preferences[at], c.traits[at]);
        let old = Phone::from_packed(before.0);
        let mut after = before;
        match change {
            CustomerChange::Phone { phone, source, verified_on } => {
                after.0 = phone.with_source(*source).with_verified_on(*verified_on).packed();
            }
            CustomerChange::Suspend(on) => after.0 = old.with_suspended(*on).packed(),
            CustomerChange::Preferences { bits, on } => after.1 = Preferences(before.1).with(*bits, *on).0,
            CustomerChange::Traits { bits, on } => after.2 = Traits(before.2).with(*bits, *on).0,
            CustomerChange::Erase => {
                after.0 = 0;
                self.names.insert(row, String::new());
            }
        }
        after.2 = with_mobile(Traits(after.2), Phone::from_packed(after.0)).0;
        if after == before && !matches!(change, CustomerChange::Erase) {
            return Ok(Applied::Unchanged);
        }
        let (c, at) = self.edit(row);
        (c.phone[at], c.preferences[at], c.traits[at]) = after;
        Ok(Applied::Changed)
    }

    // ---- what was said ----

    /// Marks `step` of `topic` as said, and `number` as the customer's latest message. A lower step than one said changes nothing of it.
    pub(crate) fn say(&mut self, row: u32, topic: Topic, step: u8, number: u32) {
        if row >= self.rows() {
            return;
        }
        let (c, at) = self.edit(row);
        c.last_message[at] = number;
        match topic {
            Topic::ArrearsReminder => c.reminded_step[at] = c.reminded_step[at].max(step),
            Topic::BillNotice => c.bill_said[at] = c.bill_said[at].max(step),
            Topic::BalanceWarning => c.balance_said[at] = c.balance_said[at].max(step),
            Topic::PaymentReceived => c.payment_said[at] = 1,
            _ => {}
        }
    }

    /// Takes back that `step` about `key` was said, because the message was cancelled before it left: back to `before`.
    pub(crate) fn unsay(&mut self, row: u32, topic: Topic, key: u64, step: u8, before: u8) {
        let Some(view) = self.view(row) else { return };
        if view.business_key(topic) != key || view.said_step(topic) != Some(step) {
            return;
        }
        let (c, at) = self.edit(row);
        match topic {
            Topic::ArrearsReminder => c.reminded_step[at] = before,
            Topic::BillNotice => c.bill_said[at] = before,
            Topic::BalanceWarning => c.balance_said[at] = before,
            Topic::PaymentReceived => c.payment_said[at] = before,
            _ => {}
        }
    }

    /// Rows with a payment up to `seq` that no run has seen.
    pub(crate) fn pending_payments(&self, seq: u64) -> BTreeSet<u32> {
        self.payment_events.iter().filter(|(_, s)| **s <= seq).map(|(row, _)| *row).collect()
    }
}

/// The view of the customer at `at` of `chunk`.
pub(crate) fn view(c: &Chunk, at: usize, row: u32, stations: &[OrgCode], sections: &[u32]) -> CustomerView {
    CustomerView {
        row,
        account: AccountNumber::from_packed(c.account[at]).unwrap_or_else(unknown_account),
        phone: Phone::from_packed(c.phone[at]),
        station: stations.get(usize::from(c.station[at])).copied().unwrap_or(OrgCode(0)),
        section: sections.get(usize::from(c.section[at])).copied().unwrap_or(0),
        traits: Traits(c.traits[at]),
        preferences: Preferences(c.preferences[at]),
        arrears: Fen(c.arrears[at]),
        arrears_period: c.arrears_period[at],
        late_fee_from: Date(c.late_fee_from[at]),
        months_owed: c.months_owed[at],
        reminded_step: c.reminded_step[at],
        bill_period: c.bill_period[at],
        bill_issued: Date(c.bill_issued[at]),
        bill_amount: Fen(c.bill_amount[at]),
        bill_kwh: c.bill_kwh[at],
        bill_said: c.bill_said[at],
        arrears_as_of: Date(c.arrears_as_of[at]),
        balance: Fen(c.balance[at]),
        balance_as_of: Date(c.balance_as_of[at]),
        threshold: c.threshold[at],
        balance_episode: c.balance_episode[at],
        balance_said: c.balance_said[at],
        paid_amount: Fen(c.paid_amount[at]),
        paid_on: Date(c.paid_on[at]),
        payment_key: c.payment_key[at],
        payment_said: c.payment_said[at] != 0,
        last_message: c.last_message[at],
    }
}

/// Columns only ever hold account numbers that were parsed; a page whose checksum fits but whose content does not ends here.
#[expect(
    clippy::panic,
    reason = "a page with a right checksum and a wrong account number is a bug of ours, not an input"
)]
fn unknown_account() -> AccountNumber {
    panic!("a column holds a value that is no account number")
}

fn account_of(chunks: &[Arc<Chunk>], row: u32) -> u64 {
    chunks[row as usize / CHUNK_ROWS].account[row as usize % CHUNK_ROWS]
}

/// Sets a balance and moves the episode on when it is back at or above the threshold after having been below or spoken of.
fn set_balance(c: &mut Chunk, at: usize, balance: i64) {
    let threshold = i64::from(if c.threshold[at] == u32::MAX { DEFAULT_THRESHOLD } else { c.threshold[at] });
    let was_below = c.balance_episode[at] != 0 && c.balance[at] < threshold;
    if c.balance_episode[at] == 0 {
        c.balance_episode[at] = 1;
    } else if balance >= threshold && (was_below || c.balance_said[at] > 0) {
        // The counter wraps past 65 535 to 1: only neighbouring episodes are ever compared.
        c.balance_episode[at] = c.balance_episode[at].checked_add(1).unwrap_or(1);
        c.balance_said[at] = 0;
    }
    c.balance[at] = balance;
}

fn with_mobile(traits: Traits, phone: Phone) -> Traits {
    traits.with(Traits::HAS_MOBILE, phone.class() == PhoneClass::Mobile)
}

/// The index of `value` in a prefecture's dictionary, added if new.
fn intern<T: Copy + Eq + std::hash::Hash>(
    list: &mut Arc<Vec<T>>,
    index: &mut FxHashMap<T, u16>,
    value: T,
) -> Result<u16, FactReject> {
    if let Some(i) = index.get(&value) {
        return Ok(*i);
    }
    let i = u16::try_from(list.len()).map_err(|_| FactReject::TooManyUnits)?;
    Arc::make_mut(list).push(value);
    index.insert(value, i);
    Ok(i)
}
