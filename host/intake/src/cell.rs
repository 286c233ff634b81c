//! A field's text to its value. The common spelling of each is read without detours; the rest is left to the model's parsers.

use std::borrow::Cow;

use gridbell_model::{AccountNumber, CivilMinute, Date, Fen, ModelError, Phone, PhoneClass, Segments, Traits};

use crate::field::{customer, normal};
use crate::reject::Reason;
use crate::rows::is_period;

/// Traits that a file may give: what the host works out by itself is not among them.
pub(crate) const GIVABLE: Traits =
    Traits(!(Traits::HAS_MOBILE.0 | Traits::REBILLED.0) & ((1 << Traits::WORDS.len()) - 1));
/// The traits that a category decides between.
pub(crate) const CATEGORIES: Traits = Traits(Traits::RESIDENT.0 | Traits::FIRM.0 | Traits::SCHOOL.0 | Traits::PUBLIC.0);

/// Traits of the archive: a list of tags says all of them, so that one that is missing from the list is not so. Of the others, which say how things
/// stand with a bill, a list can only add: an archive without the tag must not lift somebody's do-not-remind.
pub(crate) const ARCHIVE: Traits = Traits(
    GIVABLE.0
        & !(Traits::DEBIT_PENDING.0
            | Traits::DISPUTED.0
            | Traits::CLOSED.0
            | Traits::PAUSED.0
            | Traits::DO_NOT_REMIND.0),
);

/// Takes off what offices put around a value to keep a spreadsheet from changing it: `="0012"`, `'0012`, full-width digits.
fn tidy(text: &str) -> Cow<'_, str> {
    let t = text.trim();
    let t = t.strip_prefix("=\"").and_then(|t| t.strip_suffix('"')).unwrap_or(t);
    let t = t.strip_prefix(['\'', '`', '‘', '’']).unwrap_or(t).trim();
    if t.is_ascii() {
        return Cow::Borrowed(t);
    }
    // Full-width forms lie 0xfee0 above their ASCII ones.
    let narrow = |c: char| match c {
        '！'..='～' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        c => c,
    };
    Cow::Owned(t.chars().filter(|c| !matches!(c, '\u{a0}' | '\u{3000}' | '\u{feff}')).map(narrow).collect())
}

pub(crate) fn account(text: &str) -> Result<AccountNumber, Reason> {
    text.parse().or_else(|_| tidy(text).parse()).map_err(|e| match e {
        ModelError::AccountFloat { .. } => Reason::AccountFloat,
        _ => Reason::Account,
    })
}

/// Digits that are just a number.
pub(crate) fn number(text: &str) -> Option<u32> {
    if text.is_empty() || text.len() > 10 || !text.bytes().all(|b| b.is_ascii_digit()) {
        let tidied = tidy(text);
        return if tidied == text { None } else { number(&tidied) };
    }
    u32::try_from(text.bytes().fold(0u64, |v, b| v * 10 + u64::from(b - b'0'))).ok()
}

pub(crate) fn amount(text: &str) -> Result<Fen, Reason> {
    if let Some(fen) = plain_amount(text.as_bytes()) {
        return Ok(fen);
    }
    let tidied = tidy(text);
    let t = tidied.strip_suffix('元').unwrap_or(&tidied);
    t.parse().map_err(|_| Reason::Amount)
}

/// `-123.45` with up to nine digits before the point and at most two behind it.
fn plain_amount(bytes: &[u8]) -> Option<Fen> {
    let (negative, digits) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let point = digits.iter().position(|b| *b == b'.').unwrap_or(digits.len());
    let cents = digits.get(point + 1..).unwrap_or_default();
    if point == 0 || point > 9 || cents.len() > 2 || (point + 1 == digits.len()) {
        return None;
    }
    let mut fen = 0i64;
    for b in digits[..point].iter().chain(cents) {
        if !b.is_ascii_digit() {
            return None;
        }
        fen = fen * 10 + i64::from(b - b'0');
    }
    fen *= [100, 10, 1][cents.len()];
    Some(Fen(if negative { -fen } else { fen }))
}

