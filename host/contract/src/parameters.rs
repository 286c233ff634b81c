//! A policy's parameters against its plugin's schema: defaults filled in, errors in the schema's own words.

use jsonschema::Validator;
use serde_json::Value;

use crate::error::ParameterError;
use crate::schema::{MAX_SCHEMA_DEPTH, resolve, shorten};

/// Longest parameters of a policy, as compact JSON: they are parsed by the plugin once for each batch.
pub const MAX_PARAMETERS_BYTES: usize = 64 * 1024;
/// Most errors that one check reports.
pub const MAX_PARAMETER_ERRORS: usize = 64;

/// Fills the defaults in and checks the whole.
pub(crate) fn check(validator: &Validator, schema: &Value, given: &Value) -> Result<Value, Vec<ParameterError>> {
    let mut filled = given.clone();
    fill(schema, schema, &mut filled, 0);
    let bytes = serde_json::to_string(&filled).map(|s| s.len()).unwrap_or(usize::MAX);
    if bytes > MAX_PARAMETERS_BYTES {
        return Err(vec![ParameterError {
            pointer: String::new(),
            title: None,
            message: format!("the parameters have {bytes} bytes; shorten them to at most {MAX_PARAMETERS_BYTES}"),
            value: Value::Null,
        }]);
    }
    let errors: Vec<ParameterError> = validator
        .iter_errors(&filled)
        .take(MAX_PARAMETER_ERRORS)
        .map(|e| ParameterError {
            pointer: e.instance_path().as_str().to_owned(),
            title: title(schema, e.schema_path().as_str()),
            message: shorten(&e.to_string()),
            value: e.instance().as_ref().clone(),
        })
        .collect();
    if errors.is_empty() { Ok(filled) } else { Err(errors) }
}

/// Sets what `value` lacks to what `schema` says by default: in objects, in the items of lists, through local references.
fn fill(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    if depth > MAX_SCHEMA_DEPTH {
        return;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|r| resolve(root, r)) {
        fill(root, target, value, depth + 1);
    }
    for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        fill(root, part, value, depth + 1);
    }
    match value {
        Value::Object(map) => {
            for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
                if !map.contains_key(name)
                    && let Some(default) = default_of(root, property, depth)
                {
                    map.insert(name.clone(), default.clone());
                }
                if let Some(present) = map.get_mut(name) {
                    fill(root, property, present, depth + 1);
                }
            }
        }
        Value::Array(items) => {
            if let Some(each) = schema.get("items") {
                for item in items {
                    fill(root, each, item, depth + 1);
                }
            }
        }
        _ => {}
    }
}

fn default_of<'a>(root: &'a Value, property: &'a Value, depth: usize) -> Option<&'a Value> {
    if depth > MAX_SCHEMA_DEPTH {
        return None;
    }
    property.get("default").or_else(|| {
        let target = resolve(root, property.get("$ref")?.as_str()?)?;
        default_of(root, target, depth + 1)
    })
}

/// The title nearest to the keyword that failed.
fn title(schema: &Value, schema_path: &str) -> Option<String> {
    let mut path = schema_path;
    while let Some(cut) = path.rfind('/') {
        path = &path[..cut];
        let found = schema.pointer(path).and_then(|s| s.get("title")).and_then(Value::as_str);
        // The title of the whole names no parameter.
        if let Some(found) = found.filter(|_| !path.is_empty()) {
            return Some(found.to_owned());
        }
    }
    None
}
