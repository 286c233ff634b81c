//! 电费账单 · Tells subscribers of the new bill some days after its issue.
//!
//! 规则在文件末尾的 `decide`，一行一条。The rule is `decide` at the end of this file, one line for each case.

#![cfg_attr(target_arch = "wasm32", no_std)]

use gridbell_plugin::prelude::*;

policy! {
    /// 电费账单：电费发行后的第几天，把本期电量和电费告诉订阅了账单的客户，每期一次。
    policy BillNotice = "bill-notice", version env!("CARGO_PKG_VERSION"), topic "bill-notice", on [SCHEDULE, BILL_ISSUED];

    parameters {
        /// 发行后第几天
        /// 0 为发行当天。
        days: u16 = 1, 0..=30;
        /// 天数口径
        /// 自然日，或工作日（按国务院公布的日历，含调休；尚未公布的年份按周一至周五）。
        counting: Counting = Counting::Calendar;
        /// 最多迟几天
        /// 到了日子没发出去的，几天之内还补发；再迟就不发了。按自然日计算。
        late: u16 = 5, 0..=30;
        /// 最低金额（分）
        /// 电费少于此数不通知；0 为有账单就通知。
        minimum: Fen = 0, 0..=100_000_000;
    }

    customer { traits, bill_issued, bill_amount, bill_kwh, bill_said }

    notices {
        /// 电费账单
        bill(amount: Fen, energy: Kwh);
    }

    reasons {
        /// 还没有账单
        NoBill,
        /// 没有订阅账单
        NotSubscribed,
        /// 还没到通知的日子
        TooEarly,
        /// 已过通知的日子
        TooLate,
        /// 电费少于最低金额
        BelowMinimum,
        /// 这期账单已经通知过
        AlreadySaid,
        /// 新账单
        NewBill,
    }

    routes { Sms }
}

/// What the rule needs of the run and the parameters, computed once for each batch.
pub struct BillNotice {
    /// The latest issue that may be told today.
    latest: Date,
    /// The earliest issue that may still be told today.
    earliest: Date,
    minimum: Fen,
}

impl Policy for BillNotice {
    fn prepare(run: &Run<'_>, parameters: &Parameters) -> Result<Self, &'static str> {
        let latest = run.back(parameters.days, parameters.counting);
        // Counted from the issue that should have been told `late` days ago, whose working days may lie differently.
        let then = run.today().plus(-i32::from(parameters.late));
        let earliest = match parameters.counting {
            Counting::Calendar => then.plus(-i32::from(parameters.days)),
            Counting::Working => first_told_on(run, then, parameters.days),
        };
        Ok(Self { latest, earliest, minimum: parameters.minimum })
    }

    // 可能通知谁：订阅了账单，发行日在范围之内，本期还没说过。
    // Whom it could choose: subscribers whose bill was issued within reach and not told yet.
    fn interest(&self) -> Interest {
        Interest::whoever([
            columns::bill_issued.between(self.earliest, self.latest),
            columns::traits.all_of(traits::SUBSCRIBES_BILL),
            columns::bill_said.at_most(0),
            columns::bill_amount.at_least(self.minimum),
        ])
    }

    // 规则 · The rule.
    fn decide(&self, customer: &Customer) -> Answer {
        // 没有账单，或没有订阅：不通知。No bill, or no subscription: say nothing.
        if customer.bill_issued.is_none() {
            return skip(Reason::NoBill);
        }
        if !customer.traits.has(traits::SUBSCRIBES_BILL) {
            return skip(Reason::NotSubscribed);
        }
        // 还没到日子，或早已过了日子。Too early, or long past.
        if customer.bill_issued > self.latest {
            return skip(Reason::TooEarly);
        }
        if customer.bill_issued < self.earliest {
            return skip(Reason::TooLate);
        }
        // 金额太小。Too little.
        if customer.bill_amount < self.minimum {
            return skip(Reason::BelowMinimum);
        }
        // 每期一次。Once for each bill.
        if customer.bill_said > 0 {
            return skip(Reason::AlreadySaid);
        }
        Notice::bill(customer.bill_amount, customer.bill_kwh).because(Reason::NewBill)
    }
}

/// The earliest issue whose `days`-th working day after it is not before `then`.
fn first_told_on(run: &Run<'_>, then: Date, days: u16) -> Date {
    // An issue is told on `then` or later unless it was due on the day before: that is what `back` says of that day.
    run.workdays.back(then.plus(-1), days).plus(1)
}

#[cfg(test)]
mod tests;
