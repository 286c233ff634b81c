//! The names of the Go SDK.

use super::MADE;
use crate::registry::{ColumnDef, ColumnType, Registry};

fn type_of(ty: ColumnType) -> &'static str {
    match ty {
        ColumnType::U8 => "uint8",
        ColumnType::U16 => "uint16",
        ColumnType::U32 => "uint32",
        ColumnType::S32 => "int32",
        ColumnType::S64 => "int64",
    }
}

/// What an author reads in a column of this unit, in Go.
fn value_of(column: &ColumnDef) -> &'static str {
    match (column.unit.as_str(), column.ty) {
        ("date", ColumnType::S32) => "Date",
        ("fen", _) => "Fen",
        ("bits", ColumnType::U32) => "Traits",
        ("civil-minute", ColumnType::S64) => "Minute",
        (_, ty) => type_of(ty),
    }
}

/// `late-fee-from` as `LateFeeFrom`.
fn pascal(name: &str) -> String {
    name.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect()
}

pub(super) fn registry(registry: &Registry) -> String {
    let mut out = String::new();
    let columns = || registry.columns().iter().filter(|c| !c.reserved);
    line!(out, "package gridbell");
    line!(out);
    line!(out, "// Columns, traits, triggers and facts by name. {MADE}");
    line!(out);
    line!(out, "import \"unsafe\"");
    line!(out);
    line!(out, "// Column is a column of the registry, for a policy's Columns and for bounds.");
    line!(out, "type Column struct {{");
    line!(out, "\tid   uint16");
    line!(out, "\tkind uint8");
    line!(out, "\tname string");
    line!(out, "}}");
    line!(out);
    line!(out, "// Columns. Customer has a method of the same name for each.");
    line!(out, "var (");
    for c in columns() {
        line!(out, "\t// {} In {}.", c.doc, c.unit);
        // A type has the name already.
        let own = if c.name == "traits" { "TraitsColumn".to_owned() } else { pascal(&c.name) };
        line!(out, "\t{own} = Column{{{}, {}, \"{}\"}}", c.id.0, c.ty as u8, c.name);
    }
    line!(out, ")");
    line!(out);
    line!(out, "// What a batch carries; columns that a policy does not ask for stay empty.");
    line!(out, "type columnValues struct {{");
    for c in columns() {
        line!(out, "\tv{} []{}", c.id.0, type_of(c.ty));
    }
    line!(out, "}}");
    line!(out);
    line!(out, "func (v *columnValues) set(id uint16, at unsafe.Pointer, rows int) {{");
    line!(out, "\tswitch id {{");
    for c in columns() {
        line!(out, "\tcase {}:", c.id.0);
        line!(out, "\t\tv.v{} = unsafe.Slice((*{})(at), rows)", c.id.0, type_of(c.ty));
    }
    line!(out, "\t}}");
    line!(out, "}}");
    line!(out);
    line!(out, "// Customer is one row. A method whose column the policy does not ask for panics.");
    line!(out, "type Customer struct {{");
    line!(out, "\tvalues *columnValues");
    line!(out, "\trow    int");
    line!(out, "}}");
    for c in columns() {
        let (name, id, value) = (pascal(&c.name), c.id.0, value_of(c));
        line!(out);
        line!(out, "// {name}: {}", c.doc);
        match c.none {
            Some(none) if value == "Fen" => {
                line!(out, "// False where there is none.");
                line!(out, "func (c Customer) {name}() (Fen, bool) {{");
                line!(out, "\tv := int64(c.values.v{id}[c.row])");
                line!(out, "\treturn Fen(v), v != {none}");
                line!(out, "}}");
            }
            _ => line!(out, "func (c Customer) {name}() {value} {{ return {value}(c.values.v{id}[c.row]) }}"),
        }
    }
    line!(out);
    line!(out, "// What is known of a customer: bits of the column traits.");
    line!(out, "const (");
    for t in registry.traits() {
        line!(out, "\t// {}", t.doc);
        line!(out, "\tTrait{} Traits = 1 << {}", pascal(&t.name), t.bit);
    }
    line!(out, ")");
    line!(out);
    line!(out, "// Trigger is why a run happens.");
    line!(out, "type Trigger struct {{");
    line!(out, "\tid   uint16");
    line!(out, "\tname string");
    line!(out, "}}");
    line!(out);
    line!(out, "// Is says whether this is why.");
    line!(out, "func (t Trigger) Is(run *Run) bool {{ return run.Trigger == t.id }}");
    line!(out);
    line!(out, "// Triggers.");
    line!(out, "var (");
    for t in registry.triggers().iter().filter(|t| !t.reserved) {
        line!(out, "\t// {}", t.doc);
        line!(out, "\tOn{} = Trigger{{{}, \"{}\"}}", pascal(&t.name), t.id.0, t.name);
    }
    line!(out, ")");
    line!(out);
    line!(out, "// Fact is a number about the trigger, for Run.Fact.");
    line!(out, "type Fact struct{{ id uint16 }}");
    line!(out);
    line!(out, "// Facts.");
    line!(out, "var (");
    for f in registry.facts() {
        line!(out, "\t// {} In {}; absent: {}.", f.doc, f.unit, f.absent);
        line!(out, "\tFact{} = Fact{{{}}}", pascal(&f.name), f.id.0);
    }
    line!(out, ")");
    out
}
