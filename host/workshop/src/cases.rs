//! Cases: a customer's facts, a moment, parameters, and what the policy must answer. TOML that a city office reads and a reviewer can diff.
//!
//! ```toml
//! [[case]]
//! name = "提前 7 天"
//! now = "2026-11-21 09:00"
//! parameters = { steps = [7, 3, 1] }
//! customer = { arrears = "20.00", late-fee-from = "2026-11-28" }
//! expect = { notice = "reminder", step = 1 }
//!
//! [[case]]
//! name = "还没到日子"
//! now = "2026-11-20 09:00"
//! customer = { arrears = "20.00", late-fee-from = "2026-11-28" }
//! expect = { nothing = "too-early" }
//! ```
//!
//! What a case does not say comes from `[defaults]`, then from the registry's "none" or 0. Of an answer only what `expect` names is compared.

use std::collections::BTreeMap;

use gridbell_contract::{Arg, Registry, Unit};
use gridbell_model::{CivilMinute, ColumnId, Decision};
use serde_json::Value;
use toml_edit::{Document, DocumentMut, InlineTable, Item, TableLike};

use crate::deciding::{Deciding, deciding};
use crate::desk::{Desk, Facts};
use crate::error::WorkshopError;
use crate::rows::Rows;
use crate::value::{in_range, parse_unit, parse_value, show_unit, trait_bit};

/// Most cases of one file.
const MAX_CASES: usize = 10_000;
/// What a case may say.
const KEYS: [&str; 8] = ["name", "now", "trigger", "schedule", "parameters", "facts", "customer", "expect"];

/// One field of an answer, as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    key: String,
    unit: &'static str,
    value: String,
}

/// What a policy answered about a customer, or is to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(pub(crate) Vec<Field>);

impl Answer {
    /// Keys and values in the order of the contract: `notice`, `step`, `reason`, `route`, the notice's numbers by name, `not-before`, `expires`;
    /// or `nothing` with the reason.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|f| (&*f.key, &*f.value))
    }

    fn get(&self, key: &str) -> Option<&Field> {
        self.0.iter().find(|f| f.key == key)
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fields: Vec<String> = self.fields().map(|(key, value)| format!("{key} = {value}")).collect();
        f.write_str(&fields.join(", "))
    }
}

/// What a case expects: keys and values as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected(Vec<(String, String)>);

impl Expected {
    /// The fields in which `answer` differs: key, expected, answered.
    pub(crate) fn differences(&self, answer: &Answer) -> Vec<(String, String, String)> {
        let differs = |(key, wanted): &(String, String)| {
            let Some(field) = answer.get(key) else {
                return Some((key.clone(), wanted.clone(), "（没有）".to_owned()));
            };
            let same = field.value == *wanted
                || parse_unit(field.unit, wanted).is_ok_and(|value| show_unit(field.unit, value) == field.value);
            (!same).then(|| (key.clone(), wanted.clone(), field.value.clone()))
        };
        self.0.iter().filter_map(differs).collect()
    }
}

/// How a case ended.
#[derive(Debug)]
pub enum Verdict {
    /// As expected.
    Passed,
    /// It says nothing of what it expects; `--update` writes the answer down.
    NothingExpected,
    /// Not as expected.
    Failed {
        /// Key, expected, answered.
        differences: Vec<(String, String, String)>,
        /// Which of the customer's facts decided.
        deciding: Deciding,
    },
    /// `decide` chooses this customer and `interest` leaves it out: in production nobody would be told.
    OutsideInterest,
    /// The guest failed, in production's words.
    Broke(String),
}

/// A case with its outcome.
#[derive(Debug)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Where it begins, from 1.
    pub line: usize,
    /// What the policy answered; none if it failed.
    pub answer: Option<Answer>,
    /// Whether that is right.
    pub verdict: Verdict,
}

struct Case {
    name: String,
    line: usize,
    facts: Facts,
    customer: BTreeMap<ColumnId, i64>,
    expected: Option<Expected>,
}

/// A file of cases.
pub struct CaseFile {
    document: String,
    text: String,
    cases: Vec<Case>,
}

