//! Manifests and parameter schemas that break the contract, or that would take for ever to check.

use gridbell_engine::ErrorCode as E;

use super::super::support::{Guest, MANIFEST};
use super::Corpus;

fn saying(manifest: String) -> Vec<u8> {
    Guest { manifest, ..Guest::default() }.bytes()
}

fn instead(part: &str, by: &str) -> Vec<u8> {
    assert!(MANIFEST.contains(part), "{part}");
    saying(MANIFEST.replace(part, by))
}

/// The manifest with these parameters.
fn schema(schema: &str) -> Vec<u8> {
    instead(r#"{"type":"object","properties":{},"additionalProperties":false}"#, schema)
}

/// One parameter `p`, of this schema.
fn property(of: &str) -> Vec<u8> {
    schema(&format!(r#"{{"type":"object","properties":{{"p":{of}}}}}"#))
}

pub(super) fn add(c: &mut Corpus) {
    manifests(c);
    schemas(c);
    bombs(c);
}

fn manifests(c: &mut Corpus) {
    let mut no_json = |name, make: fn() -> Vec<u8>| c.refused(E::UploadManifestNotJson, name, make);
    no_json("a manifest that says nothing", || saying(String::new()));
    no_json("a manifest that breaks off", || saying("{".to_owned()));
    no_json("a manifest of a thousand brackets", || saying("[".repeat(1000)));
    no_json("a manifest with something behind it", || saying(format!("{MANIFEST} {{}}")));
    no_json("a number beyond all numbers", || instead("\"1.0.0\"", "1e999999999"));
    c.refused(E::UploadManifestTooLong, "a manifest of 700 KB", || {
        instead("\"欠费\"", &format!("\"{}\"", "欠".repeat(240_000)))
    });
    let mut shape = |name, make: fn() -> Vec<u8>| c.refused(E::UploadManifestShape, name, make);
    shape("a manifest that is a list", || saying("[]".to_owned()));
    shape("a manifest without routes", || instead(r#","routes":["sms"]"#, ""));
    shape("a manifest with a key that there is not", || instead("\"version\"", "\"imports\":[\"clock\"],\"version\""));
    shape("a name that leads elsewhere", || instead("hand-made", "../../etc/passwd"));
    shape("a name with a line break", || instead("hand-made", "hand\\nmade"));
    shape("a name of a million letters", || instead("hand-made", &"a".repeat(400_000)));
    shape("a version that is none", || instead("1.0.0", "latest"));
    shape("300 reasons", || {
        let reasons: Vec<String> = (0..300).map(|n| format!(r#"{{"name":"r{n}","title":"x"}}"#)).collect();
        instead(r#"{"name":"owes","title":"欠费"}"#, &reasons.join(","))
    });
    shape("no notice", || instead(r#"[{"name":"reminder","title":"催缴"}]"#, "[]"));
    let mut name = |name, make: fn() -> Vec<u8>| c.refused(E::UploadManifestName, name, make);
    name("a column that must never be", || instead("[\"arrears\"]", "[\"phone\"]"));
    name("a topic that there is not", || instead("arrears-reminder", "lottery"));
    name("a trigger that there is not", || instead("schedule", "full-moon"));
    name("one name for two notices", || {
        let notice = r#"{"name":"reminder","title":"催缴"}"#;
        instead(notice, &format!("{notice},{notice}"))
    });
    name("one route twice", || instead("[\"sms\"]", "[\"sms\",\"sms\"]"));
}

fn schemas(c: &mut Corpus) {
    let mut no = |name, make: fn() -> Vec<u8>| c.refused(E::UploadSchema, name, make);
    no("parameters that are a number", || schema(r#"{"type":"number"}"#));
    no("a type that there is not", || property(r#"{"type":"telephone"}"#));
    no("a schema from the network", || property(r#"{"$ref":"http://169.254.169.254/latest/meta-data"}"#));
    no("a schema from a file", || property(r#"{"$ref":"file:///etc/passwd"}"#));
    no("a schema of another draft", || {
        schema(r#"{"$schema":"http://json-schema.org/draft-04/schema#","type":"object"}"#)
    });
    no("a schema with an address of its own", || schema(r#"{"$id":"http://a.example/","type":"object"}"#));
    no("a reference to nothing", || property(r##"{"$ref":"#/$defs/none"}"##));
    no("a reference to itself", || property(r##"{"$ref":"#/properties/p"}"##));
    no("a reference to the whole", || property(r##"{"$ref":"#"}"##));
    no("three references in a circle", || {
        schema(
            r##"{"type":"object","$defs":{"a":{"$ref":"#/$defs/b"},"b":{"items":{"$ref":"#/$defs/c"}},"c":{"$ref":"#/$defs/a"}},"properties":{"p":{"$ref":"#/$defs/a"}}}"##,
        )
    });
    no("a circle spelt in percent", || {
        schema(
            r##"{"type":"object","$defs":{"ab":{"items":{"$ref":"#/$defs/a%62"}}},"properties":{"p":{"$ref":"#/$defs/ab"}}}"##,
        )
    });
    no("a reference that moves", || property(r##"{"$dynamicRef":"#meta"}"##));
    no("a default that does not fit", || property(r#"{"type":"integer","default":"seven"}"#));
    no("a pattern that is none", || property(r#"{"type":"string","pattern":"("}"#));
    no("a pattern that looks back", || property(r#"{"type":"string","pattern":"(a+)\\1"}"#));
}

fn bombs(c: &mut Corpus) {
    let mut no = |name, make: fn() -> Vec<u8>| c.refused(E::UploadSchema, name, make);
    no("a pattern of a billion states", || {
        property(r#"{"type":"string","pattern":"((((a{1,100}){1,100}){1,100}){1,100}){1,100}"}"#)
    });
    no("a pattern of all letters, a thousand times", || {
        property(r#"{"type":"string","pattern":"[\\pL\\pN\\pS]{1000}"}"#)
    });
    no("a thousand patterns of half a megabyte", || {
        let patterns: Vec<String> =
            (0..1000).map(|n| format!(r#""p{n}":{{"pattern":"[\\pL]{{{}}}"}}"#, 20 + n % 10)).collect();
        schema(&format!(r#"{{"type":"object","properties":{{{}}}}}"#, patterns.join(",")))
    });
    no("a schema that doubles 40 times", || {
        let doubled: Vec<String> = (1..40)
            .map(|n| format!(r##""d{n}":{{"allOf":[{{"$ref":"#/$defs/d{0}"}},{{"$ref":"#/$defs/d{0}"}}]}}"##, n - 1))
            .collect();
        schema(&format!(
            r##"{{"type":"object","$defs":{{"d0":{{"type":"string"}},{}}},"properties":{{"p":{{"$ref":"#/$defs/d39"}}}}}}"##,
            doubled.join(",")
        ))
    });
    no("a schema that nests 100 deep", || property(&format!("{}{{}}{}", r#"{"items":"#.repeat(100), "}".repeat(100))));
    no("a schema of 40 000 values", || {
        property(&format!(r#"{{"enum":[{}]}}"#, (0..40_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",")))
    });
    no("a schema that tries each of thousands against each of thousands", || {
        let tries = vec![r#"{"not":{"const":-1}}"#; 7_000].join(",");
        property(&format!(r#"{{"default":[{}],"items":{{"allOf":[{tries}]}}}}"#, vec!["0"; 7_000].join(",")))
    });
    no("a schema of 300 KB", || property(&format!(r#"{{"description":"{}"}}"#, "x".repeat(300_000))));
}
