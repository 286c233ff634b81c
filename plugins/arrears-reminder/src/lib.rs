//! 电费催缴 · Reminds customers of unpaid bills before the late fee starts.
//!
//! 规则在文件末尾的 `decide`，一行一条。The rule is `decide` at the end of this file, one line for each case.

#![cfg_attr(target_arch = "wasm32", no_std)]

use gridbell_plugin::prelude::*;

/// Most steps before the late fee starts.
const MAX_STEPS: usize = 8;

policy! {
    /// 电费催缴：在违约金起算日之前分步提醒欠费客户，例如提前 7 天、3 天、1 天各一次；中间漏了几天，只补最近的一步，不重复。
    /// 重要客户和费控客户可以单独设定，也可以不提醒；违约金起算之后可以每隔几天再提醒。
    policy ArrearsReminder = "arrears-reminder", version env!("CARGO_PKG_VERSION"), topic "arrears-reminder", on [SCHEDULE];

    parameters {
        /// 提前天数
        /// 违约金起算日之前第几天提醒，可以有多个，例如 7、3、1。不填为不提醒。
        steps: List<u16, MAX_STEPS> = &[7, 3, 1], 1..=60;
        /// 天数口径
        /// 自然日，或工作日（按国务院公布的日历，含调休；尚未公布的年份按周一至周五）。
        counting: Counting = Counting::Calendar;
        /// 最低欠费金额（分）
        /// 欠费少于此数不提醒。
        minimum: Fen = 100, 1..=100_000_000;
        /// 重要客户的提前天数
        /// 不设为与其他客户相同；设为空为不提醒重要客户。
        important_steps: Option<List<u16, MAX_STEPS>>, 1..=60;
        /// 费控客户的提前天数
        /// 费控客户由余额预警提醒，所以默认为空，即不提醒。
        prepaid_steps: List<u16, MAX_STEPS> = &[], 1..=60;
        /// 逾期后每隔几天再提醒
        /// 从违约金起算日起，按自然日计算。
        overdue_every: u16 = 7, 1..=60;
        /// 逾期后最多提醒几次
        /// 0 为逾期后不再提醒。
        overdue_times: u8 = 0, 0..=12;
    }

    customer { traits, arrears, late_fee_from, reminded_step }

    notices {
        /// 催缴提醒
        reminder(amount: Fen, late_fee_from: Date);
        /// 催缴提醒（重要客户）
        reminder_important(amount: Fen, late_fee_from: Date);
        /// 逾期提醒
        overdue(amount: Fen, late_fee_from: Date);
    }

    reasons {
        /// 没有欠费
        NothingOwed,
        /// 欠费少于最低金额
        BelowMinimum,
        /// 费控客户不催缴
        PrepaidApart,
        /// 重要客户不催缴
        ImportantApart,
        /// 未设提前天数
        NoSteps,
        /// 还没到提醒的日子
        TooEarly,
        /// 这一步已经提醒过
        AlreadySaid,
        /// 临近违约金起算日
        DueSoon,
        /// 逾期后不再提醒
        OverdueNotAsked,
        /// 逾期提醒的次数已满
        OverdueOver,
        /// 已过违约金起算日
        Overdue,
    }

    routes { Sms }
}

/// What the rule needs of the run and the parameters, computed once for each batch.
pub struct ArrearsReminder {
    today: Date,
    minimum: Fen,
    ordinary: Ladder,
    important: Ladder,
    prepaid: Ladder,
    overdue_every: u16,
    overdue_times: u8,
}