impl CaseFile {
    /// Reads `text`, the content of the file called `document`.
    ///
    /// # Errors
    /// The first mistake, with line or case and field.
    pub fn parse(document: &str, text: &str) -> Result<Self, WorkshopError> {
        let file =
            |place: String, problem: String| WorkshopError::File { document: document.to_owned(), place, problem };
        let line_of = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let doc: Document<String> = text.parse().map_err(|e: toml_edit::TomlError| {
            file(format!("line {}", e.span().map_or(1, |s| line_of(s.start))), e.message().to_owned())
        })?;
        if let Some((key, _)) = doc.iter().find(|(key, _)| !["case", "defaults"].contains(key)) {
            return Err(file(format!("`{key}`"), "a file of cases has [defaults] and [[case]] only".to_owned()));
        }
        let defaults = doc.get("defaults").and_then(Item::as_table_like);
        let tables = doc.get("case").and_then(Item::as_array_of_tables);
        let Some(tables) = tables.filter(|t| !t.is_empty()) else {
            return Err(file("line 1".to_owned(), "there is no [[case]] in it".to_owned()));
        };
        if tables.len() > MAX_CASES {
            return Err(file("line 1".to_owned(), format!("there are more than {MAX_CASES} cases in it")));
        }
        let mut cases = Vec::new();
        for (n, table) in tables.iter().enumerate() {
            let line = table.span().map_or(1, |s| line_of(s.start));
            let name =
                table.get("name").and_then(Item::as_str).map_or_else(|| format!("case {}", n + 1), str::to_owned);
            let case = read_case(table, defaults, name.clone(), line);
            cases.push(case.map_err(|problem| file(format!("line {line}, case `{name}`"), problem))?);
        }
        Ok(Self { document: document.to_owned(), text: text.to_owned(), cases })
    }

    /// Its name.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// Asks the plugin about every case.
    ///
    /// # Errors
    /// A case that cannot be asked: parameters that do not fit, a trigger or fact that is not known. A guest's failure is that case's verdict.
    pub fn run(&self, desk: &Desk) -> Result<Vec<CaseReport>, WorkshopError> {
        self.cases.iter().map(|case| self.one(desk, case)).collect()
    }

    fn one(&self, desk: &Desk, case: &Case) -> Result<CaseReport, WorkshopError> {
        let place = || format!("line {}, case `{}`", case.line, case.name);
        let run = desk.run(&case.facts).map_err(|e| WorkshopError::File {
            document: self.document.clone(),
            place: place(),
            problem: e.to_string(),
        })?;
        let report = |answer, verdict| CaseReport { name: case.name.clone(), line: case.line, answer, verdict };
        let mut rows = Rows::new(desk.columns());
        rows.push(|id| case.customer.get(&id).copied().unwrap_or_else(|| blank(id)));
        let asked = desk.decide_all(&run, &rows).and_then(|all| {
            let reason = desk.explain(&run, &rows, &[0])?;
            let inside = desk.decide(&run, &rows)?;
            Ok((all.decisions.first().copied(), reason, inside.decisions.len()))
        });
        let (decision, reasons, inside) = match asked {
            Ok(asked) => asked,
            Err(WorkshopError::Run(e)) => return Ok(report(None, Verdict::Broke(e.to_string()))),
            Err(e) => return Err(e),
        };
        let answer = answer(desk, decision.as_ref(), reasons.first().copied().unwrap_or_default());
        let verdict = match &case.expected {
            _ if decision.is_some() && inside == 0 => Verdict::OutsideInterest,
            None => Verdict::NothingExpected,
            Some(expected) => match expected.differences(&answer) {
                differences if differences.is_empty() => Verdict::Passed,
                differences => {
                    let values = desk.columns().iter().map(|id| (*id, rows.get(0, *id).unwrap_or_default())).collect();
                    Verdict::Failed { differences, deciding: deciding(desk, &run, &values, &answer, expected)? }
                }
            },
        };
        Ok(report(Some(answer), verdict))
    }

    /// The text of the file with each `expect` as the policy answers now; comments and order stay as they are.
    ///
    /// # Errors
    /// If the file's text is no TOML, which [`CaseFile::parse`] would have said.
    pub fn updated(&self, reports: &[CaseReport]) -> Result<String, WorkshopError> {
        let mut doc: DocumentMut = self.text.parse().map_err(|e: toml_edit::TomlError| WorkshopError::File {
            document: self.document.clone(),
            place: "line 1".to_owned(),
            problem: e.message().to_owned(),
        })?;
        if let Some(tables) = doc.get_mut("case").and_then(Item::as_array_of_tables_mut) {
            for (table, report) in tables.iter_mut().zip(reports) {
                let Some(answer) = &report.answer else { continue };
                if matches!(report.verdict, Verdict::Passed) {
                    continue;
                }
                let mut expect = InlineTable::new();
                for field in &answer.0 {
                    match field.value.parse::<i64>() {
                        Ok(number) if field.unit == "number" => expect.insert(&field.key, number.into()),
                        _ => expect.insert(&field.key, field.value.as_str().into()),
                    };
                }
                table.insert("expect", toml_edit::value(expect));
            }
        }
        Ok(doc.to_string())
    }
}

/// The value of a column that nobody said anything about.
pub(crate) fn blank(id: ColumnId) -> i64 {
    Registry::get().column(id).and_then(|def| def.none).unwrap_or(0)
}

