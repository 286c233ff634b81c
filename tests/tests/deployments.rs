//! Several versions of one policy at work: a shadow that sends nothing, a live version that fails, a rollback in the middle of a run, a host killed in the
//! middle of a recall, runs of a canary and a pilot done again, and what a pilot would tell everybody else.

mod support;

use std::collections::{BTreeMap, BTreeSet};

use gridbell_tests::eventually;
use serde_json::{Value, json};
use support::deployed::{MUCH, NEW, OLD, POLICY, deploy, deployment, drained, house, path, phones, token};
use support::guest::Guest;
use support::{DATONG, Host, Person, TAIYUAN, people, policy};

/// Looks at the metrics until a recall has begun, one right after the other: a pause would miss its middle.
const LOOKS: u32 = 50_000;

#[test]
fn a_shadow_decides_about_everybody_and_sends_nothing() {
    let people = people(TAIYUAN, 50, 40);
    // They owe 1000 to 1039 fen.
    let live = Guest::choosing("1.0.0", 1_000, 1_029, MUCH, 0);
    let shadow = Guest::choosing("1.1.0", 1_010, 1_039, 1_025, 0);
    let house = house(&people, &live, &[shadow], "");
    let host = house.serve(&house.token("ops", "operator"));
    let approver = token(&host, "approver", "approver");
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "shadow", "version": NEW }));
    assert_eq!(deployment(&host)["shadows"][0]["version"], NEW);
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!(run["queued"], 30, "{run}");
    let runs = host.all("/v1/runs");
    assert_eq!(runs.len(), 1, "a shadow has no run of its own: {runs:?}");
    assert_eq!(runs[0]["plugin_version"], "1.0.0");

    let said = house.ask(&host, &["shadow", "report", "140100", POLICY, "--json"]);
    let report: Value = serde_json::from_str(&said).expect("JSON");
    let report = &report["items"][0];
    assert_eq!((&report["version"], &report["runs"]), (&json!(NEW), &json!(1)), "{report}");
    assert_eq!((&report["live_sends"], &report["shadow_sends"]), (&json!(30), &json!(30)), "{report}");
    assert_eq!(report["differences"], json!({ "added": 10, "dropped": 10, "reason": 5 }), "{report}");
    assert_eq!(report["same"], 15, "{report}");
    let named: BTreeSet<&str> =
        report["samples"]["added"].as_array().expect("samples").iter().filter_map(|s| s["account"].as_str()).collect();
    assert_eq!(named, people[30..40].iter().map(|p| p.account.as_str()).collect::<BTreeSet<_>>(), "each is named");
    let said = house.ask(&host, &["shadow", "report", "140100", POLICY]);
    assert!(said.contains(NEW) && said.contains("added: 10") && said.contains(&people[30].account), "{said}");

    drained(&host);
    assert_eq!(house.reached(), phones(&people[..30]), "whom only the shadow would tell was told nothing");
    assert_eq!(host.message(&people[30].account), None);
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "end-shadow", "version": NEW }));
    host.run(TAIYUAN, POLICY);
    let after: Value = host.api.get(&path(TAIYUAN, "shadow")).expect(200);
    assert_eq!(after["items"][0]["runs"], 1, "it saw no more, and what it saw stays: {after}");
}

