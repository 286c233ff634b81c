//! 模板 · Copy this folder, give the policy a name, and write its rule.

#![cfg_attr(target_arch = "wasm32", no_std)]

use gridbell_plugin::prelude::*;

policy! {
    /// 这个策略做什么，给地市公司看。
    policy MyPolicy = "my-policy", version env!("CARGO_PKG_VERSION"), topic "arrears-reminder", on [SCHEDULE];

    // 地市公司可以改的参数。第一行是标题，其余是说明。What an office may change: title, then description.
    parameters {
        /// 最低欠费金额（分）
        /// 欠费少于此数不提醒。
        minimum: Fen = 100, 1..=100_000_000;
    }

    // 规则要看的数据，见 wit/REGISTRY.md。What the rule looks at; wit/REGISTRY.md lists all columns.
    customer { arrears, late_fee_from, reminded_step }

    // 能说什么，各带最多两个数。What it can say, each with at most two numbers for the template.
    notices {
        /// 欠费提醒
        reminder(amount: Fen, late_fee_from: Date);
    }

    // 为什么说、为什么不说。Why it says something or nothing: one for each case.
    reasons {
        /// 没有欠费，或欠费太少
        NothingOwed,
        /// 已经提醒过
        AlreadySaid,
        /// 有欠费
        Owes,
    }

    // 走哪条通道，由策略文件定义。Routes, defined in the policy's file.
    routes { Sms }
}

/// What the rule needs of the run and the parameters, computed once for each batch.
pub struct MyPolicy {
    minimum: Fen,
}

impl Policy for MyPolicy {
    fn prepare(_: &Run<'_>, parameters: &Parameters) -> Result<Self, &'static str> {
        Ok(Self { minimum: parameters.minimum })
    }

    // Whom `decide` could choose at all; whoever lies outside must get no notice.
    fn interest(&self) -> Interest {
        Interest::whoever([columns::arrears.at_least(self.minimum), columns::reminded_step.at_most(0)])
    }

    fn decide(&self, customer: &Customer) -> Answer {
        if customer.arrears < self.minimum || customer.late_fee_from.is_none() {
            return skip(Reason::NothingOwed);
        }
        if customer.reminded_step > 0 {
            return skip(Reason::AlreadySaid);
        }
        Notice::reminder(customer.arrears, customer.late_fee_from).because(Reason::Owes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gridbell_plugin::testing::{TestRun, prove_interest};

    #[test]
    fn who_owes_is_reminded_once() {
        let run = TestRun::on(Date::of(2026, 11, 21), "{}");
        let owes = Customer { arrears: Fen(5000), late_fee_from: Date::of(2026, 11, 28), ..Customer::default() };
        assert_eq!(run.ask::<MyPolicy>(&owes).reason, Reason::Owes);
        let told = Customer { reminded_step: 1, ..owes };
        assert_eq!(run.ask::<MyPolicy>(&told).reason, Reason::AlreadySaid);
    }

    #[test]
    fn interest_leaves_nobody_out() {
        let run = TestRun::on(Date::of(2026, 11, 21), r#"{"minimum": 100}"#);
        let (chosen, inside) = prove_interest::<MyPolicy>(&run, &[0, 100, 5000], 20_000, 1);
        assert!(chosen > 0 && inside < 20_000);
    }
}
