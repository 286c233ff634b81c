//! The Python SDK's names.

use super::{MADE, lower, upper};
use crate::registry::Registry;

pub(super) fn registry(registry: &Registry) -> String {
    let mut out = String::new();
    line!(out, "\"\"\"Columns, traits, triggers and facts by name. {MADE}\"\"\"");
    line!(out);
    line!(out, "from .interest import Column");
    line!(out);
    line!(out);
    line!(out, "class columns:");
    line!(
        out,
        "    \"\"\"What a rule can look at: read as `customer.NAME`, bounded in `interest` as `columns.NAME`.\"\"\""
    );
    for c in registry.columns().iter().filter(|c| !c.reserved) {
        let note = c.note.as_ref().map(|note| format!(" {note}")).unwrap_or_default();
        let means = c.none_means.as_ref().map(|means| format!(" None: {means}.")).unwrap_or_default();
        let (key, none) = (lower(&c.name), c.none.map_or("None".to_owned(), |none| none.to_string()));
        line!(out);
        line!(out, "    {key} = Column(\"{key}\", {}, \"{}\", {none})", c.id.0, c.name);
        line!(out, "    {}", text(&format!("{} Unit: {}.{note}{means}", c.doc, c.unit)));
    }
    line!(out);
    line!(out);
    line!(out, "class traits:");
    line!(out, "    \"\"\"What is known of a customer: bits of the column `traits`.\"\"\"");
    for t in registry.traits() {
        line!(out);
        line!(out, "    {} = {}", upper(&t.name), 1_u64 << t.bit);
        line!(out, "    {}", text(&t.doc));
    }
    line!(out);
    line!(out);
    line!(out, "TRIGGERS = {{");
    for t in registry.triggers().iter().filter(|t| !t.reserved) {
        line!(out, "    \"{}\": {},", t.name, t.id.0);
    }
    line!(out, "}}");
    line!(out, "\"\"\"Why a run happens: ids by name.\"\"\"");
    line!(out);
    line!(out, "FACTS = {{");
    for f in registry.facts() {
        line!(out, "    \"{}\": {},", f.name, f.id.0);
    }
    line!(out, "}}");
    line!(out, "\"\"\"Numbers about the trigger, for `run.fact(name)`: ids by name.\"\"\"");
    out
}

/// A documentation string that no text of the registry can end.
fn text(doc: &str) -> String {
    format!("\"\"\"{}\"\"\"", doc.replace('\\', "\\\\").replace('"', "'"))
}
