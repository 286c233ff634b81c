//! The life of a plugin version through the API, with real tokens of each role, including every forbidden step: uploaded, certified, approved, canary,
//! pilot, live, rolled back with recall, retired; and the host killed between the steps.

mod support;

use std::collections::BTreeSet;

use gridbell_tests::{Http, eventually};
use serde_json::{Value, json};
use support::{Host, House, TAIYUAN, people, reference_version};

const POLICY: &str = "arrears-reminder";
const OLD: &str = "arrears-reminder@0.1.0";
const NEW: &str = "arrears-reminder@0.1.1";
const ROLES: [&str; 8] = ["operator", "approver", "city-office", "clerk", "agent", "developer", "auditor", "feed"];

/// A token that the API gives, of a role and a scope.
fn token(host: &Host, name: &str, role: &str, scope: Option<u32>) -> Http {
    let body = json!({ "name": name, "person": name, "role": role, "scope": scope, "days": 1 });
    let made = host.api.post("/v1/tokens", &body).expect(201);
    host.as_other(made["token"].as_str().expect("a token"))
}

fn why() -> Value {
    json!({ "why": "试验" })
}

fn upload(api: &Http, bytes: &[u8]) -> gridbell_tests::Reply {
    api.call("POST", "/v1/plugins", &[("content-type", "application/wasm")], bytes)
}

fn stage(api: &Http, version: &str) -> String {
    let found = api.get(&format!("/v1/plugins/{version}")).expect(200);
    found["stage"]["word"].as_str().expect("a stage").to_owned()
}

fn deploy(api: &Http, change: Value) -> gridbell_tests::Reply {
    api.post(&format!("/v1/policies/{TAIYUAN}/{POLICY}/deployment"), &json!({ "change": change, "why": "试验" }))
}

fn digests_of_runs(host: &Host) -> Vec<(String, u64)> {
    let runs = host.all("/v1/runs");
    let one = |r: &Value| {
        let version = r["plugin_version"].as_str().or(r["version"].as_str()).unwrap_or_default().to_owned();
        (version, r["queued"].as_u64().unwrap_or(0))
    };
    runs.iter().map(one).collect()
}

