//! 缴费成功 · Confirms a payment.
//!
//! 规则在文件末尾的 `decide`，一行一条。The rule is `decide` at the end of this file, one line for each case.

#![cfg_attr(target_arch = "wasm32", no_std)]

use gridbell_plugin::prelude::*;

policy! {
    /// 缴费成功：收到缴费后告知客户，每笔一次。
    policy PaymentReceived = "payment-received", version env!("CARGO_PKG_VERSION"), topic "payment-received", on [PAYMENT_RECEIVED];

    parameters {
        /// 最低金额（分）
        /// 缴费少于此数不告知。
        minimum: Fen = 1, 1..=100_000_000;
        /// 只告知订阅客户
        /// 只告知订阅了账单或余额的客户。
        subscribers_only: bool = false;
        /// 几天之内
        /// 补录的旧缴费不再告知。按自然日计算，0 为只限当天。
        within: u16 = 3, 0..=30;
    }

    customer { traits, paid_amount, paid_on }

    notices {
        /// 缴费成功
        received(amount: Fen, paid_on: Date);
    }

    reasons {
        /// 没有缴费
        NoPayment,
        /// 冲正或退款
        Reversed,
        /// 缴费少于最低金额
        BelowMinimum,
        /// 没有订阅
        NotSubscribed,
        /// 是以前的缴费
        TooOld,
        /// 收到缴费
        Received,
    }

    routes { Sms }
}

/// Who is subscribed: to the bill or to balance news.
const SUBSCRIBED: gridbell_plugin::Traits = traits::SUBSCRIBES_BILL.and(traits::SUBSCRIBES_BALANCE);

/// What the rule needs of the run and the parameters, computed once for each batch.
pub struct PaymentReceived {
    earliest: Date,
    minimum: Fen,
    subscribers_only: bool,
}

impl Policy for PaymentReceived {
    fn prepare(run: &Run<'_>, parameters: &Parameters) -> Result<Self, &'static str> {
        Ok(Self {
            earliest: run.today().plus(-i32::from(parameters.within)),
            minimum: parameters.minimum,
            subscribers_only: parameters.subscribers_only,
        })
    }

    // 可能告知谁：最近缴费、金额够数的客户。Whom it could choose: who paid lately, and enough.
    fn interest(&self) -> Interest {
        let (paid, lately) = (columns::paid_amount.at_least(self.minimum), columns::paid_on.at_least(self.earliest));
        if self.subscribers_only {
            Interest::whoever([paid, lately, columns::traits.any_of(SUBSCRIBED)])
        } else {
            Interest::whoever([paid, lately])
        }
    }

    // 规则 · The rule.
    fn decide(&self, customer: &Customer) -> Answer {
        // 没有缴费，冲正，或金额太小：不告知。No payment, a reversal, or too little: say nothing.
        if customer.paid_on.is_none() || customer.paid_amount == Fen(0) {
            return skip(Reason::NoPayment);
        }
        if customer.paid_amount < Fen(0) {
            return skip(Reason::Reversed);
        }
        if customer.paid_amount < self.minimum {
            return skip(Reason::BelowMinimum);
        }
        // 只告知订阅客户。Subscribers only, where the office asked for it.
        if self.subscribers_only && !customer.traits.has_any(SUBSCRIBED) {
            return skip(Reason::NotSubscribed);
        }
        // 补录的旧缴费。A payment that was entered late.
        if customer.paid_on < self.earliest {
            return skip(Reason::TooOld);
        }
        Notice::received(customer.paid_amount, customer.paid_on).because(Reason::Received)
    }
}

#[cfg(test)]
mod tests;
