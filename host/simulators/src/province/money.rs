//! What customers owe and pay. Nothing in it depends on the day but which of it has happened: a bill of November and when it will be paid are the same
//! seen from any day.

use gridbell_model::{AccountNumber, CivilMinute, Date, Fen, Traits};

use super::draw::{Draw, mix};
use super::{Part, Purpose};

/// Bills are issued from the first to this day of a month, each reading section on its own.
const ISSUE_DAYS: u64 = 20;
/// Earlier months of which bills may still be open.
const MONTHS_BACK: u32 = 3;
/// A bank debit is asked for so many days after issue, and answered so many days after.
const DEBIT_ASKED: i32 = 3;
const DEBIT_ANSWERED: i32 = 5;

/// A bill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bill {
    /// 户号
    pub account: AccountNumber,
    /// Billing period as yyyymm.
    pub period: u32,
    /// What is to be paid.
    pub amount: Fen,
    /// Energy.
    pub kwh: u32,
    /// The day of issue (发行).
    pub issued: Date,
    /// First day of the late fee.
    pub late_fee_from: Date,
}

/// A prepaid balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Balance {
    /// 户号
    pub account: AccountNumber,
    /// Negative is overdrawn.
    pub balance: Fen,
    /// The day for which it was computed.
    pub as_of: Date,
}

/// A payment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    /// 户号
    pub account: AccountNumber,
    /// The paying system's id.
    pub payment_id: String,
    /// Positive, for a reversal too.
    pub amount: Fen,
    /// When it was paid.
    pub paid_at: CivilMinute,
    /// Whether it takes a payment of that amount back.
    pub reversal: bool,
}

impl Part {
    /// The day on which `section`'s bill is issued in the month that lies `back` months before the one whose bill is the latest.
    fn issued(&self, section: u32, back: u32) -> Date {
        let day = 1 + (mix(u64::from(section)) % ISSUE_DAYS) as u32;
        let (year, month, today) = self.today.ymd();
        let months = year * 12 + month as i32 - 1 - i32::from(today < day) - back as i32;
        Date::from_ymd(months.div_euclid(12), months.rem_euclid(12) as u32 + 1, day).unwrap_or(Date::NONE)
    }

    pub(super) fn debit_is_pending(&self, section: u32) -> bool {
        let age = self.today.0 - self.issued(section, 0).0;
        (DEBIT_ASKED..DEBIT_ANSWERED).contains(&age)
    }

    /// Days from issue to late fee: each prefecture its own.
    fn days_to_late_fee(&self) -> i32 {
        20 + (self.index as i32 % 3) * 4
    }

    /// The bills of a customer in the order of their periods; none for prepaid ones.
    pub(super) fn bills(&self, index: u64) -> impl Iterator<Item = Bill> + use<> {
        let (_, section) = self.station(index);
        let traits = self.traits(index, section);
        let mut bills = [None; MONTHS_BACK as usize];
        for (slot, back) in bills.iter_mut().zip((0..MONTHS_BACK).rev()) {
            *slot = self.bill(index, section, traits, back).and_then(|(bill, paid)| {
                let open = paid.is_none_or(|paid| paid >= self.today);
                // Of a closed account only what it left behind.
                (open || (back == 0 && !traits.has(Traits::CLOSED))).then_some(bill)
            });
        }
        bills.into_iter().flatten()
    }

    /// A customer's bill and the day on which it is paid in full, if ever; none where there is no bill.
    fn bill(&self, index: u64, section: u32, traits: Traits, back: u32) -> Option<(Bill, Option<Date>)> {
        if traits.has(Traits::PREPAID) {
            return None;
        }
        let mut habit = self.draw(index, Purpose::Bills);
        let (usual_kwh, fen_per_ten_kwh) =
            if traits.has(Traits::RESIDENT) { (habit.skewed(170), 4_770) } else { (habit.skewed(2_400), 6_150) };
        // One in 25 pays months late; some are away and use nothing.
        let (slow, away) = (habit.chance(400), habit.chance(100));
        let leaves_debt = habit.chance(1_000);
        if traits.has(Traits::CLOSED) && !leaves_debt {
            return None;
        }
        let issued = self.issued(section, back).some()?;
        let (year, month, _) = issued.ymd();
        let period = u32::try_from(year).ok()? * 100 + month;
        let mut draw = Draw::new(habit.next() ^ mix(u64::from(period)));
        let kwh = if away { 0 } else { usual_kwh * (70 + draw.below(61)) / 100 };
        let amount = Fen(i64::try_from(kwh * fen_per_ten_kwh / 100).ok()?);
        let delay = if traits.has(Traits::CLOSED) {
            None
        } else if slow {
            Some(40 + draw.below(80) as i32)
        } else if traits.has(Traits::BANK_DEBIT) && !draw.chance(300) {
            Some(DEBIT_ANSWERED)
        } else {
            Some(delay(&mut draw))
        };
        let bill = Bill {
            account: self.account(index),
            period,
            amount,
            kwh: u32::try_from(kwh).ok()?,
            issued,
            late_fee_from: issued.plus_days(self.days_to_late_fee()),
        };
        let paid = if amount == Fen::ZERO { Some(issued) } else { delay.map(|d| issued.plus_days(d)) };
        Some((bill, paid))
    }

