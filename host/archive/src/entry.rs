//! What an archive holds, and how it is asked for.

use std::fmt;
use std::str::FromStr;

use gridbell_model::{Date, ModelError, Moment};
use serde::{Deserialize, Serialize};

/// What an entry tells of. Numbers are in the files: they are appended, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[repr(u8)]
pub enum Kind {
    /// A message with every step of its life.
    Message = 0,
    /// A decision that became no message, with the reason.
    Decision = 1,
    /// A run with its counts.
    Run = 2,
    /// A customer's reply.
    Inbound = 3,
    /// An entry of the audit log.
    Audit = 4,
    /// Something that runs of the same file were made from: rules, texts, a calendar, a policy.
    Document = 5,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Message, Self::Decision, Self::Run, Self::Inbound, Self::Audit, Self::Document];

    /// Its word on the command line and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Decision => "decision",
            Self::Run => "run",
            Self::Inbound => "inbound",
            Self::Audit => "audit",
            Self::Document => "document",
        }
    }

    /// What an office reads.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::Message => "短信",
            Self::Decision => "未发决定",
            Self::Run => "执行",
            Self::Inbound => "上行",
            Self::Audit => "审计",
            Self::Document => "依据",
        }
    }

    pub(crate) fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Kind {
    type Err = ModelError;
    fn from_str(s: &str) -> Result<Self, ModelError> {
        Self::ALL.into_iter().find(|k| k.word() == s).ok_or_else(|| ModelError::Word {
            what: "kind of record",
            value: s.chars().take(40).collect(),
            known: Self::ALL.map(Self::word).join(", "),
        })
    }
}

/// One record that left the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// What it tells of.
    pub kind: Kind,
    /// The moment by whose civil day it is found.
    pub at: Moment,
    /// Fingerprints of the accounts and numbers that it concerns, as [`crate::Archive::account_key`] and [`crate::Archive::phone_key`] make
    /// them.
    pub keys: Vec<u64>,
    /// What it says: a JSON object. Holds no name and no whole number.
    pub body: String,
}

/// Which entries are wanted. An empty list and [`Date::NONE`] ask for nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Query {
    /// Entries with any of these fingerprints.
    pub keys: Vec<u64>,
    /// Entries of these kinds.
    pub kinds: Vec<Kind>,
    /// From this civil day on.
    pub from: Date,
    /// Up to this civil day, included.
    pub to: Date,
    /// So many at most, the newest file's last first.
    pub limit: usize,
}

impl Query {
    pub(crate) fn wants(&self, entry: &Entry) -> bool {
        let day = entry.at.date();
        (self.keys.is_empty() || entry.keys.iter().any(|k| self.keys.contains(k)))
            && (self.kinds.is_empty() || self.kinds.contains(&entry.kind))
            && self.from.some().is_none_or(|from| from <= day)
            && self.to.some().is_none_or(|to| day <= to)
    }
}

/// An entry and where it was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found {
    /// The number of its file.
    pub file: u64,
    /// The entry.
    pub entry: Entry,
}
