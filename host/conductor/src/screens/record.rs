//! Which documents communities, screens and notices are.

use std::collections::BTreeMap;

use gridbell_screens::{Book, Notice};
use gridbell_state::{AuditNote, DocChange, State};
use serde::Serialize;

use crate::documents::{self, note, parse};
use crate::error::HostError;

/// Communities by their key. Sealed at rest like every document: contacts are in them.
pub(super) const COMMUNITY: &str = "community";
/// Screens by number.
pub(super) const SCREEN: &str = "screen";
/// Notices by number, with all revisions.
pub(super) const NOTICE: &str = "screen-notice";
/// What each screen acknowledged, by its number.
pub(super) const SHOWN: &str = "screen-shown";
/// When the screens of a prefecture were last seen.
pub(super) const ALIVE: &str = "screens-alive";
/// How far listeners have taken changes.
pub(super) const POSITION: &str = "screen-listener";

pub(super) fn put<T: Serialize>(kind: &str, key: &str, value: &T) -> Result<DocChange, HostError> {
    documents::put(kind, key, value, None)
}

pub(super) fn book(state: &State) -> Result<Book, HostError> {
    let mut book = Book::default();
    for (key, doc) in state.docs(COMMUNITY) {
        book.put_community(parse(COMMUNITY, &key, &doc.value)?);
    }
    for (key, doc) in state.docs(SCREEN) {
        book.put_screen(parse(SCREEN, &key, &doc.value)?);
    }
    for (key, doc) in state.docs(NOTICE) {
        book.put_notice(parse(NOTICE, &key, &doc.value)?);
    }
    Ok(book)
}

pub(super) fn positions(state: &State) -> Result<BTreeMap<String, u64>, HostError> {
    let docs = state.docs(POSITION).into_iter();
    docs.map(|(key, doc)| Ok((key.clone(), parse(POSITION, &key, &doc.value)?))).collect()
}

/// What the audit log keeps of a notice for good: what it said, where, who and why.
pub(super) fn audit(action: &str, notice: &Notice) -> AuditNote {
    let Some(revision) = notice.latest() else { return note("", action, &notice.id.to_string(), ()) };
    let subject = format!("{} r{}", notice.id, revision.number);
    if let Some(cancelled) = &notice.cancelled {
        return note(&cancelled.by, action, &subject, serde_json::json!({ "why": cancelled.why }));
    }
    let places: Vec<_> = revision.places.iter().map(|p| &p.community).collect();
    let detail = serde_json::json!({
        "content": revision.content, "communities": places, "why": revision.why, "origin": notice.origin,
    });
    note(&revision.by, action, &subject, detail)
}
