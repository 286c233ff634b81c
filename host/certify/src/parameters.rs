//! Parameters that a schema allows: its defaults, its bounds, and what lies between. Whatever is made here is checked against the schema before it is
//! used, so that a keyword which is not understood costs a try and nothing else.

use std::collections::BTreeSet;

use gridbell_contract::Manifest;
use rand_core::RngCore;
use serde_json::{Map, Value, json};

use crate::draw::Draw;

/// How deep a schema is followed.
const MAX_DEPTH: usize = 8;
/// Values that are made for one place in the schema.
const MAX_VALUES: usize = 24;
/// Longest list or text that is made.
const LONGEST: u64 = 64;
/// Ends of numbers that the schema does not bound.
const UNBOUNDED: [i64; 2] = [-1_000_000_000, 1_000_000_000];

/// The parameters of a policy that says as little as it may: nothing, or what the schema requires.
pub(crate) fn least(manifest: &Manifest, rng: &mut impl RngCore) -> Value {
    let empty = json!({});
    if manifest.check_parameters(&empty).is_ok() {
        return empty;
    }
    let schema = manifest.parameters();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for _ in 0..MAX_VALUES {
        let value = |name: &&str| {
            let values = schema.pointer(&format!("/properties/{name}")).map(|s| values(schema, s, 0, rng));
            let value = values.as_ref().and_then(|v| v.first()).cloned();
            ((*name).to_owned(), value.unwrap_or(Value::Null))
        };
        let given = Value::Object(required.iter().map(value).collect());
        if manifest.check_parameters(&given).is_ok() {
            return given;
        }
    }
    empty
}

/// At most `most` sets of parameters beside `least`: each property alone at each of its ends, all low, all high, and mixtures.
pub(crate) fn sets(manifest: &Manifest, least: &Value, most: usize, rng: &mut impl RngCore) -> Vec<Value> {
    let schema = manifest.parameters();
    let empty = Map::new();
    let least = least.as_object().unwrap_or(&empty);
    let properties: Vec<(String, Vec<Value>)> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, s)| (name.clone(), values(schema, s, 0, rng)))
        .filter(|(_, values)| !values.is_empty())
        .collect();
    let mut seen = BTreeSet::from([Value::Object(least.clone()).to_string()]);
    let mut sets = Vec::new();
    let mut offer = |given: Map<String, Value>| {
        let given = Value::Object(given);
        if sets.len() < most && seen.insert(given.to_string()) && manifest.check_parameters(&given).is_ok() {
            sets.push(given);
        }
    };
    // All at one end first: whoever has little time tries those.
    for end in [0, usize::MAX] {
        let value = |values: &[Value]| values[end.min(values.len() - 1)].clone();
        offer(
            least
                .iter()
                .map(|(k, v)| (k.clone(), v.clone()))
                .chain(properties.iter().map(|(k, v)| (k.clone(), value(v))))
                .collect(),
        );
    }
    let longest = properties.iter().map(|(_, values)| values.len()).max().unwrap_or_default();
    for n in 0..longest {
        for (name, values) in &properties {
            if let Some(value) = values.get(n) {
                let mut given = least.clone();
                given.insert(name.clone(), value.clone());
                offer(given);
            }
        }
    }
    for _ in 0..most * 2 {
        let mut given = least.clone();
        for (name, values) in &properties {
            if rng.chance(50) {
                given.extend(rng.pick(values).map(|v| (name.clone(), v.clone())));
            }
        }
        offer(given);
    }
    sets
}

