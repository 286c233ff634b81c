//! Phone numbers and what is known about them. They are personal data: printing one masks it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::time::Date;

/// A mainland phone number with what sending needs to know of it, in eight bytes.
///
/// Bits, from the lowest: 40 number, 3 class, 3 source, 1 shared, 1 suspended, 16 verified on (days since 2000-01-01, 0 for never).
/// `Display` and `Debug` mask the number; [`Phone::expose`] is the one way to the digits, so that each use can be found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(transparent)]
pub struct Phone(u64);

/// What kind of number it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum PhoneClass {
    /// There is none.
    None = 0,
    /// An 11-digit mobile number in a known segment.
    Mobile = 1,
    /// A landline: a warning, since SMS does not reach it.
    Landline = 2,
    /// Something was given that is neither; only the contact is flagged, the row is kept.
    Bad = 3,
    /// An 11-digit number in no segment that the operator has loaded.
    UnknownSegment = 4,
}

/// Where a contact came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum ContactSource {
    /// Not said.
    #[default]
    Unknown = 0,
    /// The utility's archive (档案).
    Archive = 1,
    /// A counter clerk.
    Counter = 2,
    /// The website or the app.
    Online = 3,
    /// 95598 by telephone.
    Hotline = 4,
    /// A station's visit.
    Field = 5,
    /// The carrier told us.
    Carrier = 6,
}

impl ContactSource {
    /// The word for it in files and in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Archive => "archive",
            Self::Counter => "counter",
            Self::Online => "online",
            Self::Hotline => "hotline",
            Self::Field => "field",
            Self::Carrier => "carrier",
        }
    }

    fn from_bits(bits: u64) -> Self {
        match bits {
            1 => Self::Archive,
            2 => Self::Counter,
            3 => Self::Online,
            4 => Self::Hotline,
            5 => Self::Field,
            6 => Self::Carrier,
            _ => Self::Unknown,
        }
    }
}

impl FromStr for ContactSource {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        Ok(match s.trim() {
            "" | "unknown" | "未知" => Self::Unknown,
            "archive" | "档案" => Self::Archive,
            "counter" | "柜台" | "营业厅" => Self::Counter,
            "online" | "网上" | "网站" => Self::Online,
            "hotline" | "95598" | "热线" => Self::Hotline,
            "field" | "现场" => Self::Field,
            "carrier" | "运营商" => Self::Carrier,
            other => {
                return Err(ModelError::Word {
                    what: "contact source",
                    value: other.to_owned(),
                    known: "archive, counter, online, hotline, field, carrier".to_owned(),
                });
            }
        })
    }
}

const NUMBER_BITS: u64 = (1 << 40) - 1;
/// Day 0 of the verified-on field: 2000-01-01 as days since 1970.
const VERIFIED_EPOCH: i32 = 10_957;

impl Phone {
    /// No number.
    pub const NONE: Self = Self(0);