/// `count` digits at `at`.
fn digits(bytes: &[u8], at: usize, count: usize) -> Option<u32> {
    bytes.get(at..at + count)?.iter().try_fold(0u32, |v, b| b.is_ascii_digit().then(|| v * 10 + u32::from(b - b'0')))
}

/// `2026-11-21` or `2026/11/21` at the start of `bytes`.
fn plain_date(bytes: &[u8]) -> Option<Date> {
    let separators = (bytes.get(4)?, bytes.get(7)?);
    if !matches!(separators, (b'-', b'-') | (b'/', b'/')) {
        return None;
    }
    let year = digits(bytes, 0, 4).filter(|y| (1990..=2200).contains(y))?;
    Date::from_ymd(i32::try_from(year).ok()?, digits(bytes, 5, 2)?, digits(bytes, 8, 2)?)
}

pub(crate) fn date(text: &str) -> Result<Date, Reason> {
    if text.len() == 10
        && let Some(date) = plain_date(text.as_bytes())
    {
        return Ok(date);
    }
    let tidied = tidy(text);
    // A date that a database printed with its midnight.
    let day = tidied.split_once([' ', 'T']).map_or(&*tidied, |(day, _)| day);
    if day.len() != tidied.len() && minute(&tidied).is_err() {
        return Err(Reason::Date);
    }
    day.parse().map_err(|_| Reason::Date)
}

/// A time; a day alone is its first minute.
pub(crate) fn minute(text: &str) -> Result<CivilMinute, Reason> {
    let b = text.as_bytes();
    if matches!(b.len(), 16 | 19) && matches!(b[10], b' ' | b'T') && b[13] == b':' {
        let (date, hour, minute) = (plain_date(b), digits(b, 11, 2), digits(b, 14, 2));
        if let (Some(date), Some(hour @ 0..24), Some(minute @ 0..60)) = (date, hour, minute) {
            let seconds = b.len() == 16 || (b[16] == b':' && digits(b, 17, 2).is_some_and(|s| s < 60));
            return if seconds { Ok(date.at(hour, minute)) } else { Err(Reason::Minute) };
        }
    }
    let tidied = tidy(text);
    let b = tidied.as_bytes();
    // As interfaces between banks print it: 20261121093000.
    if matches!(b.len(), 12 | 14) && b.iter().all(u8::is_ascii_digit) {
        let date: Date = tidied[..8].parse().map_err(|_| Reason::Minute)?;
        return match (digits(b, 8, 2), digits(b, 10, 2)) {
            (Some(hour @ 0..24), Some(minute @ 0..60)) => Ok(date.at(hour, minute)),
            _ => Err(Reason::Minute),
        };
    }
    if let Ok(date) = tidied.parse::<Date>() {
        return Ok(date.at(0, 0));
    }
    tidied.parse().map_err(|_| Reason::Minute)
}

/// `202611`, `2026-11`, `2026/11`, `2026年11月`, or a day within it.
pub(crate) fn period(text: &str) -> Result<u32, Reason> {
    let tidied = if text.len() == 6 { Cow::Borrowed(text) } else { tidy(text) };
    let b = tidied.as_bytes();
    let period = if b.len() == 6 {
        digits(b, 0, 6)
    } else if let Ok(date) = date(&tidied) {
        let (y, m, _) = date.ymd();
        u32::try_from(y).ok().map(|y| y * 100 + m)
    } else {
        let mut parts = tidied.split(['-', '/', '.', '年', '月']).filter(|p| !p.is_empty());
        match (parts.next().and_then(number), parts.next().and_then(number), parts.next()) {
            (Some(y @ 1990..=2200), Some(m), None) if m <= 12 => Some(y * 100 + m),
            _ => None,
        }
    };
    period.filter(|p| is_period(*p)).ok_or(Reason::Period)
}

