//! 电费催缴 · Reminds customers of an unpaid bill, once, some days before the late fee starts.

#![cfg_attr(target_arch = "wasm32", no_std)]

use gridbell_plugin::prelude::*;

policy! {
    /// 电费催缴：在违约金起算日之前若干天提醒一次欠费客户。
    policy MyPolicy = "my-policy", version env!("CARGO_PKG_VERSION"), topic "arrears-reminder", on [SCHEDULE];

    // 地市公司可以改的参数：标题、说明、默认值、范围。What an office may change: title, description, default, range.
    parameters {
        /// 提前天数
        /// 违约金起算日之前多少天开始提醒。
        days: u16 = 3, 1..=60;
        /// 最低欠费金额（分）
        /// 欠费少于此数不提醒。
        minimum: Fen = 100, 1..=100_000_000;
    }

    // 规则要看的数据。What the rule looks at; the columns are in wit/REGISTRY.md.
    customer { arrears, late_fee_from, reminded_step }

    // 能说什么，各带最多两个数。What it can say, each with at most two numbers for the template.
    notices {
        /// 欠费提醒
        reminder(amount: Fen, late_fee_from: Date);
    }

    // 为什么说、为什么不说，一种情形一条。Why it says something or nothing, one for each case.
    reasons {
        /// 没有欠费，或欠费太少
        NothingOwed,
        /// 已经提醒过
        AlreadySaid,
        /// 还没到提醒的日子
        TooEarly,
        /// 违约金已经起算
        TooLate,
        /// 临近违约金起算日
        DueSoon,
    }

    // 走哪条通道，由策略文件定义。Routes, defined in the policy's file.
    routes { Sms }
}

/// What the rule needs of the run and the parameters, computed once for each batch.
pub struct MyPolicy {
    today: Date,
    until: Date,
    minimum: Fen,
}

impl Policy for MyPolicy {
    fn prepare(run: &Run<'_>, parameters: &Parameters) -> Result<Self, &'static str> {
        let today = run.today();
        Ok(Self { today, until: today.plus(parameters.days.into()), minimum: parameters.minimum })
    }

    // 可能提醒谁。Whom `decide` could choose at all; whoever lies outside must get no notice.
    fn interest(&self) -> Interest {
        Interest::whoever([
            columns::late_fee_from.between(self.today.plus(1), self.until),
            columns::arrears.at_least(self.minimum),
            columns::reminded_step.at_most(0),
        ])
    }

    fn decide(&self, customer: &Customer) -> Answer {
        let due = customer.late_fee_from;
        if customer.arrears < self.minimum || due.is_none() {
            return skip(Reason::NothingOwed);
        }
        if customer.reminded_step > 0 {
            return skip(Reason::AlreadySaid);
        }
        if due > self.until {
            return skip(Reason::TooEarly);
        }
        if due <= self.today {
            return skip(Reason::TooLate);
        }
        // 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
        Notice::reminder(customer.arrears, due).expires(due.at(0, 0)).because(Reason::DueSoon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridbell_plugin::testing::{TestRun, prove_interest};

    #[test]
    fn interest_leaves_nobody_out() {
        let run = TestRun::on(Date::of(2026, 11, 21), r#"{"days": 7, "minimum": 100}"#);
        let (chosen, inside) = prove_interest::<MyPolicy>(&run, &[0, 100, 5000], 20_000, 1);
        assert!(chosen > 0 && inside < 20_000);
    }
}