#[test]
fn a_live_version_that_fails_falls_back_or_stops_and_its_third_failure_retires_it() {
    let (taiyuan, datong) = (people(TAIYUAN, 20, 20), people(DATONG, 3, 3));
    let all: Vec<Person> = taiyuan.iter().chain(&datong).cloned().collect();
    let house = house(
        &all,
        &Guest::choosing("1.0.0", 1, MUCH, MUCH, 0),
        &[Guest::new("hand-made", "1.1.0", "unreachable")],
        "on_failure = \"last-good\"",
    );
    // The other city's policy stops.
    house.write("stops.toml", policy(DATONG, "hand-made", "on_failure = \"stop\""));
    house.run(&["policy", "apply", &house.text("stops.toml")]);
    let host = house.serve(&house.token("ops", "operator"));
    let approver = token(&host, "approver", "approver");
    for prefecture in [TAIYUAN, DATONG] {
        deploy(&host, &approver, prefecture, json!({ "mode": "live", "version": NEW }));
    }
    let in_a_row = || host.api.get(&format!("/v1/plugins/{NEW}/faults")).expect(200)["in_a_row"].clone();
    let order = |prefecture: u32| json!({ "prefecture": prefecture, "policy": POLICY });

    let run = host.run(TAIYUAN, POLICY);
    assert_eq!(run["queued"], 20, "{run}");
    let runs = host.all("/v1/runs");
    let seen: Vec<(&str, &str)> =
        runs.iter().map(|r| (r["plugin_version"].as_str().unwrap_or(""), r["status"].as_str().unwrap_or(""))).collect();
    assert_eq!(seen, [("1.0.0", "published"), ("1.1.0", "failed")], "newest first");
    assert!(host.api.get("/v1/alarms").expect(200).to_string().contains("plugin.fell-back"));
    assert_eq!(in_a_row(), 1);

    let failed = host.api.post("/v1/runs", &order(DATONG)).expect(409);
    assert!(failed["detail"].as_str().is_some_and(|d| d.contains("trapped")), "{failed}");
    assert_eq!((in_a_row(), host.message(&datong[0].account)), (json!(2), None));

    // The third failure, and still the run is made.
    let run = host.run(TAIYUAN, POLICY);
    assert_eq!((&run["queued"], &in_a_row()), (&json!(0), &json!(3)), "everybody was told: {run}");
    assert_eq!(host.api.get(&format!("/v1/plugins/{NEW}")).expect(200)["stage"]["word"], "retired");
    assert!(host.api.get("/v1/alarms").expect(200).to_string().contains("plugin.retired"));
    let failures = || host.all("/v1/runs").iter().filter(|r| r["status"] == "failed").count();
    let before = failures();
    host.run(TAIYUAN, POLICY);
    assert_eq!(failures(), before, "a retired version is not tried again");
    let refused = host.api.post("/v1/runs", &order(DATONG)).expect(409);
    assert!(refused["detail"].as_str().is_some_and(|d| d.contains("retired")), "{refused}");
    drained(&host);
    assert_eq!(house.reached(), phones(&taiyuan), "the one city's messages went out, the other's stopped");
}

#[test]
fn a_rollback_in_the_middle_of_a_run_holds_before_its_next_batch() {
    // Fifteen batches, each of which the live version takes its time for.
    let people = people(TAIYUAN, 60_000, 40);
    let chooses = |version: &str, spin| Guest::choosing(version, 1, MUCH, MUCH, spin);
    let others = [chooses("1.1.0", 100_000_000), chooses("1.2.0", 0)];
    let house = house(&people, &chooses("1.0.0", 0), &others, "");
    let host = house.serve(&house.token("ops", "operator"));
    // What is queued has not left.
    host.api.post("/v1/stops", &json!({ "scope": "province", "why": "试验" })).expect(201);
    let approver = token(&host, "approver", "approver");
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "live", "version": NEW }));
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "canary", "version": "hand-made@1.2.0", "percent": 50 }));

    let api = host.api.clone();
    let order = json!({ "prefecture": TAIYUAN, "policy": POLICY });
    let asked = std::thread::spawn(move || api.post("/v1/runs", &order));
    // The canary decided and queued; the live version is at work.
    let canary = eventually("the canary's run", || host.all("/v1/runs").first().cloned());
    assert_eq!(canary["plugin_version"], "1.2.0");
    let queued = canary["queued"].as_u64().expect("a number");
    assert!(queued > 0 && queued < 40, "{canary}");
    let done = host.api.post(&path(TAIYUAN, "rollback"), &json!({ "to": OLD, "why": "误发" })).expect(200);
    assert_eq!(done["to"], OLD);
    assert_eq!((&done["recalled"], &done["left"]), (&json!(queued), &json!(0)), "{done}");

    let run = asked.join().expect("the asking thread").expect(200);
    assert_eq!(run["queued"], 40, "the version gone back to decided for everybody, the canary's customers too: {run}");
    let runs = host.all("/v1/runs");
    let versions: Vec<&str> = runs.iter().filter_map(|r| r["plugin_version"].as_str()).collect();
    assert_eq!(versions, ["1.0.0", "1.2.0"], "the version that was at work ended between two batches: {runs:?}");
    assert_eq!(host.api.delete("/v1/stops/province").status, 204);
    drained(&host);
    assert_eq!(house.reached(), phones(&people[..40]));
    assert!(house.received().values().all(|times| *times == 1), "nobody is told twice: {:?}", house.received());
}

