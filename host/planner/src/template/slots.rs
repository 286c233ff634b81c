//! What a template can say: the plugin's two numbers and a few facts of the house's own, each written as customers read it.

use gridbell_contract::{Arg, Notice, Unit};
use gridbell_model::{AccountNumber, CivilMinute, CustomerView, Date, Fen, Topic};

use crate::answers::states_account;

/// A placeholder that the house fills, whatever the plugin.
#[derive(Clone, Copy, Debug)]
pub struct HostPlaceholder {
    /// As it stands in a text.
    pub name: &'static str,
    /// What it is, for the form in which texts are written.
    pub title: &'static str,
    slot: Slot,
    /// Topics that have it; none for all.
    topics: Option<&'static [Topic]>,
}

impl HostPlaceholder {
    /// Whether texts about `topic` can say it.
    #[must_use]
    pub fn is_for(&self, topic: Topic) -> bool {
        self.topics.is_none_or(|t| t.contains(&topic))
    }
}

/// All of them. A name may leave the province only in a paper letter: there is none here.
pub const HOST_PLACEHOLDERS: &[HostPlaceholder] = &[
    HostPlaceholder { name: "account_tail", title: "户号后四位", slot: Slot::AccountTail, topics: None },
    HostPlaceholder { name: "station", title: "供电所名称", slot: Slot::Station, topics: None },
    HostPlaceholder { name: "prefecture", title: "地市名称", slot: Slot::Prefecture, topics: None },
    HostPlaceholder { name: "hotline", title: "服务热线", slot: Slot::Hotline, topics: None },
    HostPlaceholder { name: "as_of", title: "数据截至日期", slot: Slot::AsOf, topics: Some(WITH_FACT) },
    HostPlaceholder { name: "period", title: "账期", slot: Slot::Period, topics: Some(WITH_PERIOD) },
    HostPlaceholder {
        name: "late_fee_from",
        title: "违约金起算日",
        slot: Slot::LateFeeFrom,
        topics: Some(WITH_ARREARS),
    },
    HostPlaceholder { name: "months_owed", title: "欠费月数", slot: Slot::MonthsOwed, topics: Some(WITH_ARREARS) },
];

const WITH_FACT: &[Topic] =
    &[Topic::ArrearsReminder, Topic::BillNotice, Topic::BalanceWarning, Topic::PaymentReceived, Topic::CutOff];
const WITH_PERIOD: &[Topic] = &[Topic::ArrearsReminder, Topic::BillNotice, Topic::CutOff];
const WITH_ARREARS: &[Topic] = &[Topic::ArrearsReminder, Topic::CutOff];

/// The fact about a customer that a topic's texts state: what must be fresh, carries the 截至 date, and is checked again before submit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The day for which it is true; [`Date::NONE`] if it is not known.
    pub as_of: Date,
    /// The amount.
    pub amount: Fen,
}

/// The fact that texts about `topic` state; none for topics that state nothing about an account's money.
#[must_use]
pub fn fact_of(topic: Topic, view: &CustomerView) -> Option<Fact> {
    let (as_of, amount) = match topic {
        Topic::ArrearsReminder | Topic::CutOff => (view.arrears_as_of, view.arrears),
        Topic::BillNotice => (view.arrears_as_of, view.bill_amount),
        Topic::BalanceWarning => (view.balance_as_of, view.balance),
        Topic::PaymentReceived => (view.paid_on, view.paid_amount),
        Topic::Outage | Topic::Restore | Topic::Campaign | Topic::Staff | Topic::Correction | Topic::Answer => {
            return None;
        }
    };
    Some(Fact { as_of, amount })
}

/// Whether texts about `topic` state a fact, and so must carry its date.
pub(crate) fn states_fact(topic: Topic) -> bool {
    WITH_FACT.contains(&topic)
}

