//! The rule as one expression, in the syntax that CEL and GoRules have in common.
//!
//! Neither has names for what is computed once and used twice, so what depends on the kind of customer is written out for each. Today and
//! the parameters stand in it as numbers, as an editor would put them there: it is compiled anew when they change, and quicker than with
//! variables. Most customers are done after its first comparison. It must never know how either language is run.

use gridbell_model::Date;

use crate::PARAMETERS;

/// The rule for a run on `today`: a list of notice, step, reason, amount, due date and date of expiry, or null. `customer` stands before each name of
/// a customer's value, and `quotient` writes a division whose result is rounded down.
pub(crate) fn expression(today: Date, customer: &str, quotient: impl Fn(&str, i64) -> String) -> String {
    let (p, none, c, today) = (PARAMETERS, Date::NONE.0, customer, i64::from(today.0));
    let ladder = |steps: &[i64], notice: &str| {
        if steps.is_empty() {
            return "null".to_owned();
        }
        let after = steps.len() + 1;
        let round = quotient(&format!("{today} - {c}due"), p.overdue_every);
        let step =
            steps.iter().map(|days| format!("({c}due <= {} ? 1 : 0)", today + days)).collect::<Vec<_>>().join(" + ");
        format!(
            "({c}due <= {today} ? ({round} >= {times} || {after} + {round} <= {c}said ? null : \
             [2, {after} + {round}, 10, {c}arrears, {c}due, {c}due + ({round} + 1) * {every}]) : \
             ({step} <= {c}said ? null : [{notice}, {step}, 7, {c}arrears, {c}due, {c}due]))",
            times = p.overdue_times,
            every = p.overdue_every,
        )
    };
    let prepaid = ladder(p.prepaid_steps, &format!("({c}important ? 1 : 0)"));
    let (important, ordinary) = (ladder(p.important_steps, "1"), ladder(p.steps, "0"));
    format!(
        "{c}arrears <= 0 || {c}due == {none} || {c}arrears < {minimum} ? null : ({c}prepaid ? {prepaid} : ({c}important ? {important} : {ordinary}))",
        minimum = p.minimum,
    )
}