#[test]
fn a_version_goes_from_upload_to_live_and_back_and_nobody_takes_a_step_that_is_not_his() {
    let people = people(TAIYUAN, 60, 60);
    let house = House::with(&people);
    let ops = house.token("ops", "operator");
    let mut host = house.serve(&ops);
    // Nothing leaves: what is queued can be taken back.
    host.api.post("/v1/stops", &json!({ "scope": "province", "why": "试验" })).expect(201);
    let everybody: Vec<(&str, Http)> = ROLES.iter().map(|r| (*r, token(&host, &format!("any-{r}"), r, None))).collect();
    let developer = token(&host, "dev", "developer", None);

    // Upload: whoever may not is told so before the file is read.
    let bytes = reference_version(b'1');
    for (role, api) in &everybody {
        if !matches!(*role, "operator" | "developer") {
            assert_eq!(upload(api, &bytes).status, 403, "{role} uploads");
        }
    }
    let taken = upload(&developer, &bytes).expect(202);
    let digest = taken["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(upload(&developer, &bytes).expect(202)["digest"], digest, "the same content is the same version");

    // Killed at once: the next start goes on where it was.
    host.process.kill();
    host = house.serve(&ops);
    let again = |api: &Http| host.as_other(api.token().expect("a token"));
    let everybody: Vec<(&str, Http)> = everybody.iter().map(|(r, api)| (*r, again(api))).collect();
    let developer = again(&developer);
    eventually("a certificate", || {
        let now = stage(&developer, &digest);
        assert!(
            !matches!(now.as_str(), "refused" | "failed-certification"),
            "{}",
            developer.get(&format!("/v1/plugins/{digest}")).body
        );
        (now == "certified").then_some(())
    });

    // Not approved yet: no policy can use it.
    assert_eq!(deploy(&host.api, json!({ "mode": "live", "version": NEW })).status, 409);
    for (role, api) in &everybody {
        if *role != "approver" {
            assert_eq!(api.post(&format!("/v1/plugins/{NEW}/approve"), &why()).status, 403, "{role} approves");
        }
    }
    let of_the_city = token(&host, "city-approver", "approver", Some(TAIYUAN));
    assert_eq!(of_the_city.post(&format!("/v1/plugins/{NEW}/approve"), &why()).status, 404, "code is the province's");
    let approver = token(&host, "approver", "approver", None);
    assert_eq!(approver.post(&format!("/v1/plugins/{NEW}/approve"), &json!({})).status, 422, "a reason is needed");
    let approved = approver.post(&format!("/v1/plugins/{NEW}/approve"), &why()).expect(200);
    assert_eq!(approved["stage"]["word"], "approved");
    assert_eq!(approver.post(&format!("/v1/plugins/{NEW}/approve"), &why()).status, 409, "once");
    let deployed = |host: &Host| host.api.get(&format!("/v1/policies/{TAIYUAN}/{POLICY}/deployment")).expect(200);
    assert_eq!(deployed(&host)["live"]["version"], OLD, "an approval makes nothing live");

    // Canary: proposed by the office, agreed to by the province's approver and nobody else.
    let office = token(&host, "office", "city-office", Some(TAIYUAN));
    for (role, api) in &everybody {
        if !matches!(*role, "operator" | "city-office") {
            assert_eq!(deploy(api, json!({ "mode": "canary", "version": NEW, "percent": 30 })).status, 403, "{role}");
        }
    }
    let proposed = deploy(&office, json!({ "mode": "canary", "version": NEW, "percent": 30 })).expect(202);
    assert_eq!(proposed["needs"]["word"], "province");
    let path = format!("/v1/proposals/{}", proposed["id"]);
    let colleague = token(&host, "colleague", "city-office", Some(TAIYUAN));
    for (name, api) in [("its author", &office), ("the same city", &colleague), ("the city's approver", &of_the_city)] {
        assert_eq!(api.post(&format!("{path}/approve"), &why()).status, 403, "{name} agrees");
    }
    for (role, api) in &everybody {
        if *role != "approver" {
            assert_eq!(api.post(&format!("{path}/approve"), &why()).status, 403, "{role} agrees");
        }
    }
    host.agree(approver.token().expect("a token"), &proposed["id"]);
    assert_eq!(approver.post(&format!("{path}/approve"), &why()).status, 409, "once");
    assert_eq!(deployed(&host)["canary"]["percent"], 30);
    host.run(TAIYUAN, POLICY);
    let runs = digests_of_runs(&host);
    assert_eq!(runs.len(), 2, "one run for each version: {runs:?}");
    let total: u64 = runs.iter().map(|(_, queued)| queued).sum();
    assert_eq!(total, 60, "everybody once: {runs:?}");
    assert!(runs.iter().all(|(_, queued)| *queued > 0), "{runs:?}");
    let canary: u64 = runs.iter().map(|(_, q)| *q).min().expect("two runs");

    // Rollback: anybody of the house who may stop things; what the canary queued is taken back, what the live version queued is not.
    for (role, api) in &everybody {
        if !matches!(*role, "operator" | "city-office" | "approver") {
            let path = format!("/v1/policies/{TAIYUAN}/{POLICY}/rollback");
            assert_eq!(api.post(&path, &why()).status, 403, "{role} rolls back");
        }
    }
    let rollback = format!("/v1/policies/{TAIYUAN}/{POLICY}/rollback");
    let done = office.post(&rollback, &why()).expect(200);
    assert_eq!((&done["to"], &done["left"]), (&json!(OLD), &json!(0)), "{done}");
    let recalled = done["recalled"].as_u64().expect("a number");
    assert!(recalled == canary || recalled == 60 - canary, "{done}, runs {runs:?}");
    assert_eq!(deployed(&host)["canary"], Value::Null);
    let stale = deploy(&office, json!({ "mode": "live", "version": NEW })).expect(202);
    assert_eq!(stale["state"]["word"], "open");

    // Killed between the steps: what was proposed is there, and the next change of the same thing makes it stale.
    host.process.kill();
    host = house.serve(&ops);
    let again = |api: &Http| host.as_other(api.token().expect("a token"));
    let (office, approver) = (again(&office), again(&approver));
    assert_eq!(deployed(&host)["live"]["version"], OLD);
    let pilot = json!({ "mode": "pilot", "version": NEW, "stations": [TAIYUAN * 1_000 + 501] });
    let piloted = deploy(&office, pilot).expect(202);
    host.agree(approver.token().expect("a token"), &piloted["id"]);
    let path = format!("/v1/proposals/{}/approve", stale["id"]);
    assert_eq!(approver.post(&path, &why()).status, 409, "it was proposed for another deployment");
    let live = deploy(&office, json!({ "mode": "live", "version": NEW })).expect(202);
    assert_eq!(office.post(&format!("/v1/proposals/{}/withdraw", stale["id"]), &why()).status, 409);
    host.agree(approver.token().expect("a token"), &live["id"]);
    let now = deployed(&host);
    assert_eq!((&now["live"]["version"], &now["last_good"]["version"]), (&json!(NEW), &json!(OLD)), "{now}");
    assert_eq!(stage(&host.api, NEW), "live");

    // Live, rolled back, retired.
    let done = approver.post(&format!("/v1/policies/{TAIYUAN}/{POLICY}/rollback"), &why()).expect(200);
    assert_eq!(done["to"], OLD);
    let retire = format!("/v1/plugins/{NEW}/retire");
    assert_eq!(office.post(&retire, &why()).status, 404, "code is the province's");
    assert_eq!(approver.post(&retire, &why()).expect(200)["stage"]["word"], "retired");
    assert_eq!(deploy(&office, json!({ "mode": "live", "version": NEW })).status, 409, "nothing uses it any more");
    let actions: BTreeSet<String> =
        host.all("/v1/audit").iter().map(|e| e["action"].as_str().unwrap_or_default().to_owned()).collect();
    for action in [
        "plugin.uploaded",
        "plugin.checked",
        "plugin.certified",
        "plugin.approved",
        "plugin.retired",
        "proposal.create",
        "proposal.approve",
        "deployment.canary",
        "deployment.pilot",
        "deployment.live",
        "policy.rollback",
        "policy.recalled",
    ] {
        assert!(actions.contains(action), "{action} in {actions:?}");
    }
    assert_eq!(host.process.terminate().code(), Some(0));
}

#[test]
fn parameters_are_the_citys_within_the_provinces_limits() {
    let house = House::with(&people(TAIYUAN, 2, 2));
    let limits =
        "\n[[parameter_limits]]\nplugin = \"arrears-reminder\"\nparameter = \"minimum\"\nmin = 100\nmax = 5000\n";
    let rules = std::fs::read_to_string(house.path("rules.toml")).expect("rules");
    house.write("limited.toml", format!("{rules}{limits}"));
    house.run(&["policy", "rules", &house.text("limited.toml")]);
    let host = house.serve(&house.token("ops", "operator"));
    let office = token(&host, "office", "city-office", Some(TAIYUAN));
    let colleague = token(&host, "colleague", "city-office", Some(TAIYUAN));
    let elsewhere = token(&host, "elsewhere", "city-office", Some(support::DATONG));
    let approver = token(&host, "approver", "approver", None);
    let path = format!("/v1/policies/{TAIYUAN}/{POLICY}/parameters");
    let minimum = || {
        host.api.get(&format!("/v1/policies/{TAIYUAN}/{POLICY}")).expect(200)["policy"]["parameters"]["minimum"].clone()
    };

    let within = office.patch(&path, &json!({ "minimum": 900 })).expect(202);
    assert_eq!(within["needs"]["word"], "city", "{within}");
    let approve = format!("/v1/proposals/{}/approve", within["proposal"]);
    assert_eq!(elsewhere.post(&approve, &why()).status, 404, "another city's");
    assert_eq!(office.post(&approve, &why()).status, 403, "his own");
    assert_ne!(minimum(), json!(900));
    assert_eq!(colleague.post(&approve, &why()).expect(200)["state"]["word"], "applied");
    assert_eq!(minimum(), json!(900));

    let beyond = office.patch(&path, &json!({ "minimum": 9_000 })).expect(202);
    assert_eq!(beyond["needs"]["word"], "province", "{beyond}");
    let approve = format!("/v1/proposals/{}/approve", beyond["proposal"]);
    assert_eq!(colleague.post(&approve, &why()).status, 403, "beyond the province's limits");
    assert_eq!(approver.post(&approve, &why()).expect(200)["state"]["word"], "applied");
    assert_eq!(minimum(), json!(9_000));

    // The limits themselves are for two people of the province's.
    let text = format!("{rules}{}", limits.replace("5000", "6000"));
    let put = host.api.call("PUT", "/v1/rules", &[("content-type", "application/toml")], text.as_bytes());
    let proposed = put.expect(202);
    let approve = format!("/v1/proposals/{}/approve", proposed["proposal"]);
    assert_eq!(colleague.post(&approve, &why()).status, 403);
    assert_eq!(host.api.post(&approve, &why()).status, 403, "the operator proposed it, and approves nothing");
    host.agree(approver.token().expect("a token"), &proposed["proposal"]);
    assert!(host.api.get("/v1/rules").body.contains("max = 6000"));
    let refused = office.patch(&path, &json!({ "minimum": 800 })).expect(202);
    let refuse = format!("/v1/proposals/{}/refuse", refused["proposal"]);
    assert_eq!(colleague.post(&refuse, &why()).expect(200)["state"]["word"], "refused");
    let withdrawn = office.patch(&path, &json!({ "minimum": 700 })).expect(202);
    let withdraw = format!("/v1/proposals/{}/withdraw", withdrawn["proposal"]);
    assert_eq!(office.post(&withdraw, &why()).expect(200)["state"]["word"], "withdrawn");
    assert_eq!(minimum(), json!(9_000));
}

#[test]
fn nobody_approves_his_own_by_another_door() {
    let house = House::with(&people(TAIYUAN, 2, 2));
    let host = house.serve(&house.token("ops", "operator"));
    let issue = |name: &str, person: Option<&str>, role: &str| {
        let body = json!({ "name": name, "person": person, "role": role, "scope": null, "days": 1 });
        let made = host.api.post("/v1/tokens", &body).expect(201);
        (made["person"].clone(), host.as_other(made["token"].as_str().expect("a token")))
    };
    let user = json!({ "title": "王工", "role": "approver", "scope": null, "password": "correct-horse-9" });
    host.api.put("/v1/users/wang", &user).expect(200);
    let (person, works) = issue("wang-works", Some("wang"), "city-office");
    assert_eq!(person, "wang");
    let me = works.get("/v1/me").expect(200);
    assert_eq!((&me["name"], &me["person"]), (&json!("wang/wang-works"), &json!("wang")));
    let (_, agrees) = issue("wang-agrees", Some("wang"), "approver");
    let (_, uploads) = issue("wang-uploads", Some("wang"), "developer");
    let (_, li) = issue("li-agrees", Some("li"), "approver");
    // Without a name it is the issuer's: he has it in his hands. A token of the command line without a name is nobody's but its own.
    let (person, of_ops) = issue("spare", None, "approver");
    assert_eq!(person, "token:ops");
    assert_eq!(host.api.get("/v1/me").expect(200)["person"], "token:ops");
    let wrong = json!({ "name": "x-1", "person": "Wang Wu", "role": "feed", "scope": null, "days": 1 });
    assert_eq!(host.api.post("/v1/tokens", &wrong).status, 422);

    let parameters = format!("/v1/policies/{TAIYUAN}/{POLICY}/parameters");
    let proposed = works.patch(&parameters, &json!({ "minimum": 900 })).expect(202);
    let path = format!("/v1/proposals/{}", proposed["proposal"]);
    for step in ["approve", "refuse"] {
        assert_eq!(agrees.post(&format!("{path}/{step}"), &why()).status, 403, "his own by another token: {step}");
    }
    // The same person at the console.
    let form = |cookie: &str, path: &str, body: &str| {
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie)];
        host.as_other("").call("POST", path, &headers, body.as_bytes())
    };
    let signed_in = form("", "/signin", "name=wang&password=correct-horse-9");
    let cookie = signed_in.header("set-cookie").and_then(|c| c.split(';').next()).expect("a session").to_owned();
    let page = host.as_other("").call("GET", "/proposals", &[("cookie", &cookie)], &[]);
    let csrf = page.body.split("name=\"csrf\" value=\"").nth(1).expect("a form")[..64].to_owned();
    let id = &proposed["proposal"];
    let said = form(&cookie, "/proposals/decide", &format!("csrf={csrf}&act=approve&id={id}&why=ok-by-me"));
    assert!(said.body.contains("another person must approve it"), "his own at the console: {}", said.body);
    assert_eq!(host.api.get(&path).expect(200)["state"]["word"], "open");
    // Taking back is his by any door that may change policies.
    let (_, other) = issue("wang-other", Some("wang"), "city-office");
    assert_eq!(other.post(&format!("{path}/withdraw"), &why()).expect(200)["state"]["word"], "withdrawn");

    let again = works.patch(&parameters, &json!({ "minimum": 900 })).expect(202);
    assert_eq!(li.post(&format!("/v1/proposals/{}/withdraw", again["proposal"]), &why()).status, 403, "another's");
    host.agree(li.token().expect("a token"), &again["proposal"]);
    let mine = host.api.patch(&parameters, &json!({ "minimum": 800 })).expect(202);
    let path = format!("/v1/proposals/{}/approve", mine["proposal"]);
    assert_eq!(of_ops.post(&path, &why()).status, 403, "a token that its issuer kept for himself");
    assert_eq!(agrees.post(&path, &why()).expect(200)["state"]["word"], "applied");

    let taken = upload(&uploads, &reference_version(b'1')).expect(202);
    let digest = taken["digest"].as_str().expect("a digest");
    eventually("a certificate", || (stage(&host.api, digest) == "certified").then_some(()));
    assert_eq!(agrees.post(&format!("/v1/plugins/{NEW}/approve"), &why()).status, 403, "his own upload");
    assert_eq!(li.post(&format!("/v1/plugins/{NEW}/approve"), &why()).expect(200)["stage"]["word"], "approved");
}
