//! A customer's addresses beside the telephone number: ids at platforms, and where they came from. They are personal data: printing one hides it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::message::Channel;
use crate::topic::words;

words! {
    /// Where a binding or unbinding of an address came from.
    BindingSource, "source of a binding" {
        /// A counter clerk.
        Counter = 0, "counter", "营业厅";
        /// The utility's website.
        Website = 1, "website", "网站";
        /// The utility's app, or its pages within a platform's.
        App = 2, "app", "应用";
        /// A word that the customer sent by SMS.
        SmsWord = 3, "sms-word", "短信口令";
        /// A file.
        Import = 4, "import", "导入";
        /// The platform itself: it said that the customer follows, or does not any more.
        Platform = 5, "platform", "平台";
    }
}

/// The most bytes of an id or an app's id: WeChat's openids have 28, Alipay's 16 digits or 32 characters.
pub const MAX_PLATFORM_ID: usize = 64;

/// A customer's id at a platform: a WeChat openid, an Alipay user or open id. Letters, digits, `_`, `-`, 1 to [`MAX_PLATFORM_ID`] bytes.
/// `Display` and `Debug` hide all but its ends; [`PlatformId::expose`] is the one way to the whole, so that each use can be found.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlatformId(Box<str>);

impl PlatformId {
    /// The id itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlatformId {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        let fits = (1..=MAX_PLATFORM_ID).contains(&s.len())
            && s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if fits {
            return Ok(Self(s.into()));
        }
        // What was given is personal even where it is wrong.
        Err(ModelError::Word {
            what: "platform id",
            value: "***".to_owned(),
            known: format!("1 to {MAX_PLATFORM_ID} letters, digits, `_` and `-`"),
        })
    }
}

impl TryFrom<String> for PlatformId {
    type Error = ModelError;
    fn try_from(s: String) -> Result<Self, ModelError> {
        s.parse()
    }
}

impl From<PlatformId> for String {
    fn from(id: PlatformId) -> Self {
        id.0.into()
    }
}

impl fmt::Display for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only ASCII is in it, so that any place is between two characters.
        let shown = if self.0.len() >= 12 { 3 } else { 0 };
        write!(f, "{}****{}", &self.0[..shown], &self.0[self.0.len() - shown..])
    }
}

impl fmt::Debug for PlatformId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Channel {
    /// Channels whose addresses customers have beside their number.
    pub const PLATFORMS: [Self; 2] = [Self::Wechat, Self::Alipay];

    /// Whether its messages go to the customer's number: by SMS, or to whoever takes a webhook (an app's push, a telephone robot).
    #[must_use]
    pub const fn goes_to_number(self) -> bool {
        matches!(self, Self::Sms | Self::Webhook)
    }

    /// Whether customers have an address of their own for it beside their number.
    #[must_use]
    pub fn is_platform(self) -> bool {
        Self::PLATFORMS.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_and_never_shown_whole() {
        let id: PlatformId = "oLVPpjqs9BhvzwPj5A-vTYAX3GLc".parse().unwrap();
        assert_eq!((id.to_string(), format!("{id:?}")), ("oLV****GLc".to_owned(), "oLV****GLc".to_owned()));
        assert_eq!(id.expose().len(), 28);
        assert_eq!("2088".parse::<PlatformId>().unwrap().to_string(), "****");
        let long = "x".repeat(MAX_PLATFORM_ID + 1);
        for bad in ["", "a b", "客户", "a/b", long.as_str()] {
            let refused = bad.parse::<PlatformId>().unwrap_err().to_string();
            assert!(bad.is_empty() || !refused.contains(bad), "{refused}");
        }
    }
}
