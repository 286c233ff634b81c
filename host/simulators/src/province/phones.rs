//! Invented phone numbers in real carrier segments, and the ways in which contacts are wrong.

use std::fmt::{self, Write};

use gridbell_model::{Phone, PhoneClass};

use super::draw::{Draw, mix};

/// What stands in an archive where a phone number should.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contact {
    /// Nothing.
    None,
    /// A mobile number.
    Mobile(u64),
    /// A landline: area code without its zero, and number.
    Landline(u32, u32),
    /// Something else.
    Bad(&'static str),
}

impl Contact {
    /// The number as the host packs it, without source or date.
    #[must_use]
    pub fn phone(self) -> Phone {
        match self {
            Self::None => Phone::NONE,
            Self::Mobile(number) => Phone::from_packed(number).with_class(PhoneClass::Mobile),
            Self::Landline(area, number) => {
                Phone::from_packed(u64::from(area) * 10_000_000 + u64::from(number)).with_class(PhoneClass::Landline)
            }
            Self::Bad(_) => Phone::NONE.with_class(PhoneClass::Bad),
        }
    }

    /// Writes it as the archive has it, in the clear.
    pub(super) fn write(self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = match self {
            Self::None => Ok(()),
            Self::Mobile(number) => write!(out, "{number}"),
            Self::Landline(area, number) => write!(out, "0{area}-{number}"),
            Self::Bad(text) => out.write_str(text),
        };
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bad(text) => write!(f, "bad `{text}`"),
            other => write!(f, "{}", other.phone()),
        }
    }
}

/// Segments by carrier, in about the carriers' shares of customers: Mobile 60 %, Unicom 21 %, Telecom 17 %, Broadnet 2 %.
const SEGMENTS: [&[u64]; 4] = [
    &[135, 136, 137, 138, 139, 150, 151, 152, 157, 158, 159, 178, 182, 183, 184, 187, 188, 195, 198],
    &[130, 131, 132, 155, 156, 166, 175, 176, 185, 186, 196],
    &[133, 153, 173, 177, 180, 181, 189, 190, 191, 193, 199],
    &[192],
];
const BAD: &[&str] = &["1381234", "00000000000", "13800", "未知", "1.38E+10", "138351234567", "同上"];

/// Customers who share one landlord's number live next to each other: so many share at most three numbers.
const NEIGHBOURS: u64 = 256;

/// The contact of customer `index`, whose draw `draw` is; `key` is the prefecture's.
pub(super) fn contact(draw: &mut Draw, key: u64, index: u64, area_code: u32) -> Contact {
    match draw.below(1000) {
        0..30 => Contact::None,
        30..44 => Contact::Bad(draw.one(BAD)),
        44..66 => Contact::Landline(area_code, 2_000_000 + draw.below(6_000_000) as u32),
        66..106 => {
            let landlord = index / NEIGHBOURS * 3 + draw.below(3);
            mobile(&mut Draw::new(mix(key ^ 0x006c_616e_646c_6f72 ^ landlord)))
        }
        _ => mobile(draw),
    }
}

fn mobile(draw: &mut Draw) -> Contact {
    let carrier = match draw.below(100) {
        0..60 => 0,
        60..81 => 1,
        81..98 => 2,
        _ => 3,
    };
    Contact::Mobile(draw.one(SEGMENTS[carrier]) * 100_000_000 + draw.below(100_000_000))
}
