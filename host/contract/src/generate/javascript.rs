//! The JavaScript SDK's names, and their types for TypeScript.

use super::{MADE, reserved};
use crate::registry::{ColumnDef, Registry};

/// `late-fee-from` as a property: `lateFeeFrom`.
fn camel(name: &str) -> String {
    let mut words = name.split('-');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut all, word| {
        let mut letters = word.chars();
        all.extend(letters.next().map(|c| c.to_ascii_uppercase()));
        all.push_str(letters.as_str());
        all
    })
}

pub(super) fn registry(registry: &Registry) -> String {
    let mut out = String::new();
    line!(out, "// Columns, traits, triggers and facts by name. {MADE}");
    line!(out);
    line!(out, "import {{ Column }} from \"./interest.js\";");
    line!(out);
    line!(out, "/** Columns by the name that a customer has them under. */");
    line!(out, "export const columns = {{");
    for c in registry.columns().iter().filter(|c| !c.reserved) {
        let (key, none) = (camel(&c.name), c.none.map_or("null".to_owned(), |none| none.to_string()));
        line!(out, "  {key}: new Column(\"{key}\", {}, \"{}\", \"{}\", {none}),", c.id.0, c.name, c.ty.word());
    }
    line!(out, "}};");
    line!(out);
    line!(out, "/** Bits of the column `traits`. */");
    line!(out, "export const traits = {{");
    for t in registry.traits() {
        line!(out, "  {}: {},", camel(&t.name), 1_u64 << t.bit);
    }
    line!(out, "}};");
    line!(out);
    line!(out, "/** Ids of triggers by name. */");
    line!(out, "export const triggers = {{");
    for t in registry.triggers().iter().filter(|t| !t.reserved) {
        line!(out, "  \"{}\": {},", t.name, t.id.0);
    }
    line!(out, "}};");
    line!(out);
    line!(out, "/** Ids of facts by name. */");
    line!(out, "export const facts = {{");
    for f in registry.facts() {
        line!(out, "  \"{}\": {},", f.name, f.id.0);
    }
    line!(out, "}};");
    out
}

pub(super) fn types(registry: &Registry) -> String {
    let mut out = String::new();
    line!(out, "// Columns, traits, triggers and facts by name. {MADE}");
    line!(out);
    line!(out, "import type {{ BitsColumn, NumberColumn }} from \"./index.js\";");
    line!(out);
    line!(out, "/** What a rule can look at. */");
    line!(out, "export interface Columns {{");
    for c in registry.columns().iter().filter(|c| !c.reserved) {
        column_doc(&mut out, c);
        line!(out, "  {}: number{};", camel(&c.name), if c.none.is_some() { " | null" } else { "" });
    }
    line!(out, "}}");
    line!(out);
    line!(out, "/** Columns, to bound in `interest`. */");
    line!(out, "export const columns: {{");
    for c in registry.columns().iter().filter(|c| !c.reserved) {
        let kind = if c.unit == "bits" { "BitsColumn" } else { "NumberColumn" };
        column_doc(&mut out, c);
        line!(out, "  readonly {}: {kind};", camel(&c.name));
    }
    line!(out, "}};");
    line!(out);
    line!(out, "/** What is known of a customer: bits of the column `traits`. */");
    line!(out, "export const traits: {{");
    for t in registry.traits() {
        line!(out, "  /** {} */", t.doc);
        line!(out, "  readonly {}: number;", camel(&t.name));
    }
    line!(out, "}};");
    line!(out);
    line!(out, "/** Why a run happens. */");
    line!(out, "export const triggers: {{");
    for t in registry.triggers().iter().filter(|t| !t.reserved) {
        line!(out, "  /** {}{} */", t.doc, reserved(t.reserved));
        line!(out, "  readonly \"{}\": number;", t.name);
    }
    line!(out, "}};");
    line!(out);
    line!(out, "/** Numbers about the trigger, for `run.fact(…)`. */");
    line!(out, "export const facts: {{");
    for f in registry.facts() {
        line!(out, "  /** {} In {}; absent: {}. */", f.doc, f.unit, f.absent);
        line!(out, "  readonly \"{}\": number;", f.name);
    }
    line!(out, "}};");
    out
}

fn column_doc(out: &mut String, c: &ColumnDef) {
    let note = c.note.as_ref().map(|note| format!(" {note}")).unwrap_or_default();
    let none = c.none_means.as_ref().map(|means| format!(" `null`: {means}.")).unwrap_or_default();
    line!(out, "  /** {} Unit: {}.{note}{none} */", c.doc, c.unit);
}