/// Yes or no, in the words of the columns that ask it.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    match text.as_bytes() {
        b"0" => return Some(false),
        b"1" => return Some(true),
        _ => {}
    }
    match text {
        "是" | "Y" | "y" | "有" | "√" | "重要" | "特级" | "一级" | "二级" | "临时性重要" | "在途" | "销户"
        | "已销户" | "已过户" | "closed" => Some(true),
        "否" | "N" | "n" | "无" | "×" | "普通" | "一般" | "正常" | "正常用电客户" | "在用" | "active" => {
            Some(false)
        }
        _ => match text.to_ascii_lowercase().as_str() {
            "yes" | "true" => Some(true),
            "no" | "false" => Some(false),
            _ => None,
        },
    }
}

/// Which of [`CATEGORIES`] a category means; a known category may be none of them.
pub(crate) fn category(text: &str) -> Option<Traits> {
    Some(match text {
        "居民" | "居民生活" | "低压居民" | "城镇居民" | "乡村居民" | "居民客户" | "resident" => {
            Traits::RESIDENT
        }
        "企业" | "工商业" | "一般工商业" | "大工业" | "工业" | "商业" | "非居民" | "低压非居民" | "高压" | "firm"
        | "business" => Traits::FIRM,
        "学校" | "school" => Traits::SCHOOL,
        "机关" | "政府机关" | "党政机关" | "公共服务" | "事业单位" | "public" => Traits::PUBLIC,
        "农业" | "农业生产" | "其他" | "other" => Traits::default(),
        _ => return None,
    })
}

/// The traits that a list of words sets, and whether every word was understood.
pub(crate) fn traits(text: &str) -> (Traits, bool) {
    let (mut set, mut all) = (Traits::default(), true);
    for word in text.split([';', '|', ',', ' ', '、', '，', '；']).filter(|w| !w.is_empty()) {
        let bit = Traits::from_word(word).or_else(|| category(word)).or_else(|| {
            let word = normal(word);
            customer::FIELDS.iter().find(|f| f.headers.iter().any(|h| normal(h) == word)).and_then(|f| f.flag)
        });
        match bit.filter(|b| GIVABLE.has(*b)) {
            Some(bit) => set = set | bit,
            None => all = false,
        }
    }
    (set, all)
}

/// A phone number with its class; "无" and "-" take the known one away. Where a cell holds several, the first mobile number.
pub(crate) fn phone(text: &str, segments: &Segments) -> Phone {
    let b = text.as_bytes();
    let phone = match (b.len(), digits(b, 0, 2), digits(b, 2, 9)) {
        // An 11-digit mobile number, spelled without ornament.
        (11, Some(first @ 13..=19), Some(rest)) => {
            Phone::from_packed(u64::from(first) * 1_000_000_000 + u64::from(rest)).with_class(PhoneClass::Mobile)
        }
        _ if matches!(text, "无" | "-" | "—" | "none") => Phone::NONE,
        _ => odd_phone(text),
    };
    if phone.class() == PhoneClass::Mobile && segments.carrier_of(phone.number()).is_none() {
        return phone.with_class(PhoneClass::UnknownSegment);
    }
    phone
}