/// The whole numbers in `value`, however deep.
pub(crate) fn numbers(value: &Value) -> Vec<i64> {
    match value {
        Value::Number(n) => n.as_i64().into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Object(map) => map.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

/// Values for `schema`, the lowest or emptiest first, the highest or longest last.
fn values(root: &Value, schema: &Value, depth: usize, rng: &mut impl RngCore) -> Vec<Value> {
    if depth > MAX_DEPTH {
        return Vec::new();
    }
    if let Some(only) = schema.get("const") {
        return vec![only.clone()];
    }
    if let Some(list) = schema["enum"].as_array() {
        return list.iter().take(MAX_VALUES).cloned().collect();
    }
    if let Some(target) = schema["$ref"].as_str().and_then(|r| root.pointer(r.strip_prefix('#')?)) {
        return values(root, target, depth + 1, rng);
    }
    let mut made = Vec::new();
    for keyword in ["oneOf", "anyOf", "allOf"] {
        for part in schema[keyword].as_array().into_iter().flatten() {
            made.extend(values(root, part, depth + 1, rng));
        }
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for ty in types {
        match ty {
            "boolean" => made.extend([json!(false), json!(true)]),
            "null" => made.push(Value::Null),
            "integer" => made.extend(whole(schema, rng).into_iter().map(Value::from)),
            "number" => made.extend(whole(schema, rng).into_iter().flat_map(|n| [json!(n), json!(n as f64 + 0.5)])),
            "string" => made.extend(texts(schema)),
            "array" => made.extend(lists(root, schema, depth, rng)),
            "object" => made.extend(objects(root, schema, depth, rng)),
            _ => {}
        }
    }
    made.extend(schema.get("default").cloned());
    // Evenly, with both ends.
    let step = made.len().div_ceil(MAX_VALUES).max(1);
    let last = made.last().cloned();
    let mut few: Vec<Value> = made.into_iter().step_by(step).collect();
    few.extend(last.filter(|last| few.last() != Some(last)));
    few
}

fn whole(schema: &Value, rng: &mut impl RngCore) -> Vec<i64> {
    let bound = |key: &str, off: i64| schema[key].as_f64().map(|b| b as i64 + off);
    let low = bound("minimum", 0).or_else(|| bound("exclusiveMinimum", 1));
    let high = bound("maximum", 0).or_else(|| bound("exclusiveMaximum", -1));
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high.max(low)),
        (Some(low), None) => (low, low.max(UNBOUNDED[1])),
        (None, Some(high)) => (high.min(UNBOUNDED[0]), high),
        (None, None) => (UNBOUNDED[0], UNBOUNDED[1]),
    };
    let middle = low.midpoint(high);
    let mut list = vec![low, low.saturating_add(1), middle, rng.between(low, high), high.saturating_sub(1), high];
    list.extend([0, 1, 2, 7, 30]);
    if let Some(unit) = schema["multipleOf"].as_f64().map(|m| m as i64).filter(|m| *m > 1) {
        list.iter_mut().for_each(|n| *n = n.div_euclid(unit) * unit);
    }
    list.retain(|n| (low..=high).contains(n));
    list.sort_unstable();
    list.dedup();
    list
}

fn texts(schema: &Value) -> Vec<Value> {
    let least = schema["minLength"].as_u64().unwrap_or(0).min(LONGEST);
    let most = schema["maxLength"].as_u64().unwrap_or(LONGEST).min(LONGEST);
    let of = |c: &str, n: u64| Value::from(c.repeat(usize::try_from(n).unwrap_or_default()));
    let mut texts = vec![of("a", least), of("测", most)];
    texts.extend(schema["examples"].as_array().into_iter().flatten().cloned());
    texts
}

fn lists(root: &Value, schema: &Value, depth: usize, rng: &mut impl RngCore) -> Vec<Value> {
    let mut items = schema.get("items").map(|items| values(root, items, depth + 1, rng)).unwrap_or_default();
    let least = schema["minItems"].as_u64().unwrap_or(0).min(LONGEST) as usize;
    let most = schema["maxItems"].as_u64().unwrap_or(8).min(LONGEST) as usize;
    let mut lists = vec![Value::Array(items.iter().take(least).cloned().collect())];
    lists.extend(items.iter().map(|item| json!([item])));
    rng.shuffle(&mut items);
    for n in [2, 3, most] {
        let several: Vec<Value> = items.iter().cycle().take(n.min(items.len())).cloned().collect();
        lists.push(Value::Array(several.iter().rev().cloned().collect()));
        lists.push(Value::Array(several));
    }
    // As long as may be, where what repeats is allowed.
    lists.push(Value::Array(items.iter().cycle().take(if items.is_empty() { 0 } else { most }).cloned().collect()));
    if let Some(highest) = items.iter().filter_map(Value::as_i64).max() {
        lists.push((0..most as i64).map(|n| highest.saturating_sub(n)).collect());
    }
    lists
}

fn objects(root: &Value, schema: &Value, depth: usize, rng: &mut impl RngCore) -> Vec<Value> {
    let properties: Vec<(String, Vec<Value>)> = schema["properties"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, s)| (name.clone(), values(root, s, depth + 1, rng)))
        .filter(|(_, values)| !values.is_empty())
        .collect();
    let mut made = vec![json!({})];
    for end in [0, usize::MAX] {
        made.push(Value::Object(
            properties.iter().map(|(k, v)| (k.clone(), v[end.min(v.len() - 1)].clone())).collect(),
        ));
    }
    made
}

