//! Manifests and parameters: what is accepted, and how each kind of mistake is told.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of test functions")]

use gridbell_contract::{ContractError, MAX_PARAMETER_ERRORS, Manifest, column, trigger};
use gridbell_model::Topic;
use serde_json::{Value, json};

fn manifest() -> Value {
    json!({
        "name": "demo", "version": "1.2.3", "description": "示例", "topic": "arrears-reminder",
        "triggers": ["schedule"], "columns": ["arrears", "traits"],
        "parameters": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "additionalProperties": false,
            "properties": {
                "days": { "title": "提前天数", "type": "integer", "minimum": 1, "maximum": 60, "default": 7 },
                "steps": { "type": "array", "items": { "$ref": "#/$defs/step" } },
                "window": { "type": "object", "default": {}, "properties": { "from": { "type": "integer", "default": 8 } } }
            },
            "$defs": { "step": { "type": "object", "properties": { "say": { "type": "boolean", "default": true } } } }
        },
        "notices": [{ "name": "reminder", "title": "提醒", "arg0": { "name": "amount", "unit": "fen" } }],
        "reasons": [{ "name": "due", "title": "临近违约金起算日" }],
        "routes": ["sms"]
    })
}

fn parse(m: &Value) -> Result<Manifest, ContractError> {
    Manifest::parse(&m.to_string())
}

fn with(pointer: &str, value: Value) -> Value {
    let mut m = manifest();
    *m.pointer_mut(pointer).unwrap() = value;
    m
}

#[test]
fn a_good_manifest_is_typed() {
    let m = parse(&manifest()).unwrap();
    assert_eq!((m.name(), m.version(), m.topic()), ("demo", "1.2.3", Topic::ArrearsReminder));
    assert_eq!(m.columns(), [column::ARREARS, column::TRAITS], "in the order of the manifest");
    assert_eq!(m.column_defs().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["arrears", "traits"]);
    assert_eq!(m.triggers(), [trigger::SCHEDULE]);
    assert_eq!(m.notices()[0].arg0.as_ref().unwrap().name, "amount");
    assert_eq!((m.reasons()[0].title.as_str(), m.routes()), ("临近违约金起算日", &["sms".to_owned()][..]));
}

#[test]
fn names_that_are_not_known_are_told_with_those_that_are() {
    let cases = [
        ("/topic", json!("sms"), "`/topic`", "arrears-reminder, bill-notice"),
        ("/columns/1", json!("phone"), "`/columns/1`", "late-fee-from"),
        ("/triggers/0", json!("full-moon"), "`/triggers/0`", "schedule, payment-received"),
    ];
    for (pointer, value, at, known) in cases {
        let error = parse(&with(pointer, value)).unwrap_err();
        assert!(matches!(error, ContractError::UnknownName { .. }), "{error}");
        assert!(error.to_string().contains(at) && error.to_string().contains(known), "{error}");
    }
    let error = parse(&with("/triggers/0", json!("outage-revision"))).unwrap_err();
    assert!(matches!(error, ContractError::Reserved { .. }), "{error}");
}

#[test]
fn a_name_stands_once_in_its_list() {
    for (list, entry) in [
        ("/notices", json!({ "name": "reminder", "title": "x" })),
        ("/reasons", json!({ "name": "due", "title": "x" })),
        ("/routes", json!("sms")),
    ] {
        let mut m = manifest();
        m.pointer_mut(list).unwrap().as_array_mut().unwrap().push(entry);
        let error = parse(&m).unwrap_err();
        assert!(matches!(error, ContractError::Duplicate { .. }), "{error}");
        assert!(error.to_string().contains(&format!("{list}/1")), "{error}");
    }
    let twice = json!({ "name": "x", "title": "x", "arg0": { "name": "a", "unit": "fen" }, "arg1": { "name": "a", "unit": "fen" } });
    assert!(matches!(parse(&with("/notices/0", twice)).unwrap_err(), ContractError::Duplicate { .. }));
}

#[test]
fn the_wrong_shape_is_told_with_its_place() {
    for (pointer, value) in [
        ("/name", json!("Not Kebab")),
        ("/version", json!("one")),
        ("/notices/0/title", json!(7)),
        ("/notices/0/arg0/unit", json!("dollars")),
        ("/triggers", json!([])),
        ("/columns", json!(["arrears", "arrears"])),
    ] {
        let error = parse(&with(pointer, value)).unwrap_err();
        assert!(matches!(error, ContractError::ManifestShape { .. }), "{error}");
        assert!(error.to_string().contains(pointer), "{error}");
    }
    let mut extra = manifest();
    extra["phone"] = json!("yes please");
    assert!(matches!(parse(&extra).unwrap_err(), ContractError::ManifestShape { .. }));
    let error = Manifest::parse("{\n  \"name\": }").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(matches!(Manifest::parse(&" ".repeat(1 << 20)).unwrap_err(), ContractError::ManifestTooLong { .. }));
}

