//! What things of the grid are called, and of which kinds they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Refusal;

/// The most octets of a code.
pub const MAX_CODE: usize = 40;

/// The code of a thing of the grid, as the utility's own systems have it: 1 to 40 ASCII letters, digits and signs but `/`. Each kind has codes of
/// its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(Box<str>);

impl Code {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Code {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Self, Refusal> {
        let signs = text.bytes().all(|b| b.is_ascii_graphic() && b != b'/');
        if text.is_empty() || text.len() > MAX_CODE || !signs {
            return Err(Refusal::field("code", "is no code: 1 to 40 letters, digits and signs but `/`"));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Code {
    type Error = Refusal;

    fn try_from(text: String) -> Result<Self, Refusal> {
        text.parse()
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0.into()
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Kinds of things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// 变电站
    Substation,
    /// 线路
    Line,
    /// 线路区段
    Section,
    /// 开关
    Switch,
    /// 变压器（台区）
    Transformer,
}

impl Kind {
    /// Every kind, from the source of power down.
    pub const ALL: [Self; 5] = [Self::Substation, Self::Line, Self::Section, Self::Switch, Self::Transformer];

    /// Its word in the API.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Substation => "substation",
            Self::Line => "line",
            Self::Section => "section",
            Self::Switch => "switch",
            Self::Transformer => "transformer",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Substation => "变电站",
            Self::Line => "线路",
            Self::Section => "区段",
            Self::Switch => "开关",
            Self::Transformer => "变压器",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
