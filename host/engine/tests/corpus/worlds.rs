//! WebAssembly that is fine and no policy.

use gridbell_engine::ErrorCode as E;

use super::super::support::Guest;
use super::Corpus;
use super::bytes::{custom, module, name, section, wat};

fn without(part: &str) -> Vec<u8> {
    replaced(part, "")
}

fn replaced(part: &str, by: &str) -> Vec<u8> {
    let text = Guest::default().wat();
    assert!(text.contains(part), "{part}");
    wat(&text.replace(part, by))
}

fn importing(import: &str) -> Vec<u8> {
    Guest { imports: import.to_owned(), ..Guest::default() }.bytes()
}

/// A component whose export `name` is an instance of these functions, all `() -> u32`.
fn exporting(name: &str, functions: &[&str]) -> Vec<u8> {
    let lifted: String = functions.iter().map(|f| format!(r#"(export "{f}" (func $f))"#)).collect();
    wat(&format!(
        r#"(component (core module $m (func (export "f") (result i32) (i32.const 0))) (core instance $i (instantiate $m))
            (func $f (result u32) (canon lift (core func $i "f"))) (instance $p {lifted}) (export "{name}" (instance $p)))"#
    ))
}

pub(super) fn add(c: &mut Corpus) {
    imports(c);
    worlds(c);
    modules(c);
}

fn imports(c: &mut Corpus) {
    let mut wasi = |name, text: &'static str| c.refused(E::UploadWasi, name, move || wat(text));
    wasi(
        "a component that asks for a clock",
        r#"(component (import "wasi:clocks/wall-clock@0.2.0" (instance (export "now" (func (result u64))))))"#,
    );
    wasi(
        "a component that asks for the network",
        r#"(component (import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource))))))"#,
    );
    wasi(
        "a module that opens files",
        r#"(module (import "wasi_snapshot_preview1" "path_open" (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32))))"#,
    );
    wasi("an old module that opens files", r#"(module (import "wasi_unstable" "path_open" (func)))"#);
    let mut other = |name, import: &'static str| c.refused(E::UploadImports, name, move || importing(import));
    other("a symbol that was never linked", r#"(import "env" "abort" (func (param i32 i32 i32 i32)))"#);
    other("the host's memory", r#"(import "env" "memory2" (global i32))"#);
    other("a table", r#"(import "env" "table" (table 1 funcref))"#);
    other("a function of a page in a browser", r#"(import "wbg" "__wbindgen_throw" (func (param i32 i32)))"#);
    other("an import without a name", r#"(import "" "" (func))"#);
    c.refused(E::UploadImports, "an import with a name that hides", || {
        let import = [&[1][..], &name("a\u{202e}b".as_bytes()), &name(b"\n`x`"), &[0, 0]].concat();
        module(&[section(1, &[1, 0x60, 0, 0]), section(2, &import)])
    });
    c.refused(E::UploadImports, "another component's interface", || {
        wat(r#"(component (import "city:phones/book@1.0.0" (instance (export "number" (func (param "account" string) (result string))))))"#)
    });
    c.refused(E::UploadImports, "a bare function", || wat(r#"(component (import "f" (func)))"#));
}

fn worlds(c: &mut Corpus) {
    c.refused(E::UploadNotAPolicy, "a component of nothing", || wat("(component)"));
    c.refused(E::UploadNotAPolicy, "another world", || exporting("wasi:cli/run@0.2.0", &["run"]));
    c.refused(E::UploadNotAPolicy, "a function where the interface should be", || {
        let name = "gridbell:policy/plugin@0.1.0";
        let text = format!(
            r#"(component (core module $m (func (export "f") (result i32) (i32.const 0))) (core instance $i (instantiate $m))
                (func $f (result u32) (canon lift (core func $i "f"))) (instance $p) (export "other:policy/plugin@0.1.0" (instance $p)) (export "{}" (func $f)))"#,
            name.split(':').next().unwrap()
        );
        wat(&text)
    });
    c.refused(E::UploadNotAPolicy, "an interface without functions", || exporting("gridbell:policy/plugin@0.1.0", &[]));
    c.refused(E::UploadWrongType, "functions of another type", || {
        exporting("gridbell:policy/plugin@0.1.0", &["manifest", "interest", "decide", "explain"])
    });
    c.refused(E::UploadOtherVersion, "a version that is not there yet", || {
        exporting("gridbell:policy/plugin@9.0.0", &["manifest"])
    });
    c.refused(E::UploadOtherVersion, "a version before the first", || {
        exporting("gridbell:policy/plugin@0.0.1", &["manifest"])
    });
    c.refused(E::UploadWrongType, "100 functions of endless types behind the right name", || {
        let list = "(list ".repeat(60) + "u8" + &")".repeat(60);
        let functions: String = (0..100).map(|n| format!(r#"(export "more-{n}" (func $f))"#)).collect();
        wat(&format!(
            r#"(component (core module $m (memory (export "m") 1) (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable) (func (export "f") (param i32 i32)))
                (core instance $i (instantiate $m)) (type $l {list})
                (func $f (param "x" $l) (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r"))))
                (instance $p (export "manifest" (func $f)) {functions}) (export "gridbell:policy/plugin@0.1.0" (instance $p)))"#
        ))
    });
}

fn modules(c: &mut Corpus) {
    let mut no = |name, make: fn() -> Vec<u8>| c.refused(E::UploadNotEncodable, name, make);
    no("a module of nothing", || wat("(module)"));
    no("a program with a main", || wat(r#"(module (memory (export "memory") 1) (func (export "_start")))"#));
    no("a module without `decide`", || without(r#"(export "gridbell:policy/plugin@0.1.0#decide")"#));
    no("a module without `manifest`", || without(r#"(export "gridbell:policy/plugin@0.1.0#manifest")"#));
    no("a module without `cabi_realloc`", || without(r#"(export "cabi_realloc")"#));
    no("a module that keeps its memory to itself", || without(r#"(export "memory")"#));
    no("a module of another version", || replaced("plugin@0.1.0#", "plugin@0.7.0#"));
    no("`decide` with another signature", || {
        replaced(
            r##"#decide") (param $args i32) (result i32)"##,
            r##"#decide") (param $args i32) (param i64) (result i32)"##,
        )
    });
    no("`cabi_realloc` with another signature", || {
        replaced(
            "(param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (result i32)",
            "(param $old i32) (param $old_len i32) (param $align i32) (param $len i32) (param i32) (result i32)",
        )
    });
    no("a post-return of another signature", || {
        replaced(
            "(data (i32.const 16)",
            r#"(func (export "cabi_post_gridbell:policy/plugin@0.1.0#decide") (param f64)) (data (i32.const 16)"#,
        )
    });
    no("a description of its world that is none", || {
        [Guest::default().bytes(), custom("component-type", b"\0asm\x0d\0\x01\0garbage")].concat()
    });
    no("a description of its world that is cut off", || {
        [Guest::default().bytes(), custom("component-type:policy", b"\0asm\x0d\0\x01\0\x07\xff\xff\xff")].concat()
    });
}
