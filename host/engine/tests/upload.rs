//! What may be uploaded, and what each refusal says.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use gridbell_engine::{Digest, EngineError, ErrorCode, MAX_UPLOAD_BYTES, Refusal, UploadKind, check, compile};
use support::{Guest, MANIFEST, MEMORY};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

fn refusal(bytes: &[u8]) -> Refusal {
    check(bytes).unwrap_err()
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

/// A component of world `policy` in `wit`, from `module`.
fn component(module: &[u8], wit: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("test.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("policy")).unwrap();
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

#[test]
fn a_module_and_the_component_made_of_it_are_both_taken() {
    let module = Guest::default().bytes();
    let checked = check(&module).unwrap();
    assert_eq!((checked.kind(), checked.digest()), (UploadKind::Module, Digest::of(&module)));
    let made = component(&module, gridbell_contract::WIT);
    let checked = check(&made).unwrap();
    assert_eq!((checked.kind(), checked.component()), (UploadKind::Component, &made[..]));
    assert_eq!(compile(&made, MEMORY).unwrap().manifest().name(), "hand-made");
}

#[test]
fn what_is_not_webassembly_is_refused() {
    assert_eq!(refusal(b""), Refusal::Empty);
    assert_eq!(refusal(b"#!/bin/sh\n"), Refusal::NotWasm);
    assert!(matches!(refusal(&vec![0; MAX_UPLOAD_BYTES + 1]), Refusal::TooLarge { .. }));
    assert!(matches!(refusal(b"\0asm\x09\0\0\0"), Refusal::Invalid { .. }));
}

#[test]
fn a_truncated_upload_is_refused_wherever_it_ends() {
    let whole = component(&Guest::default().bytes(), gridbell_contract::WIT);
    for end in (8..whole.len() - 1).step_by(7) {
        let refused = refusal(&whole[..end]);
        // Cut between two sections it is another, smaller component.
        let between = matches!(refused, Refusal::Invalid { .. } | Refusal::NotAPolicy { .. });
        assert!(matches!(refused, Refusal::Truncated { .. }) || between, "cut at {end}: {refused:?}");
    }
}

#[test]
fn a_flipped_bit_never_makes_the_host_fall() {
    let whole = component(&Guest::default().bytes(), gridbell_contract::WIT);
    for at in (0..whole.len()).step_by(11) {
        let mut bad = whole.clone();
        bad[at] ^= 1 << (at % 8);
        let _ = check(&bad);
    }
    let module = Guest::default().bytes();
    for at in (0..module.len()).step_by(11) {
        let mut bad = module.clone();
        bad[at] ^= 1 << (at % 8);
        let _ = check(&bad);
    }
}

#[test]
fn an_import_is_named_with_what_removes_it() {
    let import = |module: &str, name: &str| Guest {
        imports: format!(r#"(import "{module}" "{name}" (func))"#),
        ..Guest::default()
    };
    let Refusal::Imports { import: named, advice } = refusal(&import("wasi_snapshot_preview1", "fd_write").bytes())
    else {
        panic!()
    };
    assert_eq!(named, "wasi_snapshot_preview1.fd_write");
    assert!(advice.contains("wasm32-unknown-unknown") && advice.contains("--stub-wasi"), "{advice}");
    let Refusal::Imports { import: named, .. } = refusal(&import("env", "abort").bytes()) else { panic!() };
    assert_eq!(named, "env.abort");
    let importing =
        wat(r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64))))))"#);
    let Refusal::Imports { import: named, .. } = refusal(&importing) else { panic!() };
    assert_eq!(named, "wasi:clocks/wall-clock@0.2.0");
}

