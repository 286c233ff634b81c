//! One prefecture's customers in memory, and how a fact changes them. Deterministic: the same facts in the same order give the same columns.
//! Never touches the store, reads no clock.

use std::collections::BTreeMap;
use std::sync::Arc;

use gridbell_model::{
    AccountNumber, CHUNK_ROWS, CustomerView, Date, Fen, Moment, OrgCode, Phone, PhoneClass, Preferences, Topic, Traits,
};
use hashbrown::HashTable;
use rustc_hash::{FxHashMap, FxHashSet};

use crate::beside::Beside;
use crate::columns::{CONTACT_BITS, Chunk, PAGE_ROWS, PAYMENT_SAID, contact_bit};
use crate::contacts::{self, Changes, Contact, ContactFact, ContactIndex, PageContacts, Pending};
use crate::facts::{CustomerChange, CustomerFact, FactReject};
use crate::ledger::DEFAULT_THRESHOLD;
use crate::shared_phones::PhoneChanges;

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
    pub(crate) beside: Beside,
    /// Names that are not in their pages yet.
    pub(crate) names: BTreeMap<u32, String>,
    /// Names that a running checkpoint is writing.
    pub(crate) names_folding: Arc<BTreeMap<u32, String>>,
    /// Addresses at platforms that are not in their pages yet.
    pub(crate) contacts: BTreeMap<u32, Changes>,
    /// Addresses that a running checkpoint is writing.
    pub(crate) contacts_folding: Arc<BTreeMap<u32, Changes>>,
    pub(crate) contact_index: ContactIndex,
    /// Pages to write at the next checkpoint.
    pub(crate) dirty: FxHashSet<u32>,
    /// The day on which payments that waited too long were last dropped.
    pub(crate) dropped_waiting_on: i32,
    pub(crate) next_message: u32,
    pub(crate) phone_changes: PhoneChanges,
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
            beside: Beside::default(),
            names: BTreeMap::new(),
            names_folding: Arc::default(),
            contacts: BTreeMap::new(),
            contacts_folding: Arc::default(),
            contact_index: ContactIndex::default(),
            dirty: FxHashSet::default(),
            dropped_waiting_on: i32::MIN,
            next_message: 1,
            phone_changes: PhoneChanges::default(),
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

    /// Indexes the addresses of a page.
    pub(crate) fn index_contacts(&mut self, page: u32, contacts: &PageContacts) {
        for ((at, _), c) in &contacts.0 {
            let row = contacts::rows_of(page).start + u32::from(*at);
            self.contact_index.insert(contacts::print(c.channel, &c.app, &c.id), row);
        }
    }

    /// Puts back what a checkpoint could not write, below what came since.
    pub(crate) fn unfold_contacts(&mut self) {
        let folding = std::mem::take(&mut self.contacts_folding);
        for (row, changes) in folding.iter() {
            let slots = self.contacts.entry(*row).or_default();
            for (channel, before) in changes {
                let both = match slots.remove(channel) {
                    Some(since) => contacts::after(Some(before.clone()), since),
                    None => before.clone(),
                };
                slots.insert(*channel, both);
            }
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
    pub(crate) fn edit(&mut self, row: u32) -> (&mut Chunk, usize) {
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
            self.note_number(row, old_phone, phone);
            let (chunk, at) = self.edit(row);
            chunk.station[at] = station;
            chunk.section[at] = section;
            chunk.traits[at] = traits.0;
            chunk.phone[at] = phone.packed();
            chunk.threshold[at] = threshold;
            // A threshold that the balance reaches ends the episode.
            self.end_episode(row);
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

    pub(crate) fn apply_change(
        &mut self,
        account: AccountNumber,
        change: &CustomerChange,
        now: Moment,
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
            CustomerChange::Preferences { bits, on } => {
                after.1 = Preferences(before.1).with(Preferences(bits.0 & !CONTACT_BITS), *on).0
            }
            CustomerChange::Traits { bits, on } => after.2 = Traits(before.2).with(*bits, *on).0,
            CustomerChange::Erase => {
                after.0 = 0;
                self.names.insert(row, String::new());
            }
            CustomerChange::Asked { wish, on, source } => {
                let (traits, preferences) = wish.with(*on, Traits(before.2), Preferences(before.1));
                (after.2, after.1) = (traits.0, preferences.0);
                if after == before && self.is_asked(row, *wish, *on, *source) {
                    return Ok(Applied::Unchanged);
                }
                self.set_asked(row, *wish, *on, *source, now);
                let (c, at) = self.edit(row);
                (c.preferences[at], c.traits[at]) = (after.1, after.2);
                return Ok(Applied::Changed);
            }
        }
        after.2 = with_mobile(Traits(after.2), Phone::from_packed(after.0)).0;
        if after == before && !matches!(change, CustomerChange::Erase) {
            return Ok(Applied::Unchanged);
        }
        self.note_number(row, old, Phone::from_packed(after.0));
        if matches!(change, CustomerChange::Erase) {
            self.beside.former_numbers.remove(&row);
        }
        let (c, at) = self.edit(row);
        (c.phone[at], c.preferences[at], c.traits[at]) = after;
        Ok(Applied::Changed)
    }

    /// Binds an address, or ends a binding. Whether the address is another than before is settled when the page is folded.
    pub(crate) fn apply_contact(&mut self, fact: &ContactFact, at: Moment) -> Result<Applied, FactReject> {
        let row = self.row_of(fact.account).ok_or(FactReject::UnknownAccount)?;
        let bit = contact_bit(fact.channel);
        if bit == 0 {
            return Err(FactReject::NoPlatform);
        }
        let (c, place) = self.chunk(row);
        let had = c.preferences[place] & bit != 0;
        let Some(address) = &fact.address else {
            if !had {
                return Ok(Applied::Unchanged);
            }
            self.end_contact(row, fact.channel);
            return Ok(Applied::Changed);
        };
        let (app, id) = (address.app.clone(), address.id.clone());
        self.contact_index.insert(contacts::print(fact.channel, &app, &id), row);
        let contact =
            Contact { channel: fact.channel, app, id, source: address.source, bound: address.bound, since: at };
        let slot = self.contacts.entry(row).or_default();
        let before = slot.remove(&(fact.channel as u8));
        slot.insert(fact.channel as u8, contacts::after(before, Pending::Bound { contact, anew: false }));
        let (c, place) = self.edit(row);
        c.preferences[place] |= bit;
        Ok(if had { Applied::Changed } else { Applied::Created })
    }

    fn end_contact(&mut self, row: u32, channel: gridbell_model::Channel) {
        self.contacts.entry(row).or_default().insert(channel as u8, Pending::Ended);
        let (c, at) = self.edit(row);
        c.preferences[at] &= !contact_bit(channel);
    }

    /// Voids what was the holder's own and not the account's: addresses at platforms, subscriptions and consent. What
    /// was refused stays refused: nobody is told more for it. The number is the archive's.
    pub(crate) fn void_holder(&mut self, account: &AccountNumber) -> Result<Applied, FactReject> {
        let row = self.row_of(*account).ok_or(FactReject::UnknownAccount)?;
        for channel in gridbell_model::Channel::PLATFORMS {
            let (c, at) = self.chunk(row);
            if c.has_contact(at, channel) {
                self.end_contact(row, channel);
            }
        }
        let (c, at) = self.edit(row);
        let subscriptions = Traits::SUBSCRIBES_BILL | Traits::SUBSCRIBES_BALANCE;
        c.traits[at] = Traits(c.traits[at]).with(subscriptions, false).0;
        let consents = Preferences::SUBSCRIBES_OUTAGE | Preferences::MARKETING_CONSENT;
        c.preferences[at] = Preferences(c.preferences[at]).with(consents, false).0;
        self.beside.forget_granted(row);
        Ok(Applied::Changed)
    }

    /// Notes that the number of `row` was `old` and becomes `new`. Only of customers who were told something: there is nothing to search otherwise.
    fn note_number(&mut self, row: u32, old: Phone, new: Phone) {
        self.phone_changes.note(old, new);
        let (c, at) = self.chunk(row);
        if c.last_message[at] != 0 && old.number() != 0 && old.number() != new.number() {
            self.beside.had_number(row, old.number());
        }
    }

    // ---- what was said ----

    /// Marks `step` of `topic` about `key` as said, and `number` as the customer's latest message. A lower step than one said changes nothing of
    /// it, nor does one about a bill, episode or payment that is not the present one any more. `threshold` is the policy's, of a balance warning.
    pub(crate) fn say(&mut self, row: u32, topic: Topic, said: (u64, u8), number: u32, threshold: Option<u32>) {
        let (key, step) = said;
        let Some(view) = self.view(row) else { return };
        let (c, at) = self.edit(row);
        c.last_message[at] = number;
        if view.business_key(topic) != key {
            return;
        }
        match topic {
            Topic::ArrearsReminder => c.reminded_step[at] = c.reminded_step[at].max(step),
            Topic::BillNotice => c.bill_said[at] = c.bill_said[at].max(step),
            Topic::PaymentReceived => c.flags[at] |= PAYMENT_SAID,
            Topic::BalanceWarning => {
                c.balance_said[at] = c.balance_said[at].max(step);
                self.beside.warned_below.insert(row, threshold.unwrap_or(DEFAULT_THRESHOLD));
                // The money may have arrived between the look and the word.
                self.end_episode(row);
            }
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
            Topic::BalanceWarning => {
                c.balance_said[at] = before;
                if before == 0 {
                    self.beside.warned_below.remove(&row);
                }
            }
            Topic::PaymentReceived => c.flags[at] = c.flags[at] & !PAYMENT_SAID | u8::from(before != 0),
            _ => {}
        }
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
        preferences: Preferences(c.preferences[at] & !CONTACT_BITS),
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
        payment_said: c.flags[at] & PAYMENT_SAID != 0,
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
