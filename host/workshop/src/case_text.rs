//! Writes a case as [`crate::CaseFile`] reads it: for whoever finds a customer that a policy gets wrong and hands it to its author.

use gridbell_contract::{Fact, Registry, TriggerId};
use gridbell_model::{CivilMinute, ColumnId};
use serde_json::Value;
use toml_edit::{Array, ArrayOfTables, DocumentMut, InlineTable, Item, Table};

use crate::value::{show_unit, show_value};

/// A case to be written.
#[derive(Debug, Clone)]
pub struct CaseText {
    /// What it shows.
    pub name: String,
    /// What stands above it; lines of any length.
    pub comments: Vec<String>,
    /// Civil time of the decision.
    pub now: CivilMinute,
    /// The trigger.
    pub trigger: TriggerId,
    /// Name of the schedule, or empty.
    pub schedule: String,
    /// Parameters as a policy's file has them.
    pub parameters: Value,
    /// Numbers about the trigger.
    pub facts: Vec<Fact>,
    /// The customer's facts; what is left out is the registry's "none" or 0.
    pub customer: Vec<(ColumnId, i64)>,
    /// What the policy must answer: keys of an answer, numbers where they are numbers.
    pub expect: Vec<(String, Value)>,
}

impl CaseText {
    /// The case as TOML, ready to be appended to a file of cases.
    #[must_use]
    pub fn toml(&self) -> String {
        let mut case = Table::new();
        case.insert("name", toml_edit::value(&self.name));
        case.insert("now", toml_edit::value(show_unit("civil-minute", self.now.0)));
        if let Some(trigger) = Registry::get().trigger(self.trigger) {
            case.insert("trigger", toml_edit::value(&trigger.name));
        }
        if !self.schedule.is_empty() {
            case.insert("schedule", toml_edit::value(&self.schedule));
        }
        let mut put = |key: &str, pairs: InlineTable| {
            if !pairs.is_empty() {
                case.insert(key, toml_edit::value(pairs));
            }
        };
        put("parameters", object(&self.parameters));
        let named = |fact: &Fact| {
            Registry::get().fact(fact.id).map(|def| (def.name.clone(), toml_edit::Value::from(fact.value)))
        };
        put("facts", self.facts.iter().filter_map(named).collect::<InlineTable>());
        put("customer", self.customer.iter().filter_map(|(id, v)| customer(*id, *v)).collect());
        put("expect", self.expect.iter().filter_map(|(k, v)| Some((k.clone(), of(v)?))).collect());
        let comments: String = self.comments.iter().flat_map(|c| c.lines()).map(|l| format!("# {l}\n")).collect();
        case.decor_mut().set_prefix(comments);
        let mut cases = ArrayOfTables::new();
        cases.push(case);
        let mut document = DocumentMut::new();
        document.insert("case", Item::ArrayOfTables(cases));
        document.to_string()
    }
}

fn customer(id: ColumnId, value: i64) -> Option<(String, toml_edit::Value)> {
    let def = Registry::get().column(id)?;
    let said = match &*def.unit {
        "bits" => {
            let set = Registry::get().traits().iter().filter(|t| value >> t.bit & 1 == 1);
            Array::from_iter(set.map(|t| t.name.as_str())).into()
        }
        "count" | "step" | "kwh" if def.none != Some(value) => value.into(),
        _ => show_value(def, value).into(),
    };
    Some((def.name.clone(), said))
}

fn object(value: &Value) -> InlineTable {
    value.as_object().into_iter().flatten().filter_map(|(k, v)| Some((k.clone(), of(v)?))).collect()
}

/// A JSON value in TOML, which has no null and no number beyond 64 bits with a sign.
fn of(value: &Value) -> Option<toml_edit::Value> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(b) => (*b).into(),
        Value::Number(n) => n.as_i64().map_or_else(|| n.as_f64().unwrap_or_default().into(), Into::into),
        Value::String(s) => s.as_str().into(),
        Value::Array(items) => Array::from_iter(items.iter().filter_map(of)).into(),
        Value::Object(_) => object(value).into(),
    })
}

#[cfg(test)]
mod tests {
    use gridbell_contract::{FactId, column};
    use serde_json::json;

    use super::*;
    use crate::cases::CaseFile;

    #[test]
    fn a_written_case_is_read() {
        let text = CaseText {
            name: "名字 \"quoted\"".to_owned(),
            comments: vec!["one line\nand another".to_owned()],
            now: "2028-02-29 23:59".parse().unwrap(),
            trigger: TriggerId(1),
            schedule: "每天".to_owned(),
            parameters: json!({ "steps": [7, 3], "counting": "working", "nested": { "on": true, "rate": 0.5 }, "none": null }),
            facts: vec![Fact { id: FactId(1), value: -40 }],
            customer: vec![
                (column::TRAITS, 0b110),
                (column::ARREARS, 2000),
                (column::LATE_FEE_FROM, i32::MIN.into()),
                (column::REMINDED_STEP, 2),
                (column::ARREARS_PERIOD, 202_802),
            ],
            expect: vec![("nothing".to_owned(), json!("too-early")), ("step".to_owned(), json!(2))],
        }
        .toml();
        let expected = "# one line
# and another
[[case]]
name = '名字 \"quoted\"'
now = \"2028-02-29 23:59\"
trigger = \"schedule\"
schedule = \"每天\"
parameters = { steps = [7, 3], counting = \"working\", nested = { on = true, rate = 0.5 } }
facts = { catch-up-minutes = -40 }
customer = { traits = [\"important\", \"prepaid\"], arrears = \"20.00\", late-fee-from = \"none\", reminded-step = 2, arrears-period = \"2028-02\" }
expect = { nothing = \"too-early\", step = 2 }
";
        assert_eq!(text, expected);
        CaseFile::parse("pasted", &text).unwrap();
    }
}