impl Policy for ArrearsReminder {
    fn prepare(run: &Run<'_>, parameters: &Parameters) -> Result<Self, &'static str> {
        let ladder = |steps: &List<u16, MAX_STEPS>| Ladder::new(run, steps, parameters.counting);
        Ok(Self {
            today: run.today(),
            minimum: parameters.minimum,
            ordinary: ladder(&parameters.steps),
            important: ladder(parameters.important_steps.as_ref().unwrap_or(&parameters.steps)),
            prepaid: ladder(&parameters.prepaid_steps),
            overdue_every: parameters.overdue_every,
            overdue_times: parameters.overdue_times,
        })
    }

    // 可能提醒谁：欠费够数，违约金起算日在提醒的时间范围之内，最后一步还没说过。
    // Whom it could choose: enough is owed, the late fee starts within reach, and the last step was not said yet.
    fn interest(&self) -> Interest {
        let (important, prepaid) = (traits::IMPORTANT, traits::PREPAID);
        Interest::nobody()
            .or_reached_by(self, &self.ordinary, columns::traits.none_of(important.and(prepaid)))
            .or_reached_by(self, &self.important, columns::traits.all_of(important))
            .or_reached_by(self, &self.prepaid, columns::traits.all_of(prepaid))
    }

    // 规则 · The rule.
    fn decide(&self, customer: &Customer) -> Answer {
        let due = customer.late_fee_from;

        // 没有欠费，或欠费太少：不提醒。Nothing owed, or too little: say nothing.
        if customer.arrears <= Fen(0) || due.is_none() {
            return skip(Reason::NothingOwed);
        }
        if customer.arrears < self.minimum {
            return skip(Reason::BelowMinimum);
        }

        // 费控客户、重要客户各有自己的提前天数；既是费控又是重要的，按费控。
        // Prepaid and important customers have steps of their own; who is both counts as prepaid.
        let (prepaid, important) = (customer.traits.has(traits::PREPAID), customer.traits.has(traits::IMPORTANT));
        let (ladder, apart) = match (prepaid, important) {
            (true, _) => (&self.prepaid, Reason::PrepaidApart),
            (false, true) => (&self.important, Reason::ImportantApart),
            (false, false) => (&self.ordinary, Reason::NoSteps),
        };
        if ladder.is_empty() {
            return skip(apart);
        }

        // 已过违约金起算日：每隔几天提醒一次，次数有限。The late fee has started: again every few days, a few times.
        if due <= self.today {
            return self.overdue(customer, ladder);
        }

        // 到了第几步？只说最近的一步，说过的不再说。Which step is it? Only the latest is said, and none twice.
        let step = ladder.step(due);
        if step == 0 {
            return skip(Reason::TooEarly);
        }
        if step <= customer.reminded_step {
            return skip(Reason::AlreadySaid);
        }
        let notice = if important {
            Notice::reminder_important(customer.arrears, due)
        } else {
            Notice::reminder(customer.arrears, due)
        };
        // 到违约金起算日还发不出去就不发了。Worthless once the late fee has started.
        notice.step(step).expires(due.at(0, 0)).because(Reason::DueSoon)
    }
}

impl ArrearsReminder {
    /// 逾期提醒的步数接在提前各步之后。The steps of overdue reminders follow those before the due date.
    fn overdue(&self, customer: &Customer, ladder: &Ladder) -> Answer {
        if self.overdue_times == 0 {
            return skip(Reason::OverdueNotAsked);
        }
        let due = customer.late_fee_from;
        let round = self.today.since(due) / i64::from(self.overdue_every);
        if round >= i64::from(self.overdue_times) {
            return skip(Reason::OverdueOver);
        }
        let step = ladder.steps + 1 + round as u8;
        if step <= customer.reminded_step {
            return skip(Reason::AlreadySaid);
        }
        // 到下一次提醒的日子就不发了。Worthless once the next one is due.
        let next = due.plus((round as i32 + 1) * i32::from(self.overdue_every));
        Notice::overdue(customer.arrears, due).step(step).expires(next.at(0, 0)).because(Reason::Overdue)
    }

    /// The earliest late-fee date that may still be reminded of.
    fn earliest(&self) -> Date {
        self.today.plus(1 - i32::from(self.overdue_times) * i32::from(self.overdue_every))
    }
}

/// The steps of one kind of customer: up to which late-fee date each of them is due today, the furthest first. A step that is not used is
/// never due. A fixed number of comparisons is quicker than a loop over those that are used.
struct Ladder {
    up_to: [Date; MAX_STEPS],
    steps: u8,
}

impl Ladder {
    fn new(run: &Run<'_>, days: &List<u16, MAX_STEPS>, counting: Counting) -> Self {
        let mut ladder = Self { up_to: [Date::NONE; MAX_STEPS], steps: 0 };
        for (up_to, days) in ladder.up_to.iter_mut().zip(days.descending().iter()) {
            *up_to = run.ahead(*days, counting);
            ladder.steps += 1;
        }
        ladder
    }

    fn is_empty(&self) -> bool {
        self.steps == 0
    }

    /// The latest step that is due for a late fee that starts on `due`; 0 if none is.
    #[inline]
    fn step(&self, due: Date) -> u8 {
        self.up_to.iter().map(|up_to| u8::from(due <= *up_to)).sum()
    }
}

/// Adds a kind of customers to an interest.
trait OrReached {
    fn or_reached_by(self, rule: &ArrearsReminder, ladder: &Ladder, who: gridbell_plugin::Bound) -> Self;
}

impl OrReached for Interest {
    fn or_reached_by(self, rule: &ArrearsReminder, ladder: &Ladder, who: gridbell_plugin::Bound) -> Self {
        if ladder.is_empty() {
            return self;
        }
        self.or([
            columns::late_fee_from.between(rule.earliest(), ladder.up_to[0]),
            columns::arrears.at_least(rule.minimum),
            columns::reminded_step.at_most(ladder.steps + rule.overdue_times - 1),
            who,
        ])
    }
}

#[cfg(test)]
mod tests;
