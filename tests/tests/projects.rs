//! `gridbell plugin new` and `plugin build` as an author walks them: each language from nothing to a policy whose cases pass.
//!
//! A language whose tools this machine lacks is skipped with the product's own words, which must say how to get them.

use std::path::Path;

use gridbell_tests::{Process, Stream, scratch, skip};
use serde_json::Value;

/// Exit code, standard output, standard error.
fn plugin(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut process = Process::gridbell(["plugin"].iter().chain(arguments));
    let code = process.wait().code();
    (code, process.output(Stream::Out), process.output(Stream::Err))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// New, build, check, test; then what a name in the project's file changes.
fn walk(language: &str) {
    let dir = scratch();
    let project = dir.path().join("tou-reminder-2");
    let (code, out, err) = plugin(&["new", "tou-reminder-2", "--lang", language, "--dir", text(&project), "--json"]);
    assert_eq!(code, Some(0), "{err}");
    let made: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((made["name"].as_str(), made["language"].as_str()), (Some("tou-reminder-2"), Some(language)));

    let (code, _, err) = plugin(&["test", text(&project)]);
    assert!(code == Some(2) && err.contains("is not built yet"), "{err}");

    let (code, out, err) = plugin(&["build", text(&project), "--json"]);
    if let Some(missing) = err.lines().find(|line| code == Some(1) && line.contains(" is missing: ")) {
        skip!("{language}: {missing}");
    }
    assert_eq!(code, Some(0), "{err}");
    let built: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((&built["accepted"], built["name"].as_str()), (&Value::Bool(true), Some("tou-reminder-2")), "{built}");
    assert!(project.join("tou-reminder-2.wasm").is_file(), "{built}");

    let (code, out, err) = plugin(&["check", text(&project), "--json"]);
    let checked: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((code, &checked["digest"]), (Some(0), &built["digest"]), "{err}");

    let (code, out, err) = plugin(&["test", text(&project), "--json"]);
    let tested: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((code, &tested["passed"], &tested["failed"]), (Some(0), &7.into(), &0.into()), "{out}{err}");

    // `interest` and `decide` agree on made-up customers, and a batch stays far inside its budget.
    let (code, out, err) =
        plugin(&["bench", text(&project), "--at", "2026-11-26 09:00", "--customers", "20000", "--json"]);
    let measured: Value = serde_json::from_str(&out).expect("one JSON object");
    assert!(code == Some(0) && measured["decided"].as_u64() > Some(0), "{out}{err}");
    assert_eq!(measured["interest_misses"], 0, "{out}");
}

#[test]
fn c_from_nothing_to_passing_cases() {
    walk("c");
}

#[test]
fn go_from_nothing_to_passing_cases() {
    walk("go");
}

#[test]
fn the_contract_by_hand_from_nothing_to_passing_cases() {
    walk("wat");
}

#[test]
fn javascript_from_nothing_to_passing_cases() {
    walk("js");
}

#[test]
fn python_from_nothing_to_passing_cases() {
    walk("python");
}

#[test]
fn typescript_from_nothing_to_passing_cases() {
    walk("ts");
}

#[test]
fn rust_from_nothing_to_passing_cases() {
    walk("rust");
}

#[test]
fn a_source_that_does_not_compile_leaves_the_artifact_alone() {
    let dir = scratch();
    let project = dir.path().join("broken");
    assert_eq!(plugin(&["new", "broken", "--lang", "c", "--dir", text(&project)]).0, Some(0));
    let main = project.join("main.c");
    let source = std::fs::read_to_string(&main).expect("a template");
    std::fs::write(&main, source.replace("return skip(too_late)", "return skip(no_such_reason)")).expect("written");
    let (code, out, err) = plugin(&["build", text(&project)]);
    if code == Some(1) && err.contains(" is missing: ") {
        skip!("c: {err}");
    }
    assert!(code == Some(3) && err.contains("the build failed") && err.contains("no_such_reason"), "{out}{err}");
    assert!(!project.join("broken.wasm").exists());
}

#[test]
fn what_cannot_be_made_is_refused_with_a_reason() {
    let dir = scratch();
    let taken = dir.path().join("taken");
    std::fs::create_dir(&taken).expect("a folder");
    std::fs::write(taken.join("mine.txt"), "mine").expect("a file");
    let file = dir.path().join("mine.txt");
    std::fs::write(&file, "mine").expect("a file");
    for (name, language, at, said) in [
        ("Taken", "c", dir.path().join("new"), "begins with a letter from a to z"),
        ("fn", "rust", dir.path().join("new"), "compilers have another use"),
        ("../up", "c", dir.path().join("new"), "begins with a letter"),
        ("a/b", "c", dir.path().join("new"), "`/` cannot be in it"),
        ("fine", "cobol", dir.path().join("new"), "possible values: rust"),
        ("fine", "c", taken.clone(), "is there already and not empty"),
    ] {
        let (code, _, err) = plugin(&["new", name, "--lang", language, "--dir", text(&at)]);
        assert!(code == Some(2) && err.contains(said), "{name}: {code:?} {err}");
    }
    assert_eq!(plugin(&["new", "fine", "--lang", "c", "--dir", text(&file)]).0, Some(1));
    assert!(!dir.path().join("new").exists(), "nothing is left of what was refused");
    assert_eq!(std::fs::read_dir(&taken).expect("a folder").count(), 1);

    let project = dir.path().join("fine");
    assert_eq!(plugin(&["new", "fine", "--lang", "c", "--dir", text(&project)]).0, Some(0));
    for (wrong, said) in [
        ("name = \"fine\"\nlanguage = \"cobol\"\n", "`cobol` is not one of"),
        ("name = \"fine\"\nlanguage = \"c\"\nartifact = \"../x.wasm\"\n", "a path inside the project"),
        ("name = \"fine\"\nlanguage = \"c\"\ncolour = 1\n", "line 3"),
        ("name = \"Fine\"\nlanguage = \"c\"\n", "cannot be a plugin's name"),
    ] {
        std::fs::write(project.join("plugin.toml"), wrong).expect("written");
        let (code, _, err) = plugin(&["build", text(&project)]);
        assert!(matches!(code, Some(2 | 3)) && err.contains(said), "{code:?} {err}");
    }
}
