//! Customers as columns and as single views, and what a policy decided about one of them.

use crate::account::AccountNumber;
use crate::customer::{Preferences, Traits};
use crate::money::Fen;
use crate::org::OrgCode;
use crate::phone::Phone;
use crate::time::{CivilMinute, Date};
use crate::topic::Topic;

/// Rows of one chunk of columns, and so of one batch to a plugin. 512 rows cost 20 % more per customer, 32 768 gain nothing (measured).
pub const CHUNK_ROWS: usize = 4096;

/// A column's id in `wit/registry.toml`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ColumnId(pub u16);

/// One column of some rows, borrowed: one value for each row.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum ColumnSlice<'a> {
    /// `list<u8>`
    U8(&'a [u8]),
    /// `list<u16>`
    U16(&'a [u16]),
    /// `list<u32>`
    U32(&'a [u32]),
    /// `list<s32>`
    S32(&'a [i32]),
    /// `list<s64>`
    S64(&'a [i64]),
}

impl ColumnSlice<'_> {
    /// Rows in it.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::U32(v) => v.len(),
            Self::S32(v) => v.len(),
            Self::S64(v) => v.len(),
        }
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of `row`, widened; none beyond the end.
    #[must_use]
    pub fn get(&self, row: usize) -> Option<i64> {
        match self {
            Self::U8(v) => v.get(row).map(|x| i64::from(*x)),
            Self::U16(v) => v.get(row).map(|x| i64::from(*x)),
            Self::U32(v) => v.get(row).map(|x| i64::from(*x)),
            Self::S32(v) => v.get(row).map(|x| i64::from(*x)),
            Self::S64(v) => v.get(row).copied(),
        }
    }
}

/// Rows in chunks of columns: what an evaluation reads. Immutable while it is read; a state's snapshot is one, a test's vectors are another.
pub trait Table: Sync {
    /// How many chunks there are.
    fn chunks(&self) -> usize;
    /// Rows in chunk `chunk`, at most [`CHUNK_ROWS`]. Every chunk but the last is full, so row r stands in chunk r / [`CHUNK_ROWS`].
    fn rows(&self, chunk: usize) -> usize;
    /// Column `id` of chunk `chunk`; none if the table has no such column. All columns of a chunk have the same length.
    fn column(&self, chunk: usize, id: ColumnId) -> Option<ColumnSlice<'_>>;
}

/// What a policy decided about one row; indexes point into its manifest's lists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Decision {
    /// The row, counted over the whole table.
    pub row: u32,
    /// Index of the notice.
    pub notice: u16,
    /// Step of an escalation, from 1.
    pub step: u8,
    /// Index of the reason.
    pub reason: u16,
    /// Index of the route.
    pub route: u16,
    /// First number for the template.
    pub arg0: i64,
    /// Second number for the template.
    pub arg1: i64,
    /// Not to be sent before; [`CivilMinute::NONE`] for as soon as a window allows.
    pub not_before: CivilMinute,
    /// Worthless after; [`CivilMinute::NONE`] for the topic's own validity.
    pub expires: CivilMinute,
}

/// Everything the host holds in memory about one customer. Fields that have a column in the registry mean what it says there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CustomerView {
    /// The row within the prefecture; fixed for the customer's life.
    pub row: u32,
    /// 户号
    pub account: AccountNumber,
    /// Where SMS go.
    pub phone: Phone,
    /// The station it hangs on.
    pub station: OrgCode,
    /// The reading section (抄表段) by its number.
    pub section: u32,
    /// See the registry.
    pub traits: Traits,
    /// What the customer asked for.
    pub preferences: Preferences,
    /// See the registry.
    pub arrears: Fen,
    /// See the registry.
    pub arrears_period: u32,
    /// See the registry.
    pub late_fee_from: Date,
    /// See the registry.
    pub months_owed: u8,
    /// See the registry.
    pub reminded_step: u8,
    /// See the registry.
    pub bill_period: u32,
    /// See the registry.
    pub bill_issued: Date,
    /// See the registry.
    pub bill_amount: Fen,
    /// See the registry.
    pub bill_kwh: u32,
    /// See the registry.
    pub bill_said: u8,
    /// See the registry.
    pub arrears_as_of: Date,
    /// See the registry.
    pub balance: Fen,
    /// See the registry.
    pub balance_as_of: Date,
    /// See the registry; `u32::MAX` is none.
    pub threshold: u32,
    /// See the registry.
    pub balance_episode: u16,
    /// See the registry.
    pub balance_said: u8,
    /// See the registry.
    pub paid_amount: Fen,
    /// See the registry.
    pub paid_on: Date,
    /// Fingerprint of the latest payment's id; 0 for none.
    pub payment_key: u64,
    /// Whether the latest payment was said.
    pub payment_said: bool,
    /// Number of the latest message to this customer within the prefecture; 0 for none.
    pub last_message: u32,
}

impl CustomerView {
    /// The host's business key: with the step it says "not twice" for `topic`. 0 where there is nothing to speak about.
    #[must_use]
    pub fn business_key(&self, topic: Topic) -> u64 {
        match topic {
            Topic::ArrearsReminder => u64::from(self.arrears_period),
            Topic::BillNotice => u64::from(self.bill_period),
            Topic::BalanceWarning => u64::from(self.balance_episode),
            Topic::PaymentReceived => self.payment_key,
            _ => 0,
        }
    }

    /// Highest step said about the present business key, for the topics that keep it in a column.
    #[must_use]
    pub fn said_step(&self, topic: Topic) -> Option<u8> {
        match topic {
            Topic::ArrearsReminder => Some(self.reminded_step),
            Topic::BillNotice => Some(self.bill_said),
            Topic::BalanceWarning => Some(self.balance_said),
            Topic::PaymentReceived => Some(u8::from(self.payment_said)),
            _ => None,
        }
    }
}
