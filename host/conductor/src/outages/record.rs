//! Which documents outages, fault reports and their rules are.

use std::collections::BTreeMap;

use gridbell_model::PrefectureCode;
use gridbell_outages::{Book, Head, LeadRules, Outage, OutageId, ProposalRule, Report, Revision, Scope};
use gridbell_state::{AuditNote, DocChange, State};
use serde::{Deserialize, Serialize};

use crate::documents::{self, delete, note, parse};
use crate::error::HostError;

/// Outages by number, without their revisions.
const OUTAGE: &str = "outage";
/// Revisions by outage and number: `O00000012-r0003`.
const REVISION: &str = "outage-revision";
/// Fault reports by number.
const REPORT: &str = "fault-report";
/// A prefecture's rules, by its code.
const RULES: &str = "outage-rules";

/// What a prefecture asks of outages: data, never code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutageRules {
    /// How long ahead they are announced.
    #[serde(default)]
    pub lead: LeadRules,
    /// When fault reports propose a fault.
    #[serde(default)]
    pub proposal: ProposalRule,
}

fn revision_key(id: OutageId, number: u32) -> String {
    format!("{id}-r{number:04}")
}

/// The documents that `outage` comes to after a step: its head and its last revision; those before do not change.
pub(super) fn put(outage: &Outage) -> Result<Vec<DocChange>, HostError> {
    let (id, latest) = (outage.id(), outage.latest());
    Ok(vec![
        documents::put(OUTAGE, &id.to_string(), &outage.head, None)?,
        documents::put(REVISION, &revision_key(id, latest.number), latest, None)?,
    ])
}

pub(super) fn forget(outage: &Outage) -> impl Iterator<Item = DocChange> {
    let id = outage.id();
    let revisions = outage.revisions().iter().map(move |r| delete(REVISION, &revision_key(id, r.number)));
    std::iter::once(delete(OUTAGE, &id.to_string())).chain(revisions)
}

pub(super) fn put_report(report: &Report) -> Result<DocChange, HostError> {
    documents::put(REPORT, &report.id.to_string(), report, None)
}

pub(super) fn forget_report(id: gridbell_outages::ReportId) -> DocChange {
    delete(REPORT, &id.to_string())
}

pub(super) fn put_rules(prefecture: PrefectureCode, rules: &OutageRules) -> Result<DocChange, HostError> {
    documents::put(RULES, &prefecture.to_string(), rules, None)
}

/// The book as the documents have it; whom outages concern is not in them.
pub(super) fn book(state: &State) -> Result<Book, HostError> {
    let mut revisions: BTreeMap<OutageId, Vec<Revision>> = BTreeMap::new();
    // By key, so that each outage's are in order.
    for (key, doc) in state.docs(REVISION) {
        let id = key.split_once("-r").map_or(key.as_str(), |(id, _)| id);
        revisions.entry(id.parse()?).or_default().push(parse(REVISION, &key, &doc.value)?);
    }
    let mut book = Book::default();
    for (key, doc) in state.docs(OUTAGE) {
        let head: Head = parse(OUTAGE, &key, &doc.value)?;
        let its = revisions.remove(&head.id).unwrap_or_default();
        book.put(Outage::new(head, its)?);
    }
    for (key, doc) in state.docs(REPORT) {
        book.put_report(parse(REPORT, &key, &doc.value)?);
    }
    Ok(book)
}

pub(super) fn rules(state: &State) -> Result<BTreeMap<PrefectureCode, OutageRules>, HostError> {
    let mut rules = BTreeMap::new();
    for (key, doc) in state.docs(RULES) {
        if let Ok(code) = key.parse() {
            rules.insert(PrefectureCode(code), parse(RULES, &key, &doc.value)?);
        }
    }
    Ok(rules)
}

/// What the audit log keeps of a step for good. Whom the outage names is counted: an account is not the log's to tell.
pub(super) fn audit(who: &str, action: &str, outage: &Outage) -> AuditNote {
    let (latest, head) = (outage.latest(), &outage.head);
    let scope = |s: &Scope| {
        serde_json::json!({
            "lines": s.lines.len(), "switches": s.switches.len(), "transformers": s.transformers.len(),
            "customers": s.customers.len(), "excepted": s.except_transformers.len() + s.except_customers.len(),
        })
    };
    let content = &latest.content;
    let detail = serde_json::json!({
        "prefecture": head.prefecture, "kind": head.kind, "edition": head.edition, "phase": latest.phase,
        "changes": latest.changes, "from": content.from.to_string(), "until": content.until.map(|u| u.to_string()),
        "reason": content.reason, "class": content.class, "scope": scope(&content.scope),
        "back": latest.back.last().map(scope), "why": latest.why, "short": latest.short,
        "short_notice_approved": latest.approved.as_ref().and_then(|a| a.short_notice.clone()),
    });
    note(who, action, &format!("{} r{}", head.id, latest.number), detail)
}

/// What it keeps of a report: where it belongs, never what was said or by whom.
pub(super) fn audit_report(who: &str, report: &Report) -> AuditNote {
    let detail = serde_json::json!({
        "prefecture": report.prefecture, "via": report.via, "transformer": report.transformer, "outage": report.outage,
    });
    note(who, "fault.report", &report.id.to_string(), detail)
}