fn odd_phone(text: &str) -> Phone {
    let tidied = tidy(text);
    let whole = Phone::from_text(&tidied);
    // Zeros are what clerks type where a form insists on a number.
    if whole.number() == 0 && whole.class() == PhoneClass::Landline {
        return Phone::NONE.with_class(PhoneClass::Bad);
    }
    if whole.class() != PhoneClass::Bad {
        return whole;
    }
    // Blanks stand between numbers and within them, so that they part what other marks do not.
    let marks = |c: char| matches!(c, ',' | '/' | '、' | ';' | '，' | '；' | '|' | '\n');
    let any = |c: char| marks(c) || c.is_whitespace();
    let first = |class| {
        let by_marks = tidied.split(marks).map(Phone::from_text).find(|p| p.class() == class);
        by_marks.or_else(|| tidied.split(any).map(Phone::from_text).find(|p| p.class() == class))
    };
    first(PhoneClass::Mobile).or_else(|| first(PhoneClass::Landline)).unwrap_or(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all_known() -> Segments {
        let mut s = Segments::NONE;
        (130..=199).for_each(|p| s.give(p, gridbell_model::Carrier::Mobile).unwrap());
        s
    }

    proptest! {
        /// The short cuts read nothing that the model reads otherwise.
        #[test]
        fn short_cuts_agree_with_the_model(text in "-?[0-9]{0,11}\\.?[0-9]{0,3}|[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?|1[0-9]{9,11}") {
            if let Ok(fen) = text.parse::<Fen>() { prop_assert_eq!(amount(&text), Ok(fen)); }
            if let Some(fen) = plain_amount(text.as_bytes()) { prop_assert_eq!(text.parse::<Fen>(), Ok(fen)); }
            if let Ok(d) = text.parse::<Date>() { prop_assert_eq!(date(&text), Ok(d)); }
            if let Some(d) = plain_date(text.as_bytes()).filter(|_| text.len() == 10) { prop_assert_eq!(text.parse(), Ok(d)); }
            if text.len() == 16 { prop_assert_eq!(minute(&text).ok(), text.parse::<CivilMinute>().ok()); }
            if text.bytes().all(|b| b.is_ascii_digit()) && !text.trim_matches('0').is_empty() { prop_assert_eq!(phone(&text, &all_known()), Phone::from_text(&text)); }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,24}|[0-9年月日/.: -]{0,20}") {
            let _ = (account(&text), number(&text), amount(&text), date(&text), minute(&text), period(&text));
            let _ = (yes_no(&text), category(&text), traits(&text), phone(&text, &Segments::NONE));
        }
    }

    #[test]
    fn ornaments_of_spreadsheets_come_off_and_zeros_stay() {
        for text in ["0012345678", "=\"0012345678\"", "'0012345678", "００１２３４５６７８", "0012345678\t"] {
            assert_eq!(account(text).unwrap().to_string(), "0012345678", "{text}");
        }
        assert_eq!(account("1.2E+12"), Err(Reason::AccountFloat));
        assert_eq!(account("合计"), Err(Reason::Account));
        assert_eq!(amount("１２.50元"), Ok(Fen(1250)));
        assert_eq!(amount("1,234.50"), Ok(Fen(123_450)));
        assert_eq!(amount("12."), "12.".parse::<Fen>().map_err(|_| Reason::Amount));
    }

    #[test]
    fn periods_and_times_in_the_spellings_of_files() {
        for text in ["202611", "2026-11", "2026/11", "2026年11月", "2026-11-01"] {
            assert_eq!(period(text), Ok(202_611), "{text}");
        }
        for text in ["202613", "2026", "11", "2.02611E5"] {
            assert_eq!(period(text), Err(Reason::Period), "{text}");
        }
        let d: Date = "2026-11-21".parse().unwrap();
        for text in ["2026-11-21 09:30", "2026-11-21T09:30:59", "20261121093012", "2026/11/21 9:30"] {
            assert_eq!(minute(text), Ok(d.at(9, 30)), "{text}");
        }
        assert_eq!(minute("2026-11-21"), Ok(d.at(0, 0)));
        assert_eq!(date("2026-11-21 00:00:00"), Ok(d));
        assert_eq!(date("2026-11-21 junk"), Err(Reason::Date));
        assert_eq!(minute("2026-11-21 24:00"), Err(Reason::Minute));
    }

    #[test]
    fn a_cell_with_two_numbers_gives_its_mobile_one() {
        let s = all_known();
        assert_eq!(phone("0351-4123456/13812341234", &s).number(), 13_812_341_234);
        assert_eq!(phone("无", &s), Phone::NONE);
        assert_eq!(phone("00000000000", &s).class(), PhoneClass::Bad);
        assert_eq!(phone("12345", &s).class(), PhoneClass::Bad);
        assert_eq!(phone("13812341234", &Segments::NONE).class(), PhoneClass::UnknownSegment);
    }

    #[test]
    fn tags_in_either_language() {
        assert_eq!(
            traits("费控、重要客户;reads-wechat"),
            (Traits::PREPAID | Traits::IMPORTANT | Traits::READS_WECHAT, true)
        );
        assert_eq!(
            traits("has-mobile 居民"),
            (Traits::RESIDENT, false),
            "the host works out by itself who has a mobile number"
        );
    }
}
