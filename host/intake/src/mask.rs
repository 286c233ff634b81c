//! How a refused value is shown. Columns slip, so that a name or a number may stand anywhere.

use gridbell_model::mask_digits;

use crate::field::Sort;

/// The most characters of a value that a report shows.
const MAX_SHOWN: usize = 40;

/// `value` as a report may show it: shortened, without line breaks; a person's name keeps its first character, anything that may be a phone number
/// is masked, in whatever column it stands. Without a sort it is part of a row, of which nobody knows what stands where.
pub(crate) fn shown(value: &str, sort: Option<Sort>) -> String {
    let short = short(value);
    match sort {
        Some(Sort::Personal) => personal(&short),
        None => mask_numbers(&short.chars().map(|c| if is_han(c) { '*' } else { c }).collect::<String>()),
        // A name that slipped into a column of something else.
        Some(_) if short.chars().any(is_han) && !matches!(short.as_str(), "合计" | "小计" | "总计") => {
            personal(&short)
        }
        Some(_) => mask_numbers(&short),
    }
}

/// A header's cell: Han characters are what it is made of.
pub(crate) fn shown_header(value: &str) -> String {
    mask_numbers(&short(value))
}

fn short(value: &str) -> String {
    value.trim().chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Han characters but for those that dates and amounts are written with.
fn is_han(c: char) -> bool {
    ('\u{3400}'..='\u{9fff}').contains(&c) && !matches!(c, '年' | '月' | '日' | '元' | '时' | '分')
}

fn personal(text: &str) -> String {
    if text.bytes().any(|b| b.is_ascii_digit()) {
        return mask_digits(text);
    }
    let mut chars = text.chars();
    chars.next().map(|first| first.to_string() + &"*".repeat(chars.count())).unwrap_or_default()
}

/// Masks every run of digits that could be a mobile number.
fn mask_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars().chain(std::iter::once('\0')) {
        if c.is_ascii_digit() {
            run.push(c);
            continue;
        }
        // With a country code before it, too: 8613812341234.
        let local = run.strip_prefix("86").filter(|r| r.len() == 11).unwrap_or(&run);
        let mobile = local.len() == 11 && matches!(local.as_bytes(), [b'1', b'3'..=b'9', ..]);
        out.push_str(&if mobile { mask_digits(&run) } else { std::mem::take(&mut run) });
        run.clear();
        if c != '\0' {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_masked_wherever_they_stand() {
        assert_eq!(shown("张三丰", Some(Sort::Personal)), "张**");
        assert_eq!(shown("张三丰", Some(Sort::Identifier)), "张**");
        assert_eq!(shown("13812341234", Some(Sort::Amount)), "138****1234");
        assert_eq!(shown("tel:8613812341234,", None), "tel:861****1234,");
        assert_eq!(shown("138x", Some(Sort::Personal)), "****");
        assert_eq!(shown("张三", Some(Sort::Word)), "张*");
        assert_eq!(shown("0012345678,\"张三,", None), "0012345678,\"**,");
    }

    #[test]
    fn what_helps_to_find_the_mistake_stays() {
        assert_eq!(shown("1.2E+12", Some(Sort::Identifier)), "1.2E+12");
        assert_eq!(shown("2026年13月", Some(Sort::Period)), "2026年13月");
        assert_eq!(shown("合计", Some(Sort::Identifier)), "合计");
        assert_eq!(shown_header("户号"), "户号");
        assert_eq!(shown("a\nb", Some(Sort::Identifier)), "a b");
        assert_eq!(shown(&"9".repeat(100), None).len(), MAX_SHOWN);
    }
}
