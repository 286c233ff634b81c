//! Reading and verifying the audit log. Writing it is the writer's.

use std::ops::ControlFlow;

use gridbell_store::KeyRange;

use crate::audit::{AuditBreak, AuditEntry, AuditMark};
use crate::error::StateError;
use crate::state::State;
use crate::{keys, records};

impl State {
    /// Audit entries from number `from` on, up to `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn audit(&self, from: u64, limit: usize) -> Result<Vec<AuditEntry>, StateError> {
        let mut out = Vec::new();
        let mut failure = None;
        let range = KeyRange::prefix_from(&[keys::AUDIT], &keys::long(keys::AUDIT, from));
        self.shared().store.scan(&range, &mut |key, value| {
            match records::read(&self.shared().sealer, key, value) {
                Ok(entry) => out.push(entry),
                Err(e) => failure = Some(e),
            }
            Ok(if failure.is_some() || out.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        failure.map_or(Ok(out), Err)
    }

    /// The number of the newest audit entry; 0 for none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest_audit(&self) -> Result<u64, StateError> {
        let newest = self.shared().store.last(&[keys::AUDIT])?;
        Ok(newest.and_then(|(key, _)| keys::long_of(&key)).unwrap_or(0))
    }

    /// Verifies the audit log from the last entry that left for the archives on, whose hash is kept; the number of the last entry, or where it
    /// breaks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verify_audit(&self) -> Result<Result<u64, AuditBreak>, StateError> {
        const AT_ONCE: usize = 1_000;
        let mut last: Option<AuditMark> = self.archive_head().audit;
        loop {
            let entries = self.audit(last.as_ref().map_or(1, |l| l.number + 1), AT_ONCE)?;
            if entries.is_empty() {
                return Ok(Ok(last.map_or(0, |l| l.number)));
            }
            for entry in entries {
                if let Err(broken) = entry.verify_after(last.as_ref()) {
                    return Ok(Err(broken));
                }
                last = Some(entry.mark());
            }
        }
    }
}