    /// The payments of a customer up to today: of its bills, and today's of a prepaid one.
    pub(super) fn payments(&self, index: u64) -> Vec<Payment> {
        let (_, section) = self.station(index);
        let traits = self.traits(index, section);
        let mut payments = Vec::new();
        if traits.has(Traits::CLOSED) {
            return payments;
        }
        if traits.has(Traits::PREPAID) {
            let mut draw =
                Draw::new(self.draw(index, Purpose::Balance).next() ^ mix(self.today.0 as u64 ^ 0x7061_7964));
            if draw.chance(120) {
                let amount = Fen(draw.one(&[5_000, 10_000, 10_000, 20_000, 30_000]));
                payments.push(self.payment(index, self.today, amount, 0, &mut draw));
            }
            return payments;
        }
        for back in (0..MONTHS_BACK).rev() {
            let Some((bill, paid)) = self.bill(index, section, traits, back) else { continue };
            // What was paid of bills that are in no file is none of the host's business.
            let told = back == 0 || paid.is_none_or(|p| p >= self.today);
            let Some(paid) = paid.filter(|p| told && *p <= self.today && bill.amount > Fen::ZERO) else { continue };
            let mut draw = Draw::new(self.draw(index, Purpose::Bills).next() ^ mix(u64::from(bill.period) << 8));
            // Some pay in two parts, a day or more apart.
            let age = paid.0 - bill.issued.0;
            if age >= 2 && bill.amount > Fen(200) && draw.chance(100) {
                let first = Fen(bill.amount.0 / 2);
                let before = paid.plus_days(-1 - draw.below(age as u64 - 1) as i32);
                payments.push(self.payment(index, before, first, bill.period % 100 * 10 + 1, &mut draw));
                payments.push(self.payment(index, paid, bill.amount - first, bill.period % 100 * 10 + 2, &mut draw));
            } else {
                payments.push(self.payment(index, paid, bill.amount, bill.period % 100 * 10, &mut draw));
            }
            // A cheque bounces, a card payment is taken back: the next day.
            if paid < self.today && draw.chance(5) {
                let mut reversal =
                    self.payment(index, paid.plus_days(1), bill.amount, bill.period % 100 * 10 + 9, &mut draw);
                reversal.reversal = true;
                payments.push(reversal);
            }
        }
        payments
    }

    fn payment(&self, index: u64, day: Date, amount: Fen, suffix: u32, draw: &mut Draw) -> Payment {
        let account = self.account(index);
        let (y, m, d) = day.ymd();
        // From six in the morning to eleven at night, most at midday and in the evening.
        let minute = 360 + (draw.below(1_020) + draw.below(1_020)) / 2;
        Payment {
            account,
            payment_id: format!("{y:04}{m:02}{d:02}{account}{suffix:03}"),
            amount,
            paid_at: day.at(0, 0).plus_minutes(minute as i64),
            reversal: false,
        }
    }

    /// The balance of a customer; none unless prepaid and open.
    pub(super) fn balance(&self, index: u64) -> Option<Balance> {
        let (_, section) = self.station(index);
        let traits = self.traits(index, section);
        if !traits.has(Traits::PREPAID) || traits.has(Traits::CLOSED) {
            return None;
        }
        let mut draw = self.draw(index, Purpose::Balance);
        let usual = draw.next();
        let mut draw = Draw::new(usual ^ mix(self.today.0 as u64 ^ 0xba1a));
        let median = if traits.has(Traits::RESIDENT) { 8_000 } else { 90_000 };
        let balance = match draw.below(1_000) {
            0..12 => -(draw.skewed(median / 8) as i64),
            12..60 => draw.below(3_000) as i64,
            _ => draw.skewed(median) as i64,
        };
        let as_of = if draw.chance(9_880) { self.today } else { self.today.plus_days(-1 - draw.below(5) as i32) };
        Some(Balance { account: self.account(index), balance: Fen(balance), as_of })
    }
}

/// Days from issue to payment: a twentieth on the day itself, three quarters within twelve days, the last after the late fee.
fn delay(draw: &mut Draw) -> i32 {
    match draw.below(1_000) as i32 {
        n @ 0..770 => n * 12 / 770,
        n @ 770..930 => 12 + (n - 770) / 16,
        n => 22 + (n - 930) / 3,
    }
}
