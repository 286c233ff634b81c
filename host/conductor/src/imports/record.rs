//! What is known of an import.

use std::fmt;
use std::str::FromStr;

use gridbell_intake::{Kind, Options};
use gridbell_model::{Moment, OrgCode};
use serde::{Deserialize, Serialize};

use super::take::ImportTally;
use crate::error::HostError;

/// An import's number, as `I17`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImportId(pub u64);

impl ImportId {
    /// The key of its document: in order of number.
    pub(super) fn key(self) -> String {
        format!("{:010}", self.0)
    }
}

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "I{}", self.0)
    }
}

impl FromStr for ImportId {
    type Err = HostError;

    fn from_str(s: &str) -> Result<Self, HostError> {
        let number = s.strip_prefix('I').filter(|n| n.bytes().all(|b| b.is_ascii_digit())).and_then(|n| n.parse().ok());
        number.map(Self).ok_or_else(|| HostError::Invalid(format!("`{s}` is not an import's number such as I17")))
    }
}

/// Where an import stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportState {
    /// Another file is being read.
    Waiting,
    /// It is being read.
    Running,
    /// All of it was read; some rows may have been rejected.
    Done,
    /// It cannot be read, or the state refused. What was taken before stands.
    Failed,
    /// The host ended in the middle. Send the file again: it changes nothing twice.
    Interrupted,
}

impl ImportState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Waiting, Self::Running, Self::Done, Self::Failed, Self::Interrupted];

    /// Whether it changes no more.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// What offices read.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Waiting => "排队中",
            Self::Running => "导入中",
            Self::Done => "已完成",
            Self::Failed => "失败",
            Self::Interrupted => "已中断",
        }
    }
}

/// What is known of an import. Never holds a row of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportRecord {
    /// Its number.
    pub id: ImportId,
    /// What the file holds.
    pub kind: Kind,
    /// What the file is called.
    pub file: String,
    /// Who sent it.
    pub who: String,
    /// The unit to whose subtree its rows had to belong; none for the whole province.
    pub scope: Option<OrgCode>,
    /// Where it stands.
    pub state: ImportState,
    /// What it did so far.
    pub tally: ImportTally,
    /// When it was received.
    pub queued: Moment,
    /// When it ended; none before, and none where the host was killed in the middle.
    pub ended: Option<Moment>,
    /// Why it failed.
    pub error: Option<String>,
}

/// How a received file is to be taken in.
#[derive(Clone, Debug)]
pub struct ImportOrder {
    /// What it holds.
    pub kind: Kind,
    /// What those who sent it call it.
    pub file: String,
    /// Who sent it.
    pub who: String,
    /// The unit to whose subtree its rows must belong; none for the whole province.
    pub scope: Option<OrgCode>,
    /// How it is to be read.
    pub options: Options,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_they_print() {
        assert_eq!("I17".parse::<ImportId>().unwrap().to_string(), "I17");
        for wrong in ["17", "I", "I+1", "Ix", "I99999999999999999999"] {
            assert!(wrong.parse::<ImportId>().is_err(), "{wrong}");
        }
    }
}
