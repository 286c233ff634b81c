//! What a row means, whichever way it came: the shape of each kind and the rules that hold for a single row.

use std::fmt;

use gridbell_model::{
    AccountNumber, BindingSource, Carrier, Channel, CivilMinute, Date, Fen, MAX_PLATFORM_ID, OrgCode, Phone,
    PlatformId, Traits,
};
use serde::{Deserialize, Serialize};

use crate::reject::Reason;

/// The most bytes of a payment's id.
pub(crate) const MAX_PAYMENT_ID: usize = 64;
/// The most bytes of a name; longer is a slipped column.
pub(crate) const MAX_NAME: usize = 200;
/// The largest threshold: a column holds it in 32 bits, the highest value being "none".
pub(crate) const MAX_THRESHOLD: Fen = Fen(u32::MAX as i64 - 1);
/// Facts may be dated this many days after today: clocks of other systems run ahead around midnight.
const MAX_AHEAD_DAYS: i32 = 1;
/// A bill may be issued this many days after today at most: billing systems fix issue days in advance.
const MAX_ISSUE_AHEAD_DAYS: i32 = 366;

/// Why a row is refused, and because of which field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Our name of the field.
    pub field: &'static str,
    /// Why.
    pub reason: Reason,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.field, self.reason)
    }
}

impl std::error::Error for Refusal {}

fn refuse(field: &'static str, reason: Reason) -> Result<(), Refusal> {
    Err(Refusal { field, reason })
}

/// A customer: what is given replaces what was known, what is not given stays as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerRow {
    /// 户号; the key.
    pub account: AccountNumber,
    /// The station that the customer hangs on.
    pub station: OrgCode,
    /// The reading section (抄表段).
    pub section: Option<u32>,
    /// The values of the traits in `traits_given`; other bits are 0.
    pub traits: Traits,
    /// Which traits were given.
    pub traits_given: Traits,
    /// 户名. Personal.
    pub name: Option<String>,
    /// The number with its class, its source and when it was verified; [`Phone::NONE`] takes the known number away.
    pub phone: Option<Phone>,
    /// The customer's own warning threshold for a prepaid balance, below 2³² − 1 fen.
    pub threshold: Option<Fen>,
}

impl fmt::Debug for CustomerRow {
    /// Without the name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomerRow")
            .field("account", &self.account)
            .field("station", &self.station)
            .field("section", &self.section)
            .field("traits", &self.traits)
            .field("traits_given", &self.traits_given)
            .field("phone", &self.phone)
            .field("threshold", &self.threshold)
            .finish_non_exhaustive()
    }
}

impl CustomerRow {
    /// A row that gives nothing but whose customer it is.
    #[must_use]
    pub fn new(account: AccountNumber, station: OrgCode) -> Self {
        Self {
            account,
            station,
            section: None,
            traits: Traits::default(),
            traits_given: Traits::default(),
            name: None,
            phone: None,
            threshold: None,
        }
    }

    /// Whether the row may be taken.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self) -> Result<(), Refusal> {
        if !(10..=999_999_999).contains(&self.station.0) {
            return refuse("station", Reason::Station);
        }
        if self.threshold.is_some_and(|t| t < Fen::ZERO || t > MAX_THRESHOLD) {
            return refuse("threshold", Reason::Threshold);
        }
        Ok(())
    }
}

/// A bill as it was issued. The key is account and period; the same again with another amount is a bill issued again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BillRow {
    /// 户号
    pub account: AccountNumber,
    /// Billing period as yyyymm.
    pub period: u32,
    /// What is to be paid; 0 settles the period.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// Energy; 0 for not known.
    #[serde(default)]
    pub kwh: u32,
    /// The day on which it was issued (发行).
    pub issued: Date,
    /// First day of the late fee (违约金起算日).
    pub late_fee_from: Date,
    /// The day for which this is true.
    pub as_of: Date,
}

impl BillRow {
    /// Whether the row may be taken on `today`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, today: Date) -> Result<(), Refusal> {
        if !is_period(self.period) {
            return refuse("period", Reason::Period);
        }
        if self.amount < Fen::ZERO {
            return refuse("amount", Reason::Negative);
        }
        if self.amount > Fen::MAX_PLAUSIBLE {
            return refuse("amount", Reason::Amount);
        }
        for (field, date) in [("issued", self.issued), ("late-fee-from", self.late_fee_from), ("as-of", self.as_of)] {
            if !is_plausible(date) {
                return refuse(field, Reason::Date);
            }
        }
        if self.late_fee_from < self.issued {
            return refuse("late-fee-from", Reason::DateOrder);
        }
        if self.issued > today.plus_days(MAX_ISSUE_AHEAD_DAYS) {
            return refuse("issued", Reason::Future);
        }
        not_ahead("as-of", self.as_of, today)
    }
}