#[test]
fn a_host_killed_in_the_middle_of_a_recall_finishes_it_and_sends_nothing_twice() {
    const OWING: u64 = 30_000;
    let people = people(TAIYUAN, OWING, OWING);
    let chooses = |version: &str| Guest::choosing(version, 1, MUCH, MUCH, 0);
    let house = house(&people, &chooses("1.0.0"), &[chooses("1.1.0")], "");
    let token_of_ops = house.token("ops", "operator");
    let mut host = house.serve(&token_of_ops);
    let approver = token(&host, "approver", "approver");
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "live", "version": NEW }));
    let stop = |host: &Host| {
        host.api.post("/v1/stops", &json!({ "scope": "province", "why": "试验" })).expect(201);
    };
    let lift = |host: &Host| assert_eq!(host.api.delete("/v1/stops/province").status, 204);
    let of = |host: &Host, state: &str| host.metric("gridbell_outbox_messages", &format!("state=\"{state}\""));

    // Some of it leaves, the rest is stopped.
    stop(&host);
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], OWING);
    lift(&host);
    house.accepted(200);
    stop(&host);
    eventually("what is on its way has come to its end", || {
        (of(&host, "submitting") + of(&host, "submitted") == 0.0).then_some(())
    });
    let left = house.reached();
    let waiting = of(&host, "queued") as u64;
    assert_eq!(waiting + left.len() as u64, OWING);
    assert!(waiting > 10_000, "{waiting} of {OWING} wait");

    // Killed when a part of the recall is done.
    let api = host.api.clone();
    let asked = std::thread::spawn(move || {
        let body = json!({ "why": "误发" }).to_string();
        api.try_call("POST", &path(TAIYUAN, "rollback"), &[("content-type", "application/json")], body.as_bytes())
    });
    let begins = (0..LOOKS).any(|_| (of(&host, "queued") as u64) < waiting);
    assert!(begins, "the recall begins");
    assert!(host.process.kill());
    assert!(asked.join().expect("the asking thread").is_err(), "it was cut off before it was through");

    // The restart finishes it by itself.
    host = house.serve(&token_of_ops);
    let done = eventually("the recall's end", || {
        let now = deployment(&host);
        (now["rollback"]["done"] == true).then_some(now)
    });
    assert_eq!((&done["live"]["version"], &done["rollback"]["recalled"]), (&json!(OLD), &json!(waiting)), "{done}");
    assert_eq!(done["rollback"]["left"], left.len(), "{done}");
    assert_eq!(of(&host, "queued"), 0.0);
    let recalled = || host.all("/v1/audit").iter().filter(|e| e["action"] == "policy.recalled").count();
    assert_eq!(recalled(), 1, "said once");
    assert_eq!(house.reached(), left, "nothing left meanwhile");

    // Whom it was taken back from is told by the version before, whoever had it is not told again.
    assert_eq!(host.run(TAIYUAN, POLICY)["queued"], waiting);
    lift(&host);
    drained(&host);
    assert_eq!(house.reached(), phones(&people), "nobody is forgotten");
    let twice: BTreeMap<_, _> = house.received().into_iter().filter(|(_, times)| *times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

#[test]
fn runs_of_a_canary_and_a_pilot_are_done_again_with_their_shares() {
    let mut people = people(TAIYUAN, 300, 300);
    people[200..].iter_mut().for_each(|p| p.station = 502);
    let chooses = |version: &str| Guest::choosing(version, 1, MUCH, MUCH, 0);
    let house = house(&people, &chooses("1.0.0"), &[chooses("1.1.0"), chooses("1.2.0")], "");
    let mut host = house.serve(&house.token("ops", "operator"));
    let approver = token(&host, "approver", "approver");
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "canary", "version": NEW, "percent": 20 }));
    deploy(
        &host,
        &approver,
        TAIYUAN,
        json!({ "mode": "pilot", "version": "hand-made@1.2.0", "stations": [TAIYUAN * 1_000 + 502] }),
    );
    host.run(TAIYUAN, POLICY);
    let runs = host.all("/v1/runs");
    let queued: BTreeMap<&str, u64> =
        runs.iter().map(|r| (r["plugin_version"].as_str().unwrap_or(""), r["queued"].as_u64().unwrap_or(0))).collect();
    assert_eq!((queued["1.2.0"], queued["1.0.0"] + queued["1.1.0"]), (100, 200), "{queued:?}");
    assert!((10..80).contains(&queued["1.1.0"]), "{queued:?}");
    drained(&host);

    // Since then nobody divides the customers any more, and a station's customers moved.
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "end-canary" }));
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "end-pilot" }));
    assert!(host.process.kill());
    people[..50].iter_mut().for_each(|p| p.station = 502);
    house.files(&people);
    house.run(&["import", "customers", &house.text("customers.csv"), "--org", &house.text("org.json")]);
    for run in &runs {
        let id = run["id"].as_str().expect("an id");
        let said = house.run(&["run", "replay", id, "--json"]);
        let report: Value = serde_json::from_str(said.lines().last().unwrap_or_default()).expect("JSON");
        assert_eq!((&report["same"], &report["proved"]), (&json!(true), &json!("everyone")), "{run}: {report}");
        assert_eq!(report["decided"], run["decided"], "{report}");
    }
}

