//! Texts made from the registry: the reference, the host's constants and the guest SDKs' columns. Writes no file itself.

/// Appends a line. Writing to a `String` cannot fail.
macro_rules! line {
    ($out:expr) => { $out.push('\n') };
    ($out:expr, $($arg:tt)*) => {{
        use std::fmt::Write as _;
        let _ = writeln!($out, $($arg)*);
    }};
}

mod go;
mod javascript;
mod python;

use crate::registry::{ColumnDef, ColumnType, Registry};

/// A file that is made from the registry.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Generated {
    /// Where it belongs, from the top of the repository.
    pub path: &'static str,
    /// What it must hold.
    pub text: String,
}

/// Every file that is made from `registry`.
#[must_use]
pub fn generated(registry: &Registry) -> Vec<Generated> {
    vec![
        Generated { path: "wit/REGISTRY.md", text: reference(registry) },
        Generated { path: "host/contract/src/ids.rs", text: host_ids(registry) },
        Generated { path: "plugins/sdk/rust/src/registry.rs", text: sdk_registry(registry) },
        Generated { path: "plugins/sdk/c/gridbell_registry.h", text: c_registry(registry) },
        Generated { path: "plugins/sdk/go/registry.go", text: go::registry(registry) },
        Generated { path: "plugins/sdk/js/registry.js", text: javascript::registry(registry) },
        Generated { path: "plugins/sdk/js/registry.d.ts", text: javascript::types(registry) },
        Generated { path: "plugins/sdk/python/gridbell/registry.py", text: python::registry(registry) },
    ]
}

const MADE: &str = "Made from wit/registry.toml by `cargo run -p gridbell-contract --example generate`; do not edit.";

fn reference(registry: &Registry) -> String {
    let mut out = String::new();
    line!(out, "# Registry of the policy contract");
    line!(out);
    line!(out, "<!-- {MADE} -->");
    line!(out);
    line!(
        out,
        "What may cross between the host and a plugin. The lists grow by addition: an id is never changed and never reused, a type never"
    );
    line!(
        out,
        "changes, so a new entry breaks no compiled plugin. Reserved entries have their id, but this host passes none."
    );
    line!(out);
    line!(
        out,
        "Dates are days since 1970-01-01, civil minutes are minutes since 1970-01-01T00:00, both in the prefecture's time (Asia/Shanghai)."
    );
    line!(
        out,
        "Money is in fen, 1/100 yuan. \"None\" is the value for \"there is none\" or \"not known\"; no `between` bound of `interest` matches it."
    );
    line!(out);
    line!(out, "## Columns");
    line!(out);
    line!(out, "| id | name | list | unit | range | none | meaning |");
    line!(out, "|---:|---|---|---|---|---|---|");
    for c in registry.columns() {
        let none = match (c.none, &c.none_means) {
            (Some(value), Some(means)) => format!("{value}: {means}"),
            _ => "–".to_owned(),
        };
        let note = c.note.as_ref().map(|n| format!(" {n}")).unwrap_or_default();
        line!(
            out,
            "| {} | `{}` | {} | {} | {} to {} | {none} | {}{note}{} |",
            c.id.0,
            c.name,
            c.ty.word(),
            c.unit,
            c.range.0,
            c.range.1,
            c.doc,
            reserved(c.reserved)
        );
    }
    line!(out);
    line!(out, "## Bits of the column `traits`");
    line!(out);
    line!(out, "| bit | mask | name | meaning when set |");
    line!(out, "|---:|---:|---|---|");
    for t in registry.traits() {
        line!(out, "| {} | {} | `{}` | {} |", t.bit, 1_u64 << t.bit, t.name, t.doc);
    }
    line!(out);
    line!(out, "## Triggers");
    line!(out);
    line!(out, "| id | name | when, and whose rows |");
    line!(out, "|---:|---|---|");
    for t in registry.triggers() {
        line!(out, "| {} | `{}` | {}{} |", t.id.0, t.name, t.doc, reserved(t.reserved));
    }
    line!(out);
    line!(out, "## Facts");
    line!(out);
    line!(out, "| id | name | unit | absent means | meaning |");
    line!(out, "|---:|---|---|---|---|");
    for f in registry.facts() {
        line!(out, "| {} | `{}` | {} | {} | {} |", f.id.0, f.name, f.unit, f.absent, f.doc);
    }
    line!(out);
    line!(out, "## Subjects");
    line!(out);
    line!(out, "| id | name | a row is |");
    line!(out, "|---:|---|---|");
    for s in registry.subjects() {
        line!(out, "| {} | `{}` | {}{} |", s.id.0, s.name, s.doc, reserved(s.reserved));
    }
    out
}

