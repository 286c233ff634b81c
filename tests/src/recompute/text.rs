//! What a message says, word for word, and how many parts it takes.

use super::calendar::civil;
use super::customer::Customer;
use super::files::Inputs;
use super::policies::Choice;

/// UTF-16 units of a message that is one part, and of each part of a longer one.
const SINGLE: usize = 70;
const PART: usize = 67;

pub(super) fn text(inputs: &Inputs, topic: &str, customer: &Customer, choice: &Choice) -> String {
    let template = &inputs.texts[&(topic.to_owned(), choice.notice.to_owned())];
    let mut out = inputs.province.signature.clone();
    let mut rest = template.as_str();
    let mut shown = true;
    while let Some(at) = rest.find('{') {
        let end = if rest[at..].starts_with("{{") { "}}" } else { "%}" };
        let (before, tag) = (&rest[..at], &rest[at + 2..]);
        let (inner, after) = tag.split_once(end).unwrap_or_else(|| panic!("a tag is not closed: {template}"));
        if shown {
            out.push_str(before);
        }
        let words: Vec<&str> = inner.split_whitespace().collect();
        match words[..] {
            ["if", name, ">", least] => {
                let value: i64 = value(inputs, topic, customer, choice, name).parse().expect("a number");
                shown = value > least.parse().expect("a number");
            }
            ["endif"] => shown = true,
            [name] if end == "}}" && shown => out.push_str(&value(inputs, topic, customer, choice, name)),
            [_] if end == "}}" => {}
            _ => panic!("more than this code renders: {inner}"),
        }
        rest = after;
    }
    out + rest
}

/// What a text for several accounts says of this one, with the sum and the count left open: accounts of which it is the same may share it.
pub(super) fn shared(inputs: &Inputs, topic: &str, customer: &Customer, choice: &Choice) -> Option<String> {
    let template = inputs.merged.get(&(topic.to_owned(), choice.notice.to_owned()))?;
    let mut out = inputs.province.signature.clone();
    for (nth, piece) in template.split("{{ ").enumerate() {
        let (name, rest) = piece.split_once(" }}").unwrap_or(("", piece));
        assert!(nth == 0 || !name.is_empty(), "a tag is not closed: {template}");
        match name {
            "" => {}
            SUM | COUNT => out.push_str(&format!("<{name}>")),
            _ => out.push_str(&value(inputs, topic, customer, choice, name)),
        }
        out.push_str(rest);
    }
    Some(out)
}

const SUM: &str = "amount";
const COUNT: &str = "count";

/// Such a text for `count` accounts that owe `sum` fen.
pub(super) fn together(shared: &str, count: usize, sum: i64) -> String {
    shared.replace(&format!("<{SUM}>"), &yuan(sum)).replace(&format!("<{COUNT}>"), &count.to_string())
}

fn value(inputs: &Inputs, topic: &str, customer: &Customer, choice: &Choice, name: &str) -> String {
    let period = || match customer.key(topic) {
        0 => panic!("{}: no period", customer.account),
        period => format!("{}年{}月", period / 100, period % 100),
    };
    match (name, choice.notice) {
        ("account_tail", _) => customer.account[customer.account.len() - 4..].to_owned(),
        ("station", _) => inputs.units[&customer.station].clone(),
        ("hotline", _) => inputs.province.hotline.clone(),
        ("months_owed", _) => customer.open.len().to_string(),
        ("period", _) => period(),
        ("as_of", _) => day(customer.stated(topic).1.expect("what is stated has its day")),
        ("amount" | "balance", _) => yuan(choice.args[0]),
        ("energy", "bill") => choice.args[1].to_string(),
        ("late_fee_from", "reminder" | "reminder-important" | "overdue") | ("paid_on", "received") => {
            day(choice.args[1])
        }
        (other, notice) => panic!("a text for {notice} says `{other}`, which this code does not know"),
    }
}

fn yuan(fen: i64) -> String {
    format!("{}{}.{:02}", if fen < 0 { "-" } else { "" }, fen.abs() / 100, fen.abs() % 100)
}

fn day(days: i64) -> String {
    let (_, month, day) = civil(days);
    format!("{month}月{day}日")
}

pub(super) fn parts(text: &str) -> usize {
    let units = text.encode_utf16().count();
    // The generated texts hold nothing outside the basic plane, so that no pair of units can be cut in two.
    assert_eq!(units, text.chars().count(), "this code cuts no pairs: {text}");
    if units <= SINGLE { 1 } else { units.div_ceil(PART) }
}