#[test]
fn a_pilot_decides_about_everybody_else_too_and_sends_only_in_its_stations() {
    let mut people = people(TAIYUAN, 60, 60);
    // They owe 1000 to 1059 fen; the last twenty are in the pilot's station.
    people[40..].iter_mut().for_each(|p| p.station = 502);
    let live = Guest::choosing("1.0.0", 1_000, 1_059, MUCH, 0);
    let pilot = Guest::choosing("1.1.0", 1_010, 1_059, 1_025, 0);
    let house = house(&people, &live, &[pilot], "");
    let host = house.serve(&house.token("ops", "operator"));
    let approver = token(&host, "approver", "approver");
    let station = TAIYUAN * 1_000 + 502;
    let pilots = |stations: Value| json!({ "mode": "pilot", "version": NEW, "stations": stations });
    deploy(&host, &approver, TAIYUAN, pilots(json!([station])));
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "shadow", "version": NEW }));
    host.run(TAIYUAN, POLICY);
    let runs = host.all("/v1/runs");
    let sent: Vec<(&str, u64)> =
        runs.iter().map(|r| (r["plugin_version"].as_str().unwrap_or(""), r["queued"].as_u64().unwrap_or(0))).collect();
    assert_eq!(sent, [("1.0.0", 40), ("1.1.0", 20)], "what it decides about the others is no run: {runs:?}");

    let reports = || host.api.get(&path(TAIYUAN, "shadow")).expect(200)["items"].as_array().expect("a list").clone();
    let of = |mode: &str| reports().into_iter().find(|r| r["mode"] == mode).expect(mode);
    let outside = of("pilot");
    assert_eq!((&outside["version"], &outside["runs"]), (&json!(NEW), &json!(1)), "{outside}");
    assert_eq!(outside["not_under"], json!([station]), "{outside}");
    assert_eq!((&outside["live_sends"], &outside["shadow_sends"]), (&json!(40), &json!(30)), "{outside}");
    assert_eq!(outside["differences"], json!({ "dropped": 10, "reason": 15 }), "{outside}");
    let named = |kind: &str| -> BTreeSet<String> {
        let samples = outside["samples"][kind].as_array().expect("samples").iter();
        samples.map(|s| s["account"].as_str().expect("an account").to_owned()).collect()
    };
    let accounts = |of: &[Person]| of.iter().map(|p| p.account.clone()).collect::<BTreeSet<_>>();
    assert_eq!((named("dropped"), named("reason")), (accounts(&people[..10]), accounts(&people[25..40])));
    // The same version as a shadow is another report: it sees the pilot's stations too.
    let shadow = of("shadow");
    assert_eq!((&shadow["not_under"], &shadow["live_sends"]), (&json!([]), &json!(60)), "{shadow}");
    let said = house.ask(&host, &["shadow", "report", "140100", POLICY]);
    assert!(said.contains(&format!("pilot outside {station}")) && said.contains("dropped: 10"), "{said}");

    drained(&host);
    let received = house.received();
    assert_eq!(house.reached(), phones(&people));
    assert!(received.values().all(|times| *times == 1), "nobody is told by both: {received:?}");

    // Other stations, other customers: it counts from the beginning. Its end leaves what it saw.
    deploy(&host, &approver, TAIYUAN, pilots(json!([TAIYUAN * 1_000 + 501])));
    host.run(TAIYUAN, POLICY);
    let moved = of("pilot");
    assert_eq!((&moved["runs"], &moved["not_under"]), (&json!(1), &json!([TAIYUAN * 1_000 + 501])), "{moved}");
    deploy(&host, &approver, TAIYUAN, json!({ "mode": "end-pilot" }));
    host.run(TAIYUAN, POLICY);
    assert_eq!(of("pilot"), moved, "a pilot that has ended sees no run");
}