/// What one message's text is made from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The decision's numbers.
    pub args: [i64; 2],
    /// The last four digits of the account number.
    pub account_tail: u16,
    /// The day for which the stated fact is true.
    pub as_of: Date,
    /// The billing period that it is about, yyyymm.
    pub period: u32,
    /// When the late fee starts.
    pub late_fee_from: Date,
    /// How many bills are unpaid.
    pub months_owed: u8,
    /// The station's name.
    pub station: &'a str,
    /// The prefecture's name.
    pub prefecture: &'a str,
    /// The number that customers call.
    pub hotline: &'a str,
    /// For how many accounts the text speaks: 1, but for texts that several accounts share.
    pub count: u16,
}

impl<'a> Facts<'a> {
    /// The facts of a message about `topic` to the customer of `view`.
    #[must_use]
    pub fn of(
        topic: Topic,
        view: &CustomerView,
        args: [i64; 2],
        station: &'a str,
        prefecture: &'a str,
        hotline: &'a str,
    ) -> Self {
        let period = if topic == Topic::BillNotice { view.bill_period } else { view.arrears_period };
        Self {
            args,
            account_tail: tail_of(view.account),
            as_of: fact_of(topic, view).map_or(Date::NONE, |f| f.as_of),
            period,
            late_fee_from: view.late_fee_from,
            months_owed: view.months_owed,
            station,
            prefecture,
            hotline,
            count: 1,
        }
    }

    /// Likely facts, for previews and for checking a text when it is saved.
    #[must_use]
    pub fn sample(notice: &Notice) -> Facts<'static> {
        let day = Date(20_773); // 2026-11-16
        let number = |arg: &Option<Arg>| match arg.as_ref().map(|a| a.unit) {
            Some(Unit::Fen) => 12_345,
            Some(Unit::Date) => i64::from(day.0),
            Some(Unit::CivilMinute) => day.at(9, 30).0,
            Some(Unit::Kwh) => 256,
            Some(Unit::Days | Unit::Count) | None => 3,
        };
        Facts {
            args: [number(&notice.arg0), number(&notice.arg1)],
            account_tail: 6789,
            as_of: day,
            period: 202_610,
            late_fee_from: day.plus_days(7),
            months_owed: 1,
            station: "城西供电所",
            prefecture: "太原",
            hotline: "95598",
            count: 3,
        }
    }
}

/// The last four digits: customers know their account by them, and nobody else learns it.
fn tail_of(account: AccountNumber) -> u16 {
    // The digits' value is below the count of digits, in 56 bits.
    u16::try_from((account.packed() & ((1 << 56) - 1)) % 10_000).unwrap_or(0)
}

/// One thing to fill in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Arg(u8, Unit),
    AccountTail,
    Station,
    Prefecture,
    Hotline,
    AsOf,
    Period,
    LateFeeFrom,
    MonthsOwed,
    /// In texts that several accounts share.
    Count,
}

/// The names that a text about `topic` for `notice` may use.
pub(crate) fn slots_of(topic: Topic, notice: &Notice) -> Vec<(String, Slot)> {
    let arg = |n: u8, arg: &Option<Arg>| arg.as_ref().map(|a| (a.name.clone(), Slot::Arg(n, a.unit)));
    let own: Vec<(String, Slot)> = [arg(0, &notice.arg0), arg(1, &notice.arg1)].into_iter().flatten().collect();
    // A plugin's number comes before the house's fact of the same name: it is what the plugin decided by.
    let own_names: Vec<String> = own.iter().map(|(name, _)| name.clone()).collect();
    // An answer may go to whoever has the number: only where it states an account's data may it say whose.
    let anybody = topic == Topic::Answer && !states_account(&notice.name);
    let hidden =
        |p: &HostPlaceholder| anybody && matches!(p.slot, Slot::AccountTail | Slot::Station | Slot::Prefecture);
    let host = HOST_PLACEHOLDERS.iter().filter(|p| p.is_for(topic) && !hidden(p)).map(|p| (p.name.to_owned(), p.slot));
    own.into_iter().chain(host.filter(|(name, _)| !own_names.contains(name))).collect()
}

