//! A record's texts to a row: which field becomes what, and what is refused, what only warned of.

use std::sync::Arc;

use gridbell_model::{
    BindingSource, Carrier, Channel, ContactSource, Date, Fen, OrgCode, Phone, PhoneClass, Segments, Traits,
};
use gridbell_topology::{LineFact, SectionFact, SubstationFact, TransformerFact};

use crate::cell;
use crate::field::{Kind, balance, bill, contact, customer, payment, ported};
use crate::grid::SupplyRow;
use crate::layout::Layout;
use crate::reject::Reason;
use crate::rows::{BalanceRow, BillRow, ContactRow, CustomerRow, MAX_NAME, PaymentRow, PortedRow, Refusal};
use crate::summary::Warning;

/// What parsing a row needs to know besides the row.
#[derive(Debug)]
pub struct Context {
    pub(crate) layout: Layout,
    pub(crate) today: Date,
    /// The day for which the file's facts are true where it does not say.
    pub(crate) as_of: Date,
    pub(crate) segments: Arc<Segments>,
    pub(crate) source: ContactSource,
    /// The file's name, for errors.
    pub(crate) file: String,
}

/// A record's fields as text, trimmed; empty where blank, missing or without a column.
pub trait Texts {
    /// Field `field`.
    ///
    /// # Errors
    /// It is no text.
    fn text(&self, field: usize) -> Result<&str, Reason>;
}

/// Why a row is refused, and because of which field.
#[derive(Clone, Copy, Debug)]
pub struct Bad {
    pub(crate) field: usize,
    pub(crate) reason: Reason,
}

/// What makes a row of a record; only this crate's rows have it.
pub trait Parse: Sized + Send + 'static {
    /// Reads a record.
    ///
    /// # Errors
    /// The first field for which the row is refused.
    fn parse(texts: &impl Texts, context: &Context, warn: &mut impl FnMut(Warning)) -> Result<Self, Bad>;

    /// What makes a row of the file the same as another; none where the row carries an id that does.
    fn repeat_key(&self) -> Option<(u64, u32)>;
}

/// A row of one of the kinds.
pub trait Row: Parse {
    /// The kind.
    const KIND: Kind;
}

impl Row for CustomerRow {
    const KIND: Kind = Kind::Customers;
}
impl Row for BillRow {
    const KIND: Kind = Kind::Bills;
}
impl Row for BalanceRow {
    const KIND: Kind = Kind::Balances;
}
impl Row for PaymentRow {
    const KIND: Kind = Kind::Payments;
}
impl Row for ContactRow {
    const KIND: Kind = Kind::Contacts;
}
impl Row for PortedRow {
    const KIND: Kind = Kind::Ported;
}
impl Row for SubstationFact {
    const KIND: Kind = Kind::Substations;
}
impl Row for LineFact {
    const KIND: Kind = Kind::Lines;
}
impl Row for SectionFact {
    const KIND: Kind = Kind::Sections;
}
impl Row for TransformerFact {
    const KIND: Kind = Kind::Transformers;
}
impl Row for SupplyRow {
    const KIND: Kind = Kind::Supply;
}

/// A field that must not be blank, through `read`.
pub(crate) fn need<V>(
    texts: &impl Texts,
    field: usize,
    read: impl FnOnce(&str) -> Result<V, Reason>,
) -> Result<V, Bad> {
    let value = match texts.text(field) {
        Ok("") => Err(Reason::Missing),
        Ok(text) => read(text),
        Err(reason) => Err(reason),
    };
    value.map_err(|reason| Bad { field, reason })
}

/// A field that may be blank, through `read`.
pub(crate) fn given<V>(
    texts: &impl Texts,
    field: usize,
    read: impl FnOnce(&str) -> Result<V, Reason>,
) -> Result<Option<V>, Bad> {
    match texts.text(field) {
        Ok("") => Ok(None),
        Ok(text) => read(text).map(Some).map_err(|reason| Bad { field, reason }),
        Err(reason) => Err(Bad { field, reason }),
    }
}

/// A rule of the row's own, told by our name of the field, as a matter of its column.
fn checked<R>(row: R, kind: Kind, check: Result<(), Refusal>) -> Result<R, Bad> {
    match check {
        Ok(()) => Ok(row),
        Err(Refusal { field, reason }) => {
            Err(Bad { field: kind.fields().iter().position(|f| f.name == field).unwrap_or(0), reason })
        }
    }
}

