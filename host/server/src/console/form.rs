//! A form from a plugin's JSON Schema: titles and hints in the schema's own words, one input for each property. The schema judges what comes back;
//! this only turns text into JSON of the likely kind, and leaves what it cannot read as text, so that the schema can say what is wrong with it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

/// One input.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) title: String,
    pub(super) hint: String,
    pub(super) unit: String,
    /// `text`, `choice`, `boolean`, `json`.
    pub(super) kind: &'static str,
    pub(super) inputmode: &'static str,
    pub(super) value: String,
    pub(super) options: Vec<Choice>,
    pub(super) required: bool,
    /// A list that may be left out altogether: empty and unset are not the same.
    pub(super) list: bool,
    pub(super) unset: bool,
}

/// One value of a choice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Choice {
    value: String,
    title: String,
}

/// The suffix of the box that leaves a list out.
const UNSET: &str = "#unset";

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten()
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A list whose items a person writes between commas.
fn is_plain_list(property: &Value) -> bool {
    let item = property.get("items").map(|i| text(i, "type")).unwrap_or_default();
    text(property, "type") == "array" && matches!(item, "integer" | "number" | "string")
}

fn is_fen(property: &Value) -> bool {
    text(property, "x-unit") == "fen" && text(property, "type") == "integer"
}

/// The inputs for `parameters` under `schema`.
pub(super) fn fields(schema: &Value, parameters: &Value) -> Vec<Field> {
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let field = |(name, property): (&String, &Value)| {
        let given = parameters.get(name);
        let default = property.get("default");
        let shown = given.or(default);
        let list = is_plain_list(property);
        let (kind, inputmode) = match text(property, "type") {
            _ if property.get("enum").is_some() => ("choice", ""),
            "boolean" => ("boolean", ""),
            "integer" | "number" => ("text", "decimal"),
            "string" => ("text", "text"),
            _ if list => ("text", "text"),
            _ => ("json", ""),
        };
        let title = text(property, "title").replace("（分）", if is_fen(property) { "（元）" } else { "（分）" });
        Field {
            name: name.clone(),
            id: format!("p-{name}"),
            title: if title.is_empty() { name.clone() } else { title },
            hint: hint(property),
            unit: String::new(),
            kind,
            inputmode,
            value: shown.map_or_else(String::new, |v| written(property, v)),
            options: options(property),
            required: required.contains(&name.as_str()),
            list: list && default.is_none() && !required.contains(&name.as_str()),
            unset: list && shown.is_none(),
        }
    };
    properties(schema).map(field).collect()
}

/// The schema's description, its bounds, and the default.
fn hint(property: &Value) -> String {
    let mut parts = vec![text(property, "description").trim_end_matches('。').to_owned()];
    let bounds = property.get("items").unwrap_or(property);
    if let (Some(least), Some(most)) = (bounds.get("minimum"), bounds.get("maximum")) {
        parts.push(format!(
            "{} 至 {}",
            written(property_or_item(property), least),
            written(property_or_item(property), most)
        ));
    }
    if is_plain_list(property) {
        parts.push("用逗号分隔".to_owned());
    }
    if let Some(default) = property.get("default") {
        let shown = match default {
            Value::Array(list) if list.is_empty() => "空".to_owned(),
            other => title_of(property, other),
        };
        parts.push(format!("默认 {shown}"));
    }
    parts.retain(|p| !p.is_empty());
    parts.join("；")
}

fn property_or_item(property: &Value) -> &Value {
    property.get("items").unwrap_or(property)
}

fn title_of(property: &Value, value: &Value) -> String {
    let choice = options(property).into_iter().find(|c| c.value == plain(value));
    choice.map_or_else(|| written(property, value), |c| c.title)
}

