//! `gridbell plugin` as an author uses it: the real binary on the prebuilt plugins, on files that are none, and on cases that fail.

use std::path::{Path, PathBuf};

use gridbell_tests::{Process, Stream, root, scratch};
use serde_json::Value;

fn prebuilt(name: &str) -> PathBuf {
    root().join("plugins/prebuilt").join(format!("{name}.wasm"))
}

fn plugin(arguments: &[&str]) -> Process {
    Process::gridbell(["plugin"].iter().chain(arguments))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("paths of tests are text")
}

/// Exit code and standard output.
fn done(arguments: &[&str]) -> (Option<i32>, String) {
    let mut process = plugin(arguments);
    let code = process.wait().code();
    (code, process.output(Stream::Out))
}

#[test]
fn each_reference_plugin_is_accepted_and_shows_itself() {
    for name in ["arrears-reminder", "arrears-reminder-c", "bill-notice", "balance-warning", "payment-received"] {
        let file = prebuilt(name);
        let (code, out) = done(&["check", text(&file), "--json"]);
        let said: Value = serde_json::from_str(&out).expect("one JSON object");
        assert_eq!((code, &said["accepted"], said["name"].as_str()), (Some(0), &Value::Bool(true), Some(name)));
        let (code, out) = done(&["inspect", text(&file), "--json"]);
        let shown: Value = serde_json::from_str(&out).expect("one JSON object");
        assert_eq!((code, &shown["digest"], &shown["version"]), (Some(0), &said["digest"], &said["version"]));
        let manifest = std::fs::read_to_string(file.with_extension("json")).expect("the manifest lies beside it");
        let manifest: Value = serde_json::from_str(&manifest).expect("JSON");
        for key in ["columns", "triggers", "notices", "reasons", "routes", "parameters", "topic"] {
            assert_eq!(shown[key], manifest[key], "{key} of {name}");
        }
    }
}

#[test]
fn what_the_host_would_refuse_is_refused_with_the_cure() {
    let dir = scratch();
    let write = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        path
    };
    let whole = std::fs::read(prebuilt("arrears-reminder")).expect("prebuilt");
    for (path, said) in [
        (write("text.wasm", b"(module)"), "not WebAssembly"),
        (write("cut.wasm", &whole[..whole.len() / 2]), "not valid WebAssembly: it ends at byte"),
        (write("empty-module.wasm", b"\0asm\x01\0\0\0"), "cannot be made a component"),
    ] {
        let mut process = plugin(&["check", text(&path)]);
        assert_eq!(process.wait().code(), Some(3), "{}", path.display());
        let error = process.output(Stream::Err);
        assert!(error.contains(said) && error.contains(text(&path)), "{error}");
    }
    assert_eq!(done(&["check", text(&dir.path().join("absent.wasm"))]).0, Some(1));
}

#[test]
fn the_reference_policys_cases_hold_for_rust_and_for_c() {
    let cases = root().join("plugins/arrears-reminder/cases.toml");
    for name in ["arrears-reminder", "arrears-reminder-c"] {
        let (code, out) = done(&["test", text(&prebuilt(name)), "--cases", text(&cases), "--json"]);
        let said: Value = serde_json::from_str(&out).expect("one JSON object");
        assert_eq!((code, &said["failed"]), (Some(0), &Value::from(0)), "{out}");
        assert!(said["passed"].as_u64() >= Some(11), "{out}");
    }
}

#[test]
fn a_failed_case_says_which_fact_decided_and_update_writes_what_is() {
    let dir = scratch();
    let cases = dir.path().join("cases.toml");
    let before = "# kept\n[[case]]\nname = \"eight days\"\nnow = \"2026-11-20 09:00\" # kept too\n\
                  customer = { arrears = \"20.00\", late-fee-from = \"2026-11-28\" }\nexpect = { notice = \"reminder\" }\n\n\
                  [[case]]\nname = \"new\"\nnow = \"2026-11-27 09:00\"\ncustomer = { arrears = \"20.00\", late-fee-from = \"2026-11-28\" }\n";
    std::fs::write(&cases, before).expect("a file");
    let file = prebuilt("arrears-reminder");
    let (code, out) = done(&["test", text(&file), "--cases", text(&cases)]);
    assert_eq!(code, Some(4), "{out}");
    for part in [
        "FAILED  eight days",
        "notice: expected reminder",
        "if late-fee-from were 2026-11-27 instead of 2026-11-28",
        "nothing = too-early",
        "NEW     new",
        "0 passed, 2 failed",
    ] {
        assert!(out.contains(part), "`{part}` is not in\n{out}");
    }
    assert_eq!(std::fs::read_to_string(&cases).expect("readable"), before, "nothing is written without --update");
    assert_eq!(done(&["test", text(&file), "--cases", text(&cases), "--update"]).0, Some(0));
    let after = std::fs::read_to_string(&cases).expect("readable");
    for part in ["# kept\n", "# kept too", "nothing = \"too-early\"", "step = 3", "amount = \"20.00\""] {
        assert!(after.contains(part), "`{part}` is not in\n{after}");
    }
    assert_eq!(done(&["test", text(&file), "--cases", text(&cases)]).0, Some(0), "what was written down holds");
}