/// An answer in the manifest's words: a decision, or nothing with the reason's index.
#[must_use]
pub fn answer(desk: &Desk, decision: Option<&Decision>, reason: u16) -> Answer {
    let manifest = desk.manifest();
    let field = |key: &str, unit, value: String| Field { key: key.to_owned(), unit, value };
    let reason_name = |n: u16| manifest.reasons().get(usize::from(n)).map_or_else(|| n.to_string(), |r| r.name.clone());
    let Some(d) = decision else { return Answer(vec![field("nothing", "text", reason_name(reason))]) };
    let notice = manifest.notices().get(usize::from(d.notice));
    let route = manifest.routes().get(usize::from(d.route));
    let mut fields = vec![
        field("notice", "text", notice.map_or_else(|| d.notice.to_string(), |n| n.name.clone())),
        field("step", "number", d.step.to_string()),
        field("reason", "text", reason_name(d.reason)),
        field("route", "text", route.map_or_else(|| d.route.to_string(), Clone::clone)),
    ];
    let arg = |arg: Option<&Arg>, value: i64| arg.map(|a| field(&a.name, unit(a.unit), show_unit(unit(a.unit), value)));
    fields.extend(arg(notice.and_then(|n| n.arg0.as_ref()), d.arg0));
    fields.extend(arg(notice.and_then(|n| n.arg1.as_ref()), d.arg1));
    for (key, minute) in [("not-before", d.not_before), ("expires", d.expires)] {
        if minute.is_some() {
            fields.push(field(key, "civil-minute", show_unit("civil-minute", minute.0)));
        }
    }
    Answer(fields)
}

fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Fen => "fen",
        Unit::Date => "date",
        Unit::CivilMinute => "civil-minute",
        Unit::Days | Unit::Kwh | Unit::Count => "number",
    }
}

fn read_case(
    table: &dyn TableLike,
    defaults: Option<&dyn TableLike>,
    name: String,
    line: usize,
) -> Result<Case, String> {
    for (key, _) in table.iter() {
        if !KEYS.contains(&key) {
            return Err(format!("a case has no `{key}`; it has {}", KEYS.join(", ")));
        }
    }
    let default = |key: &str| defaults.and_then(|d| d.get(key));
    let item = |key: &str| table.get(key).or_else(|| default(key));
    let text = |key: &str| item(key).map(|i| plain(i).ok_or_else(|| format!("`{key}` must be a text"))).transpose();
    let now = text("now")?.ok_or("`now` is missing: the civil time of the decision, such as \"2026-11-21 09:00\"")?;
    let now: CivilMinute = now.parse().map_err(|_| format!("`now`: `{now}` is no time such as 2026-11-21 09:00"))?;
    let mut customer = BTreeMap::new();
    let mut parameters = serde_json::Map::new();
    let mut numbers = BTreeMap::new();
    for source in [default("customer"), table.get("customer")].into_iter().flatten() {
        for (key, item) in entries(source, "customer")? {
            let def = Registry::get().column_named(key).ok_or_else(|| {
                format!("customer: there is no fact `{key}` in the registry (wit/REGISTRY.md lists them)")
            })?;
            customer.insert(def.id, customer_value(def, item)?);
        }
    }
    for source in [default("parameters"), table.get("parameters")].into_iter().flatten() {
        for (key, item) in entries(source, "parameters")? {
            parameters.insert(key.to_owned(), json(item).ok_or_else(|| format!("parameters: `{key}` cannot be JSON"))?);
        }
    }
    for source in [default("facts"), table.get("facts")].into_iter().flatten() {
        for (key, item) in entries(source, "facts")? {
            let value = item.as_integer().ok_or_else(|| format!("facts: `{key}` must be a whole number"))?;
            numbers.insert(key.to_owned(), value);
        }
    }
    let expected = match item("expect") {
        None => None,
        Some(expect) => {
            let pair = |(key, item): (&str, &Item)| {
                let value = plain(item).ok_or_else(|| format!("expect: `{key}` must be a text or a number"))?;
                Ok((key.to_owned(), value))
            };
            Some(Expected(entries(expect, "expect")?.into_iter().map(pair).collect::<Result<_, String>>()?))
        }
    };
    let facts = Facts {
        now,
        trigger: text("trigger")?,
        schedule: text("schedule")?.unwrap_or_default(),
        parameters: Value::Object(parameters),
        numbers: numbers.into_iter().collect(),
    };
    Ok(Case { name, line, facts, customer, expected })
}