#[test]
fn a_schema_stands_for_itself_and_ends() {
    let deep = (0..40).fold(json!({}), |inner, _| json!({ "properties": { "a": inner } }));
    let mut doubling = json!({ "type": "object" });
    doubling["$defs"] = json!({ "d0": { "type": "integer" } });
    for i in 1..40 {
        doubling["$defs"][format!("d{i}")] =
            json!({ "allOf": [{ "$ref": format!("#/$defs/d{}", i - 1) }, { "$ref": format!("#/$defs/d{}", i - 1) }] });
    }
    doubling["properties"] = json!({ "a": { "$ref": "#/$defs/d39" } });
    let object = |property: Value| json!({ "type": "object", "properties": { "a": property } });
    let cases = [
        (json!({ "type": "string" }), "an object"),
        (object(json!({ "$ref": "https://example.org/schema.json" })), "outside the schema"),
        (object(json!({ "$ref": "file:///etc/passwd" })), "outside the schema"),
        (object(json!({ "$ref": "#/$defs/none" })), "names nothing"),
        (object(json!({ "$ref": "#" })), "circle"),
        (object(json!({ "$ref": "#/properties/a" })), "circle"),
        (object(json!({ "allOf": [{ "$ref": "#/properties/a/allOf" }] })), "circle"),
        (json!({ "type": "object", "$id": "https://example.org/" }), "not allowed"),
        (json!({ "type": "object", "$schema": "http://json-schema.org/draft-04/schema#" }), "2020-12"),
        (object(json!({ "type": "integre" })), "not valid"),
        (object(json!({ "type": "string", "pattern": "(" })), ""),
        (object(json!({ "type": "string", "pattern": "(a{1000}){1000}" })), ""),
        (json!({ "type": "object", "properties": { "a": deep } }), "deeper"),
        (doubling, "unfold"),
        (json!({ "type": "object", "description": "x".repeat(300 * 1024) }), "bytes"),
        (object(json!({ "type": "integer", "default": "seven" })), "default does not fit"),
    ];
    for (schema, problem) in cases {
        let error = parse(&with("/parameters", schema)).unwrap_err();
        assert!(matches!(error, ContractError::Schema { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("/parameters") && text.contains(problem), "{problem}: {text}");
        assert!(text.chars().count() < 700, "{text}");
    }
}

#[test]
fn defaults_are_filled_in_where_nothing_is_said() {
    let m = parse(&manifest()).unwrap();
    assert_eq!(m.check_parameters(&json!({})).unwrap(), json!({ "days": 7, "window": { "from": 8 } }));
    let given = json!({ "days": 3, "steps": [{}, { "say": false }], "window": { "from": 9 } });
    let filled = json!({ "days": 3, "steps": [{ "say": true }, { "say": false }], "window": { "from": 9 } });
    assert_eq!(m.check_parameters(&given).unwrap(), filled);
    assert_eq!(m.check_parameters(&filled).unwrap(), filled, "filling twice changes nothing");
}

#[test]
fn wrong_parameters_are_told_in_the_schemas_words() {
    let m = parse(&manifest()).unwrap();
    let errors = m.check_parameters(&json!({ "days": 90, "steps": [{ "say": 1 }], "weather": true })).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 3, "{told:?}");
    let days = errors.iter().find(|e| e.pointer == "/days").unwrap();
    assert_eq!((days.title.as_deref(), &days.value), (Some("提前天数"), &json!(90)));
    assert!(days.message.contains("60"), "{}", days.message);
    assert!(errors.iter().any(|e| e.pointer == "/steps/0/say"), "{told:?}");
    assert!(told.iter().any(|t| t.contains("weather")), "{told:?}");
    assert_eq!(m.check_parameters(&json!([])).unwrap_err()[0].pointer, "");

    let many: Vec<Value> = (0..1000).map(|_| json!({ "say": 1 })).collect();
    assert_eq!(m.check_parameters(&json!({ "steps": many })).unwrap_err().len(), MAX_PARAMETER_ERRORS);
    let long = json!({ "window": { "note": "x".repeat(100_000) } });
    assert!(m.check_parameters(&long).unwrap_err()[0].message.contains("bytes"));
}