fn options(property: &Value) -> Vec<Choice> {
    let titles = property.get("x-enum-titles").and_then(Value::as_array);
    let values = property.get("enum").and_then(Value::as_array).into_iter().flatten();
    let choice = |(at, value): (usize, &Value)| {
        let title = titles.and_then(|t| t.get(at)).and_then(Value::as_str);
        Choice { value: plain(value), title: title.map_or_else(|| plain(value), str::to_owned) }
    };
    values.enumerate().map(choice).collect()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as a person writes it: amounts in yuan, lists between commas.
fn written(property: &Value, value: &Value) -> String {
    match value {
        Value::Number(n) if is_fen(property) => {
            n.as_i64().map_or_else(|| n.to_string(), |fen| gridbell_model::Fen(fen).yuan())
        }
        Value::Array(items) if is_plain_list(property) => items.iter().map(plain).collect::<Vec<_>>().join("、"),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

/// The parameters that a form gives. What the form has no input for stays as it is.
pub(super) fn read(schema: &Value, present: &Value, given: &BTreeMap<String, String>) -> Value {
    let mut out: Map<String, Value> = present.as_object().cloned().unwrap_or_default();
    for (name, property) in properties(schema) {
        let given_text = given.get(name).map(|t| t.trim());
        if text(property, "type") == "boolean" && property.get("enum").is_none() {
            out.insert(name.clone(), Value::Bool(given_text == Some("true")));
            continue;
        }
        let Some(written) = given_text else { continue };
        if given.contains_key(&format!("{name}{UNSET}")) {
            out.shift_remove(name);
        } else if is_plain_list(property) {
            let cut = |c: char| c.is_whitespace() || matches!(c, ',' | '，' | '、' | ';' | '；');
            let words = written.split(cut).filter(|w| !w.is_empty());
            let item = property.get("items").unwrap_or(&Value::Null);
            out.insert(name.clone(), words.map(|w| value_of(item, w)).collect());
        } else if written.is_empty() {
            // An empty input means "by default", not an empty text.
            out.shift_remove(name);
        } else {
            out.insert(name.clone(), value_of(property, written));
        }
    }
    Value::Object(out)
}

fn value_of(property: &Value, written: &str) -> Value {
    let as_text = || Value::String(written.to_owned());
    match text(property, "type") {
        "integer" if is_fen(property) => {
            written.parse::<gridbell_model::Fen>().map_or_else(|_| as_text(), |f| f.0.into())
        }
        "integer" => written.parse::<i64>().map_or_else(|_| as_text(), Value::from),
        "number" => serde_json::from_str::<serde_json::Number>(written).map_or_else(|_| as_text(), Value::Number),
        "string" => as_text(),
        _ => serde_json::from_str(written).unwrap_or_else(|_| as_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "steps": { "title": "提前天数", "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 60 }, "default": [7, 3, 1] },
                "important": { "title": "重要客户", "type": "array", "items": { "type": "integer" } },
                "counting": { "title": "口径", "type": "string", "enum": ["calendar", "working"], "x-enum-titles": ["自然日", "工作日"], "default": "calendar" },
                "minimum": { "title": "最低金额（分）", "type": "integer", "minimum": 1, "x-unit": "fen", "default": 100 },
                "polite": { "title": "客气", "type": "boolean", "default": true },
                "table": { "title": "表", "type": "object" }
            }
        })
    }

    fn submitted(fields: &[Field]) -> BTreeMap<String, String> {
        let mut given = BTreeMap::new();
        for f in fields {
            if f.kind != "boolean" || f.value == "true" {
                given.insert(f.name.clone(), f.value.clone());
            }
            if f.unset && f.list {
                given.insert(format!("{}{UNSET}", f.name), "true".to_owned());
            }
        }
        given
    }

    #[test]
    fn a_form_sent_back_unchanged_changes_nothing() {
        let present =
            json!({ "steps": [5, 2], "counting": "working", "minimum": 1050, "polite": false, "table": { "a": [1] } });
        let fields = fields(&schema(), &present);
        assert_eq!(read(&schema(), &present, &submitted(&fields)), present);
    }

    #[test]
    fn a_clerk_writes_yuan_and_commas_and_sees_titles() {
        let fields = fields(&schema(), &json!({ "minimum": 1050 }));
        let minimum = fields.iter().find(|f| f.name == "minimum").unwrap();
        assert_eq!((minimum.value.as_str(), minimum.title.as_str()), ("10.50", "最低金额（元）"));
        assert!(fields[0].hint.contains("1 至 60") && fields[0].hint.contains("默认 7、3、1"), "{}", fields[0].hint);
        assert_eq!(fields[2].options[1], Choice { value: "working".into(), title: "工作日".into() });
        let given =
            [("steps", "10，5、2"), ("minimum", "20"), ("important", "")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        let read = read(&schema(), &json!({}), &BTreeMap::from(given));
        assert_eq!(read, json!({ "steps": [10, 5, 2], "important": [], "minimum": 2000, "polite": false }));
    }

    #[test]
    fn what_is_no_number_is_left_for_the_schema_to_refuse() {
        let given =
            BTreeMap::from([("minimum".to_owned(), "十元".to_owned()), ("steps".to_owned(), "7 天".to_owned())]);
        let read = read(&schema(), &json!({}), &given);
        assert_eq!(read["minimum"], "十元");
        assert_eq!(read["steps"], json!([7, "天"]));
    }
}