#[cfg(test)]
mod tests {
    use gridbell_clock::Seed;

    use super::*;

    fn manifest(parameters: &Value) -> Manifest {
        let text = json!({
            "name": "test", "version": "1.0.0", "topic": "arrears-reminder", "triggers": ["schedule"], "columns": ["arrears"],
            "parameters": parameters, "notices": [{ "name": "n", "title": "n" }], "reasons": [{ "name": "r", "title": "r" }],
            "routes": ["sms"],
        });
        Manifest::parse(&text.to_string()).unwrap()
    }

    #[test]
    fn sets_are_valid_different_and_reach_every_end() {
        let manifest = manifest(&json!({ "type": "object", "additionalProperties": false, "properties": {
            "days": { "type": "integer", "minimum": 1, "maximum": 60, "default": 7 },
            "steps": { "type": "array", "maxItems": 4, "uniqueItems": true, "items": { "type": "integer", "minimum": 1, "maximum": 90 }, "default": [7] },
            "how": { "enum": ["calendar", "working"] },
            "on": { "type": "boolean" },
            "deep": { "$ref": "#/$defs/deep" },
        }, "$defs": { "deep": { "type": "object", "properties": { "rate": { "type": "number", "minimum": 0, "maximum": 1 } } } } }));
        let sets = sets(&manifest, &json!({}), 200, &mut Seed(1).stream("t"));
        assert!(sets.iter().all(|s| manifest.check_parameters(s).is_ok()));
        let mut texts: Vec<String> = sets.iter().map(Value::to_string).collect();
        for wanted in [
            r#"{"days":1}"#,
            r#"{"days":60}"#,
            r#"{"steps":[]}"#,
            r#"{"steps":[90]}"#,
            r#"{"how":"working"}"#,
            r#"{"on":true}"#,
        ] {
            assert!(texts.contains(&wanted.to_owned()), "{wanted} in {texts:#?}");
        }
        assert!(sets.iter().any(|s| s["steps"].as_array().is_some_and(|l| l.len() == 4)), "as long as may be");
        assert!(sets.iter().any(|s| s["deep"]["rate"].is_number()));
        assert_eq!(numbers(&json!({ "a": [1, 2], "b": { "c": -3 }, "d": "4" })), [1, 2, -3]);
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), sets.len());
    }

    #[test]
    fn what_is_required_is_given() {
        let manifest = manifest(&json!({ "type": "object", "required": ["days", "name"], "properties": {
            "days": { "type": "integer", "minimum": 3, "maximum": 9 }, "name": { "type": "string", "minLength": 2 } } }));
        let least = least(&manifest, &mut Seed(1).stream("t"));
        assert_eq!(least, json!({ "days": 3, "name": "aa" }));
        assert!(sets(&manifest, &least, 20, &mut Seed(1).stream("t")).len() > 5);
    }
}
