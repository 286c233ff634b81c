//! One customer: what the archive, bills, balances and payments say, and what was said to it.

use super::calendar::date;
use super::files::{BillRow, Inputs, PaymentRow, Row, fen};

/// A payment older than this when it comes in is told to nobody, in days.
const TOLD_FOR: i64 = 45;

pub(super) struct Customer {
    pub(super) account: String,
    pub(super) prefecture: u32,
    pub(super) station: String,
    pub(super) contact: Contact,
    pub(super) important: bool,
    pub(super) prepaid: bool,
    pub(super) subscribes_bill: bool,
    pub(super) subscribes_balance: bool,
    pub(super) debit_pending: bool,
    pub(super) disputed: bool,
    pub(super) closed: bool,
    pub(super) paused: bool,
    pub(super) do_not_remind: bool,
    pub(super) threshold: Option<i64>,
    /// Unpaid bills, oldest first.
    pub(super) open: Vec<OpenBill>,
    pub(super) bill: Option<Bill>,
    pub(super) bills_as_of: Option<i64>,
    pub(super) balance: i64,
    pub(super) balance_as_of: Option<i64>,
    /// Counts the times that the balance came back after a warning; 0 before a balance is known.
    pub(super) episode: u32,
    /// The threshold of the policy that warned last.
    pub(super) warned_below: i64,
    /// The latest payment by its day, of one day the one that came in last; while a run tells of another, that one.
    pub(super) paid: Option<Payment>,
    /// How many there were.
    payments: u32,
    /// Payments that no run has seen.
    pub(super) waiting: Vec<Payment>,
    /// Highest steps said about the oldest open bill, the latest bill and this episode.
    pub(super) reminded: u32,
    pub(super) bill_said: u32,
    pub(super) balance_said: u32,
}

/// A payment, or with a negative amount a reversal.
#[derive(Clone, Copy)]
pub(super) struct Payment {
    /// In the order in which they came in, from 1.
    pub(super) number: u32,
    pub(super) amount: i64,
    pub(super) on: i64,
    /// 1 once it was told.
    pub(super) said: u32,
}

#[derive(Clone, PartialEq)]
pub(super) enum Contact {
    None,
    Bad,
    Mobile { number: String, carrier: String },
}

#[derive(Clone)]
pub(super) struct OpenBill {
    pub(super) period: u32,
    pub(super) owed: i64,
    pub(super) late_fee_from: i64,
}

pub(super) struct Bill {
    pub(super) period: u32,
    pub(super) amount: i64,
    pub(super) kwh: i64,
    pub(super) issued: i64,
    pub(super) late_fee_from: i64,
}

impl Customer {
    pub(super) fn new(row: &Row, inputs: &Inputs) -> Self {
        let yes = |name: &str| row[name] == "1";
        let station = row["供电单位"].clone();
        Self {
            account: row["户号"].clone(),
            // The first four digits of a unit below a prefecture are the prefecture's.
            prefecture: station[..4].parse::<u32>().expect("a unit's code") * 100,
            station,
            contact: contact(&row["手机号"], inputs),
            important: yes("重要客户"),
            prepaid: yes("费控"),
            subscribes_bill: yes("订阅账单"),
            subscribes_balance: yes("订阅余额"),
            debit_pending: yes("批扣在途"),
            disputed: yes("电费争议"),
            closed: yes("销户"),
            paused: yes("暂停催费"),
            do_not_remind: yes("免催"),
            threshold: Some(&row["预警阈值"]).filter(|t| !t.is_empty()).map(|t| fen(t)),
            open: Vec::new(),
            bill: None,
            bills_as_of: None,
            balance: 0,
            balance_as_of: None,
            episode: 0,
            warned_below: 0,
            paid: None,
            payments: 0,
            waiting: Vec::new(),
            reminded: 0,
            bill_said: 0,
            balance_said: 0,
        }
    }

    /// A new bill; files give them in the order of periods and none twice.
    pub(super) fn bill(&mut self, row: &BillRow) {
        assert!(self.bill.as_ref().is_none_or(|b| b.period < row.period), "{}: bills stand in order", self.account);
        let before = self.oldest();
        if row.amount > 0 {
            self.open.push(OpenBill { period: row.period, owed: row.amount, late_fee_from: row.late_fee_from });
        }
        let BillRow { period, amount, kwh, issued, late_fee_from, .. } = *row;
        self.bill = Some(Bill { period, amount, kwh, issued, late_fee_from });
        self.bill_said = 0;
        self.bills_as_of = self.bills_as_of.max(Some(row.as_of));
        self.after(before);
    }