/// A prepaid balance. An older one than is known changes nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BalanceRow {
    /// 户号
    pub account: AccountNumber,
    /// Negative is overdrawn.
    #[serde(rename = "balance_fen")]
    pub balance: Fen,
    /// The day for which this is true.
    pub as_of: Date,
    /// Whether a bank debit is under way, where the file says it.
    #[serde(default)]
    pub debit_pending: Option<bool>,
}

impl BalanceRow {
    /// Whether the row may be taken on `today`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, today: Date) -> Result<(), Refusal> {
        if self.balance.0.unsigned_abs() > Fen::MAX_PLAUSIBLE.0.unsigned_abs() {
            return refuse("balance", Reason::Amount);
        }
        if !is_plausible(self.as_of) {
            return refuse("as-of", Reason::Date);
        }
        not_ahead("as-of", self.as_of, today)
    }
}

/// A payment received, or taken back. The id makes it count once, however often it is told.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PaymentRow {
    /// 户号
    pub account: AccountNumber,
    /// The paying system's id, 1 to 64 bytes of printable ASCII.
    pub payment_id: Box<str>,
    /// Always positive.
    #[serde(rename = "amount_fen")]
    pub amount: Fen,
    /// When it was paid; where only the day is known, its first minute.
    pub paid_at: CivilMinute,
    /// Whether the payment of this amount is taken back (冲正).
    #[serde(default)]
    pub reversal: bool,
}

impl PaymentRow {
    /// Whether the row may be taken on `today`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, today: Date) -> Result<(), Refusal> {
        let id = self.payment_id.as_bytes();
        if id.is_empty() || id.len() > MAX_PAYMENT_ID || !id.iter().all(u8::is_ascii_graphic) {
            return refuse("payment-id", Reason::PaymentId);
        }
        if self.amount == Fen::ZERO {
            return refuse("amount", Reason::Zero);
        }
        if self.amount < Fen::ZERO {
            return refuse("amount", Reason::Negative);
        }
        if self.amount > Fen::MAX_PLAUSIBLE {
            return refuse("amount", Reason::Amount);
        }
        if !is_plausible(self.paid_at.date()) {
            return refuse("paid-at", Reason::Minute);
        }
        not_ahead("paid-at", self.paid_at.date(), today)
    }
}

/// A customer's address at a platform. The key is account and channel: told again with another id, it replaces the one before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContactRow {
    /// 户号
    pub account: AccountNumber,
    /// WeChat or Alipay.
    pub channel: Channel,
    /// The customer's id there. Personal.
    pub id: PlatformId,
    /// The province's account there to which the id belongs, at most [`MAX_PLATFORM_ID`] bytes; empty where there is but one.
    #[serde(default)]
    pub app: String,
    /// Where the binding came from.
    pub source: BindingSource,
    /// When the customer was bound.
    pub bound_at: CivilMinute,
}

impl ContactRow {
    /// Whether the row may be taken on `today`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, today: Date) -> Result<(), Refusal> {
        if !self.channel.is_platform() {
            return refuse("channel", Reason::Channel);
        }
        if self.app.len() > MAX_PLATFORM_ID || !self.app.bytes().all(|b| b.is_ascii_graphic()) {
            return refuse("app", Reason::PlatformId);
        }
        if !is_plausible(self.bound_at.date()) {
            return refuse("bound-at", Reason::Minute);
        }
        not_ahead("bound-at", self.bound_at.date(), today)
    }
}

/// A number that was taken to another carrier (携号转网), or came back. The key is the number: told again, the later row counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PortedRow {
    /// A mobile number of a known segment. Personal.
    pub phone: Phone,
    /// Whose it is now.
    pub carrier: Carrier,
    /// Whether that is the carrier to whom its segment was given: it came back.
    pub own: bool,
    /// Since when, where the file says it.
    pub on: Option<Date>,
}

impl PortedRow {
    /// Whether the row may be taken on `today`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self, today: Date) -> Result<(), Refusal> {
        let Some(on) = self.on else { return Ok(()) };
        if !is_plausible(on) {
            return refuse("ported-on", Reason::Date);
        }
        not_ahead("ported-on", on, today)
    }
}

/// Whether `period` is a month of 1990 to 2200 as yyyymm.
pub(crate) fn is_period(period: u32) -> bool {
    (1990..=2200).contains(&(period / 100)) && (1..=12).contains(&(period % 100))
}

/// Days of 1990-01-01 to 2200-12-31, the range in which the model reads dates.
fn is_plausible(date: Date) -> bool {
    (7_305..=84_370).contains(&date.0)
}

fn not_ahead(field: &'static str, date: Date, today: Date) -> Result<(), Refusal> {
    if date > today.plus_days(MAX_AHEAD_DAYS) { refuse(field, Reason::Future) } else { Ok(()) }
}