    /// Reads what a file or a form gave. Never fails: a number that cannot be one is kept out and marked [`PhoneClass::Bad`], since a bad phone
    /// flags the contact and never rejects the row.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let digits: String =
            text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '（' | '）' | '\u{3000}')).collect();
        let digits = digits.strip_prefix("+86").or_else(|| digits.strip_prefix("0086")).unwrap_or(&digits);
        if digits.is_empty() {
            return Self::NONE;
        }
        if !digits.bytes().all(|b| b.is_ascii_digit()) || digits.len() > 12 {
            return Self((PhoneClass::Bad as u64) << 40);
        }
        let number = digits.bytes().fold(0u64, |v, b| v * 10 + u64::from(b - b'0'));
        let class = match (digits.len(), digits.as_bytes()) {
            // 11 digits, second digit 3–9: the mobile numbering plan (MIIT, 电信网编号计划).
            (11, [b'1', b'3'..=b'9', ..]) => PhoneClass::Mobile,
            // Area codes are 010 and 02x to 09xx: never 00.
            (10..=12, [b'0', b'1'..=b'9', ..]) | (7..=8, [b'2'..=b'8', ..]) => PhoneClass::Landline,
            _ => return Self((PhoneClass::Bad as u64) << 40),
        };
        Self(number | (class as u64) << 40)
    }

    /// The packed form, for columns.
    #[must_use]
    pub fn packed(self) -> u64 {
        self.0
    }

    /// Back from [`Phone::packed`].
    #[must_use]
    pub fn from_packed(packed: u64) -> Self {
        Self(packed)
    }

    /// The digits as a number, 0 for none: the key for caps and look-ups.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0 & NUMBER_BITS
    }

    /// The digits, in the clear. Only for the carrier's socket and for a person whose unmasking is in the audit log.
    #[must_use]
    pub fn expose(self) -> String {
        match self.class() {
            PhoneClass::None | PhoneClass::Bad => String::new(),
            PhoneClass::Landline if self.number() >= 100_000_000 => format!("0{}", self.number()),
            _ => self.number().to_string(),
        }
    }

    /// What kind of number it is.
    #[must_use]
    pub fn class(self) -> PhoneClass {
        match (self.0 >> 40) & 7 {
            1 => PhoneClass::Mobile,
            2 => PhoneClass::Landline,
            3 => PhoneClass::Bad,
            4 => PhoneClass::UnknownSegment,
            _ => PhoneClass::None,
        }
    }

    /// The same number in another class.
    #[must_use]
    pub fn with_class(self, class: PhoneClass) -> Self {
        Self(self.0 & !(7 << 40) | (class as u64) << 40)
    }

    /// Where it came from.
    #[must_use]
    pub fn source(self) -> ContactSource {
        ContactSource::from_bits((self.0 >> 43) & 7)
    }

    /// The same number from `source`.
    #[must_use]
    pub fn with_source(self, source: ContactSource) -> Self {
        Self(self.0 & !(7 << 43) | (source as u64) << 43)
    }

    /// Whether more accounts than a household's share it (landlords, children: a warning).
    #[must_use]
    pub fn is_shared(self) -> bool {
        self.0 >> 46 & 1 == 1
    }

    /// The same number, marked shared or not.
    #[must_use]
    pub fn with_shared(self, shared: bool) -> Self {
        Self(self.0 & !(1 << 46) | u64::from(shared) << 46)
    }

    /// Whether somebody said it is not this customer's: nothing goes to it until staff confirm or correct it.
    #[must_use]
    pub fn is_suspended(self) -> bool {
        self.0 >> 47 & 1 == 1
    }

    /// The same number, suspended or not.
    #[must_use]
    pub fn with_suspended(self, suspended: bool) -> Self {
        Self(self.0 & !(1 << 47) | u64::from(suspended) << 47)
    }

    /// When it was last verified; [`Date::NONE`] for never.
    #[must_use]
    pub fn verified_on(self) -> Date {
        match i32::try_from(self.0 >> 48) {
            Ok(days) if days > 0 => Date(VERIFIED_EPOCH + days),
            _ => Date::NONE,
        }
    }

    /// The same number, verified on `date`.
    #[must_use]
    pub fn with_verified_on(self, date: Date) -> Self {
        let days = date.some().map_or(0, |d| u64::try_from((d.0 - VERIFIED_EPOCH).clamp(0, 0xffff)).unwrap_or(0));
        Self(self.0 & ((1 << 48) - 1) | days << 48)
    }

    /// Whether an SMS can go to it.
    #[must_use]
    pub fn is_sendable(self) -> bool {
        self.class() == PhoneClass::Mobile && !self.is_suspended()
    }
}

impl fmt::Display for Phone {
    /// Masked: 138****1234.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_digits(&self.expose()))
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number as logs and clerks without the right may see it: 138****1234; shorter ones lose all but the ends.
#[must_use]
pub fn mask_digits(digits: &str) -> String {
    let chars: Vec<char> = digits.chars().collect();
    match chars.len() {
        0 => String::new(),
        1..=4 => "*".repeat(chars.len()),
        5..=8 => chars[..2].iter().collect::<String>() + "****" + &chars[chars.len() - 1..].iter().collect::<String>(),
        n => chars[..3].iter().collect::<String>() + "****" + &chars[n - 4..].iter().collect::<String>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_field_keeps_to_its_bits(n in 13_000_000_000u64..19_999_999_999, shared: bool, suspended: bool, day in 10_958i32..60_000) {
            let p = Phone::from_text(&n.to_string()).with_shared(shared).with_suspended(suspended)
                .with_source(ContactSource::Hotline).with_verified_on(Date(day));
            prop_assert_eq!(p.number(), n);
            prop_assert_eq!(p.expose(), n.to_string());
            prop_assert_eq!(p.class(), PhoneClass::Mobile);
            prop_assert_eq!((p.is_shared(), p.is_suspended(), p.verified_on(), p.source()), (shared, suspended, Date(day), ContactSource::Hotline));
            prop_assert_eq!(p.is_sendable(), !suspended);
        }

        #[test]
        fn any_text_is_read_and_never_shown_whole(text in "\\PC{0,20}") {
            let p = Phone::from_text(&text);
            if p.expose().len() >= 7 { prop_assert!(!p.to_string().contains(&p.expose())); }
        }
    }

    #[test]
    fn spellings_of_one_number_are_one() {
        let p = Phone::from_text("13812341234");
        for text in ["138 1234 1234", "+8613812341234", "0086-138-1234-1234", " 13812341234\u{3000}"] {
            assert_eq!(Phone::from_text(text), p, "{text}");
        }
        assert_eq!(p.to_string(), "138****1234");
        let landline = Phone::from_text("0351-4123456");
        assert_eq!((landline.class(), landline.expose()), (PhoneClass::Landline, "03514123456".to_owned()));
        for nobody in ["10086", "0000000000", "00000000000", "000000000000", "0", "0012345678"] {
            let phone = Phone::from_text(nobody);
            assert_eq!((phone.class(), phone.number()), (PhoneClass::Bad, 0), "{nobody}");
        }
        assert_eq!(Phone::from_text("1.38E+10").class(), PhoneClass::Bad);
    }
}