impl Parse for CustomerRow {
    fn parse(texts: &impl Texts, context: &Context, warn: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let account = need(texts, customer::ACCOUNT, cell::account)?;
        let station = need(texts, customer::STATION, |t| cell::number(t).ok_or(Reason::Station))?;
        let mut row = Self::new(account, OrgCode(station));
        row.threshold = given(texts, customer::THRESHOLD, cell::amount)?;
        // From here on nothing refuses the row: what is not understood is not taken, and said.
        row.section = match texts.text(customer::SECTION) {
            Ok("") => None,
            text => text.ok().and_then(cell::number).or_else(|| {
                warn(Warning::UnreadSection);
                None
            }),
        };
        row.name = match texts.text(customer::NAME) {
            Ok("") => None,
            Ok(name) if name.len() <= MAX_NAME && !name.contains(|c: char| c == '\u{fffd}' || c.is_control()) => {
                Some(name.to_owned())
            }
            _ => {
                warn(Warning::UnreadName);
                None
            }
        };
        row.phone = phone(texts, context, warn);
        (row.traits, row.traits_given) = traits(texts, context, warn);
        let check = row.check();
        checked(row, Kind::Customers, check)
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        Some((self.account.packed(), 0))
    }
}

/// The contact, with its class, source and when it was verified; none where the file gives no number.
fn phone(texts: &impl Texts, context: &Context, warn: &mut impl FnMut(Warning)) -> Option<Phone> {
    let phone = match texts.text(customer::PHONE) {
        Ok("") => return None,
        Ok(text) => cell::phone(text, &context.segments),
        Err(_) => Phone::NONE.with_class(PhoneClass::Bad),
    };
    flag_phone(phone, warn);
    if phone.class() == PhoneClass::None {
        return Some(phone);
    }
    let source = match texts.text(customer::SOURCE) {
        Ok("") => context.source,
        text => text.ok().and_then(|t| t.parse().ok()).unwrap_or_else(|| {
            warn(Warning::UnreadContact);
            context.source
        }),
    };
    let verified = match texts.text(customer::VERIFIED) {
        Ok("") => Date::NONE,
        text => text.ok().and_then(|t| cell::date(t).ok()).filter(|d| *d <= context.today).unwrap_or_else(|| {
            warn(Warning::UnreadContact);
            Date::NONE
        }),
    };
    Some(phone.with_source(source).with_verified_on(verified))
}

/// Warns of a number to which no SMS can go.
pub(crate) fn flag_phone(phone: Phone, warn: &mut impl FnMut(Warning)) {
    match phone.class() {
        PhoneClass::Bad => warn(Warning::BadPhone),
        PhoneClass::Landline => warn(Warning::Landline),
        PhoneClass::UnknownSegment => warn(Warning::UnknownSegment),
        PhoneClass::None | PhoneClass::Mobile => {}
    }
}

/// The traits that the row gives, and which those are. A yes/no column outweighs the category, which outweighs the list of tags.
fn traits(texts: &impl Texts, context: &Context, warn: &mut impl FnMut(Warning)) -> (Traits, Traits) {
    let (mut set, mut given) = (Traits::default(), Traits::default());
    match texts.text(customer::TRAITS) {
        Ok("") => {}
        Ok(text) => {
            let (tags, understood) = cell::traits(text);
            set = tags;
            given = tags;
            if understood {
                given = given | cell::ARCHIVE;
            } else {
                warn(Warning::UnreadTrait);
            }
        }
        Err(_) => warn(Warning::UnreadTrait),
    }
    match texts.text(customer::CATEGORY) {
        Ok("") => {}
        text => match text.ok().and_then(cell::category) {
            Some(category) => {
                set = set.with(cell::CATEGORIES, false) | category;
                given = given | cell::CATEGORIES;
            }
            None => warn(Warning::UnreadTrait),
        },
    }
    for (field, bit) in context.layout.flags() {
        match texts.text(*field) {
            Ok("") => {}
            text => match text.ok().and_then(cell::yes_no) {
                Some(on) => {
                    set = set.with(*bit, on);
                    given = given | *bit;
                }
                None => warn(Warning::UnreadTrait),
            },
        }
    }
    (set, given)
}

impl Parse for BillRow {
    fn parse(texts: &impl Texts, context: &Context, warn: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let kwh = match texts.text(bill::KWH) {
            Ok("") => 0,
            // Databases print whole numbers with a point and zeros.
            text => text
                .ok()
                .and_then(|t| {
                    cell::number(t.split_once('.').map_or(
                        t,
                        |(whole, zeros)| {
                            if zeros.bytes().all(|b| b == b'0') { whole } else { t }
                        },
                    ))
                })
                .unwrap_or_else(|| {
                    warn(Warning::UnreadEnergy);
                    0
                }),
        };
        let row = Self {
            account: need(texts, bill::ACCOUNT, cell::account)?,
            period: need(texts, bill::PERIOD, cell::period)?,
            amount: need(texts, bill::AMOUNT, cell::amount)?,
            kwh,
            issued: need(texts, bill::ISSUED, cell::date)?,
            late_fee_from: need(texts, bill::LATE_FEE_FROM, cell::date)?,
            as_of: given(texts, bill::AS_OF, cell::date)?.unwrap_or(context.as_of),
        };
        checked(row, Kind::Bills, row.check(context.today))
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        Some((self.account.packed(), self.period))
    }
}