#[test]
fn a_trial_over_a_file_decides_and_names_the_rows_it_left_out() {
    let dir = scratch();
    let customers = dir.path().join("customers.csv");
    let rows = "\u{feff}account,arrears,late-fee-from,traits,reminded-step,name\n\
                0012345678901,86.50,2026-11-28,resident,0,not for the plugin\n\
                0012345678902,0,none,,,\n\
                0012345678903,x,2026-11-28,,,\n\
                0012345678904,86.50,2026-11-28,resident prepaid,0,\n";
    std::fs::write(&customers, rows).expect("a file");
    let file = prebuilt("arrears-reminder");
    let at = ["--customers", text(&customers), "--at", "2026-11-21 09:00"];
    let mut process = plugin(&[&["run", text(&file), "--all", "--json"], &at[..]].concat());
    assert_eq!(process.wait().code(), Some(3), "a row was left out");
    let out = process.output(Stream::Out);
    let lines: Vec<Value> = out.lines().map(|l| serde_json::from_str(l).expect("JSON lines")).collect();
    let said: Vec<(&str, &str)> = lines[..3]
        .iter()
        .map(|l| {
            let answer = &l["answer"];
            let word = answer["notice"].as_str().or(answer["nothing"].as_str());
            (l["account"].as_str().expect("an account"), word.expect("an answer"))
        })
        .collect();
    let expected =
        [("0012345678901", "reminder"), ("0012345678902", "nothing-owed"), ("0012345678904", "prepaid-apart")];
    assert_eq!(said, expected);
    assert_eq!((&lines[3]["customers"], &lines[3]["rejected"]), (&Value::from(3), &Value::from(1)));
    let error = process.output(Stream::Err);
    assert!(error.contains("line 4, arrears") && error.contains("yuan"), "{error}");

    let parameters = plugin(&[&["run", text(&file), "--parameters", r#"{"steps":[0]}"#], &at[..]].concat());
    let mut parameters = parameters;
    assert_eq!(parameters.wait().code(), Some(3));
    assert!(parameters.output(Stream::Err).contains("提前天数"), "{}", parameters.output(Stream::Err));
}

#[test]
fn measurements_are_numbers_within_the_budget() {
    let file = prebuilt("arrears-reminder");
    let (code, out) = done(&["bench", text(&file), "--at", "2026-11-21 09:00", "--customers", "20000", "--json"]);
    let said: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((code, &said["customers"], &said["interest_misses"]), (Some(0), &20_000.into(), &0.into()), "{out}");
    let number = |pointer: &str| said.pointer(pointer).and_then(Value::as_f64).expect("a number");
    assert!(number("/decided") > 0.0 && number("/passed") >= number("/decided"));
    assert!(number("/fuel_per_customer") > 1.0 && number("/customers_per_s") > 1.0);
    assert!(number("/memory_bytes/used") > 65_536.0 && number("/memory_bytes/share") < 1.0);
}

#[test]
fn a_plugin_is_certified_or_what_fails_is_shown_as_a_case() {
    let dir = scratch();
    let customers = dir.path().join("customers.csv");
    std::fs::write(&customers, "account,arrears,late-fee-from\n1,20.00,2026-11-24\n2,0,none\n").expect("a file");
    let file = prebuilt("arrears-reminder");
    let at = ["--at", "2026-11-21 09:00"];
    let (code, out) = done(&["certify", text(&file), "--customers", text(&customers), at[0], at[1], "--json"]);
    let said: Value = serde_json::from_str(&out).expect("one JSON object");
    assert_eq!((code, &said["passed"], &said["real"]), (Some(0), &Value::Bool(true), &Value::from(2)), "{out}");
    assert_eq!(said["checks"].as_array().map(Vec::len), Some(16));
    assert!(said["batch_cost_us"].as_u64() > Some(0) && said["fuel_per_customer"].as_u64() > Some(0));

    let (code, out) = done(&["certify", text(&file), at[0], at[1], "--fuel", "1"]);
    assert_eq!(code, Some(4), "{out}");
    assert!(out.contains("NOT certified") && out.contains("FAILED  fuel") && out.contains("[[case]]"), "{out}");

    let broken = dir.path().join("text.wasm");
    std::fs::write(&broken, b"(module)").expect("a file");
    assert_eq!(done(&["certify", text(&broken)]).0, Some(3));
    assert_eq!(done(&["certify", text(&dir.path().join("absent.wasm"))]).0, Some(1));
}
