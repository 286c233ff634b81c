//! What the archives say of each record: JSON that explains itself, since whoever reads it years later may have neither this program nor the
//! plugin. No name enters, and no number but as a fingerprint to be found by and masked.

use gridbell_archive::{Archive, Entry, Kind};
use gridbell_contract::Registry;
use gridbell_model::{ColumnId, MessageId, Moment};
use gridbell_state::{
    AuditEntry, DecisionRecord, InboundMessage, MessageStatus, Outcome, QueuedMessage, RunRecord, ToldTogether,
};
use serde_json::{Map, Value, json};

use crate::archive::Titles;
use crate::basis::RunBasis;

/// What is known of a decision when it leaves.
pub(crate) struct Decided<'a> {
    pub(crate) run: &'a RunRecord,
    pub(crate) titles: &'a Titles,
    pub(crate) decision: &'a DecisionRecord,
    pub(crate) status: Option<&'a MessageStatus>,
    /// With which others its message left.
    pub(crate) together: Option<&'a ToldTogether>,
    /// Whether its customer still has a contact: of one who was erased, the number that was told is left out.
    pub(crate) known: bool,
    /// What the plugin saw of the customer; empty of runs of earlier programs.
    pub(crate) seen: Vec<(ColumnId, i64)>,
}

/// A decision, as a message with its life or as the reason why there is none.
pub(crate) fn decision(archive: &Archive, decided: &Decided<'_>) -> Entry {
    let Decided { run, titles, decision, status, together, known, ref seen } = *decided;
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    let title = |list: &[String], at: u16| list.get(usize::from(at)).cloned();
    set("account", decision.account.to_string().into());
    set("prefecture", run.prefecture.0.into());
    set("topic", json!(run.topic));
    set("run", run.id.to_string().into());
    set("policy", run.policy.clone().into());
    set("plugin", format!("{} {}", run.plugin, run.plugin_version).into());
    set("notice", json!(title(&titles.notices, decision.notice)));
    set("notice_index", decision.notice.into());
    set("step", decision.step.into());
    set("reason", json!(title(&titles.reasons, decision.reason)));
    set("reason_index", decision.reason.into());
    set("route_index", decision.route.into());
    set("arguments", json!([decision.arg0, decision.arg1]));
    set("decided_at", run.started.to_string().into());
    set("now", json!(run.now));
    if run.is_samples() {
        // To a test number of the office's: the customer was told nothing by it.
        set("sample", true.into());
    }
    if let Some(first) = run.hop_of() {
        set("hop_of", first.to_string().into());
    }
    if let (Some(correction), Some(wrong)) = (run.correction(), run.corrects(decision)) {
        set("correction", correction.into());
        set("corrects", wrong.to_string().into());
    }
    if !seen.is_empty() {
        set("facts", facts(seen));
    }
    let mut keys = vec![archive.account_key(decision.account)];
    let kind = match (&decision.outcome, status) {
        (Outcome::Held(why), _) => {
            set("held", json!(why));
            set("held_zh", why.chinese().into());
            Kind::Decision
        }
        (Outcome::Queued(message), status) => {
            set("id", MessageId::new(run.prefecture, message.number).to_string().into());
            message_fields(&mut body, message);
            if known {
                keys.extend(archive.phone_key(message.phone));
                body.insert("phone".to_owned(), message.phone.to_string().into());
            }
            if let Some(status) = status {
                life(&mut body, status);
            }
            if let Some(t) = together {
                let told = json!({
                    "bearer": t.bearer.to_string(), "accounts": t.accounts, "text": t.text, "parts": t.parts,
                    "cost_milli_fen": t.cost_milli_fen,
                });
                body.insert("together".to_owned(), told);
            }
            Kind::Message
        }
    };
    Entry { kind, at: run.ended, keys, body: Value::Object(body).to_string() }
}

/// What a plugin saw, by the registry's names.
pub(crate) fn facts(seen: &[(ColumnId, i64)]) -> Value {
    let registry = Registry::get();
    let name = |id: ColumnId| registry.column(id).map_or_else(|| format!("column-{}", id.0), |d| d.name.clone());
    seen.iter().map(|(id, value)| (name(*id), Value::from(*value))).collect::<Map<_, _>>().into()
}

fn message_fields(body: &mut Map<String, Value>, message: &QueuedMessage) {
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    set("org", message.station.0.into());
    set("channel", json!(message.channel));
    set("template_version", message.template.into());
    set("text", message.text.clone().into());
    set("parts", message.parts.into());
    set("cost_milli_fen", message.cost_milli_fen.into());
    set("stated_fen", message.stated.0.into());
    set("lane", json!(message.lane));
    set("hop", message.hop.into());
    set("send_after", json!(message.send_after));
    set("expires", json!(message.expires));
}