fn reserved(reserved: bool) -> &'static str {
    if reserved { " *Reserved.*" } else { "" }
}

fn upper(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

fn lower(name: &str) -> String {
    name.replace('-', "_")
}

fn host_ids(registry: &Registry) -> String {
    let mut out = String::new();
    line!(out, "//! Ids of the registry as constants. {MADE}");
    line!(out);
    line!(out, "/// Columns.");
    line!(out, "pub mod column {{");
    line!(out, "    use gridbell_model::ColumnId;");
    for c in registry.columns() {
        line!(out, "    /// {}", c.doc);
        line!(out, "    pub const {}: ColumnId = ColumnId({});", upper(&c.name), c.id.0);
    }
    line!(out, "}}");
    line!(out);
    line!(out, "/// Triggers.");
    line!(out, "pub mod trigger {{");
    line!(out, "    use crate::registry::TriggerId;");
    for t in registry.triggers() {
        line!(out, "    /// {}{}", t.doc, reserved(t.reserved));
        line!(out, "    pub const {}: TriggerId = TriggerId({});", upper(&t.name), t.id.0);
    }
    line!(out, "}}");
    line!(out);
    line!(out, "/// Facts.");
    line!(out, "pub mod fact {{");
    line!(out, "    use crate::registry::FactId;");
    for f in registry.facts() {
        line!(out, "    /// {} In {}.", f.doc, f.unit);
        line!(out, "    pub const {}: FactId = FactId({});", upper(&f.name), f.id.0);
    }
    line!(out, "}}");
    line!(out);
    line!(out, "/// Subjects.");
    line!(out, "pub mod subject {{");
    line!(out, "    use crate::registry::SubjectId;");
    for s in registry.subjects() {
        line!(out, "    /// {}{}", s.doc, reserved(s.reserved));
        line!(out, "    pub const {}: SubjectId = SubjectId({});", upper(&s.name), s.id.0);
    }
    line!(out, "}}");
    out
}

/// What an author reads in a column of this unit.
fn sdk_value(column: &ColumnDef) -> &'static str {
    match (column.unit.as_str(), column.ty, column.none.is_some()) {
        ("date", ColumnType::S32, _) => "Date",
        ("fen", ColumnType::S64, false) => "Fen",
        ("fen", ColumnType::U32, true) => "Option<Fen>",
        ("bits", ColumnType::U32, _) => "Traits",
        ("kwh", ColumnType::U32, _) => "Kwh",
        (_, ColumnType::U8, _) => "u8",
        (_, ColumnType::U16, _) => "u16",
        (_, ColumnType::U32, _) => "u32",
        (_, ColumnType::S32, _) => "i32",
        (_, ColumnType::S64, _) => "i64",
    }
}

fn rust_type(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::U8 => "u8",
        ColumnType::U16 => "u16",
        ColumnType::U32 => "u32",
        ColumnType::S32 => "i32",
        ColumnType::S64 => "i64",
    }
}

