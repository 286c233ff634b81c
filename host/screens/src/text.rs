//! What a text for everybody may say: bounded, printable, and nothing by which a customer could be known or called.

use crate::error::Error;

/// The number that everybody may call: the utilities' hot line.
pub const SERVICE_NUMBER: &str = "95598";
/// The most characters of a headline; more is not read from five metres.
pub const MAX_TITLE: usize = 40;
/// The most characters of a text.
pub const MAX_BODY: usize = 400;
/// The most characters of a name or a place.
pub const MAX_NAME: usize = 60;
/// The most characters of a reason.
pub const MAX_WHY: usize = 200;
/// Digits in one piece that are a number of somebody's: local telephone numbers have seven or eight, accounts ten to thirteen. Service numbers
/// (95598, 12345, 110) have six at most.
const PERSONAL_DIGITS: usize = 7;
/// How far behind the word 户号 its digits may stand.
const NEAR: usize = 4;

/// A text that a screen may show.
pub(crate) fn shown(field: &'static str, text: &str, most: usize) -> Result<(), Error> {
    plain(field, text, most)?;
    match personal(text) {
        Some(what) => Err(Error::field(field, format!("holds {what}; everybody reads a screen: leave it out"))),
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
        return Err(Error::field(field, "has a control character or an invisible one: write it anew"));
    }
    Ok(())
}

/// Neither control characters, nor those that turn the direction of a text or join it invisibly, nor what XML cannot say.
fn visible(c: char) -> bool {
    let hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{ffff}');
    c == '\n' || !(c.is_control() || hidden)
}

/// What is personal in `text`, if anything is: a telephone number, an account or another long number, however its digits are written and parted.
#[must_use]
pub fn personal(text: &str) -> Option<&'static str> {
    let chars: Vec<char> = text.chars().map(|c| digit(c).unwrap_or(c)).collect();
    if after_the_word_account(&chars) {
        return Some("an account number (户号)");
    }
    runs(&chars).iter().find_map(|run| of_run(run))
}

/// The ASCII digit that `c` stands for: full-width and Chinese ones too.
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

fn after_the_word_account(chars: &[char]) -> bool {
    let words = chars.windows(2).enumerate().filter(|(_, w)| *w == ['户', '号']).map(|(at, _)| at + 2);
    let mut near = words.map(|at| &chars[at..chars.len().min(at + NEAR + 2)]);
    near.any(|after| after.windows(2).any(|w| w.iter().all(char::is_ascii_digit)))
}

/// Digits that belong together: groups with one sign between them that people part numbers with.
fn runs(chars: &[char]) -> Vec<Vec<String>> {
    let joins =
        |c: char| matches!(c, ' ' | '-' | '－' | '–' | '—' | '·' | '.' | '_' | '(' | ')' | '（' | '）' | '\u{3000}');
    let mut runs: Vec<Vec<String>> = Vec::new();
    // How many signs stand since the last digit; a run ends at two, or at one that parts.
    let mut gap = usize::MAX;
    for &c in chars {
        if c.is_ascii_digit() {
            match (runs.last_mut(), gap) {
                (Some(run), 0) => run.last_mut().map_or((), |group| group.push(c)),
                (Some(run), 1 | 2) => run.push(c.to_string()),
                _ => runs.push(vec![c.to_string()]),
            }
            gap = 0;
        } else {
            gap = if joins(c) { gap.saturating_add(1) } else { usize::MAX };
        }
    }
    runs
}

fn of_run(run: &[String]) -> Option<&'static str> {
    const PHONE: Option<&str> = Some("a telephone number");
    let groups = without_dates(run);
    let long = |group: &&String| group.len() >= PERSONAL_DIGITS && !is_service(group);
    if let Some(group) = groups.iter().find(|g| long(g)) {
        return if is_mobile(group) {
            PHONE
        } else {
            Some("a number of seven digits or more, as of an account or a telephone")
        };
    }
    let all: String = groups.concat();
    if is_service(&all) {
        return None;
    }
    let parted = groups.len() > 1 && all.len() >= 10 && groups.iter().all(|g| g.len() >= 3);
    (is_mobile(&all) || parted).then_some("a telephone number")
}

/// 400 and 800 numbers are a firm's, for everybody to call.
fn is_service(digits: &str) -> bool {
    digits.len() == 10 && (digits.starts_with("400") || digits.starts_with("800"))
}

fn is_mobile(digits: &str) -> bool {
    digits.len() == 11 && digits.starts_with('1') && digits.as_bytes()[1] >= b'3'
}

/// `2026-11-25` and `20261125` are no numbers of anybody's.
fn without_dates(run: &[String]) -> Vec<String> {
    let month_and_day = |month: &str, day: &str| {
        let within =
            |text: &str, most: u32| text.len() <= 2 && text.parse::<u32>().is_ok_and(|n| (1..=most).contains(&n));
        within(month, 12) && within(day, 31)
    };
    let year = |text: &str| text.len() == 4 && (text.starts_with("19") || text.starts_with("20"));
    let mut left = Vec::new();
    let mut rest = run;
    while let [first, more @ ..] = rest {
        rest = match more {
            [month, day, after @ ..] if year(first) && month_and_day(month, day) => after,
            _ if first.len() == 8 && year(&first[..4]) && month_and_day(&first[4..6], &first[6..]) => more,
            _ => {
                left.push(first.clone());
                more
            }
        };
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_people_are_found_however_they_are_written() {
        for text in [
            "请致电13800001234",
            "请致电 138 0000 1234。",
            "请致电138-0000-1234",
            "电话：1 3 8 0 0 0 0 1 2 3 4",
            "１３８００００１２３４",
            "一三八零零零零一二三四",
            "幺三八〇〇〇〇一二三四",
            "联系电话0351-7654321",
            "联系电话（0351）7654321",
            "联系电话0351 765 4321",
            "物业 7654321",
            "户号0100000008",
            "0100000008 已欠费",
            "户号尾号1234",
            "户号：12",
            "证件 110101199003070012",
        ] {
            assert!(personal(text).is_some(), "{text}");
        }
    }

    #[test]
    fn notices_as_offices_write_them_pass() {
        for text in [
            "锦绣花园1-8号楼 2026-11-25 08:00-12:00 停电，咨询请拨打95598。",
            "2026年11月25日8时至12时，10kV城南线检修",
            "20261125 08:00 起",
            "客服热线 400-123-4567、95598、12398、12345",
            "二〇二六年十一月二十五日停电",
            "1号、2号、3号变压器，1、3、5单元，约120户受影响",
            "电价 0.4777 元/千瓦时，违约金 1‰",
            "请携带户号到营业厅办理",
            "11.25 8:00—11.26 18:00",
            "",
        ] {
            assert_eq!(personal(text), None, "{text}");
        }
    }

    #[test]
    fn what_nobody_sees_is_refused() {
        for text in ["", "  ", "停\u{202e}电", "停\u{0}电", "停\u{200b}电", "停\u{fffe}电"] {
            assert!(plain("body", text, 10).is_err(), "{text:?}");
        }
        assert!(plain("body", "停电\n请谅解", 10).is_ok());
        assert!(plain("body", "停电停电停电停电停电停", 10).is_err());
    }
}
