//! How a refused value is shown. Columns slip, so that a name or a number may stand anywhere.

use gridbell_model::mask_digits;

use crate::field::Sort;

/// The most characters of a value that a report shows.
const MAX_SHOWN: usize = 40;

/// `value` as a report may show it: shortened, without line breaks; a person's name keeps its first character, anything that may be a phone number
/// is masked, in whatever column it stands.
pub(crate) fn shown(value: &str, sort: Option<Sort>) -> String {
    let short: String = value.trim().chars().take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if sort == Some(Sort::Personal) {
        return personal(&short);
    }
    // A name that slipped into a column of numbers: Han characters have no business there, unless they are the words that dates are written with.
    let is_han =
        |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c) && !matches!(c, '年' | '月' | '日' | '元' | '时' | '分');
    let expects_words = matches!(sort, Some(Sort::Word) | None);
    if !expects_words && short.chars().any(is_han) && !matches!(short.as_str(), "合计" | "小计" | "总计") {
        return personal(&short);
    }
    mask_numbers(&short)
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
    }

    #[test]
    fn what_helps_to_find_the_mistake_stays() {
        assert_eq!(shown("1.2E+12", Some(Sort::Identifier)), "1.2E+12");
        assert_eq!(shown("2026年13月", Some(Sort::Period)), "2026年13月");
        assert_eq!(shown("合计", Some(Sort::Identifier)), "合计");
        assert_eq!(shown("a\nb", Some(Sort::Identifier)), "a b");
        assert_eq!(shown(&"9".repeat(100), None).len(), MAX_SHOWN);
    }
}
