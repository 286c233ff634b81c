//! Go's imports are replaced and nobody else's, and what a module initialises is initialised once, before it is compiled.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use gridbell_engine::{EngineError, ErrorCode, EvalOptions, compile};
use support::{Arrears, Guest, MEMORY, engine, run};

const CLOCK: &str =
    r#"(import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))"#;
const RANDOM: &str = r#"(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))"#;
const WRITE: &str =
    r#"(import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))"#;
const GO: &str = r#"(@custom "go:buildid" "x")"#;

fn refused(guest: &Guest) -> (ErrorCode, String) {
    match compile(&guest.bytes(), MEMORY) {
        Err(EngineError::Refused(refusal)) => (refusal.code(), refusal.to_string()),
        other => panic!("{other:?}"),
    }
}

/// Counts its initialisations at 8; whoever takes memory before exactly one of them traps.
fn initialised(body: &str) -> Guest {
    Guest {
        realloc:
            "(if (i32.ne (i32.load (i32.const 8)) (i32.const 1)) (then unreachable)) (call $alloc (local.get $len))"
                .to_owned(),
        more: format!(
            "(func (export \"_initialize\") {body} (i32.store (i32.const 8) (i32.add (i32.load (i32.const 8)) (i32.const 1))))"
        ),
        ..Guest::default()
    }
}

#[test]
fn what_go_imports_stands_still() {
    // The clock, what is random, and the descriptor's errno, all as they always are.
    let guest = initialised(
        "(if (call $clock (i32.const 0) (i64.const 0) (i32.const 32768)) (then unreachable))
         (if (i64.ne (i64.load (i32.const 32768)) (i64.const 946684800000000000)) (then unreachable))
         (if (call $random (i32.const 32768) (i32.const 8)) (then unreachable))
         (if (i64.ne (i64.load (i32.const 32768)) (i64.const 0x4747474747474747)) (then unreachable))
         (if (i32.ne (call $write (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const 8)) (then unreachable))",
    );
    let guest = Guest { imports: [CLOCK, RANDOM, WRITE].concat(), more: guest.more.clone() + GO, ..guest };
    let engine = engine();
    let plugin = guest.load(&engine);
    let customers = Arrears((0..20_000).map(|n| n % 3).collect());
    let decided = engine.evaluate(&plugin, &run(), &customers, &EvalOptions::default()).unwrap();
    assert_eq!(decided.decisions.len(), 20_000 - 20_000_usize.div_ceil(3), "in five batches, each initialised once");
}

#[test]
fn only_go_and_only_what_its_runtime_needs() {
    let with =
        |imports: &str, more: &str| Guest { imports: imports.to_owned(), more: more.to_owned(), ..Guest::default() };
    let (code, said) = refused(&with(CLOCK, ""));
    assert!(code == ErrorCode::UploadWasi && said.contains("clock_time_get"), "{said}");
    let open = r#"(import "wasi_snapshot_preview1" "path_open" (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))"#;
    let (code, said) = refused(&with(open, GO));
    assert!(code == ErrorCode::UploadWasi && said.contains("path_open") && said.contains("for Go"), "{said}");
    let other = r#"(import "wasi_snapshot_preview1" "random_get" (func (param i32) (result i32)))"#;
    assert_eq!(refused(&with(other, GO)).0, ErrorCode::UploadWasi, "another signature is another function");
    let env = r#"(import "env" "random_get" (func (param i32 i32) (result i32)))"#;
    assert_eq!(refused(&with(env, GO)).0, ErrorCode::UploadImports);
}

#[test]
fn an_initialisation_that_fails_is_refused() {
    let (code, said) = refused(&initialised("(loop $again (br $again))"));
    assert!(
        code == ErrorCode::UploadManifestCall && said.contains("while starting, it ran longer than 2000 ms"),
        "{said}"
    );
    let (code, said) = refused(&initialised("unreachable"));
    assert!(code == ErrorCode::UploadManifestCall && said.contains("while starting"), "{said}");
}

#[test]
fn segments_that_nothing_can_name_are_left_out_and_their_bytes_stay() {
    let engine = engine();
    let customers = Arrears((0..9000).map(|n| n % 2).collect());
    let decided = |guest: &Guest| {
        engine.evaluate(&guest.load(&engine), &run(), &customers, &EvalOptions::default()).unwrap().decisions.len()
    };
    let segments: String = (0..3000).map(|n| format!("(data (i32.const {}) \"\\07\")", 20_000 + n * 2)).collect();
    let check = "(if (i32.ne (i32.load16_u (i32.const 25_998)) (i32.const 7)) (then unreachable))";
    let guest = initialised("");
    let many = Guest { realloc: check.to_owned() + &guest.realloc, more: guest.more.clone() + &segments, ..guest };
    assert_eq!(decided(&many), 4500);

    // Code that names a segment finds it under its number, behind those that were spent.
    let guest = initialised("");
    let kept = "(memory.init $kept (i32.const 30000) (i32.const 0) (i32.const 2))
         (if (i32.ne (i32.load16_u (i32.const 30000)) (i32.const 0x0909)) (then unreachable))";
    let named = Guest {
        realloc: kept.to_owned() + &guest.realloc,
        more: guest.more.clone() + &segments + "(data $kept \"\\09\\09\")",
        ..guest
    };
    assert_eq!(decided(&named), 4500);
}