    pub(super) fn told_balance(&mut self, row: &Row) {
        self.balance_as_of = Some(date(&row["数据日期"]));
        self.set_balance(fen(&row["可用余额（元）"]));
    }

    /// A payment settles the oldest bill first, what is left goes to the balance. A reversal is taken from the balance, and where that does not
    /// suffice the latest bill is open again, as it was.
    pub(super) fn pay(&mut self, row: &PaymentRow, today: i64) {
        let before = self.oldest();
        let mut rest = row.amount;
        for bill in &mut self.open {
            let part = rest.clamp(0, bill.owed);
            bill.owed -= part;
            rest -= part;
        }
        self.open.retain(|b| b.owed > 0);
        if let Some(latest) = self.bill.as_ref().filter(|_| rest < 0 && self.balance < -rest) {
            match self.open.iter_mut().find(|b| b.period == latest.period) {
                Some(open) => open.owed -= rest,
                None => {
                    let Bill { period, late_fee_from, .. } = *latest;
                    self.open.push(OpenBill { period, owed: -rest, late_fee_from });
                }
            }
            rest = 0;
        }
        self.set_balance(self.balance + rest);
        self.after(before);

        self.payments += 1;
        let payment = Payment { number: self.payments, amount: row.amount, on: row.paid_on, said: 0 };
        let known = self.paid.map_or(i64::MIN, |p| p.on);
        assert!(payment.on >= known.saturating_sub(TOLD_FOR), "{}: the product refuses what is so late", self.account);
        if payment.on >= known {
            self.paid = Some(payment);
        }
        if payment.amount > 0 && payment.on >= today - TOLD_FOR {
            self.waiting.push(payment);
        }
        // Nobody is told of a payment that was taken back before: of several of the amount, the newest.
        self.waiting.sort_by_key(|p| (p.on, p.number));
        if let Some(at) = self.waiting.iter().rposition(|p| p.amount == -payment.amount) {
            self.waiting.remove(at);
        }
    }

    fn set_balance(&mut self, balance: i64) {
        self.balance = balance;
        self.episode = self.episode.max(1);
        // Enough again, by the threshold under which the customer was warned: the next fall is told anew.
        if self.balance_said > 0 && balance >= self.threshold.unwrap_or(self.warned_below) {
            self.episode += 1;
            self.balance_said = 0;
        }
    }

    fn after(&mut self, oldest_before: u32) {
        if self.oldest() != oldest_before {
            self.reminded = 0;
        }
    }

    /// The period of the oldest open bill, 0 for none.
    pub(super) fn oldest(&self) -> u32 {
        self.open.first().map_or(0, |b| b.period)
    }

    pub(super) fn arrears(&self) -> i64 {
        self.open.iter().map(|b| b.owed).sum()
    }

    /// What a topic's texts state: the amount and the day for which it is true.
    pub(super) fn stated(&self, topic: &str) -> (i64, Option<i64>) {
        match topic {
            "arrears-reminder" => (self.arrears(), self.bills_as_of),
            "bill-notice" => (self.bill.as_ref().map_or(0, |b| b.amount), self.bills_as_of),
            "balance-warning" => (self.balance, self.balance_as_of),
            "payment-received" => (self.paid.map_or(0, |p| p.amount), self.paid.map(|p| p.on)),
            other => panic!("no such topic here: {other}"),
        }
    }

    /// What a topic's message is about: with the step it is not said twice.
    pub(super) fn key(&self, topic: &str) -> u32 {
        match topic {
            "arrears-reminder" => self.oldest(),
            "bill-notice" => self.bill.as_ref().map_or(0, |b| b.period),
            "balance-warning" => self.episode,
            "payment-received" => self.paid.map_or(0, |p| p.number),
            other => panic!("no such topic here: {other}"),
        }
    }

    /// The highest step said about it.
    pub(super) fn said(&mut self, topic: &str) -> &mut u32 {
        match topic {
            "arrears-reminder" => &mut self.reminded,
            "bill-notice" => &mut self.bill_said,
            "balance-warning" => &mut self.balance_said,
            "payment-received" => &mut self.paid.as_mut().expect("a payment was spoken of").said,
            other => panic!("no such topic here: {other}"),
        }
    }
}

/// A mobile number in a known segment, or why there is none.
fn contact(text: &str, inputs: &Inputs) -> Contact {
    if text.is_empty() {
        return Contact::None;
    }
    let mobile = text.len() == 11 && text.starts_with('1') && text.bytes().all(|b| b.is_ascii_digit());
    let carrier = mobile.then(|| inputs.segments.get(&text[..4].parse::<u64>().expect("digits"))).flatten();
    carrier.map_or(Contact::Bad, |carrier| Contact::Mobile { number: text.to_owned(), carrier: carrier.clone() })
}