#[test]
fn another_world_is_refused() {
    assert!(matches!(refusal(&wat("(component)")), Refusal::NotAPolicy { .. }));
    assert!(matches!(refusal(&wat("(module)")), Refusal::NotEncodable { .. }));
    let other = component(
        &wat(r#"(module (func (export "answer") (result i32) i32.const 42))"#),
        "package a:b; world policy { export answer: func() -> u32; }",
    );
    let Refusal::NotAPolicy { found, .. } = refusal(&other) else { panic!() };
    assert_eq!(found, " but `answer`");
}

#[test]
fn another_version_of_the_contract_is_refused_with_the_difference() {
    let module = Guest::default().bytes();
    let later = gridbell_contract::WIT.replace("gridbell:policy@0.1.0", "gridbell:policy@0.2.0");
    let text = String::from_utf8_lossy(&module).into_owned();
    assert!(text.contains("plugin@0.1.0"));
    let renamed: Vec<u8> = wat(&Guest::default().wat().replace("plugin@0.1.0", "plugin@0.2.0"));
    let Refusal::OtherVersion { found, served } = refusal(&component(&renamed, &later)) else { panic!() };
    assert_eq!((&*found, &*served), ("gridbell:policy/plugin@0.2.0", "gridbell:policy/plugin@0.1.0"));
    // The same lowered signature, another type: only a full comparison sees it.
    let changed = gridbell_contract::WIT.replace("prefecture: u32,", "prefecture: s32,");
    let Refusal::WrongType { function, found, expected } = refusal(&component(&module, &changed)) else { panic!() };
    assert_eq!(function, "gridbell:policy/plugin@0.1.0#interest");
    assert!(found.contains("prefecture: s32") && expected.contains("prefecture: u32"), "{found} / {expected}");
}

#[test]
fn proposals_that_are_not_deterministic_or_not_needed_are_refused() {
    for text in ["(module (memory 1 1 shared))", "(module (memory i64 1))", "(module (type (struct (field i32))))"] {
        assert!(matches!(refusal(&wat(text)), Refusal::Feature { .. }), "{text}");
    }
}

#[test]
fn parsing_has_bounds() {
    let nested = format!("(component {} {})", "(component ".repeat(20), ")".repeat(20));
    assert!(matches!(refusal(&wat(&nested)), Refusal::TooMany { .. }));
    let modules = format!("(component {})", "(core module)".repeat(200));
    assert!(matches!(refusal(&wat(&modules)), Refusal::TooMany { .. }));
    let functions = format!("(module {})", "(func)".repeat(300_001));
    let Refusal::TooMany { what, limit } = refusal(&wat(&functions)) else { panic!() };
    assert_eq!((what.as_str(), limit), ("functions", 300_000));
}

#[test]
fn a_plugin_that_fails_at_its_manifest_is_refused() {
    let refused = |guest: Guest| match compile(&guest.bytes(), MEMORY) {
        Err(EngineError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let start = |body: &str| Guest { more: format!("(func $start {body}) (start $start)"), ..Guest::default() };
    let Refusal::ManifestCall { cause, detail } = refused(start("(loop $again (br $again))")) else { panic!() };
    assert_eq!(cause, Some(ErrorCode::GuestDeadline));
    assert_eq!(detail, "while starting, it ran longer than 2000 ms");
    assert!(matches!(refused(start("unreachable")), Refusal::ManifestCall { .. }));
    let large = Guest { pages: 5000, ..Guest::default() };
    let Refusal::DoesNotFit { detail } = refused(large) else { panic!() };
    assert!(detail.contains("327680000"), "{detail}");
    let bad = |manifest: &str| refused(Guest { manifest: manifest.to_owned(), ..Guest::default() });
    assert!(matches!(bad("{"), Refusal::Manifest { .. }));
    let Refusal::Manifest { code: ErrorCode::UploadManifestName, detail } =
        bad(&MANIFEST.replace("[\"arrears\"]", "[\"phone\"]"))
    else {
        panic!()
    };
    assert!(detail.contains("phone"), "{detail}");
}

#[test]
fn the_reference_of_codes_is_up_to_date() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit/ERRORS.md");
    let says = std::fs::read_to_string(file).unwrap();
    assert_eq!(says, gridbell_engine::error_reference(), "run `cargo run -p gridbell-engine --example errors`");
}
