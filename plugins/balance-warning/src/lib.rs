//! 余额预警 · Warns prepaid customers whose balance is low, again when it is half of that, again when it is negative.
//!
//! 规则在文件末尾的 `decide`，一行一条。The rule is `decide` at the end of this file, one line for each case.

#![cfg_attr(target_arch = "wasm32", no_std)]

use gridbell_plugin::prelude::*;

policy! {
    /// 余额预警：费控客户的余额低于预警值时提醒，低于预警值的一半时再提醒，欠费时再提醒；余额回升之前每一步只说一次，
    /// 一次跌过几步的，只说最后一步。
    policy BalanceWarning = "balance-warning", version env!("CARGO_PKG_VERSION"), topic "balance-warning",
        on [SCHEDULE, BALANCE_CHANGED];

    parameters {
        /// 默认预警值（分）
        /// 用于没有自己设定预警值的客户。
        threshold: Fen = 3000, 1..=100_000_000;
        /// 低于预警值的一半时再提醒
        half: bool = true;
        /// 欠费时再提醒
        negative: bool = true;
    }

    customer { traits, balance, balance_as_of, threshold, balance_said }

    notices {
        /// 余额不足
        low(balance: Fen, as_of: Date);
        /// 余额低于预警值的一半
        half(balance: Fen, as_of: Date);
        /// 已欠费
        negative(balance: Fen, as_of: Date);
    }

    reasons {
        /// 不是费控客户
        NotPrepaid,
        /// 没有余额数据
        NoBalance,
        /// 余额充足
        Enough,
        /// 这一步已经提醒过
        AlreadySaid,
        /// 余额低于预警值
        BelowThreshold,
        /// 余额低于预警值的一半
        BelowHalf,
        /// 余额为负
        BelowZero,
    }

    routes { Sms }
}

/// What the rule needs of the parameters.
pub struct BalanceWarning {
    threshold: Fen,
    half: bool,
    negative: bool,
}

/// 三步：低于预警值、低于一半、欠费。The three steps.
const LOW: u8 = 1;
const HALF: u8 = 2;
const NEGATIVE: u8 = 3;

impl Policy for BalanceWarning {
    fn prepare(_: &Run<'_>, parameters: &Parameters) -> Result<Self, &'static str> {
        Ok(Self { threshold: parameters.threshold, half: parameters.half, negative: parameters.negative })
    }

    // 可能提醒谁：余额低于预警值的费控客户。两列不能相比，所以预警值高的客户按档分开。
    // Whom it could choose: prepaid customers under their threshold. A bound cannot compare two columns, so customers whose own threshold is
    // above the default are taken in bands: who is under the threshold is also under the top of the threshold's band.
    fn interest(&self) -> Interest {
        let who = [columns::traits.all_of(traits::PREPAID), columns::balance_said.at_most(self.last_step() - 1)];
        let mut interest = Interest::whoever([columns::balance.at_most(Fen(self.threshold.0 - 1)), who[0], who[1]]);
        let mut above = self.threshold.0;
        while above < i64::from(u32::MAX) {
            let top = if above < 8 * self.threshold.0 { 2 * above } else { i64::from(u32::MAX) };
            interest = interest.or([
                columns::balance.between(self.threshold, Fen(top - 1)),
                columns::threshold.between(Fen(above + 1), Fen(top)),
                who[0],
                who[1],
            ]);
            above = top;
        }
        interest
    }

    // 规则 · The rule.
    fn decide(&self, customer: &Customer) -> Answer {
        // 不是费控客户，或没有余额数据：不提醒。Not prepaid, or no balance known: say nothing.
        if !customer.traits.has(traits::PREPAID) {
            return skip(Reason::NotPrepaid);
        }
        if customer.balance_as_of.is_none() {
            return skip(Reason::NoBalance);
        }

        // 客户自己的预警值优先。The customer's own threshold comes first.
        let threshold = customer.threshold.unwrap_or(self.threshold);
        let (balance, as_of) = (customer.balance, customer.balance_as_of);
        if balance >= threshold {
            return skip(Reason::Enough);
        }

        // 到了第几步？只说最后一步，说过的不再说。Which step is it? Only the last is said, and none twice.
        let (step, reason) = if self.negative && balance < Fen(0) {
            (NEGATIVE, Reason::BelowZero)
        } else if self.half && balance.0 * 2 < threshold.0 {
            (HALF, Reason::BelowHalf)
        } else {
            (LOW, Reason::BelowThreshold)
        };
        if step <= customer.balance_said {
            return skip(Reason::AlreadySaid);
        }
        let notice = match step {
            NEGATIVE => Notice::negative(balance, as_of),
            HALF => Notice::half(balance, as_of),
            _ => Notice::low(balance, as_of),
        };
        notice.step(step).because(reason)
    }
}

impl BalanceWarning {
    fn last_step(&self) -> u8 {
        match (self.negative, self.half) {
            (true, _) => NEGATIVE,
            (false, true) => HALF,
            (false, false) => LOW,
        }
    }
}

#[cfg(test)]
mod tests;
