//! What a parameter schema may be: JSON Schema 2020-12 that needs nothing from elsewhere and always ends.
//!
//! A plugin's author is not trusted. A schema is small, refers only to itself, never in a circle, and stays small when its references
//! are followed; regular expressions run in linear time. Whatever passes can be compiled and applied without limits of its own.

use std::collections::BTreeMap;

use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

use crate::error::ContractError;

/// Longest parameter schema, as compact JSON.
pub const MAX_SCHEMA_BYTES: usize = 256 * 1024;
/// Deepest nesting of a schema, references followed.
pub const MAX_SCHEMA_DEPTH: usize = 64;
/// Most values in a schema, references followed: a schema that doubles at each step stays small in the file and not in memory, and one half of a
/// schema may be tried against each value of a default in the other half.
pub const MAX_SCHEMA_NODES: u64 = 8192;
/// Most regular expressions in a schema.
pub const MAX_SCHEMA_PATTERNS: usize = 128;
/// Most bytes that one compiled regular expression may take.
const MAX_PATTERN_BYTES: usize = 256 * 1024;

const DRAFT_2020_12: &str = "https://json-schema.org/draft/2020-12/schema";
/// Keywords that name or reach other documents, or move the meaning of a reference.
const FORBIDDEN: [&str; 6] =
    ["$id", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$vocabulary"];

/// Checks `schema` and compiles it. Errors carry pointers that begin with `/parameters`, where a manifest holds its schema.
pub(crate) fn compile(schema: &Value) -> Result<Validator, ContractError> {
    let wrong =
        |pointer: &str, problem: String| ContractError::Schema { pointer: format!("/parameters{pointer}"), problem };
    let bytes = serde_json::to_string(schema).map(|s| s.len()).unwrap_or(usize::MAX);
    if bytes > MAX_SCHEMA_BYTES {
        return Err(wrong("", format!("it has {bytes} bytes; shorten it to at most {MAX_SCHEMA_BYTES}")));
    }
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err(wrong("", "parameters are an object; say `\"type\": \"object\"`".to_owned()));
    }
    let mut walk = Walk { root: schema, sizes: BTreeMap::new(), open: Vec::new(), patterns: 0 };
    let nodes = walk.size(schema, "", 0).map_err(|(pointer, problem)| wrong(&pointer, problem))?;
    if nodes > MAX_SCHEMA_NODES {
        return Err(wrong("", format!("its references unfold to more than {MAX_SCHEMA_NODES} values; simplify it")));
    }
    if walk.patterns > MAX_SCHEMA_PATTERNS {
        return Err(wrong("", format!("it has {} patterns; {MAX_SCHEMA_PATTERNS} are the most", walk.patterns)));
    }
    if let Err(e) = jsonschema::draft202012::meta::validate(schema) {
        return Err(wrong(
            e.instance_path().as_str(),
            format!("not valid JSON Schema 2020-12: {}", shorten(&e.to_string())),
        ));
    }
    options()
        .build(schema)
        .map_err(|e| wrong(e.instance_path().as_str(), format!("cannot be used: {}", shorten(&e.to_string()))))
}

/// How every schema of the house is compiled: 2020-12, nothing fetched from anywhere, regular expressions in linear time.
pub(crate) fn options<'i>() -> jsonschema::ValidationOptions<'i> {
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES).dfa_size_limit(MAX_PATTERN_BYTES))
}

/// The first 400 characters: a message may quote a value of any length.
pub(crate) fn shorten(message: &str) -> String {
    const LONGEST: usize = 400;
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &message[..end]),
        None => message.to_owned(),
    }
}

/// Measures a schema as it unfolds when references are followed.
struct Walk<'a> {
    root: &'a Value,
    /// Unfolded sizes and depths of the targets of references.
    sizes: BTreeMap<String, u64>,
    /// References that are being followed.
    open: Vec<String>,
    /// Regular expressions, as they are written: what stands behind a reference counts once.
    patterns: usize,
}

impl<'a> Walk<'a> {
    fn size(&mut self, value: &'a Value, at: &str, depth: usize) -> Result<u64, (String, String)> {
        if depth > MAX_SCHEMA_DEPTH {
            return Err((
                at.to_owned(),
                format!("nested deeper than {MAX_SCHEMA_DEPTH}, references followed; simplify it"),
            ));
        }
        let mut total = 1_u64;
        match value {
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    total = total.saturating_add(self.size(item, &format!("{at}/{i}"), depth + 1)?);
                }
            }
            Value::Object(map) => {
                for (key, item) in map {
                    let here = format!("{at}/{}", escape(key));
                    if FORBIDDEN.contains(&key.as_str()) && item.is_string() {
                        return Err((here, format!("`{key}` is not allowed: a parameter schema stands for itself")));
                    }
                    if key == "$schema" && item.as_str() != Some(DRAFT_2020_12) {
                        return Err((
                            here,
                            format!("only JSON Schema 2020-12 is known; write `{DRAFT_2020_12}` or leave it out"),
                        ));
                    }
                    self.patterns += match (key.as_str(), item) {
                        ("pattern", Value::String(_)) => 1,
                        ("patternProperties", Value::Object(of)) => of.len(),
                        _ => 0,
                    };
                    total = match (key.as_str(), item) {
                        ("$ref", Value::String(target)) => total.saturating_add(self.follow(target, &here, depth)?),
                        _ => total.saturating_add(self.size(item, &here, depth + 1)?),
                    };
                }
            }
            _ => {}
        }
        Ok(total)
    }

    fn follow(&mut self, target: &str, at: &str, depth: usize) -> Result<u64, (String, String)> {
        let wrong = |problem: String| Err((at.to_owned(), problem));
        let Some(pointer) = target.strip_prefix('#').filter(|p| p.is_empty() || p.starts_with('/')) else {
            return wrong(format!(
                "`{}` refers outside the schema; copy what it names into `$defs` and write `#/$defs/…`",
                shorten(target)
            ));
        };
        if self.open.iter().any(|open| open == pointer) || pointer.is_empty() {
            return wrong(format!("`{target}` refers to itself in a circle; write it out to the depth that is needed"));
        }
        if let Some(size) = self.sizes.get(pointer) {
            return Ok(*size);
        }
        let Some(value) = self.root.pointer(&percent_decoded(pointer)) else {
            return wrong(format!("`{target}` names nothing in the schema"));
        };
        self.open.push(pointer.to_owned());
        let size = self.size(value, pointer, depth + 1)?;
        self.open.pop();
        self.sizes.insert(pointer.to_owned(), size);
        Ok(size)
    }
}

/// A key as a JSON pointer spells it.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// A pointer in a reference is a URI fragment, in which characters may be percent-encoded.
fn percent_decoded(pointer: &str) -> String {
    let bytes = pointer.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let hex = (bytes[i] == b'%').then(|| pointer.get(i + 1..i + 3)).flatten();
        match hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                i += 3;
            }
            None => {
                out.push(bytes[i]);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The schema that `reference` in `root` names; none unless it is local and there.
pub(crate) fn resolve<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.pointer(&percent_decoded(reference.strip_prefix('#')?))
}