fn life(body: &mut Map<String, Value>, status: &MessageStatus) {
    let mut set = |key: &str, value: Value| body.insert(key.to_owned(), value);
    set("state", json!(status.state));
    set("state_zh", status.state.chinese().into());
    set("cancelled_because", json!(status.reason));
    set("link", status.link.clone().into());
    set("code", status.code.clone().into());
    set("queued_at", status.queued_at.to_string().into());
    set("submitted_at", json!(status.submitted_at.map(|t| t.to_string())));
    set("final_at", json!(status.final_at.map(|t| t.to_string())));
    set("attempts", status.attempts.into());
    set("maybe_twice", status.maybe_twice.into());
    // The carrier's numbers as text: JSON's readers round large ones.
    let accepted = status.accepted.iter();
    set(
        "accepted",
        accepted.map(|a| json!({ "part": a.part, "link": a.link, "carrier_id": a.key.to_string() })).collect(),
    );
    set("reports", status.reports.iter().map(|(part, stat)| json!({ "part": part, "stat": stat })).collect());
}

/// A run with everything that explains it; its decisions are entries of their own.
pub(crate) fn run(archive: &Archive, record: &RunRecord, basis: Option<&RunBasis>) -> Entry {
    let held: Map<String, Value> = record.held.iter().map(|(why, n)| (why.to_string(), (*n).into())).collect();
    let mut body = json!({
        "id": record.id.to_string(), "prefecture": record.prefecture.0, "policy": record.policy, "topic": record.topic,
        "plugin": record.plugin, "plugin_version": record.plugin_version, "digest": record.digest,
        "params": serde_json::from_str::<Value>(&record.params).unwrap_or_else(|_| record.params.clone().into()),
        "trigger": record.trigger, "schedule": record.schedule, "scheduled_at": record.scheduled_at, "now": record.now,
        "snapshot": record.snapshot, "initiator": record.initiator, "scope": record.scope, "customers": record.customers,
        "passed": record.passed, "decided": record.decided, "queued": record.queued, "held": held, "parts": record.parts,
        "cost_milli_fen": record.cost_milli_fen, "interest_misses": record.interest_misses,
        "first_message": record.first_message, "started": record.started.to_string(), "ended": record.ended.to_string(),
        "status": record.status,
    });
    if record.is_samples() {
        body["sample"] = true.into();
    }
    if let Some(correction) = record.correction() {
        body["correction"] = correction.into();
    }
    if let Some(basis) = basis {
        body["basis"] = json!(basis);
    }
    Entry { kind: Kind::Run, at: record.ended, keys: archive.run_keys(&record.id.to_string()), body: body.to_string() }
}

/// Something that runs were made from, once for each file with a run that names it.
pub(crate) fn document(archive: &Archive, at: Moment, what: &str, hash: &str, content: &[u8]) -> Entry {
    let text = String::from_utf8_lossy(content);
    let content = serde_json::from_str::<Value>(&text).unwrap_or_else(|_| text.into());
    let body = json!({ "document": what, "sha256": hash, "content": content });
    Entry { kind: Kind::Document, at, keys: archive.document_keys(hash), body: body.to_string() }
}

/// A reply. Of a number that is no customer's any more neither number nor words are kept.
pub(crate) fn reply(archive: &Archive, reply: &InboundMessage, known: bool) -> Entry {
    let mut body = json!({
        "number": reply.number, "at": reply.at.to_string(), "link": reply.link, "to": reply.to, "handled": reply.handled,
    });
    let mut keys = Vec::new();
    if known {
        keys.extend(archive.phone_key(reply.from));
        body["from"] = reply.from.to_string().into();
        body["text"] = reply.text.clone().into();
    }
    Entry { kind: Kind::Inbound, at: reply.at, keys, body: body.to_string() }
}

/// An audit entry with its hashes, so that its chain can be recomputed.
pub(crate) fn audit(archive: &Archive, entry: &AuditEntry) -> Entry {
    let note = &entry.note;
    let body = json!({
        "number": entry.number, "at": entry.at.to_string(), "at_ms": entry.at.unix_ms(), "who": note.who, "action": note.action,
        "subject": note.subject, "detail": note.detail, "previous": hex(&entry.previous), "hash": hex(&entry.hash),
    });
    let keys = note.subject.parse().ok().map(|account| archive.account_key(account)).into_iter().collect();
    Entry { kind: Kind::Audit, at: entry.at, keys, body: body.to_string() }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
