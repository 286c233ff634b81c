//! The audit log: append-only, each entry chained to the one before by SHA-256, so that an entry changed, removed or inserted later shows.

use gridbell_model::Moment;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ops::AuditNote;

/// One entry.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AuditEntry {
    /// From 1, without gaps.
    pub number: u64,
    /// When it was written.
    pub at: Moment,
    /// What was done by whom to what.
    pub note: AuditNote,
    /// The hash of the entry before; zeros for the first.
    pub previous: [u8; 32],
    /// SHA-256 over `previous` and this entry's other fields.
    pub hash: [u8; 32],
}

/// An entry as the one after it refers to it: what stays online of the last entry that left for the archives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuditMark {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: [u8; 32],
}

/// Why a log does not verify.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AuditBreak {
    /// A number is missing or out of order.
    #[error("entry {expected} of the audit log is missing: entry {found} follows")]
    Gap {
        /// The number that should come.
        expected: u64,
        /// The number that comes.
        found: u64,
    },
    /// An entry's hash does not fit its content or the entry before.
    #[error("entry {number} of the audit log was changed after it was written")]
    Changed {
        /// The entry.
        number: u64,
    },
}

impl AuditEntry {
    pub(crate) fn next(previous: Option<&Self>, at: Moment, note: AuditNote) -> Self {
        let (number, chain) = previous.map_or((1, [0; 32]), |p| (p.number + 1, p.hash));
        let hash = digest(number, at, &note, chain);
        Self { number, at, note, previous: chain, hash }
    }

    /// Checks this entry against the one before.
    ///
    /// # Errors
    /// When a number is missing or a hash does not fit.
    pub fn verify(&self, before: Option<&Self>) -> Result<(), AuditBreak> {
        self.verify_after(before.map(Self::mark).as_ref())
    }

    /// What the next entry refers to.
    #[must_use]
    pub fn mark(&self) -> AuditMark {
        AuditMark { number: self.number, hash: self.hash }
    }

    /// Checks this entry against what is left of the one before.
    ///
    /// # Errors
    /// As [`AuditEntry::verify`].
    pub fn verify_after(&self, before: Option<&AuditMark>) -> Result<(), AuditBreak> {
        let (expected, chain) = before.map_or((1, [0; 32]), |p| (p.number + 1, p.hash));
        if self.number != expected {
            return Err(AuditBreak::Gap { expected, found: self.number });
        }
        if self.previous != chain || self.hash != digest(self.number, self.at, &self.note, chain) {
            return Err(AuditBreak::Changed { number: self.number });
        }
        Ok(())
    }
}

fn digest(number: u64, at: Moment, note: &AuditNote, previous: [u8; 32]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(previous);
    hash.update(number.to_be_bytes());
    hash.update(at.unix_ms().to_be_bytes());
    for field in [&note.who, &note.action, &note.subject, &note.detail] {
        // Lengths keep fields apart: no two notes give the same bytes.
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_entry_and_a_gap_show() {
        let note = |n: &str| AuditNote {
            who: "li".into(),
            action: "policy.apply".into(),
            subject: n.into(),
            detail: String::new(),
        };
        let a = AuditEntry::next(None, Moment::from_unix_ms(1), note("a"));
        let b = AuditEntry::next(Some(&a), Moment::from_unix_ms(2), note("b"));
        assert_eq!(b.verify(Some(&a)), Ok(()));
        let mut forged = b.clone();
        forged.note.who = "wang".into();
        assert_eq!(forged.verify(Some(&a)), Err(AuditBreak::Changed { number: 2 }));
        assert_eq!(b.verify(None), Err(AuditBreak::Gap { expected: 1, found: 2 }));
    }
}