/// A fact that the text needs is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing;

impl Slot {
    /// Writes the value as customers read it.
    pub(crate) fn write(self, facts: &Facts<'_>, out: &mut String) -> Result<(), Missing> {
        match self {
            Self::Arg(n, unit) => return write_unit(facts.args[usize::from(n & 1)], unit, out),
            Self::AccountTail => {
                let tail = u64::from(facts.account_tail);
                [tail / 1000, tail / 100 % 10, tail / 10 % 10, tail % 10].into_iter().for_each(|d| push_digit(d, out));
            }
            Self::Station => out.push_str(facts.station),
            Self::Prefecture => out.push_str(facts.prefecture),
            Self::Hotline => out.push_str(facts.hotline),
            Self::AsOf => return write_date(facts.as_of, out),
            Self::LateFeeFrom => return write_date(facts.late_fee_from, out),
            Self::MonthsOwed => push_number(i64::from(facts.months_owed), out),
            Self::Count => push_number(i64::from(facts.count), out),
            Self::Period => {
                let (year, month) = (facts.period / 100, facts.period % 100);
                if !(1..=12).contains(&month) || year == 0 {
                    return Err(Missing);
                }
                push_number(i64::from(year), out);
                out.push('年');
                push_number(i64::from(month), out);
                out.push('月');
            }
        }
        Ok(())
    }

    /// The value as a number where the text may compare it.
    pub(crate) fn number(self, facts: &Facts<'_>) -> Option<i64> {
        match self {
            Self::Arg(n, Unit::Days | Unit::Kwh | Unit::Count) => Some(facts.args[usize::from(n & 1)]),
            Self::MonthsOwed => Some(i64::from(facts.months_owed)),
            Self::Count => Some(i64::from(facts.count)),
            _ => None,
        }
    }

    /// Whether it is an amount of money, which several accounts have the sum of.
    pub(crate) fn is_money(self) -> bool {
        matches!(self, Self::Arg(_, Unit::Fen))
    }
}

fn write_unit(value: i64, unit: Unit, out: &mut String) -> Result<(), Missing> {
    match unit {
        Unit::Fen => {
            if value < 0 {
                out.push('-');
            }
            let abs = value.unsigned_abs();
            push_unsigned(abs / 100, out);
            out.push('.');
            push_digit(abs / 10 % 10, out);
            push_digit(abs % 10, out);
        }
        Unit::Date => return write_date(i32::try_from(value).map_or(Date::NONE, Date), out),
        Unit::Days | Unit::Kwh | Unit::Count => push_number(value, out),
        Unit::CivilMinute => {
            let at = CivilMinute(value);
            let minute = u64::from(at.minute_of_day());
            write_date(at.date(), out)?;
            push_digit(minute / 600, out);
            push_digit(minute / 60 % 10, out);
            out.push(':');
            push_digit(minute % 60 / 10, out);
            push_digit(minute % 10, out);
        }
    }
    Ok(())
}

/// 11月16日, as [`Date::chinese`].
fn write_date(date: Date, out: &mut String) -> Result<(), Missing> {
    let (_, month, day) = date.some().map_or((0, 0, 0), Date::ymd);
    if month == 0 {
        return Err(Missing);
    }
    push_unsigned(u64::from(month), out);
    out.push('月');
    push_unsigned(u64::from(day), out);
    out.push('日');
    Ok(())
}

fn push_digit(digit: u64, out: &mut String) {
    out.push(char::from(b'0' + u8::try_from(digit % 10).unwrap_or(0)));
}

fn push_number(value: i64, out: &mut String) {
    if value < 0 {
        out.push('-');
    }
    push_unsigned(value.unsigned_abs(), out);
}

/// Without the formatting machinery, which takes longer than the rest of a text.
fn push_unsigned(mut value: u64, out: &mut String) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
        if value == 0 {
            break;
        }
    }
    out.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
}