fn sdk_registry(registry: &Registry) -> String {
    let mut out = String::new();
    line!(out, "//! Columns, traits, triggers and facts by name. {MADE}");
    line!(out);
    line!(
        out,
        "/// One unit value for each column: read through `customer.name`, bound through `columns::name.between(…)`."
    );
    line!(
        out,
        "#[expect(non_camel_case_types, reason = \"a column's type, its value and the customer's field share one name\")]"
    );
    line!(out, "pub mod columns {{");
    line!(out, "    use crate::column::column;");
    line!(out, "    use crate::{{Date, Fen, Kwh, Traits}};");
    for c in registry.columns().iter().filter(|c| !c.reserved) {
        line!(out);
        line!(out, "    column! {{");
        line!(out, "        /// {} Unit: {}.", c.doc, c.unit);
        if let Some(note) = &c.note {
            line!(out, "        ///");
            line!(out, "        /// {note}");
        }
        if let Some(means) = &c.none_means {
            line!(out, "        ///");
            line!(out, "        /// None: {means}.");
        }
        let (field, raw, value, unknown) = (lower(&c.name), rust_type(c.ty), sdk_value(c), c.none.unwrap_or(0));
        line!(out, "        {field} = {}, \"{}\", {raw} => {value}, {unknown};", c.id.0, c.name);
        line!(out, "    }}");
    }
    line!(out, "}}");
    line!(out);
    line!(out, "/// What is known of a customer: bits of the column `traits`.");
    line!(out, "pub mod traits {{");
    line!(out, "    use crate::Traits;");
    for t in registry.traits() {
        line!(out, "    /// {}", t.doc);
        line!(out, "    pub const {}: Traits = Traits(1 << {});", upper(&t.name), t.bit);
    }
    line!(out, "}}");
    line!(out);
    line!(out, "/// Why a run happens.");
    line!(out, "pub mod triggers {{");
    line!(out, "    use crate::Trigger;");
    for t in registry.triggers().iter().filter(|t| !t.reserved) {
        line!(out, "    /// {}", t.doc);
        line!(out, "    pub const {}: Trigger = Trigger {{ id: {}, name: \"{}\" }};", upper(&t.name), t.id.0, t.name);
    }
    line!(out, "}}");
    line!(out);
    line!(out, "/// Numbers about the trigger, for `run.fact(…)`.");
    line!(out, "pub mod facts {{");
    line!(out, "    use crate::Fact;");
    for f in registry.facts() {
        line!(out, "    /// {} In {}; absent: {}.", f.doc, f.unit, f.absent);
        line!(out, "    pub const {}: Fact = Fact({});", upper(&f.name), f.id.0);
    }
    line!(out, "}}");
    out
}

fn c_type(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::U8 => "uint8_t",
        ColumnType::U16 => "uint16_t",
        ColumnType::U32 => "uint32_t",
        ColumnType::S32 => "int32_t",
        ColumnType::S64 => "int64_t",
    }
}

fn c_registry(registry: &Registry) -> String {
    let mut out = String::new();
    line!(out, "/* Columns, traits, triggers and facts by name. {MADE} */");
    line!(out, "#ifndef GRIDBELL_REGISTRY_H");
    line!(out, "#define GRIDBELL_REGISTRY_H");
    line!(out);
    line!(out, "#include <stdint.h>");
    line!(out);
    for c in registry.columns().iter().filter(|c| !c.reserved) {
        line!(out, "/* {} In {}. */", c.doc, c.unit);
        line!(out, "#define GB_COLUMN_{} {}", upper(&c.name), c.id.0);
    }
    line!(out);
    line!(out, "/* A column's id, the kind of its list, and what one value is in C: for gridbell_policy.h. */");
    for c in registry.columns().iter().filter(|c| !c.reserved) {
        let (name, kind) = (lower(&c.name), c.ty.word().to_uppercase());
        line!(out, "#define GB_ID_{name} {}", c.id.0);
        line!(out, "#define GB_KIND_{name} GB_{kind}");
        line!(out, "typedef {} gb_{name};", c_type(c.ty));
    }
    line!(out);
    for t in registry.traits() {
        line!(out, "/* {} */", t.doc);
        line!(out, "#define GB_TRAIT_{} (1u << {})", upper(&t.name), t.bit);
    }
    line!(out);
    for t in registry.triggers().iter().filter(|t| !t.reserved) {
        line!(out, "/* {} */", t.doc);
        line!(out, "#define GB_TRIGGER_{} {}", upper(&t.name), t.id.0);
    }
    line!(out);
    for f in registry.facts() {
        line!(out, "/* {} In {}; absent: {}. */", f.doc, f.unit, f.absent);
        line!(out, "#define GB_FACT_{} {}", upper(&f.name), f.id.0);
    }
    line!(out);
    line!(out, "#endif");
    out
}
