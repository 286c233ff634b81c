//! What the texts of an outage may say: bounded, printable, and nothing by which a customer could be known or called. A reason goes to everybody.

use crate::error::Error;

/// The most characters of a reason that customers read.
pub const MAX_REASON: usize = 100;
/// The most characters of why somebody did something.
pub const MAX_WHY: usize = 200;
/// The most characters of what a fault report says.
pub const MAX_WHAT: usize = 200;
/// The most octets of a name.
pub(crate) const MAX_NAME: usize = 120;
/// Digits in one piece that are a number of somebody's: local telephone numbers have seven or eight, accounts ten to thirteen.
const PERSONAL_DIGITS: usize = 7;
/// Digits of several pieces that are one: a mobile number parted by spaces.
const PARTED_DIGITS: usize = 10;

/// A text that everybody may read.
pub(crate) fn public(field: &'static str, text: &str, most: usize) -> Result<(), Error> {
    plain(field, text, most)?;
    match personal(text) {
        Some(what) => Err(Error::field(field, format!("holds {what}: leave it out"))),
        None => Ok(()),
    }
}

/// A text that is not empty, fits, and has nothing in it that no one sees.
pub(crate) fn plain(field: &'static str, text: &str, most: usize) -> Result<(), Error> {
    if text.trim().is_empty() {
        return Err(Error::field(field, "is empty"));
    }
    if text.chars().count() > most {
        return Err(Error::field(field, format!("is longer than {most} characters: shorten it")));
    }
    if !text.chars().all(visible) {
        return Err(Error::field(field, "has a line break, a control character or an invisible one: write it anew"));
    }
    Ok(())
}

/// The name of a person or a part of the host that did something.
pub(crate) fn name(field: &'static str, name: &str) -> Result<(), Error> {
    if name.trim().is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Error::field(field, format!("is empty, longer than {MAX_NAME} octets, or has control characters")));
    }
    Ok(())
}

/// Neither control characters, nor those that turn the direction of a text or join it invisibly.
fn visible(c: char) -> bool {
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}');
    !(c.is_control() || hidden)
}

/// What is personal in `text`, if anything is: a telephone number, an account or another long number, however its digits are written and parted.
fn personal(text: &str) -> Option<&'static str> {
    let joins = |c: char| " -－–—·._()（）\u{3000}".contains(c);
    let mut groups: Vec<String> = Vec::new();
    let mut gap = 0;
    // A sign that parts numbers ends the last group for good.
    for c in text.chars().chain(['。']) {
        match digit(c) {
            Some(d) if gap > 0 || groups.is_empty() => {
                groups.push(d.to_string());
                gap = 0;
            }
            Some(d) => groups.last_mut()?.push(d),
            None if joins(c) && gap < 2 => gap += 1,
            None => {
                if is_personal(&groups) {
                    return Some("a telephone number, an account number or another number of seven digits or more");
                }
                groups.clear();
                gap = 0;
            }
        }
    }
    None
}

fn digit(c: char) -> Option<char> {
    const CHINESE: [&str; 10] = ["〇零○", "一幺壹", "二贰", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖"];
    match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_u32(u32::from(c) - u32::from('０') + u32::from('0')),
        _ => {
            let value = CHINESE.iter().position(|all| all.contains(c))?;
            char::from_digit(u32::try_from(value).ok()?, 10)
        }
    }
}

/// Dates (`2026-11-25`, `20261125`) and a firm's service numbers (400, 800) are nobody's.
fn is_personal(groups: &[String]) -> bool {
    let year = |text: &str| text.starts_with("19") || text.starts_with("20");
    let mut rest = groups;
    let mut left: Vec<&str> = Vec::new();
    while let [first, more @ ..] = rest {
        rest = match more {
            [month, day, after @ ..] if first.len() == 4 && year(first) && month.len() <= 2 && day.len() <= 2 => after,
            _ if first.len() == 8 && year(first) => more,
            _ => {
                left.push(first);
                more
            }
        };
    }
    let all: String = left.concat();
    let service = all.len() == 10 && (all.starts_with("400") || all.starts_with("800"));
    let parted = left.len() > 1 && all.len() >= PARTED_DIGITS && left.iter().all(|g| g.len() >= 3);
    let mobile = all.len() == 11 && all.starts_with('1');
    !service && (left.iter().any(|g| g.len() >= PERSONAL_DIGITS) || parted || mobile)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_people_are_found_however_they_are_written() {
        for text in [
            "请致电13800001234",
            "电话 138 0000 1234。",
            "138-0000-1234",
            "1 3 8 0 0 0 0 1 2 3 4",
            "１３８００００１２３４",
            "一三八零零零零一二三四",
            "电话0351-7654321",
            "户号0100000008欠费",
            "证件 110101199003070012",
        ] {
            assert!(public("reason", text, MAX_REASON).is_err(), "{text}");
        }
    }

    #[test]
    fn reasons_as_offices_write_them_pass() {
        for text in [
            "10kV城南线检修",
            "2026年11月25日8时至12时，10kV城南线012号杆更换",
            "2026-11-25 08:00-12:00 检修，咨询95598",
            "20261125 起",
            "客服 400-123-4567",
            "1号、2号、3号变压器，1-3单元，约120户",
        ] {
            assert_eq!(public("reason", text, MAX_REASON), Ok(()), "{text}");
        }
        for text in ["", "  ", "停\u{202e}电", "停\n电", "停\u{200b}电"] {
            assert!(plain("why", text, 10).is_err(), "{text:?}");
        }
    }
}
