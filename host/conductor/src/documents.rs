//! Documents that the conductor keeps in the state, and what they are called.

use gridbell_state::{AuditNote, DocChange, State};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::HostError;

/// Policies of a prefecture, by its code.
pub const POLICY: &str = "policy";
/// The province's rules, texts, calendar and segments.
pub const PROVINCE: &str = "province";
/// Plugins by name and version: their digest.
pub const PLUGIN: &str = "plugin";
/// Versions of plugins by digest: where each stands.
pub(crate) const VERSION: &str = "plugin-version";
/// Who decides for a policy, by prefecture and policy.
pub(crate) const DEPLOYMENT: &str = "deployment";
/// The last rollback of a policy, and how far its recall is.
pub(crate) const ROLLBACK: &str = "rollback";
/// Changes that wait for a second person, by number.
pub(crate) const PROPOSAL: &str = "proposal";
/// Corrections, by the number of their proposal.
pub(crate) const CORRECTION: &str = "correction";
/// Lists of recipients of corrections that wait for their approval.
pub(crate) const CORRECTION_LIST: &str = "correction-list";
/// What shadows would have done otherwise, by prefecture, policy and digest.
pub(crate) const SHADOW: &str = "shadow";
/// How plugins failed lately, by digest.
pub(crate) const FAULTS: &str = "plugin-faults";
/// The last occurrence served of each schedule.
pub const SCHEDULE: &str = "schedule";
/// Emergency stops.
pub const STOP: &str = "stop";
/// What carriers counted, by day and link.
pub(crate) const CARRIER_COUNT: &str = "carrier-count";
/// Work orders, by the number of the reply that opened each.
pub(crate) const WORK_ORDER: &str = "work-order";
/// Answers that are due, by the number of the message that asked.
pub(crate) const ANSWER_DUE: &str = "answer-due";
/// Imports by number, and how they went.
pub const IMPORT: &str = "import";
/// Who changed a policy last.
pub const CHANGED_BY: &str = "changed-by";

pub(crate) fn read<T: DeserializeOwned>(state: &State, kind: &str, key: &str) -> Result<Option<(u64, T)>, HostError> {
    state.doc(kind, key).map(|doc| Ok((doc.version, parse(kind, key, &doc.value)?))).transpose()
}

pub(crate) fn parse<T: DeserializeOwned>(kind: &str, key: &str, value: &[u8]) -> Result<T, HostError> {
    serde_json::from_slice(value).map_err(|source| HostError::Document { name: format!("{kind}/{key}"), source })
}

pub(crate) fn put<T: Serialize>(
    kind: &str,
    key: &str,
    value: &T,
    expected: Option<u64>,
) -> Result<DocChange, HostError> {
    let value =
        serde_json::to_vec(value).map_err(|source| HostError::Document { name: format!("{kind}/{key}"), source })?;
    Ok(DocChange { kind: kind.to_owned(), key: key.to_owned(), value: Some(value), expected })
}

pub(crate) fn delete(kind: &str, key: &str) -> DocChange {
    DocChange { kind: kind.to_owned(), key: key.to_owned(), value: None, expected: None }
}

pub(crate) fn note(who: &str, action: &str, subject: &str, detail: impl Serialize) -> AuditNote {
    AuditNote {
        who: who.to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail: serde_json::to_string(&detail).unwrap_or_default(),
    }
}