impl Parse for BalanceRow {
    fn parse(texts: &impl Texts, context: &Context, warn: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let debit_pending = match texts.text(balance::DEBIT_PENDING) {
            Ok("") => None,
            text => text.ok().and_then(cell::yes_no).or_else(|| {
                warn(Warning::UnreadTrait);
                None
            }),
        };
        let row = Self {
            account: need(texts, balance::ACCOUNT, cell::account)?,
            balance: need(texts, balance::BALANCE, cell::amount)?,
            as_of: given(texts, balance::AS_OF, cell::date)?.unwrap_or(context.as_of),
            debit_pending,
        };
        checked(row, Kind::Balances, row.check(context.today))
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        Some((self.account.packed(), 0))
    }
}

impl Parse for PaymentRow {
    fn parse(texts: &impl Texts, context: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let amount = need(texts, payment::AMOUNT, cell::amount)?;
        // A negative payment is one taken back; a column that says otherwise makes the row a riddle, and money is no place for riddles.
        let said = given(texts, payment::REVERSAL, |t| cell::yes_no(t).ok_or(Reason::Reversal))?;
        if amount < Fen::ZERO && said == Some(false) {
            return Err(Bad { field: payment::REVERSAL, reason: Reason::Reversal });
        }
        let row = Self {
            account: need(texts, payment::ACCOUNT, cell::account)?,
            payment_id: need(texts, payment::PAYMENT_ID, |t| Ok(t.into()))?,
            amount: if amount < Fen::ZERO { -amount } else { amount },
            paid_at: need(texts, payment::PAID_AT, cell::minute)?,
            reversal: said.unwrap_or(amount < Fen::ZERO),
        };
        let check = row.check(context.today);
        checked(row, Kind::Payments, check)
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        None
    }
}

/// A word of a list, as the list or an office writes it.
pub(crate) fn one_of<V: Copy>(all: &[V], names: impl Fn(V) -> (&'static str, &'static str), text: &str) -> Option<V> {
    all.iter().copied().find(|v| {
        let (word, chinese) = names(*v);
        word.eq_ignore_ascii_case(text) || chinese == text
    })
}

impl Parse for ContactRow {
    fn parse(texts: &impl Texts, context: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let channel = |t: &str| one_of(Channel::ALL, |c| (c.word(), c.chinese()), t).ok_or(Reason::Channel);
        let source = |t: &str| {
            let known = one_of(BindingSource::ALL, |s| (s.word(), s.chinese()), t);
            known.or((t == "柜台").then_some(BindingSource::Counter)).ok_or(Reason::BindingSource)
        };
        let row = Self {
            account: need(texts, contact::ACCOUNT, cell::account)?,
            channel: need(texts, contact::CHANNEL, channel)?,
            id: need(texts, contact::ID, |t| t.parse().map_err(|_| Reason::PlatformId))?,
            app: given(texts, contact::APP, |t| Ok(t.to_owned()))?.unwrap_or_default(),
            source: given(texts, contact::SOURCE, source)?.unwrap_or(BindingSource::Import),
            bound_at: given(texts, contact::BOUND_AT, cell::minute)?.unwrap_or_else(|| context.today.at(0, 0)),
        };
        let check = row.check(context.today);
        checked(row, Kind::Contacts, check)
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        Some((self.account.packed(), self.channel as u32))
    }
}

/// A carrier's word, its Chinese name, or that without 中国, as lists of ported numbers have it.
fn carrier(text: &str) -> Result<Carrier, Reason> {
    let word = text.to_ascii_lowercase();
    let known =
        |c: &&Carrier| c.word() == word || c.chinese() == text || c.chinese().strip_prefix("中国") == Some(text);
    Carrier::ALL.iter().find(known).copied().ok_or(Reason::Carrier)
}

impl Parse for PortedRow {
    fn parse(texts: &impl Texts, context: &Context, _: &mut impl FnMut(Warning)) -> Result<Self, Bad> {
        let number = |t: &str| {
            let phone = cell::phone(t, &context.segments);
            match phone.class() {
                PhoneClass::Mobile => Ok(phone),
                PhoneClass::UnknownSegment => Err(Reason::Segment),
                _ => Err(Reason::Mobile),
            }
        };
        let phone = need(texts, ported::NUMBER, number)?;
        let carrier = need(texts, ported::CARRIER, carrier)?;
        let row = Self {
            phone,
            carrier,
            own: context.segments.carrier_of(phone.number()) == Some(carrier),
            on: given(texts, ported::ON, cell::date)?,
        };
        let check = row.check(context.today);
        checked(row, Kind::Ported, check)
    }

    fn repeat_key(&self) -> Option<(u64, u32)> {
        Some((self.phone.number(), 0))
    }
}
