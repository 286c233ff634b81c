//! Communities with whom to turn to there, and the screens that hang in them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use gridbell_model::{Moment, PrefectureCode, mask_digits};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::text::{self, MAX_NAME};
use crate::word::words;

/// The most transformers, and the most reading sections, of a community.
pub const MAX_MEMBERS: usize = 500;
/// The most contacts of a community.
pub const MAX_CONTACTS: usize = 8;
/// The most screens of a community.
pub const MAX_SCREENS: usize = 200;
/// The most octets of a community's code.
const MAX_CODE: usize = 32;
/// The most octets of a transformer's number.
const MAX_TRANSFORMER: usize = 40;

/// A community: its prefecture and its code there, written `140100-jinxiu`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommunityKey {
    prefecture: PrefectureCode,
    code: String,
}

impl CommunityKey {
    /// A community of `prefecture`.
    ///
    /// # Errors
    /// Where `code` is not 1 to 32 lower-case letters, digits and hyphens, the first no hyphen.
    pub fn new(prefecture: PrefectureCode, code: &str) -> Result<Self, Error> {
        let signs = code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if code.is_empty() || code.len() > MAX_CODE || !signs || code.starts_with('-') {
            return Err(Error::field("code", "is no code: 1 to 32 lower-case letters, digits and hyphens"));
        }
        Ok(Self { prefecture, code: code.to_owned() })
    }

    /// Where it lies.
    #[must_use]
    pub fn prefecture(&self) -> PrefectureCode {
        self.prefecture
    }

    /// Its code within the prefecture.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }
}

impl fmt::Display for CommunityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.prefecture, self.code)
    }
}

impl fmt::Debug for CommunityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for CommunityKey {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self, Error> {
        let parts = s.split_once('-').and_then(|(p, code)| Some((p.parse::<u32>().ok()?, code)));
        let (prefecture, code) = parts.filter(|(p, _)| (100_000..1_000_000).contains(p)).ok_or_else(|| {
            Error::field("community", "is none: the prefecture's code, a hyphen and its own, as 140100-jinxiu")
        })?;
        Self::new(PrefectureCode(prefecture), code)
    }
}

impl TryFrom<String> for CommunityKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<CommunityKey> for String {
    fn from(key: CommunityKey) -> Self {
        key.to_string()
    }
}

words! {
    /// What a contact is to a community.
    ContactRole("role") {
        /// 物业
        PropertyManager = "property-manager", "物业";
        /// 电视台
        TvStation = "tv-station", "电视台";
        /// 台区经理
        DistrictManager = "district-manager", "台区经理";
        /// 居委会、村委会
        Committee = "committee", "居委会";
    }
    /// How a screen gets what it shows.
    ScreenKind("kind") {
        /// A browser that leaves our page open.
        Kiosk = "kiosk", "网页屏";
        /// A player that polls the CAP feed.
        Cap = "cap", "CAP 轮询";
        /// A player that listens to the MQTT broker.
        Mqtt = "mqtt", "MQTT 播放器";
    }
}

/// A telephone number of a contact's: personal. Shows itself masked; written to a document, which is sealed at rest, it is whole.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Private(String);

impl Private {
    /// The number itself: for whoever may see it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Private {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        let digits = text.bytes().filter(u8::is_ascii_digit).count();
        let signs = text.bytes().all(|b| b.is_ascii_digit() || b" -+()".contains(&b));
        if (3..=20).contains(&digits) && signs && text.len() <= 30 {
            return Ok(Self(text));
        }
        Err(Error::field("phone", "is no telephone number: digits, spaces and hyphens"))
    }
}

impl From<Private> for String {
    fn from(phone: Private) -> Self {
        phone.0
    }
}

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits: String = self.0.chars().filter(char::is_ascii_digit).collect();
        f.write_str(&mask_digits(&digits))
    }
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whom to turn to in a community. Never reaches a screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// What it is to the community.
    pub role: ContactRole,
    /// Its name: the firm's, not a person's.
    pub title: String,
    /// Where it is reached: an office, a mail address. Empty for nowhere.
    #[serde(default)]
    pub address: String,
    /// Its number.
    #[serde(default)]
    pub phone: Option<Private>,
}

/// A community: what of the grid it consists of, and whom to turn to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Community {
    /// Which.
    pub key: CommunityKey,
    /// 锦绣花园
    pub name: String,
    /// The transformers that feed it, by their numbers.
    #[serde(default)]
    pub transformers: BTreeSet<String>,
    /// The reading sections that it consists of.
    #[serde(default)]
    pub sections: BTreeSet<u32>,
    /// Whom to turn to.
    #[serde(default)]
    pub contacts: Vec<Contact>,
}

impl Community {
    /// Whether it may be kept.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), Error> {
        text::shown("name", &self.name, MAX_NAME)?;
        let of_a_transformer = |t: &String| {
            !t.is_empty() && t.len() <= MAX_TRANSFORMER && t.bytes().all(|b| b.is_ascii_graphic() && b != b'/')
        };
        if !self.transformers.iter().all(of_a_transformer) {
            return Err(Error::field("transformers", "has one that is no number: 1 to 40 letters, digits and signs"));
        }
        if self.transformers.len() > MAX_MEMBERS || self.sections.len() > MAX_MEMBERS {
            return Err(Error::field("transformers", format!("or `sections` has more than {MAX_MEMBERS}: part it")));
        }
        if self.contacts.len() > MAX_CONTACTS {
            return Err(Error::field("contacts", format!("has more than {MAX_CONTACTS}")));
        }
        for contact in &self.contacts {
            text::shown("title", &contact.title, MAX_NAME)?;
            if !contact.address.is_empty() {
                text::plain("address", &contact.address, MAX_NAME * 2)?;
            }
        }
        Ok(())
    }
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident, $letter:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{:08}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(s: &str) -> Result<Self, Error> {
                let digits = s.strip_prefix($letter).filter(|d| d.len() >= 8 && d.bytes().all(|b| b.is_ascii_digit()));
                let number = digits.and_then(|d| d.parse().ok()).map(Self).filter(|n| n.to_string() == s);
                number.ok_or_else(|| Error::field($what, concat!("is none: as ", $letter, "00000012")))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}
pub(crate) use number;

number! {
    /// A screen's number, written `S00000012`.
    ScreenId, "S", "screen"
}

/// A screen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// Which.
    pub id: ScreenId,
    /// Where it hangs.
    pub community: CommunityKey,
    /// Where exactly: 南门门厅.
    pub place: String,
    /// How it gets what it shows.
    pub kind: ScreenKind,
    /// SHA-256 of the secret in its address, as hex. The secret itself is kept nowhere.
    pub secret: String,
    /// Who entered it.
    pub by: String,
    /// When.
    pub at: Moment,
}

impl Screen {
    /// Whether it may be kept.
    ///
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), Error> {
        text::shown("place", &self.place, MAX_NAME)
    }
}