fn customer_value(def: &gridbell_contract::ColumnDef, item: &Item) -> Result<i64, String> {
    let said = |problem: String| format!("customer: {problem}");
    if let Some(names) = item.as_array().filter(|_| def.unit == "bits") {
        let mut bits = 0;
        for name in names {
            bits |= trait_bit(name.as_str().unwrap_or_default()).map_err(said)?;
        }
        return Ok(bits);
    }
    match item.as_integer() {
        Some(_) if def.unit == "fen" => {
            Err(said(format!("`{}` is money: write yuan as a text, such as \"20.00\"", def.name)))
        }
        Some(number) => in_range(def, number).map_err(said),
        None => {
            let text = plain(item).ok_or_else(|| said(format!("`{}` must be a text or a number", def.name)))?;
            parse_value(def, &text).map_err(said)
        }
    }
}

fn entries<'i>(item: &'i Item, what: &str) -> Result<Vec<(&'i str, &'i Item)>, String> {
    item.as_table_like()
        .map(|t| t.iter().collect())
        .ok_or_else(|| format!("`{what}` must be a table: {{ name = value }}"))
}

/// A text, number, truth or date as its text.
fn plain(item: &Item) -> Option<String> {
    match item.as_value()? {
        toml_edit::Value::String(s) => Some(s.value().clone()),
        toml_edit::Value::Integer(i) => Some(i.value().to_string()),
        toml_edit::Value::Boolean(b) => Some(b.value().to_string()),
        toml_edit::Value::Datetime(d) => Some(d.value().to_string()),
        _ => None,
    }
}

fn json(item: &Item) -> Option<Value> {
    fn of(value: &toml_edit::Value) -> Option<Value> {
        Some(match value {
            toml_edit::Value::String(s) => Value::from(s.value().as_str()),
            toml_edit::Value::Integer(i) => Value::from(*i.value()),
            toml_edit::Value::Float(f) => Value::from(*f.value()),
            toml_edit::Value::Boolean(b) => Value::from(*b.value()),
            toml_edit::Value::Datetime(d) => Value::from(d.value().to_string()),
            toml_edit::Value::Array(a) => Value::Array(a.iter().map(of).collect::<Option<_>>()?),
            toml_edit::Value::InlineTable(t) => {
                Value::Object(t.iter().map(|(k, v)| Some((k.to_owned(), of(v)?))).collect::<Option<_>>()?)
            }
        })
    }
    match item {
        Item::Value(value) => of(value),
        Item::Table(table) => {
            let pairs = table.iter().map(|(k, v)| Some((k.to_owned(), json(v)?)));
            Some(Value::Object(pairs.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> String {
        CaseFile::parse("cases.toml", text).err().map_or_else(String::new, |e| e.to_string())
    }

    #[test]
    fn a_mistake_is_named_with_line_case_and_field() {
        let case = |what: &str| mistake(&format!("\n[[case]]\nname = \"a\"\nnow = \"2026-11-21 09:00\"\n{what}\n"));
        assert_eq!(case(""), "");
        for (what, said) in [
            ("customers = {}", "cases.toml, line 2, case `a`: a case has no `customers`"),
            ("customer = { owed = 1 }", "there is no fact `owed` in the registry"),
            ("customer = { arrears = 2000 }", "`arrears` is money: write yuan as a text, such as \"20.00\""),
            ("customer = { months-owed = 300 }", "300 is outside"),
            ("customer = { traits = [\"old\"] }", "there is no trait `old`"),
            ("customer = 1", "`customer` must be a table"),
            ("facts = { x = \"1\" }", "`x` must be a whole number"),
            ("expect = { step = [1] }", "`step` must be a text or a number"),
        ] {
            let got = case(what);
            assert!(got.contains(said), "{what}: {got}");
        }
        assert!(mistake("").contains("there is no [[case]]"));
        assert!(mistake("[[case]]\nname = \"a\"\n").contains("`now` is missing"));
        assert!(mistake("[[case]]\nnow = \"today\"\n").contains("`today` is no time"));
        assert!(mistake("[[case]]\n\nnow = \n").contains("cases.toml, line 3"));
        assert!(mistake("[[cases]]\n").contains("[defaults] and [[case]] only"));
    }

    #[test]
    fn amounts_and_times_are_compared_by_what_they_mean() {
        let field = |key: &str, unit, value: &str| Field { key: key.to_owned(), unit, value: value.to_owned() };
        let answer = Answer(vec![
            field("notice", "text", "reminder"),
            field("amount", "fen", "86.50"),
            field("expires", "civil-minute", "2026-11-28 00:00"),
        ]);
        let differs = |key: &str, value: &str| {
            !Expected(vec![(key.to_owned(), value.to_owned())]).differences(&answer).is_empty()
        };
        for (key, value, different) in [
            ("amount", "86.5", false),
            ("amount", "86.51", true),
            ("expires", "2026-11-28T00:00", false),
            ("expires", "2026-11-29 00:00", true),
            ("notice", "reminder", false),
            ("nothing", "too-early", true),
        ] {
            assert_eq!(differs(key, value), different, "{key} = {value}");
        }
    }
}
