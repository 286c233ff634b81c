//! The four reference policies, from their manifests: whom they choose, and with which notice.

use super::calendar::{Calendar, DAY};
use super::customer::{Customer, Payment};
use super::files::Policy;

/// What a policy wants to say to one customer.
pub(super) struct Choice {
    pub(super) notice: &'static str,
    pub(super) step: u32,
    pub(super) reason: &'static str,
    pub(super) args: [i64; 2],
    /// From this minute on it is worthless, where the policy says so.
    pub(super) expires: Option<i64>,
}

pub(super) fn choose(policy: &Policy, customer: &Customer, today: i64, calendar: &Calendar) -> Option<Choice> {
    match policy.plugin.as_str() {
        "arrears-reminder" => arrears_reminder(policy, customer, today, calendar),
        "bill-notice" => bill_notice(policy, customer, today, calendar),
        "balance-warning" => balance_warning(policy, customer),
        "payment-received" => payment_received(policy, customer, today),
        other => panic!("nothing is written here about the plugin `{other}`"),
    }
}

/// 在违约金起算日之前分步提醒欠费客户；中间漏了几天，只补最近的一步，不重复。重要客户和费控客户单独设定。逾期后可以每隔几天再提醒。
fn arrears_reminder(policy: &Policy, customer: &Customer, today: i64, calendar: &Calendar) -> Option<Choice> {
    let owed = customer.arrears();
    let due = customer.open.first()?.late_fee_from;
    if owed < policy.number("minimum") {
        return None;
    }
    let ordinary = policy.steps("steps").expect("steps");
    let steps = match (customer.prepaid, customer.important) {
        (true, _) => policy.steps("prepaid_steps").expect("prepaid_steps"),
        (false, true) => policy.steps("important_steps").unwrap_or(ordinary),
        (false, false) => ordinary,
    };
    if steps.is_empty() {
        return None;
    }
    let (notice, step, reason, worthless_on) = if today < due {
        // Every step whose distance is reached counts; the latest of them is said.
        let left = calendar.days(today, due, policy.counts_working_days());
        let reached = steps.iter().filter(|days| left <= **days).count();
        let notice = if customer.important { "reminder-important" } else { "reminder" };
        (notice, reached, "due-soon", due)
    } else {
        let every = policy.number("overdue_every");
        let round = (today - due) / every;
        if round >= policy.number("overdue_times") {
            return None;
        }
        ("overdue", steps.len() + 1 + round as usize, "overdue", due + (round + 1) * every)
    };
    let step = step as u32;
    // Step 0 is none; one that was said, or a later one, is not said again.
    let choice = Choice { notice, step, reason, args: [owed, due], expires: Some(worthless_on * DAY) };
    (step > customer.reminded).then_some(choice)
}

/// 电费发行后的第几天，把本期电量和电费告诉订阅了账单的客户，每期一次；到了日子没发出去的，几天之内还补发。
fn bill_notice(policy: &Policy, customer: &Customer, today: i64, calendar: &Calendar) -> Option<Choice> {
    let bill = customer.bill.as_ref().filter(|_| customer.subscribes_bill)?;
    let (days, working) = (policy.number("days"), policy.counts_working_days());
    // The first day on which it is to be told: so many days after the issue.
    let told_from = (bill.issued..).find(|day| calendar.days(bill.issued + 1, day + 1, working) >= days)?;
    let in_time = told_from <= today && today - told_from <= policy.number("late");
    let choice = Choice { notice: "bill", step: 1, reason: "new-bill", args: [bill.amount, bill.kwh], expires: None };
    (in_time && bill.amount >= policy.number("minimum") && customer.bill_said == 0).then_some(choice)
}

/// 费控客户的余额低于预警值时提醒，低于一半时再提醒，欠费时再提醒；余额回升之前每一步只说一次，一次跌过几步的，只说最后一步。
fn balance_warning(policy: &Policy, customer: &Customer) -> Option<Choice> {
    let as_of = customer.balance_as_of.filter(|_| customer.prepaid)?;
    let balance = customer.balance;
    let threshold = customer.threshold.unwrap_or(policy.number("threshold"));
    let (notice, step, reason) = if balance < 0 && policy.flag("negative") {
        ("negative", 3, "below-zero")
    } else if balance * 2 < threshold && policy.flag("half") {
        ("half", 2, "below-half")
    } else if balance < threshold {
        ("low", 1, "below-threshold")
    } else {
        return None;
    };
    (step > customer.balance_said).then_some(Choice { notice, step, reason, args: [balance, as_of], expires: None })
}

/// 收到缴费后告知客户；冲正、太小的、补录的旧缴费不告知。
fn payment_received(policy: &Policy, customer: &Customer, today: i64) -> Option<Choice> {
    let Payment { amount, on: paid_on, .. } = customer.paid?;
    let asked_for = !policy.flag("subscribers_only") || customer.subscribes_bill || customer.subscribes_balance;
    let enough = amount > 0 && amount >= policy.number("minimum");
    let lately = today - paid_on <= policy.number("within");
    let choice = Choice { notice: "received", step: 1, reason: "received", args: [amount, paid_on], expires: None };
    (asked_for && enough && lately).then_some(choice)
}
