//! Plugins that are none, that break the contract, or that fail at work: refused in words, or one prefecture's failed run, and the host stays up.

mod support;

use std::collections::BTreeSet;

use gridbell_tests::{Http, eventually, root};
use serde_json::{Value, json};
use support::guest::{Guest, NOBODY};
use support::{DATONG, House, Person, TAIYUAN, people};

fn guest(name: &str, decide: &str, more: &str) -> Vec<u8> {
    Guest { more: more.to_owned(), ..Guest::new(name, "1.0.0", decide) }.bytes()
}

fn upload(api: &Http, bytes: &[u8]) -> gridbell_tests::Reply {
    api.call("POST", "/v1/plugins", &[("content-type", "application/wasm")], bytes)
}

fn names(api: &Http) -> BTreeSet<String> {
    let list = api.get("/v1/plugins").expect(200);
    let name = |p: &Value| p["name"].as_str().unwrap_or_default().to_owned();
    let usable = |p: &&Value| matches!(p["stage"]["word"].as_str(), Some("approved" | "live"));
    list["items"].as_array().expect("a list").iter().filter(usable).map(name).collect()
}

#[test]
fn what_is_no_policy_is_refused_in_words_and_changes_nothing() {
    let house = House::with(&people(TAIYUAN, 2, 2));
    let host = house.serve(&house.token("ops", "operator"));
    let before = names(&host.api);
    let whole = std::fs::read(root().join("plugins/prebuilt/bill-notice.wasm")).expect("a plugin");
    let wasi = guest("wasi", "unreachable", r#"(import "wasi_snapshot_preview1" "fd_write" (func))"#);
    let starts = guest("starts", "unreachable", "(start $for-ever) (func $for-ever (loop $again (br $again)))");
    let other = wat::parse_str(r#"(component)"#).expect("a component");
    let bare = wat::parse_str(r#"(module (func (export "answer") (result i32) (i32.const 42)))"#).expect("a module");
    for (what, bytes, word) in [
        ("no WebAssembly", b"#!/bin/sh\necho hello\n".to_vec(), "WebAssembly"),
        ("cut off", whole[..whole.len() / 2].to_vec(), "end-of-file"),
        ("cut off at its end", whole[..whole.len() - 1].to_vec(), "end-of-file"),
        ("another world", other, "gridbell:policy"),
        ("no world at all", bare, "manifest"),
        ("WASI", wasi, "wasi_snapshot_preview1.fd_write"),
        ("a start that never ends", starts, "while starting"),
    ] {
        // Taken at once and looked into beside everything else: refused in the background, with a report.
        let taken = upload(&host.api, &bytes).expect(202);
        let path = format!("/v1/plugins/{}", taken["digest"].as_str().expect("a digest"));
        let refused = eventually("a refusal", || {
            Some(host.api.get(&path).expect(200)).filter(|v| v["stage"]["word"] == "refused")
        });
        let said = refused["report"]["summary"].to_string();
        assert!(said.len() > 30 && said.contains(word), "{what}: {refused}");
        assert_eq!(names(&host.api), before, "{what}");
    }
    let agent = house_token(&host.api, "agent");
    assert_eq!(upload(&host.as_other(&agent), &whole).status, 403);
    assert_eq!(host.api.get("/healthz").status, 200);
    assert_eq!(host.run(TAIYUAN, "arrears-reminder")["queued"], 2, "the host works on");
}

fn house_token(api: &Http, role: &str) -> String {
    let made = api
        .post("/v1/tokens", &json!({ "name": role, "person": role, "role": role, "scope": null, "days": 1 }))
        .expect(201);
    made["token"].as_str().expect("a token").to_owned()
}

#[test]
fn a_plugin_that_fails_at_work_fails_one_run_as_a_whole_and_nobody_elses() {
    // More than one batch, so that some of it would have been decided before the failure.
    let mut everyone: Vec<Person> = people(TAIYUAN, 9_000, 9_000);
    let datong = people(DATONG, 3, 3);
    everyone.extend(datong.iter().cloned());
    let house = House::with(&everyone);
    // The last batch is the shorter one.
    let last = |then: &str| {
        format!("(if (i32.lt_u (i32.load offset=68 (local.get $args)) (i32.const 4096)) (then {then})) {NOBODY}")
    };
    let bad = [
        ("traps", last("unreachable"), "trapped"),
        ("loops", "(loop $again (br $again)) unreachable".to_owned(), "ms"),
        ("eats", "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) unreachable".to_owned(), ""),
        ("lies", "(i32.const -16)".to_owned(), ""),
    ];
    // Certification would refuse each of them; set-up work on a data directory asks nobody.
    for (name, decide, _) in &bad {
        let file = format!("{name}.wasm");
        house.write(&file, guest(name, decide, ""));
        house.run(&["plugin", "install", &house.text(&file)]);
    }
    let host = house.serve(&house.token("ops", "operator"));
    let approver = house_token(&host.api, "approver");
    let apply = |name: &str| {
        let (path, text) = (format!("/v1/policies/{TAIYUAN}"), support::policy(TAIYUAN, name, ""));
        let proposed = host.api.put(&path, &json!({ "document": "taiyuan.toml", "text": text })).expect(202);
        host.agree(&approver, &proposed["proposal"]);
    };
    for (name, _, word) in bad {
        apply(name);
        let order = json!({ "prefecture": TAIYUAN, "policy": "arrears-reminder" });
        let failed = host.api.post("/v1/runs", &order).expect(409);
        let said = failed["detail"].as_str().unwrap_or_default();
        assert!(said.contains(name) && said.contains(word), "{failed}");
        let runs = host.api.get(&format!("/v1/runs?status=failed&prefecture={TAIYUAN}")).expect(200);
        let run = &runs["items"][0];
        assert_eq!((&run["plugin"], &run["queued"]), (&json!(name), &json!(0)), "{run}");
        assert_eq!(host.api.get("/healthz").status, 200);
        // Its author sees error, input and batch.
        let faults = host.api.get(&format!("/v1/plugins/{name}@1.0.0/faults")).expect(200);
        assert_eq!((&faults["in_a_row"], &faults["faults"][0]["policy"]), (&json!(1), &json!("arrears-reminder")));
        let rows = faults["faults"][0]["rows"].as_array().map_or(0, Vec::len);
        let lines = faults["batch_csv"].as_str().unwrap_or_default().lines().count();
        assert!(
            rows > 0 && lines == rows + 1 && faults["batch_csv"].as_str().unwrap_or_default().starts_with("arrears\n"),
            "{name}: {rows} rows, {lines} lines"
        );
    }
    // Two more failures of the last one, and it is out of use everywhere.
    let order = json!({ "prefecture": TAIYUAN, "policy": "arrears-reminder" });
    for _ in 0..2 {
        host.api.post("/v1/runs", &order).expect(409);
    }
    assert_eq!(host.api.get("/v1/plugins/lies@1.0.0").expect(200)["stage"]["word"], "retired");
    let refused = host.api.post("/v1/runs", &order).expect(409);
    assert!(refused["detail"].as_str().is_some_and(|d| d.contains("lies@1.0.0 (retired)")), "{refused}");
    let alarms = host.api.get("/v1/alarms").expect(200);
    assert!(alarms.to_string().contains("plugin.retired"), "{alarms}");
    assert_eq!(host.run(DATONG, "arrears-reminder")["queued"], 3, "the other prefecture goes on");
    for p in &datong {
        eventually("a delivered message", || {
            host.message(&p.account).filter(|m| m["state"]["word"] == "delivered").map(|_| ())
        });
    }
    let phones: BTreeSet<String> = datong.iter().map(|p| p.phone.clone()).collect();
    assert_eq!(house.reached(), phones, "nothing of a failed run is ever sent");
    apply("arrears-reminder");
    assert_eq!(host.run(TAIYUAN, "arrears-reminder")["queued"], 9_000, "and neither does its own for good");
}
