//! A snapshot as it would be after simulated messages, some days later: chunks that nothing was said in stay borrowed, the others are copied for the
//! one column that changed.

use std::sync::OnceLock;

use gridbell_contract::column;
use gridbell_model::{CHUNK_ROWS, ColumnId, ColumnSlice, CustomerView, Date, Table, Topic};
use gridbell_state::Snapshot;

/// A column of dates, each later by some days; made for a chunk when somebody looks at it.
type Shifted = Vec<OnceLock<Box<[i32]>>>;

/// A snapshot with what was said since.
pub(crate) struct Overlay {
    base: Snapshot,
    topic: Topic,
    /// Below which balance the policy warns, in fen: what ends an episode of customers without a threshold of their own.
    threshold: u32,
    /// By how many days facts are true later.
    shift: i32,
    said: Vec<Option<Box<[u8]>>>,
    episodes: Vec<Option<Box<[u16]>>>,
    balances: Shifted,
    arrears: Shifted,
}

impl Overlay {
    /// `base` as it is. `topic` is the one whose steps will be said.
    pub(crate) fn new(base: Snapshot, topic: Topic, threshold: u32) -> Self {
        let chunks = base.chunks();
        Self {
            base,
            topic,
            threshold,
            shift: 0,
            said: (0..chunks).map(|_| None).collect(),
            episodes: (0..chunks).map(|_| None).collect(),
            balances: Vec::new(),
            arrears: Vec::new(),
        }
    }

    /// From now on facts are true for days that are `days` later than in the snapshot: the same figures, computed again each day.
    pub(crate) fn facts_of(&mut self, days: i32) {
        if days != self.shift {
            self.shift = days;
            let fresh = || (0..self.base.chunks()).map(|_| OnceLock::new()).collect();
            (self.balances, self.arrears) = (fresh(), fresh());
        }
    }

    /// The customer at `row`.
    pub(crate) fn view(&self, row: u32) -> Option<CustomerView> {
        self.base.view(row).map(|view| self.later(view))
    }

    /// `view`, which is of the snapshot, as it would be.
    pub(crate) fn later(&self, mut view: CustomerView) -> CustomerView {
        let (chunk, at) = place(view.row);
        if let Some(said) = self.said.get(chunk).and_then(|c| c.as_ref()?.get(at)).copied() {
            match self.topic {
                Topic::ArrearsReminder => view.reminded_step = said,
                Topic::BillNotice => view.bill_said = said,
                Topic::BalanceWarning => view.balance_said = said,
                Topic::PaymentReceived => view.payment_said = said != 0,
                _ => {}
            }
        }
        if let Some(episode) = self.episodes.get(chunk).and_then(|c| c.as_ref()?.get(at)).copied() {
            view.balance_episode = episode;
        }
        view.balance_as_of = self.shifted(view.balance_as_of);
        view.arrears_as_of = self.shifted(view.arrears_as_of);
        view
    }

    fn shifted(&self, date: Date) -> Date {
        date.some().map_or(Date::NONE, |d| d.plus_days(self.shift))
    }

    /// Notes that `step` about `key` was said to the customer at `row`, as a publication does.
    pub(crate) fn say(&mut self, row: u32, key: u64, step: u8) {
        let Some(view) = self.view(row).filter(|v| v.business_key(self.topic) == key) else { return };
        let Some(before) = view.said_step(self.topic) else { return };
        self.set_said(row, before.max(step));
        // A warning about a balance that is at the threshold ends its episode: the next one is another.
        let own = Some(view.threshold).filter(|t| *t != u32::MAX).unwrap_or(self.threshold);
        if self.topic == Topic::BalanceWarning && before.max(step) != 0 && view.balance.0 >= i64::from(own) {
            self.set_said(row, 0);
            self.set_episode(row, view.balance_episode.checked_add(1).unwrap_or(1));
        }
    }

    fn set_said(&mut self, row: u32, step: u8) {
        let (chunk, at) = place(row);
        if self.said.get(chunk).is_some_and(Option::is_none) {
            self.said[chunk] = Some(self.copy_said(chunk));
        }
        if let Some(cell) = self.said.get_mut(chunk).and_then(|c| c.as_mut()?.get_mut(at)) {
            *cell = step;
        }
    }

    fn copy_said(&self, chunk: usize) -> Box<[u8]> {
        match self.topic_column().and_then(|id| self.base.column(chunk, id)) {
            Some(ColumnSlice::U8(said)) => said.into(),
            // Payments keep theirs as a bit that no plugin sees.
            _ => (first_row(chunk)..)
                .take(Table::rows(&self.base, chunk))
                .map(|row| self.base.view(row).map_or(0, |v| u8::from(v.payment_said)))
                .collect(),
        }
    }

    fn set_episode(&mut self, row: u32, episode: u16) {
        let (chunk, at) = place(row);
        let Some(ColumnSlice::U16(base)) = self.base.column(chunk, column::BALANCE_EPISODE) else { return };
        let copy = self.episodes[chunk].get_or_insert_with(|| base.into());
        if let Some(cell) = copy.get_mut(at) {
            *cell = episode;
        }
    }

    fn topic_column(&self) -> Option<ColumnId> {
        match self.topic {
            Topic::ArrearsReminder => Some(column::REMINDED_STEP),
            Topic::BillNotice => Some(column::BILL_SAID),
            Topic::BalanceWarning => Some(column::BALANCE_SAID),
            _ => None,
        }
    }

    /// The column of dates `id` of `chunk`, later.
    fn dates<'a>(&'a self, made: &'a Shifted, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'a>> {
        let base = self.base.column(chunk, id)?;
        let (ColumnSlice::S32(days), Some(cell)) = (base, made.get(chunk)) else { return Some(base) };
        let later = |d: &i32| if *d == Date::NONE.0 { *d } else { d.saturating_add(self.shift) };
        Some(ColumnSlice::S32(cell.get_or_init(|| days.iter().map(later).collect())))
    }
}

fn place(row: u32) -> (usize, usize) {
    (row as usize / CHUNK_ROWS, row as usize % CHUNK_ROWS)
}

fn first_row(chunk: usize) -> u32 {
    u32::try_from(chunk * CHUNK_ROWS).unwrap_or(u32::MAX)
}

impl Table for Overlay {
    fn chunks(&self) -> usize {
        self.base.chunks()
    }

    fn rows(&self, chunk: usize) -> usize {
        Table::rows(&self.base, chunk)
    }

    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>> {
        if Some(id) == self.topic_column()
            && let Some(Some(said)) = self.said.get(chunk)
        {
            return Some(ColumnSlice::U8(said));
        }
        match id {
            column::BALANCE_EPISODE => match self.episodes.get(chunk) {
                Some(Some(episodes)) => Some(ColumnSlice::U16(episodes)),
                _ => self.base.column(chunk, id),
            },
            column::BALANCE_AS_OF => self.dates(&self.balances, chunk, id),
            column::ARREARS_AS_OF => self.dates(&self.arrears, chunk, id),
            _ => self.base.column(chunk, id),
        }
    }
}
